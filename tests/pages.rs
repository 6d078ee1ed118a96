//! The pages of the firmware on a real QEMU, over a real network, with curl and in a real Chromium.
//! Wants qemu-system-arm and curl, without which all of this is left out; without Chromium, what it
//! sees is.
#![cfg(target_os = "linux")]

#[allow(unreachable_pub, reason = "a part of this runner")]
#[path = "common/board.rs"]
mod board;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, unreachable_pub, reason = "a part of this runner")]
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use board::Board;
use filter_core::compile::{Compiler, ListInfo};
use filter_core::policy::{BlockAnswer, Policy, PolicyBuilder};
use filter_core::{Action, CategorySet, Scope};
use server::{Place, is_installed, upstream};
use tempfile::TempDir;

const GAMBLING: CategorySet = CategorySet::of(20);
/// The longest page, without the head of its response.
const PAGE_LEN_MAX: usize = 8192;
/// What the emulated network gives the board.
const BOARD: &str = "10.0.2.15";

/// Boots a board on which `casino.example` leads to the page for everyone but staff.
fn boot() -> Option<Board> {
    if !is_installed("qemu-system-arm") || !is_installed("curl") || !is_installed("dig") {
        return None;
    }
    let mut compiler = Compiler::new(2026);
    compiler.category(20, "gambling").unwrap();
    let list = compiler.list(ListInfo::new("demo", GAMBLING)).unwrap();
    compiler.rule(&"casino.example".parse().unwrap(), Scope::Subtree, Action::Block, list).unwrap();
    let mut everyone = Policy::new(GAMBLING);
    everyone.set_answer(GAMBLING, BlockAnswer::Page);
    everyone.set_contact("mailto:direction@ecole.example");
    let mut builder = PolicyBuilder::new();
    builder.profile("everyone", everyone).unwrap();
    builder.profile("staff", Policy::new(CategorySet::EMPTY)).unwrap();
    compiler.policy(builder.finish().unwrap());
    let place = Place::new(&[]);
    fs::write(place.path("x.gfi"), compiler.finish().unwrap().octets).unwrap();
    let arguments = ["--upstream", &upstream(), "--operator", "School & Co", "--country", "KE"];
    Some(Board::boot(place, &arguments))
}

/// A response: what curl was told of it, and its page.
fn curl(board: &Board, path: &str, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new("curl");
    command.args(["-s", "-i", "--max-time", "10"]).args(arguments);
    command.arg(format!("http://{}{path}", board.pages));
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let (head, page) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {text}"));
    (head.to_owned(), page.to_owned())
}

#[test]
fn a_blocked_site_leads_to_a_page_in_the_language_of_the_visitor() {
    let Some(board) = boot() else { return };
    assert_eq!(board.dig(&["www.casino.example", "+short"]).trim(), BOARD);
    // What browsers send to a site they know well.
    let cookies = format!("Cookie: session={}", "x".repeat(6000));
    let path = format!("/{}", "path/".repeat(800));
    for (accepted, lang, heading) in [
        ("fr-SN,fr;q=0.9", "lang=\"fr\" dir=\"ltr\"", "Ce site n’est pas affiché ici"),
        ("en-KE", "lang=\"en\" dir=\"ltr\"", "This site is not shown here"),
        ("ar", "lang=\"ar\" dir=\"rtl\"", "لا يُعرض هذا الموقع هنا"),
        ("pt-MZ", "lang=\"pt\" dir=\"ltr\"", "Este site não é mostrado aqui"),
        ("sw", "lang=\"sw\" dir=\"ltr\"", "Tovuti hii haionyeshwi hapa"),
    ] {
        let language = format!("Accept-Language: {accepted}");
        let headers = ["-H", "Host: www.casino.example", "-H", &language, "-H", &cookies];
        let (head, page) = curl(&board, &path, &headers);
        assert!(head.starts_with("HTTP/1.1 403 ") && head.contains("no-store"), "{head}");
        assert!(page.contains(lang) && page.contains(&format!("<h1>{heading}</h1>")), "{page}");
        assert!(page.contains("School &amp; Co") && page.contains("tel:116"), "{page}");
        assert!(page.contains("mailto:direction@ecole.example"), "{page}");
        for unsaid in ["casino", "path/", "gambling"] {
            assert!(!page.contains(unsaid), "{unsaid}: {page}");
        }
        assert!(page.len() < PAGE_LEN_MAX && page.ends_with("</html>\n"), "{} octets", page.len());
    }
    // The owner's pages are not there for a site, even when it has our address.
    let (_, page) = curl(&board, "/gardefou", &["-H", "Host: www.casino.example"]);
    assert!(!page.contains("<form"), "{page}");
    let (head, page) = curl(&board, "/", &["--head"]);
    assert!(head.starts_with("HTTP/1.1 403 ") && page.is_empty(), "{head}{page}");
}

#[test]
fn the_owner_allows_a_site_for_an_hour() {
    let Some(board) = boot() else { return };
    let folder = TempDir::new().unwrap();
    let jar = folder.path().join("cookies");
    let jar = jar.to_str().unwrap();
    let as_owner = |path: &str, form: &str| {
        let arguments = ["-b", jar, "-c", jar, "-d", form];
        curl(&board, path, if form.is_empty() { &arguments[..4] } else { &arguments })
    };
    let stranger = |path: &str, form: &str| curl(&board, path, &["-d", form]).1;
    let address = || board.dig(&["www.casino.example", "+short"]).trim().to_owned();

    assert!(as_owner("/gardefou", "").1.contains("action=\"/gardefou/choose\""));
    assert!(as_owner("/gardefou/choose", "pin=1234").1.contains("six to twelve digits"));
    let foreign = ["-d", "pin=123456", "-H", "Origin: http://evil.example"];
    let (head, _) = curl(&board, "/gardefou/choose", &foreign);
    assert!(!head.contains("Set-Cookie"), "{head}");
    let (head, page) = as_owner("/gardefou/choose", "pin=123456");
    assert!(head.contains("HttpOnly; SameSite=Strict"), "{head}");
    assert!(page.contains("This place is protected") && page.contains("2026"), "{page}");

    assert_eq!(address(), BOARD);
    assert!(stranger("/gardefou/allow", "name=casino.example").contains("/gardefou/enter"));
    assert_eq!(address(), BOARD);
    let (_, page) = as_owner("/gardefou/why", "name=https%3A%2F%2FWWW.casino.example%2Fa");
    assert!(page.contains("<bdi>www.casino.example</bdi></b> is blocked"), "{page}");
    assert!(page.contains("<bdi>gambling</bdi>") && page.len() < PAGE_LEN_MAX, "{page}");
    let (_, page) = as_owner("/gardefou/allow", "name=casino.example");
    assert!(page.contains("is allowed") && page.contains("60 minutes left"), "{page}");
    assert_eq!(address(), "192.0.2.1", "of the upstream");
    let (_, page) = as_owner("/gardefou/end", "name=casino.example");
    assert!(page.contains("is blocked") && !page.contains("minutes left"), "{page}");
    assert_eq!(address(), BOARD);

    as_owner("/gardefou/profile", "profile=1");
    assert_eq!(address(), "192.0.2.1", "staff may");
    as_owner("/gardefou/profile", "profile=9");
    assert_eq!(address(), "192.0.2.1", "there is no such profile");
    as_owner("/gardefou/profile", "profile=0");
    assert_eq!(address(), BOARD);

    as_owner("/gardefou/leave", "a=b");
    assert!(as_owner("/gardefou", "").1.contains("/gardefou/enter"));
    for _ in 0..5 {
        assert!(stranger("/gardefou/enter", "pin=000000").contains("This is not the PIN."));
    }
    assert!(stranger("/gardefou/enter", "pin=123456").contains("Too many tries."));
}

#[test]
fn who_says_nothing_does_not_keep_others_out_for_long() {
    let Some(board) = boot() else { return };
    let silent = [0; 4].map(|_| TcpStream::connect(board.pages).unwrap());
    (&silent[0]).write_all(b"GET / HTTP/1.1\r\nHost: half").unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    let is_served = || {
        let mut stream = TcpStream::connect(board.pages).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut text = String::new();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").is_ok()
            && stream.read_to_string(&mut text).is_ok()
            && text.ends_with("</html>\n")
    };
    while !is_served() {
        assert!(Instant::now() < end, "nobody is served any more");
    }
    assert!(board.dig(&["school.example", "+short"]).contains("192.0.2.1"));
}

#[test]
fn a_browser_shows_the_pages() {
    let Some(board) = boot() else { return };
    if !is_installed("chromium") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let home = format!("http://{}", board.pages);
    for (path, heading) in [("/", "This site is not shown here"), ("/gardefou", "Choose a PIN")] {
        let url = format!("{home}{path}");
        let dom = chromium(folder.path(), &["--dump-dom", &url]);
        assert!(dom.contains(heading), "{dom}");
        for size in ["360,740", "1280,800"] {
            let picture = folder.path().join("page.png");
            let shot = format!("--screenshot={}", picture.display());
            chromium(folder.path(), &[&shot, &format!("--window-size={size}"), &url]);
            let picture = fs::read(&picture).unwrap();
            assert!(picture.starts_with(b"\x89PNG"));
            // One that is blank takes less than a sixth of that.
            assert!(picture.len() > 12_000, "{path} at {size}: {} octets", picture.len());
        }
    }
}

/// What Chromium says of a page.
fn chromium(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.args(["60", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu"]);
    command.args(["--hide-scrollbars", "--no-first-run", "--lang=en"]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display())).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
