//! What the user wants, apart from the definitions: the project file, one environment of it, and the
//! environment variables.
//!
//! The only reader of the process environment. It finds `tenantctl.yaml`, picks the environment and
//! gives every other room plain values. Credentials are read when they are asked for, so that
//! offline commands need none.

mod credentials;
mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::expression::ENV;
use super::keywords::{Keyword, Keywords};
use super::layout;
use super::project::{self, EnvironmentPart, Hooks, Placed, ProjectFile};
use super::variables::Variables;
use super::yaml::{Data, Node};
use crate::api::pace::Pacing;
use crate::error::{Error, Origin, Problem, Problems, SourceText};
use crate::files::{self, Files};
use crate::kinds::Registry;
use crate::plan::{Moved, Policy};
use crate::secret::Secrets;
use crate::tenant::Pattern;
use crate::text::{did_you_mean, one_of};
pub use target::Target;

/// The project file's name.
pub const FILE: &str = "tenantctl.yaml";

/// A project: its file, and what is needed to resolve an environment of it.
#[derive(Debug)]
pub struct Project {
    files: Files,
    file: ProjectFile,
    source: Arc<SourceText>,
    variables: Variables,
    secrets: Secrets,
}

/// Everything that is settled for one environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The project folder's files.
    pub files: Files,
    /// The environment's name.
    pub environment: String,
    /// Its tenant.
    pub target: Target,
    /// The definitions' path in the project folder, and where the project file says it.
    pub definitions: Placed<String>,
    /// Its keywords.
    pub keywords: Keywords,
    /// Deletes are changes.
    pub allow_delete: bool,
    /// An apply takes a saved plan only.
    pub protected: bool,
    /// Only these.
    pub only: Vec<Pattern>,
    /// Not these.
    pub exclude: Vec<Pattern>,
    /// Never deleted.
    pub protect: Vec<Pattern>,
    /// Renames.
    pub moved: Vec<Moved>,
    /// Commands around an apply.
    pub hooks: Hooks,
    /// How fast requests may go out.
    pub pacing: Pacing,
    /// A file with certificates to trust, from `SSL_CERT_FILE`.
    pub ca_bundle: Option<PathBuf>,
    /// Unknown fields are errors.
    pub strict: bool,
    /// The environment variables.
    pub variables: Variables,
    credentials: std::collections::BTreeMap<String, Placed<String>>,
}

/// Reads the environment variables of the process. Those that are not UTF-8 are left out.
#[must_use]
pub fn process_variables() -> Variables {
    Variables::new(
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    )
}

impl Project {
    /// Finds the project file, from a folder (the working directory without one) up, and parses it.
    ///
    /// # Errors
    /// If there is none, or with everything that is wrong in it.
    pub fn find(directory: Option<&Path>, variables: Variables, secrets: &Secrets) -> Result<Self, Error> {
        let start = directory.unwrap_or(Path::new("."));
        let hint = "go to the project's folder, or name it with `-C DIR`";
        let root = files::find_up(start, FILE).map_err(|error| error.hint(hint))?.ok_or_else(|| {
            Error::new(format!("no `{FILE}` in `{}` or a folder above it", start.display())).hint(hint)
        })?;
        let files = Files::open(&root)?;
        let source = files.read(FILE)?;
        let mut problems = Problems::default();
        let file = project::parse(&source, secrets, &mut problems);
        if problems.has_errors() {
            return Err(problems.into());
        }
        Ok(Self { files, file, source, variables, secrets: secrets.clone() })
    }

    /// Gives the names of the environments, in order.
    #[must_use]
    pub fn environments(&self) -> Vec<&str> {
        self.file.environments.iter().map(|(name, _)| name.value.as_str()).collect()
    }

    /// Gives the file with certificates to trust that `SSL_CERT_FILE` names.
    #[must_use]
    pub fn ca_bundle(&self) -> Option<PathBuf> {
        self.variables.given("SSL_CERT_FILE").map(PathBuf::from)
    }

    /// Tells whether the tenant of an environment is a host, and not the embedded one.
    #[must_use]
    pub fn is_of_host(&self, environment: Option<&str>) -> bool {
        let tenant = self.pick(environment).ok().and_then(|(_, part)| part.tenant.as_ref());
        tenant.is_some_and(|tenant| Target::read(tenant, &mut Problems::default()) != Some(Target::Sandbox))
    }

    /// Settles an environment. Without a name it is the only one.
    ///
    /// # Errors
    /// If there is no such environment, or with everything that is wrong in what it says.
    pub fn settings(&self, environment: Option<&str>, registry: &Registry) -> Result<Settings, Error> {
        let (name, part) = self.pick(environment)?;
        let mut problems = Problems::default();
        let definitions = self.file.definitions.clone().unwrap_or_else(|| {
            let problem = Problem::error("the project file names no `definitions`")
                .at(Some(Origin::new(&self.source, 0..0)))
                .hint("write `definitions: tenant.yaml`");
            problems.push(problem);
            Placed { value: String::new(), origin: Origin::new(&self.source, 0..0) }
        });
        let target =
            part.tenant.as_ref().and_then(|tenant| Target::read(tenant, &mut problems)).unwrap_or(Target::Sandbox);
        let mut pick = |texts: &[Placed<String>]| patterns(texts, registry, &mut problems);
        let (only, exclude, mut protect) = (pick(&part.only), pick(&part.exclude), pick(&self.file.protect));
        protect.extend(pick(&part.protect));
        for moved in &self.file.moved {
            known_kind(&moved.value.kind, &moved.origin, registry, &mut problems);
        }
        let keywords = self.keywords(part, &mut problems);
        if problems.has_errors() {
            return Err(problems.into());
        }
        Ok(Settings {
            files: self.files.clone(),
            environment: name.to_owned(),
            target,
            definitions,
            keywords,
            allow_delete: part.allow_delete,
            protected: part.protected,
            only,
            exclude,
            protect,
            moved: self.file.moved.iter().map(|moved| moved.value.clone()).collect(),
            hooks: self.file.hooks.clone(),
            pacing: part.pace,
            ca_bundle: self.ca_bundle(),
            strict: self.file.strict,
            variables: self.variables.clone(),
            credentials: part.credentials.clone(),
        })
    }

    fn pick(&self, wanted: Option<&str>) -> Result<(&str, &EnvironmentPart), Error> {
        let known = self.environments();
        let named = |name: &str| self.file.environments.iter().find(|(known, _)| known.value == name);
        let found = match (wanted, self.file.environments.as_slice()) {
            (_, []) => {
                return Err(Error::new(format!("`{FILE}` has no environments"))
                    .hint("add one under `environments`, such as `dev: { tenant: sandbox }`"));
            }
            (Some(name), _) => named(name).ok_or_else(|| {
                let hint = match did_you_mean(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? known: {}", one_of(&known)),
                    None => format!("known: {}", one_of(&known)),
                };
                Error::new(format!("there is no environment `{name}` in `{FILE}`")).hint(hint)
            })?,
            (None, [only]) => only,
            (None, _) => {
                return Err(
                    Error::new("which environment is meant?").hint(format!("name it with `-e`: {}", one_of(&known)))
                );
            }
        };
        Ok((found.0.value.as_str(), &found.1))
    }

    /// Collects the keywords: shared ones, those of files, the environment's own; later ones win.
    fn keywords(&self, part: &EnvironmentPart, problems: &mut Problems) -> Keywords {
        let mut keywords = Keywords::default();
        let mut add = |members: &[(Placed<String>, Node)], problems: &mut Problems| {
            for (name, node) in members {
                if let Some(keyword) = self.keyword(name, node, problems) {
                    keywords.set(&name.value, keyword);
                }
            }
        };
        add(&self.file.keywords, problems);
        for file in [&self.file.keywords_file, &part.keywords_file].into_iter().flatten() {
            match self.files.read(&file.value) {
                Ok(source) => add(&project::keyword_file(&source, &self.secrets, problems), problems),
                Err(problem) => {
                    let origin = problem.origin.clone().or_else(|| Some(file.origin.clone()));
                    problems.push(problem.at(origin));
                }
            }
        }
        add(&part.keywords, problems);
        keywords
    }

    fn keyword(&self, name: &Placed<String>, node: &Node, problems: &mut Problems) -> Option<Keyword> {
        let origin = Some(name.origin.clone());
        if name.value == ENV || name.value.is_empty() {
            let message = format!("a keyword can't be called `{}`", name.value);
            let hint = "in expressions `env` stands for the environment variables";
            problems.push(Problem::error(message).at(origin).hint(hint));
            return None;
        }
        let members: Vec<&str> = match &*node.data {
            Data::Map(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
            _ => Vec::new(),
        };
        let json = node.to_json();
        let keyword = match (members.as_slice(), json.get("env"), json.get("value"), json.get("secret")) {
            (["env"], Some(Value::String(variable)), ..) => Keyword {
                value: self.variables.given(variable).map(Value::from),
                is_secret: true,
                variable: Some(variable.clone()),
                origin,
            },
            (["value", "secret"] | ["secret", "value"], _, Some(value), Some(Value::Bool(is_secret))) => {
                Keyword { value: Some(value.clone()), is_secret: *is_secret, variable: None, origin }
            }
            (members, Some(Value::String(variable)), ..) if members.len() > 1 => {
                let others: Vec<&str> = members.iter().copied().filter(|key| *key != "env").collect();
                let message = format!(
                    "the keyword `{}` comes from the environment variable `{variable}` and can't have {} too",
                    name.value,
                    one_of(&others)
                );
                let hint = format!(
                    "write `{{ env: {variable} }}`: what comes from the environment is always a secret; a map with the \
                     key `env` is written `{{ value: {{ env: ... }}, secret: false }}`"
                );
                problems.push(Problem::error(message).at(origin).hint(hint));
                return None;
            }
            _ => Keyword { value: Some(json), is_secret: false, variable: None, origin },
        };
        if let Some(value) = keyword.value.as_ref().filter(|_| keyword.is_secret) {
            self.secrets.learn_value(value);
        }
        Some(keyword)
    }
}

impl Settings {
    /// Gives the planner's policy; flags add to it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            environment: self.environment.clone(),
            tenant: self.target.to_string(),
            allow_delete: self.allow_delete,
            only: Some(self.only.clone()).filter(|only| !only.is_empty()).into_iter().collect(),
            just: None,
            exclude: self.exclude.clone(),
            protect: self.protect.clone(),
            moved: self.moved.clone(),
            rotate: Vec::new(),
            own_client: None,
            lists_unmanaged: false,
        }
    }
}

/// Reads a pattern of addresses, as in the project file and in flags.
///
/// # Errors
/// If its kind is none that is managed.
pub fn pattern(text: &str, registry: &Registry) -> Result<Pattern, Problem> {
    let pattern = Pattern::new(text);
    let is_known = registry.iter().any(|kind| crate::text::fits(pattern.kind(), &kind.name));
    let is_later = layout::is_other_kind(pattern.kind(), registry);
    if is_known || is_later {
        return Ok(pattern);
    }
    Err(layout::unknown_kind(pattern.kind(), registry))
}

fn known_kind(name: &str, origin: &Origin, registry: &Registry, problems: &mut Problems) {
    if registry.get(name).is_none() {
        problems.push(layout::unknown_kind(name, registry).at(Some(origin.clone())));
    }
}

fn patterns(texts: &[Placed<String>], registry: &Registry, problems: &mut Problems) -> Vec<Pattern> {
    let mut found = Vec::new();
    for text in texts {
        match pattern(&text.value, registry) {
            Ok(pattern) => found.push(pattern),
            Err(problem) => problems.push(problem.at(Some(text.origin.clone()))),
        }
    }
    found
}
