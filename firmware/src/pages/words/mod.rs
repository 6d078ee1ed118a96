//! What the pages say, in each language: plain sentences, which blame nobody. Whoever translates
//! changes one file.

mod ar;
mod en;
mod fr;
mod pt;
mod sw;

/// The languages, the usual one first.
pub(super) const ALL: [&Words; 5] = [&en::WORDS, &fr::WORDS, &ar::WORDS, &pt::WORDS, &sw::WORDS];

/// All there is to say.
pub(super) struct Words {
    /// The code of the language (RFC 5646).
    pub(super) code: &'static str,
    /// Which way it is written, as HTML calls it.
    pub(super) direction: &'static str,
    pub(super) block: Block,
    pub(super) sign_in: SignIn,
    pub(super) status: Status,
}

/// For whoever comes to a blocked site.
pub(super) struct Block {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) who: &'static str,
    pub(super) who_text: &'static str,
    /// Before the operator's name.
    pub(super) operator: &'static str,
    pub(super) appeal: &'static str,
    pub(super) appeal_text: &'static str,
    pub(super) talk: &'static str,
    /// Before the number of a helpline.
    pub(super) talk_text: &'static str,
    /// Where none is known.
    pub(super) talk_none: &'static str,
    pub(super) report: &'static str,
    /// Before the address of the portal.
    pub(super) report_text: &'static str,
    /// The way to the status page.
    pub(super) owner: &'static str,
}

/// For an owner who is not known yet.
pub(super) struct SignIn {
    pub(super) title: &'static str,
    pub(super) choose: &'static str,
    pub(super) choose_text: &'static str,
    pub(super) pin: &'static str,
    pub(super) save: &'static str,
    pub(super) enter: &'static str,
    pub(super) wrong: &'static str,
    pub(super) wait: &'static str,
    pub(super) unfit: &'static str,
}

/// For the owner.
pub(super) struct Status {
    pub(super) protected: &'static str,
    /// For some minutes, by the button.
    pub(super) paused: &'static str,
    pub(super) no_list_open: &'static str,
    pub(super) no_list_closed: &'static str,
    pub(super) no_upstream: &'static str,
    pub(super) list: &'static str,
    pub(super) serial: &'static str,
    /// In days.
    pub(super) age: &'static str,
    pub(super) rules: &'static str,
    pub(super) counted: &'static str,
    pub(super) queries: &'static str,
    pub(super) asked: &'static str,
    pub(super) failed: &'static str,
    pub(super) by_law: &'static str,
    pub(super) upstreams: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    pub(super) why: &'static str,
    pub(super) name: &'static str,
    pub(super) look: &'static str,
    pub(super) blocked: &'static str,
    pub(super) allowed: &'static str,
    pub(super) unlisted: &'static str,
    pub(super) no_name: &'static str,
    pub(super) category: &'static str,
    pub(super) rule: &'static str,
    pub(super) allow: &'static str,
    pub(super) allow_hour: &'static str,
    pub(super) too_many: &'static str,
    pub(super) minutes_left: &'static str,
    pub(super) end_now: &'static str,
    pub(super) profile: &'static str,
    pub(super) profile_text: &'static str,
    pub(super) change: &'static str,
    pub(super) helpline: &'static str,
    pub(super) source: &'static str,
    pub(super) sign_out: &'static str,
}

/// Those a visitor reads best, by what the browser says (RFC 9110 section 12.5.4).
pub(super) fn of_visitor(accept_language: &str) -> &'static Words {
    let mut best: (&Words, u16) = (ALL[0], 0);
    for range in accept_language.split(',') {
        let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
        let code = tag.trim().split('-').next().unwrap_or_default();
        let known = ALL.into_iter().find(|words| words.code.eq_ignore_ascii_case(code));
        if let Some(words) = known.filter(|_| self::weight(weight) > best.1) {
            best = (words, self::weight(weight));
        }
    }
    best.0
}

/// A weight such as `q=0.8`, in thousandths; all of them when none is given.
fn weight(text: &str) -> u16 {
    let Some(digits) = text.trim().strip_prefix("q=") else { return 1000 };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = part.bytes().chain(*b"000").take(3);
    let part = part.fold(0, |sum, octet| 10 * sum + u16::from(octet.wrapping_sub(b'0').min(9)));
    if whole == "0" { part } else { 1000 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_says_what_is_read() {
        for (accepted, code) in [
            ("", "en"),
            ("de", "en"),
            ("fr-SN,fr;q=0.9,en;q=0.8", "fr"),
            ("de, ar;q=0.5, pt-BR;q=0.7", "pt"),
            ("SW", "sw"),
            ("en;q=0, ar;q=0.001", "ar"),
            ("en;q=0.85,fr;q=0.9", "fr"),
        ] {
            assert_eq!(of_visitor(accepted).code, code, "{accepted}");
        }
    }
}
