//! A plugin of QEMU's code generator: for each check of the device bench, how many distinct
//! octets of the image it reads, and in how many distinct lines of 32 octets they lie, as a
//! cache in front of serial flash would fetch them.
//!
//! It sees every access of the emulated processor to memory; fetching instructions is none. A
//! check lies between two writes of the firmware, see `traced` in `../src/board.rs`. Asked for
//! with `-plugin libreads.so,out=FILE`, it writes a line `OCTETS LINES` to FILE for each.
//!
//! The functions are those of `qemu-plugin.h`, QEMU's documented interface, which has been the
//! same for what is used here since QEMU 4.2.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::Write as _;
use std::ptr;
use std::sync::Mutex;

/// Where the firmware has the image, and what it writes to around a check.
const IMAGE: std::ops::Range<u64> = 0x2100_0000..0x21E0_0000;
const CHECK_BEGINS: u64 = 0x21FF_FFF8;
const CHECK_ENDS: u64 = 0x21FF_FFFC;
const LINE: u64 = 32;

/// The reads of the check now running, and the file for what becomes of them.
static READS: Mutex<Option<Reads>> = Mutex::new(None);

struct Reads {
    addresses: Vec<u64>,
    checking: bool,
    out: File,
}

impl Reads {
    fn end(&mut self) -> std::io::Result<()> {
        self.checking = false;
        self.addresses.sort_unstable();
        self.addresses.dedup();
        let octets = self.addresses.len();
        self.addresses.dedup_by_key(|address| *address / LINE);
        writeln!(self.out, "{octets} {}", self.addresses.len())
    }
}

/// The version of the interface this is written for. QEMU 9 and later want 2, earlier ones 1:
/// the bench sets the variable to what the QEMU at hand wants.
// SAFETY: QEMU reads an `int` of this name.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = match option_env!("QEMU_PLUGIN_VERSION") {
    Some(version) => version.as_bytes()[0] as c_int - b'0' as c_int,
    None => 1,
};

/// Called by QEMU when it has loaded the plugin; 0 means that all is well.
///
/// # Safety
/// `arguments` are `count` C strings, which QEMU takes care of.
// SAFETY: the name and the signature are those of `qemu-plugin.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _info: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    // SAFETY: see above.
    let argument = |index| unsafe { CStr::from_ptr(*arguments.add(index)) };
    let mut arguments = (0..count as usize).map(argument);
    let path = arguments.find_map(|argument| argument.to_str().ok()?.strip_prefix("out="));
    let Some(Ok(out)) = path.map(File::create) else { return 1 };
    let Ok(mut reads) = READS.lock() else { return 1 };
    *reads = Some(Reads { addresses: Vec::new(), checking: false, out });
    // SAFETY: `translated` has the signature QEMU calls it with.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, translated) };
    0
}

/// Called for each block of code once, before it runs: asks to be told of its accesses.
extern "C" fn translated(_id: u64, block: *mut c_void) {
    const NO_REGISTERS: c_int = 0;
    const READS_AND_WRITES: c_int = 3;
    // SAFETY: `block` is QEMU's, and each index is below its count.
    unsafe {
        for index in 0..qemu_plugin_tb_n_insns(block) {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            qemu_plugin_register_vcpu_mem_cb(
                instruction,
                accessed,
                NO_REGISTERS,
                READS_AND_WRITES,
                ptr::null_mut(),
            );
        }
    }
}

/// Called for each access of the emulated processor.
extern "C" fn accessed(_cpu: c_uint, info: u32, address: u64, _data: *mut c_void) {
    let Ok(mut reads) = READS.lock() else { return };
    let Some(reads) = reads.as_mut() else { return };
    // SAFETY: `info` is what QEMU passed for this access.
    let (is_store, len) =
        unsafe { (qemu_plugin_mem_is_store(info), 1 << qemu_plugin_mem_size_shift(info)) };
    match address {
        CHECK_BEGINS if is_store => {
            reads.addresses.clear();
            reads.checking = true;
        }
        // A line that cannot be written is missing, and the bench counts lines.
        CHECK_ENDS if is_store => drop(reads.end()),
        _ if reads.checking && IMAGE.contains(&address) => {
            reads.addresses.extend(address..address + len);
        }
        _ => {}
    }
}

type Translated = extern "C" fn(u64, *mut c_void);
type Accessed = extern "C" fn(c_uint, u32, u64, *mut c_void);

// SAFETY: copied from `qemu-plugin.h`; QEMU exports them to its plugins.
unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, callback: Translated);
    fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_register_vcpu_mem_cb(
        instruction: *mut c_void,
        callback: Accessed,
        registers: c_int,
        access: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_mem_size_shift(info: u32) -> c_uint;
    fn qemu_plugin_mem_is_store(info: u32) -> bool;
}
