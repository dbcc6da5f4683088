//! What the user wants, apart from the definitions: the project file, one environment of it, and the
//! environment variables.
//!
//! The only reader of the process environment. It finds `tenantctl.yaml`, picks the environment and
//! gives every other room plain values. Credentials are read when they are asked for, so that
//! offline commands need none.

mod credentials;
pub mod deploy_cli;
mod keywords;
mod selection;
mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keywords::Keywords;
use super::layout;
use super::project::{self, EnvironmentPart, Hooks, Placed, ProjectFile};
use super::variables::Variables;
use crate::api::pace::Pacing;
use crate::error::{Error, Origin, Problem, Problems, SourceText};
use crate::files::{self, Files};
use crate::kinds::Registry;
use crate::plan::{KindField, Moved, Policy};
use crate::secret::Secrets;
use crate::tenant::Pattern;
use crate::text::{did_you_mean, one_of};
use deploy_cli::Given;
pub use selection::Selection;
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
    /// Where there is no project file: what stands in its place.
    given: Option<Given>,
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
    /// The folder with `.tenantctl`.
    pub home: PathBuf,
    /// The definitions' path, and where the project file says it.
    pub definitions: Placed<String>,
    /// Where the definitions are.
    pub input: Input,
    /// The folder that paths in the definitions start from, below that of `files`; empty, or with a
    /// slash at its end.
    pub base: String,
    /// Its keywords.
    pub keywords: Keywords,
    /// Deletes are changes.
    pub allow_delete: bool,
    /// An apply takes a saved plan only.
    pub protected: bool,
    /// What is managed.
    pub selection: Selection,
    /// What exports keep.
    pub export: Export,
    /// Where it says that an apply writes nothing.
    pub dry_run: Option<Origin>,
    /// What tokens are asked for, where it is not the tenant's usual one.
    pub audience: Option<String>,
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
    /// What credentials are read from.
    login: Variables,
}

/// Where the definitions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// In the project folder.
    Project,
    /// Where the user named them.
    At(PathBuf),
    /// Nobody said.
    Nowhere,
}

/// What exports keep, beyond what they keep anyway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// The API's ids.
    pub with_ids: bool,
    /// Markers of keywords in the files that are there.
    pub preserve_keywords: bool,
    /// Fields that the API sets.
    pub fields: Vec<KindField>,
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
            Error::new(format!("no `{FILE}` in `{}` or a folder above it", start.display()))
                .hint(format!("{hint}; files of the Deploy CLI are read with `-c config.json -i tenant.yaml`"))
        })?;
        let files = Files::open(&root)?;
        let source = files.read(FILE)?;
        Self::parse(files, source, variables, secrets)
    }

    /// Parses a project file's text.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn parse(
        files: Files,
        source: Arc<SourceText>,
        variables: Variables,
        secrets: &Secrets,
    ) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let file = project::parse(&source, secrets, &mut problems);
        if problems.has_errors() {
            return Err(problems.into());
        }
        Ok(Self { files, file, source, variables, secrets: secrets.clone(), given: None })
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
        tenant.is_some_and(|tenant| self.target(tenant, &mut Problems::default()) != Some(Target::Sandbox))
    }

    fn target(&self, tenant: &Placed<String>, problems: &mut Problems) -> Option<Target> {
        let key = if self.given.is_some() { deploy_cli::TENANT } else { "tenant" };
        Target::read(tenant, key, problems)
    }

    /// Settles an environment. Without a name it is the only one.
    ///
    /// # Errors
    /// If there is no such environment, or with everything that is wrong in what it says.
    pub fn settings(&self, environment: Option<&str>, registry: &Registry) -> Result<Settings, Error> {
        let (name, part) = self.pick(environment)?;
        let mut problems = Problems::default();
        let definitions = self.file.definitions.clone().unwrap_or_else(|| {
            if self.given.is_some() {
                return Placed { value: String::new(), origin: Origin::new(&self.source, 0..0) };
            }
            let problem = Problem::error("the project file names no `definitions`")
                .at(Some(Origin::new(&self.source, 0..0)))
                .hint("write `definitions: tenant.yaml`");
            problems.push(problem);
            Placed { value: String::new(), origin: Origin::new(&self.source, 0..0) }
        });
        let target = part.tenant.as_ref().map_or(Some(Target::Unnamed), |tenant| self.target(tenant, &mut problems));
        let target = target.unwrap_or(Target::Unnamed);
        let selection = Selection::of(&self.file, part, registry, &mut problems);
        let export_fields = selection::kept_fields(part, registry, &mut problems);
        for moved in &self.file.moved {
            selection::known_kind(&moved.value.kind, &moved.origin, registry, &mut problems);
        }
        let keywords = self.keywords(part, &mut problems);
        if problems.has_errors() {
            return Err(problems.into());
        }
        let given = self.given.as_ref();
        Ok(Settings {
            files: self.files.clone(),
            environment: name.to_owned(),
            target,
            home: given.map_or_else(|| self.files.root().to_path_buf(), |given| given.home.clone()),
            input: given.map_or(Input::Project, |given| given.input.clone()),
            base: self.base(&definitions.value),
            definitions,
            keywords,
            allow_delete: part.allow_delete,
            protected: part.protected,
            selection,
            export: Export {
                with_ids: given.is_some_and(|given| given.with_ids),
                preserve_keywords: given.is_some_and(|given| given.preserve_keywords),
                fields: export_fields,
            },
            dry_run: given.and_then(|given| given.dry_run.clone()),
            audience: part.audience.as_ref().map(|audience| audience.value.clone()),
            moved: self.file.moved.iter().map(|moved| moved.value.clone()).collect(),
            hooks: self.file.hooks.clone(),
            pacing: part.pace,
            ca_bundle: self.ca_bundle(),
            strict: self.file.strict,
            variables: self.variables.clone(),
            credentials: part.credentials.clone(),
            login: given.map_or_else(|| self.variables.clone(), |given| given.login.clone()),
        })
    }

    /// Gives the folder that paths in the definitions start from.
    fn base(&self, definitions: &str) -> String {
        match (&self.given, &self.file.base_path) {
            (Some(_), _) => String::new(),
            (None, Some(base)) => format!("{}/", base.value.trim_end_matches('/')),
            (None, None) => definitions.rfind('/').map_or(String::new(), |at| definitions[..=at].to_owned()),
        }
    }

    fn pick(&self, wanted: Option<&str>) -> Result<(&str, &EnvironmentPart), Error> {
        let known = self.environments();
        if self.given.is_some() && wanted.is_some_and(|name| !known.contains(&name)) {
            return Err(Error::new("`-e` names an environment of a project file, and with `-c` or `-i` none is read")
                .hint("leave out `-e`, or `-c` and `-i`"));
        }
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
}

impl Settings {
    /// Gives the planner's policy; flags add to it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            environment: self.environment.clone(),
            tenant: self.target.to_string(),
            allow_delete: self.allow_delete,
            only: self.selection.only.clone(),
            just: None,
            exclude: self.selection.exclude.clone(),
            exclude_where: self.selection.exclude_where.clone(),
            exclude_fields: self.selection.exclude_fields.clone(),
            protect: self.selection.protect.clone(),
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
    if known_or_later(pattern.kind(), registry) {
        return Ok(pattern);
    }
    Err(layout::unknown_kind(pattern.kind(), registry))
}

/// Tells whether a kind, or a pattern of kinds, is managed, or at least known by name.
fn known_or_later(name: &str, registry: &Registry) -> bool {
    registry.iter().any(|kind| crate::text::fits(name, &kind.name)) || layout::is_other_kind(name, registry)
}
