//! Runs the bodies of the fuzz targets on a stable toolchain: over every past finding, and over
//! made-up octets, the same ones each time.

use std::fs;
use std::path::Path;

fn replay(target: &str, body: fn(&[u8]), rounds: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(target);
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        body(&fs::read(&path).unwrap());
    }
    let mut random = XorShift(0x9E37_79B9_7F4A_7C15);
    for round in 0..rounds {
        let octets = random.octets(round % LEN_MAX);
        println!("round {round}: {octets:02x?}");
        body(&octets);
    }
}

/// The longest of the made-up octets.
const LEN_MAX: usize = 200;

/// Marsaglia's generator ("Xorshift RNGs", 2003); good enough to stumble over things.
struct XorShift(u64);

impl XorShift {
    fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 32
    }
}

#[test]
fn image() {
    replay("image", gardefou_fuzz::image, 20_000);
}

#[test]
fn dns_name() {
    replay("dns_name", gardefou_fuzz::dns_name, 20_000);
}

#[test]
fn list_line() {
    replay("list_line", gardefou_fuzz::list_line, 20_000);
}

#[test]
fn config() {
    // Each round writes files.
    replay("config", gardefou_fuzz::config, 1_000);
}
