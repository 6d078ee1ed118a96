//! Puts files in place whole: readers see the old file or the new one, never a part, and after
//! an error the old one is still there and nothing else.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is written beside the one it will replace. Dropped without
/// [`Replacement::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Replacement {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Replacement {
    /// Starts a file that will stand at `path`; where that is a symbolic link, at its target.
    ///
    /// # Errors
    /// When the directory is not there or cannot be written to.
    pub fn new(path: &Path) -> io::Result<Replacement> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".gardefou-");
        #[cfg(unix)]
        {
            // As any new file: readable for whom the umask lets read.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(directory_of(&path))?;
        Ok(Replacement { file: BufWriter::with_capacity(1 << 16, file), path })
    }

    /// Replaces the file, safe against a loss of power: octets first, then the name.
    ///
    /// # Errors
    /// When writing or renaming fails; the old file is untouched then.
    pub fn commit(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().as_file().sync_all()?;
        #[cfg(unix)]
        let path = self.path.clone();
        self.commit_without_sync()?;
        // Directories can be synced on Unix only; elsewhere the rename is as good as it gets.
        #[cfg(unix)]
        File::open(directory_of(&path))?.sync_all()?;
        Ok(())
    }

    /// Replaces the file as [`Replacement::commit`] does, but a loss of power may damage it: for
    /// files that are checked when they are read, and can be made again.
    ///
    /// # Errors
    /// When writing or renaming fails; the old file is untouched then.
    pub fn commit_without_sync(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(&self.path)?;
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_stays_until_the_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gfi");
        fs::write(&path, "old").unwrap();
        let entries = || fs::read_dir(folder.path()).unwrap().count();

        let mut dropped = Replacement::new(&path).unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!((fs::read(&path).unwrap().as_slice(), entries()), (b"old".as_slice(), 1));

        let mut file = Replacement::new(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), entries()), (b"new".as_slice(), 1));
    }
}
