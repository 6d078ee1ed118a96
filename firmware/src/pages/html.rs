//! HTML, made of values that show themselves: takes a [`Display`], gives the octets of a response a
//! window at a time, for a whole page has no place in memory.

use core::fmt::{self, Display, Write as _};

use heapless::Vec;
use picoserve::io::Write;
use picoserve::response::Content;

use super::words::Words;

/// Octets made at once. Making a page takes as many turns as it has windows.
const WINDOW_LEN: usize = 512;

/// Text, with what HTML gives a meaning written otherwise.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            char => f.write_char(char),
        })
    }
}

/// The beginning of a document, up to its heading.
pub(super) struct Head<'a> {
    pub(super) words: &'a Words,
    pub(super) title: &'a str,
}

impl Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { words: Words { code, direction, .. }, title } = self;
        write!(
            f,
            "<!DOCTYPE html>\n<html lang=\"{code}\" dir=\"{direction}\">\n<head>\
            <meta charset=\"utf-8\">\
            <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
            <meta name=\"robots\" content=\"noindex\">\
            <link rel=\"icon\" href=\"data:,\">\
            <title>{title}</title><style>{STYLE}</style></head>\n<body><main>\n\
            <h1>{title}</h1>\n"
        )
    }
}

/// What follows the last words of a document.
pub(super) const FOOT: &str = "</main></body>\n</html>\n";

/// Dark on white, at least 7 to 1; nothing depends on color alone.
const STYLE: &str = "\
    body{margin:0;background:#fff;color:#1a1a1a;font:1.1rem/1.5 system-ui,sans-serif}\
    main{max-width:36rem;margin:0 auto;padding:1rem}\
    h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;margin:1.5rem 0 .25rem}\
    p{margin:.25rem 0}a{color:#003f87}\
    .good,.bad{padding:.75rem;border:3px solid;font-weight:bold}.good{color:#0a4d1c}.bad{color:#8a0f0f}\
    table{border-collapse:collapse}th,td{padding:.15rem .75rem .15rem 0;text-align:start;font-weight:normal}\
    label{display:block}input,select,button{font:inherit;padding:.5rem;margin:.25rem 0;max-width:100%;box-sizing:border-box}\
    button{background:#003f87;color:#fff;border:0}";

/// A page as the body of a response.
pub(super) struct Document<'a, P>(pub(super) &'a P);

impl<P: Display> Content for Document<'_, P> {
    fn content_type(&self) -> &'static str {
        "text/html; charset=utf-8"
    }

    fn content_length(&self) -> usize {
        let mut len = Length(0);
        // A length takes everything.
        let _ = write!(len, "{}", self.0);
        len.0
    }

    async fn write_content<W: Write>(self, mut writer: W) -> Result<(), W::Error> {
        let mut written = 0;
        // Ends because a page does.
        loop {
            let window = Window::of(self.0, written);
            if window.is_empty() {
                return Ok(());
            }
            writer.write_all(&window).await?;
            written += window.len();
        }
    }
}

struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// A part of a page.
struct Window {
    /// What is before it and still to come.
    before: usize,
    octets: Vec<u8, WINDOW_LEN>,
}

impl Window {
    fn of(page: &impl Display, before: usize) -> Vec<u8, WINDOW_LEN> {
        let mut window = Window { before, octets: Vec::new() };
        // Ends early where the window is full.
        let _ = write!(window, "{page}");
        window.octets
    }
}

impl fmt::Write for Window {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let skipped = self.before.min(text.len());
        self.before -= skipped;
        let rest = text.as_bytes().get(skipped..).unwrap_or_default();
        let room = self.octets.capacity() - self.octets.len();
        let fitting = rest.get(..room).unwrap_or(rest);
        // It fits.
        let _ = self.octets.extend_from_slice(fitting);
        if fitting.len() < rest.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_put_together_are_the_page() {
        for len in [0, 1, 511, 512, 513, 5000] {
            let page = std::string::String::from_iter(
                (0..len).map(|at: u32| char::from(b'a' + (at % 23) as u8)),
            );
            let mut seen = std::vec::Vec::new();
            loop {
                let window = Window::of(&page, seen.len());
                if window.is_empty() {
                    break;
                }
                seen.extend_from_slice(&window);
            }
            assert_eq!(seen, page.as_bytes());
            assert_eq!(Document(&page).content_length(), page.len());
        }
    }

    #[test]
    fn nothing_gets_out_of_a_text() {
        let text = std::format!("{}", Escaped("<b a='1' c=\"2\">&</b>"));
        assert_eq!(text, "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;&lt;/b&gt;");
    }
}
