//! Names: whatever is accepted is within the limits and survives every round trip.

use filter_core::{Key, Name};

/// Reads a name at every offset of a message, and the same octets as text.
pub fn dns_name(octets: &[u8]) {
    for offset in 0..=octets.len() {
        if let Ok((name, end)) = Name::from_message(octets, offset) {
            assert!(offset < end && end <= octets.len());
            round_trips(&name);
        }
    }
    if let Ok(name) = Name::from_text(octets) {
        round_trips(&name);
    }
    if let Ok(name) = Name::from_wire(octets) {
        assert!(name.as_wire().eq_ignore_ascii_case(octets));
    }
}

fn round_trips(name: &Name) {
    let wire = name.as_wire();
    assert!((1..=Name::MAX_LEN).contains(&wire.len()));
    assert!(!wire.iter().any(u8::is_ascii_uppercase));
    assert_eq!(Name::from_wire(wire).as_ref(), Ok(name));
    assert_eq!(Name::from_text(name.to_string()).as_ref(), Ok(name));

    let labels = name.label_count();
    assert!(name.labels().all(|label| (1..=Name::MAX_LABEL_LEN).contains(&label.len())));
    assert_eq!(name.suffix(labels).as_ref(), Some(name));
    assert_eq!(name.suffix(labels + 1), None);

    let key = Key::new(name);
    if key.is_listable() {
        assert_eq!(Key::name_of(key.symbols()).as_ref(), Some(name));
    }
    if let Some(parent) = labels.checked_sub(1).and_then(|labels| name.suffix(labels)) {
        let parent = Key::new(&parent);
        assert!(!parent.is_listable() || key.symbols().starts_with(parent.symbols()));
    }
}
