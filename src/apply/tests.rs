use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::{Event, Job, News, Outcome, READ_LAG, ReadBack, refreshed, run, run_with};
use crate::api::testing::{Asked, Reply, Server};
use crate::error::Problem;
use crate::kinds::Registry;
use crate::kinds::kind::{Kind, Method};
use crate::plan::call::Call;
use crate::plan::ledger::{Entry, Status};
use crate::plan::{Action, Change, Consent, FORMAT_VERSION, Plan, Summary};
use crate::tenant::names::{Meaning, Names};
use crate::tenant::needs::Needs;
use crate::tenant::{Address, Object, Tenant};

/// Applications and grants, kept as the real API keeps them: names are not unique.
#[derive(Default)]
struct Store {
    clients: Vec<Value>,
    grants: Vec<Value>,
    made: usize,
    /// So many lists do not show what was written.
    lag: usize,
}

impl Store {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let (method, path) = asked.line.split_once(" /api/v2").unwrap();
        let path = path.replace("%7C", "|");
        let (name, id) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let (list, key) = match name {
            "clients" => (&mut self.clients, "client_id"),
            _ => (&mut self.grants, "id"),
        };
        let place = list.iter().position(|item| item[key] == id);
        match (method, place) {
            ("GET", _) if id.is_empty() => {
                let shown = list.len() - if self.lag > 0 { list.len().min(1) } else { 0 };
                self.lag = self.lag.saturating_sub(1);
                let member = name.replace('-', "_");
                Reply::Json(200, json!({"start": 0, "limit": 100, "total": shown, member: list[..shown]}))
            }
            ("POST", _) => {
                self.made += 1;
                let mut value = asked.json();
                value[key] = json!(format!("{name}|{}", self.made));
                list.push(value.clone());
                Reply::Json(201, value)
            }
            ("GET", Some(at)) => Reply::Json(200, list[at].clone()),
            ("PATCH", Some(at)) => {
                for (name, value) in asked.json().as_object().unwrap() {
                    list[at][name] = value.clone();
                }
                Reply::Json(200, list[at].clone())
            }
            ("DELETE", Some(at)) => {
                list.remove(at);
                Reply::Json(204, json!(null))
            }
            _ => Reply::Json(404, json!({"statusCode": 404, "error": "Not Found", "message": "no such thing"})),
        }
    }
}

/// What goes wrong with a request.
#[derive(Clone)]
enum Trouble {
    Instead(Reply),
    /// It is handled, and the answer is lost.
    After(Reply),
}

/// Starts a tenant; `trouble` comes at the n-th request with this line.
fn tenant(line: &'static str, trouble: Vec<(usize, Trouble)>, lag: usize) -> (Server, Arc<Mutex<Store>>) {
    let store = Arc::new(Mutex::new(Store { lag, ..Store::default() }));
    let inner = store.clone();
    let seen = Mutex::new(0);
    let server = Server::start(move |_, asked| {
        let mut store = inner.lock().unwrap();
        if asked.line == line {
            let mut seen = seen.lock().unwrap();
            *seen += 1;
            match trouble.iter().find(|(at, _)| at == &*seen).map(|(_, trouble)| trouble.clone()) {
                Some(Trouble::Instead(reply)) => return reply,
                Some(Trouble::After(reply)) => {
                    store.answer(asked);
                    return reply;
                }
                None => {}
            }
        }
        store.answer(asked)
    });
    (server, store)
}

pub(super) fn change(address: &str, action: Action, id: Option<&str>, requires: &[&str]) -> Change {
    let Address { kind, name } = Address::parse(address);
    let requires = requires.iter().map(|text| (*text).to_owned()).collect();
    Change { kind, name, action, id: id.map(str::to_owned), fields: Vec::new(), again: Vec::new(), requires }
}

pub(super) fn plan(changes: Vec<Change>) -> Plan {
    Plan {
        format_version: FORMAT_VERSION.to_owned(),
        tool_version: String::new(),
        environment: String::new(),
        tenant: String::new(),
        definitions_sha256: String::new(),
        consent: Consent::default(),
        changes,
        held: Vec::new(),
        secrets: Vec::new(),
        unmanaged: Vec::new(),
        summary: Summary::default(),
    }
}

fn application(name: &str, id: Option<&str>) -> Object {
    let value = Map::from_iter([("name".to_owned(), json!(name))]);
    let address = Address::new("clients", name);
    Object { address, id: id.map(str::to_owned), value, provenance: Arc::default() }
}

/// Makes calls in the simplest way; grants refer to applications by name, and a create of an
/// application named `Two` takes a second call.
fn calls(
    kind: &Kind,
    change: &Change,
    _desired: Option<&Object>,
    _live: Option<&Object>,
    names: &Names,
) -> Result<Vec<Call>, Problem> {
    let call = Call::new;
    let body = match change.name.split_once(" -> ") {
        None => json!({"name": change.name}),
        Some((client, audience)) => match names.meaning("clients", client) {
            Meaning::Id(id) => json!({"client_id": id, "audience": audience}),
            _ => return Err(Problem::error(format!("no application `{client}`"))),
        },
    };
    let body = Some(body);
    let path: String = kind.list.as_ref().unwrap().path.clone();
    let own = || format!("{path}/{}", change.id.as_ref().unwrap());
    Ok(match change.action {
        Action::Create if change.name == "Two" => {
            vec![call(Method::Post, path.clone(), body.clone()), call(Method::Patch, format!("{path}/{{id}}"), body)]
        }
        Action::Create => vec![call(Method::Post, path, body)],
        Action::Update => vec![call(Method::Patch, own(), body)],
        Action::Delete => vec![call(Method::Delete, own(), None)],
        Action::Replace => vec![call(Method::Delete, own(), None), call(Method::Post, path, body)],
    })
}

async fn applied(server: &Server, plan: &Plan, live: &Tenant, interrupt: bool) -> (Outcome, Vec<Event>) {
    applied_by(calls, server, plan, live, interrupt).await
}

pub(super) async fn applied_by(
    calls: impl Fn(&Kind, &Change, Option<&Object>, Option<&Object>, &Names) -> Result<Vec<Call>, Problem>,
    server: &Server,
    plan: &Plan,
    live: &Tenant,
    interrupt: bool,
) -> (Outcome, Vec<Event>) {
    let client = server.client().await;
    let (_keep, interrupt) = watch::channel(interrupt);
    let desired = Tenant::default();
    let registry = Registry::builtin();
    let job = Job { registry, plan, desired: &desired, live, client: &client, interrupt, lag: READ_LAG };
    let events = Mutex::new(Vec::new());
    let names = Names::of(registry, live, &desired, &[]);
    let outcome = run_with(&job, names, &|event| events.lock().unwrap().push(event), calls).await;
    (outcome, events.into_inner().unwrap())
}

fn of(outcome: &Outcome, status: Status) -> Vec<&Entry> {
    outcome.entries.iter().filter(|entry| entry.status == status).collect()
}

fn said(outcome: &Outcome, status: Status) -> Vec<String> {
    let said = |entry: &&Entry| format!("{}: {}", entry.address(), entry.message.as_deref().unwrap_or_default());
    of(outcome, status).iter().map(said).collect()
}

pub(super) fn errors(outcome: &Outcome) -> Vec<String> {
    said(outcome, Status::Failed)
}

#[tokio::test]
async fn what_is_made_is_known_to_what_refers_to_it() {
    let (server, store) = tenant("", Vec::new(), 0);
    let plan = plan(vec![
        change("clientGrants/A -> urn:x", Action::Create, None, &["clients/A"]),
        change("clients/A", Action::Create, None, &[]),
        change("clients/Two", Action::Create, None, &[]),
    ]);
    let (outcome, events) = applied(&server, &plan, &Tenant::default(), false).await;
    assert!(outcome.is_complete() && outcome.wrote && !outcome.interrupted, "{outcome:?}");
    let store = store.lock().unwrap();
    let made = store.clients.iter().find(|client| client["name"] == "A").unwrap();
    assert_eq!(store.grants[0]["client_id"], made["client_id"]);
    assert_eq!(outcome.names.meaning("clients", "A"), Meaning::Id(made["client_id"].as_str().unwrap()));
    assert!(server.lines().iter().any(|line| line.starts_with("PATCH /clients/clients%7C")), "{:?}", server.lines());
    let of_grant: Vec<&News> =
        events.iter().filter(|event| event.address.kind == "clientGrants").map(|event| &event.news).collect();
    let [News::Started, News::Sent(sent), News::Answered(answered), News::Ended(entry)] = of_grant[..] else {
        panic!("{of_grant:?}")
    };
    assert_eq!((sent.as_str(), answered), ("POST /client-grants", sent));
    assert!(entry.is_done() && entry.id.is_some() && entry.calls == [sent.as_str()], "{entry:?}");
}

#[tokio::test]
async fn a_failure_stops_only_what_depends_on_it() {
    let refusal = json!({"statusCode": 409, "error": "Conflict", "message": "Another client exists"});
    let (server, store) = tenant("POST /api/v2/clients", vec![(1, Trouble::Instead(Reply::Json(409, refusal)))], 0);
    let plan = plan(vec![
        change("clients/A", Action::Create, None, &[]),
        change("clientGrants/A -> urn:x", Action::Create, None, &["clients/A"]),
        change("clients/B", Action::Delete, Some("gone"), &["clientGrants/C -> urn:x"]),
    ]);
    let (outcome, _) = applied(&server, &plan, &Tenant::default(), false).await;
    assert_eq!(errors(&outcome), ["clients/A: POST /clients: the API answered 409: Another client exists"]);
    let skipped = "clientGrants/A -> urn:x: it requires clients/A, which failed";
    assert_eq!(said(&outcome, Status::NotAttempted), [skipped]);
    assert_eq!(said(&outcome, Status::Done), ["clients/B: "], "a delete that finds nothing is done");
    assert!(store.lock().unwrap().clients.is_empty());
}

/// What happens to the creates, how many lists lag, and how many creates are sent.
type LostCreate = (Vec<(usize, Trouble)>, usize, usize);

#[tokio::test]
async fn a_lost_create_is_neither_forgotten_nor_made_twice() {
    use Trouble::{After, Instead};
    let server_error = Reply::Json(500, json!({"statusCode": 500}));
    let cases: Vec<LostCreate> = vec![
        (vec![(1, After(Reply::Hang))], 0, 1),
        (vec![(1, After(server_error.clone()))], 0, 1),
        (vec![(1, After(Reply::Cut(json!({"client_id": "x"}))))], 2, 1),
        (vec![(1, After(Reply::Html(200)))], 0, 1),
        (vec![(1, After(Reply::Json(201, json!({}))))], 0, 1),
        (vec![(1, Instead(Reply::Hang))], 0, 2),
        (vec![(1, Instead(server_error.clone()))], 0, 2),
        (vec![(1, Instead(server_error.clone())), (2, After(Reply::Hang))], 0, 2),
        // The first was made but not seen in time, and the second meets it.
        (vec![(1, After(Reply::Hang)), (2, Instead(Reply::Json(409, json!({"statusCode": 409}))))], 6, 2),
    ];
    for (number, (trouble, lag, sent)) in cases.into_iter().enumerate() {
        let (server, store) = tenant("POST /api/v2/clients", trouble, lag);
        // One of the same name was there before: it is not ours.
        let old = json!({"client_id": "old", "name": "A"});
        store.lock().unwrap().clients.push(old);
        let live = Tenant {
            kinds: BTreeMap::from([("clients".to_owned(), vec![application("A", Some("old"))])]),
            ..Tenant::default()
        };
        let plan = plan(vec![change("clients/A", Action::Create, None, &[])]);
        let (outcome, _) = applied(&server, &plan, &live, false).await;
        assert!(outcome.is_complete(), "case {number}: {outcome:?}");
        let clients = store.lock().unwrap().clients.clone();
        assert_eq!(clients.len(), 2, "case {number}");
        assert_eq!(outcome.entries[0].id.as_deref(), clients[1]["client_id"].as_str(), "case {number}");
        let posts = server.lines().iter().filter(|line| *line == "POST /clients").count();
        assert_eq!(posts, sent, "case {number}");
    }
}

#[tokio::test]
async fn a_create_that_is_lost_twice_fails_and_says_so() {
    let lost = || Trouble::Instead(Reply::Hang);
    let (server, _) = tenant("POST /api/v2/clients", vec![(1, lost()), (2, lost())], 0);
    let plan = plan(vec![change("clients/A", Action::Create, None, &[])]);
    let (outcome, _) = applied(&server, &plan, &Tenant::default(), false).await;
    let [entry] = of(&outcome, Status::Unknown)[..] else { panic!("{outcome:?}") };
    assert!(entry.causes.last().unwrap().contains("sent twice"), "{entry:?}");
    assert!(entry.hint.as_ref().unwrap().contains("not known"), "{entry:?}");
    assert!(outcome.wrote);
}

#[tokio::test]
async fn a_change_that_fails_half_way_says_what_was_done() {
    let refusal = Reply::Json(400, json!({"statusCode": 400, "message": "no"}));
    let (server, _) = tenant("PATCH /api/v2/clients/clients%7C1", vec![(1, Trouble::Instead(refusal))], 0);
    let plan = plan(vec![change("clients/Two", Action::Create, None, &[])]);
    let (outcome, _) = applied(&server, &plan, &Tenant::default(), false).await;
    let [entry] = of(&outcome, Status::Failed)[..] else { panic!("{outcome:?}") };
    assert_eq!(entry.causes, ["of this change, POST /clients was done before"]);
    assert_eq!(entry.calls, ["POST /clients"]);
}

#[tokio::test]
async fn an_interrupt_starts_nothing_more() {
    let (server, _) = tenant("", Vec::new(), 0);
    let plan = plan(vec![change("clients/A", Action::Create, None, &[])]);
    let (outcome, _) = applied(&server, &plan, &Tenant::default(), true).await;
    assert!(outcome.interrupted && !outcome.wrote);
    assert_eq!(said(&outcome, Status::NotAttempted), ["clients/A: interrupted"]);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_interrupt_lets_the_request_in_flight_end_and_sends_no_other() {
    let (flag, interrupt) = watch::channel(false);
    let server = Server::start(move |_, _| {
        flag.send_replace(true);
        Reply::Json(201, json!({"client_id": "a"}))
    });
    let client = server.client().await;
    let plan = plan(vec![
        change("clients/Two", Action::Create, None, &[]),
        change("clients/After", Action::Create, None, &["clients/Two"]),
    ]);
    let empty = Tenant::default();
    let registry = Registry::builtin();
    let job = Job { registry, plan: &plan, desired: &empty, live: &empty, client: &client, interrupt, lag: READ_LAG };
    let outcome = run_with(&job, Names::default(), &|_| (), calls).await;
    assert!(outcome.interrupted && outcome.wrote);
    assert_eq!(errors(&outcome), ["clients/Two: PATCH /clients/{id} was not sent: interrupted"]);
    assert_eq!(of(&outcome, Status::NotAttempted).len(), 1);
    assert_eq!(server.lines(), ["POST /clients"]);
}

#[tokio::test]
async fn a_change_that_has_no_calls_fails_alone() {
    let (server, _) = tenant("", Vec::new(), 0);
    let plan = plan(vec![
        change("clientGrants/Nobody -> urn:x", Action::Create, None, &[]),
        change("clients/A", Action::Create, None, &[]),
        change("nonsense/A", Action::Create, None, &[]),
    ]);
    let (outcome, events) = applied(&server, &plan, &Tenant::default(), false).await;
    assert_eq!((of(&outcome, Status::Done).len(), of(&outcome, Status::Failed).len()), (1, 2));
    let is_told = |event: &Event| matches!(&event.news, News::Ended(entry) if entry.message.as_deref() == Some("no application `Nobody`"));
    assert!(events.iter().any(is_told));
}

#[tokio::test]
async fn what_was_written_is_read_back_with_patience() {
    let (server, store) =
        tenant("GET /api/v2/clients/a", vec![(1, Trouble::Instead(Reply::Json(404, json!({"statusCode": 404}))))], 0);
    store.lock().unwrap().clients =
        vec![json!({"client_id": "a", "name": "A"}), json!({"client_id": "b", "name": "B"})];
    let done = [
        done("clients/A", Action::Create, "a"),
        done("clients/B", Action::Update, "b"),
        done("clients/C", Action::Delete, "c"),
    ];
    let client = server.client().await;
    let looks = Mutex::new(0);
    let settled = |object: &Object| {
        let mut looks = looks.lock().unwrap();
        *looks += u32::from(object.address.name == "B");
        object.address.name != "B" || *looks > 2
    };
    // So many objects that their list has more pages than were written.
    let many = (0..400).map(|n| application(&format!("{n}"), Some(&n.to_string()))).collect();
    let live = Tenant { kinds: BTreeMap::from([("clients".to_owned(), many)]), ..Tenant::default() };
    let (needs, lag) = (Needs::default(), Duration::from_secs(10));
    let reading = ReadBack { client: &client, registry: Registry::builtin(), needs: &needs, live: &live, lag };
    let found = reading.read(&done.iter().collect::<Vec<_>>(), &settled).await.unwrap();
    let names: Vec<&str> = found.objects("clients").iter().map(|object| object.address.name.as_str()).collect();
    assert_eq!(names, ["A", "B"]);
    let asked = |path: &str| server.lines().iter().filter(|line| *line == path).count();
    assert_eq!((asked("GET /clients/a"), asked("GET /clients/b"), asked("GET /clients/c")), (2, 3, 1));
}

#[tokio::test]
async fn what_is_refused_for_members_that_nobody_knows_is_sent_without_them() {
    let refusal = |status| Trouble::Instead(Reply::Json(status, json!({"statusCode": status, "message": "no"})));
    let with_spare = |kind: &Kind, change: &Change, wanted: Option<&Object>, live: Option<&Object>, names: &Names| {
        let spare = json!({ "name": "spare" });
        let calls = calls(kind, change, wanted, live, names)?.into_iter();
        Ok(calls.map(|call| Call { spare: Some(spare.clone()), ..call }).collect())
    };
    for (status, sent, is_done) in [(400, 2, true), (403, 1, false)] {
        let (server, store) = tenant("PATCH /api/v2/clients/a", vec![(1, refusal(status))], 0);
        store.lock().unwrap().clients = vec![json!({"client_id": "a", "name": "A"})];
        let plan = plan(vec![change("clients/A", Action::Update, Some("a"), &[])]);
        let (outcome, _) = applied_by(with_spare, &server, &plan, &Tenant::default(), false).await;
        assert_eq!((outcome.is_complete(), server.asked().len()), (is_done, sent), "{status}");
        assert_eq!(store.lock().unwrap().clients[0]["name"] == "spare", is_done, "{status}");
    }
}

/// The entry of a change that is done.
fn done(address: &str, action: Action, id: &str) -> Entry {
    super::entry(&change(address, action, Some(id), &[]), Status::Done)
}

#[tokio::test]
async fn what_was_written_is_read_back_by_its_list_where_that_takes_fewer_requests() {
    let (server, store) = tenant("", Vec::new(), 2);
    let name = |n: usize| format!("{n}");
    store.lock().unwrap().clients = (0..3).map(|n| json!({"client_id": name(n), "name": name(n)})).collect();
    let mut entries: Vec<Entry> = (0..3).map(|n| done(&format!("clients/{n}"), Action::Update, &name(n))).collect();
    entries.push(done("clients/gone", Action::Delete, "gone"));
    let client = server.client().await;
    let (needs, live, lag) = (Needs::default(), Tenant::default(), Duration::from_secs(10));
    let reading = ReadBack { client: &client, registry: Registry::builtin(), needs: &needs, live: &live, lag };
    let found = reading.read(&entries.iter().collect::<Vec<_>>(), &|_: &Object| true).await.unwrap();
    assert_eq!(found.objects("clients").len(), 3);
    assert_eq!(server.lines(), ["GET /clients"; 3], "the first two did not show the last object yet");

    // One that is still there must not count in the place of one that is not there yet.
    store.lock().unwrap().lag = 1;
    store.lock().unwrap().clients = ["gone", "0"].map(|id| json!({"client_id": id, "name": id})).to_vec();
    let written = [done("clients/gone", Action::Delete, "gone"), done("clients/0", Action::Create, "0")];
    let found = reading.read(&written.iter().collect::<Vec<_>>(), &|_: &Object| true).await.unwrap();
    assert_eq!(found.objects("clients").len(), 2, "the lag is over, and the delete was not seen");
    assert_eq!(server.lines().len(), 3 + 6);
}

#[tokio::test]
async fn a_create_that_meets_an_object_of_its_identity_takes_it_only_if_it_is_new_and_equal() {
    let conflict = || Trouble::Instead(Reply::Json(409, json!({"statusCode": 409, "message": "exists"})));
    let cases = [
        (json!({"client_id": "x", "name": "A", "description": "of the API"}), None, None),
        (json!({"client_id": "x", "name": "A"}), Some("x"), Some("another object has this name already")),
        (json!({"client_id": "x", "name": "B"}), None, Some("another object has this name already")),
    ];
    for (there, before, failure) in cases {
        let (server, store) = tenant("POST /api/v2/clients", vec![(1, conflict())], 0);
        store.lock().unwrap().clients.push(there);
        let known = before.map(|id| application("A", Some(id))).into_iter().collect();
        let live = Tenant { kinds: BTreeMap::from([("clients".to_owned(), known)]), ..Tenant::default() };
        let plan = plan(vec![change("clients/A", Action::Create, None, &[])]);
        let (outcome, _) = applied(&server, &plan, &live, false).await;
        let entry = &outcome.entries[0];
        match failure {
            None => assert!(entry.is_done() && entry.id.as_deref() == Some("x"), "{entry:?}"),
            Some(hint) => {
                assert!(entry.status == Status::Failed && entry.hint.as_ref().unwrap().contains(hint), "{entry:?}");
            }
        }
        assert_eq!(store.lock().unwrap().clients.len(), 1);
    }
}

#[test]
fn of_two_deletes_of_one_name_only_the_one_that_was_done_is_gone() {
    let twins = vec![application("A", Some("a1")), application("A", Some("a2"))];
    let live = Tenant { kinds: BTreeMap::from([("clients".to_owned(), twins)]), ..Tenant::default() };
    let delete = |id| change("clients/A", Action::Delete, Some(id), &[]);
    let plan = plan(vec![delete("a1"), delete("a2")]);
    let now = refreshed(live, Tenant::default(), &plan, &[&done("clients/A", Action::Delete, "a2")]);
    let left: Vec<_> = now.objects("clients").iter().map(|object| object.id.as_deref()).collect();
    assert_eq!(left, [Some("a1")]);
}

fn may_be_spawned<T: Future + Send>(future: T) -> T {
    future
}

#[tokio::test]
async fn the_planners_own_calls_are_the_default() {
    let (server, _) = tenant("", Vec::new(), 0);
    let client = server.client().await;
    let (_keep, interrupt) = watch::channel(false);
    let (plan, empty) = (plan(Vec::new()), Tenant::default());
    let job = Job {
        registry: Registry::builtin(),
        plan: &plan,
        desired: &empty,
        live: &empty,
        client: &client,
        interrupt,
        lag: READ_LAG,
    };
    let running = run(&job, Names::default(), &|_| ());
    assert!(may_be_spawned(running).await.is_complete());
}
