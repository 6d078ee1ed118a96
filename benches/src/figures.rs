//! What the figures show: rows of measurements become bars and curves.

use crate::density::{self, DENSE_IMAGE, XZ};
use crate::peers::Structure;
use crate::plot::{Axis, Bar, BarGroup, Color, Figure, Panel, Series};
use crate::record::Origin;
use crate::report::{Measured, provenance};
use crate::table::grouped;
use crate::{build, speed};

/// The color a structure has in every figure.
fn color(structure: &str) -> Color {
    let peers = Structure::ALL.iter().position(|other| other.label() == structure);
    match peers {
        Some(0) => Color::Subject,
        Some(peer) => Color::Peer(peer as u8 - 1),
        None if structure.starts_with(Structure::Image.label()) => Color::Subject,
        None => Color::Yardstick,
    }
}

/// Octets by name: of whole sets as bars, of samples as curves.
pub(crate) fn density(measured: &Measured, origin: &Origin) -> Figure {
    let bar = |row: &density::Row| Bar {
        label: row.structure.clone(),
        value: row.octets_per_name,
        text: format!("{:.2}  ({:.2} × xz)", row.octets_per_name, row.ratio_to_xz),
        color: color(&row.structure),
    };
    let groups = measured.density.chunk_by(|a, b| a.lists == b.lists).map(|rows| BarGroup {
        label: format!("{}: {} names", rows[0].lists, grouped(rows[0].names)),
        bars: rows.iter().map(bar).collect(),
    });
    let mut panels =
        vec![Panel::Bars { axis: "octets by name".to_owned(), groups: groups.collect() }];
    let whole = measured.density.first().map(|row| row.lists.as_str());
    let of = |structure: &str| {
        let main = measured.density.iter().filter(|row| Some(row.lists.as_str()) == whole);
        let rows = measured.samples.iter().chain(main).filter(|row| row.structure == structure);
        rows.map(|row| (row.names as f64, row.octets_per_name)).collect()
    };
    let shown = [
        Structure::Image.label(),
        DENSE_IMAGE,
        XZ,
        Structure::Marisa.label(),
        Structure::Fst.label(),
    ];
    if !measured.samples.is_empty() {
        panels.push(Panel::Curves {
            x: Axis {
                label: format!("names, sampled as whole lists of {}", whole.unwrap_or_default()),
                logarithmic: true,
                from_zero: false,
            },
            y: from_zero("octets by name"),
            series: series(shown, of),
        });
    }
    Figure {
        title: "Density: octets by name".to_owned(),
        notes: vec![
            "Image: names, scopes, actions, categories, lists and index. fst::Map: names and the \
             number of a class."
                .to_owned(),
            "MARISA: names alone. Hashes are not exact, BinaryFuse8 is wrong once in 256. xz \
             cannot be asked."
                .to_owned(),
            provenance(origin),
        ],
        panels,
    }
}

/// Time of a check beside the walk in an `fst::Map`, and what each shape of blocks buys, on the
/// first set of lists.
pub(crate) fn speed(measured: &Measured, origin: &Origin) -> Figure {
    let rows = measured.speed.chunk_by(|a, b| a.lists == b.lists).next().unwrap_or_default();
    let (lists, names, default) = match rows.first() {
        Some(first) => (first.lists.as_str(), grouped(first.names), first.shape.as_str()),
        None => Default::default(),
    };
    type Measure = fn(&speed::Row) -> (f64, f64);
    let asked: [(&str, Measure); 3] = [
        ("Four popular names to one subdomain of a listed name", |row| {
            (row.mixed_to_fst, row.mixed_ns)
        }),
        ("Listed, or below a listed name", |row| (row.hit_to_fst, row.hit_ns)),
        ("Not listed", |row| (row.miss_to_fst, row.miss_ns)),
    ];
    let beside = rows.iter().filter(|row| {
        row.shape.is_empty() || row.shape == default || row.structure != Structure::Image.label()
    });
    let groups = asked.map(|(label, measure)| BarGroup {
        label: label.to_owned(),
        bars: beside.clone().map(|row| bar(row, measure(row))).collect(),
    });
    let is_image = |row: &&speed::Row| {
        [Structure::Image.label(), DENSE_IMAGE].contains(&row.structure.as_str())
    };
    let shapes = rows.iter().filter(is_image);
    let shape = |row: &speed::Row| Series {
        label: row.shape.clone(),
        points: vec![(row.octets_per_name, row.mixed_to_fst)],
        color: color(&row.structure),
    };
    Figure {
        title: format!("Speed: a name and all its parents, {lists}, {names} names"),
        notes: vec![
            "An image answers with category, list and precedence, the others with yes or no."
                .to_owned(),
            "Medians of interleaved rounds of one run, one thread: quote ratios, not times."
                .to_owned(),
            provenance(origin),
        ],
        panels: vec![
            Panel::Bars {
                axis: "processor time of a check; the walk in an fst::Map = 1".to_owned(),
                groups: groups.into(),
            },
            Panel::Curves {
                x: Axis {
                    label: format!(
                        "octets by name, in blocks of so many sub-blocks × names (default: {default})"
                    ),
                    logarithmic: false,
                    from_zero: false,
                },
                y: from_zero("processor time of a check, mixed names; fst::Map = 1"),
                series: shapes.map(shape).collect(),
            },
        ],
    }
}

fn bar(row: &speed::Row, (ratio, ns): (f64, f64)) -> Bar {
    Bar {
        label: row.structure.clone(),
        value: ratio,
        text: format!("{ratio:.2}  ({ns:.0} ns)"),
        color: color(&row.structure),
    }
}

/// Time and memory by name over the number of names.
pub(crate) fn build(measured: &Measured, origin: &Origin) -> Figure {
    let of = |value: fn(&build::Row) -> f64| {
        move |structure: &str| {
            let rows = measured.build.iter();
            let rows = rows.filter(|row| row.structure == structure && row.lists == "synthetic");
            rows.map(|row| (row.names as f64, value(row))).collect::<Vec<_>>()
        }
    };
    let x = || Axis { label: "synthetic names".to_owned(), logarithmic: true, from_zero: false };
    let labels = Structure::ALL.map(Structure::label);
    Figure {
        title: "Build: from text to structure".to_owned(),
        notes: vec![
            "One list: lines parsed, keys sorted (but for hashes), structure built; each in its \
             own process."
                .to_owned(),
            provenance(origin),
        ],
        panels: vec![
            Panel::Curves {
                x: x(),
                y: from_zero("processor time by name, in nanoseconds"),
                series: series(labels, of(|row| row.ns_per_name)),
            },
            Panel::Curves {
                x: x(),
                y: from_zero("most memory held above the text, octets by name"),
                series: series(labels, of(|row| row.peak_octets_per_name)),
            },
        ],
    }
}

/// Instructions and lines read on an emulated Cortex-M4.
pub(crate) fn device(measured: &Measured) -> Figure {
    let panel = |figure: &str, unit: &str, axis: &str| {
        let rows = measured
            .device
            .iter()
            .filter(|row| row.figure == figure && row.unit == unit && row.optimized_for == "speed");
        let groups = rows.map(|row| {
            let values = [("median", row.median), ("p99", row.p99), ("maximum", Some(row.max))];
            let bars = values.into_iter().filter_map(|(label, value)| {
                let value = value?;
                let (label, text) = (label.to_owned(), grouped(value));
                Some(Bar { label, value: value as f64, text, color: Color::Subject })
            });
            let (image, octets) = (&row.image, grouped(row.image_octets));
            BarGroup { label: format!("{image}, {octets} octets"), bars: bars.collect() }
        });
        Panel::Bars { axis: axis.to_owned(), groups: groups.collect() }
    };
    Figure {
        title: "Device: a check on an emulated Cortex-M4".to_owned(),
        notes: vec![
            "QEMU counts instructions, not cycles; two runs give the same. Optimized for speed."
                .to_owned(),
        ],
        panels: vec![
            panel("check", "instructions", "instructions of a check"),
            panel(
                "image read by a check",
                "lines of 32 octets",
                "lines of 32 octets of the image that a check reads",
            ),
        ],
    }
}

fn from_zero(label: &str) -> Axis {
    Axis { label: label.to_owned(), logarithmic: false, from_zero: true }
}

fn series<const N: usize>(
    structures: [&str; N],
    points: impl Fn(&str) -> Vec<(f64, f64)>,
) -> Vec<Series> {
    let series = |structure: &str| Series {
        label: structure.to_owned(),
        points: points(structure),
        color: color(structure),
    };
    structures.into_iter().map(series).filter(|series| !series.points.is_empty()).collect()
}
