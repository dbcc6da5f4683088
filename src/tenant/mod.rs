//! A tenant's configuration as a value, whether it was read from files or from the API.
//!
//! config makes one from definitions, api makes one from answers; plan compares the two, export
//! writes one down. It knows kinds only by their declarations, and neither files nor HTTP.

pub mod canon;
pub mod index;
pub mod names;
pub mod needs;
pub mod unreadable;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::Origin;
use crate::kinds::kind::{Identity, Kind};
use unreadable::Unreadable;

/// What names an object to a person: `kind/name`, or the kind alone for a singleton.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The kind.
    pub kind: String,
    /// The name within the kind; empty for a singleton.
    pub name: String,
}

impl Address {
    /// Names an object.
    #[must_use]
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }

    /// Reads `kind/name`, split at the first slash, or a kind alone.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        Self::new(kind, name)
    }

    /// Gives the address of an object from the fields by which its kind is recognised; its text is
    /// `?` where they are missing.
    #[must_use]
    pub fn of(kind: &Kind, value: &Map<String, Value>) -> Self {
        let name = match identity_of(kind, value) {
            _ if kind.singleton => String::new(),
            Some(identity) => name_of(kind, identity, value),
            None => "?".to_owned(),
        };
        Self::new(&kind.name, name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => f.write_str(&self.kind),
            name => write!(f, "{}/{name}", self.kind),
        }
    }
}

/// Finds the identity of a kind whose fields an object has.
#[must_use]
pub fn identity_of<'a>(kind: &'a Kind, value: &Map<String, Value>) -> Option<&'a Identity> {
    kind.identity.iter().find(|identity| identity.fields.iter().all(|field| part(kind, value, field).is_some()))
}

/// Gives a field's value for an identity: what is there, else the default.
#[must_use]
pub fn part<'a>(kind: &'a Kind, value: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let default = || kind.fields.get(name).and_then(|field| field.default.as_ref());
    value.get(name).filter(|value| !value.is_null()).or_else(default)
}

fn name_of(kind: &Kind, identity: &Identity, value: &Map<String, Value>) -> String {
    let text = |name: &str| match part(kind, value, name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    if identity.address.is_empty() {
        return identity.fields.iter().map(|name| text(name)).collect::<Vec<_>>().join(" ");
    }
    let is_default = |name: &&String| part(kind, value, name) == kind.fields.get(name).and_then(|f| f.default.as_ref());
    let mut name = String::new();
    for (at, pattern) in identity.address.iter().enumerate() {
        let mut inside = identity.fields.iter().filter(|field| pattern.contains(&format!("{{{field}}}")));
        if at == 0 || !inside.all(|field| is_default(&field)) {
            name += &fill(pattern, |field| Some(text(field)));
        }
    }
    name
}

/// Replaces each `{field}` in a pattern; what `value` does not know stays as it is.
pub fn fill(pattern: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        let Some((name, after)) = after.split_once('}') else {
            rest = &rest[before.len()..];
            break;
        };
        filled += &value(name).unwrap_or_else(|| format!("{{{name}}}"));
        rest = after;
    }
    filled + rest
}

/// Where a value stands in the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The value itself.
    pub value: Origin,
    /// Its key; an object and an element of a list have none.
    pub key: Option<Origin>,
}

/// Where the parts of an object stand in the files, by JSON Pointer (RFC 6901); "" is the object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Where each value stands, and its key.
    pub origins: BTreeMap<String, Place>,
    /// Values that hold the value of a secret keyword: never shown.
    pub sensitive: BTreeSet<String>,
    /// Secret fields whose whole text is a marker without a value, with the keyword: they mean
    /// "keep what the tenant has", and the object's value does not hold them.
    pub kept: BTreeMap<String, String>,
}

impl Provenance {
    /// Finds where a value stands, or else the nearest value around it.
    #[must_use]
    pub fn origin(&self, pointer: &str) -> Option<Origin> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.origins.get(pointer) {
                return Some(place.value.clone());
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// Notes where a value stands.
    pub fn note(&mut self, pointer: &str, value: Origin) {
        self.origins.insert(pointer.to_owned(), Place { value, key: None });
    }

    /// Notes where the key of a value stands that was noted before.
    pub fn note_key(&mut self, pointer: &str, key: Origin) {
        if let Some(place) = self.origins.get_mut(pointer) {
            place.key = Some(key);
        }
    }

    /// Finds where a value's key stands, for what is wrong with the key itself; else as
    /// [`Provenance::origin`].
    #[must_use]
    pub fn key_origin(&self, pointer: &str) -> Option<Origin> {
        self.origins.get(pointer).and_then(|place| place.key.clone()).or_else(|| self.origin(pointer))
    }

    /// Tells whether a value, or a part of it, or what it is part of, holds a secret keyword's value.
    #[must_use]
    pub fn is_sensitive(&self, pointer: &str) -> bool {
        self.sensitive.iter().any(|secret| {
            let is_within = |inner: &str, outer: &str| {
                inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            is_within(secret, pointer) || is_within(pointer, secret)
        })
    }
}

/// One object of a tenant.
#[derive(Clone, PartialEq)]
pub struct Object {
    /// Its name for people.
    pub address: Address,
    /// The API's handle; in a definition, the pin if it has one.
    pub id: Option<String>,
    /// Its fields.
    pub value: Map<String, Value>,
    /// Where it stands in the files; empty for an object of the live tenant. Clones share it.
    pub provenance: Arc<Provenance>,
}

impl Object {
    /// Takes in what another file says of the same object.
    pub fn join(&mut self, part: Self) {
        self.value.extend(part.value);
        let provenance = Arc::make_mut(&mut self.provenance);
        let Provenance { origins, sensitive, kept } = Arc::unwrap_or_clone(part.provenance);
        for (pointer, place) in origins {
            provenance.origins.entry(pointer).or_insert(place);
        }
        provenance.sensitive.extend(sensitive);
        provenance.kept.extend(kept);
    }
}

impl fmt::Debug for Object {
    /// Shows no values: they may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<&String> = self.value.keys().collect();
        f.debug_struct("Object")
            .field("address", &self.address)
            .field("id", &self.id)
            .field("fields", &fields)
            .finish_non_exhaustive()
    }
}

/// The configuration of a tenant: its objects by kind.
///
/// A kind that is absent is not managed (definitions) or was not read (live); an empty list says
/// that there are none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tenant {
    /// The objects.
    pub kinds: BTreeMap<String, Vec<Object>>,
    /// Kinds that could not be read, with the reason: never the same as having none.
    pub unreadable: BTreeMap<String, Unreadable>,
}

impl Tenant {
    /// Gives the objects of a kind; none if it is absent.
    #[must_use]
    pub fn objects(&self, kind: &str) -> &[Object] {
        self.kinds.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Goes through all objects.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.kinds.values().flatten()
    }

    /// Finds the object of an address, where several share it the one that has, or pins, an id.
    #[must_use]
    pub fn find_by(&self, address: &Address, id: Option<&str>) -> Option<&Object> {
        let mut named = self.objects(&address.kind).iter().filter(|object| object.address == *address);
        let is_it = |object: &&Object| id.is_some() && object.id.as_deref() == id;
        named.clone().find(is_it).or_else(|| named.next())
    }
}

/// What the definitions of one environment ask for.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The objects, references by name.
    pub tenant: Tenant,
    /// SHA-256, in hex, of the definitions' texts and of the keywords' values (of secret ones, only
    /// whether they are there).
    pub digest: String,
}

/// A pattern of addresses: `*` stands for any text; a kind alone means all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Takes a pattern such as `clients` or `clients/* (internal)`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the part before the first slash.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(kind, _)| kind)
    }

    /// Tells whether it means a whole kind.
    #[must_use]
    pub fn is_whole_kind(&self) -> bool {
        !self.0.contains('/')
    }

    /// Tells whether an address fits.
    #[must_use]
    pub fn fits(&self, address: &Address) -> bool {
        match self.0.split_once('/') {
            None => crate::text::fits(&self.0, &address.kind),
            Some((kind, name)) => crate::text::fits(kind, &address.kind) && crate::text::fits(name, &address.name),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
