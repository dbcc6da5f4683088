//! `tenantctl export`: writes the tenant as files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Context;
use super::session::{Choice, Consent, Session, chosen_kinds, learn};
use crate::config;
use crate::config::settings::{Input, Settings};
use crate::config::sources;
use crate::error::{Error, Exit, Problem, Problems};
use crate::export::files::{File, Layout, Options, files};
use crate::export::merged::{Merged, Takes, Wish, merged};
use crate::files::{self, Entry, Files, Mode};
use crate::kinds::Registry;
use crate::plan::{scope, unread};
use crate::tenant::needs::Needs;
use crate::tenant::{Address, Pattern, Tenant};
use crate::text::{fits, plural};

/// Arguments.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// The folder to write to; it is made if need be
    #[arg(long, value_name = "DIR", required_unless_present = "preserve_keywords")]
    out: Option<PathBuf>,
    /// Merge into the files that are there: what equals the tenant stays as it is, with its markers
    ///
    /// Without --out these are the environment's own definitions.
    #[arg(long, conflicts_with = "force")]
    preserve_keywords: bool,
    /// A marker whose value differs from the tenant's stays, and the difference is told
    #[arg(long, requires = "preserve_keywords")]
    keep_markers: bool,
    /// Add the fields that the files leave out, too
    #[arg(long, requires = "preserve_keywords")]
    all_fields: bool,
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
    context.ui.warnings(unread::notices(&live));
    let preserves = args.preserve_keywords || session.settings.export.preserve_keywords;
    let there = if preserves { scope::addresses(registry, &live) } else { BTreeSet::new() };
    let tenant = scope::chosen(registry, live, &session.policy);
    let layout = match args.layout {
        Shape::Yaml => Layout::Yaml,
        Shape::Directory => Layout::Directory,
    };
    let kept = &session.settings.export;
    let options = Options {
        with_ids: args.with_ids || kept.with_ids,
        own_client: session.policy.own_client.clone(),
        keep: kept.fields.iter().map(|field| (field.kind.clone(), field.pointer.clone())).collect(),
        layout,
    };
    if preserves && let Some(settings) = written_settings(&session.settings, args)? {
        let is_yaml = settings.files.entry(&settings.definitions.value) == Entry::File;
        let options = Options { layout: if is_yaml { Layout::Yaml } else { Layout::Directory }, ..options };
        let written = config::written(&settings, registry, &context.secrets)?;
        let is_gone = |address: &Address| !there.contains(address) && scope::is_meant(&session.policy, address);
        // By this command: what the project file leaves is no wish for more kinds.
        let is_asked_for = |kind: &str| args.choice.only.iter().any(|only| fits(Pattern::new(only).kind(), kind));
        let takes = Takes { markers_first: args.keep_markers, all_fields: args.all_fields };
        let wish = Wish { takes, is_gone: &is_gone, is_asked_for: &is_asked_for };
        let merged = merged(registry, &tenant, &written, &options, wish)?;
        return write_merged(context, &settings, merged);
    }
    let out = args.out.clone().unwrap_or_else(|| session.settings.files.root().to_path_buf());
    let exported = files(registry, &tenant, &options)?;
    let folder = Files::create(&out)?;
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
    context.ui.result(&format!("{count} written to {}\n", out.display()));
    Ok(Exit::Done)
}

/// Gives the settings by which the files that are there are read; none if there are none.
fn written_settings(settings: &Settings, args: &Args) -> Result<Option<Settings>, Error> {
    let mut settings = settings.clone();
    if let (None, Input::At(path)) = (&args.out, &settings.input) {
        let (folder, name) = match path.file_name().filter(|_| !files::is_folder(path)) {
            Some(name) => (path.parent().unwrap_or(Path::new("")), name.to_string_lossy().into_owned()),
            None => (path.as_path(), ".".to_owned()),
        };
        settings.files = Files::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
        (settings.definitions.value, settings.base, settings.input) = (name, String::new(), Input::Project);
    }
    if let Some(out) = &args.out {
        settings.files = Files::create(out)?;
        (settings.base, settings.input) = (String::new(), Input::Project);
        settings.definitions.value = match args.layout {
            Shape::Yaml => "tenant.yaml".to_owned(),
            Shape::Directory => ".".to_owned(),
        };
    }
    let is_there = match settings.files.entry(&settings.definitions.value) {
        Entry::Nothing => false,
        Entry::File => true,
        Entry::Folder => !settings.files.list(&settings.definitions.value)?.is_empty(),
    };
    Ok(is_there.then_some(settings))
}

/// Writes what changes of the files that are there.
fn write_merged(context: &Context, settings: &Settings, merged: Merged) -> Result<Exit, Error> {
    let folder = match settings.files.entry(&settings.definitions.value) {
        // Names of what is new are relative to the definitions.
        Entry::Folder => settings.definitions.value.trim_start_matches("./").trim_matches(['/', '.']),
        _ => settings.definitions.value.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let placed = |path: &Path| {
        let path = path.to_string_lossy().into_owned();
        if path.starts_with(&below) { path } else { format!("{below}{path}") }
    };
    for file in &merged.files {
        settings.files.write(&placed(&file.path), &file.text, Mode::Public)?;
    }
    for path in &merged.removed {
        files::remove(&settings.files.root().join(placed(path)))?;
    }
    let mut problems = Problems::default();
    problems.extend(merged.problems);
    context.ui.warnings(problems);
    if merged.left_out > 0 {
        let count = plural(merged.left_out, "field");
        context.ui.say(&format!("`--all-fields` would add {count} of the tenant that the files leave out"));
    }
    let (written, removed) = (plural(merged.files.len(), "file"), plural(merged.removed.len(), "file"));
    context.ui.result(&format!("{written} written, {removed} removed\n"));
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
