//! Which scalars of the definitions stand in fields that are secret by declaration: `render` masks
//! them, and every command takes their texts out of its messages.
//!
//! Pure; it looks at the parsed tree, and knows neither text nor keywords.

use serde_json::Value;

use super::yaml::{Content, Data, Node};
use crate::kinds::Registry;
use crate::kinds::kind::{Field, Fields, Kind};
use crate::kinds::secrets::secret_texts;
use crate::secret::Secrets;

/// Tells the secret texts of the definitions to those who hide them.
pub(super) fn learn(registry: &Registry, root: &Node, secrets: &Secrets) {
    for (kind, objects) in kinds(registry, root) {
        for object in objects {
            if let Value::Object(object) = object.to_json() {
                for text in secret_texts(&kind.fields, &object) {
                    secrets.learn(text);
                }
            }
        }
    }
}

/// Finds the scalars in secret fields, but for markers without a value.
pub(super) fn secret_scalars<'n>(registry: &'n Registry, root: &'n Node) -> Vec<&'n Node> {
    let mut found = Vec::new();
    for (kind, objects) in kinds(registry, root) {
        for object in objects {
            members(&kind.fields, object, &mut found);
        }
    }
    found
}

fn kinds<'n>(registry: &'n Registry, root: &'n Node) -> Vec<(&'n Kind, Vec<&'n Node>)> {
    let Data::Map(entries) = &*root.data else { return Vec::new() };
    let of = |node: &'n Node| match &*node.data {
        Data::List(items) => items.iter().collect(),
        Data::Map(_) | Data::Scalar(_) => vec![node],
    };
    entries.iter().filter_map(|entry| Some((registry.get(&entry.key)?, of(&entry.value)))).collect()
}

fn members<'n>(fields: &Fields, node: &'n Node, found: &mut Vec<&'n Node>) {
    let Data::Map(entries) = &*node.data else { return };
    for entry in entries {
        if let Some(field) = fields.find(&entry.key) {
            value(field, &entry.value, found);
        }
    }
}

fn value<'n>(field: &Field, node: &'n Node, found: &mut Vec<&'n Node>) {
    match &*node.data {
        _ if field.secret => all(node, found),
        Data::Map(_) => members(&field.fields, node, found),
        Data::List(items) => {
            for (field, item) in items.iter().filter_map(|item| Some((field.items.as_ref()?, item))) {
                value(field, item, found);
            }
        }
        Data::Scalar(_) => {}
    }
}

fn all<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    match &*node.data {
        Data::Scalar(scalar) if matches!(scalar.content, Content::Missing(_)) => {}
        Data::Scalar(_) => found.push(node),
        Data::List(items) => items.iter().for_each(|item| all(item, found)),
        Data::Map(entries) => entries.iter().for_each(|entry| all(&entry.value, found)),
    }
}
