//! Files that are this tool's own: locked, hidden from git, growing line by line.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::words;
use crate::error::Error;

/// Keeps a file for this process alone until the result is dropped; other processes wait for it.
///
/// The folder of a new one is hidden from git: it is this tool's own.
///
/// # Errors
/// If another process still holds it after `patience`, or the system refuses.
pub fn hold(path: &Path, patience: Duration) -> Result<fs::File, Error> {
    let failed = |error: &std::io::Error| Error::new(format!("can't lock `{}`", path.display())).because(words(error));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    hidden_folder(folder)?;
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|error| failed(&error))?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if waited < patience => {
                std::thread::sleep(STEP);
                waited += STEP;
            }
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Error::new(format!("`{}` is in use by another process", path.display())));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed(&error)),
        }
    }
}

/// Makes a folder of this tool's own, if it is not there, and hides it from git.
///
/// # Errors
/// If the system refuses.
pub fn hidden_folder(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        return Ok(());
    }
    let made = fs::create_dir_all(folder).and_then(|()| fs::write(folder.join(".gitignore"), "*\n"));
    made.map_err(|error| Error::new(format!("can't make the folder `{}`", folder.display())).because(words(&error)))
}

/// A file that grows line by line, readable by the user alone.
#[derive(Debug)]
pub struct Lines(fs::File);

impl Lines {
    pub(super) fn new(file: fs::File) -> Self {
        Self(file)
    }

    /// Adds a line. It is with the system when this returns, so that it outlives this process.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn add(&mut self, line: &str) -> Result<(), Error> {
        let added = self.0.write_all(format!("{line}\n").as_bytes());
        added.map_err(|error| Error::new("can't write a line").because(words(&error)))
    }

    /// Has all lines on disk, so that they outlive the machine.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn sync(&self) -> Result<(), Error> {
        self.0.sync_data().map_err(|error| Error::new("can't write to disk").because(words(&error)))
    }
}

/// How long to wait before a lock is tried again.
const STEP: Duration = Duration::from_millis(50);
