//! `tenantctl migrate`: turns configurations of the Deploy CLI into a project file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Context;
use crate::config::migrate::{Frame, Migrated, Part, migrated, told};
use crate::config::settings::Project;
use crate::config::variables::Variables;
use crate::error::{Error, Exit, SourceText};
use crate::files::{self, Files, Mode};
use crate::kinds::Registry;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A configuration of the Deploy CLI, and what its environment is to be called [default: by the
    /// file's name]; may be repeated
    #[arg(short, long, value_name = "[ENV=]FILE", required = true)]
    config: Vec<String>,
    /// The definitions: tenant.yaml, or a folder in the directory layout
    #[arg(short, long, value_name = "PATH")]
    input: PathBuf,
    /// The project file to write, in the definitions' folder or one above it
    #[arg(long, value_name = "FILE", default_value = "tenantctl.yaml")]
    out: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// Runs it.
///
/// # Errors
/// What is wrong in the configurations, or a project file that is there.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    if !args.force && files::is_there(&args.out) {
        return Err(Error::new(format!("`{}` is there already", args.out.display()))
            .hint("write over it with `--force`, or elsewhere with `--out FILE`"));
    }
    let registry = Registry::builtin();
    let mut parts: Vec<Part> = Vec::new();
    let mut secret = BTreeSet::new();
    for config in &args.config {
        let (name, path) = named(config);
        if parts.iter().any(|part| part.name == name) {
            return Err(Error::new(format!("two configurations are called `{name}`"))
                .hint("say what their environments are called: `-c dev=FILE -c prod=FILE`"));
        }
        let (part, markers, warnings) = Part::read(name, &path, &args.input, registry, &context.secrets)?;
        context.ui.warnings(warnings);
        secret.extend(markers.secret);
        parts.push(part);
    }
    let root = Files::open(folder(&args.out))?;
    let base = base_path(&parts, &root)?;
    let definitions = below(&root, &args.input)?;
    let frame = Frame { definitions: &definitions, base_path: base.as_deref(), secret: &secret };
    let made = migrated(&parts, &frame);
    check(&made, &root, args, context)?;
    files::write(&args.out, &made.text, Mode::Public)?;
    context.ui.say(told(&made).trim_end());
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    context.ui.result(&format!("{} written, with the environments {}\n", args.out.display(), names.join(", ")));
    Ok(Exit::Done)
}

/// Reads the project file as every command will.
fn check(made: &Migrated, root: &Files, args: &Args, context: &Context) -> Result<(), Error> {
    let source = SourceText::new(args.out.display().to_string(), made.text.clone());
    let project = Project::parse(root.clone(), source, Variables::default(), &context.secrets)?;
    for name in project.environments() {
        project.settings(Some(name), Registry::builtin())?;
    }
    Ok(())
}

/// Splits `NAME=FILE`; without a name it is in the file's, such as `config.dev.json`, or the folder's.
fn named(config: &str) -> (String, PathBuf) {
    if let Some((name, path)) = config.split_once('=').filter(|(name, _)| !name.is_empty() && !name.contains('/')) {
        return (name.to_owned(), PathBuf::from(path));
    }
    let path = PathBuf::from(config);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = stem.strip_prefix("config").unwrap_or(&stem).trim_matches(['.', '-', '_']).to_owned();
    let parent = || path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = Some(name).filter(|name| !name.is_empty()).or_else(parent).unwrap_or_else(|| "default".to_owned());
    (name, path)
}

fn base_path(parts: &[Part], root: &Files) -> Result<Option<String>, Error> {
    let mut bases: Vec<Option<&str>> = parts.iter().map(Part::base_path).collect();
    bases.dedup();
    match bases.as_slice() {
        [] | [None] => Ok(None),
        [Some(base)] => below(root, &Path::new(base).join("x")).map(|path| {
            let base = path.trim_end_matches('x').trim_end_matches('/');
            Some(if base.is_empty() { "." } else { base }.to_owned())
        }),
        _ => Err(Error::new("the configurations differ in AUTH0_BASE_PATH")
            .hint("a project file has one `base_path`: migrate them apart, with an `--out` for each")),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a path as the project file has it.
fn below(root: &Files, path: &Path) -> Result<String, Error> {
    let full = Files::open(folder(path))?.root().join(path.file_name().unwrap_or_default());
    let inside = full.strip_prefix(root.root()).map_err(|_| {
        Error::new(format!("`{}` is not below the project file's folder", path.display()))
            .hint("write the project file there, with `--out DIR/tenantctl.yaml`")
    })?;
    let inside = inside.to_string_lossy().replace('\\', "/");
    Ok(if inside.is_empty() { ".".to_owned() } else { inside })
}
