//! `tenantctl export`: writes the tenant as files.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Context;
use super::session::{Choice, Consent, Session, chosen_kinds, learn};
use crate::config::sources;
use crate::error::{Error, Exit, Problem, Problems};
use crate::export::files::{File, Layout, Options, files};
use crate::files::{Entry, Files, Mode};
use crate::kinds::Registry;
use crate::plan::scope;
use crate::tenant::Tenant;
use crate::tenant::needs::Needs;
use crate::text::plural;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// The folder to write to; it is made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// One file, or a folder for each kind with a file for each object
    #[arg(long, value_enum, value_name = "LAYOUT", default_value_t = Shape::Yaml)]
    layout: Shape,
    /// Write over files that are there and differ
    #[arg(long)]
    force: bool,
    /// Keep the API's ids, which pin objects
    #[arg(long)]
    with_ids: bool,
}

/// The layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    Yaml,
    Directory,
}

/// Runs it.
///
/// # Errors
/// A tenant that can't be read, or files that can't be written.
pub async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let mut session = Session::open(context, &args.choice, &Consent::default())?;
    let connected = session.connect(context).await?;
    let registry = Registry::builtin();
    let live = connected.client.fetch(&chosen_kinds(registry, &session.policy), &Needs::everything()).await?;
    learn(registry, &live, &context.secrets);
    connected.report(context);
    connected.close()?;
    context.ui.warnings(unreadable(&live));
    let tenant = scope::chosen(registry, live, &session.policy);
    let layout = match args.layout {
        Shape::Yaml => Layout::Yaml,
        Shape::Directory => Layout::Directory,
    };
    let options = Options { with_ids: args.with_ids, own_client: session.policy.own_client.clone(), layout };
    let exported = files(registry, &tenant, &options)?;
    let folder = Files::create(&args.out)?;
    if !args.force {
        let is_other = |file: &&File| {
            let path = file.path.to_string_lossy();
            folder.entry(&path) == Entry::File && folder.read(&path).map_or(true, |found| found.text != file.text)
        };
        let kept: Vec<String> =
            exported.files.iter().filter(is_other).map(|file| file.path.display().to_string()).collect();
        if !kept.is_empty() {
            return Err(Error::new(format!(
                "not exported: {} would be written over: {}",
                plural(kept.len(), "file"),
                kept.join(", ")
            ))
            .hint(
                "export into another folder, or write over them with `--force`; markers and comments in them are lost",
            ));
        }
    }
    for path in &exported.folders {
        folder.make(&path.to_string_lossy())?;
    }
    for file in &exported.files {
        folder.write(&file.path.to_string_lossy(), &file.text, Mode::Public)?;
    }
    let mut problems = Problems::default();
    if layout == Layout::Directory {
        problems.extend(left_over(&folder, &exported.files, &tenant));
    }
    problems.extend(exported.problems);
    context.ui.warnings(problems);
    let count = plural(exported.files.len(), "file");
    context.ui.result(&format!("{count} written to {}\n", args.out.display()));
    Ok(Exit::Done)
}

/// Finds files that stay although they are not of this export: they would be read as definitions.
fn left_over(folder: &Files, written: &[File], tenant: &Tenant) -> Option<Problem> {
    let is_written = |path: &String| written.iter().any(|file| file.path.as_path() == Path::new(path));
    let parts = sources::parts(folder, "", Registry::builtin(), &mut Problems::default());
    let parts = parts.into_iter().filter(|part| tenant.kinds.contains_key(&part.kind.name));
    let left: Vec<String> = parts.flat_map(|part| part.files).filter(|path| !is_written(path)).collect();
    if left.is_empty() {
        return None;
    }
    let message = format!("{} of another export: {}", plural(left.len(), "file"), left.join(", "));
    Some(Problem::warning(message).hint("they stay, and are definitions too; remove those that are not wanted"))
}

fn unreadable(live: &Tenant) -> Problems {
    let mut problems = Problems::default();
    for (kind, reason) in &live.unreadable {
        problems.push(Problem::warning(format!("{kind} can't be read and is left out: {reason}")));
    }
    problems
}
