//! Companion files in the directory layout: some lie beside the file of their object.
//!
//! Pure, a part of `parse`: whether a file is there comes in through a function.

use std::borrow::Cow;

use serde_json::Value;

use super::Parser;
use super::values::names_a_file;
use crate::config::yaml::{Entry, Node};
use crate::error::Problem;
use crate::kinds::kind::{Companion, Kind};

/// The file of an object, in the directory layout.
#[derive(Clone, Copy)]
pub struct OwnFile<'a> {
    /// Its path in the project folder.
    pub path: &'a str,
    /// Tells whether a file is there, by its path in the project folder.
    pub has: &'a dyn Fn(&str) -> bool,
}

impl OwnFile<'_> {
    /// Gives its folder: empty, or with a slash at its end.
    fn folder(&self) -> &str {
        self.path.rfind('/').map_or("", |at| &self.path[..=at])
    }

    /// Gives the name of the file beside it that has the same name with the ending of a companion.
    fn twin(&self, companion: &Companion) -> String {
        let name = &self.path[self.folder().len()..];
        let stem = name.rfind('.').map_or(name, |at| &name[..at]);
        let ending = companion.name.rfind('.').map_or("", |at| &companion.name[at..]);
        format!("{stem}{ending}")
    }
}

impl Parser<'_> {
    /// Gives what paths of a companion are relative to: empty, or with a slash at its end.
    pub(super) fn base(&self, companion: &Companion) -> String {
        match &self.own {
            Some(own) if companion.beside.is_some() => own.folder().to_owned(),
            _ if companion.folder.is_empty() => self.folder.clone(),
            _ => format!("{}{}/", self.folder, companion.folder),
        }
    }

    /// Gives the members of an object, with the names of companions that are found beside its file in
    /// the place of what names none; nothing if one is missing, which is told.
    pub(super) fn with_sought<'e>(
        &mut self,
        kind: &Kind,
        node: &Node,
        entries: &'e [Entry],
    ) -> Option<Cow<'e, [Entry]>> {
        let mut entries = Cow::Borrowed(entries);
        let Some(own) = self.own else { return Some(entries) };
        for field in &kind.fields {
            let Some(companion) = field.file.as_ref().filter(|companion| companion.sought) else { continue };
            let at = entries.iter().position(|entry| entry.key == field.name);
            let written = at.map(|at| entries[at].clone());
            let text = written.as_ref().and_then(|entry| entry.value.as_text());
            // What is no text is for others to judge, and null says that there is none.
            let is_other = written.is_some() && text.is_none();
            if is_other || text.is_some_and(|text| (own.has)(&format!("{}{text}", own.folder()))) {
                continue;
            }
            let twin = own.twin(companion);
            if (own.has)(&format!("{}{twin}", own.folder())) {
                let span = written.as_ref().map_or(&node.span, |entry| &entry.value.span).clone();
                let value = Node::of_json(Value::from(twin), &span, false);
                match at {
                    Some(at) => entries.to_mut()[at].value = value,
                    None => entries.to_mut().push(Entry { key: field.name.clone(), span, value }),
                }
            } else if text.is_none_or(|text| names_a_file(companion, text)) {
                let message = format!("`{}` is skipped: there is no `{twin}` beside it", own.path);
                self.problems.push(Problem::warning(message).at(Some(self.origin(&node.span))));
                return None;
            }
        }
        Some(entries)
    }
}
