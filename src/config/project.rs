//! The project file as the user wrote it: `tenantctl.yaml`, every key with its place.
//!
//! Pure: text in, [`ProjectFile`] and problems out. Settings finds the file and picks an environment;
//! nothing here knows environment variables' values or other files.

mod environment;
pub(super) mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::yaml::{Entry, Node, Reading, Span, read};
use crate::api::pace::Pacing;
use crate::error::{Origin, Problem, Problems, SourceText};
use crate::plan::Moved;
use crate::secret::Secrets;
use reader::Reader;

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub origin: Origin,
}

/// The project file.
#[derive(Debug, Default)]
pub struct ProjectFile {
    /// The definitions' path.
    pub definitions: Option<Placed<String>>,
    /// The folder that paths in the definitions start from, where it is not the definitions' own.
    pub base_path: Option<Placed<String>>,
    /// Keywords of all environments.
    pub keywords: Vec<(Placed<String>, Node)>,
    /// A file with keywords of all environments.
    pub keywords_file: Option<Placed<String>>,
    /// The environments, in order.
    pub environments: Vec<(Placed<String>, EnvironmentPart)>,
    /// What is never deleted.
    pub protect: Vec<Placed<String>>,
    /// Renames.
    pub moved: Vec<Placed<Moved>>,
    /// Commands around an apply.
    pub hooks: Hooks,
    /// Unknown fields are errors.
    pub strict: bool,
}

/// Commands that run before and after an apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Before anything is written.
    pub before_apply: Vec<String>,
    /// After everything was written.
    pub after_apply: Vec<String>,
}

/// What the project file says about one environment.
#[derive(Debug, Default)]
pub struct EnvironmentPart {
    /// The tenant's host, or `sandbox`.
    pub tenant: Option<Placed<String>>,
    /// Its keywords.
    pub keywords: Vec<(Placed<String>, Node)>,
    /// A file with its keywords.
    pub keywords_file: Option<Placed<String>>,
    /// Names of environment variables.
    pub credentials: BTreeMap<String, Placed<String>>,
    /// An apply takes a saved plan only.
    pub protected: bool,
    /// Deletes are changes.
    pub allow_delete: bool,
    /// Only these.
    pub only: Vec<Placed<String>>,
    /// Not these.
    pub exclude: Vec<Placed<String>>,
    /// Not these kinds; what hangs on their objects stays.
    pub exclude_kinds: Vec<Placed<String>>,
    /// Of the kinds that these name, only these.
    pub only_named: Vec<Placed<String>>,
    /// Not those of a kind whose fields have these values.
    pub exclude_where: Vec<Placed<(String, Value)>>,
    /// Not what belongs to third parties.
    pub exclude_third_party: Option<Origin>,
    /// Fields by kind, as dotted paths, that are neither compared nor sent nor exported.
    pub exclude_fields: Vec<Placed<(String, String)>>,
    /// Fields by kind that exports keep although the API sets them.
    pub export_fields: Vec<Placed<(String, String)>>,
    /// What tokens are asked for, where it is not the tenant's usual one.
    pub audience: Option<Placed<String>>,
    /// Never deleted, beyond the project's.
    pub protect: Vec<Placed<String>>,
    /// How fast requests may go out.
    pub pace: Pacing,
}

/// The keys of the file.
const KEYS: [&str; 10] = [
    "version",
    "definitions",
    "base_path",
    "keywords",
    "keywords_file",
    "environments",
    "protect",
    "moved",
    "hooks",
    "strict",
];

/// Reads a file without substitution.
#[derive(Debug)]
pub struct AsWritten<'a>(pub &'a Arc<SourceText>);

impl Reading for AsWritten<'_> {
    fn origin(&self, span: &Span) -> Origin {
        Origin::new(self.0, span.clone())
    }
}

/// Parses the project file.
#[must_use]
pub fn parse(source: &Arc<SourceText>, secrets: &Secrets, problems: &mut Problems) -> ProjectFile {
    let mut reader = Reader { source, secrets, problems };
    let mut file = ProjectFile::default();
    let root = read(&source.text, &mut AsWritten(source), reader.problems);
    let Some(root) = root.filter(|root| !root.is_null()) else {
        if !reader.problems.has_errors() {
            let problem = Problem::error(format!("`{}` is empty", source.name)).at(Some(Origin::new(source, 0..0)));
            let hint = "a project file has at least `version: 1`, `definitions` and `environments`";
            reader.problems.push(problem.hint(hint));
        }
        return file;
    };
    let mut version = None;
    for entry in reader.members(&root, "the project file") {
        match entry.key.as_str() {
            "version" => version = Some(entry.value.to_json()),
            "definitions" => file.definitions = reader.text(&entry),
            "base_path" => file.base_path = reader.text(&entry),
            "keywords" => file.keywords = reader.keywords(&entry.value, "`keywords`"),
            "keywords_file" => file.keywords_file = reader.text(&entry),
            "environments" => file.environments = reader.environments(&entry),
            "protect" => file.protect = reader.texts(&entry),
            "moved" => file.moved = reader.moved(&entry),
            "hooks" => file.hooks = reader.hooks(&entry),
            "strict" => file.strict = reader.claim(&entry),
            _ => reader.unknown(&entry, &KEYS),
        }
    }
    if version.as_ref() != Some(&serde_json::json!(1)) {
        let message = match version {
            None => "the project file says no `version`".to_owned(),
            Some(other) => format!("version {other} of the project file is not known"),
        };
        let origin = Origin::new(source, root.span.start..root.span.start);
        reader.problems.push(Problem::error(message).at(Some(origin)).hint("write `version: 1`"));
    }
    file
}

/// Reads the members of a file of keywords.
pub fn keyword_file(
    source: &Arc<SourceText>,
    secrets: &Secrets,
    problems: &mut Problems,
) -> Vec<(Placed<String>, Node)> {
    let Some(root) = read(&source.text, &mut AsWritten(source), problems) else { return Vec::new() };
    Reader { source, secrets, problems }.keywords(&root, "a file of keywords")
}

impl Reader<'_> {
    fn keywords(&mut self, node: &Node, what: &str) -> Vec<(Placed<String>, Node)> {
        let members = if node.is_null() { Vec::new() } else { self.members(node, what) };
        members.into_iter().map(|member| (self.placed(member.key.clone(), &member.span), member.value)).collect()
    }

    fn environments(&mut self, entry: &Entry) -> Vec<(Placed<String>, EnvironmentPart)> {
        let members = self.members(&entry.value, "`environments`");
        members.iter().map(|member| (self.placed(member.key.clone(), &member.span), self.environment(member))).collect()
    }

    fn pace(&mut self, entry: &Entry) -> Pacing {
        let mut pace = Pacing::default();
        for member in self.members(&entry.value, "`pace`") {
            let number = member.value.to_json();
            if !Pacing::NAMES.contains(&member.key.as_str()) {
                self.unknown(&member, &Pacing::NAMES);
            } else if let Err(wanted) = pace.set(&member.key, number.as_f64().unwrap_or(f64::NAN)) {
                let found = if number.is_number() { number.to_string() } else { member.value.what().to_owned() };
                let message = format!("`{}` must be {wanted}, not {found}", member.key);
                self.problems.push(Problem::error(message).at(Some(self.origin(&member.value.span))));
            }
        }
        pace
    }

    fn moved(&mut self, entry: &Entry) -> Vec<Placed<Moved>> {
        let mut moves = Vec::new();
        for item in self.items(entry) {
            let mut parts: BTreeMap<String, String> = BTreeMap::new();
            for member in self.members(&item, "an element of `moved`") {
                if ["kind", "from", "to"].contains(&member.key.as_str()) {
                    parts.extend(self.text(&member).map(|text| (member.key.clone(), text.value)));
                } else {
                    self.unknown(&member, &["kind", "from", "to"]);
                }
            }
            if let (Some(kind), Some(from), Some(to)) = (parts.remove("kind"), parts.remove("from"), parts.remove("to"))
            {
                moves.push(self.placed(Moved { kind, from, to }, &item.span));
            } else {
                let origin = self.origin(&item.span);
                let problem = Problem::error("an element of `moved` needs `kind`, `from` and `to`").at(Some(origin));
                self.problems.push(problem.hint("write `- { kind: clients, from: Old name, to: New name }`"));
            }
        }
        moves
    }

    fn hooks(&mut self, entry: &Entry) -> Hooks {
        let mut hooks = Hooks::default();
        for member in self.members(&entry.value, "`hooks`") {
            let commands = |texts: Vec<Placed<String>>| texts.into_iter().map(|text| text.value).collect();
            match member.key.as_str() {
                "before_apply" => hooks.before_apply = commands(self.texts(&member)),
                "after_apply" => hooks.after_apply = commands(self.texts(&member)),
                _ => self.unknown(&member, &["before_apply", "after_apply"]),
            }
        }
        hooks
    }
}
