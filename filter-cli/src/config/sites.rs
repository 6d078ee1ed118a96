//! Sites that restrict themselves: `safe-search.toml` becomes the names that are led to other hosts.

use filter_core::{Name, SiteKind};
use serde::Deserialize;
use toml::Spanned;

use super::document::{Document, Problems};
use crate::embedded::Place;

/// A name that is led to another host.
#[derive(Clone, Debug)]
pub struct Site {
    /// The name.
    pub name: Name,
    /// What the site is.
    pub kind: SiteKind,
    /// The host that restricts most, and the one that restricts less, or the same; `None` for a site
    /// that cannot restrict itself.
    pub hosts: Option<(Name, Name)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: Spanned<u32>,
    #[serde(default)]
    engine: Vec<Engine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Engine {
    id: Spanned<String>,
    cname: Option<Spanned<String>>,
    modes: Option<Modes>,
    #[serde(default)]
    unrestricted: bool,
    #[serde(default)]
    hosts: Vec<Spanned<String>>,
    #[serde(default)]
    templates: Vec<Spanned<String>>,
    #[serde(default)]
    tlds: Vec<String>,
    #[serde(rename = "confidence")]
    _confidence: Option<String>,
    #[serde(rename = "sources")]
    _sources: Option<Vec<String>>,
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(rename = "default_mode")]
    _default_mode: Option<String>,
}

/// Only video sites have two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Modes {
    strict: Spanned<String>,
    moderate: Spanned<String>,
}

/// Reads the file. What is wrong is reported and left out.
pub(super) fn read(place: &Place, text: &str, problems: &mut Problems) -> Vec<Site> {
    let document = Document::new(place, text);
    let mut sites = Vec::new();
    let Some(file) = document.read::<File>(problems) else { return sites };
    document.check_schema(problems, &file.schema);
    let mut name = |text: &Spanned<String>, full: &str| {
        let name = Name::from_text(full);
        if let Err(error) = &name {
            document.problem(
                problems,
                text.span(),
                error,
                "write a name such as www.example.com".to_owned(),
            );
        }
        name.ok()
    };
    let mut nowhere = Vec::new();
    for engine in file.engine {
        let (kind, hosts) = match (&engine.cname, &engine.modes, engine.unrestricted) {
            (Some(host), None, false) => (SiteKind::Search, Some([host, host])),
            (None, Some(modes), false) => (SiteKind::Video, Some([&modes.strict, &modes.moderate])),
            (None, None, true) => (SiteKind::Search, None),
            _ => {
                nowhere.push(engine.id);
                continue;
            }
        };
        let hosts = match hosts.map(|hosts| hosts.map(|host| name(host, host.get_ref()))) {
            Some([Some(strict), Some(moderate)]) => Some((strict, moderate)),
            Some(_) => continue,
            None => None,
        };
        let of_templates = engine.templates.iter().flat_map(|template| {
            let full = |tld: &String| template.get_ref().replace("{tld}", tld);
            engine.tlds.iter().map(move |tld| (template, full(tld)))
        });
        let named = engine.hosts.iter().map(|host| (host, host.get_ref().clone()));
        for (text, full) in named.chain(of_templates) {
            if let Some(name) = name(text, &full) {
                sites.push(Site { name, kind, hosts: hosts.clone() });
            }
        }
    }
    for id in nowhere {
        let hint = "add one of `cname`, `modes` and `unrestricted = true`".to_owned();
        document.problem(problems, id.span(), "says not which host restricts itself", hint);
    }
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_file_is_read_and_leads_nowhere_twice() {
        let place = Place::built_in_manifest().beside("safe-search.toml");
        let text = String::from_utf8(place.read().unwrap().into_owned()).unwrap();
        let mut problems = Problems::default();
        let sites = read(&place, &text, &mut problems);
        problems.into_result().unwrap();
        assert!(sites.len() > 250, "{}", sites.len());
        let find = |text: &str| {
            let name = Name::from_text(text).unwrap();
            let mut found = sites.iter().filter(|site| site.name == name);
            let site = found.next().unwrap_or_else(|| panic!("{text}"));
            assert!(found.next().is_none(), "{text}");
            let (strict, moderate) = site.hosts.clone().unwrap();
            (strict.to_string(), moderate.to_string())
        };
        let google = "forcesafesearch.google.com".to_owned();
        assert_eq!(find("www.google.co.ke"), (google.clone(), google));
        let youtube = ["restrict.youtube.com", "restrictmoderate.youtube.com"].map(str::to_owned);
        assert_eq!(find("m.youtube.com"), youtube.into());
        for site in &sites {
            let leads_here = |hosts: &(Name, Name)| hosts.0 == site.name || hosts.1 == site.name;
            let is_target = sites.iter().any(|other| other.hosts.as_ref().is_some_and(leads_here));
            assert!(!is_target, "{} is a target and led elsewhere", site.name);
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let text = "schema = 1\n[[engine]]\nid = \"a\"\nhosts = [\"a.example\"]\n\
                    [[engine]]\nid = \"b\"\ncname = \"b..example\"\n";
        let mut problems = Problems::default();
        assert!(read(&Place::Disk("x.toml".into()), text, &mut problems).is_empty());
        let problems = problems.into_result().unwrap_err().to_string();
        assert!(problems.contains("x.toml:3:6: says not which host"), "{problems}");
        assert!(problems.contains("x.toml:7:9: "), "{problems}");
    }
}
