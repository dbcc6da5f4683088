//! YAML text -> a tree in which every key and value knows where it stands.
//!
//! The parser's events become [`Node`]s; scalars mean what js-yaml 4 takes them for. Anchors,
//! aliases and merge keys share nodes and have budgets, so that a small file can't become a large
//! tree. Spans are those of the text that was read; a [`Reading`] turns them into places in the
//! user's file and fills in what was put in place of an expression. Knows nothing of kinds.

mod builder;
mod syntax;

use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use crate::error::{Origin, Problems};
use builder::Builder;

/// A byte range of the text that was read.
pub type Span = std::ops::Range<usize>;

/// The deepest nesting, as in js-yaml.
const DEEPEST: usize = 100;
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

    /// Makes a map of entries that stand elsewhere.
    #[must_use]
    pub fn of_entries(entries: Vec<Entry>, span: &Span) -> Self {
        Self { data: Rc::new(Data::Map(entries)), span: span.clone(), weight: 1, height: 0 }
    }

    /// Makes a list of values that stand elsewhere.
    #[must_use]
    pub fn of_items(items: Vec<Node>, span: &Span) -> Self {
        Self { data: Rc::new(Data::List(items)), span: span.clone(), weight: 1, height: 0 }
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
                let problem = syntax::problem(&error, text, &*builder.reading);
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
