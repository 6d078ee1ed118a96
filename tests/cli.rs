//! The real binary, as a person or a script runs it: output, exit codes, JSON, and what is left
//! behind when something is wrong.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own, with a cache of its own, to run the binary in.
struct Place {
    folder: TempDir,
}

/// What a run left.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Place {
        Place { folder: TempDir::new().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gardefou"))
            .args(arguments)
            .current_dir(self.path())
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .env("LANG", "C")
            .env_remove("LC_ALL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The child may end without reading: that is its business.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().expect("ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs what must succeed.
    fn ok(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    /// Runs what must end with exit code 2, a text that holds all of `words`, and no panic.
    fn error(&self, arguments: &[&str], words: &[&str]) {
        let run = self.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}\n{}\n{}", run.stdout, run.stderr);
        for word in words {
            assert!(run.stderr.contains(word), "{arguments:?}: no `{word}` in\n{}", run.stderr);
        }
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }

    fn verdicts(&self, image: &str, names: &[&str]) -> String {
        let run = self.run_with(&["check", "--image", image, "-"], &names.join("\n"));
        assert!(run.code < 2, "{}", run.stderr);
        run.stdout.lines().map(|line| line.split('\t').next().unwrap().to_string() + " ").collect()
    }

    /// The names of the files here, without the cache.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut files: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "cache")
            .collect();
        files.sort();
        files
    }
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}\n{}", run.stdout))
}

#[test]
fn the_embedded_default_builds_and_answers() {
    let place = Place::new();
    let built = place.ok(&["build"]);
    assert!(built.stdout.contains("gardefou.gfi"), "{}", built.stdout);
    assert_eq!(place.files(), ["gardefou.gfi", "gardefou.gfi.why"]);
    let names = ["www.pokerstars.com", "essex.gov.uk", "www.unicef.org"];
    let run = place.run(&[&["check"], names.as_slice()].concat());
    assert_eq!(run.code, 1);
    let lines: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert!(lines.iter().all(|fields| fields.len() == 5), "{}", run.stdout);
    assert_eq!(lines[0], ["block", names[0], "gambling", "suffix:pokerstars.com", "gambling"]);
    assert_eq!(lines[1], ["pass", names[1], "-", "-", "-"]);
    assert_eq!(lines[2], ["allow", names[2], "-", "never-block:unicef.org", "-"]);
    assert_eq!(place.run(&["check", "essex.gov.uk"]).code, 0);
    place.ok(&["verify", "gardefou.gfi"]);
    place.ok(&["info", "gardefou.gfi"]);
}

#[test]
fn every_line_is_accounted_for() {
    let place = Place::new();
    place.write(
        "bets.txt",
        "# a comment\n\nbets.example\nwww.bets.example\nbets.example\n10.0.0.1\ncom\n",
    );
    let built = place.ok(&["build", "--list", "gambling=bets.txt", "-o", "i.gfi", "--json"]);
    let report = json(&built);
    assert_eq!(report["version"], 1);
    let list = report["lists"]
        .as_array()
        .unwrap()
        .iter()
        .find(|list| list["id"].as_str().unwrap().contains("bets"))
        .unwrap_or_else(|| panic!("{report:#}"));
    let count = |field: &str| list[field].as_u64().unwrap_or_else(|| panic!("{field}: {list:#}"));
    assert_eq!(count("lines"), 7);
    let parts = ["rules", "rejected", "comments", "blanks"].map(count);
    assert_eq!(parts, [3, 2, 1, 1], "{list:#}");
}

#[test]
fn same_inputs_same_octets_and_a_rebuild_reads_only_what_changed() {
    let place = Place::new();
    place.write("a.txt", "a.example\n");
    place.write("b.txt", "b.example\n");
    let build = ["build", "--list", "gambling=a.txt", "--list", "phishing=b.txt", "--json", "-o"];
    let cached = |run: Run| {
        let report = json(&run);
        let lists = report["lists"].as_array().unwrap().clone();
        lists.iter().map(|list| list["cached"] == true).collect::<Vec<_>>()
    };
    assert_eq!(cached(place.ok(&[&build[..], &["one.gfi"]].concat())), [false, false]);
    assert_eq!(cached(place.ok(&[&build[..], &["two.gfi"]].concat())), [true, true]);
    let read = |name: &str| fs::read(place.path().join(name)).unwrap();
    assert_eq!(read("one.gfi"), read("two.gfi"));
    place.write("b.txt", "b.example\nc.example\n");
    assert_eq!(cached(place.ok(&[&build[..], &["three.gfi"]].concat())), [true, false]);
    assert_ne!(read("one.gfi"), read("three.gfi"));
}

#[test]
fn bad_input_is_named_and_leaves_the_old_image() {
    let place = Place::new();
    place.write("good.txt", "good.example\n");
    place.ok(&["build", "--list", "gambling=good.txt"]);
    let before = (place.files(), fs::read(place.path().join("gardefou.gfi")).unwrap());

    place.write("page.txt", "<!DOCTYPE html>\n<html><body>404</body></html>\n");
    place.write("binary.txt", b"a.example\n\0\x01\x02\x03\n".as_slice());
    place.write("empty.txt.gz", b"\x1f\x8b\x08".as_slice());
    place.write("bad.toml", "schema = 1\ntitel = \"x\"\n");
    place.write("image.gfi", b"GARDEFOUxx".as_slice());
    let build = |list: &str, words: &[&str]| place.error(&["build", "--list", list], words);
    build("gambling=absent.txt", &["absent.txt"]);
    build("gambling=page.txt", &["page.txt", "line 1", "web page"]);
    build("gambling=binary.txt", &["binary.txt"]);
    build("gambling=empty.txt.gz", &["empty.txt.gz"]);
    build("no-such-category=good.txt", &["no-such-category"]);
    build("illegal_csam=good.txt", &["sealed"]);
    build("gambling=good.txt,format=poem", &["poem"]);
    place.error(&["build", "--config", "bad.toml"], &["bad.toml", "titel"]);
    place.error(&["check", "--image", "image.gfi", "a.example"], &["image.gfi"]);
    place.error(&["check", "--image", "absent.gfi", "a.example"], &["absent.gfi"]);
    place.error(&["check", "--categories", "poems", "a.example"], &["poems"]);
    place.error(&["check", "a..example"], &["a..example"]);
    place.error(&["verify", "image.gfi"], &["image.gfi"]);
    for name in ["page.txt", "binary.txt", "empty.txt.gz", "bad.toml", "image.gfi"] {
        fs::remove_file(place.path().join(name)).unwrap();
    }
    assert_eq!((place.files(), fs::read(place.path().join("gardefou.gfi")).unwrap()), before);
}

#[test]
fn a_list_alone_brings_no_words_but_help_stays_reachable() {
    let place = Place::new();
    place.write("l.txt", "unicef.org\nbad.example\n");
    place.ok(&["build", "--list", "phishing=l.txt"]);
    let names = ["online-casino.example", "www.unicef.org", "www.bad.example"];
    assert_eq!(place.verdicts("gardefou.gfi", &names), "pass allow block ");
}

#[test]
fn standard_input_keeps_order_and_goes_on_behind_a_bad_line() {
    let place = Place::new();
    place.write("l.txt", "bad.example\n");
    place.ok(&["build", "--list", "gambling=l.txt"]);
    let run =
        place.run_with(&["check", "-"], "ok.example\r\nBAD.example.\n\nnot a name\nx.bad.example");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("line 4"), "{}", run.stderr);
    let words: Vec<&str> =
        run.stdout.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(words, ["pass", "block", "block"], "{}", run.stdout);
    let run = place.run(&["check", "--json", "bad.example"]);
    let line = json(&run);
    assert_eq!((run.code, &line["version"], &line["verdict"]), (1, &1.into(), &"block".into()));
}

#[test]
fn explain_names_list_line_and_what_was_overridden() {
    let place = Place::new();
    place.write("bets.txt", "# bets\nbets.example\n");
    place.write("mine.txt", "@@||good.bets.example^\n");
    place.ok(&["build", "--list", "gambling=bets.txt", "--list", "local_policy=mine.txt"]);
    let run = place.run(&["explain", "www.bets.example"]);
    assert!(run.stdout.contains("bets.txt") && run.stdout.contains('2'), "{}", run.stdout);
    let run = place.run(&["explain", "www.good.bets.example"]);
    for word in ["let through", "mine.txt", "bets.txt"] {
        assert!(run.stdout.contains(word), "no `{word}` in\n{}", run.stdout);
    }
    fs::remove_file(place.path().join("gardefou.gfi.why")).unwrap();
    let run = place.run(&["explain", "www.bets.example"]);
    assert!(run.code < 2 && run.stdout.contains("gambling"), "{}{}", run.stdout, run.stderr);
}

#[test]
fn diff_tells_added_removed_and_changed() {
    let place = Place::new();
    place.write("l.txt", "stays.example\ngoes.example\nmoves.example\n");
    place.ok(&["build", "--list", "gambling=l.txt", "-o", "a.gfi"]);
    place.write("l.txt", "stays.example\ncomes.example\n");
    place.write("m.txt", "moves.example\n");
    let lists = ["--list", "gambling=l.txt", "--list", "phishing=m.txt"];
    place.ok(&[&["build", "-o", "b.gfi"], &lists[..]].concat());
    let run = place.run(&["diff", "a.gfi", "b.gfi"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    for line in ["+\tcomes.example\tgambling", "-\tgoes.example\tgambling", "~\tmoves.example"] {
        assert!(run.stdout.contains(line), "no `{line}` in\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("stays.example"));
    assert_eq!(place.run(&["diff", "a.gfi", "a.gfi"]).code, 0);
}

#[test]
fn lint_finds_what_a_maintainer_should_mend() {
    let place = Place::new();
    place.write("l.txt", "bets.example\n192.0.2.1\nco.uk\nunicef.org\n");
    let run = place.run(&["lint", "l.txt"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    for word in ["l.txt", "ip-address", "public-suffix", "unicef.org"] {
        assert!(run.stdout.contains(word), "no `{word}` in\n{}", run.stdout);
    }
    place.write("clean.txt", "bets.example\n");
    assert_eq!(place.run(&["lint", "clean.txt"]).code, 0);
}

/// What a dialect can say comes back with the same meaning; what it cannot is counted, and
/// never widened.
#[test]
fn exports_read_back_with_the_same_verdicts() {
    let place = Place::new();
    place.write("rules.txt", "||wide.test^\n@@||let.wide.test^\n||again.let.wide.test^\n|only.test^\n||*.under.test^\n||plain.test^\n");
    place.ok(&["build", "--list", "gambling=rules.txt,format=adblock", "-o", "a.gfi"]);
    let names = [
        "wide.test",
        "x.wide.test",
        "let.wide.test",
        "x.let.wide.test",
        "again.let.wide.test",
        "only.test",
        "x.only.test",
        "under.test",
        "x.under.test",
        "plain.test",
        "x.plain.test",
        "plain.test.example",
        "other.test",
    ];
    let original = place.verdicts("a.gfi", &names);
    assert_eq!(
        original,
        "block block allow allow block block pass pass block block block pass pass "
    );
    for format in ["adblock", "rpz"] {
        let file = format!("{format}.out");
        place.ok(&["export", "--image", "a.gfi", "--format", format, "--rules-only", "-o", &file]);
        let list = format!("gambling={file},format={format}");
        place.ok(&["build", "--list", &list, "-o", "b.gfi"]);
        assert_eq!(place.verdicts("b.gfi", &names), original, "{format}");
    }
    for format in ["domains", "hosts", "dnsmasq", "unbound"] {
        let file = format!("{format}.out");
        let run = place.run(&[
            "export",
            "--image",
            "a.gfi",
            "--format",
            format,
            "--rules-only",
            "-o",
            &file,
        ]);
        assert!(run.code == 0 && !run.stderr.is_empty(), "{format} warns: {}", run.stderr);
        let list = format!("gambling={file},format={format}");
        place.ok(&["build", "--list", &list, "-o", "b.gfi"]);
        let verdicts = place.verdicts("b.gfi", &names);
        for (name, (then, now)) in names
            .iter()
            .zip(original.split(' ').zip(verdicts.split(' ')))
            .filter(|(_, (a, b))| a != b)
        {
            assert!(now != "block", "{format} widens: {name} was {then}");
        }
    }
}

/// The servers themselves read what is written for them.
#[test]
fn servers_accept_their_exports() {
    let place = Place::new();
    place.ok(&["build"]);
    for format in ["rpz", "unbound", "dnsmasq"] {
        let run = place.ok(&["export", "--format", format, "-o", format, "--json"]);
        assert_eq!((&json(&run)["version"], &json(&run)["format"]), (&1.into(), &format.into()));
    }
    let unbound = place.path().join("unbound");
    let preamble = "server:\n  directory: \".\"\n  chroot: \"\"\n  username: \"\"\n";
    place.write("unbound.conf", format!("{preamble}include: {:?}\n", unbound.to_str().unwrap()));
    for command in [
        ["named-checkzone", "rpz.example", "rpz"].as_slice(),
        &["unbound-checkconf", "unbound.conf"],
        &["dnsmasq", "--test", "--conf-file=dnsmasq"],
    ] {
        match Command::new(command[0]).args(&command[1..]).current_dir(place.path()).output() {
            Ok(output) => {
                let text = [output.stdout, output.stderr].concat();
                let text = String::from_utf8_lossy(&text);
                assert!(output.status.success(), "{command:?}\n{text}");
            }
            Err(error) => eprintln!("skipped: {}: {error}", command[0]),
        }
    }
}

#[test]
fn manuals_and_completions_are_generated() {
    let place = Place::new();
    place.ok(&["generate", "man", "--out", "man"]);
    assert!(place.path().join("man/gardefou.1").exists(), "{:?}", place.files());
    for shell in ["bash", "zsh", "fish"] {
        place.ok(&["generate", "completions", shell, "--out", "completions"]);
    }
    assert!(fs::read_dir(place.path().join("completions")).unwrap().count() >= 3);
}

#[test]
fn help_states_the_exit_codes() {
    let place = Place::new();
    let run = place.ok(&["--help"]);
    assert!(run.stdout.to_lowercase().contains("exit"), "{}", run.stdout);
    assert_eq!(place.run(&["no-such-command"]).code, 2);
}
