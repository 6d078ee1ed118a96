//! Response policy zones, written so that servers which take DNS wildcards at their word
//! (RFC 4592) read them as we do.
//!
//! To such a server `*.example.com` says nothing about `www.example.com` or what is below it as
//! soon as any name at or below `www.example.com` has a record of its own: the wildcard ends
//! where names exist. (Seen with BIND 9.18: names between a blocked parent and a listed
//! grandchild were let through.) So inside a zone every name that exists, even by its children
//! only, gets two records, one for itself and one for what is below. The zone's own name is not
//! written: owners are relative, and the server's configuration names the zone.

use std::collections::HashSet;
use std::io::{self, Write};

use filter_core::{Action, Name};

use super::meaning::{Node, Ruling};
use super::{Loss, Unsaid};

/// The longest owner, so that `*.`, the owner and 32 characters of zone name are one name.
const OWNER_LEN_MAX: usize = Name::MAX_LEN - 2 - 2 - 32;

/// Writes the records every zone has. The serial of a zone has 32 bits; serial arithmetic
/// (RFC 1982) makes the low bits of ours a good one.
pub(super) fn head(serial: u64, text: &mut dyn Write) -> io::Result<()> {
    writeln!(text, "$TTL 300")?;
    let serial = serial as u32;
    writeln!(text, "@ IN SOA localhost. hostmaster.localhost. {serial} 3600 600 604800 300")?;
    writeln!(text, "@ IN NS localhost.")
}

/// Writes the records of a zone of the image.
pub(super) fn zone(zone: &[Node], text: &mut dyn Write, unsaid: &mut Unsaid) -> io::Result<()> {
    // The names written so far, each with its two records.
    let mut present: HashSet<&str> = HashSet::new();
    for node in zone {
        let inherited = node.parent.and_then(|parent| zone[parent].below);
        if [node.own, node.below] == [inherited; 2] {
            continue;
        }
        if node.name.len() > OWNER_LEN_MAX {
            unsaid.note(Loss::Length, &node.name);
            continue;
        }
        if inherited.is_some() {
            // Names that exist only because this one does. Ends at the parent that decides, or
            // without labels.
            let mut name = &*node.name;
            while let Some((_, parent)) = name.split_once('.') {
                if !present.insert(parent) {
                    break;
                }
                records(parent, inherited, inherited, text)?;
                name = parent;
            }
        }
        present.insert(&node.name);
        records(&node.name, node.own, node.below, text)?;
    }
    Ok(())
}

fn records(name: &str, own: Ruling, below: Ruling, text: &mut dyn Write) -> io::Result<()> {
    for (wildcard, ruling) in [("", own), ("*.", below)] {
        match ruling {
            Some(Action::Block) => writeln!(text, "{wildcard}{name} CNAME .")?,
            Some(Action::Allow) => writeln!(text, "{wildcard}{name} CNAME rpz-passthru.")?,
            None => {}
        }
    }
    Ok(())
}
