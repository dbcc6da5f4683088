//! Several configurations of the Deploy CLI as the text of one project file.
//!
//! Pure. Keywords that are equal everywhere go to the top, what is secret becomes the name of an
//! environment variable, and what has no place in a project file is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::deploy_cli::{Configuration, Given, sounds_secret};
use super::expression::ENV;
use super::keywords::markers;
use super::project::Placed;
use super::scalar::{Plain, plain};
use super::settings::deploy_cli::Taken;

/// One configuration, with the name that its environment gets.
#[derive(Debug)]
pub struct Part {
    /// The environment's name.
    pub name: String,
    /// What the file says.
    pub configuration: Configuration,
    pub(crate) taken: Taken,
    /// The keywords that the definitions name in this environment.
    pub names: BTreeSet<String>,
}

/// The project file, and what a person should know.
#[derive(Debug, Default)]
pub struct Migrated {
    /// Its text.
    pub text: String,
    /// The environment variables to set, each with what it is.
    pub variables: BTreeMap<String, String>,
    /// What is not carried over, with the reason.
    pub notes: Vec<String>,
}

/// What stands around the environments.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The definitions' path, from the project file.
    pub definitions: &'a str,
    /// The folder that paths in them start from, where it is not theirs.
    pub base_path: Option<&'a str>,
    /// Keywords that are the whole text of a secret field.
    pub secret: &'a BTreeSet<String>,
}

/// Writes the project file.
#[must_use]
pub fn migrated(parts: &[Part], frame: &Frame<'_>) -> Migrated {
    let mut made = Migrated::default();
    let keywords: Vec<Keywords> = parts.iter().map(|part| made.keywords(part, parts, frame)).collect();
    // A value may hold the marker of a later keyword: then their order must stay as it is.
    let has_markers = parts.iter().any(|part| values(part).any(|(_, value)| !markers(&value.to_string()).is_empty()));
    let is_shared = |entry: &(String, Value)| !has_markers && keywords.iter().all(|others| others.contains(entry));
    let shared: Keywords = keywords.first().into_iter().flatten().filter(|entry| is_shared(entry)).cloned().collect();
    let mut text = format!("version: 1\ndefinitions: {}\n", scalar(&frame.definitions.into()));
    if let Some(base) = frame.base_path {
        let _ = writeln!(text, "base_path: {}", scalar(&base.into()));
    }
    if !shared.is_empty() {
        text += "keywords:\n";
        for (name, value) in &shared {
            line(&mut text, 2, name, value);
        }
    }
    text += "environments:\n";
    for (part, keywords) in parts.iter().zip(&keywords) {
        let _ = writeln!(text, "  {}:", scalar(&part.name.as_str().into()));
        let own: Keywords = keywords.iter().filter(|entry| !shared.contains(entry)).cloned().collect();
        made.environment(&mut text, part, parts.len() > 1, &own);
    }
    made.left_behind(parts);
    made.text = text;
    made
}

/// Keywords with their values, as a project file has them.
type Keywords = Vec<(String, Value)>;

fn values(part: &Part) -> impl Iterator<Item = (&str, Value)> {
    part.taken.part.keywords.iter().map(|(name, node)| {
        let value = node.to_json().get("value").cloned().unwrap_or_default();
        (name.value.as_str(), value)
    })
}

impl Migrated {
    fn keywords(&mut self, part: &Part, parts: &[Part], frame: &Frame<'_>) -> Keywords {
        let mut keywords = Vec::new();
        for (name, value) in values(part) {
            if name == ENV || name.is_empty() {
                self.notes.push(format!("the keyword `{name}` ({}): a keyword can't be called so", part.name));
            } else if sounds_secret(name) || frame.secret.contains(name) {
                let others = parts.iter().flat_map(|other| values(other).filter(|(other, _)| *other == name));
                let is_one = others.into_iter().all(|(_, other)| other == value);
                let variable = variable(part, name, !is_one);
                self.variables.insert(variable.clone(), format!("the keyword `{name}`, which looks like a secret"));
                keywords.push((name.to_owned(), json!({ "env": variable })));
            } else if value.is_object() {
                keywords.push((name.to_owned(), json!({ "value": value, "secret": false })));
            } else {
                keywords.push((name.to_owned(), value));
            }
        }
        let undefined = part.names.iter().filter(|name| !values(part).any(|(known, _)| known == name.as_str()));
        for name in undefined.filter(|name| *name != ENV) {
            let lacks = |other: &&Part| other.names.contains(name) && !values(other).any(|(known, _)| known == name);
            let without: Vec<&str> = parts.iter().filter(lacks).map(|other| other.name.as_str()).collect();
            let what = format!("the keyword `{name}`, which has no mapping in {}", without.join(", "));
            self.variables.insert(name.clone(), what);
            keywords.push((name.clone(), json!({ "env": name })));
        }
        keywords
    }

    fn environment(&mut self, text: &mut String, part: &Part, is_one_of_many: bool, keywords: &Keywords) {
        let says = &part.taken.part;
        let list = |texts: &[Placed<String>]| texts.iter().map(|text| text.value.clone()).collect::<Vec<_>>();
        let mut put = |name: &str, value: Value| {
            let is_empty = match &value {
                Value::Null => true,
                Value::Bool(is_on) => !is_on,
                Value::Array(items) => items.is_empty(),
                Value::Object(members) => members.is_empty(),
                _ => false,
            };
            if !is_empty {
                line(text, 4, name, &value);
            }
        };
        put("tenant", json!(says.tenant.as_ref().map(|tenant| &tenant.value)));
        put("audience", json!(says.audience.as_ref().map(|audience| &audience.value)));
        put("credentials", self.credentials(part, is_one_of_many));
        put("allow_delete", json!(says.allow_delete));
        put("only", json!(list(&says.only)));
        put("only_named", json!(list(&says.only_named)));
        put("exclude", json!(list(&says.exclude)));
        put("exclude_kinds", json!(list(&says.exclude_kinds)));
        put("exclude_where", by_kind(&says.exclude_where));
        put("exclude_third_party_clients", json!(says.exclude_third_party.is_some()));
        put("exclude_fields", by_kind(&says.exclude_fields));
        put("export_fields", by_kind(&says.export_fields));
        if !keywords.is_empty() {
            *text += "    keywords:\n";
            for (name, value) in keywords {
                line(text, 6, name, value);
            }
        }
    }

    /// Names the variables that credentials come from. Of one environment they have their usual names.
    fn credentials(&mut self, part: &Part, is_one_of_many: bool) -> Value {
        let has = |key: &str| part.taken.login.given(key).is_some();
        let mut wanted = vec![("client_id_env", "AUTH0_CLIENT_ID")];
        match () {
            () if has("AUTH0_CLIENT_SIGNING_KEY_PATH") => {
                wanted.push(("client_signing_key_path_env", "AUTH0_CLIENT_SIGNING_KEY_PATH"));
            }
            () if has("AUTH0_ACCESS_TOKEN") && !has("AUTH0_CLIENT_SECRET") => {
                wanted = vec![("access_token_env", "AUTH0_ACCESS_TOKEN")];
            }
            () if has("AUTH0_CLIENT_ID") || has("AUTH0_CLIENT_SECRET") => {
                wanted.push(("client_secret_env", "AUTH0_CLIENT_SECRET"));
            }
            () => return Value::Null,
        }
        let mut named = Map::new();
        for (key, usual) in wanted {
            let variable = variable(part, usual, is_one_of_many);
            self.variables.insert(variable.clone(), format!("{usual} of {}", part.name));
            named.insert(key.to_owned(), variable.into());
        }
        if let Some(algorithm) = part.taken.login.given("AUTH0_CLIENT_SIGNING_ALGORITHM") {
            named.insert("client_signing_algorithm".to_owned(), algorithm.into());
        }
        Value::Object(named)
    }

    /// Says what has no place in a project file.
    fn left_behind(&mut self, parts: &[Part]) {
        let mut notes: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for part in parts {
            for Given { key, .. } in part.configuration.given.iter().filter(|given| given.is_on()) {
                let why = match key.role {
                    "with_ids" => "give `export --with-ids`",
                    "preserve_keywords" => "give `export --preserve-keywords`",
                    "dry_run" | "consent" => "`plan` shows what would be done, and `apply` shows it and asks",
                    "idle" | "ignored" => key.more,
                    _ => continue,
                };
                notes.entry((key.name, why)).or_default().push(&part.name);
            }
        }
        let said = notes.iter().map(|((key, why), names)| format!("{key} ({}): {why}", names.join(", ")));
        self.notes.extend(said);
        let mapped: Vec<&str> = parts.iter().flat_map(values).map(|(name, _)| name).collect();
        if !mapped.is_empty() {
            let why = "a variable of the same name no longer wins over a keyword; for that write `{ env: NAME }`";
            self.notes.push(format!("environment variables over keywords: {why}"));
        }
        self.notes.dedup();
    }
}

/// Gives the name of a variable; where environments differ, each has its own.
fn variable(part: &Part, name: &str, is_own: bool) -> String {
    let text = if is_own { format!("{}_{name}", part.name) } else { name.to_owned() };
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn by_kind<T: Clone + Into<Value>>(items: &[Placed<(String, T)>]) -> Value {
    let mut kinds: Map<String, Value> = Map::new();
    for Placed { value: (kind, item), .. } in items {
        let list = kinds.entry(kind.clone()).or_insert_with(|| json!([]));
        list.as_array_mut().into_iter().for_each(|list| list.push(item.clone().into()));
    }
    Value::Object(kinds)
}

fn line(text: &mut String, indentation: usize, name: &str, value: &Value) {
    let _ = writeln!(text, "{:indentation$}{}: {}", "", scalar(&name.into()), flow(value));
}

/// Writes a value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{}: {}", scalar(&name.as_str().into()), flow(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        value => scalar(value),
    }
}

/// Writes a scalar: bare where it can be nothing but a text, else as JSON.
fn scalar(value: &Value) -> String {
    match value.as_str() {
        Some(text) if is_bare(text) => text.to_owned(),
        _ => value.to_string(),
    }
}

fn is_bare(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
        && matches!(plain(text), Plain::Value(Value::String(_)))
}

/// Says what is to be done by hand.
#[must_use]
pub fn told(made: &Migrated) -> String {
    let mut text = String::new();
    if !made.variables.is_empty() {
        text += "set these environment variables; the file has their names only:\n";
        for (variable, what) in &made.variables {
            let _ = writeln!(text, "  {variable}  {what}");
        }
    }
    if !made.notes.is_empty() {
        text += "not carried over:\n";
        for note in &made.notes {
            let _ = writeln!(text, "  {note}");
        }
    }
    text
}
