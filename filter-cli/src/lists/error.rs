//! Why a list as a whole cannot be used: the file with the [`Fault`], which says where and what
//! to do about it.

use std::io;
use std::path::PathBuf;

/// A list that cannot be used, with what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct ListError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a list as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file could not be opened.
    #[error("cannot open the list: {0}; check `path` and the file's permissions")]
    Open(#[source] io::Error),
    /// Reading failed on the way.
    #[error("cannot read the list: {0}")]
    Read(#[source] io::Error),
    /// The receiver of the entries failed.
    #[error("cannot store the entries: {0}")]
    Sink(#[source] io::Error),
    /// Nothing but blanks.
    #[error("the list is empty; download it again")]
    Empty,
    /// A web page, often the error page of a server.
    #[error("line {line}: this is a web page, not a list; check the address it comes from")]
    Html {
        /// The line where the page begins, from 1.
        line: u64,
    },
    /// Bytes no text has.
    #[error(
        "byte {offset}: this is a binary file, not a list; give the text of the list, plain or \
         packed with gzip or zstd"
    )]
    Binary {
        /// Where the first such byte stands in the unpacked text, from 0.
        offset: u64,
    },
    /// Text in UTF-16.
    #[error("byte 0: the list is in UTF-16; convert it to UTF-8")]
    Utf16,
    /// An archive, or packed in a way we do not read.
    #[error("byte 0: this is a {kind}; unpack it and give the list inside")]
    Archive {
        /// What it is.
        kind: &'static str,
    },
    /// A packed file that ends too early.
    #[error("the {packing} data end early, after {offset} unpacked bytes; download the list again")]
    Truncated {
        /// How the file is packed.
        packing: &'static str,
        /// How much could be unpacked.
        offset: u64,
    },
    /// A packed file that does not unpack.
    #[error(
        "the {packing} data are damaged after {offset} unpacked bytes ({source}); download the \
         list again"
    )]
    Corrupt {
        /// How the file is packed.
        packing: &'static str,
        /// How much could be unpacked.
        offset: u64,
        /// What the unpacker says.
        source: io::Error,
    },
    /// A packed file that unpacks to more than is allowed.
    #[error(
        "the list unpacks to more than {limit} bytes; if that is no mistake, unpack it first and \
         give the plain file"
    )]
    TooBig {
        /// The limit.
        limit: u64,
    },
    /// A directory that is not a squidGuard list.
    #[error(
        "the directory has no file named `domains`; give a squidGuard list directory{} or a file",
        among(.lists)
    )]
    NoDomains {
        /// The list directories in it: it may be a whole collection.
        lists: Vec<String>,
    },
}

/// The first of the names, as a clause that follows "directory".
fn among(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let first: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len() {
        0 => String::new(),
        1..=SHOWN => format!(" (in it: {})", first.join(", ")),
        count => format!(" (in it: {} and {} more)", first.join(", "), count - SHOWN),
    }
}

/// An error of reading, or the fault our own unpacker put into one.
impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        match error.downcast::<Fault>() {
            Ok(fault) => fault,
            Err(error) => Fault::Read(error),
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> io::Error {
        io::Error::other(fault)
    }
}
