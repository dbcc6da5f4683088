//! Objects that lie in a JSON file of their own, which an entry of the one file of all kinds names.
//!
//! Pure, a part of `parse`: the file comes in through a function. What it says goes before what the entry
//! says, as in the Deploy CLI.

use super::Parser;
use crate::config::substitute::Substituted;
use crate::config::yaml::{Content, Data, Entry, Node};
use crate::error::{Problem, Problems};
use crate::kinds::kind::Kind;
use crate::tenant::Object;

/// Reads the file of an object of a kind, by its path in the project folder; nothing where the problems say why.
pub type ReadBody<'a> = dyn FnMut(&str, &Kind, &mut Problems) -> Result<Option<BodyFile>, Problem> + 'a;

/// The file of an object.
#[derive(Debug)]
pub struct BodyFile {
    /// Its text.
    pub read: Substituted,
    /// Its tree, as a map of kinds.
    pub root: Node,
}

impl BodyFile {
    /// Gives the members of the object.
    pub(super) fn entries(&self) -> Option<&[Entry]> {
        let Data::Map(kinds) = &*self.root.data else { return None };
        let Data::List(objects) = &*kinds.first()?.value.data else { return None };
        match &*objects.first()?.data {
            Data::Map(entries) => Some(entries),
            _ => None,
        }
    }
}

/// An object that lies in a file of its own.
#[derive(Debug)]
pub struct Body {
    /// The file.
    pub file: BodyFile,
    /// The whole object: what the file and the entry that names it say.
    pub object: Object,
}

impl Parser<'_> {
    /// Reads the file that an entry of a kind names, if the kind has such files and the entry names one.
    ///
    /// # Errors
    /// It can't be read, which is told.
    pub(super) fn body(&mut self, kind: &Kind, entries: &[Entry]) -> Result<Option<BodyFile>, ()> {
        let named = entries.iter().find(|entry| kind.body.as_ref() == Some(&entry.key));
        let (Some(entry), None) = (named, &self.own) else { return Ok(None) };
        let Some(text) = entry.value.as_text() else {
            match &*entry.value.data {
                Data::Scalar(scalar) => match &scalar.content {
                    Content::Missing(keyword) => self.without_value(keyword, &entry.value.span),
                    Content::Broken => {}
                    Content::Value(_) => self.no_body(kind, entry),
                },
                _ => self.no_body(kind, entry),
            }
            return Err(());
        };
        let path = format!("{}{text}", self.folder);
        let mut found = Problems::default();
        let read = self.bodies.as_mut().map_or(Ok(None), |read| read(&path, kind, &mut found));
        self.problems.extend(found);
        match read {
            Ok(Some(file)) if file.entries().is_some() => return Ok(Some(file)),
            Ok(Some(file)) => {
                let problem = Problem::error(format!("`{path}` must hold a JSON object"));
                self.problems.push(problem.at(Some(file.read.origin(&file.root.span))));
            }
            Ok(None) => {}
            Err(problem) => {
                let name = entries.iter().find(|entry| kind.identity.iter().any(|way| way.fields.contains(&entry.key)));
                let name = name.and_then(|entry| entry.value.as_text()).unwrap_or("?");
                let message = format!("{}/{name}: `{}`: {}", kind.name, entry.key, problem.message);
                let origin = problem.origin.clone().unwrap_or_else(|| self.origin(&entry.value.span));
                self.problems.push(Problem { message, ..problem }.at(Some(origin)));
            }
        }
        Err(())
    }

    fn no_body(&mut self, kind: &Kind, entry: &Entry) {
        let place = kind.directory.as_ref().map_or_else(|| "name.json".to_owned(), |it| it.path(&it.file));
        let message = format!("`{}` names the file that has the rest, and can't be {}", entry.key, entry.value.what());
        self.error(message, &entry.value.span, &format!("such as `./{place}`"));
    }

    /// Says of what stands in two places, and differs, which one counts.
    pub(super) fn twice(&mut self, entries: &[Entry], file: &BodyFile) {
        for entry in entries {
            let other = file.entries().into_iter().flatten().find(|other| other.key == entry.key);
            let Some(other) = other.filter(|other| other.value.to_json() != entry.value.to_json()) else { continue };
            let message = format!("`{}` counts as {} has it", entry.key, file.read.source.name);
            let origin = self.origin(&entry.span);
            let problem = Problem::warning(message).at(Some(origin)).also(Some(file.read.origin(&other.span)), "there");
            self.problems.push(problem.hint("let both say the same, or remove it here"));
        }
    }

    /// Does something with a parser of another file, whose problems become those of this one.
    pub(super) fn within<T>(&mut self, read: &Substituted, act: impl FnOnce(&mut Parser<'_>) -> T) -> T {
        let mut inner = Parser::new(read, self.registry, self.keywords, self.environment, &mut *self.read);
        inner.folder.clone_from(&self.folder);
        inner.strict = self.strict;
        let done = act(&mut inner);
        let Parser { problems, companions, is_broken, .. } = inner;
        self.problems.extend(problems);
        self.companions.extend(companions);
        self.is_broken |= is_broken;
        done
    }
}
