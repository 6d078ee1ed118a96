//! The page before the status page: asks for the PIN, or for one to be chosen.

use core::fmt::{self, Display};

use super::html::{FOOT, Head};
use super::owner::Refusal;
use super::words::Words;

/// What someone who is not known yet is asked.
pub(super) struct SignInPage<'a> {
    pub(super) words: &'a Words,
    /// Whether there is a PIN already.
    pub(super) has_pin: bool,
    /// Why the last one was not taken.
    pub(super) refusal: Option<Refusal>,
}

impl Display for SignInPage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words.sign_in;
        let (way, text, button) = match self.has_pin {
            true => ("enter", "", words.enter),
            false => ("choose", words.choose_text, words.save),
        };
        write!(f, "{}", Head { words: self.words, title: words.title })?;
        if let Some(refusal) = self.refusal {
            let text = match refusal {
                Refusal::Wrong => words.wrong,
                Refusal::Wait => words.wait,
                Refusal::Unfit => words.unfit,
            };
            writeln!(f, "<p role=\"alert\" class=\"bad\">{text}</p>")?;
        }
        if !self.has_pin {
            write!(f, "<h2>{}</h2>\n<p>{text}</p>\n", words.choose)?;
        }
        writeln!(
            f,
            "<form method=\"post\" action=\"/gardefou/{way}\"><label for=\"pin\">{}</label>\
            <input id=\"pin\" name=\"pin\" type=\"password\" inputmode=\"numeric\" \
            minlength=\"6\" maxlength=\"12\" required> \
            <button>{button}</button></form>",
            words.pin
        )?;
        f.write_str(FOOT)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{check, words};
    use super::*;

    #[test]
    fn it_is_small_and_sound_in_every_language() {
        for words in words::ALL {
            for (has_pin, refusal) in [(false, Some(Refusal::Unfit)), (true, None)] {
                let text = std::format!("{}", SignInPage { words, has_pin, refusal });
                check::document(words, &text);
                assert_eq!(text.contains("/gardefou/enter"), has_pin);
            }
        }
    }
}
