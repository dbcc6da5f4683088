//! The commands: one file a verb, each with its arguments and a `run`.

pub mod apply;
mod carry_out;
pub mod export;
pub mod kinds;
pub mod migrate;
pub mod plan;
pub mod render;
pub mod sandbox;
pub mod session;
mod signals;
mod trouble;
pub mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::settings::deploy_cli::Named;
use crate::config::settings::{Project, process_variables};
use crate::error::{Error, Exit};
use crate::kinds::Registry;
use crate::render::visible;
use crate::secret::Secrets;
use crate::ui::Ui;

/// Keeps an Auth0 tenant equal to files in git.
#[derive(Debug, Parser)]
#[command(name = "tenantctl", version, about, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Sets the options of every command apart in its help.
const GLOBAL: &str = "Global options";

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// The project folder, or one below it [default: the working directory]
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true, help_heading = GLOBAL)]
    pub directory: Option<PathBuf>,
    /// Say more: -v requests and rounds, -vv each request
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = GLOBAL)]
    pub verbose: u8,
    /// Trust the certificates in this PEM file too, where a tenant is met: plan, apply, export
    #[arg(long, value_name = "FILE", global = true, help_heading = GLOBAL)]
    pub ca_bundle: Option<PathBuf>,
}

/// Sets the options apart that take the place of a project file.
const SOURCE: &str = "Without a project file";

/// The files of the Deploy CLI, in the place of a project file.
#[derive(Debug, Clone, Args)]
pub struct Source {
    /// The Deploy CLI's configuration: config.json
    #[arg(short, long, value_name = "FILE", help_heading = SOURCE)]
    pub config: Option<PathBuf>,
    /// The definitions: tenant.yaml
    #[arg(short, long, value_name = "FILE", help_heading = SOURCE)]
    pub input: Option<PathBuf>,
    /// With false, environment variables are neither read as its keys nor keywords
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, help_heading = SOURCE)]
    pub env: bool,
}

impl Default for Source {
    fn default() -> Self {
        Self { config: None, input: None, env: true }
    }
}

impl Source {
    fn is_given(&self) -> bool {
        self.config.is_some() || self.input.is_some()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the definitions, offline
    Validate(validate::Args),
    /// Print the definitions after substitution
    Render(render::Args),
    /// Show what apply would do
    Plan(plan::Args),
    /// Make the tenant equal to the definitions
    Apply(apply::Args),
    /// Write the tenant as files
    Export(export::Args),
    /// Turn configurations of the Deploy CLI into a project file
    Migrate(migrate::Args),
    /// List what is managed, and what it takes
    Kinds(kinds::Args),
    /// The embedded tenant
    Sandbox(sandbox::Args),
}

impl Command {
    /// Gives what takes the place of a project file.
    fn source(&self) -> Source {
        match self {
            Self::Validate(args) => args.source.clone(),
            Self::Render(args) => args.source.clone(),
            Self::Plan(args) => args.choice.source.clone(),
            Self::Apply(args) => args.choice.source.clone(),
            Self::Export(args) => args.choice.source.clone(),
            Self::Migrate(_) | Self::Kinds(_) | Self::Sandbox(_) => Source::default(),
        }
    }
}

/// What every command is given.
#[derive(Debug, Clone)]
pub struct Context {
    /// What takes the place of a project file.
    pub source: Source,
    /// Options of every command.
    pub global: Global,
    /// The terminal.
    pub ui: Ui,
    /// What must not be shown.
    pub secrets: Secrets,
}

impl Context {
    /// Writes a command of ours, in this folder, as a shell takes it.
    #[must_use]
    pub fn command(&self, verb: &str, arguments: &[&str]) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let Source { config, input, env } = &self.source;
        let named = [("-C", path(&self.global.directory)), ("-c", path(config)), ("-i", path(input))];
        let named = named.iter().filter_map(|(flag, path)| Some([*flag, path.as_deref()?])).flatten();
        let named = named.chain((!env).then_some("--env=false"));
        // Without a project file the environment has no name of the user's.
        let rest = match arguments {
            ["-e", _, rest @ ..] if self.source.is_given() => rest,
            all => all,
        };
        let words = ["tenantctl", verb].into_iter().chain(named).chain(rest.iter().copied());
        words.map(|word| visible(&shell_word(word))).collect::<Vec<_>>().join(" ")
    }

    /// Finds and reads the project file, or what takes its place.
    ///
    /// # Errors
    /// If there is none, or with everything that is wrong in it.
    pub fn project(&self) -> Result<Project, Error> {
        let Source { config, input, env } = &self.source;
        if self.source.is_given() {
            if self.global.directory.is_some() {
                return Err(Error::new("`-C` names a project's folder, and `-c` and `-i` take the place of a project")
                    .hint("give `-C` alone, or paths with `-c` and `-i`"));
            }
            let named = Named { config: config.as_deref(), input: input.as_deref(), has_environment: *env };
            let project = Project::given(named, process_variables(), &self.secrets)?;
            let (warnings, details) = project.remarks();
            self.ui.warnings(warnings);
            for detail in details {
                self.ui.detail(detail);
            }
            return Ok(project);
        }
        Project::find(self.global.directory.as_deref(), process_variables(), &self.secrets)
    }
}

/// Writes an argument as a shell takes it.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,~".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    // Parsing the declarations takes some milliseconds, and almost every command needs them.
    std::thread::spawn(Registry::builtin);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Failed as u8 } else { Exit::Done as u8 });
        }
    };
    let secrets = Secrets::default();
    let ui = Ui::new(secrets.clone()).with_verbose(cli.global.verbose);
    start_log(&ui, cli.global.verbose);
    let source = cli.command.source();
    let context = Context { source, global: cli.global.clone(), ui: ui.clone(), secrets };
    let exit = run(&context, cli.command).and_then(|exit| ui.failure().map_or(Ok(exit), Err)).unwrap_or_else(|error| {
        ui.error(&error);
        error.exit
    });
    ExitCode::from(exit as u8)
}

/// Sends log lines to stderr from -vv on: each request with its status and time, no bodies.
fn start_log(ui: &Ui, verbose: u8) {
    let level = match verbose {
        0 | 1 => return,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    let filter = tracing_subscriber::EnvFilter::new(format!("tenantctl={level}"));
    let ui = ui.clone();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_ansi(false);
    // The first to set one wins; there is no second in this process.
    let _ = subscriber.with_writer(move || ui.log()).try_init();
}

#[tokio::main]
async fn run(context: &Context, command: Command) -> Result<Exit, Error> {
    match command {
        Command::Validate(args) => validate::run(context, &args),
        Command::Render(args) => render::run(context, &args),
        Command::Plan(args) => plan::run(context, &args).await,
        Command::Apply(args) => apply::run(context, &args).await,
        Command::Export(args) => export::run(context, &args).await,
        Command::Migrate(args) => migrate::run(context, &args),
        Command::Kinds(args) => kinds::run(context, &args),
        Command::Sandbox(args) => sandbox::run(context, &args).await,
    }
}
