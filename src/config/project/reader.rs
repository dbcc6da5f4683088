//! Reads values of a file without substitution: each is what is wanted, or a problem with its place.
//!
//! Pure; knows the shapes of YAML and no key of the project file.

use std::sync::Arc;

use super::Placed;
use crate::config::yaml::{Data, Entry, Node, Span};
use crate::error::{Origin, Problem, Problems, SourceText};
use crate::secret::Secrets;
use crate::text::{did_you_mean, one_of};

/// Reads one file, and collects what is wrong with it.
pub(in crate::config) struct Reader<'a> {
    pub(in crate::config) source: &'a Arc<SourceText>,
    pub(in crate::config) secrets: &'a Secrets,
    pub(in crate::config) problems: &'a mut Problems,
}

impl Reader<'_> {
    /// Gives the place of a span.
    pub(in crate::config) fn origin(&self, span: &Span) -> Origin {
        Origin::new(self.source, span.clone())
    }

    /// Puts a value and its place together.
    pub(in crate::config) fn placed<T>(&self, value: T, span: &Span) -> Placed<T> {
        Placed { value, origin: self.origin(span) }
    }

    /// Says that a value is not what is wanted.
    pub(in crate::config) fn wrong(&mut self, what: &str, wanted: &str, node: &Node) {
        let origin = self.origin(&node.span);
        self.problems.push(Problem::error(format!("{what} must be {wanted}, not {}", node.what())).at(Some(origin)));
    }

    /// Reads a map.
    pub(in crate::config) fn members(&mut self, node: &Node, what: &str) -> Vec<Entry> {
        if let Data::Map(entries) = &*node.data {
            return entries.clone();
        }
        self.wrong(what, "a map", node);
        Vec::new()
    }

    /// Says that a key is none of those that are known.
    pub(in crate::config) fn unknown(&mut self, entry: &Entry, known: &[&str]) {
        let hint = match did_you_mean(&entry.key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", one_of(known)),
        };
        let origin = self.origin(&entry.span);
        self.problems
            .push(Problem::error(format!("the key `{}` is not known here", entry.key)).at(Some(origin)).hint(hint));
    }

    /// Reads a text.
    pub(in crate::config) fn text(&mut self, entry: &Entry) -> Option<Placed<String>> {
        if let Some(text) = entry.value.as_text() {
            return Some(self.placed(text.to_owned(), &entry.value.span));
        }
        self.wrong(&format!("`{}`", entry.key), "a text", &entry.value);
        None
    }

    /// Reads true or false.
    pub(in crate::config) fn claim(&mut self, entry: &Entry) -> bool {
        entry.value.to_json().as_bool().unwrap_or_else(|| {
            self.wrong(&format!("`{}`", entry.key), "true or false", &entry.value);
            false
        })
    }

    /// Reads a list.
    pub(in crate::config) fn items(&mut self, entry: &Entry) -> Vec<Node> {
        if let Data::List(items) = &*entry.value.data {
            return items.clone();
        }
        self.wrong(&format!("`{}`", entry.key), "a list", &entry.value);
        Vec::new()
    }

    /// Reads a list of texts.
    pub(in crate::config) fn texts(&mut self, entry: &Entry) -> Vec<Placed<String>> {
        let mut texts = Vec::new();
        for item in self.items(entry) {
            match item.as_text() {
                Some(text) => texts.push(self.placed(text.to_owned(), &item.span)),
                None => self.wrong(&format!("an element of `{}`", entry.key), "a text", &item),
            }
        }
        texts
    }
}
