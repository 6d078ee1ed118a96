//! Opens what a list's `path` names, whatever it is packed in, and refuses at the first look
//! what is no list: a web page, a binary file, an archive, nothing at all.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::{Fault, Format, lines};

/// An open list.
pub(super) struct Source {
    /// The unpacked text.
    pub(super) text: Box<dyn BufRead>,
    /// The file, which for a directory is the one in it.
    pub(super) path: PathBuf,
    /// The dialect, when the source settles it.
    pub(super) format: Option<Format>,
    /// See [`Unread`].
    pub(super) unread: Vec<Unread>,
}

/// A file of a squidGuard directory that is not about names: its lines are out of scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file's name: `urls` or `expressions`.
    pub file: &'static str,
    /// How many lines it has.
    pub lines: u64,
}

/// Bytes looked at before a list is read; enough for a long header and 200 lines behind it.
const HEAD_LEN: u64 = 128 << 10;

/// Bytes read from a file at once.
const CHUNK_LEN: usize = 64 << 10;

impl Source {
    /// Opens the list at `path`. Packed files are known by their first bytes, not their name.
    pub(super) fn open(path: &Path, max_unpacked: u64) -> Result<Source, Fault> {
        let directory = path.metadata().map_err(Fault::Open)?.is_dir();
        let (path, format, unread) = if directory {
            let domains = path.join("domains");
            if !domains.is_file() {
                return Err(Fault::NoDomains { lists: list_directories(path)? });
            }
            (domains, Some(Format::SquidGuard), unread(path)?)
        } else {
            (path.to_owned(), None, Vec::new())
        };
        let file = File::open(&path).map_err(Fault::Open)?;
        let text = unpack(BufReader::with_capacity(CHUNK_LEN, file), max_unpacked)?;
        Ok(Source { text, path, format, unread })
    }
}

/// Counts the lines of the files we do not read, so that a report can say so.
fn unread(directory: &Path) -> Result<Vec<Unread>, Fault> {
    let mut unread = Vec::new();
    for file in ["urls", "expressions"] {
        let path = directory.join(file);
        if path.is_file() {
            let mut text =
                BufReader::with_capacity(CHUNK_LEN, File::open(path).map_err(Fault::Open)?);
            let mut lines = 0;
            // Ends because every turn takes a line off the file.
            while text.skip_until(b'\n')? > 0 {
                lines += 1;
            }
            unread.push(Unread { file, lines });
        }
    }
    Ok(unread)
}

/// Puts the unpacker before the file that its first bytes call for.
fn unpack(mut file: BufReader<File>, max_unpacked: u64) -> Result<Box<dyn BufRead>, Fault> {
    let unpacked = |inner, packing| {
        let unpacked = Unpacked { inner, packing, offset: 0, limit: max_unpacked };
        Box::new(BufReader::with_capacity(CHUNK_LEN, unpacked))
    };
    Ok(match file.fill_buf()? {
        [0x1F, 0x8B, ..] => unpacked(Box::new(MultiGzDecoder::new(file)) as Box<dyn Read>, "gzip"),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            unpacked(Box::new(zstd::Decoder::with_buffer(file)?), "zstd")
        }
        _ => Box::new(file),
    })
}

/// An unpacker that counts what it gives, stops at the limit, and says as a [`Fault`] what went
/// wrong where.
struct Unpacked {
    inner: Box<dyn Read>,
    packing: &'static str,
    offset: u64,
    limit: u64,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Unpacked { packing, offset, limit, .. } = *self;
        let read = self.inner.read(buffer).map_err(|source| match source.kind() {
            io::ErrorKind::Interrupted => source,
            io::ErrorKind::UnexpectedEof => Fault::Truncated { packing, offset }.into(),
            _ => Fault::Corrupt { packing, offset, source }.into(),
        })?;
        self.offset += read as u64;
        if self.offset > limit {
            return Err(Fault::TooBig { limit }.into());
        }
        Ok(read)
    }
}

/// The beginning of the text, all of it when it is short.
pub(super) fn head(text: &mut dyn BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    text.take(HEAD_LEN).read_to_end(&mut head)?;
    Ok(head)
}

/// Refuses text that is no list, by its beginning.
pub(super) fn refuse(head: &[u8]) -> Result<(), Fault> {
    if head.is_empty() {
        return Err(Fault::Empty);
    }
    if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
        return Err(Fault::Utf16);
    }
    if let Some(kind) = archive(head) {
        return Err(Fault::Archive { kind });
    }
    if let Some(line) = page(head) {
        return Err(Fault::Html { line });
    }
    let mut controls = head.iter().enumerate().filter(|&(_, byte)| is_control(byte));
    match (controls.next(), controls.count()) {
        (Some((offset, _)), more) if (1 + more) * 20 > head.len() => {
            Err(Fault::Binary { offset: offset as u64 })
        }
        _ => Ok(()),
    }
}

/// The name of the archive or packing that `head` begins, unless it is one we unpack.
fn archive(head: &[u8]) -> Option<&'static str> {
    let magics: [(usize, &[u8], &str); 6] = [
        (0, b"PK\x03\x04", "zip archive"),
        (0, b"\xFD7zXZ\0", "xz file"),
        (4, b"1AY&SY", "bzip2 file"),
        (0, b"7z\xBC\xAF\x27\x1C", "7z archive"),
        (257, b"ustar", "tar archive"),
        (0, b"%PDF-", "PDF file"),
    ];
    let found = magics.into_iter().find(|(offset, magic, _)| {
        head.get(*offset..).is_some_and(|bytes| bytes.starts_with(magic))
    });
    found.map(|(.., kind)| kind)
}

/// The line on which a web page begins, when the first thing in the text is a tag: no dialect
/// has lines that begin with `<`.
fn page(head: &[u8]) -> Option<u64> {
    let text = lines::without_bom(head);
    let blank = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match &text[blank..] {
        [b'<', b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z', ..] => {
            Some(1 + text[..blank].iter().filter(|&&byte| byte == b'\n').count() as u64)
        }
        _ => None,
    }
}

/// Bytes that text does not have.
fn is_control(byte: &u8) -> bool {
    matches!(byte, 0..=8 | 0x0E..=0x1F | 0x7F)
}

/// The directories in `path` that are lists.
fn list_directories(path: &Path) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for entry in path.read_dir().map_err(Fault::Open)? {
        let entry = entry.map_err(Fault::Open)?;
        if entry.path().join("domains").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
