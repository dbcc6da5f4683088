//! What every command that meets a tenant does first: settle the environment, load the definitions,
//! sign in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::auth::Credentials;
use crate::api::clock::Clock;
use crate::api::pace::{Pacing, words};
use crate::api::{Client, Connection, Roots, Trust};
use crate::apply::READ_LAG;
use crate::apply::journal::{Account, Journals};
use crate::config::settings::deploy_cli::TENANT;
use crate::config::settings::{Project, Settings, Target, pattern};
use crate::config::{self, Loaded};
use crate::error::{Error, Problem, Problems};
use crate::files;
use crate::kinds::Registry;
use crate::kinds::check::label;
use crate::kinds::kind::Kind;
use crate::kinds::secrets::secret_texts;
use crate::plan::snapshot::Snapshot;
use crate::plan::{Planned, Policy, plan, scope, unread};
use crate::render::Style;
use crate::render::outcome::outcome_text;
use crate::sandbox::{self, Sandbox};
use crate::secret::Secrets;
use crate::tenant::needs::Needs;
use crate::tenant::{Desired, Pattern, Tenant};
use crate::text::{did_you_mean, plural};

use super::{Context, Source};

/// Where the in-process sandbox keeps its tenant, below the project folder.
const SANDBOX_STATE: &str = ".tenantctl/sandbox.json";
/// The in-process sandbox's own domain: it must not change with the port.
const SANDBOX_DOMAIN: &str = "sandbox.localhost";

/// Which environment, and how much of it.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Choice {
    /// The environment [default: the only one]
    #[arg(short, long, value_name = "ENV")]
    pub environment: Option<String>,
    /// Only these objects; `*` stands for any text; may be repeated
    #[arg(long, value_name = "KIND[/NAME]")]
    pub only: Vec<String>,
    /// Not these objects, nor what hangs on them; may be repeated
    #[arg(long, value_name = "KIND[/NAME]")]
    pub exclude: Vec<String>,
    #[command(flatten)]
    pub(super) source: Source,
    #[command(flatten)]
    pace: Pace,
}

/// Sets the options of the pace apart in the help.
const PACE: &str = "Pace";

/// How fast requests go out, where it is not to be the default's pace or the project file's.
#[derive(Debug, Clone, Default, clap::Args)]
struct Pace {
    /// Use at most this part of the rate limit, such as 0.8 [default: 1]
    #[arg(long, value_name = "SHARE", help_heading = PACE, value_parser = |text: &str| Pace::number("rate_share", text))]
    rate_share: Option<f64>,
    /// Send at most N requests a second
    #[arg(long, value_name = "N", help_heading = PACE, value_parser = |text: &str| Pace::number("max_rps", text))]
    max_rps: Option<f64>,
    /// Have at most N requests in flight [default: 16]
    #[arg(long, value_name = "N", help_heading = PACE, value_parser = |text: &str| Pace::number("parallelism", text))]
    parallelism: Option<f64>,
    /// Wait at most so long for the rate limit to let a request through [default: 120]
    #[arg(long, value_name = "SECONDS", help_heading = PACE, value_parser = |text: &str| Pace::number("max_wait", text))]
    max_wait: Option<f64>,
}

impl Pace {
    /// Gives a pace with what the flags say in the place of what it says.
    fn over(&self, mut pacing: Pacing) -> Pacing {
        let flags = [self.rate_share, self.max_rps, self.parallelism, self.max_wait];
        for (name, number) in Pacing::NAMES.iter().zip(flags) {
            if let Some(number) = number {
                pacing.set(name, number).expect("clap has let it in");
            }
        }
        pacing
    }

    /// Reads the number of a flag.
    fn number(name: &str, text: &str) -> Result<f64, String> {
        let number = text.parse().unwrap_or(f64::NAN);
        Pacing::default().set(name, number).map(|()| number).map_err(|wanted| format!("it must be {wanted}"))
    }
}

/// What a plan may hold.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Consent {
    /// Deletes and replaces are changes; without it they are held back
    #[arg(long)]
    pub allow_delete: bool,
    /// Write the secrets of this object even where they can't be compared; may be repeated
    #[arg(long, value_name = "KIND/NAME")]
    pub rotate: Vec<String>,
    /// Take unknown fields as errors
    #[arg(long)]
    pub strict: bool,
    /// In the place of the definitions, what an apply found before it wrote: its snapshot
    #[arg(long, value_name = "SNAPSHOT", conflicts_with_all = ["rotate", "strict"])]
    pub rollback: Option<PathBuf>,
    /// How long a read may fail to show what was written
    #[arg(long, value_name = "SECONDS", default_value_t = READ_LAG.as_secs())]
    pub read_lag: u64,
}

/// One environment, settled.
#[derive(Debug)]
pub struct Session {
    /// What the project file says of it.
    pub settings: Settings,
    /// What may be done.
    pub policy: Policy,
    /// How fast requests may go out.
    pacing: Pacing,
    /// How long a read may lag behind a write.
    pub read_lag: Duration,
    /// The snapshot that stands in the place of the definitions.
    rollback: Option<Snapshot>,
    /// The certificates, which are read beside the declarations and the definitions.
    trust: Option<Trust>,
    /// The patterns of the flags, each with its flag.
    named: Vec<(&'static str, Pattern)>,
}

/// A tenant, signed in. The sandbox of this process lives as long.
#[derive(Debug)]
pub struct Connected {
    /// The client.
    pub client: Client,
    sandbox: Option<Sandbox>,
}

/// A plan with what it was made from.
#[derive(Debug)]
pub struct Drawn {
    /// The definitions.
    pub desired: Desired,
    /// The tenant as it was read.
    pub live: Tenant,
    /// The plan, and both sides in canonical form.
    pub planned: Planned,
}

impl Session {
    /// Settles an environment; flags add to the project file.
    ///
    /// # Errors
    /// All that is wrong with the project file or the flags.
    pub fn open(context: &Context, choice: &Choice, consent: &Consent) -> Result<Self, Error> {
        let project = context.project().map_err(unsent)?;
        Self::of(context, &project, choice.environment.as_deref(), choice, consent)
    }

    /// Settles one environment of a project.
    ///
    /// # Errors
    /// All that is wrong with it or the flags.
    pub fn of(
        context: &Context,
        project: &Project,
        name: Option<&str>,
        choice: &Choice,
        consent: &Consent,
    ) -> Result<Self, Error> {
        // It takes as long as the declarations, so it begins before them. What is wrong with it is
        // said when it is needed.
        let trust = begin(context, project.ca_bundle(), !project.is_of_host(name)).ok();
        let registry = Registry::builtin();
        let mut settings = project.settings(name, registry).map_err(unsent)?;
        settings.strict |= consent.strict;
        let mut policy = settings.policy();
        policy.allow_delete |= consent.allow_delete;
        let only = patterns("--only", &choice.only, registry)?;
        let exclude = patterns("--exclude", &choice.exclude, registry)?;
        policy.rotate = patterns("--rotate", &consent.rotate, registry)?;
        let flags = [("--only", &only), ("--exclude", &exclude), ("--rotate", &policy.rotate)];
        let of_flag = |(flag, patterns): (&'static str, &Vec<Pattern>)| {
            patterns.iter().map(|pattern| (flag, pattern.clone())).collect::<Vec<_>>()
        };
        let named = flags.into_iter().flat_map(of_flag).collect();
        policy.only.extend(Some(only).filter(|only| !only.is_empty()));
        policy.exclude.extend(exclude);
        let pacing = choice.pace.over(settings.pacing);
        let rollback = consent.rollback.as_deref().map(read_snapshot).transpose()?;
        if let Some(snapshot) = &rollback {
            if (&snapshot.environment, &snapshot.tenant) != (&policy.environment, &policy.tenant) {
                return Err(Error::refused(format!(
                    "the snapshot is of the environment `{}` with the tenant `{}`, not of `{}` with `{}`",
                    snapshot.environment, snapshot.tenant, policy.environment, policy.tenant
                )));
            }
            policy.just = Some(snapshot.addresses(registry));
            policy.moved.clear();
        }
        let read_lag = Duration::from_secs(consent.read_lag);
        Ok(Self { settings, policy, pacing, read_lag, rollback, trust, named })
    }

    /// Means the journals of this environment.
    ///
    /// # Errors
    /// If the project folder can't be opened.
    pub fn journals(&self) -> Result<Journals, Error> {
        Journals::of(&self.settings.home, &self.settings.environment)
    }

    /// Says what the last apply did, if it did not come to its end, and waits until reads must show
    /// what it wrote: a plan that sees less would do it twice.
    async fn account(&self, context: &Context, connected: &Connected) -> Result<(), Error> {
        let Some(last) = self.journals()?.last()?.filter(|last| last.tenant == self.policy.tenant) else {
            return Ok(());
        };
        if last.is_cut_off && !last.is_accounted {
            let Account { begun, journal, snapshot, .. } = &last;
            let ledger = outcome_text(&last.ledger(), Style::Plain);
            let ledger = ledger.trim_start();
            context.ui.say(&format!(
                "the apply that began at {begun} did not come to its end; its journal says:\n\n{ledger}\nthe journal: \
                 {journal}\nits snapshot: {snapshot}\n"
            ));
        }
        let clock = connected.client.clock();
        let left = (last.last + self.read_lag).saturating_sub(clock.now());
        if !last.is_seen && !left.is_zero() && left <= self.read_lag {
            let time = words(left);
            context.ui.say(&format!("waiting {time}, until reads must show what the last apply wrote (--read-lag)"));
            clock.wait(left).await;
        }
        Ok(())
    }

    /// Notes that what the last apply did was told.
    ///
    /// # Errors
    /// If the journal can't be read or written.
    pub fn account_done(&self, connected: &Connected) -> Result<(), Error> {
        let journals = self.journals()?;
        match journals.last()? {
            Some(last) if last.is_cut_off && !last.is_accounted => {
                journals.accounted(&last, connected.client.clock().now())
            }
            _ => Ok(()),
        }
    }

    /// Reads and checks the definitions, and says what is worth saying about them.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(&self, context: &Context) -> Result<Desired, Error> {
        if let Some(snapshot) = &self.rollback {
            let lost = snapshot.lost().map(|(address, path)| {
                Problem::warning(format!("{address}: the snapshot can't restore `{}`", label(path))).hint(
                    "it holds no secrets, and some fields can't be cleared: if the apply changed it, set it by hand",
                )
            });
            let mut problems = Problems::default();
            problems.extend(lost);
            context.ui.warnings(problems);
            return Ok(snapshot.desired(Registry::builtin()));
        }
        let loaded = config::load(&self.settings, Registry::builtin(), &context.secrets);
        let Loaded { desired, warnings } = loaded.map_err(unsent)?;
        context.ui.warnings(warnings);
        Ok(desired)
    }

    /// Signs in to the tenant; starts the sandbox if that is the tenant.
    ///
    /// # Errors
    /// No or wrong credentials, or a tenant that can't be reached.
    pub async fn connect(&mut self, context: &Context) -> Result<Connected, Error> {
        let (sandbox, base_url, domain, credentials) = match &self.settings.target {
            Target::Host(host) => {
                (None, format!("https://{host}"), host.clone(), self.settings.credentials(&context.secrets)?)
            }
            Target::Unnamed => {
                return Err(Error::new("no tenant is given")
                    .hint(format!("set {TENANT}, in the configuration or as an environment variable")));
            }
            Target::Sandbox => {
                let sandbox = sandbox::start(sandbox::Options {
                    state: Some(self.settings.home.join(SANDBOX_STATE)),
                    domain: Some(SANDBOX_DOMAIN.to_owned()),
                    ..sandbox::Options::default()
                })?;
                let (url, domain) = (sandbox.url.clone(), sandbox.domain.clone());
                let credentials = Credentials::ClientSecret {
                    client_id: sandbox.client_id.clone(),
                    client_secret: sandbox.client_secret.clone(),
                };
                (Some(sandbox), url, domain, credentials)
            }
        };
        let again = || begin(context, self.settings.ca_bundle.clone(), matches!(self.settings.target, Target::Sandbox));
        let trust = self.trust.take().map_or_else(again, Ok)?;
        let connection = Connection {
            base_url,
            domain,
            audience: self.settings.audience.clone(),
            credentials,
            trust,
            secrets: context.secrets.clone(),
            pacing: self.pacing,
            clock: Clock::default(),
        };
        let client = Client::connect(connection).await?;
        self.policy.own_client = client.own_client_id().map(str::to_owned);
        Ok(Connected { client, sandbox })
    }

    /// Reads what the definitions are about, and compares.
    ///
    /// # Errors
    /// A tenant that can't be read, or what forbids a plan.
    pub async fn draw(&self, context: &Context, connected: &Connected, desired: Desired) -> Result<Drawn, Error> {
        self.account(context, connected).await?;
        let registry = Registry::builtin();
        let kinds = if self.policy.lists_unmanaged {
            chosen_kinds(registry, &self.policy)
        } else {
            scope::needed(registry, &desired, &self.policy)
        };
        let moves = self.policy.moves();
        let live = connected.client.fetch(&kinds, &Needs::of(Registry::builtin(), &desired.tenant, &moves)).await?;
        learn(registry, &live, &context.secrets);
        let planned = plan(registry, &desired, &live, &self.policy)
            .map_err(|problems| Error::from(problems).having("nothing was written"))?;
        // What forbids a plan is said by now.
        context.ui.warnings(unread::notices(&planned.live));
        context.ui.warnings(self.unmet(&planned));
        Ok(Drawn { desired, live, planned })
    }

    /// Finds the flags that name one object, and there is none: a slip that would go unseen.
    fn unmet(&self, planned: &Planned) -> Problems {
        let mut problems = Problems::default();
        for (flag, pattern) in &self.named {
            let text = pattern.to_string();
            let is_one = !pattern.is_whole_kind() && !text.contains('*');
            let known = || planned.desired.iter().chain(planned.live.iter()).map(|object| &object.address);
            if is_one && !known().any(|address| pattern.fits(address)) {
                let names: Vec<String> = known().map(ToString::to_string).collect();
                let near = did_you_mean(&text, names.iter().map(String::as_str));
                let message = format!("{flag}: neither the definitions nor the tenant have {text}");
                problems.push(Problem::warning(message).maybe_hint(near.map(|near| format!("did you mean `{near}`?"))));
            }
        }
        problems
    }
}

impl Connected {
    /// Says with `-v` what was sent.
    pub fn report(&self, context: &Context) {
        let stats = self.client.stats();
        let requests = plural(stats.requests, "request");
        let tokens = plural(stats.token_requests, "token request");
        let rounds = plural(stats.rounds, "round trip");
        context.ui.detail(&format!("sent {requests} ({tokens} among them) in {rounds} that could not overlap"));
    }

    /// Ends the sandbox, if there is one, with its tenant on disk.
    ///
    /// # Errors
    /// The state could not be written.
    pub fn close(self) -> Result<(), Error> {
        match self.sandbox {
            Some(sandbox) => sandbox.stop(),
            None => Ok(()),
        }
    }
}

/// Says of problems in the user's files that they were found before the first request.
pub(super) fn unsent(error: Error) -> Error {
    error.having("nothing was sent")
}

/// Gives the kinds that `--only` and `--exclude` leave of all.
#[must_use]
pub fn chosen_kinds<'a>(registry: &'a Registry, policy: &Policy) -> Vec<&'a Kind> {
    let all = Desired {
        tenant: Tenant {
            kinds: registry.iter().map(|kind| (kind.name.clone(), Vec::new())).collect(),
            ..Tenant::default()
        },
        ..Desired::default()
    };
    scope::needed(registry, &all, policy)
}

/// Tells the secrets of a tenant to those who hide them.
pub(super) fn learn(registry: &Registry, live: &Tenant, secrets: &Secrets) {
    for object in live.iter() {
        let fields = registry.get(&object.address.kind).map(|kind| &kind.of(&object.value).fields);
        let texts = fields.map_or_else(Vec::new, |fields| secret_texts(fields, &object.value));
        for text in texts {
            secrets.learn(text);
        }
    }
}

fn read_snapshot(path: &Path) -> Result<Snapshot, Error> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::new(format!("can't read the snapshot {}", path.display()))
            .because(why)
            .hint("snapshots lie in `.tenantctl/snapshots/` beside the project file")
    };
    let text = files::read_anywhere(path).map_err(|problem| failed(&problem.message))?;
    Snapshot::parse(&text.text).map_err(|error| {
        let why =
            error.causes.first().map_or_else(|| error.message.clone(), |cause| format!("{}: {cause}", error.message));
        failed(&why)
    })
}

/// Reads the patterns of a flag.
fn patterns(flag: &str, texts: &[String], registry: &Registry) -> Result<Vec<Pattern>, Error> {
    let read = |text: &String| {
        pattern(text, registry)
            .map_err(|problem| Error::new(format!("{flag}: {}", problem.message)).maybe_hint(problem.hint))
    };
    texts.iter().map(read).collect()
}

/// Begins to read the certificates that are trusted.
fn begin(context: &Context, ca_bundle: Option<PathBuf>, is_local: bool) -> Result<Trust, Error> {
    Ok(Trust::begin(roots(context.global.ca_bundle.iter().cloned().chain(ca_bundle))?, is_local))
}

fn roots(paths: impl Iterator<Item = PathBuf>) -> Result<Vec<Roots>, Error> {
    paths
        .map(|path| {
            let text = files::read_anywhere(&path).map_err(|problem| {
                Error::new(format!("can't read the certificates in {}", path.display())).because(problem.message)
            })?;
            Ok(Roots { from: path.display().to_string(), pem: text.text.clone().into_bytes() })
        })
        .collect()
}
