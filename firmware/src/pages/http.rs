//! HTTP/1.1 as far as pages need it (RFC 9112): takes a stream, gives a [`Request`], and writes a page
//! as the response, after which the connection ends.
//!
//! A visitor's browser sends to us what is meant for a blocked site: its long addresses and all its
//! cookies. Of those nothing is kept; lines that are too long lose their end, and not the visitor
//! the page. Pages are made a window at a time, for a whole one has no place in memory.

use core::fmt::{self, Display, Write as _};
use core::num::NonZeroU64;

use embedded_io_async::{Read, Write};
use heapless::{String, Vec};

/// Octets that are kept of a line, and of a form.
const LINE_LEN_MAX: usize = 256;
const FORM_LEN_MAX: usize = 300;
/// Octets of the longest head of a request.
const HEAD_LEN_MAX: usize = 32 << 10;
/// Octets read, or made, at once. Making a page takes as many turns as it has windows.
const WINDOW_LEN: usize = 512;
const COOKIE: &str = "gardefou";

/// What is read of a request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: Method,
    /// The beginning of the path, if it is a short one; else nothing.
    pub(super) path: String<32>,
    pub(super) host: String<32>,
    /// Who sends the form, as the browser says.
    pub(super) origin: String<48>,
    /// The languages the visitor reads.
    pub(super) language: String<96>,
    /// The token of whoever is signed in.
    pub(super) token: Option<NonZeroU64>,
    /// The body; nothing when it is too long.
    pub(super) form: Vec<u8, FORM_LEN_MAX>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Method {
    /// Whatever else, which is taken for this.
    #[default]
    Get,
    Head,
    Post,
}

impl Request {
    /// Reads a request; `None` when it is none.
    pub(super) async fn read(stream: &mut impl Read) -> Option<Request> {
        let (mut request, mut line) = (Request::default(), Vec::<u8, LINE_LEN_MAX>::new());
        let (mut is_first, mut body_len, mut head_len) = (true, 0, 0);
        let mut buffer = [0; 128];
        loop {
            let len = stream.read(&mut buffer).await.ok().filter(|&len| len > 0)?;
            let mut octets = buffer.get(..len)?;
            head_len += len;
            while let Some((&octet, rest)) = octets.split_first() {
                octets = rest;
                if octet != b'\n' {
                    // What does not fit is left out.
                    let _ = line.push(octet);
                    continue;
                }
                let text = str::from_utf8(&line).unwrap_or_default().trim_end();
                if is_first {
                    request.take_first_line(text)?;
                } else if line.trim_ascii().is_empty() {
                    request.read_form(stream, octets, body_len).await;
                    return Some(request);
                } else if let Some((name, value)) = text.split_once(':') {
                    request.take_header(name, value.trim(), &mut body_len);
                }
                is_first = false;
                line.clear();
            }
            if head_len > HEAD_LEN_MAX {
                return None;
            }
        }
    }

    fn take_first_line(&mut self, line: &str) -> Option<()> {
        let (method, rest) = line.split_once(' ')?;
        self.method = match method {
            "POST" => Method::Post,
            "HEAD" => Method::Head,
            _ => Method::Get,
        };
        let path = rest.split([' ', '?']).next().filter(|path| path.starts_with('/'))?;
        self.path = path.try_into().unwrap_or_default();
        Some(())
    }

    fn take_header(&mut self, name: &str, value: &str, body_len: &mut usize) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("host") {
            self.host = value.try_into().unwrap_or_default();
        } else if is("origin") {
            // One that is too long is not ours.
            self.origin =
                value.try_into().unwrap_or_else(|_| String::try_from("-").unwrap_or_default());
        } else if is("accept-language") {
            self.language = cut(value).try_into().unwrap_or_default();
        } else if is("cookie") {
            self.token = self.token.or(token(value));
        } else if is("content-length") {
            *body_len = value.parse().unwrap_or(0);
        }
    }

    /// Reads the body, of which the beginning may have come already.
    async fn read_form(&mut self, stream: &mut impl Read, begun: &[u8], len: usize) {
        let begun = begun.get(..len).unwrap_or(begun);
        let fits = self.form.resize(len, 0).is_ok() && begun.len() <= len;
        let rest = self.form.split_at_mut_checked(begun.len()).filter(|_| fits);
        let Some((place, rest)) = rest else { return };
        place.copy_from_slice(begun);
        if stream.read_exact(rest).await.is_err() {
            self.form.clear();
        }
    }
}

/// As many octets of the languages as are kept.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(96)).unwrap_or_default()
}

/// The token in a `Cookie` header.
fn token(cookies: &str) -> Option<NonZeroU64> {
    let mut cookies = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    let (_, token) = cookies.find(|(name, _)| *name == COOKIE)?;
    u64::from_str_radix(token, 16).ok().and_then(NonZeroU64::new)
}

/// A page as a response.
pub(super) struct Response<P> {
    /// The code, and what it means.
    pub(super) status: &'static str,
    pub(super) page: P,
    /// The token of whoever is signed in from now on, or zero for nobody.
    pub(super) token: Option<u64>,
    /// Whether the page itself is left out.
    pub(super) is_head: bool,
}

/// Nothing is kept, nothing comes from elsewhere, nothing goes elsewhere.
const HEADERS: &str = "Content-Type: text/html; charset=utf-8\r\n\
    Connection: close\r\n\
    Cache-Control: no-store\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'\r\n\
    Referrer-Policy: same-origin\r\n\
    X-Content-Type-Options: nosniff\r\n";

impl<P: Display> Response<P> {
    /// Writes all of it; `None` when it is not read.
    pub(super) async fn write(&self, stream: &mut impl Write) -> Option<()> {
        let (mut len, mut written) = (Length(0), 0);
        // A length takes everything.
        let _ = write!(len, "{}", self.page);
        // Ends because a page does.
        loop {
            let window = Window::of(&format_args!("{}", Whole(self, len.0)), written);
            if window.is_empty() {
                return stream.flush().await.ok();
            }
            stream.write_all(&window).await.ok()?;
            written += window.len();
        }
    }
}

/// A response with the length of its page.
struct Whole<'a, P>(&'a Response<P>, usize);

impl<P: Display> Display for Whole<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Whole(Response { status, page, token, is_head }, len) = self;
        write!(f, "HTTP/1.1 {status}\r\n{HEADERS}Content-Length: {len}\r\n")?;
        if let Some(token) = token {
            let end = if *token == 0 { "; Max-Age=0" } else { "" };
            write!(f, "Set-Cookie: {COOKIE}={token:x}; Path=/gardefou; HttpOnly; SameSite=Strict")?;
            write!(f, "{end}\r\n")?;
        }
        f.write_str("\r\n")?;
        if *is_head { Ok(()) } else { page.fmt(f) }
    }
}

struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// A part of a text.
struct Window {
    /// What is before it and still to come.
    before: usize,
    octets: Vec<u8, WINDOW_LEN>,
}

impl Window {
    fn of(text: &dyn Display, before: usize) -> Vec<u8, WINDOW_LEN> {
        let mut window = Window { before, octets: Vec::new() };
        // Ends early where the window is full.
        let _ = write!(window, "{text}");
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
    use embassy_futures::block_on;

    use super::*;

    fn read(text: &[u8]) -> Option<Request> {
        block_on(Request::read(&mut &text[..]))
    }

    fn written(response: &Response<impl Display>) -> std::string::String {
        let mut octets = [0; 16_384];
        let mut rest = &mut octets[..];
        block_on(response.write(&mut rest)).unwrap();
        let len = 16_384 - rest.len();
        std::string::String::from_utf8(octets[..len].to_vec()).unwrap()
    }

    #[test]
    fn a_request_is_read_whatever_else_is_in_it() {
        let long = "x".repeat(9000);
        let text = std::format!(
            "POST /gardefou/why?a HTTP/1.1\r\nHOST: 10.0.0.2:80\r\nX: {long}\r\nno header\r\n\
            Origin: http://10.0.0.2:80\r\nAccept-Language: fr\r\nCookie: a=b; gardefou=abc;c\r\n\
            Content-Length: 6\r\n\r\nname=arest"
        );
        let request = read(text.as_bytes()).unwrap();
        assert_eq!((request.method, &*request.path), (Method::Post, "/gardefou/why"));
        assert_eq!((&*request.host, &*request.origin), ("10.0.0.2:80", "http://10.0.0.2:80"));
        assert_eq!((&*request.language, &*request.form), ("fr", &b"name=a"[..]));
        assert_eq!(request.token, NonZeroU64::new(0xABC));
        let blocked = std::format!("GET /{long} HTTP/1.1\r\nCookie: {long}\r\n\r\n");
        let request = read(blocked.as_bytes()).unwrap();
        assert_eq!((&*request.path, request.token), ("", None));
    }

    #[test]
    fn nonsense_is_no_request_and_its_body_no_form() {
        for none in [&b""[..], b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a", b"\x16\x03\x01\n\n"] {
            assert!(read(none).is_none(), "{none:?}");
        }
        assert!(
            read(std::format!("GET / HTTP/1.1\r\n{}", "a:b\n".repeat(20_000)).as_bytes()).is_none()
        );
        for len in ["999999999999999999999", "18446744073709551615", "301", "-1", "9"] {
            let text = std::format!("POST / HTTP/1.1\r\nContent-Length: {len}\r\n\r\nshort");
            assert!(read(text.as_bytes()).unwrap().form.is_empty(), "{len}");
        }
    }

    #[test]
    fn a_page_is_written_whole() {
        for len in [0, 1, 511, 512, 513, 5000] {
            let page: std::string::String =
                (0..len).map(|at: u32| char::from(b'a' + (at % 23) as u8)).collect();
            let (status, token) = ("200 OK", Some(0xABC));
            let response = Response { status, page: &*page, token, is_head: false };
            let text = written(&response);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(body, page);
            assert!(head.contains(&std::format!("Content-Length: {len}\r\n")), "{head}");
            assert!(
                head.contains("Set-Cookie: gardefou=abc; Path=/gardefou; HttpOnly; "),
                "{head}"
            );
            let head = written(&Response { is_head: true, token: None, ..response });
            assert!(head.ends_with("\r\n\r\n") && !head.contains("Set-Cookie"));
        }
    }
}
