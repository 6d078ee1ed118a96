//! Runs the bodies of the fuzz targets on a stable toolchain: over every past finding, and over
//! made-up octets, the same ones each time.

use std::fs;
use std::path::Path;

use gardefou_fuzz::XorShift;

fn replay(target: &str, body: fn(&[u8]), rounds: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(target);
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        body(&fs::read(&path).unwrap());
    }
    let mut random = XorShift::new(0);
    for round in 0..rounds {
        let octets: Vec<u8> = (0..round % LEN_MAX).map(|_| random.octet()).collect();
        println!("round {round}: {octets:02x?}");
        body(&octets);
    }
}

/// The longest of the made-up octets.
const LEN_MAX: usize = 200;

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
