//! The rows of a report in Markdown: one table of everything side by side, then the details.

use std::fmt::Write as _;

use crate::density::{DENSE_IMAGE, SORTED_HASHES, XZ};
use crate::peers::Structure;
use crate::record::Origin;
use crate::report::{Measured, provenance};
use crate::speed::PREFILTERED_IMAGE;
use crate::{build, density, speed};

/// The whole report.
pub(crate) fn markdown(measured: &Measured, origin: &Origin) -> String {
    let mut text = format!("# Report\n\n{}.\n", provenance(origin));
    let mut section = |heading: &str, note: &str, rows: Vec<Vec<String>>| {
        let _ = write!(text, "\n## {heading}\n\n{note}\n\n{}", table(&rows));
    };
    section("Side by side", &side_by_side_note(measured), side_by_side(measured));
    section(
        "Density",
        "Octets by name, of whole sets and of samples of whole lists.",
        densities(measured),
    );
    section(
        "Blocks",
        "What each shape of blocks (sub-blocks × names) costs and buys; an `fst::Map` of the same \
         run takes 1.",
        blocks(measured),
    );
    section(
        "Build, nanoseconds by name",
        "Processor time from the text of one list to the structure.",
        builds(measured, |row| format!("{:.0}", row.ns_per_name)),
    );
    section(
        "Build, octets of memory by name",
        "The most memory held above the text, each structure in a process of its own.",
        builds(measured, |row| format!("{:.1}", row.peak_octets_per_name)),
    );
    section(
        "Build again",
        "Processor seconds of `gardefou build` on forty lists, with its cache.",
        rebuilds(measured),
    );
    if !measured.device.is_empty() {
        section("Device", "On an emulated Cortex-M4, from the latest record.", devices(measured));
    }
    text
}

fn side_by_side_note(measured: &Measured) -> String {
    let size = compared_size(measured);
    let lists = measured.speed.first().map_or("", |row| &row.lists);
    format!(
        "Density: octets by name. Check: a name and all its parents on {lists}, processor time, \
         the walk in the `fst::Map` = 1. Build: {} synthetic names from text, processor time, the \
         `fst::Map` = 1; most memory above the text, octets by name.",
        grouped(size)
    )
}

/// The size of build that stands in the one table: a million, or the largest below.
fn compared_size(measured: &Measured) -> u64 {
    let sizes = measured.build.iter().filter(|row| row.lists == "synthetic").map(|row| row.names);
    sizes.filter(|&size| size <= 1_000_000).max().unwrap_or(0)
}

fn side_by_side(measured: &Measured) -> Vec<Vec<String>> {
    let mut header = cells(["", "exact", "tells"]);
    let mut sets: Vec<&density::Row> = Vec::new();
    for rows in measured.density.chunk_by(|a, b| a.lists == b.lists) {
        header.push(format!("{}, {} names", rows[0].lists, grouped(rows[0].names)));
        sets.push(&rows[0]);
    }
    header.extend(cells(["check", "hits", "misses", "build", "memory"]));
    let size = compared_size(measured);
    let built = |structure: &str| {
        let mut rows = measured.build.iter();
        rows.find(|row| row.lists == "synthetic" && row.names == size && row.structure == structure)
    };
    let fst_ns = built(Structure::Fst.label()).map_or(f64::NAN, |row| row.ns_per_name);
    let exactness = [
        (Structure::Image.label(), "yes", "category, list, scope"),
        (DENSE_IMAGE, "yes", "category, list, scope"),
        (PREFILTERED_IMAGE, "yes", "category, list, scope"),
        (XZ, "cannot be asked", ""),
        (Structure::Marisa.label(), "yes", ""),
        (Structure::Fst.label(), "yes", "class"),
        (Structure::Hashbrown.label(), "but for collisions", ""),
        (SORTED_HASHES, "but for collisions", ""),
        (Structure::Fuse.label(), "no", ""),
    ];
    let mut table = vec![header];
    for (structure, exact, tells) in exactness {
        let mut row = cells([structure, exact, tells]);
        for set in &sets {
            let of = |row: &&density::Row| row.lists == set.lists && row.structure == structure;
            let found = measured.density.iter().find(of);
            row.push(found.map_or(String::new(), |row| format!("{:.2}", row.octets_per_name)));
        }
        // The first row of an image is that of the default shape.
        match measured.speed.iter().find(|row| row.structure == structure) {
            Some(found) => {
                let ratios = [found.mixed_to_fst, found.hit_to_fst, found.miss_to_fst];
                row.extend(ratios.map(|ratio| format!("{ratio:.2}")));
            }
            None => row.extend(cells(["", "", ""])),
        }
        match built(structure) {
            Some(found) => row.extend([
                format!("{:.2}", found.ns_per_name / fst_ns),
                format!("{:.1}", found.peak_octets_per_name),
            ]),
            None => row.extend(cells(["", ""])),
        }
        table.push(row);
    }
    table
}

fn densities(measured: &Measured) -> Vec<Vec<String>> {
    let rows = measured.density.iter().chain(&measured.samples).collect::<Vec<_>>();
    let mut sets = rows.chunk_by(|a, b| a.lists == b.lists).peekable();
    let mut header = cells(["lists", "names", "classes"]);
    header.extend(
        sets.peek().into_iter().flat_map(|set| set.iter()).map(|row| row.structure.clone()),
    );
    header.extend(cells(["image / xz", "dense / xz"]));
    let mut table = vec![header];
    for set in sets {
        let first = set[0];
        let mut row = vec![first.lists.clone(), grouped(first.names), first.classes.to_string()];
        row.extend(set.iter().map(|row| format!("{:.2}", row.octets_per_name)));
        row.extend(set.iter().take(2).map(|row| format!("{:.3}", row.ratio_to_xz)));
        table.push(row);
    }
    table
}

fn blocks(measured: &Measured) -> Vec<Vec<String>> {
    let mut table = vec![cells(["lists", "blocks", "octets by name", "check", "hits", "misses"])];
    let is_image = |row: &&speed::Row| {
        [Structure::Image.label(), DENSE_IMAGE].contains(&row.structure.as_str())
    };
    for row in measured.speed.iter().filter(is_image) {
        let ratios = [row.octets_per_name, row.mixed_to_fst, row.hit_to_fst, row.miss_to_fst];
        let mut cells = cells([&row.lists, &row.shape]);
        cells.extend(ratios.map(|ratio| format!("{ratio:.2}")));
        table.push(cells);
    }
    table
}

fn builds(measured: &Measured, cell: fn(&build::Row) -> String) -> Vec<Vec<String>> {
    let mut header = cells(["names", "of"]);
    header.extend(Structure::ALL.map(|structure| structure.label().to_owned()));
    let mut table = vec![header];
    for rows in measured.build.chunk_by(|a, b| (&a.lists, a.names) == (&b.lists, b.names)) {
        let mut row = vec![grouped(rows[0].names), rows[0].lists.clone()];
        row.extend(rows.iter().map(cell));
        table.push(row);
    }
    table
}

fn rebuilds(measured: &Measured) -> Vec<Vec<String>> {
    let mut table = vec![cells(["lists", "lines", "since the build before", "seconds", "/ first"])];
    for row in &measured.rebuild {
        let mut cells = vec![row.lists.clone(), grouped(row.names)];
        cells.extend([row.build.to_owned(), format!("{:.2}", row.seconds)]);
        cells.push(format!("{:.2}", row.to_first));
        table.push(cells);
    }
    table
}

fn devices(measured: &Measured) -> Vec<Vec<String>> {
    let header = ["image", "octets", "optimized for", "figure", "unit", "median", "p99", "max"];
    let mut table = vec![cells(header)];
    for row in &measured.device {
        let number = |value: Option<u64>| value.map_or(String::new(), grouped);
        let mut cells = vec![row.image.clone(), grouped(row.image_octets)];
        cells.extend([row.optimized_for.clone(), row.figure.clone(), row.unit.clone()]);
        cells.extend([number(row.median), number(row.p99), grouped(row.max)]);
        table.push(cells);
    }
    table
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Rows, the first of which is the header.
fn table(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if number == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
