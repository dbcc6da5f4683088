//! `tenantctl apply`: makes the tenant equal to the definitions, or to a snapshot.
//!
//! ```text
//!   load -> connect -> (what did the last run do?) -> plan -> (saved plan still holds?) -> show, ask
//!        -> carry_out
//! ```

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Context;
use super::carry_out::{Run, carry_out};
use super::session::{Choice, Consent, Session};
use crate::error::{Error, Exit, Problem};
use crate::files;
use crate::plan::ledger::Ledger;
use crate::plan::{Plan, saved};
use crate::render::hidden::hidden;
use crate::render::outcome::{outcome_json, outcome_text};
use crate::render::{plan_json, plan_text};
use crate::text::plural;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) choice: Choice,
    #[command(flatten)]
    consent: Consent,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
    /// How the ledger is printed; with json the plan goes to stderr
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// A saved plan: exactly it is applied, or nothing if the tenant or the definitions changed since
    #[arg(value_name = "PLAN", conflicts_with_all = ["allow_delete", "rotate", "strict", "only", "exclude"])]
    plan: Option<PathBuf>,
}

/// How a ledger is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs it.
///
/// # Errors
/// What stops it before anything is written; what happens after is told by the exit code.
pub async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let saved = args.plan.as_ref().map(|path| read_saved(path)).transpose()?;
    let mut session = Session::open(context, &args.choice, &args.consent)?;
    if session.settings.protected && saved.is_none() {
        let name = &session.settings.environment;
        return Err(Error::refused(format!("the environment `{name}` is protected: it takes a saved plan only")).hint(
            match &args.consent.rollback {
                None => format!(
                    "tenantctl plan -e {name} --out FILE, have it reviewed, then tenantctl apply -e {name} FILE"
                ),
                Some(_) => format!(
                    "tenantctl plan -e {name} --rollback SNAPSHOT --allow-delete --out FILE, have it reviewed, then \
                     tenantctl apply -e {name} --rollback SNAPSHOT FILE"
                ),
            },
        ));
    }
    if let Some(origin) = &session.settings.dry_run {
        let problem =
            Problem::error("the configuration asks for a dry run, which writes nothing").at(Some(origin.clone()));
        let hint = "`tenantctl plan` shows what would be done; take the key out to apply";
        return Err(Error::from(problem.hint(hint)).having("nothing was sent"));
    }
    if let Some(saved) = &saved {
        saved::adopt(saved, &mut session.policy)?;
    }
    let desired = session.load(context)?;
    let turn = session.journals()?.claim()?;
    let connected = session.connect(context).await?;
    let mut drawn = session.draw(context, &connected, desired).await?;
    if let Some(saved) = &saved {
        drawn.planned.plan =
            saved::confirmed(saved, &drawn.planned.plan, &hidden(&drawn.planned.plan, &context.secrets))?;
    }
    let plan = &drawn.planned.plan;
    let text = plan_text::plan_text(&hidden(plan, &context.secrets), context.ui.style());
    match args.format {
        Format::Text => context.ui.result(&text),
        Format::Json => context.ui.say(&text),
    }
    let exit = if plan.is_empty() {
        if args.format == Format::Json {
            context.ui.result(&outcome_json(&Ledger::of(&plan.environment, &plan.tenant, Vec::new())));
        }
        Ok(Exit::Done)
    } else {
        ask(context, args, plan)?;
        let tell = |ledger: &Ledger| match args.format {
            Format::Text => context.ui.result(&outcome_text(ledger, context.ui.style())),
            Format::Json => context.ui.result(&outcome_json(ledger)),
        };
        carry_out(Run { context, session: &session, connected: &connected, drawn }, tell).await
    };
    session.account_done(&connected)?;
    connected.report(context);
    connected.close()?;
    drop(turn);
    exit
}

/// Asks whether the plan is to be applied.
fn ask(context: &Context, args: &Args, plan: &Plan) -> Result<(), Error> {
    let count = plural(plan.changes.len(), "change");
    if !args.yes && !context.ui.ask(&format!("Apply {count} to {} ({})?", plan.environment, plan.tenant))? {
        return Err(Error::new("not applied: the answer was no"));
    }
    Ok(())
}

fn read_saved(path: &Path) -> Result<Plan, Error> {
    let text = files::read_anywhere(path)
        .map_err(|problem| Error::new(format!("can't read the plan {}", path.display())).because(problem.message))?;
    plan_json::parse_plan(&text.text)
}
