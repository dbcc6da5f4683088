//! `tenantctl plan`: shows what apply would do.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Context;
use super::session::{Choice, Consent, Session, unsent};
use crate::error::{Error, Exit};
use crate::files::{self, Mode};
use crate::plan::Plan;
use crate::render::hidden::hidden;
use crate::render::{plan_json, plan_markdown, plan_text, visible};

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
    /// Save the plan, for `apply -e ENV PLAN`
    #[arg(long, value_name = "FILE", conflicts_with = "all_environments")]
    out: Option<PathBuf>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan every environment; as JSON it is one array
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
/// What is wrong with the definitions, the credentials or the tenant.
pub async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    if args.all_environments {
        return all(context, args).await;
    }
    let plan = drawn(context, Session::open(context, &args.choice, &args.consent)?).await?;
    if let Some(path) = &args.out {
        files::write(path, &plan_json::plan_json(&plan), Mode::Private)?;
    }
    context.ui.result(&printed(context, args.format, &plan));
    if let Some(path) = &args.out {
        context.ui.say(&saved(context, &plan, path));
    }
    Ok(exit_of(args, &plan))
}

/// Plans every environment. An error of one is told, and the others are planned all the same.
async fn all(context: &Context, args: &Args) -> Result<Exit, Error> {
    let project = context.project().map_err(unsent)?;
    let mut exit = Exit::Done;
    let mut plans = Vec::new();
    for (at, name) in project.environments().into_iter().enumerate() {
        if at > 0 && args.format != Format::Json {
            context.ui.result("\n");
        }
        let planned = match Session::of(&project, Some(name), &args.choice, &args.consent) {
            Ok(session) => drawn(context, session).await,
            Err(error) => Err(error),
        };
        let this = match planned {
            Ok(plan) => {
                if args.format != Format::Json {
                    context.ui.result(&printed(context, args.format, &plan));
                }
                let exit = exit_of(args, &plan);
                plans.push(plan);
                exit
            }
            Err(error) => {
                context.ui.error(&error);
                error.exit
            }
        };
        // An error weighs more than changes.
        exit = if exit == Exit::Failed || this == Exit::Failed { Exit::Failed } else { exit.max(this) };
    }
    if args.format == Format::Json {
        context.ui.result(&plan_json::plans_json(&plans));
    }
    Ok(exit)
}

async fn drawn(context: &Context, mut session: Session) -> Result<Plan, Error> {
    let desired = session.load(context)?;
    let connected = session.connect(context).await?;
    let plan = hidden(&session.draw(context, &connected, desired).await?.planned.plan, &context.secrets);
    connected.report(context);
    connected.close()?;
    Ok(plan)
}

fn printed(context: &Context, format: Format, plan: &Plan) -> String {
    match format {
        Format::Text => plan_text::plan_text(plan, context.ui.style()),
        Format::Json => plan_json::plan_json(plan),
        Format::Markdown => plan_markdown::plan_markdown(plan),
    }
}

/// Says where a plan is, and which command applies it.
fn saved(context: &Context, plan: &Plan, path: &Path) -> String {
    let folder = context.global.directory.as_ref().map(|folder| ["-C".to_owned(), folder.display().to_string()]);
    let path = path.display().to_string();
    let words = ["tenantctl", "apply"].map(str::to_owned).into_iter();
    let words = words.chain(folder.into_iter().flatten());
    let words = words.chain(["-e".to_owned(), plan.environment.clone(), path.clone()]);
    let command = words.map(|word| visible(&shell_word(word))).collect::<Vec<_>>().join(" ");
    format!("the plan is saved to {}; apply it with `{command}`", visible(&path))
}

/// Writes an argument as a shell takes it.
fn shell_word(text: String) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,~".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn exit_of(args: &Args, plan: &Plan) -> Exit {
    if args.detailed_exitcode && !plan.is_empty() { Exit::Findings } else { Exit::Done }
}
