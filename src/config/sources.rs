//! The texts of the definitions, in either layout of the Deploy CLI: one file, or a folder of files.
//!
//! Reads what `directory` finds and knows nothing of what the texts mean.

use std::sync::Arc;

use super::directory::{self, Found, Look, Part};
use super::settings::{Input, Settings};
use crate::error::{Error, Problem, Problems, SourceText};
use crate::files::{self, Entry, Files};
use crate::kinds::Registry;
use crate::kinds::kind::Kind;

/// The definitions as they stand in files.
#[derive(Debug)]
pub(super) struct Sources<'r> {
    /// The texts, in order.
    pub(super) texts: Vec<Text<'r>>,
    /// In the directory layout, the kinds that are there, with files or without.
    pub(super) kinds: Vec<&'r Kind>,
    /// The folder of the definitions in the project folder: empty, or with a slash at its end.
    pub(super) folder: String,
}

/// One file of definitions.
#[derive(Debug)]
pub(super) struct Text<'r> {
    /// The text.
    pub(super) source: Arc<SourceText>,
    /// The kind that it is of; none for the file that holds all kinds.
    pub(super) kind: Option<&'r Kind>,
}

/// Reads the file of definitions, or all files of the folder.
///
/// # Errors
/// If the one file can't be read; what is wrong with a file of a folder is added to the problems.
pub(super) fn read<'r>(
    settings: &Settings,
    registry: &'r Registry,
    problems: &mut Problems,
) -> Result<Sources<'r>, Error> {
    let path = settings.definitions.value.as_str();
    let read = match &settings.input {
        Input::Project if settings.files.entry(path) == Entry::Folder => {
            return Ok(folder(path, settings, registry, problems));
        }
        Input::At(at) if files::is_folder(at) => return Ok(folder(".", settings, registry, problems)),
        Input::Project => settings.files.read(path),
        Input::At(at) => files::read_anywhere(at),
        Input::Nowhere => {
            return Err(Error::new("no definitions are given").hint("name them with `-i tenant.yaml`"));
        }
    };
    let source = read.map_err(|problem| at_definitions(settings, problem))?;
    Ok(Sources { texts: vec![Text { source, kind: None }], kinds: Vec::new(), folder: settings.base.clone() })
}

fn folder<'r>(path: &str, settings: &Settings, registry: &'r Registry, problems: &mut Problems) -> Sources<'r> {
    let path = path.trim_end_matches('/').trim_start_matches("./");
    let folder = if path.is_empty() || path == "." { String::new() } else { format!("{path}/") };
    let mut found = Problems::default();
    let parts = parts(&settings.files, &folder, registry, &mut found);
    if parts.is_empty() && !found.has_errors() {
        let message = format!("`{}` has no definitions", settings.definitions.value);
        found.push(Problem::error(message).hint("it has neither a folder nor a file of a kind, such as `clients/`"));
    }
    let mut texts = Vec::new();
    for part in &parts {
        for path in &part.files {
            match settings.files.read(&format!("{folder}{path}")) {
                Ok(source) => texts.push(Text { source, kind: Some(part.kind) }),
                Err(problem) => found.push(problem),
            }
        }
    }
    problems.extend(found.into_iter().map(|problem| at_definitions(settings, problem)));
    Sources { texts, kinds: parts.iter().map(|part| part.kind).collect(), folder }
}

/// Finds the files of all kinds in a folder of definitions: empty, or with a slash at its end.
pub fn parts<'r>(files: &Files, folder: &str, registry: &'r Registry, problems: &mut Problems) -> Vec<Part<'r>> {
    let look: &Look<'_> = &|path: &str| {
        let path = format!("{folder}{path}");
        Ok(match files.find(if path.is_empty() { "." } else { &path })? {
            Entry::Nothing => Found::Nothing,
            Entry::File => Found::File,
            Entry::Folder => Found::Folder(files.list(&path).map_err(|error| Problem::error(error.message))?),
        })
    };
    directory::parts(registry, look, problems)
}

/// Has a problem without a place point at what names the definitions.
fn at_definitions(settings: &Settings, problem: Problem) -> Problem {
    let named = Some(settings.definitions.origin.clone()).filter(|_| settings.input == Input::Project);
    let origin = problem.origin.clone().or(named);
    problem.at(origin)
}
