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
mod http;
mod owner;
mod sign_in;
mod status;
mod words;

use core::cell::RefCell;
use core::fmt::{self, Display};
use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU64;

use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use heapless::String;

use crate::address;
use crate::settings::Settings;
use crate::storage::{Kept, Key};
use crate::worker::Worker;
use block::BlockPage;
use form::Form;
use helplines::{Helpline, OwnHelpline};
use http::{Method, Request, Response};
use owner::{Owner, Refusal};
use sign_in::SignInPage;
use status::{Note, StatusPage};
use words::Words;

/// Connections at once. Browsers come with two, and come again when they are turned away.
pub(crate) const COUNT: usize = 2;
const HTTP_PORT: u16 = 80;
/// How long a connection may take for its request, and how long for reading the page.
const TIME_MAX: Duration = Duration::from_secs(5);
/// The same for a connection that has only half begun, or whose other end is gone.
const IDLE: Duration = Duration::from_secs(5);
/// How long a client may take to confirm that the connection is over.
const FAREWELL: Duration = Duration::from_secs(1);
const OWNERS_PATH: &str = "/gardefou";

/// What pages are made of, besides what the worker knows.
pub(crate) struct Pages {
    owner: RefCell<Owner>,
    country: String<2>,
    own_helpline: Option<OwnHelpline>,
}

impl Pages {
    /// Those of the owner whose PIN was kept.
    pub(crate) fn restore(kept: &Kept, settings: &Settings) -> Pages {
        let (country, own_helpline) = (settings.country.clone(), settings.helpline.clone());
        let owner = RefCell::new(Owner::restore(&kept.get(Key::Pin)));
        Pages { owner, country, own_helpline }
    }

    /// Whoever comes next chooses a PIN.
    pub(crate) fn forget_owner(&self, kept: &Kept) {
        self.owner.replace(Owner::default());
        kept.set(Key::Pin, &[]);
    }

    /// The line the owner has set, else that of the country.
    fn helpline(&self) -> Option<Helpline<'_>> {
        match &self.own_helpline {
            Some(OwnHelpline { number, name }) => {
                Some(Helpline { number, name, hours: "", year: 0 })
            }
            None => helplines::of_country(&self.country),
        }
    }
}

/// Serves one visitor after the other; for ever.
#[embassy_executor::task(pool_size = COUNT)]
pub(crate) async fn serve(worker: &'static Worker) {
    let (mut received, mut sent) = ([0; 512], [0; 1024]);
    let mut socket = TcpSocket::new(worker.stack, &mut received, &mut sent);
    socket.set_timeout(Some(IDLE));
    loop {
        if socket.accept(HTTP_PORT).await.is_ok()
            && let Some(from) = socket.remote_endpoint().map(address::of_endpoint)
            && worker.serves(from.ip())
            && let Some(reply) = (Visit { worker, client: from.ip() }).hear(&mut socket).await
        {
            let _ = with_timeout(TIME_MAX, reply.write(&mut socket)).await;
            socket.close();
            let _ = with_timeout(FAREWELL, socket.flush()).await;
        }
        socket.abort();
        // Until the other end has been told; and where nothing can be sent, not all the time.
        let _ = with_timeout(FAREWELL, socket.flush()).await;
        Timer::after_millis(1).await;
    }
}

/// A visitor.
struct Visit {
    worker: &'static Worker,
    client: IpAddr,
}

#[expect(clippy::large_enum_variant, reason = "there is no heap to put it on")]
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

/// What is answered.
type Reply = Response<Page>;

impl Visit {
    /// What is answered to the request in a stream; `None` when there is none.
    async fn hear(&self, stream: &mut TcpSocket<'_>) -> Option<Reply> {
        let request = with_timeout(TIME_MAX, Request::read(stream)).await.ok()??;
        let reply = self.answer(&request);
        Some(Response { is_head: request.method == Method::Head, ..reply })
    }

    fn answer(&self, request: &Request) -> Reply {
        let words = words::of_visitor(&request.language);
        let is_at_home = is_own_host(&request.host);
        match request.path.strip_prefix(OWNERS_PATH) {
            Some(way) if is_at_home && (way.is_empty() || way.starts_with('/')) => {
                let is_order = request.method == Method::Post && is_from_here(request);
                let order = if is_order { way.trim_start_matches('/') } else { "" };
                self.answer_owner(words, request.token, order, &Form(&request.form))
            }
            _ => {
                let page = Page::Block(self.block_page(words, is_at_home));
                Reply { status: "403 Forbidden", page, token: None, is_head: false }
            }
        }
    }

    fn answer_owner(
        &self,
        words: &'static Words,
        known: Option<NonZeroU64>,
        order: &str,
        form: &Form<'_>,
    ) -> Reply {
        let worker = self.worker;
        let now_ms = Instant::now().as_millis();
        let owner = &mut *worker.pages.owner.borrow_mut();
        let mut token = None;
        if !owner.knows(known, now_ms) {
            let pin = form.field("pin");
            let new = NonZeroU64::new(worker.random()).unwrap_or(NonZeroU64::MAX);
            let entered = match order {
                "choose" => {
                    let salt = core::array::from_fn(|_| worker.random() as u8);
                    owner.choose(&pin, salt).and_then(|kept| {
                        worker.kept.set(Key::Pin, &kept);
                        owner.enter(&pin, new, now_ms)
                    })
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
        let note = self.follow(order, form);
        // Not the time from before: what was allowed since would have more than its hour left.
        let page = Page::Status(self.status_page(words, note, Instant::now().as_millis()));
        Reply { status: "200 OK", page, token, is_head: false }
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
        let card = worker.neighbors.card(self.client);
        let profile = worker.orders.borrow().profile_of(self.client, card, loaded);
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
            unix_s: core.started_s.map(|started_s| started_s + (now_ms / 1000) as i64),
            is_paused: core.pause.is_on(),
            counters: *core.engine.counters(),
            upstreams: core.engine.upstreams(now_ms).take(8).collect(),
            helpline: worker.pages.helpline(),
            now_ms,
            note,
        }
    }
}

fn sign_in(words: &'static Words, has_pin: bool, refusal: Option<Refusal>) -> Reply {
    let page = Page::SignIn(SignInPage { words, has_pin, refusal });
    Reply { status: "200 OK", page, token: None, is_head: false }
}

/// Whether a `Host` header is of the board itself and not of a blocked site.
fn is_own_host(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or_default();
    name.eq_ignore_ascii_case("gardefou.local") || name.parse::<Ipv4Addr>().is_ok()
}

/// Whether a form is from one of our own pages. Browsers say where forms come from.
fn is_from_here(request: &Request) -> bool {
    let origin = &request.origin;
    origin.is_empty() || origin.strip_prefix("http://") == Some(&*request.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_can_be_forgotten() {
        let kept = Kept { storage: RefCell::new(None), notice: |_| () };
        let pages = Pages::restore(&kept, &Settings::default());
        pages.owner.borrow_mut().choose("123456", [7; 32]).unwrap();
        pages.forget_owner(&kept);
        assert!(!pages.owner.borrow().has_pin());
    }

    #[test]
    fn only_addresses_and_our_own_name_are_home() {
        for host in ["10.0.0.2", "127.0.0.1:8080", "gardefou.local", "Gardefou.Local:80"] {
            assert!(is_own_host(host), "{host}");
        }
        for host in ["", "bet.example", "gardefou.local.example", "10.0.0.2.example", "10.1"] {
            assert!(!is_own_host(host), "{host}");
        }
    }
}
