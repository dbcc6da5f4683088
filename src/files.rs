//! Reads and writes files: the one user of `std::fs`.
//!
//! A [`Files`] reaches inside one folder only; `..` and symbolic links that lead out of it are
//! problems. Texts are UTF-8 and at most [`LARGEST`] bytes; writes are atomic. It knows nothing of
//! what the texts mean.

mod own;

pub use own::{Lines, hidden_folder, hold};

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Origin, Problem, SourceText};

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 64 * 1024 * 1024;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everybody (0644).
    Public,
    /// The user alone (0600).
    Private,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Nothing.
    Nothing,
}

/// The files of one folder.
#[derive(Debug, Clone)]
pub struct Files {
    root: PathBuf,
}

impl Files {
    /// Opens a folder that is there.
    ///
    /// # Errors
    /// If it is no folder, or can't be entered.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let root = fs::canonicalize(root).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(format!("the folder `{}` does not exist", root.display())),
            _ => Error::new(format!("can't open the folder `{}`", root.display())).because(words(&error)),
        })?;
        if root.is_dir() { Ok(Self { root }) } else { Err(Error::new(format!("`{}` is not a folder", root.display()))) }
    }

    /// Opens a folder, and makes it first if it is not there.
    ///
    /// # Errors
    /// If it can't be made or opened.
    pub fn create(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root).map_err(|error| {
            Error::new(format!("can't make the folder `{}`", root.display())).because(words(&error))
        })?;
        Self::open(root)
    }

    /// Gives the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Tells what stands at a path inside the folder.
    #[must_use]
    pub fn entry(&self, path: &str) -> Entry {
        self.find(path).unwrap_or(Entry::Nothing)
    }

    /// Tells what stands at a path.
    ///
    /// # Errors
    /// If it leads out of the folder, or the system refuses.
    pub fn find(&self, path: &str) -> Result<Entry, Problem> {
        let full = self.lexical(path)?;
        let failed = |error: &std::io::Error| Problem::error(format!("can't read `{}`: {}", tidy(path), words(error)));
        match fs::canonicalize(&full) {
            Ok(real) if real.starts_with(&self.root) => {
                let found = fs::metadata(real).map_err(|error| failed(&error))?;
                Ok(if found.is_dir() { Entry::Folder } else { Entry::File })
            }
            Ok(_) => Err(escapes(path)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Entry::Nothing),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Reads a text inside the folder.
    ///
    /// # Errors
    /// If it is not there, lies outside the folder, is too large, is no file, or is not UTF-8.
    pub fn read(&self, path: &str) -> Result<Arc<SourceText>, Problem> {
        let full = self.resolve(path)?;
        text(&full, &tidy(path))
    }

    /// Writes a text inside the folder, atomically; folders on the way are made.
    ///
    /// # Errors
    /// If the path leads out of the folder, or the system refuses.
    pub fn write(&self, path: &str, text: &str, mode: Mode) -> Result<(), Error> {
        write(&self.inside(path)?, text, mode)
    }

    /// Makes a folder inside the folder, if it is not there.
    ///
    /// # Errors
    /// If the path leads out of the folder, or the system refuses.
    pub fn make(&self, path: &str) -> Result<(), Error> {
        let full = self.inside(path)?;
        fs::create_dir_all(&full)
            .map_err(|error| Error::new(format!("can't make the folder `{}`", full.display())).because(words(&error)))
    }

    /// Opens a file that grows line by line; folders on the way are made.
    ///
    /// # Errors
    /// If the path leads out of the folder, or the system refuses.
    pub fn lines(&self, path: &str) -> Result<Lines, Error> {
        let full = self.inside(path)?;
        let opened = full.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            let mut options = fs::OpenOptions::new();
            options.create(true).append(true);
            private(&mut options, Mode::Private);
            options.open(&full)
        });
        let failed = |error| Error::new(format!("can't write `{}`", full.display())).because(words(&error));
        opened.map(Lines::new).map_err(failed)
    }

    /// Lists the files of a folder by name, in order; none where it is not there.
    ///
    /// # Errors
    /// If the path leads out of the folder, or the system refuses.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        let full = self.lexical(path)?;
        let failed = |error: &std::io::Error| Error::new(format!("can't read `{path}`")).because(words(error));
        let mut names = match fs::read_dir(full) {
            Ok(entries) => entries
                .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| failed(&error))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&error)),
        };
        names.sort();
        Ok(names)
    }

    /// Makes a full path, and refuses one that leads out of the folder, by a link too.
    fn inside(&self, path: &str) -> Result<PathBuf, Error> {
        let full = self.lexical(path)?;
        let mut ancestor = full.as_path();
        while !ancestor.exists() {
            ancestor = ancestor.parent().unwrap_or(&self.root);
        }
        let is_inside = fs::canonicalize(ancestor).is_ok_and(|ancestor| ancestor.starts_with(&self.root));
        if is_inside { Ok(full) } else { Err(escapes(path).into()) }
    }

    /// Makes a full path and refuses one whose text alone leads out of the folder.
    fn lexical(&self, path: &str) -> Result<PathBuf, Problem> {
        let mut full = self.root.clone();
        for component in Path::new(path).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    full.pop();
                }
                Component::Normal(part) => full.push(part),
                Component::RootDir | Component::Prefix(_) => full = PathBuf::from(component.as_os_str()),
            }
        }
        if full.starts_with(&self.root) { Ok(full) } else { Err(escapes(path)) }
    }

    fn resolve(&self, path: &str) -> Result<PathBuf, Problem> {
        let full = self.lexical(path)?;
        match fs::canonicalize(&full) {
            Ok(real) if real.starts_with(&self.root) => Ok(real),
            Ok(_) => Err(escapes(path)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(Problem::error(format!("the file `{}` does not exist", tidy(path))))
            }
            Err(error) => Err(Problem::error(format!("can't read `{}`: {}", tidy(path), words(&error)))),
        }
    }
}

/// Finds the nearest folder, from `start` up, that has a file of this name.
///
/// # Errors
/// If `start` is no folder, or can't be entered.
pub fn find_up(start: &Path, name: &str) -> Result<Option<PathBuf>, Error> {
    let start = Files::open(start)?.root;
    Ok(start.ancestors().find(|folder| folder.join(name).is_file()).map(Path::to_path_buf))
}

/// Reads a text that a person named on the command line or in a variable, wherever it is.
///
/// # Errors
/// As [`Files::read`], but for the place.
pub fn read_anywhere(path: &Path) -> Result<Arc<SourceText>, Problem> {
    let name = path.display().to_string();
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Problem::error(format!("the file `{name}` does not exist")))
        }
        _ => text(path, &name),
    }
}

/// Writes a text that a person named on the command line, wherever it is, atomically.
///
/// A link stays, and what it leads to is written; a device or a pipe is written to as it is.
///
/// # Errors
/// If the system refuses.
pub fn write(path: &Path, text: &str, mode: Mode) -> Result<(), Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let failed = |error: &std::io::Error| Error::new(format!("can't write `{}`", path.display())).because(words(error));
    let real = match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let file = fs::OpenOptions::new().write(true).open(path);
            return file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(&error));
        }
        Ok(_) => fs::canonicalize(path).map_err(|error| failed(&error))?,
        Err(_) => path.to_path_buf(),
    };
    let path = real.as_path();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = folder.join(format!(".{name}.{}.{number}.tmp", std::process::id()));
    let written = write_new(&temporary, text, mode).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(&error)
    })
}

/// Tells whether anything stands at a path, wherever it is.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Tells whether a folder stands at a path, wherever it is.
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// Deletes a file, wherever it is, and tells whether it was there.
///
/// # Errors
/// If the system refuses.
pub fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::new(format!("can't delete `{}`", path.display())).because(words(&error))),
    }
}

fn write_new(path: &Path, text: &str, mode: Mode) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options, mode);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Lets a new file be read by those of a mode.
fn private(options: &mut fs::OpenOptions, mode: Mode) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if mode == Mode::Private { 0o600 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = (options, mode);
}

fn text(path: &Path, name: &str) -> Result<Arc<SourceText>, Problem> {
    let failed = |error: std::io::Error| Problem::error(format!("can't read `{name}`: {}", words(&error)));
    let found = fs::metadata(path).map_err(failed)?;
    if !found.is_file() {
        return Err(Problem::error(format!("`{name}` is a folder or a device, not a file")));
    }
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(failed)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Problem::error(format!("`{name}` is larger than {} MiB", LARGEST / 1024 / 1024))
            .hint("split it into smaller files"));
    }
    String::from_utf8(bytes).map(|text| SourceText::new(name, text)).map_err(|error| not_utf8(name, &error))
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Problem {
    let at = error.utf8_error().valid_up_to();
    let byte = error.as_bytes()[at];
    let source = SourceText::new(name, String::from_utf8_lossy(error.as_bytes()));
    let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
    Problem::error(format!("`{name}` is not UTF-8: byte {at} is 0x{byte:02x}"))
        .at(Some(Origin::new(&source, at..end)))
        .hint("save the file as UTF-8")
}

fn escapes(path: &str) -> Problem {
    Problem::error(format!("the path `{path}` leads out of the project folder"))
        .hint("files are taken from inside the project folder only; copy the file there")
}

/// Writes a path the way people do: without `./` and `x/..`.
fn tidy(path: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop();
            }
            other => parts.push(other.as_os_str().to_string_lossy().into_owned()),
        }
    }
    parts.join("/").replacen("//", "/", 1)
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Files, Mode, find_up, remove, write};

    #[test]
    fn a_start_that_is_no_folder_is_not_searched_from() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let said = |start: &std::path::Path| find_up(start, "b.yaml").unwrap_err().message;
        assert_eq!(said(&missing), format!("the folder `{}` does not exist", missing.display()));
        std::fs::write(&missing, "").unwrap();
        assert_eq!(said(&missing), format!("`{}` is not a folder", missing.display()));
    }

    #[test]
    fn a_text_that_was_written_is_read_again_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        files.write("a/b.yaml", "x: 1\n", Mode::Private).unwrap();
        let read = files.read("./a/../a/b.yaml").unwrap();
        assert_eq!((read.name.as_str(), read.text.as_str()), ("a/b.yaml", "x: 1\n"));
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
        assert_eq!(files.entry("a"), Entry::Folder);
        assert_eq!(find_up(&folder.path().join("a"), "b.yaml").unwrap(), Some(files.root().join("a")));
        assert_eq!(find_up(&folder.path().join("a"), "c.yaml").unwrap(), None);
        let full = files.root().join("a/b.yaml");
        assert_eq!((remove(&full).unwrap(), remove(&full).unwrap()), (true, false));
        assert_eq!(files.entry("a/b.yaml"), Entry::Nothing);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_and_a_device_stay_what_they_are() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let [file, link, null] = ["file", "link", "null"].map(|name| folder.path().join(name));
        std::fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        write(&link, "after", Mode::Public).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "after");
        let held = std::os::unix::net::UnixDatagram::bind(&null).unwrap();
        assert!(write(&null, "x", Mode::Public).is_err(), "a socket is opened as it is, which is refused");
        assert!(std::fs::metadata(&null).unwrap().file_type().is_socket());
        drop(held);
    }

    #[test]
    fn paths_that_lead_out_are_problems_for_reads_and_writes() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        let absolute = outside.path().join("secret");
        for path in ["../x", "a/../../x", absolute.to_str().unwrap(), "link/secret"] {
            let message = files.read(path).unwrap_err().message;
            assert!(message.contains("leads out of the project folder"), "{path}: {message}");
            assert!(files.write(path, "y", Mode::Public).is_err(), "{path}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_a_problem_with_a_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), b"ok: 1\nbad: \xff\n").unwrap();
        let problem = Files::open(folder.path()).unwrap().read("a.yaml").unwrap_err();
        assert_eq!(problem.message, "`a.yaml` is not UTF-8: byte 11 is 0xff");
        assert_eq!(problem.origin.unwrap().to_string(), "a.yaml:2:6");
    }
}
