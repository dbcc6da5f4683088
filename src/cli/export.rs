//! `tenantctl export`: writes the tenant as files.

use std::path::PathBuf;

use super::Context;
use super::session::{Choice, Consent, Session, chosen_kinds, learn};
use crate::error::{Error, Exit, Problem, Problems};
use crate::export::files::{Options, files};
use crate::files::{Files, Mode};
use crate::kinds::Registry;
use crate::plan::scope::{Scope, untouchable};
use crate::tenant::Tenant;
use crate::tenant::names::Names;
use crate::text::plural;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// The folder to write to; it is made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Keep the API's ids, which pin objects
    #[arg(long)]
    with_ids: bool,
}

/// Runs it.
///
/// # Errors
/// A tenant that can't be read, or files that can't be written.
pub async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let mut session = Session::open(context, &args.choice, &Consent::default())?;
    let connected = session.connect(context).await?;
    let registry = Registry::builtin();
    let live = connected.client.fetch(&chosen_kinds(registry, &session.policy)).await?;
    learn(registry, &live, &context.secrets);
    connected.report(context);
    connected.close()?;
    context.ui.warnings(unreadable(&live));
    let tenant = named(registry, &live, &session);
    let options = Options { with_ids: args.with_ids, own_client: session.policy.own_client.clone() };
    let exported = files(registry, &tenant, &options)?;
    let folder = Files::create(&args.out)?;
    for file in &exported.files {
        folder.write(&file.path.to_string_lossy(), &file.text, Mode::Public)?;
    }
    let mut problems = Problems::default();
    problems.extend(exported.problems);
    context.ui.warnings(problems);
    let count = plural(exported.files.len(), "file");
    context.ui.result(&format!("{count} written to {}\n", args.out.display()));
    Ok(Exit::Done)
}

/// Puts names in the place of ids, and leaves out what `--only` and `--exclude` leave out.
fn named(registry: &Registry, live: &Tenant, session: &Session) -> Tenant {
    let names = Names::of(registry, live, &Tenant::default(), &[]);
    // What is ours or the API's own is told by its ids, before names stand in their place.
    let mut live = live.clone();
    for (kind, objects) in &mut live.kinds {
        let Some(kind) = registry.get(kind) else { continue };
        objects.retain(|object| untouchable(kind, object, &session.policy).is_none());
    }
    let mut tenant = names.named(registry, &live);
    let scope = Scope::new(registry, &session.policy, [&tenant.clone(), &Tenant::default()]);
    for objects in tenant.kinds.values_mut() {
        objects.retain(|object| scope.holds(&object.address));
    }
    let is_chosen = |kind: &String| {
        session.policy.only.is_empty() || session.policy.only.iter().any(|only| crate::text::fits(only.kind(), kind))
    };
    tenant.kinds.retain(|kind, _| is_chosen(kind));
    tenant
}

fn unreadable(live: &Tenant) -> Problems {
    let mut problems = Problems::default();
    for (kind, reason) in &live.unreadable {
        problems.push(Problem::warning(format!("{kind} can't be read and is left out: {reason}")));
    }
    problems
}
