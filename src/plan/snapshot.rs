//! What the objects that a plan touches were before it: the way back.
//!
//! Pure: taken from a plan and the live tenant, read again as definitions. It holds no secret, and
//! knows what it therefore can't restore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::secrets::holds_secret;
use super::{Action, Change, Edit, Op, Plan};
use crate::error::Error;
use crate::kinds::Registry;
use crate::kinds::kind::{Field, Fields, Kind, Type};
use crate::secret::Secrets;
use crate::tenant::{Address, Desired, Object, Tenant};
use crate::text::{escape, hex, unescape};

/// Version of the snapshot's JSON form.
const FORMAT_VERSION: &str = "1";

/// What the objects that a plan touches were before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Always "1".
    pub format_version: String,
    /// The version of tenantctl that took it.
    pub tool_version: String,
    /// The environment's name.
    pub environment: String,
    /// The tenant's host, or `sandbox`.
    pub tenant: String,
    /// When it was taken (RFC 3339).
    pub taken_at: String,
    /// The objects, one for each change of the plan.
    pub objects: Vec<Before>,
}

/// What one object was.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Its kind.
    pub kind: String,
    /// Its name in the plan; empty for a singleton.
    pub name: String,
    /// What was to be done with it.
    pub action: Action,
    /// The API's handle, if it was there and stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its fields, references by name: of an update those that change, else all. Null where it was
    /// not there.
    pub value: Option<Map<String, Value>>,
    /// What can't be restored, as JSON Pointers: secrets, and fields that the API does not clear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
}

impl std::fmt::Debug for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Before").field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Takes down what the objects of a plan are; `live` is canonical, with references by name. What
    /// holds one of `secrets` is left out, whatever field it stands in.
    #[must_use]
    pub fn take(registry: &Registry, plan: &Plan, live: &Tenant, secrets: &Secrets, taken_at: String) -> Self {
        let live: BTreeMap<(&str, Option<&str>), &Object> =
            live.iter().map(|object| ((object.address.kind.as_str(), object.id.as_deref()), object)).collect();
        let before = |change: &Change| {
            let kind = registry.get(&change.kind)?;
            let found = live.get(&(change.kind.as_str(), change.id.as_deref()));
            let found = found.filter(|_| change.action != Action::Create);
            let mut lost = Lost { secrets, paths: Vec::new() };
            let value = found.map(|object| match change.action {
                Action::Update => touched(kind, object, &change.fields, &mut lost),
                _ => without_secrets(&kind.of(&object.value).fields, &object.value, "", &mut lost),
            });
            let mut lost = lost.paths;
            lost.sort();
            lost.dedup();
            let id = change.id.clone().filter(|_| change.action == Action::Update);
            let (kind, name) = (change.kind.clone(), secrets.hide(&change.name));
            Some(Before { kind, name, action: change.action, id, value, lost })
        };
        Self {
            format_version: FORMAT_VERSION.to_owned(),
            tool_version: plan.tool_version.clone(),
            environment: plan.environment.clone(),
            tenant: plan.tenant.clone(),
            taken_at,
            objects: plan.changes.iter().filter_map(before).collect(),
        }
    }

    /// Writes it as JSON.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is no snapshot, or one of another version.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let snapshot: Self =
            serde_json::from_str(text).map_err(|error| Error::new("this is no snapshot of an apply").because(error))?;
        match snapshot.format_version.as_str() {
            FORMAT_VERSION => Ok(snapshot),
            other => {
                Err(Error::new(format!("the snapshot has the format {other}, and this version reads {FORMAT_VERSION}")))
            }
        }
    }

    /// Gives the definitions that lead back.
    #[must_use]
    pub fn desired(&self, registry: &Registry) -> Desired {
        let mut tenant = Tenant::default();
        for before in &self.objects {
            let Some(kind) = registry.get(&before.kind) else { continue };
            let objects = tenant.kinds.entry(before.kind.clone()).or_default();
            objects.extend(before.value.as_ref().map(|value| Object {
                address: Address::of(kind, value),
                id: before.id.clone(),
                value: value.clone(),
                provenance: Arc::default(),
            }));
        }
        let digest = hex(&Sha256::digest(self.text().as_bytes()));
        Desired { tenant, digest }
    }

    /// Gives the objects that it is about: under the names of the plan, and those that they had.
    #[must_use]
    pub fn addresses(&self, registry: &Registry) -> BTreeSet<Address> {
        let planned = self.objects.iter().map(|before| Address::new(&before.kind, &before.name));
        let desired = self.desired(registry);
        let before = desired.tenant.iter().map(|object| object.address.clone());
        planned.chain(before).collect()
    }

    /// Lists what it can't restore: an address, and a JSON Pointer into the object.
    pub fn lost(&self) -> impl Iterator<Item = (Address, &str)> {
        let of = |before: &Before| Address::new(&before.kind, &before.name);
        self.objects.iter().flat_map(move |before| before.lost.iter().map(move |path| (of(before), path.as_str())))
    }
}

/// What can't be restored.
struct Lost<'a> {
    secrets: &'a Secrets,
    paths: Vec<String>,
}

impl Lost<'_> {
    fn is_secret(&self, value: &Value) -> bool {
        let text = value.to_string();
        self.secrets.hide(&text) != text
    }
}

/// Gives the fields of an object that edits touch, as they are, and what it is recognised by.
fn touched(kind: &Kind, object: &Object, edits: &[Edit], lost: &mut Lost<'_>) -> Map<String, Value> {
    let fields = &kind.of(&object.value).fields;
    let identity = kind.identity.iter().flat_map(|identity| &identity.fields);
    let changed = edits.iter().filter_map(|edit| edit.path.split('/').nth(1)).map(unescape);
    let names: Vec<String> = identity.cloned().chain(changed).collect();
    let part = object.value.iter().filter(|(name, _)| names.contains(name));
    let part: Map<String, Value> = part.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut value = without_secrets(fields, &part, "", lost);
    for edit in edits {
        if edit.sensitive || (edit.op == Op::Add && !is_cleared(fields, &mut value, &edit.path)) {
            lost.paths.push(edit.path.clone());
        }
    }
    value
}

/// Notes in a value that something was not there; tells whether the API can take it away again.
fn is_cleared(fields: &Fields, value: &mut Map<String, Value>, path: &str) -> bool {
    let (mut names, mut fields, mut map) = (path.split('/').skip(1).map(unescape).peekable(), fields, value);
    let mut within: Option<&Field> = None;
    while let Some(name) = names.next() {
        let field = match within {
            Some(outer) => outer.member(&name),
            None => fields.get(&name),
        };
        if names.peek().is_none() {
            let is_merged = within.is_some_and(|outer| outer.merge);
            let nothing = match field {
                _ if is_merged => Value::Null,
                Some(field) if field.nullable => Value::Null,
                Some(field) if field.empty_clears && field.holds == Type::String => Value::from(""),
                Some(field) if field.empty_clears => Value::Array(Vec::new()),
                _ => return false,
            };
            map.insert(name, nothing);
            return true;
        }
        let (Some(field), Some(Value::Object(inner))) = (field, map.get_mut(&name)) else { return false };
        (within, fields, map) = (Some(field), &field.fields, inner);
    }
    false
}

/// Gives the members of an object that a definition can have, without what is secret.
fn without_secrets(fields: &Fields, value: &Map<String, Value>, at: &str, lost: &mut Lost<'_>) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in value {
        let Some(field) = fields.get(name).filter(|field| !field.read_only) else { continue };
        let path = format!("{at}/{}", escape(name));
        let value = match value {
            Value::Object(members) if !field.secret && !field.fields.is_empty() => {
                Value::Object(without_secrets(&field.fields, members, &path, lost))
            }
            value if value.is_null() || !(holds_secret(field, value) || lost.is_secret(value)) => value.clone(),
            _ => {
                lost.paths.push(path);
                continue;
            }
        };
        kept.insert(name.clone(), value);
    }
    kept
}
