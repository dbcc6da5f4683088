//! Which scalars of the definitions stand in fields that are secret by declaration: `render` masks
//! them, and every command takes their texts out of its messages.
//!
//! Pure; it looks at the parsed tree, and knows neither text nor keywords.

use std::collections::BTreeSet;

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
    secret(registry, root).spans
}

/// Finds the keywords without a value that are the whole text of a secret field.
pub(super) fn secret_keywords(registry: &Registry, root: &Node) -> BTreeSet<String> {
    secret(registry, root).keywords
}

/// What stands in secret fields.
#[derive(Default)]
struct Secret {
    spans: Vec<Span>,
    keywords: BTreeSet<String>,
}

fn secret(registry: &Registry, root: &Node) -> Secret {
    let mut found = Secret::default();
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

fn members(fields: &Fields, node: &Node, found: &mut Secret) {
    let Data::Map(entries) = &*node.data else { return };
    for entry in entries {
        if let Some(field) = meant(fields, &entry.key) {
            value(field, &entry.value, found);
        }
    }
}

fn value(field: &Field, node: &Node, found: &mut Secret) {
    match &*node.data {
        _ if field.secret => all(&field.fields, node, found),
        Data::Map(_) => members(&field.fields, node, found),
        Data::List(items) => {
            let Some(field) = field.items.as_deref() else { return };
            for item in items {
                value(field, item, found);
            }
        }
        Data::Scalar(scalar) => match &scalar.content {
            Content::Missing(keyword) if field.marker.is_some() => found.keywords.extend([keyword.clone()]),
            _ => {}
        },
    }
}

fn all(fields: &Fields, node: &Node, found: &mut Secret) {
    match &*node.data {
        Data::Scalar(scalar) => match &scalar.content {
            Content::Missing(keyword) => found.keywords.extend([keyword.clone()]),
            _ => found.spans.push(node.span.clone()),
        },
        Data::List(items) => items.iter().for_each(|item| all(fields, item, found)),
        Data::Map(entries) => {
            for entry in entries {
                // Braces in a secret that nobody put in quotes make a key of it.
                found.spans.extend(fields.is_empty().then(|| entry.span.clone()));
                all(fields, &entry.value, found);
            }
        }
    }
}
