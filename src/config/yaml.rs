//! YAML text -> a tree in which every key and value knows where it stands.
//!
//! The parser's events become [`Node`]s; scalars mean what js-yaml 4 takes them for. Anchors,
//! aliases and merge keys share nodes and have budgets, so that a small file can't become a large
//! tree. Spans are those of the text that was read; a [`Reading`] turns them into places in the
//! user's file and fills in what was put in place of an expression. Knows nothing of kinds.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Tag};
use serde_json::{Map, Value};

use super::scalar::{Plain, plain};
use crate::error::{Origin, Problem, Problems};

/// A byte range of the text that was read.
pub type Span = std::ops::Range<usize>;

/// The deepest nesting, as in js-yaml.
const DEEPEST: usize = 100;
/// How many values aliases may add.
const MOST_ALIASED: usize = 1_000_000;
/// How many keys merges (`<<`) may add, as in js-yaml.
const MOST_MERGED: usize = 10_000;
/// After this many problems of one file the rest is not read.
const MOST_PROBLEMS: usize = 200;

/// A value of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub data: Rc<Data>,
    /// Where it is used; for an alias, the alias.
    pub span: Span,
    weight: usize,
    height: usize,
}

/// What a value is.
#[derive(Debug)]
pub enum Data {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key as a text.
    pub key: String,
    /// Where the key stands.
    pub span: Span,
    /// The value.
    pub value: Node,
}

/// A single value. After an expression it may be a list or a map.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// What it holds.
    pub content: Content,
    /// A secret went into it.
    pub is_sensitive: bool,
}

/// What a scalar holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A value.
    Value(Value),
    /// Nothing but the marker of this keyword, which has no value.
    Missing(String),
    /// Something that could not be read; the problem is told already.
    Broken,
}

impl Scalar {
    /// Makes the scalar that stands for one that could not be read.
    #[must_use]
    pub fn broken() -> Self {
        Self { content: Content::Broken, is_sensitive: false }
    }
}

/// What the reader asks about the text that it reads.
pub trait Reading {
    /// Gives the place in the user's file.
    fn origin(&self, span: &Span) -> Origin;

    /// Tells whether a secret was put into this part of the text.
    fn is_sensitive(&self, _span: &Span) -> bool {
        false
    }

    /// Gives a scalar into whose text something was put that is to be evaluated now; none if the
    /// text is to be read as YAML.
    fn fill(&mut self, _text: &str, _style: ScalarStyle, _span: &Span) -> Option<Scalar> {
        None
    }
}

impl Node {
    /// Makes the JSON value of the tree; what has none is null.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &*self.data {
            Data::Scalar(Scalar { content: Content::Value(value), .. }) => value.clone(),
            Data::Scalar(_) => Value::Null,
            Data::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(entries) => {
                let members = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(members.collect::<Map<String, Value>>())
            }
        }
    }

    /// Makes a tree of a JSON value that stands at one place, as an expression's does.
    #[must_use]
    pub fn of_json(value: Value, span: &Span, is_sensitive: bool) -> Self {
        let data = match value {
            Value::Array(items) => {
                Data::List(items.into_iter().map(|item| Self::of_json(item, span, is_sensitive)).collect())
            }
            Value::Object(members) => {
                let entry =
                    |(key, value)| Entry { key, span: span.clone(), value: Self::of_json(value, span, is_sensitive) };
                Data::Map(members.into_iter().map(entry).collect())
            }
            value => Data::Scalar(Scalar { content: Content::Value(value), is_sensitive }),
        };
        Self { data: Rc::new(data), span: span.clone(), weight: 1, height: 0 }
    }

    /// Gives the text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &*self.data {
            Data::Scalar(Scalar { content: Content::Value(Value::String(text)), .. }) => Some(text),
            _ => None,
        }
    }

    /// Says in words what it is.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match &*self.data {
            Data::List(_) | Data::Scalar(Scalar { content: Content::Value(Value::Array(_)), .. }) => "a list",
            Data::Map(_) | Data::Scalar(Scalar { content: Content::Value(Value::Object(_)), .. }) => "a map",
            Data::Scalar(Scalar { content: Content::Value(Value::String(_)), .. }) => "a text",
            Data::Scalar(Scalar { content: Content::Value(Value::Number(_)), .. }) => "a number",
            Data::Scalar(Scalar { content: Content::Value(Value::Bool(_)), .. }) => "true or false",
            Data::Scalar(_) => "nothing",
        }
    }

    /// Tells whether there is no value: the key stands alone.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&*self.data, Data::Scalar(Scalar { content: Content::Value(Value::Null), .. }))
    }
}

/// Reads one document. None if it is empty, or if a problem that was added stopped it.
pub fn read(text: &str, reading: &mut dyn Reading, problems: &mut Problems) -> Option<Node> {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let mut builder = Builder::new(text, reading);
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match event {
            Ok((event, span)) => (event, span.byte_range().unwrap_or(text.len()..text.len())),
            Err(error) => {
                let problem = syntax(&error, text, &*builder.reading);
                builder.problems.push(problem);
                builder.is_stopped = true;
                break;
            }
        };
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                builder.stop("a second document starts here; one file holds one", &span, "remove the line `---`");
            }
        }
        builder.take(event, span);
        if builder.problems.len() >= MOST_PROBLEMS {
            builder.is_stopped = true;
        }
        if builder.is_stopped {
            break;
        }
    }
    let root = if builder.is_stopped { None } else { builder.root.take() };
    problems.extend(std::mem::take(&mut builder.problems));
    root
}

/// Says in words what the parser found wrong.
fn syntax(error: &ScanError, text: &str, reading: &dyn Reading) -> Problem {
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    let end = text[at..].chars().next().map_or(at, |found| at + found.len_utf8());
    let (message, hint) = match error.kind() {
        ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            ("a tab stands where YAML takes blanks only".to_owned(), Some("indent with blanks"))
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            ("a quote is never closed".to_owned(), Some("close it, or put a text with quotes in it behind `|-`"))
        }
        ErrorKind::RecursionLimitExceeded => (format!("nested more than {DEEPEST} levels deep"), Some("flatten it")),
        ErrorKind::UnexpectedCharacter { character: '@' | '`' } => {
            ("a value starts with `@` or a backtick, which YAML reserves".to_owned(), Some("put it in quotes"))
        }
        ErrorKind::InvalidColonPlacement => {
            ("a colon stands where none can".to_owned(), Some("put a text that has `: ` in it in quotes"))
        }
        _ => (format!("not valid YAML: {}", error.info()), None),
    };
    Problem::error(message).at(Some(reading.origin(&(at..end)))).maybe_hint(hint.map(str::to_owned))
}

struct Builder<'r> {
    text: &'r str,
    reading: &'r mut dyn Reading,
    problems: Vec<Problem>,
    anchors: HashMap<usize, Node>,
    stack: Vec<Open>,
    root: Option<Node>,
    aliased: usize,
    merged: usize,
    is_stopped: bool,
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
    fn new(text: &'r str, reading: &'r mut dyn Reading) -> Self {
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

    fn take(&mut self, event: Event<'_>, span: Span) {
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

    fn stop(&mut self, message: impl Into<String>, span: &Span, hint: &str) {
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
        let shown = if is_sensitive { crate::secret::MASK } else { text };
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
                Value::Number(number) => Some(super::scalar::number_text(number)),
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
                let shown = if self.reading.is_sensitive(&span) { crate::secret::MASK } else { key.as_str() };
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
