//! `tenantctl plan`: shows what apply would do.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Context;
use super::session::{Choice, Consent, Session, hidden};
use crate::config::settings::{Project, process_variables};
use crate::error::{Error, Exit};
use crate::files::{self, Mode};
use crate::plan::Plan;
use crate::render::{plan_json, plan_markdown, plan_text};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    consent: Consent,
    /// How the plan is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Save the plan, for `apply ENV PLAN`
    #[arg(long, value_name = "FILE", conflicts_with = "all_environments")]
    out: Option<PathBuf>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan every environment, one after the other
    #[arg(long, conflicts_with = "environment")]
    all_environments: bool,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
}

/// Runs it.
///
/// # Errors
/// What is wrong with the definitions, the credentials or the tenant; with all environments, the
/// others are planned all the same.
pub async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    if !args.all_environments {
        return one(context, args, Session::open(context, &args.choice, &args.consent)?).await;
    }
    let project = Project::find(context.global.directory.as_deref(), process_variables(), &context.secrets)?;
    let mut exit = Exit::Done;
    for (at, name) in project.environments().into_iter().enumerate() {
        if at > 0 && args.format != Format::Json {
            context.ui.result("\n");
        }
        let planned = match Session::of(&project, Some(name), &args.choice, &args.consent) {
            Ok(session) => one(context, args, session).await,
            Err(error) => Err(error),
        };
        let this = planned.unwrap_or_else(|error| {
            context.ui.error(&error);
            error.exit
        });
        // An error weighs more than changes.
        exit = if exit == Exit::Failed || this == Exit::Failed { Exit::Failed } else { exit.max(this) };
    }
    Ok(exit)
}

async fn one(context: &Context, args: &Args, mut session: Session) -> Result<Exit, Error> {
    let desired = session.load(context)?;
    let connected = session.connect(context).await?;
    let plan = hidden(&session.draw(context, &connected, desired).await?.planned.plan, &context.secrets);
    connected.report(context);
    connected.close()?;
    if let Some(path) = &args.out {
        files::write(path, &plan_json::plan_json(&plan), Mode::Private)?;
    }
    context.ui.result(&printed(context, args.format, &plan));
    let has_changes = args.detailed_exitcode && !plan.is_empty();
    Ok(if has_changes { Exit::Findings } else { Exit::Done })
}

fn printed(context: &Context, format: Format, plan: &Plan) -> String {
    match format {
        Format::Text => plan_text::plan_text(plan, context.ui.style()),
        Format::Json => plan_json::plan_json(plan),
        Format::Markdown => plan_markdown::plan_markdown(plan),
    }
}
