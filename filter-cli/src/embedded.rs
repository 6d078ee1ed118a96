//! Where a file of the configuration lies: on disk, or in the copy of `blocklists/` that
//! travels in the binary. Everything that reads a manifest and its files reads a [`Place`].

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};

static BLOCKLISTS: Dir<'_> = include_dir!("$OUT_DIR/blocklists");

/// A file that is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// On disk.
    Disk(PathBuf),
    /// In the binary, by its path below `blocklists/`.
    BuiltIn(PathBuf),
}

impl Place {
    /// The manifest that travels in the binary.
    pub fn built_in_manifest() -> Place {
        Place::BuiltIn(PathBuf::from("gardefou.toml"))
    }

    /// The file `path` names when this file speaks of it: relative to the folder of this file.
    pub fn beside(&self, path: &str) -> Place {
        match self {
            Place::Disk(file) => Place::Disk(file.with_file_name(path)),
            Place::BuiltIn(file) => Place::BuiltIn(file.with_file_name(path)),
        }
    }

    /// Whether there is such a file or directory.
    pub fn exists(&self) -> bool {
        match self {
            Place::Disk(path) => path.exists(),
            Place::BuiltIn(path) => BLOCKLISTS.get_file(plain(path)).is_some(),
        }
    }

    /// The whole file.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn read(&self) -> io::Result<Cow<'static, [u8]>> {
        match self {
            Place::Disk(path) => fs::read(path).map(Cow::Owned),
            Place::BuiltIn(path) => match BLOCKLISTS.get_file(plain(path)) {
                Some(file) => Ok(Cow::Borrowed(file.contents())),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    /// The file whose lines are read: of a squidGuard directory, the one named `domains`.
    pub fn text_file(&self) -> Place {
        match self {
            Place::Disk(path) if path.is_dir() => Place::Disk(path.join("domains")),
            place => place.clone(),
        }
    }

    /// The path to show; a file of the binary shows as `built-in:…`.
    pub fn shown(&self) -> PathBuf {
        match self {
            Place::Disk(path) => path.clone(),
            Place::BuiltIn(path) => PathBuf::from(format!("built-in:{}", path.display())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().display().fmt(f)
    }
}

/// The path without `.` in it, as the binary's copy knows it.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_beside_the_file_that_names_them() {
        let manifest = Place::Disk(PathBuf::from("etc/gardefou.toml"));
        assert_eq!(manifest.beside("lists/a.txt").to_string(), "etc/lists/a.txt");
        assert_eq!(manifest.beside("/srv/a.txt").to_string(), "/srv/a.txt");
        let built_in = Place::built_in_manifest();
        assert_eq!(
            built_in.beside("./keywords/en.toml").to_string(),
            "built-in:./keywords/en.toml"
        );
        assert!(built_in.beside("./keywords/en.toml").exists());
        assert!(!built_in.beside("no.toml").exists());
        assert_eq!(built_in.beside("no.toml").read().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
