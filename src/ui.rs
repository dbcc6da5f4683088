//! The terminal: the one user of stdout and stderr.
//!
//! stdout carries results, stderr everything else. All text passes through `Secrets::hide`.

use std::io::Write;

use crate::error::{Error, Problem};
use crate::secret::Secrets;

/// The terminal of this run.
#[derive(Debug, Clone, Default)]
pub struct Ui {
    secrets: Secrets,
}

impl Ui {
    /// Opens the terminal; every text in `secrets` is hidden in all that is printed.
    #[must_use]
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets }
    }

    /// Prints a result to stdout.
    pub fn result(&self, text: &str) {
        let _ = write!(std::io::stdout(), "{}", self.secrets.hide(text));
    }

    /// Prints a message to stderr, as a line.
    pub fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{}", self.secrets.hide(text));
    }

    /// Prints a problem.
    pub fn problem(&self, problem: &Problem) {
        self.say(&format!("{problem:?}"));
    }

    /// Prints a failure with its problems, causes and hint.
    pub fn error(&self, error: &Error) {
        for problem in error.problems.clone().sorted() {
            self.problem(&problem);
        }
        self.say(&format!("error: {error}"));
        for cause in &error.causes {
            self.say(&format!("caused by: {cause}"));
        }
        if let Some(hint) = &error.hint {
            self.say(&format!("hint: {hint}"));
        }
    }
}
