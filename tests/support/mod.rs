//! A sandbox, a client signed in to it, and definitions given as JSON.

pub(crate) mod answered;
pub(crate) mod large;
pub(crate) mod project;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod samples;
pub(crate) mod served;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tenantctl::api::auth::Credentials;
use tenantctl::api::clock::Clock;
use tenantctl::api::pace::Pacing;
use tenantctl::api::{Client, Connection, Trust};
use tenantctl::apply::{self, Job, Outcome, ReadBack};
use tenantctl::export::files::{self as export, Exported, Layout};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::Method;
use tenantctl::plan::call::Call;
use tenantctl::plan::ledger::Entry;
use tenantctl::plan::{self, Change, Planned, Policy, plan, scope};
use tenantctl::sandbox::{self, Options, Sandbox};
use tenantctl::secret::Secrets;
use tenantctl::tenant::needs::Needs;
use tenantctl::tenant::{Address, Desired, Object, Tenant};
use tokio::sync::watch;

use proxy::Proxy;

/// A fresh tenant over real HTTP.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) policy: Policy,
    pub(crate) sandbox: Sandbox,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(sandbox::start(Options::default()).unwrap()).await
    }

    /// The tenant of a sandbox.
    pub(crate) async fn of(sandbox: Sandbox) -> Self {
        let client = connect(&sandbox, &sandbox.url).await;
        let policy = Policy { own_client: client.own_client_id().map(str::to_owned), ..Policy::default() };
        Self { client, policy, sandbox }
    }

    /// A fresh tenant, reached through a proxy.
    pub(crate) async fn behind_proxy() -> (Self, Proxy) {
        let mut world = Self::new().await;
        let proxy = Proxy::before(&world.sandbox.url).await;
        world.client = connect(&world.sandbox, &proxy.url).await;
        (world, proxy)
    }

    pub(crate) async fn live(&self, desired: &Desired) -> Tenant {
        let kinds = scope::needed(Registry::builtin(), desired, &self.policy);
        self.client.fetch(&kinds, &self.needs(desired)).await.unwrap()
    }

    fn needs(&self, desired: &Desired) -> Needs {
        Needs::of(Registry::builtin(), &desired.tenant, &self.policy.moves())
    }

    pub(crate) async fn plan(&self, desired: &Desired) -> Planned {
        self.plan_with(desired, &self.policy).await
    }

    pub(crate) async fn plan_with(&self, desired: &Desired, policy: &Policy) -> Planned {
        let live = self.live(desired).await;
        plan(Registry::builtin(), desired, &live, policy).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    /// Has every custom domain verified, as its owner would by DNS.
    pub(crate) async fn verify_domains(&self) {
        let kind = Registry::builtin().get("customDomains").unwrap();
        for domain in self.client.fetch(&[kind], &Needs::default()).await.unwrap().objects("customDomains") {
            let path = format!("/custom-domains/{}/verify", domain.id.as_ref().unwrap());
            let call = Call::new(Method::Post, path, None);
            self.client.send(&call).await.unwrap();
        }
    }

    /// Lays the tenant out as files.
    pub(crate) async fn export(&self, with_ids: bool, layout: Layout) -> Exported {
        let registry = Registry::builtin();
        let all: Vec<_> = registry.iter().collect();
        let live = self.client.fetch(&all, &Needs::everything()).await.unwrap();
        let options = export::Options {
            with_ids,
            own_client: self.policy.own_client.clone(),
            layout,
            ..export::Options::default()
        };
        export::files(registry, &scope::chosen(registry, live, &self.policy), &options).unwrap()
    }

    /// Carries a plan out, to the last change.
    pub(crate) async fn apply(&self, planned: &Planned) {
        let outcome = self.attempt(planned).await;
        assert!(outcome.is_complete(), "{:?}", outcome.entries);
    }

    /// Carries a plan out as far as it goes.
    pub(crate) async fn attempt(&self, planned: &Planned) -> Outcome {
        let (_stop, interrupt) = watch::channel(false);
        let job = Job {
            registry: Registry::builtin(),
            plan: &planned.plan,
            desired: &planned.desired,
            live: &planned.live,
            client: &self.client,
            interrupt,
            lag: apply::READ_LAG,
        };
        apply::run(&job, planned.names.clone(), &|_| {}).await
    }

    /// Carries a plan out and reads back what it wrote, as the command does.
    pub(crate) async fn apply_and_read_back(&self, desired: &Desired, planned: &Planned) {
        let outcome = self.attempt(planned).await;
        assert!(outcome.is_complete(), "{:?}", outcome.entries);
        let registry = Registry::builtin();
        let shows = |raw: &Object| plan::shows(registry, planned, &outcome.names, raw);
        let (client, needs, live, lag) = (&self.client, &self.needs(desired), &planned.live, apply::READ_LAG);
        let done: Vec<&Entry> = outcome.entries.iter().filter(|entry| entry.is_done()).collect();
        ReadBack { client, registry, needs, live, lag }.read(&done, &shows).await.unwrap();
    }

    /// Plans, applies, and expects the next plan to be empty.
    pub(crate) async fn converge(&self, desired: &Desired, policy: &Policy) -> Planned {
        let planned = self.plan_with(desired, policy).await;
        self.carry_out(&planned, desired, policy).await;
        planned
    }

    /// Applies a plan of these definitions, and expects the next plan to be empty.
    pub(crate) async fn carry_out(&self, planned: &Planned, desired: &Desired, policy: &Policy) {
        self.apply(planned).await;
        let mut again = self.plan_with(desired, policy).await;
        // A secret that the API did not show before is compared as soon as it does.
        let is_late = |change: &Change| {
            let hidden = planned.plan.secrets.iter().filter(|it| it.kind == change.kind && it.name == change.name);
            let paths: Vec<&String> = hidden.map(|secret| &secret.path).collect();
            change.fields.iter().all(|edit| edit.sensitive && paths.contains(&&edit.path))
        };
        if !again.plan.is_empty() && again.plan.changes.iter().all(is_late) {
            self.apply(&again).await;
            again = self.plan_with(desired, policy).await;
        }
        assert!(again.plan.is_empty(), "after an apply: {:#?}", again.plan.changes);
    }
}

/// Signs in to a sandbox by an address of it, with a clock that leaps over waits.
pub(crate) async fn connect(sandbox: &Sandbox, url: &str) -> Client {
    let connection = Connection {
        base_url: url.to_owned(),
        domain: sandbox.domain.clone(),
        audience: None,
        credentials: Credentials::ClientSecret {
            client_id: sandbox.client_id.clone(),
            client_secret: sandbox.client_secret.clone(),
        },
        trust: Trust::begin(Vec::new(), true),
        secrets: Secrets::default(),
        pacing: Pacing::default(),
        clock: Clock::leaping(),
    };
    Client::connect(connection).await.unwrap()
}

/// Makes definitions of `{kind: [objects]}`.
pub(crate) fn definitions(kinds: &BTreeMap<&str, Vec<Map<String, Value>>>) -> Desired {
    let registry = Registry::builtin();
    let mut tenant = Tenant::default();
    for (name, objects) in kinds {
        let kind = registry.get(name).unwrap();
        let objects = objects.iter().map(|value| Object {
            address: Address::of(kind, value),
            id: None,
            value: value.clone(),
            provenance: Arc::default(),
        });
        tenant.kinds.insert((*name).to_owned(), objects.collect());
    }
    Desired { tenant, digest: String::new() }
}
