//! Lists given on the command line: `CATEGORY=PATH[,format=F][,scope=S][,action=A][,id=ID]`.

use std::path::Path;
use std::str::FromStr;

use anyhow::bail;
use filter_core::{Action, CategorySet, Scope};

use super::categories::is_id;
use super::manifest::SEALED_HINT;
use super::{Config, ListSource};
use crate::embedded::Place;
use crate::lists::Options;
use crate::output::hinted;

/// The value of `--list`.
#[derive(Clone, Debug)]
pub struct ListArgument {
    category: String,
    path: String,
    id: Option<String>,
    options: Options,
    rejected_max_percent: Option<f64>,
}

impl FromStr for ListArgument {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<ListArgument> {
        let Some((category, rest)) = text.split_once('=') else {
            bail!("no `=`: write CATEGORY=PATH, such as gambling=lists/casinos.txt");
        };
        let mut parts = rest.split(',');
        let path = parts.next().unwrap_or_default();
        if category.is_empty() || path.is_empty() {
            bail!("write CATEGORY=PATH, such as gambling=lists/casinos.txt");
        }
        let mut list = ListArgument {
            category: category.to_owned(),
            path: path.to_owned(),
            id: None,
            options: Options::default(),
            rejected_max_percent: None,
        };
        for part in parts {
            list.set(part)?;
        }
        Ok(list)
    }
}

impl ListArgument {
    fn set(&mut self, part: &str) -> anyhow::Result<()> {
        match part.split_once('=') {
            Some(("format", word)) => self.options.format = Some(word.parse()?),
            Some(("scope", word)) => {
                let Some(scope) = Scope::ALL.into_iter().find(|scope| scope.word() == word) else {
                    bail!("unknown scope `{word}`: use exact, subtree or below");
                };
                self.options.scope = Some(scope);
            }
            Some(("action", "block")) => self.options.action = Some(Action::Block),
            Some(("action", "allow")) => self.options.action = Some(Action::Allow),
            Some(("action", word)) => bail!("unknown action `{word}`: use block or allow"),
            Some(("id", id)) if is_id(id) => self.id = Some(id.to_owned()),
            Some(("id", id)) => bail!("bad id `{id}`: use up to 64 of a-z, 0-9, `.`, `_` and `-`"),
            Some(("rejected_max_percent", number)) => match number.parse() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => {
                    self.rejected_max_percent = Some(percent);
                }
                _ => bail!("bad rejected_max_percent `{number}`: use a number from 0 to 100"),
            },
            _ => bail!(
                "unknown option `{part}`: use format, scope, action, id or rejected_max_percent; \
                 a path with a comma in it needs a manifest (--config)"
            ),
        }
        Ok(())
    }
}

/// Adds the lists to the configuration.
pub(super) fn add(config: &mut Config, arguments: &[ListArgument]) -> anyhow::Result<()> {
    for argument in arguments {
        let Some(category) = config.categories.find(&argument.category) else {
            let error = format!("--list: unknown category `{}`", argument.category);
            return Err(hinted(error, config.categories.hint()));
        };
        if category.set() == CategorySet::SEALED {
            let error = format!("--list: `{}` is sealed", category.id);
            return Err(hinted(error, SEALED_HINT));
        }
        let taken = |id: &str| config.lists.iter().any(|list| list.id == id);
        let id = match &argument.id {
            Some(id) if taken(id) => {
                let error = format!("--list: the id `{id}` is taken");
                return Err(hinted(error, "give every list its own id"));
            }
            Some(id) => id.clone(),
            None => free_id(&id_of(&argument.path), taken),
        };
        config.lists.push(ListSource {
            id,
            title: String::new(),
            license: String::new(),
            url: String::new(),
            category: category.id.clone(),
            categories: category.set(),
            place: Place::Disk(argument.path.clone().into()),
            options: argument.options.clone(),
            expires_days: 0,
            optional: false,
            rejected_max_percent: argument.rejected_max_percent,
        });
    }
    Ok(())
}

/// An id from the name of the file, or of its directory where every file has the same name.
fn id_of(path: &str) -> String {
    let path = Path::new(path);
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut id = name(path).unwrap_or_default();
    if id == "domains" {
        id = path.parent().and_then(name).unwrap_or(id);
    }
    for ending in [".gz", ".zst", ".txt", ".conf", ".zone", ".list"] {
        id = id.strip_suffix(ending).unwrap_or(&id).to_owned();
    }
    let plain = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => character,
        _ => '-',
    };
    let id: String = id.chars().map(plain).take(60).collect();
    if id.is_empty() { "list".to_owned() } else { id }
}

fn free_id(id: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = |number| if number == 1 { id.to_owned() } else { format!("{id}-{number}") };
    // Ends because only so many ids are taken.
    (1..).map(numbered).find(|id| !taken(id)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_behind_the_path() {
        let list: ListArgument =
            "gambling=a b/x.txt,format=hosts,scope=below,action=allow,id=mine".parse().unwrap();
        assert_eq!((list.category.as_str(), list.path.as_str()), ("gambling", "a b/x.txt"));
        assert_eq!(list.options.scope, Some(Scope::Below));
        assert_eq!(list.options.action, Some(Action::Allow));
        assert_eq!(list.id.as_deref(), Some("mine"));
        for bad in ["x.txt", "=x.txt", "a=", "a=x,format=odd", "a=x,colour=red", "a=x,id=a b"] {
            assert!(bad.parse::<ListArgument>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_come_from_file_names() {
        assert_eq!(id_of("ut1/gambling/domains"), "gambling");
        assert_eq!(id_of("lists/phishing-2025.txt.zst"), "phishing-2025");
        assert_eq!(id_of("a/my list.txt"), "my-list");
        assert_eq!(free_id("a", |id| id == "a" || id == "a-2"), "a-3");
    }
}
