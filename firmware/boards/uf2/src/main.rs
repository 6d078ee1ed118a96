//! Makes one file to drop on an RP2350 board: takes the firmware, and what else is to lie in flash,
//! gives a UF2 file, which the boot ROM writes wherever its blocks say.
//!
//! ```text
//! uf2 gardefou.uf2 FIRMWARE 0x10040000=settings.txt 0x10080000=gardefou.gfi
//! ```
//!
//! What is not in the file is left alone, so it may as well hold one of them only.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;

/// Flash is written by pages.
const PAGE_LEN: usize = 256;
/// Flash is erased by sectors.
const SECTOR_LEN: u32 = 4096;
const BLOCK_LEN: usize = 512;
/// Programs for the Arm cores of an RP2350, in secure state.
const FAMILY: u32 = 0xE48B_FF59;

/// Pages by their address.
type Pages = BTreeMap<u32, [u8; PAGE_LEN]>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(output), parts) = (arguments.next(), arguments) else {
        return Err("usage: uf2 OUTPUT (FIRMWARE | ADDRESS=FILE)...".into());
    };
    let mut pages = Pages::new();
    for part in parts {
        match part.split_once('=') {
            Some((address, file)) => {
                let digits = address.trim_start_matches("0x");
                let address = u32::from_str_radix(digits, 16)?;
                put(&mut pages, address, &fs::read(file)?);
            }
            None => {
                for (address, octets) in segments(&fs::read(part)?).ok_or("not an ELF file")? {
                    put(&mut pages, address, octets);
                }
            }
        }
    }
    fill_sectors(&mut pages);
    fs::write(output, uf2(&pages))?;
    Ok(())
}

/// Puts octets where they belong; what is beside them in a page is as after erasing.
fn put(pages: &mut Pages, start: u32, octets: &[u8]) {
    for (address, &octet) in (start..).zip(octets) {
        let offset = address % PAGE_LEN as u32;
        pages.entry(address - offset).or_insert([0xFF; PAGE_LEN])[offset as usize] = octet;
    }
}

/// Gives every page of a sector that is written to at all: a sector is erased as a whole.
fn fill_sectors(pages: &mut Pages) {
    let sectors: Vec<u32> = pages.keys().map(|page| page - page % SECTOR_LEN).collect();
    for sector in sectors {
        for page in (sector..sector + SECTOR_LEN).step_by(PAGE_LEN) {
            pages.entry(page).or_insert([0xFF; PAGE_LEN]);
        }
    }
}

/// The blocks of a UF2 file (github.com/microsoft/uf2), one for each page.
fn uf2(pages: &Pages) -> Vec<u8> {
    const HAS_FAMILY: u32 = 0x2000;
    let mut octets = Vec::with_capacity(pages.len() * BLOCK_LEN);
    for (number, (&address, page)) in (0..).zip(pages) {
        let (len, count) = (PAGE_LEN as u32, pages.len() as u32);
        let head = [0x0A32_4655, 0x9E5D_5157, HAS_FAMILY, address, len, number, count, FAMILY];
        let start = octets.len();
        octets.extend(head.into_iter().flat_map(u32::to_le_bytes));
        octets.extend(page);
        octets.resize(start + BLOCK_LEN - 4, 0);
        octets.extend(0x0AB1_6F30_u32.to_le_bytes());
    }
    octets
}

/// What a 32-bit ELF file loads into flash, and where; `None` when it is no such file.
fn segments(elf: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    const LOAD: u32 = 1;
    elf.starts_with(b"\x7FELF\x01\x01").then_some(())?;
    let (table, len, count) = (word(elf, 28)?, half(elf, 42)?, half(elf, 44)?);
    let mut segments = Vec::new();
    for index in 0..usize::from(count) {
        let at = table as usize + index * usize::from(len);
        let [kind, offset, _virtual, address, size] = [0, 4, 8, 12, 16].map(|n| word(elf, at + n));
        let (start, size) = (offset? as usize, size? as usize);
        if kind? == LOAD && size > 0 {
            segments.push((address?, elf.get(start..start + size)?));
        }
    }
    Some(segments)
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*octets.get(at..)?.first_chunk()?))
}

fn half(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*octets.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_sectors_in_order_of_their_addresses() {
        let mut pages = Pages::new();
        put(&mut pages, 0x1008_0000, &[1; 300]);
        put(&mut pages, 0x1000_0000, &[2]);
        fill_sectors(&mut pages);
        let file = uf2(&pages);
        assert_eq!(file.len(), 32 * BLOCK_LEN);
        let blocks: Vec<&[u8]> = file.chunks(BLOCK_LEN).collect();
        for (number, block) in (0..).zip(&blocks) {
            let sector = if number < 16 { 0x1000_0000 } else { 0x1008_0000 };
            assert_eq!(word(block, 12), Some(sector + number % 16 * PAGE_LEN as u32));
            assert_eq!((word(block, 20), word(block, 24)), (Some(number), Some(32)));
            assert_eq!(word(block, 508), Some(0x0AB1_6F30));
        }
        assert_eq!((blocks[0][32], blocks[0][33]), (2, 0xFF));
        assert_eq!((blocks[17][32 + 43], blocks[17][32 + 44]), (1, 0xFF));
    }

    #[test]
    fn what_is_loaded_is_found_in_a_program() {
        let mut elf = vec![0; 84];
        elf[..6].copy_from_slice(b"\x7FELF\x01\x01");
        elf[28] = 52;
        elf[42] = 32;
        elf[44] = 1;
        elf[52] = 1;
        elf[56] = 84;
        elf[64..68].copy_from_slice(&0x1000_0000_u32.to_le_bytes());
        elf[68] = 3;
        elf.extend(b"abc");
        assert_eq!(segments(&elf), Some(vec![(0x1000_0000, &b"abc"[..])]));
        elf.pop();
        assert_eq!(segments(&elf), None);
        assert_eq!(segments(b"text"), None);
    }
}
