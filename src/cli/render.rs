//! `tenantctl render`: prints the definitions after substitution.

use super::{Context, Source};
use crate::config;
use crate::error::{Error, Exit};
use crate::kinds::Registry;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) source: Source,
    /// The environment [default: the only one]
    #[arg(short, long, value_name = "ENV")]
    pub environment: Option<String>,
}

/// Runs it.
///
/// # Errors
/// If the text, a keyword or an expression is wrong.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let project = context.project()?;
    let settings = project.settings(args.environment.as_deref(), Registry::builtin())?;
    let (text, warnings) = config::render(&settings, Registry::builtin(), &context.secrets)?;
    context.ui.warnings(warnings);
    context.ui.result(&text);
    Ok(Exit::Done)
}
