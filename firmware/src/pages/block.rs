//! The page in the place of a blocked site. It does not say which, nor why this one: who could ask
//! that could read the lists out, and a visitor is not to be shamed.

use core::fmt::{self, Display};

use heapless::String;

use super::helplines::{Helpline, PORTAL};
use super::html::{Escaped, FOOT, Head};
use super::words::Words;

/// What a visitor is told.
pub(super) struct BlockPage<'a> {
    pub(super) words: &'a Words,
    pub(super) operator: String<48>,
    /// A `mailto:` or `tel:` URI, or nothing.
    pub(super) contact: String<64>,
    pub(super) helpline: Option<Helpline<'a>>,
    /// Whether the owner's pages can be reached from here.
    pub(super) is_at_home: bool,
}

impl Display for BlockPage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words.block;
        write!(f, "{}", Head { words: self.words, title: words.title })?;
        write!(f, "<p>{}</p>\n<h2>{}</h2>\n<p>{}</p>\n", words.text, words.who, words.who_text)?;
        if !self.operator.is_empty() {
            writeln!(f, "<p>{} <b>{}</b></p>", words.operator, Escaped(&self.operator))?;
        }
        write!(f, "<h2>{}</h2>\n<p>{}</p>\n", words.appeal, words.appeal_text)?;
        if let Some((_, shown)) = contact(&self.contact) {
            let (uri, shown) = (Escaped(&self.contact), Escaped(shown));
            writeln!(f, "<p><a href=\"{uri}\"><bdi>{shown}</bdi></a></p>")?;
        }
        writeln!(f, "<h2>{}</h2>", words.talk)?;
        match &self.helpline {
            Some(line) => writeln!(f, "<p>{}</p>\n{line}", words.talk_text)?,
            None => writeln!(f, "<p>{}</p>", words.talk_none)?,
        }
        let shown = PORTAL.trim_start_matches("https://").trim_end_matches('/');
        write!(f, "<h2>{}</h2>\n<p>{}</p>\n", words.report, words.report_text)?;
        writeln!(f, "<p><a href=\"{PORTAL}\" rel=\"noreferrer\"><bdi>{shown}</bdi></a></p>")?;
        if self.is_at_home {
            writeln!(f, "<p><a href=\"/gardefou\">{}</a></p>", words.owner)?;
        }
        f.write_str(FOOT)
    }
}

impl Display for Helpline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<p><a href=\"tel:")?;
        self.number.split(' ').try_for_each(|part| f.write_str(part))?;
        let (number, name) = (Escaped(self.number), Escaped(self.name));
        write!(f, "\"><bdi>{number}</bdi></a> <bdi>{name}</bdi>")?;
        if !self.hours.is_empty() {
            write!(f, " <bdi>({})</bdi>", self.hours)?;
        }
        f.write_str("</p>")
    }
}

/// The scheme of a contact and what is shown of it; `None` for what is no contact.
fn contact(uri: &str) -> Option<(&str, &str)> {
    uri.split_once(':').filter(|(scheme, _)| matches!(*scheme, "mailto" | "tel"))
}

#[cfg(test)]
mod tests {
    use super::super::{check, helplines, words};
    use super::*;

    #[test]
    fn it_is_small_and_sound_in_every_language() {
        for words in words::ALL {
            for country in ["KE", "FR", "XX"] {
                let text = std::format!(
                    "{}",
                    BlockPage {
                        words,
                        operator: "<École> d’exemple & fils, une longue".try_into().unwrap(),
                        contact: "mailto:direction@ecole.example".try_into().unwrap(),
                        helpline: helplines::of_country(country),
                        is_at_home: true,
                    }
                );
                check::document(words, &text);
                std::println!("block page, {}: {} octets", words.code, text.len());
                let external = text.match_indices("://").count();
                assert_eq!(external, text.matches(PORTAL).count(), "nothing of others");
                assert!(text.contains("&lt;École&gt;") && text.contains("mailto:direction@"));
                assert_eq!(text.contains("tel:116"), country == "KE");
            }
        }
    }

    #[test]
    fn a_contact_is_not_a_script() {
        assert_eq!(contact("javascript:alert(1)"), None);
        assert_eq!(contact("tel:+1555"), Some(("tel", "+1555")));
    }
}
