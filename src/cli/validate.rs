//! `tenantctl validate`: checks the definitions offline.

use super::{Context, Source};
use crate::config::settings::Project;
use crate::config::{self, cross};
use crate::error::{Error, Exit, Problems};
use crate::kinds::Registry;
use crate::text::plural;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) source: Source,
    /// The environment [default: all]
    #[arg(short, long, value_name = "ENV")]
    pub environment: Option<String>,
    /// Take unknown fields as errors
    #[arg(long)]
    pub strict: bool,
}

/// Runs it: without an environment for all of them.
///
/// # Errors
/// Everything that is wrong with the project file and the definitions.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let registry = Registry::builtin();
    let project = context.project()?;
    let names = match &args.environment {
        Some(name) => vec![name.as_str()],
        None => project.environments(),
    };
    let mut problems = Problems::default();
    let mut checked = Vec::new();
    // An error that is about no place in a file, such as an environment that is not there.
    let mut failure = None;
    for name in if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() } {
        match check(context, &project, registry, name, args.strict) {
            Ok((found, line)) => {
                problems.extend(found);
                checked.push(line);
            }
            Err(error) if error.problems.is_empty() => failure = failure.or(Some(error)),
            Err(error) => problems.extend(error.problems),
        }
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    if problems.has_errors() {
        return Err(problems.into());
    }
    context.ui.warnings(problems);
    context.ui.result(&checked.concat());
    Ok(Exit::Done)
}

fn check(
    context: &Context,
    project: &Project,
    registry: &Registry,
    environment: Option<&str>,
    strict: bool,
) -> Result<(Problems, String), Error> {
    let mut settings = project.settings(environment, registry)?;
    settings.strict |= strict;
    let loaded = config::load(&settings, registry, &context.secrets)?;
    let mut problems = loaded.warnings;
    problems.extend(cross::unmet(registry, &loaded.desired));
    let kinds = loaded.desired.tenant.kinds.len();
    let objects = loaded.desired.tenant.iter().count();
    let line = format!(
        "{}: {} with {} of {} is valid\n",
        settings.environment,
        settings.definitions.value,
        plural(objects, "object"),
        plural(kinds, "kind")
    );
    Ok((problems, line))
}
