//! Where rules are read from: the disk, the program itself, or memory in tests.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::builtin;
use crate::text::units::Glob;

/// Files as the loader sees them.
pub trait Files {
    /// The bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in a folder, sorted, hidden ones left out.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Where a path leads when all links are followed; the path itself if that cannot be told.
    fn real(&self, path: &Path) -> PathBuf {
        plain(path)
    }
}

/// A file as it was when it was read, or looked for in vain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Where it was looked for.
    pub path: PathBuf,
    /// SHA-256 of what it held, or why it could not be read.
    pub content: Result<[u8; 32], io::ErrorKind>,
}

impl Seen {
    /// What a reading of the file at `path` found. Of a folder, what it holds counts, by name.
    pub fn new(files: &dyn Files, path: &Path, read: &io::Result<Vec<u8>>) -> Seen {
        let content = match read {
            Ok(bytes) => Ok(Sha256::digest(bytes).into()),
            Err(error) if error.kind() == ErrorKind::IsADirectory => files
                .list(path)
                .map(|names| Sha256::digest(names.join("/")).into())
                .map_err(|error| error.kind()),
            Err(error) => Err(error.kind()),
        };
        Seen { path: path.to_path_buf(), content }
    }
}

/// The disk.
pub struct Disk;

/// The largest file that rules may be made of, or name, in bytes.
pub const LARGEST: u64 = 32 << 20;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        read_plain(path, LARGEST)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn real(&self, path: &Path) -> PathBuf {
        std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
    }
}

/// The bytes of a file that is neither larger than `at_most` nor anything else than a file: a pipe or a device could keep
/// its reader for ever.
///
/// # Errors
/// What the system says, or what it is instead.
pub fn read_plain(path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
    let found = plain_file(path)?;
    let too_large = || {
        let text = format!("it is larger than {} MiB, which is the most that is read", at_most >> 20);
        io::Error::new(ErrorKind::FileTooLarge, text)
    };
    if found.len() > at_most {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
    // What the system says of a file's length need not be true.
    File::open(path)?.take(at_most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > at_most { Err(too_large()) } else { Ok(bytes) }
}

/// What is known of a file without opening it.
///
/// # Errors
/// If it is not there, or is no file.
pub fn plain_file(path: &Path) -> io::Result<Metadata> {
    let found = fs::metadata(path)?;
    if found.is_file() {
        return Ok(found);
    }
    if found.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder, and not a file"));
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is a pipe, a device or a socket, and not a file"))
}

/// Files in memory, by path.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    /// These files.
    pub fn new<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Memory {
        Memory(
            files.into_iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect(),
        )
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let within = self.0.keys().filter_map(|path| path.strip_prefix(folder).ok());
        let mut names: Vec<String> = within
            .filter_map(|rest| rest.components().next())
            .map(|first| first.as_os_str().to_string_lossy().into_owned())
            .collect();
        names.dedup();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names) }
    }
}

/// A file's place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// On disk.
    Disk(PathBuf),
    /// In the program, by name.
    Builtin(String),
}

impl Place {
    /// The place that a path names; `builtin:` leads into the program.
    pub fn of(path: &Path) -> Place {
        match path.to_str().and_then(|text| text.strip_prefix(builtin::PREFIX)) {
            Some(name) => Place::Builtin(name.to_string()),
            None => Place::Disk(path.to_path_buf()),
        }
    }

    /// How people call it.
    pub fn shown(&self) -> String {
        match self {
            Place::Disk(path) => path.display().to_string(),
            Place::Builtin(name) => format!("{}{name}", builtin::PREFIX),
        }
    }

    /// The place that `path` names in this file: relative to its folder, unless absolute or `builtin:`.
    pub fn beside(&self, path: &str) -> Place {
        if let Some(name) = path.strip_prefix(builtin::PREFIX) {
            return Place::Builtin(name.to_string());
        }
        match self {
            Place::Disk(file) => Place::Disk(plain(&file.parent().unwrap_or(Path::new("")).join(path))),
            Place::Builtin(file) => {
                let joined = plain(&Path::new(file).parent().unwrap_or(Path::new("")).join(path));
                Place::Builtin(joined.to_string_lossy().replace('\\', "/"))
            }
        }
    }
}

/// The path without `.` and without `name/..`. Only for places that the author wrote; links are not looked at.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// Whether a path is a pattern.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?'])
}

/// So many files are found that no more are looked for.
const MOST_FOUND: usize = 10_000;

/// The files that a pattern names, sorted. `*` and `?` match within a name. `None` if the folder that the
/// pattern begins with does not exist.
pub fn matching(files: &dyn Files, pattern: &Place) -> Option<Vec<Place>> {
    match pattern {
        Place::Builtin(pattern) => {
            let matches = |name: &str| {
                let (want, have): (Vec<_>, Vec<_>) =
                    (pattern.split('/').collect(), name.split('/').collect());
                want.len() == have.len() && want.iter().zip(&have).all(|(want, have)| fits(want, have))
            };
            let names = builtin::FILES.iter().map(|(name, _)| *name).filter(|name| matches(name));
            Some(names.map(|name| Place::Builtin(name.to_string())).collect())
        }
        Place::Disk(pattern) => {
            let mut found = vec![PathBuf::new()];
            let mut first = true;
            for part in pattern.components() {
                let text = part.as_os_str().to_string_lossy();
                if !is_pattern(&text) {
                    found.iter_mut().for_each(|path| path.push(part));
                    continue;
                }
                let mut next = Vec::new();
                for folder in &found {
                    match files.list(folder) {
                        _ if next.len() > MOST_FOUND => break,
                        Ok(names) => {
                            next.extend(names.iter().filter(|n| fits(&text, n)).map(|n| folder.join(n)))
                        }
                        Err(_) if first => return None,
                        Err(_) => {}
                    }
                }
                found = next;
                first = false;
            }
            Some(found.into_iter().map(Place::Disk).collect())
        }
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    pattern == name || (is_pattern(pattern) && Glob::parse(pattern).is_ok_and(|glob| glob.matches(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_relative_to_the_file_that_names_them() {
        let main = Place::of(Path::new("conf/rules.yaml"));
        assert_eq!(main.beside("a/b.yaml"), Place::Disk("conf/a/b.yaml".into()));
        assert_eq!(main.beside("../keys.txt"), Place::Disk("keys.txt".into()));
        assert_eq!(main.beside("/etc/x"), Place::Disk("/etc/x".into()));
        assert_eq!(main.beside("builtin:a.yaml"), Place::Builtin("a.yaml".into()));
        let inside = Place::of(Path::new("builtin:tests/a.yaml"));
        assert_eq!(inside.beside("../golden/b.json"), Place::Builtin("golden/b.json".into()));
        assert_eq!(inside.shown(), "builtin:tests/a.yaml");
    }

    #[test]
    fn patterns_name_files() {
        let files =
            Memory::new([("c/p/b.yaml", ""), ("c/p/a.yaml", ""), ("c/p/a.txt", ""), ("c/q/a.yaml", "")]);
        let shown = |pattern: &str| {
            let places = matching(&files, &Place::Disk(pattern.into()))?;
            Some(places.iter().map(Place::shown).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(shown("c/p/*.yaml").unwrap(), "c/p/a.yaml c/p/b.yaml");
        assert_eq!(shown("c/*/a.yaml").unwrap(), "c/p/a.yaml c/q/a.yaml");
        assert_eq!(shown("c/p/x*").unwrap(), "");
        assert_eq!(shown("nowhere/*.yaml"), None);
    }
}
