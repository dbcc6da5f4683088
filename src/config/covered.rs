//! Which scalars of the definitions stand in fields that are secret by declaration: `render` masks
//! them, and every command takes their texts out of its messages.
//!
//! Pure; it looks at the parsed tree, and knows neither text nor keywords.

use serde_json::Value;

use super::yaml::{Content, Data, Node, Span};
use crate::kinds::Registry;
use crate::kinds::kind::{Field, Fields, Kind};
use crate::kinds::secrets::{meant, secret_texts};
use crate::secret::Secrets;
use crate::text::did_you_mean;

/// Tells the secret texts of the definitions to those who hide them.
pub(super) fn learn(registry: &Registry, root: &Node, secrets: &Secrets) {
    for (kind, objects) in kinds(registry, root) {
        for object in objects {
            if let Value::Object(object) = object.to_json() {
                for text in secret_texts(&kind.of(&object).fields, &object) {
                    secrets.learn(text);
                }
            }
        }
    }
}

/// Finds where scalars in secret fields stand, but for markers without a value.
pub(super) fn secret_scalars(registry: &Registry, root: &Node) -> Vec<Span> {
    let mut found = Vec::new();
    for (kind, objects) in kinds(registry, root) {
        for object in objects {
            let fields = match object.to_json() {
                Value::Object(value) => &kind.of(&value).fields,
                _ => &kind.fields,
            };
            members(fields, object, &mut found);
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
    let kind = |name: &str| {
        let names = registry.names();
        registry.get(name).or_else(|| registry.get(did_you_mean(name, names.iter().copied())?))
    };
    entries.iter().filter_map(|entry| Some((kind(&entry.key)?, of(&entry.value)))).collect()
}

fn members(fields: &Fields, node: &Node, found: &mut Vec<Span>) {
    let Data::Map(entries) = &*node.data else { return };
    for entry in entries {
        if let Some(field) = meant(fields, &entry.key) {
            value(field, &entry.value, found);
        }
    }
}

fn value(field: &Field, node: &Node, found: &mut Vec<Span>) {
    match &*node.data {
        _ if field.secret => all(&field.fields, node, found),
        Data::Map(_) => members(&field.fields, node, found),
        Data::List(items) => {
            let Some(field) = field.items.as_deref() else { return };
            for item in items {
                value(field, item, found);
            }
        }
        Data::Scalar(_) => {}
    }
}

fn all(fields: &Fields, node: &Node, found: &mut Vec<Span>) {
    match &*node.data {
        Data::Scalar(scalar) if matches!(scalar.content, Content::Missing(_)) => {}
        Data::Scalar(_) => found.push(node.span.clone()),
        Data::List(items) => items.iter().for_each(|item| all(fields, item, found)),
        Data::Map(entries) => {
            for entry in entries {
                // Braces in a secret that nobody put in quotes make a key of it.
                found.extend(fields.is_empty().then(|| entry.span.clone()));
                all(fields, &entry.value, found);
            }
        }
    }
}
