//! A project without a project file: from the Deploy CLI's configuration, in the place of one.
//!
//! What the configuration says becomes what a project file with one environment would say, so that
//! there is one way from here to [`super::Settings`]. The environment's name is the tenant's domain, or
//! `default` where none is given.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Input, Project};
use crate::config::deploy_cli::{self as keys, Configuration};
use crate::config::migrate::Part;
use crate::config::project::{EnvironmentPart, Placed, ProjectFile};
use crate::config::variables::Variables;
use crate::config::yaml::Node;
use crate::config::{self, Markers};
use crate::error::{Error, Origin, Problem, Problems, SourceText};
use crate::files::{self, Files};
use crate::kinds::Registry;
use crate::secret::Secrets;
use crate::text::exactly;

/// The key that names the tenant.
pub const TENANT: &str = "AUTH0_DOMAIN";
/// The name of the environment where no tenant is given.
const UNNAMED: &str = "default";

/// What stands in the place of a project file.
#[derive(Debug)]
pub struct Given {
    /// The folder with `.tenantctl`.
    pub(super) home: PathBuf,
    /// The definitions.
    pub(super) input: Input,
    /// What credentials are read from.
    pub(super) login: Variables,
    /// Every environment variable is a keyword.
    pub(super) is_ambient: bool,
    /// See [`super::Export`].
    pub(super) with_ids: bool,
    /// See [`super::Export`].
    pub(super) preserve_keywords: bool,
    /// Where it says that an apply writes nothing.
    pub(super) dry_run: Option<Origin>,
    /// What is worth saying.
    warnings: Problems,
    details: Vec<String>,
}

/// What was named on the command line.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The configuration's file.
    pub config: Option<&'a Path>,
    /// The definitions.
    pub input: Option<&'a Path>,
    /// Environment variables count, as keys and as keywords.
    pub has_environment: bool,
}

impl Project {
    /// Reads the Deploy CLI's configuration.
    ///
    /// # Errors
    /// If a file can't be read, or with everything that is wrong in it.
    pub fn given(named: Named<'_>, variables: Variables, secrets: &Secrets) -> Result<Self, Error> {
        let source = named.config.map(files::read_anywhere).transpose().map_err(|problem| {
            let hint = "name the Deploy CLI's configuration with `-c FILE`";
            Problem { hint: problem.hint.clone().or(Some(hint.to_owned())), ..problem }
        })?;
        let mut problems = Problems::default();
        let ours = Variables::default();
        let environment = Some(&variables).filter(|_| named.has_environment);
        let configuration = Configuration::read(source.as_ref(), environment, secrets, &mut problems);
        let mut taken = Taken::of(&configuration, secrets, &mut problems);
        problems.extend(std::mem::take(&mut taken.deprecated));
        if problems.has_errors() {
            return Err(problems.into());
        }
        let folder = |path: &Path| path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let base = taken.base_path.as_ref().map(|base| PathBuf::from(&base.value));
        let base = named.input.filter(|path| files::is_folder(path)).map(Path::to_path_buf).or(base);
        let root = base.or_else(|| named.input.map(folder)).or_else(|| named.config.map(folder)).unwrap_or_default();
        let home = named.config.or(named.input).map(folder).unwrap_or_default();
        let opened = |path: &Path| Files::open(if path.as_os_str().is_empty() { Path::new(".") } else { path });
        let files = opened(&root)?;
        let source = source.unwrap_or_else(|| SourceText::new("the environment variables", ""));
        let definitions =
            named.input.map(|path| Placed { value: path.display().to_string(), origin: Origin::new(&source, 0..0) });
        let name = taken.part.tenant.clone().map_or_else(
            || Placed { value: UNNAMED.to_owned(), origin: Origin::new(&source, 0..0) },
            |tenant| Placed { value: tenant.value.to_lowercase(), origin: tenant.origin },
        );
        let given = Given {
            home: opened(&home)?.root().to_path_buf(),
            input: named.input.map_or(Input::Nowhere, |path| Input::At(path.to_path_buf())),
            login: taken.login,
            is_ambient: named.has_environment,
            with_ids: taken.with_ids,
            preserve_keywords: taken.preserve_keywords,
            dry_run: taken.dry_run,
            warnings: problems,
            details: taken.details,
        };
        let file = ProjectFile { definitions, environments: vec![(name, taken.part)], ..ProjectFile::default() };
        // Expressions don't see the environment either, where it does not count; certificates do.
        let variables = if named.has_environment { variables } else { ours.with(&variables, "SSL_CERT_FILE") };
        Ok(Self { files, file, source, variables, secrets: secrets.clone(), given: Some(given) })
    }

    /// Gives what is worth saying of the configuration: warnings, and details for who asks.
    #[must_use]
    pub fn remarks(&self) -> (Problems, &[String]) {
        self.given.as_ref().map_or((Problems::default(), &[]), |given| (given.warnings.clone(), &given.details))
    }
}

impl Part {
    /// Reads a configuration's file for a migration: the environment does not count.
    ///
    /// # Errors
    /// What is wrong in the file or the definitions.
    pub fn read(
        name: String,
        config: &Path,
        input: &Path,
        registry: &Registry,
        secrets: &Secrets,
    ) -> Result<(Self, Markers, Problems), Error> {
        let source = files::read_anywhere(config)?;
        let mut problems = Problems::default();
        let configuration = Configuration::read(Some(&source), None, secrets, &mut problems);
        let taken = Taken::of(&configuration, secrets, &mut problems);
        if taken.part.tenant.is_none() && !problems.has_errors() {
            let problem = Problem::error(format!("`{}` names no tenant", source.name));
            let problem = problem.at(Some(Origin::new(&source, 0..0)));
            problems.push(problem.hint(format!("write its `{TENANT}`: an environment of a project file has one")));
        }
        if problems.has_errors() {
            return Err(problems.into());
        }
        let named = Named { config: Some(config), input: Some(input), has_environment: false };
        let project = Project::given(named, Variables::default(), secrets)?;
        let markers = config::markers(&project.settings(None, registry)?, registry, secrets)?;
        Ok((Self { name, configuration, taken, names: markers.names.clone() }, markers, problems))
    }

    /// Gives the folder that paths in the definitions start from, if the configuration says it.
    #[must_use]
    pub fn base_path(&self) -> Option<&str> {
        self.taken.base_path.as_ref().map(|base| base.value.as_str())
    }
}

/// What a configuration says, as a project file's parts.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) part: EnvironmentPart,
    pub(crate) login: Variables,
    pub(crate) base_path: Option<Placed<String>>,
    pub(crate) dry_run: Option<Origin>,
    pub(crate) details: Vec<String>,
    /// What is said of keys that the Deploy CLI would like to be rid of.
    pub(crate) deprecated: Problems,
    pub(crate) with_ids: bool,
    pub(crate) preserve_keywords: bool,
}

impl Taken {
    pub(crate) fn of(configuration: &Configuration, secrets: &Secrets, problems: &mut Problems) -> Self {
        let mut taken = Self::default();
        for given in &configuration.given {
            taken.key(given, secrets, problems);
        }
        configuration.not_both("AUTH0_EXCLUDED", "AUTH0_INCLUDED_ONLY", problems);
        configuration.not_both("AUTH0_EXCLUDED_CONNECTIONS", "AUTH0_INCLUDED_CONNECTIONS", problems);
        if let Some(only) = configuration.of("only").find(|_| taken.part.only.is_empty()) {
            let message = format!("`{}` is empty, and would leave nothing to manage", only.key.name);
            let hint = "name kinds, or leave the key out to manage all";
            problems.push(Problem::error(message).at(Some(only.origin())).hint(hint));
        }
        let asks = configuration.of("consent").any(keys::Given::is_on);
        let dry_run = configuration.of("dry_run").find(|given| given.is_on() && !asks);
        taken.dry_run = dry_run.map(keys::Given::origin);
        taken
    }

    fn key(&mut self, given: &keys::Given, secrets: &Secrets, problems: &mut Problems) {
        let key = given.key;
        let part = &mut self.part;
        match key.role {
            "tenant" => part.tenant = given.text(secrets, problems),
            "audience" => part.audience = given.text(secrets, problems),
            "base_path" => self.base_path = given.text(secrets, problems),
            "login" => {
                if let Some(text) = given.text(secrets, problems) {
                    self.login.set(key.name, &text.value);
                }
            }
            "allow_delete" => part.allow_delete = given.claim(secrets, problems),
            "exclude_kinds" => part.exclude_kinds = given.texts(secrets, problems),
            "only" => part.only = given.texts(secrets, problems),
            "exclude" | "only_named" => {
                let patterns = given.texts(secrets, problems).into_iter().map(|name| Placed {
                    value: format!("{}/{}", key.more, exactly(&name.value)),
                    origin: name.origin,
                });
                let list = if key.role == "exclude" { &mut part.exclude } else { &mut part.only_named };
                list.extend(patterns);
            }
            "exclude_by" => {
                let (kind, field) = key.more.split_once(' ').unwrap_or((key.more, ""));
                let of = |name: Placed<String>| Placed {
                    value: (kind.to_owned(), json!({ field: name.value })),
                    origin: name.origin,
                };
                part.exclude_where.extend(given.texts(secrets, problems).into_iter().map(of));
            }
            "third_party" => {
                part.exclude_third_party = given.claim(secrets, problems).then(|| given.origin());
            }
            "keywords" => self.keywords(given, secrets, problems),
            "exclude_fields" => part.exclude_fields = given.fields(secrets, problems),
            "export_fields" => part.export_fields = given.fields(secrets, problems),
            "with_ids" => self.with_ids = given.claim(secrets, problems),
            "preserve_keywords" => self.preserve_keywords = given.claim(secrets, problems),
            "idle" => self.details.push(format!("{} is accepted and does nothing: {}", key.name, key.more)),
            "ignored" if given.is_on() => {
                let problem = Problem::warning(format!("`{}` does nothing here", key.name));
                problems.push(problem.at(Some(given.origin())).hint(key.more));
            }
            _ => {}
        }
        if matches!(key.role, "exclude" | "exclude_by") {
            let problem = Problem::warning(format!("`{}` is deprecated by the Deploy CLI; it still counts", key.name));
            let hint = "`tenantctl migrate` writes a project file with `exclude` instead";
            self.deprecated.push(problem.at(Some(given.origin())).hint(hint));
        }
    }

    /// Takes keywords as they are: what a project file would take as a map with a meaning is none here.
    fn keywords(&mut self, given: &keys::Given, secrets: &Secrets, problems: &mut Problems) {
        for (name, node) in given.members(secrets, problems) {
            let wrapped =
                json!({ "value": node.to_json(), "secret": given.is_variable || keys::sounds_secret(&name.value) });
            self.part.keywords.push((name, Node::of_json(wrapped, &node.span, false)));
        }
    }
}
