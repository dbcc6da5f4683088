//! The journal of a run: what is done is written down while it is done, so that a run that was
//! killed can be accounted for.
//!
//! One JSON line an event, in `journals/` of the tool's own folder; snapshots lie beside it. A write
//! is noted when it goes out and when it is answered: what was sent and not answered is unknown. Every
//! text goes through `Secrets::hide`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Event, News};
use crate::error::Error;
use crate::files::{self, Files, Lines, Mode};
use crate::plan::ledger::{Entry, Ledger, Status};
use crate::plan::snapshot::Snapshot;
use crate::plan::{Action, Plan};
use crate::secret::Secrets;
use crate::tenant::Address;

/// The tool's own folder, beside the project file.
const FOLDER: &str = ".tenantctl";
/// So many journals and snapshots of an environment are kept.
const KEPT: usize = 50;
/// How long to wait for another apply of the environment to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// A line of a journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// A run begins; nothing was written yet.
    Begin {
        at: String,
        tool_version: String,
        environment: String,
        tenant: String,
        snapshot: String,
        changes: Vec<Planned>,
    },
    /// A write goes out.
    Sent { at: String, kind: String, name: String, call: String },
    /// It was answered.
    Answered { at: String, kind: String, name: String, call: String },
    /// A change is over.
    Ended { at: String, entry: Entry },
    /// The run is over, and all that it wrote was seen in the tenant, or not.
    End { at: String, seen: bool },
    /// A later run has told what came of this one.
    Accounted { at: String },
}

/// A change that is to be carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    kind: String,
    name: String,
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// The journals and snapshots of one environment.
#[derive(Debug)]
pub struct Journals {
    files: Files,
    environment: String,
    folder: String,
}

/// The right to apply to an environment from this project, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _held: std::fs::File,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    /// Where the snapshot lies, relative to the project folder.
    pub snapshot: String,
    lines: Mutex<Lines>,
    secrets: Secrets,
}

/// What a run has done, as its journal tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The journal, relative to the project folder.
    pub journal: String,
    /// The snapshot, relative to the project folder.
    pub snapshot: String,
    /// When it began (RFC 3339).
    pub begun: String,
    /// The environment's name.
    pub environment: String,
    /// The tenant's host, or `sandbox`.
    pub tenant: String,
    /// Every change once, in the plan's order.
    pub entries: Vec<Entry>,
    /// When the last line was written, since 1970.
    pub last: Duration,
    /// It did not come to its end.
    pub is_cut_off: bool,
    /// All that it wrote was seen in the tenant.
    pub is_seen: bool,
    /// A later run has told what came of it.
    pub is_accounted: bool,
}

impl Account {
    /// Gives what it did as a ledger.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::of(&self.environment, &self.tenant, self.entries.clone())
    }
}

impl Journals {
    /// Means the journals of an environment of a project.
    ///
    /// # Errors
    /// If the project folder can't be opened.
    pub fn of(root: &Path, environment: &str) -> Result<Self, Error> {
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
        let folder = environment.chars().map(safe).collect();
        Ok(Self { files: Files::open(root)?, environment: environment.to_owned(), folder })
    }

    /// Takes the turn to apply to the environment.
    ///
    /// # Errors
    /// If another run has it, or the folder can't be written.
    pub fn claim(&self) -> Result<Turn, Error> {
        let own = self.files.root().join(FOLDER);
        let path = own.join("journals").join(format!("{}.lock", self.folder));
        let held = files::hidden_folder(&own).and_then(|()| files::hold(&path, PATIENCE)).map_err(|error| {
            Error::new(format!("`{}` can't be applied to now", self.environment))
                .because(error)
                .hint(format!("another apply is running, or `{FOLDER}` beside the project file can't be written"))
        })?;
        Ok(Turn { _held: held })
    }

    /// Reads what the last run has done; nothing where there was none.
    ///
    /// # Errors
    /// If the journal can't be read.
    pub fn last(&self) -> Result<Option<Account>, Error> {
        let folder = self.path("journals");
        let Some(name) = self.files.list(&folder)?.pop() else { return Ok(None) };
        let path = format!("{folder}/{name}");
        let text = self.files.read(&path).map_err(Error::from)?;
        Ok(account(&path, &text.text).filter(|account| account.environment == self.environment))
    }

    /// Notes that a run was accounted for.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn accounted(&self, account: &Account, now: Duration) -> Result<(), Error> {
        self.files.lines(&account.journal)?.add(&text(&Line::Accounted { at: stamp(now) }))
    }

    /// Saves a snapshot and begins a journal: what comes next is the first write.
    ///
    /// # Errors
    /// If the system refuses; nothing may be written to the tenant then.
    pub fn begin(&self, plan: &Plan, snapshot: &Snapshot, secrets: &Secrets, now: Duration) -> Result<Journal, Error> {
        let name = stamp(now).replace(':', "-");
        let path = format!("{}/{name}.json", self.path("snapshots"));
        self.files.write(&path, &snapshot.text(), Mode::Private)?;
        let lines = self.files.lines(&format!("{}/{name}.jsonl", self.path("journals")))?;
        let planned = plan.changes.iter().map(|change| Planned {
            kind: change.kind.clone(),
            name: secrets.hide(&change.name),
            action: change.action,
            id: change.id.clone(),
        });
        let begin = Line::Begin {
            at: stamp(now),
            tool_version: plan.tool_version.clone(),
            environment: plan.environment.clone(),
            tenant: plan.tenant.clone(),
            snapshot: path.clone(),
            changes: planned.collect(),
        };
        let journal = Journal { snapshot: path, lines: Mutex::new(lines), secrets: secrets.clone() };
        journal.add(&begin)?;
        journal.lines.lock().unwrap_or_else(PoisonError::into_inner).sync()?;
        for kind in ["journals", "snapshots"] {
            let folder = self.path(kind);
            let names = self.files.list(&folder)?;
            for old in &names[..names.len().saturating_sub(KEPT)] {
                files::remove(&self.files.root().join(&folder).join(old))?;
            }
        }
        Ok(journal)
    }

    fn path(&self, kind: &str) -> String {
        format!("{FOLDER}/{kind}/{}", self.folder)
    }
}

impl Journal {
    /// Writes down what happens.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn note(&self, event: &Event, now: Duration) -> Result<(), Error> {
        let (kind, name, at) = (event.address.kind.clone(), self.secrets.hide(&event.address.name), stamp(now));
        match &event.news {
            News::Started => Ok(()),
            News::Sent(call) => self.add(&Line::Sent { at, kind, name, call: self.secrets.hide(call) }),
            News::Answered(call) => self.add(&Line::Answered { at, kind, name, call: self.secrets.hide(call) }),
            News::Ended(entry) => self.add(&Line::Ended { at, entry: entry.hidden(&self.secrets) }),
        }
    }

    /// Writes down that the run is over.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn end(&self, seen: bool, now: Duration) -> Result<(), Error> {
        self.add(&Line::End { at: stamp(now), seen })
    }

    fn add(&self, line: &Line) -> Result<(), Error> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).add(&text(line))
    }
}

fn text(line: &Line) -> String {
    serde_json::to_string(line).expect("a line is plain text and numbers")
}

/// Writes a time since 1970 down (RFC 3339, UTC, milliseconds).
#[must_use]
pub fn stamp(since_1970: Duration) -> String {
    let nanos = i128::from(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let text = time.format(&Rfc3339).unwrap_or_default();
    // The same length each time, so that names sort by time.
    match text.split_once('.') {
        Some((seconds, rest)) => format!("{seconds}.{:0<3}Z", rest.trim_end_matches('Z')),
        None => text.replace('Z', ".000Z"),
    }
}

fn read_stamp(text: &str) -> Option<Duration> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(Duration::from_millis)
}

/// Reads from the lines of a journal what the run has done. A last line that is cut off counts as
/// missing; a file that is no journal gives nothing.
fn account(journal: &str, text: &str) -> Option<Account> {
    let mut lines = text.lines().map_while(|line| serde_json::from_str::<Line>(line).ok());
    let Some(Line::Begin { at, environment, tenant, snapshot, changes, .. }) = lines.next() else { return None };
    let mut account = Account {
        journal: journal.to_owned(),
        snapshot,
        begun: at.clone(),
        environment,
        tenant,
        entries: Vec::new(),
        last: read_stamp(&at)?,
        is_cut_off: true,
        is_seen: false,
        is_accounted: false,
    };
    let mut ended: BTreeMap<Address, Vec<Entry>> = BTreeMap::new();
    let mut sent: BTreeMap<Address, (Vec<String>, Option<String>)> = BTreeMap::new();
    for line in lines {
        let at = match line {
            Line::Sent { at, kind, name, call } => {
                sent.entry(Address::new(kind, name)).or_default().1 = Some(call);
                at
            }
            Line::Answered { at, kind, name, call } => {
                let (answered, open) = sent.entry(Address::new(kind, name)).or_default();
                answered.push(call);
                *open = None;
                at
            }
            Line::Ended { at, entry } => {
                ended.entry(entry.address()).or_default().push(entry);
                at
            }
            Line::End { at, seen } => {
                (account.is_cut_off, account.is_seen) = (false, seen);
                at
            }
            Line::Accounted { .. } => {
                account.is_accounted = true;
                continue;
            }
            Line::Begin { .. } => break,
        };
        account.last = account.last.max(read_stamp(&at).unwrap_or_default());
    }
    for Planned { kind, name, action, id } in changes {
        let address = Address::new(&kind, &name);
        // Two objects can have one name.
        let of_it = ended.get_mut(&address).and_then(|entries| {
            let it = entries.iter().position(|entry| entry.action == action && (action.makes() || entry.id == id));
            it.map(|at| entries.remove(at))
        });
        account.entries.push(of_it.unwrap_or_else(|| {
            let (status, calls, message) = match sent.remove(&address) {
                None => (Status::NotAttempted, Vec::new(), "the run was cut off before".to_owned()),
                Some((calls, Some(call))) => {
                    (Status::Unknown, calls, format!("{call} was sent, and no answer was noted"))
                }
                Some((calls, None)) => (Status::Failed, calls, "the run was cut off in the middle of it".to_owned()),
            };
            let (request_id, causes, hint, source) = (None, Vec::new(), None, None);
            Entry { kind, name, action, status, id, calls, request_id, message: Some(message), causes, hint, source }
        }));
    }
    Some(account)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Journals, account, read_stamp, stamp};
    use crate::apply::tests::{change, plan};
    use crate::apply::{Event, News};
    use crate::kinds::Registry;
    use crate::plan::Action;
    use crate::plan::ledger::Status;
    use crate::plan::snapshot::Snapshot;
    use crate::secret::Secrets;
    use crate::tenant::{Address, Tenant};

    const NOW: Duration = Duration::from_millis(1_795_525_501_120);

    #[test]
    fn stamps_sort_by_time_and_can_be_read() {
        assert_eq!(stamp(NOW), "2026-11-24T13:05:01.120Z");
        assert_eq!(stamp(Duration::from_secs(1_795_525_501)), "2026-11-24T13:05:01.000Z");
        assert_eq!(read_stamp("2026-11-24T13:05:01.120Z"), Some(NOW));
    }

    fn event(address: &str, news: News) -> Event {
        Event { address: Address::parse(address), action: Action::Create, news }
    }

    #[test]
    fn a_run_that_was_cut_off_is_accounted_for() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::of(folder.path(), "pro/d").unwrap();
        assert_eq!(journals.last().unwrap(), None);
        let secrets = Secrets::default();
        secrets.learn("hunter2-hunter2");
        let mut plan = plan(
            ["A", "B hunter2-hunter2", "C", "D"]
                .map(|name| change(&format!("clients/{name}"), Action::Create, None, &[]))
                .to_vec(),
        );
        plan.environment = "pro/d".to_owned();
        let snapshot = Snapshot::take(Registry::builtin(), &plan, &Tenant::default(), &secrets, stamp(NOW));
        let journal = journals.begin(&plan, &snapshot, &secrets, NOW).unwrap();
        let call = || "POST /clients".to_owned();
        let later = NOW + Duration::from_secs(3);
        journal.note(&event("clients/A", News::Sent(call())), NOW).unwrap();
        journal.note(&event("clients/B hunter2-hunter2", News::Sent(call())), NOW).unwrap();
        journal.note(&event("clients/A", News::Answered(call())), NOW).unwrap();
        journal.note(&event("clients/C", News::Sent(call())), NOW).unwrap();
        journal.note(&event("clients/C", News::Answered(call())), later).unwrap();
        let found = journals.last().unwrap().unwrap();
        assert!(found.is_cut_off && !found.is_seen && !found.is_accounted && found.last == later);
        let states: Vec<_> = found.entries.iter().map(|entry| (entry.name.as_str(), entry.status)).collect();
        let expected = [
            ("A", Status::Failed),
            ("B (sensitive)", Status::Unknown),
            ("C", Status::Failed),
            ("D", Status::NotAttempted),
        ];
        assert_eq!(states, expected);
        assert_eq!(found.entries[1].message.as_deref(), Some("POST /clients was sent, and no answer was noted"));
        assert_eq!(found.entries[0].calls, ["POST /clients"]);
        journals.accounted(&found, later).unwrap();
        assert!(journals.last().unwrap().unwrap().is_accounted);
        journal.end(true, later).unwrap();
        let found = journals.last().unwrap().unwrap();
        assert!(!found.is_cut_off && found.is_seen);
        let text = std::fs::read_to_string(folder.path().join(&found.journal)).unwrap();
        assert!(!text.contains("hunter2"));
        assert!(account("x", &text[..text.len() - 9]).unwrap().is_cut_off, "half a line is none");
        assert_eq!(account("x", "{}"), None);
    }

    #[test]
    fn one_apply_of_an_environment_runs_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::of(folder.path(), "dev").unwrap();
        let turn = journals.claim().unwrap();
        assert!(journals.claim().is_err());
        drop(turn);
        journals.claim().unwrap();
    }
}
