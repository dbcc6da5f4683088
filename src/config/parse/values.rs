//! The values of one object: what the tree holds becomes JSON, and each place is noted.
//!
//! Pure, as `parse`, of whose parser this is the inner part: here names become those of the
//! declaration, markers without a value are kept or told, and companion files come in.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Parser, Part, expanded};
use crate::config::scalar::number;
use crate::config::substitute;
use crate::config::yaml::{Content, Data, Entry, Node};
use crate::error::Problem;
use crate::kinds::kind::{Companion, Field, Fields};
use crate::text::escape;

impl Parser<'_> {
    /// Reads the members of an object, or of a value within it, whose fields are declared.
    pub(super) fn members(
        &mut self,
        entries: &[&Entry],
        fields: &Fields,
        pointer: &str,
        is_secret: bool,
        part: &mut Part<'_>,
    ) -> Map<String, Value> {
        let mut members = Map::with_capacity(entries.len());
        let mut seen: HashMap<String, &Entry> = HashMap::new();
        for entry in entries {
            let field = fields.find(&entry.key);
            if field.is_some_and(|field| field.read_only) {
                continue;
            }
            let name = field.map_or(entry.key.as_str(), |field| field.name.as_str());
            // An old name that says the same as the new one is how the Deploy CLI exports it.
            let is_repeated = |first: &&Entry| first.value.to_json() == entry.value.to_json();
            if seen.get(name).is_some_and(is_repeated) {
                continue;
            }
            if let Some(first) = seen.insert(name.to_owned(), entry) {
                let message = format!("`{}` and `{}` are two names of one field", first.key, entry.key);
                let also = self.origin(&first.span);
                let problem = Problem::error(message).at(Some(self.origin(&entry.span))).also(Some(also), "first here");
                self.problems.push(problem.hint(format!("keep `{name}` alone")));
                continue;
            }
            let at = format!("{pointer}/{}", escape(name));
            if self.substituted.is_secret(&entry.span) {
                part.provenance.sensitive.insert(pointer.to_owned());
            }
            let value = self.value(&entry.value, field, &at, is_secret, part);
            part.provenance.note_key(&at, self.origin(&entry.span));
            let Some(mut value) = value else { continue };
            let wire = field.and_then(|field| field.convert.as_ref()).filter(|convert| convert.wire == entry.key);
            if let (Some(convert), Some(wired)) = (wire, value.as_f64()) {
                value = number(wired / f64::from(convert.times)).map_or(value, Value::Number);
            }
            members.insert(name.to_owned(), value);
        }
        members
    }

    fn value(
        &mut self,
        node: &Node,
        field: Option<&Field>,
        pointer: &str,
        is_secret: bool,
        part: &mut Part<'_>,
    ) -> Option<Value> {
        let expanded = expanded(node);
        let node = expanded.as_ref().unwrap_or(node);
        part.provenance.note(pointer, self.origin(&node.span));
        // What others write a keyword for is kept without a value, as a secret is.
        let is_secret = is_secret || field.is_some_and(|field| field.secret || field.marker.is_some());
        match &*node.data {
            Data::Scalar(scalar) => {
                if scalar.is_sensitive {
                    part.provenance.sensitive.insert(pointer.to_owned());
                }
                match &scalar.content {
                    Content::Value(value) => Some(self.companion(node, field, value, pointer, part)),
                    Content::Missing(keyword) if is_secret => {
                        part.provenance.kept.insert(pointer.to_owned(), keyword.clone());
                        None
                    }
                    Content::Missing(keyword) => {
                        self.without_value(keyword, &node.span);
                        None
                    }
                    Content::Broken => {
                        self.is_broken = true;
                        None
                    }
                }
            }
            Data::List(items) => {
                let inner = field.and_then(|field| field.items.as_deref());
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let at = format!("{pointer}/{index}");
                    if let Data::Scalar(scalar) = &*item.data
                        && let Content::Missing(keyword) = &scalar.content
                    {
                        self.without_value(keyword, &item.span);
                    } else {
                        values.extend(self.value(item, inner, &at, is_secret, part));
                    }
                }
                Some(Value::Array(values))
            }
            Data::Map(entries) => {
                let entries: Vec<&Entry> = entries.iter().collect();
                let inner = field.and_then(|field| field.items.as_deref());
                let members = match (field, inner) {
                    (_, Some(inner)) => self.free_members(&entries, Some(inner), pointer, is_secret, part),
                    (Some(field), None) if !field.fields.is_empty() => {
                        self.members(&entries, &field.fields, pointer, is_secret, part)
                    }
                    _ => self.free_members(&entries, None, pointer, is_secret, part),
                };
                Some(Value::Object(members))
            }
        }
    }

    /// Reads a map whose keys are the user's.
    fn free_members(
        &mut self,
        entries: &[&Entry],
        field: Option<&Field>,
        pointer: &str,
        is_secret: bool,
        part: &mut Part<'_>,
    ) -> Map<String, Value> {
        let mut members = Map::with_capacity(entries.len());
        for entry in entries {
            if self.substituted.is_secret(&entry.span) {
                part.provenance.sensitive.insert(pointer.to_owned());
            }
            let at = format!("{pointer}/{}", escape(&entry.key));
            let value = self.value(&entry.value, field, &at, is_secret, part);
            part.provenance.note_key(&at, self.origin(&entry.span));
            members.extend(value.map(|value| (entry.key.clone(), value)));
        }
        members
    }

    /// Takes the text of a companion file in the place of its name.
    fn companion(
        &mut self,
        node: &Node,
        field: Option<&Field>,
        value: &Value,
        pointer: &str,
        part: &mut Part<'_>,
    ) -> Value {
        let companion = field.and_then(|field| field.file.as_ref());
        let (Some(companion), Value::String(text)) = (companion, value) else { return value.clone() };
        if !names_a_file(companion, text) {
            return value.clone();
        }
        let path = format!("{}{text}", self.base(companion));
        match (self.read)(&path) {
            Ok(source) => {
                let read = substitute::companion(&source, self.keywords, self.environment, &mut self.problems);
                let whole = 0..read.text().len();
                if read.is_secret(&whole) {
                    part.provenance.sensitive.insert(pointer.to_owned());
                }
                let text = Value::from(read.text());
                self.companions.push(read);
                text
            }
            Err(problem) => {
                let label = pointer.trim_start_matches('/');
                let message = format!("{}/{}: `{label}`: {}", part.kind.name, part.name, problem.message);
                let origin = problem.origin.clone().unwrap_or_else(|| self.origin(&node.span));
                self.problems.push(Problem { message, ..problem }.at(Some(origin)));
                self.is_broken = true;
                Value::Null
            }
        }
    }
}

/// Tells whether the text of a field is the name of its file: one line with the file's extension.
pub(super) fn names_a_file(companion: &Companion, text: &str) -> bool {
    let extension = companion.name.rfind('.').map_or("", |at| &companion.name[at..]);
    !extension.is_empty() && text.ends_with(extension) && !text.contains(['\n', '<', '>'])
}
