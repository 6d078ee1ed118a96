//! Octets by name, beside what others make of the same names. Sizes are exact and the same on
//! every machine.

use std::io::Write as _;

use anyhow::Result;
use filter_cli::lists::Options;
use filter_core::Filter;
use filter_core::compile::BlockShape;
use liblzma::stream::{Check, Stream};
use liblzma::write::XzEncoder;
use serde::Serialize;

use crate::lists::{self, DataSet};
use crate::measure;
use crate::peers::{FstPeer, FusePeer, HashbrownPeer, MarisaPeer, Names, Peer as _, Structure};
use crate::record::decimals;

/// What `xz -9e` makes of the names; it cannot be asked.
pub const XZ: &str = "xz -9e";
/// The same image in the dense shape; the other is in the default one.
pub const DENSE_IMAGE: &str = "image, dense";
/// The hashes of the names in one sorted array.
pub const SORTED_HASHES: &str = "sorted hashes";

/// The size of one structure.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which lists.
    pub lists: String,
    /// Names in the image, and in everything beside it.
    pub names: u64,
    /// Distinct sets of facets in the image.
    pub classes: usize,
    /// What holds them.
    pub structure: String,
    /// Its size. Of an image: the sections rules need at query time.
    pub octets: u64,
    /// The same by name.
    #[serde(serialize_with = "decimals")]
    pub octets_per_name: f64,
    /// The same beside `xz -9e`.
    #[serde(serialize_with = "decimals")]
    pub ratio_to_xz: f64,
}

/// The size of an image of the lists, and of its peers with the same names.
///
/// # Errors
/// When a list cannot be read or something cannot be built.
pub fn measure(set: &DataSet) -> Result<Vec<Row>> {
    let _progress = measure::progress(format!("density of {}", set.label));
    let image = set.compile(&Options::default())?;
    let (rule_octets, classes) = (image.rule_octets, image.class_count);
    let filter = Filter::from_bytes(image.octets)?;
    let dense_octets = lists::reshaped(&filter, BlockShape::DENSE, false)?.rule_octets;
    let names = Names::of(&filter)?;
    let count = u64::from(filter.rule_count());
    let xz_octets = xz(&names.text)?;
    let sizes = [
        (Structure::Image.label(), rule_octets),
        (DENSE_IMAGE, dense_octets),
        (XZ, xz_octets),
        (Structure::Fst.label(), FstPeer::build(&names.keys)?.octets()),
        (Structure::Marisa.label(), MarisaPeer::build(&names.keys)?.octets()),
        (Structure::Hashbrown.label(), HashbrownPeer::build(&names.hashes).octets()),
        (SORTED_HASHES, count * size_of::<u64>() as u64),
        (Structure::Fuse.label(), FusePeer::build(names.hashes)?.octets()),
    ];
    let row = |(structure, octets): (&str, u64)| Row {
        lists: set.label.clone(),
        names: count,
        classes,
        structure: structure.to_owned(),
        octets,
        octets_per_name: octets as f64 / count as f64,
        ratio_to_xz: octets as f64 / xz_octets as f64,
    };
    Ok(sizes.into_iter().map(row).collect())
}

fn xz(text: &[u8]) -> Result<u64> {
    /// `LZMA_PRESET_EXTREME` of liblzma: the `e` of `xz -9e`.
    const EXTREME: u32 = 1 << 31;
    let stream = Stream::new_easy_encoder(9 | EXTREME, Check::Crc64)?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(text)?;
    Ok(encoder.finish()?.len() as u64)
}
