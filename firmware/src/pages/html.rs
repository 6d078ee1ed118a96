//! What all pages are made of.

use core::fmt::{self, Display, Write as _};

use super::words::Words;

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
    h1{font-size:1.5rem}h2{font-size:1.15rem;margin:1.5rem 0 .25rem}\
    p{margin:.25rem 0}a{color:#003f87}\
    .good,.bad{padding:.75rem;border:3px solid;font-weight:bold}.good{color:#0a4d1c}.bad{color:#8a0f0f}\
    table{border-collapse:collapse}th,td{padding:.15rem .75rem .15rem 0;text-align:start;font-weight:normal}\
    label{display:block}input,select,button{font:inherit;padding:.5rem;margin:.25rem 0;max-width:100%;box-sizing:border-box}\
    button{background:#003f87;color:#fff;border:0}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_text() {
        let text = std::format!("{}", Escaped("<b a='1' c=\"2\">&</b>"));
        assert_eq!(text, "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;&lt;/b&gt;");
    }
}
