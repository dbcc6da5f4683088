//! The tree of a definitions file -> objects with the place of every value.
//!
//! Pure: companion files come in through a function. Older names of fields become the ones of the
//! declaration, values in the wire's unit become the file's, read-only fields are left out, an id
//! becomes a pin. What is wrong in an object beyond that is `kinds::check`'s to say.

mod beside;
mod body;
mod values;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::keywords::Keywords;
use super::layout::{is_other_kind, not_managed, unknown_kind};
use super::substitute::Substituted;
use super::yaml::{Content, Data, Entry, Node, Span};
use crate::error::{Origin, Problem, Problems, SourceText};
use crate::kinds::Registry;
use crate::kinds::check::{check, label, pointer_of};
use crate::kinds::kind::{Kind, remove_at};
use crate::tenant::{Address, Object, Provenance, Tenant};
pub use beside::OwnFile;
pub use body::{Body, BodyFile, ReadBody};

/// Reads a file beside the definitions, by its path in the project folder.
pub type ReadFile<'a> = dyn FnMut(&str) -> Result<Arc<SourceText>, Problem> + 'a;

/// What parsing a file of definitions needs to know, and what it finds out.
pub struct Parser<'a> {
    /// The text that the tree was read from.
    pub substituted: &'a Substituted,
    /// All kinds.
    pub registry: &'a Registry,
    /// The keywords, for companion files and for messages.
    pub keywords: &'a Keywords,
    /// The environment's name, for messages.
    pub environment: &'a str,
    /// The folder of the definitions in the project folder; empty, or with a slash at its end.
    pub folder: String,
    /// In the directory layout, the file that the text is of.
    pub own: Option<OwnFile<'a>>,
    /// Reads companion files.
    pub read: &'a mut ReadFile<'a>,
    /// Reads the files of objects that entries name.
    pub bodies: Option<&'a mut ReadBody<'a>>,
    /// Unknown fields are errors.
    pub strict: bool,
    /// What is wrong.
    pub problems: Problems,
    /// The companion files that were read.
    pub companions: Vec<Substituted>,
    /// The objects with files of their own that were read.
    pub apart: Vec<Body>,
    /// A value of the object at hand could not be read, so there is no use in checking it.
    is_broken: bool,
}

impl std::fmt::Debug for Parser<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parser").field("environment", &self.environment).finish_non_exhaustive()
    }
}

/// The part of an object that is being read.
struct Part<'o> {
    kind: &'o Kind,
    /// The object's name, as far as it is known.
    name: String,
    provenance: Provenance,
}

impl<'a> Parser<'a> {
    /// Prepares for one file.
    pub fn new(
        substituted: &'a Substituted,
        registry: &'a Registry,
        keywords: &'a Keywords,
        environment: &'a str,
        read: &'a mut ReadFile<'a>,
    ) -> Self {
        Self {
            substituted,
            registry,
            keywords,
            environment,
            folder: String::new(),
            own: None,
            read,
            bodies: None,
            strict: false,
            problems: Problems::default(),
            companions: Vec::new(),
            apart: Vec::new(),
            is_broken: false,
        }
    }

    /// Reads the objects of a file whose top-level keys are kinds.
    pub fn tenant(&mut self, root: &Node) -> Tenant {
        let mut tenant = Tenant::default();
        let Data::Map(entries) = &*root.data else {
            let message = format!("a tenant's definitions are a map of kinds, not {}", root.what());
            self.error(message, &root.span, "start with a kind, such as `clients:`");
            return tenant;
        };
        for entry in entries {
            match self.registry.get(&entry.key) {
                Some(kind) => {
                    if let Some(objects) = self.kind(kind, &entry.value) {
                        tenant.kinds.insert(kind.name.clone(), objects);
                    }
                }
                None => self.other_kind(entry),
            }
        }
        tenant
    }

    fn origin(&self, span: &Span) -> Origin {
        self.substituted.origin(span)
    }

    fn error(&mut self, message: impl Into<String>, span: &Span, hint: &str) {
        let origin = self.origin(span);
        self.problems.push(Problem::error(message).at(Some(origin)).hint(hint));
    }

    fn other_kind(&mut self, entry: &Entry) {
        let origin = Some(self.origin(&entry.span));
        let problem = if is_other_kind(&entry.key, self.registry) {
            not_managed(&entry.key)
        } else {
            unknown_kind(&entry.key, self.registry)
        };
        self.problems.push(problem.at(origin));
    }

    fn kind(&mut self, kind: &Kind, node: &Node) -> Option<Vec<Object>> {
        let expanded = expanded(node);
        let node = expanded.as_ref().unwrap_or(node);
        if let Some((keys, held)) = kind.keys.as_ref().and_then(|keys| Some((keys, keys.holds.as_ref()?))) {
            return self.by_name(kind, (&keys.field, held), node);
        }
        let is_optional = kind.singleton && kind.create.is_some();
        match &*node.data {
            // The Deploy CLI does nothing with it.
            Data::Map(entries) if is_optional && entries.is_empty() => None,
            Data::Map(_) if kind.singleton && !kind.listed => self.object(kind, node).map(|object| vec![object]),
            Data::List(items) if kind.listed && items.len() > 1 => {
                let message = format!("`{}` has {} objects, and a tenant can have one", kind.name, items.len());
                self.error(message, &items[1].span, "remove the others");
                None
            }
            Data::Scalar(_) if is_optional && !kind.listed && node.is_null() => Some(Vec::new()),
            Data::List(items) if !kind.singleton || kind.listed => {
                Some(items.iter().filter_map(|item| self.object(kind, item)).collect())
            }
            Data::Scalar(scalar) if scalar.content == Content::Broken => None,
            _ => {
                let is_map = kind.singleton && !kind.listed;
                let wanted = if is_map { "a map" } else { "a list" };
                let hint = if is_map && is_optional {
                    "leave the key out to leave it alone; `null` says that there is none"
                } else if is_map {
                    "leave the key out to leave it alone"
                } else {
                    "leave the key out to leave the kind alone; `[]` says that there are none"
                };
                self.error(format!("`{}` must be {wanted}, not {}", kind.name, node.what()), &node.span, hint);
                None
            }
        }
    }

    /// Reads a map from fixed names to the value of one field of each object.
    fn by_name(&mut self, kind: &Kind, (key, held): (&str, &str), node: &Node) -> Option<Vec<Object>> {
        match &*node.data {
            Data::Map(entries) => {
                let object = |entry: &Entry| {
                    let field =
                        |name: &str, value: Node| Entry { key: name.to_owned(), span: entry.span.clone(), value };
                    let name = Node::of_json(Value::from(entry.key.clone()), &entry.span, false);
                    Node::of_entries(vec![field(key, name), field(held, entry.value.clone())], &entry.span)
                };
                let objects: Vec<Node> = entries.iter().map(object).collect();
                Some(objects.iter().filter_map(|object| self.object(kind, object)).collect())
            }
            Data::Scalar(scalar) if scalar.content == Content::Broken => None,
            _ => {
                let hint = "write each as `name: value`; leave the key out to leave the kind alone";
                self.error(format!("`{}` must be a map, not {}", kind.name, node.what()), &node.span, hint);
                None
            }
        }
    }

    /// Gives the kind with the fields that a value of the object brings; where its objects are another
    /// kind's, the kind itself, which says that they are not managed there.
    fn variant<'k>(kind: &'k Kind, entries: &[Entry]) -> &'k Kind {
        let by = kind.variants.as_ref().map(|variants| variants.by.as_str());
        let deciding = entries.iter().filter(|entry| Some(entry.key.as_str()) == by);
        let known = deciding.filter_map(|entry| Some((entry.key.clone(), Value::from(entry.value.as_text()?))));
        Some(kind.of(&known.collect())).filter(|variant| variant.name == kind.name).unwrap_or(kind)
    }

    fn object(&mut self, kind: &Kind, node: &Node) -> Option<Object> {
        let expanded = expanded(node);
        let node = expanded.as_ref().unwrap_or(node);
        let Data::Map(entries) = &*node.data else {
            let message = format!("an element of `{}` must be a map, not {}", kind.name, node.what());
            self.error(message, &node.span, "write its fields as `name: value`");
            return None;
        };
        let sought = self.with_sought(kind, node, entries);
        let entries = sought.as_deref()?;
        self.is_broken = false;
        let file = self.body(kind, entries).ok()?;
        let is_body = |entry: &&Entry| kind.body.as_ref() == Some(&entry.key) && self.own.is_none();
        let of_file = file.as_ref().and_then(BodyFile::entries).unwrap_or_default();
        let of_file: Vec<&Entry> = of_file.iter().filter(|entry| !is_body(entry)).collect();
        let is_there = |entry: &&Entry| of_file.iter().any(|other| other.key == entry.key);
        let of_entry: Vec<&Entry> = entries.iter().filter(|entry| !is_body(entry) && !is_there(entry)).collect();
        let all: Vec<Entry> = of_entry.iter().chain(&of_file).map(|entry| (*entry).clone()).collect();
        let kind = Self::variant(kind, &all);
        let name = kind.identity.first().and_then(|identity| identity.fields.first());
        let name = all.iter().find(|entry| Some(&entry.key) == name).and_then(|entry| entry.value.as_text());
        let mut part = Part { kind, name: name.unwrap_or("?").to_owned(), provenance: Provenance::default() };
        part.provenance.note("", self.origin(&node.span));
        let (mut value, mut id) = self.top(&of_entry, &mut part);
        if let Some(file) = &file {
            let (members, pin) = self.within(&file.read, |inner| inner.top(&of_file, &mut part));
            value.extend(members);
            id = pin.or(id);
            self.twice(entries, file);
        }
        self.drop_ignored(kind, &mut value, &part);
        let address = Address::of(kind, &value);
        let object = Object { address, id, value, provenance: Arc::new(part.provenance) };
        if !self.is_broken {
            self.problems.extend(check(kind, &object, self.strict));
        }
        self.apart.extend(file.map(|file| Body { file, object: object.clone() }));
        Some(object)
    }

    /// Reads the members of an object itself, and what pins it.
    fn top(&mut self, entries: &[&Entry], part: &mut Part<'_>) -> (Map<String, Value>, Option<String>) {
        let kind = part.kind;
        let (pin, fields): (Vec<&Entry>, Vec<&Entry>) = entries.iter().copied().partition(|entry| {
            Some(&entry.key) == kind.id.as_ref() && kind.fields.find(&entry.key).is_none_or(|f| f.read_only)
        });
        let id = pin.first().and_then(|entry| self.pin(entry));
        (self.members(&fields, &kind.fields, "", false, part), id)
    }

    fn pin(&mut self, entry: &Entry) -> Option<String> {
        if let Data::Scalar(scalar) = &*entry.value.data {
            match &scalar.content {
                Content::Value(Value::String(text)) => return Some(text.clone()),
                Content::Missing(keyword) => self.without_value(keyword, &entry.value.span),
                _ => {}
            }
            if scalar.content == Content::Broken {
                return None;
            }
        }
        if !entry.value.is_null() && entry.value.what() != "nothing" {
            let message =
                format!("`{}` pins the object by its id and must be a text, not {}", entry.key, entry.value.what());
            self.error(message, &entry.value.span, "put it in quotes, or leave it out");
        }
        None
    }

    fn without_value(&mut self, keyword: &str, span: &Span) {
        let origin = self.origin(span);
        self.problems.push(self.keywords.without_value(keyword, self.environment).at(Some(origin)));
        self.is_broken = true;
    }

    /// Leaves out what the API does not take for an object like this one.
    fn drop_ignored(&mut self, kind: &Kind, value: &mut Map<String, Value>, part: &Part<'_>) {
        for rule in kind.rules.iter().filter(|rule| !rule.ignored.is_empty()) {
            if !rule.holds(value) {
                continue;
            }
            for name in &rule.ignored {
                let pointer = pointer_of(name);
                if remove_at(value, &pointer) {
                    let address = Address::of(kind, value);
                    let message = format!("{address}: `{}` is left out: {}", label(&pointer), rule.because);
                    let origin = part.provenance.key_origin(&pointer);
                    self.problems.push(Problem::warning(message).at(origin).hint("remove it"));
                }
            }
        }
    }
}

/// Gives the tree of a scalar that became a list or a map by an expression.
fn expanded(node: &Node) -> Option<Node> {
    match &*node.data {
        Data::Scalar(scalar) => match &scalar.content {
            Content::Value(value @ (Value::Array(_) | Value::Object(_))) => {
                Some(Node::of_json(value.clone(), &node.span, scalar.is_sensitive))
            }
            _ => None,
        },
        _ => None,
    }
}
