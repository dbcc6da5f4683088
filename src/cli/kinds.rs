//! `tenantctl kinds`: what is managed, and what it takes.

use std::fmt::Write;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::Context;
use crate::error::{Error, Exit};
use crate::kinds::Registry;
use crate::kinds::facts::Facts;
use crate::text::did_you_mean;

/// Version of the JSON form.
const FORMAT_VERSION: &str = "1";

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these kinds, with their fields
    #[arg(value_name = "KIND")]
    kinds: Vec<String>,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How kinds are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs it.
///
/// # Errors
/// If there is no such kind.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let registry = Registry::builtin();
    if let Some(unknown) = args.kinds.iter().find(|name| registry.get(name).is_none()) {
        let near = did_you_mean(unknown, registry.names()).map(|near| format!("did you mean `{near}`?"));
        return Err(Error::new(format!("there is no kind `{unknown}`")).maybe_hint(near));
    }
    let is_wanted = |name: &String| args.kinds.is_empty() || args.kinds.contains(name);
    let mut facts: Vec<Facts> = registry.iter().filter(|kind| is_wanted(&kind.name)).map(|it| it.facts()).collect();
    facts.sort_by_key(|facts| &facts.kind.name);
    let has_fields = !args.kinds.is_empty();
    let printed = match args.format {
        Format::Text => facts.iter().map(|facts| text(facts, has_fields)).collect::<Vec<_>>().join("\n"),
        Format::Json => {
            let kinds: Vec<Value> = facts.iter().map(|facts| value(facts, has_fields)).collect();
            format!("{:#}\n", json!({ "format_version": FORMAT_VERSION, "kinds": kinds }))
        }
    };
    context.ui.result(&printed);
    Ok(Exit::Done)
}

fn text(facts: &Facts, has_fields: bool) -> String {
    let kind = facts.kind;
    let scopes = |scopes: &std::collections::BTreeSet<&str>| scopes.iter().copied().collect::<Vec<_>>().join(", ");
    let delete = if facts.is_deletable() { scopes(&facts.delete) } else { "not possible".to_owned() };
    let mut lines = vec![("read", scopes(&facts.read)), ("write", scopes(&facts.write)), ("delete", delete)];
    lines.extend(facts.features.iter().map(|(feature, fields)| {
        let of = if fields.is_empty() { String::new() } else { format!(", for {}", fields.join(", ")) };
        ("plan", format!("must have {feature}{of}"))
    }));
    lines.extend(kind.retired.iter().map(|said| ("retired", said.clone())));
    if has_fields {
        lines.push(("fields", fields(facts).join(", ")));
    }
    let mut text = format!("{}\n  {}\n", kind.name, kind.about);
    for (name, said) in lines {
        let _ = writeln!(text, "  {name:<8}{said}");
    }
    text
}

fn value(facts: &Facts, has_fields: bool) -> Value {
    let kind = facts.kind;
    let features: Vec<Value> = facts
        .features
        .iter()
        .map(|(feature, fields)| json!({ "feature": feature, "fields": (!fields.is_empty()).then_some(fields) }))
        .collect();
    let mut value = json!({
        "kind": kind.name,
        "about": kind.about,
        "singleton": kind.singleton,
        "identity": facts.identity,
        "scopes": { "read": facts.read, "write": facts.write, "delete": facts.delete },
        "deletable": facts.is_deletable(),
        "plan_must_have": features,
        "retired": kind.retired,
    });
    if has_fields {
        value["fields"] = json!(fields(facts));
    }
    value
}

/// Names the fields that a definition may have.
fn fields<'k>(facts: &Facts<'k>) -> Vec<&'k str> {
    facts.kind.fields.iter().filter(|field| !field.read_only).map(|field| field.name.as_str()).collect()
}
