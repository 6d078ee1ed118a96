//! The pages, over HTTP at port 80 of the board: one in the place of each blocked site, and those of
//! the owner.
//!
//! ```text
//! request ──┬─ of another host ─────────────► block page
//!           └─ /gardefou ─┬─ not signed in ─► sign-in page ◄─► Owner
//!                         └─ signed in ─────► status page  ◄─► Orders
//! ```
//!
//! The owner's pages are there for hosts that are an address or `gardefou.local` only, and forms are
//! taken only from themselves: no site can have a name of its own lead here and then act in a
//! visitor's browser. There is no record of who came here and what for.

mod block;
#[cfg(test)]
mod check;
mod form;
pub(crate) mod helplines;
mod html;
mod owner;
mod sign_in;
mod status;
mod words;

use core::cell::RefCell;
use core::fmt::{self, Display, LowerHex, Write as _};
use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU128;

use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use heapless::String;
use picoserve::io::Read;
use picoserve::request::{Headers, Path, Request, RequestParts};
use picoserve::response::{Response, ResponseWriter, StatusCode};
use picoserve::routing::PathRouterService;
use picoserve::{Config, ResponseSent, Router, Server, Timeouts};

use crate::address;
use crate::settings::Settings;
use crate::worker::Worker;
use block::BlockPage;
use form::Form;
use helplines::{Helpline, OwnHelpline};
use html::Document;
use owner::Owner;
use sign_in::SignInPage;
use status::{Note, StatusPage};
use words::Words;

/// Connections at once. Browsers come with two, and come again when they are turned away.
pub(crate) const COUNT: usize = 2;
const HTTP_PORT: u16 = 80;
/// Octets of the longest request. Longer ones are turned down.
const REQUEST_LEN_MAX: usize = 2048;
/// How long a connection may take for its request, and for reading what is written.
const CONFIG: Config = Config::new(Timeouts {
    start_read_request: Duration::from_secs(3),
    persistent_start_read_request: Duration::from_secs(1),
    read_request: Duration::from_secs(3),
    write: Duration::from_secs(5),
});
/// The same for a connection that has only half begun, or whose other end is gone.
const IDLE: Duration = Duration::from_secs(5);
/// How long a client may take to confirm that the connection is over.
const FAREWELL: Duration = Duration::from_secs(1);
const OWNERS_PATH: &str = "/gardefou";
const COOKIE: &str = "gardefou";

/// What pages are made of, besides what the worker knows.
pub(crate) struct Pages {
    owner: RefCell<Owner>,
    country: String<2>,
    own_helpline: Option<OwnHelpline>,
}

impl Pages {
    pub(crate) fn new(settings: &Settings) -> Pages {
        let (country, own_helpline) = (settings.country.clone(), settings.helpline.clone());
        Pages { owner: RefCell::default(), country, own_helpline }
    }

    /// The line the owner has set, else that of the country.
    fn helpline(&self) -> Option<Helpline<'_>> {
        match &self.own_helpline {
            Some(OwnHelpline { number, name }) => {
                Some(Helpline { number, name, hours: "", source: "", source_date: "" })
            }
            None => helplines::of_country(&self.country),
        }
    }
}

/// Serves one visitor after the other; for ever.
#[embassy_executor::task(pool_size = COUNT)]
pub(crate) async fn serve(worker: &'static Worker) {
    let (mut received, mut sent) = ([0; 1024], [0; 1024]);
    let mut request = [0; REQUEST_LEN_MAX];
    loop {
        let mut socket = TcpSocket::new(worker.stack, &mut received, &mut sent);
        socket.set_timeout(Some(IDLE));
        let is_accepted = socket.accept(HTTP_PORT).await.is_ok();
        match socket.remote_endpoint().map(|from| address::of_endpoint(from).ip()) {
            Some(client) if is_accepted && worker.serves(client) => {
                let app = Router::from_service(Visit { worker, client });
                // What goes wrong here is over with the connection.
                let _ = Server::new(&app, &CONFIG, &mut request).serve(socket).await;
            }
            _ => {
                socket.abort();
                let _ = with_timeout(FAREWELL, socket.flush()).await;
            }
        }
        Timer::after_millis(1).await;
    }
}

/// A connection.
struct Visit {
    worker: &'static Worker,
    client: IpAddr,
}

/// What is answered.
struct Reply {
    status: StatusCode,
    page: Page,
    /// The token of whoever is signed in from now on, or zero for nobody.
    token: Option<u128>,
}

enum Page {
    Block(BlockPage<'static>),
    SignIn(SignInPage<'static>),
    Status(StatusPage<'static>),
}

impl Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Page::Block(page) => page.fmt(f),
            Page::SignIn(page) => page.fmt(f),
            Page::Status(page) => page.fmt(f),
        }
    }
}

/// Nothing is kept, nothing comes from elsewhere, nothing goes elsewhere.
const HEADERS: [(&str, &str); 4] = [
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; \
        frame-ancestors 'none'; base-uri 'none'",
    ),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
];

impl PathRouterService for Visit {
    async fn call_path_router_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        (): &(),
        (): (),
        _path: Path<'_>,
        request: Request<'_, R>,
        response_writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let Request { parts, mut body_connection } = request;
        // A form that does not fit says nothing.
        let form = body_connection.body().read_all().await.unwrap_or_default();
        let reply = self.answer(&parts, &Form(form));
        let connection = body_connection.finalize().await?;
        let cookie = reply.token.map(|token| ("Set-Cookie", Cookie(token)));
        if parts.method() == "HEAD" {
            return response_writer.write_response(connection, Response::empty(reply.status)).await;
        }
        let response = Response::new(reply.status, Document(&reply.page));
        let response = response.with_headers(HEADERS).with_headers(cookie);
        response_writer.write_response(connection, response).await
    }
}

impl Visit {
    fn answer(&self, parts: &RequestParts<'_>, form: &Form<'_>) -> Reply {
        let headers = parts.headers();
        let words = words::of_visitor(header(headers, "accept-language"));
        let is_at_home = is_own_host(header(headers, "host"));
        let path = parts.path().encoded();
        match path.strip_prefix(OWNERS_PATH) {
            Some(way) if is_at_home && (way.is_empty() || way.starts_with('/')) => {
                let is_order = parts.method() == "POST" && is_from_here(headers);
                let order = if is_order { way.trim_start_matches('/') } else { "" };
                self.answer_owner(words, token(header(headers, "cookie")), order, form)
            }
            _ => {
                let page = Page::Block(self.block_page(words, is_at_home));
                Reply { status: StatusCode::FORBIDDEN, page, token: None }
            }
        }
    }

    fn answer_owner(
        &self,
        words: &'static Words,
        known: Option<NonZeroU128>,
        order: &str,
        form: &Form<'_>,
    ) -> Reply {
        let worker = self.worker;
        let now_ms = Instant::now().as_millis();
        let owner = &mut *worker.pages.owner.borrow_mut();
        let mut token = None;
        if !owner.knows(known, now_ms) {
            let pin = form.field("pin");
            let new = NonZeroU128::new(worker.random_u128()).unwrap_or(NonZeroU128::MAX);
            let entered = match order {
                "choose" => {
                    let salt = core::array::from_fn(|_| worker.random() as u8);
                    owner.choose(&pin, salt).and_then(|()| owner.enter(&pin, new, now_ms))
                }
                "enter" => owner.enter(&pin, new, now_ms),
                _ => return sign_in(words, owner.has_pin(), None),
            };
            if let Err(refusal) = entered {
                return sign_in(words, owner.has_pin(), Some(refusal));
            }
            token = Some(new.get());
        }
        if order == "leave" {
            owner.leave();
            return Reply { token: Some(0), ..sign_in(words, true, None) };
        }
        let page = Page::Status(self.status_page(words, self.follow(order, form), now_ms));
        Reply { status: StatusCode::OK, page, token }
    }

    /// Does what the owner says.
    fn follow(&self, order: &str, form: &Form<'_>) -> Note {
        let worker = self.worker;
        if order == "profile" {
            form.field("profile").parse().into_iter().for_each(|it| worker.set_usual_profile(it));
        }
        if !matches!(order, "why" | "allow" | "end") {
            return Note::None;
        }
        let Some(name) = form.site() else { return Note::NoName };
        match order {
            "allow" if !worker.allow(&name) => return Note::TooMany,
            "end" => worker.end(&name),
            _ => {}
        }
        let (loaded, now_ms) = (worker.core.borrow().loaded, Instant::now().as_millis());
        Note::Explained(worker.orders.borrow().explain(name, loaded, now_ms))
    }

    fn block_page(&self, words: &'static Words, is_at_home: bool) -> BlockPage<'static> {
        let worker = self.worker;
        let loaded = worker.core.borrow().loaded;
        let profile = worker.orders.borrow().profile_of(self.client, loaded);
        let policies = loaded.policies.borrow();
        let policy = policies.get(usize::from(profile));
        let (operator, contact) =
            policy.map_or(("", ""), |policy| (policy.operator(), policy.contact()));
        // Both are of the same capacity as in a policy.
        let operator = operator.try_into().unwrap_or_default();
        let contact = contact.try_into().unwrap_or_default();
        let helpline = worker.pages.helpline();
        BlockPage { words, operator, contact, helpline, is_at_home }
    }

    fn status_page(&self, words: &'static Words, note: Note, now_ms: u64) -> StatusPage<'static> {
        let worker = self.worker;
        let core = worker.core.borrow();
        StatusPage {
            words,
            loaded: core.loaded,
            orders: &worker.orders,
            counters: *core.engine.counters(),
            upstreams: core.engine.upstreams(now_ms).take(8).collect(),
            helpline: worker.pages.helpline(),
            now_ms,
            note,
        }
    }
}

fn sign_in(words: &'static Words, has_pin: bool, refusal: Option<owner::Refusal>) -> Reply {
    let page = Page::SignIn(SignInPage { words, has_pin, refusal });
    Reply { status: StatusCode::OK, page, token: None }
}

/// The cookie with a token. A token of zero takes it away.
struct Cookie(u128);

impl Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(COOKIE)?;
        f.write_char('=')?;
        LowerHex::fmt(&self.0, f)?;
        write!(f, "; Path={OWNERS_PATH}; HttpOnly; SameSite=Strict")?;
        if self.0 == 0 { f.write_str("; Max-Age=0") } else { Ok(()) }
    }
}

/// The token in a `Cookie` header.
fn token(cookies: &str) -> Option<NonZeroU128> {
    let mut cookies = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    let (_, token) = cookies.find(|(name, _)| *name == COOKIE)?;
    u128::from_str_radix(token, 16).ok().and_then(NonZeroU128::new)
}

/// A header; empty when it is not there.
fn header<'a>(headers: Headers<'a>, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.as_str().ok()).unwrap_or_default()
}

/// Whether a `Host` header is of the board itself and not of a blocked site.
fn is_own_host(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or_default();
    name.eq_ignore_ascii_case("gardefou.local") || name.parse::<Ipv4Addr>().is_ok()
}

/// Whether a form is from one of our own pages. Browsers say where forms come from.
fn is_from_here(headers: Headers<'_>) -> bool {
    let (origin, host) = (header(headers, "origin"), header(headers, "host"));
    origin.is_empty() || origin.strip_prefix("http://") == Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_our_own_name_are_home() {
        for host in ["10.0.0.2", "127.0.0.1:8080", "gardefou.local", "Gardefou.Local:80"] {
            assert!(is_own_host(host), "{host}");
        }
        for host in ["", "bet.example", "gardefou.local.example", "10.0.0.2.example", "10.1"] {
            assert!(!is_own_host(host), "{host}");
        }
    }

    #[test]
    fn cookies_come_back_as_tokens() {
        let cookie = std::format!("{}", Cookie(0xABC));
        assert_eq!(cookie, "gardefou=abc; Path=/gardefou; HttpOnly; SameSite=Strict");
        assert_eq!(token("a=b; gardefou=abc;c"), NonZeroU128::new(0xABC));
        for none in ["", "gardefou", "gardefou=", "gardefou=0", "gardefou=xyz", "x=1"] {
            assert_eq!(token(none), None, "{none}");
        }
    }
}
