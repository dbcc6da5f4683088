//! `tenantctl plan`: shows what apply would do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use futures_util::stream::{self, StreamExt, select_all};
use tracing::Instrument;

use super::Context;
use super::session::{Choice, Consent, Session, unsent};
use crate::error::{Error, Exit};
use crate::files::{self, Mode};
use crate::plan::Plan;
use crate::render::hidden::hidden;
use crate::render::unplanned::Unplanned;
use crate::render::{plan_json, plan_markdown, plan_text, visible};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) choice: Choice,
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
    /// List what the tenant has and no definition is about, of all kinds
    #[arg(long)]
    unmanaged: bool,
    /// Plan every environment, side by side; as JSON it is one array
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
    let mut session = Session::open(context, &args.choice, &args.consent)?;
    session.policy.lists_unmanaged = args.unmanaged;
    let plan = drawn(context, session).await?;
    if let Some(path) = &args.out {
        files::write(path, &plan_json::plan_json(&plan), Mode::Private)?;
    }
    context.ui.result(&printed(context, args.format, &plan));
    if let Some(path) = &args.out {
        context.ui.say(&saved(context, args, &plan, path));
    }
    Ok(exit_of(args, &plan))
}

/// Plans every environment, those of different tenants side by side, and reports in the project's
/// order. An error of one stands in its place, and the others are planned all the same.
async fn all(context: &Context, args: &Args) -> Result<Exit, Error> {
    let project = context.project().map_err(unsent)?;
    let names = project.environments();
    let settle = |(at, name): (usize, &&'_ str)| Part {
        at,
        name: (*name).to_owned(),
        session: Session::of(context, &project, Some(name), &args.choice, &args.consent).map(|mut session| {
            session.policy.lists_unmanaged = args.unmanaged;
            session
        }),
        context: Context { ui: context.ui.holding(), ..context.clone() },
    };
    let progress = context.ui.progress(names.len());
    let groups = grouped(names.iter().enumerate().map(settle).collect());
    let mut planned = select_all(groups.into_iter().map(|parts| Box::pin(stream::iter(parts).then(planned))));
    let mut exit = Exit::Done;
    let mut ready = BTreeMap::new();
    let mut reported = Vec::new();
    while let Some(part) = planned.next().await {
        progress.done(&format!("{} is planned", part.name));
        ready.insert(part.at, part);
        while let Some(part) = ready.remove(&reported.len()) {
            let this = told(args, &part);
            // An error weighs more than changes.
            exit = if exit == Exit::Failed || this == Exit::Failed { Exit::Failed } else { exit.max(this) };
            reported.push(part.plan);
        }
    }
    if args.format == Format::Json {
        context.ui.result(&plan_json::plans_json(&reported));
    }
    Ok(exit)
}

/// One environment of several, with a terminal of its own that holds its messages back.
struct Part {
    at: usize,
    name: String,
    session: Result<Session, Error>,
    context: Context,
}

/// What came of it.
struct PlannedPart {
    at: usize,
    name: String,
    plan: Result<Plan, Unplanned>,
    context: Context,
}

/// Puts environments of one tenant together: they share its rate limit, and the sandbox its file, so
/// they are planned one after the other.
fn grouped(parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut groups: Vec<Vec<Part>> = Vec::new();
    let target = |part: &Part| part.session.as_ref().ok().map(|session| session.settings.target.clone());
    for part in parts {
        let of_tenant = groups.iter_mut().find(|group| target(&part).is_some() && target(&group[0]) == target(&part));
        match of_tenant {
            Some(group) => group.push(part),
            None => groups.push(vec![part]),
        }
    }
    groups
}

async fn planned(part: Part) -> PlannedPart {
    let Part { at, name, session, context } = part;
    let tenant = session.as_ref().ok().map(|session| session.settings.target.to_string());
    let planned = match session {
        // Log lines come as they come: each says whose it is.
        Ok(session) => drawn(&context, session).instrument(tracing::error_span!("plan", environment = %name)).await,
        Err(error) => Err(error),
    };
    let plan = planned.map_err(|error| {
        context.ui.error(&error);
        Unplanned::new(&name, tenant, &error, &context.secrets)
    });
    PlannedPart { at, name, plan, context }
}

/// Prints an environment's part of the report, with its messages, and gives its exit code.
fn told(args: &Args, part: &PlannedPart) -> Exit {
    let ui = &part.context.ui;
    let text = match (&part.plan, args.format) {
        (_, Format::Json) => None,
        (Ok(plan), format) => Some(printed(&part.context, format, plan)),
        (Err(unplanned), Format::Text) => Some(unplanned.text(ui.style())),
        (Err(unplanned), Format::Markdown) => Some(unplanned.markdown()),
    };
    if part.at > 0 && text.is_some() {
        ui.result("\n");
    }
    ui.release(&part.name);
    ui.result(&text.unwrap_or_default());
    part.plan.as_ref().map_or(Exit::Failed, |plan| exit_of(args, plan))
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
fn saved(context: &Context, args: &Args, plan: &Plan, path: &Path) -> String {
    let path = path.display().to_string();
    let rollback = args.consent.rollback.as_ref().map(|snapshot| snapshot.display().to_string());
    let rollback = rollback.iter().flat_map(|snapshot| ["--rollback", snapshot.as_str()]);
    let words: Vec<&str> = ["-e", &plan.environment].into_iter().chain(rollback).chain([path.as_str()]).collect();
    format!("the plan is saved to {}; apply it with `{}`", visible(&path), context.command("apply", &words))
}

fn exit_of(args: &Args, plan: &Plan) -> Exit {
    if args.detailed_exitcode && !plan.is_empty() { Exit::Findings } else { Exit::Done }
}
