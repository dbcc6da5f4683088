//! The parser's events -> the tree: anchors, aliases and merge keys, with their budgets.
//!
//! Pure. It tells everything that is wrong and goes on, but for what would never end; scalars are
//! filled by the [`Reading`] or mean what `scalar` takes them for.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, ScalarStyle, Tag};
use serde_json::Value;

use super::{Content, DEEPEST, Data, Entry, Node, Reading, Scalar, Span};
use crate::config::javascript::number_text;
use crate::config::scalar::{Plain, plain};
use crate::error::Problem;
use crate::secret::MASK;

/// How many values aliases may add.
const MOST_ALIASED: usize = 1_000_000;
/// How many keys merges (`<<`) may add, as in js-yaml.
const MOST_MERGED: usize = 10_000;

/// Puts the parser's events together.
pub(super) struct Builder<'r> {
    text: &'r str,
    pub(super) reading: &'r mut dyn Reading,
    pub(super) problems: Vec<Problem>,
    anchors: HashMap<usize, Node>,
    stack: Vec<Open>,
    pub(super) root: Option<Node>,
    aliased: usize,
    merged: usize,
    pub(super) is_stopped: bool,
}

/// A collection that is not yet closed.
struct Open {
    anchor: usize,
    span: Span,
    content: Collection,
}

enum Collection {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, places: HashMap<String, Place>, key: Option<Key> },
}

/// Where a key of an open map stands, and whether a key written out may take its place.
struct Place {
    index: usize,
    is_merged: bool,
}

/// A key that waits for its value.
enum Key {
    Text(String, Span),
    Merge,
    Broken,
}

impl<'r> Builder<'r> {
    /// Begins with no tree.
    pub(super) fn new(text: &'r str, reading: &'r mut dyn Reading) -> Self {
        Self {
            text,
            reading,
            problems: Vec::new(),
            anchors: HashMap::new(),
            stack: Vec::new(),
            root: None,
            aliased: 0,
            merged: 0,
            is_stopped: false,
        }
    }

    /// Takes the next event.
    pub(super) fn take(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), &span),
            Event::SequenceStart(_, anchor, tag) => {
                self.open(anchor, tag.as_deref(), "seq", span, Collection::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                let content = Collection::Map { entries: Vec::new(), places: HashMap::new(), key: None };
                self.open(anchor, tag.as_deref(), "map", span, content);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&span),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(_) => {
                // Not by name: it can be a secret that nobody put in quotes.
                let origin = self.reading.origin(&span);
                let problem = Problem::error("an alias has no anchor above it").at(Some(origin));
                self.problems.push(problem.hint("put a text that begins with `*` in quotes"));
                self.place(leaf(Scalar::broken(), span));
            }
            _ => {}
        }
    }

    fn error(&mut self, message: impl Into<String>, span: &Span) {
        let origin = self.reading.origin(span);
        self.problems.push(Problem::error(message).at(Some(origin)));
    }

    /// Says what is wrong, and reads no further.
    pub(super) fn stop(&mut self, message: impl Into<String>, span: &Span, hint: &str) {
        let origin = self.reading.origin(span);
        self.problems.push(Problem::error(message).at(Some(origin)).hint(hint));
        self.is_stopped = true;
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open { content: Collection::Map { key: None, .. }, .. }))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, span: &Span) {
        let span = trimmed(span, self.text);
        if self.awaits_key() && style == ScalarStyle::Plain && tag.is_none() {
            if text == "<<" {
                return self.place_key(Key::Merge);
            }
            if text.is_empty() {
                self.error("a key is missing before the colon", &span);
                return self.place_key(Key::Broken);
            }
        }
        let scalar = match self.reading.fill(text, style, &span) {
            Some(filled) => filled,
            None => self.resolve(text, style, tag, &span),
        };
        let node = leaf(scalar, span);
        self.remember(anchor, &node);
        self.place(node);
    }

    fn resolve(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Scalar {
        let is_sensitive = self.reading.is_sensitive(span);
        let shown = if is_sensitive { MASK } else { text };
        let value = match tag {
            None if style != ScalarStyle::Plain => Some(Value::from(text)),
            None => match plain(text) {
                Plain::Value(value) => Some(value),
                Plain::Date(date) => {
                    let origin = self.reading.origin(span);
                    let message = format!("`{shown}` is taken as a text; the Deploy CLI takes it for a date");
                    self.problems.push(Problem::warning(message).at(Some(origin)).hint("put it in quotes"));
                    Some(Value::from(date))
                }
                Plain::NotFinite => {
                    self.error(format!("`{shown}` is no number that can be sent"), span);
                    None
                }
            },
            Some(tag) => tagged(tag, text).or_else(|| {
                let origin = self.reading.origin(span);
                let problem = Problem::error("the tag is not known, or does not fit its value").at(Some(origin));
                self.problems.push(problem.hint("put a text that begins with `!` in quotes"));
                None
            }),
        };
        Scalar { content: value.map_or(Content::Broken, Content::Value), is_sensitive }
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, expected: &str, span: Span, content: Collection) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(expected) && tag.to_string() != "!") {
            self.error(format!("the tag `{tag}` is not known, or does not fit here"), &span);
        }
        if self.stack.len() >= DEEPEST {
            return self.stop(format!("nested more than {DEEPEST} levels deep"), &span, "flatten it");
        }
        self.stack.push(Open { anchor, span, content });
    }

    fn close(&mut self, end: &Span) {
        let Some(open) = self.stack.pop() else { return };
        let (data, last) = match open.content {
            Collection::List(items) => {
                let last = items.last().map(|item| item.span.end);
                (Data::List(items), last)
            }
            Collection::Map { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end.max(entry.span.end));
                (Data::Map(entries), last)
            }
        };
        // A block collection ends where the next token begins, which says nothing.
        let stop = if end.is_empty() { last.unwrap_or(open.span.end) } else { end.end };
        let (mut weight, mut height) = (1, 1);
        let mut count = |child: &Node| {
            weight += child.weight;
            height = height.max(child.height + 1);
        };
        match &data {
            Data::List(items) => items.iter().for_each(&mut count),
            Data::Map(entries) => entries.iter().for_each(|entry| count(&entry.value)),
            Data::Scalar(_) => {}
        }
        let span = open.span.start..stop.max(open.span.end);
        let node = Node { data: Rc::new(data), span, weight, height };
        self.remember(open.anchor, &node);
        self.place(node);
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn alias(&mut self, id: usize, span: Span) {
        let Some(target) = self.anchors.get(&id).cloned() else {
            self.error("an alias stands inside what it stands for", &span);
            return self.place(leaf(Scalar::broken(), span));
        };
        self.aliased += target.weight;
        if self.aliased > MOST_ALIASED {
            return self.stop(
                format!("aliases make more than {MOST_ALIASED} values of this file"),
                &span,
                "write the values out, or use fewer aliases of aliases",
            );
        }
        if self.stack.len() + target.height > DEEPEST {
            return self.stop(format!("nested more than {DEEPEST} levels deep by aliases"), &span, "flatten it");
        }
        self.place(Node { span, ..target });
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node) {
        if self.awaits_key() {
            let key = self.key_of(&node);
            return self.place_key(key);
        }
        match self.stack.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Collection::List(items)) => items.push(node),
            Some(Collection::Map { key, .. }) => match key.take() {
                Some(Key::Text(text, span)) => self.member(text, span, node),
                Some(Key::Merge) => self.merge(&node),
                Some(Key::Broken) | None => {}
            },
        }
    }

    fn place_key(&mut self, new: Key) {
        if let Some(Open { content: Collection::Map { key, .. }, .. }) = self.stack.last_mut() {
            *key = Some(new);
        }
    }

    fn key_of(&mut self, node: &Node) -> Key {
        let text = match &*node.data {
            Data::Scalar(Scalar { content: Content::Broken, .. }) => return Key::Broken,
            Data::Scalar(Scalar { content: Content::Value(value), .. }) => match value {
                Value::String(text) => Some(text.clone()),
                Value::Null | Value::Bool(_) => Some(value.to_string()),
                Value::Number(number) => Some(number_text(number)),
                Value::Array(_) | Value::Object(_) => None,
            },
            Data::Scalar(Scalar { content: Content::Missing(keyword), .. }) => {
                self.error(format!("the keyword `{keyword}` in a key has no value"), &node.span);
                return Key::Broken;
            }
            Data::List(_) | Data::Map(_) => None,
        };
        if let Some(text) = text {
            return Key::Text(text, node.span.clone());
        }
        self.error(format!("a key must be a text, not {}", node.what()), &node.span);
        Key::Broken
    }

    fn member(&mut self, key: String, span: Span, value: Node) {
        let Some(Open { content: Collection::Map { entries, places, .. }, .. }) = self.stack.last_mut() else { return };
        match places.get_mut(&key) {
            None => {
                places.insert(key.clone(), Place { index: entries.len(), is_merged: false });
                entries.push(Entry { key, span, value });
            }
            Some(place) if place.is_merged => {
                place.is_merged = false;
                entries[place.index] = Entry { key, span, value };
            }
            Some(place) => {
                let first = self.reading.origin(&entries[place.index].span);
                let origin = self.reading.origin(&span);
                let shown = if self.reading.is_sensitive(&span) { MASK } else { key.as_str() };
                let problem = Problem::error(format!("the key `{shown}` stands twice in this map"));
                self.problems.push(problem.at(Some(origin)).also(Some(first), "first here"));
            }
        }
    }

    fn merge(&mut self, node: &Node) {
        let sources: Vec<&Node> = match &*node.data {
            Data::Map(_) => vec![node],
            Data::List(items) => items.iter().collect(),
            Data::Scalar(_) => Vec::new(),
        };
        if sources.is_empty() || !sources.iter().all(|source| matches!(&*source.data, Data::Map(_))) {
            return self.error("`<<` takes a map or a list of maps", &node.span);
        }
        let Some(Open { content: Collection::Map { entries, places, .. }, .. }) = self.stack.last_mut() else { return };
        for source in sources {
            let Data::Map(members) = &*source.data else { continue };
            self.merged += members.len();
            if self.merged > MOST_MERGED {
                let message = format!("merges (`<<`) add more than {MOST_MERGED} keys to this file");
                return self.stop(message, &node.span, "write the keys out");
            }
            for member in members {
                if !places.contains_key(&member.key) {
                    places.insert(member.key.clone(), Place { index: entries.len(), is_merged: true });
                    entries.push(member.clone());
                }
            }
        }
    }
}

fn leaf(scalar: Scalar, span: Span) -> Node {
    Node { data: Rc::new(Data::Scalar(scalar)), span, weight: 1, height: 0 }
}

/// Cuts off what the parser counts to a scalar and nobody would: blanks up to the next token.
fn trimmed(span: &Span, text: &str) -> Span {
    let length = text.get(span.clone()).map_or(0, |part| part.trim_end().len());
    span.start..span.start + length
}

fn tagged(tag: &Tag, text: &str) -> Option<Value> {
    let resolved = match plain(text) {
        Plain::Value(value) => value,
        Plain::Date(_) | Plain::NotFinite => Value::from(text),
    };
    match tag.core_suffix() {
        Some("str") => Some(Value::from(text)),
        Some("int") => Some(resolved).filter(|value| value.is_i64() || value.is_u64()),
        Some("float") => Some(resolved).filter(Value::is_number),
        Some("bool") => Some(resolved).filter(Value::is_boolean),
        Some("null") => Some(resolved).filter(Value::is_null),
        None if tag.to_string() == "!" => Some(Value::from(text)),
        _ => None,
    }
}
