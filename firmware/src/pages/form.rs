//! What a form says: takes its octets, gives fields.

use filter_core::Name;
use heapless::{String, Vec};

/// Octets of the longest field: a name, and what may stand around it in an address.
const FIELD_LEN_MAX: usize = 300;

/// The fields of a form (application/x-www-form-urlencoded).
pub(super) struct Form<'a>(pub(super) &'a [u8]);

impl Form<'_> {
    /// A field; empty when it is not there or too long.
    pub(super) fn field(&self, name: &str) -> String<FIELD_LEN_MAX> {
        let text = str::from_utf8(self.0).unwrap_or_default();
        let mut fields = text.split('&').filter_map(|field| field.split_once('='));
        let found = fields.find(|(other, _)| *other == name);
        found.and_then(|(_, value)| decode(value)).unwrap_or_default()
    }

    /// The name of a site, which may be within an address.
    pub(super) fn site(&self) -> Option<Name> {
        let field = self.field("name");
        let text = field.trim();
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = text.split(['/', ':', '?']).next()?;
        Name::from_text(host).ok().filter(|name| name.label_count() > 0)
    }
}

/// What is meant by `+` and `%41`; `None` when it is too long or no text.
fn decode(value: &str) -> Option<String<FIELD_LEN_MAX>> {
    let mut octets = Vec::<u8, FIELD_LEN_MAX>::new();
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let meant = match octet {
            b'+' => b' ',
            b'%' => (16 * digit()? + digit()?) as u8,
            octet => octet,
        };
        octets.push(meant).ok()?;
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded() {
        let form = Form(b"pin=123456&name=a%2Eb+c&empty=");
        assert_eq!((&*form.field("pin"), &*form.field("name")), ("123456", "a.b c"));
        assert_eq!((&*form.field("empty"), &*form.field("none")), ("", ""));
        assert_eq!(&*Form(b"name=%zz").field("name"), "");
        let long = std::vec![b'a'; 1000];
        assert_eq!(&*Form(&[b"name=", &*long].concat()).field("name"), "");
        assert_eq!(&*Form(b"\xff=\xff").field("name"), "");
    }

    #[test]
    fn a_site_may_come_with_its_address() {
        let site = |text: &str| Form(text.as_bytes()).site().map(|name| std::format!("{name}"));
        assert_eq!(site("name=+Bet.Example+").as_deref(), Some("bet.example"));
        assert_eq!(
            site("name=https%3A%2F%2Fbet.example%3A8080%2Fa%3Fb").as_deref(),
            Some("bet.example")
        );
        for none in ["", "name=", "name=.", "name=a..b", "name=%C3%A9.example"] {
            assert_eq!(site(none), None, "{none}");
        }
    }
}
