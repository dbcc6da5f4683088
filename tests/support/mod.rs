//! A sandbox, a client signed in to it, and definitions given as JSON.

pub(crate) mod samples;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenantctl::api::auth::Credentials;
use tenantctl::api::clock::Clock;
use tenantctl::api::{Client, Connection, PARALLELISM};
use tenantctl::apply::{self, Job};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::Method;
use tenantctl::plan::call::Call;
use tenantctl::plan::{Planned, Policy, plan, scope};
use tenantctl::sandbox::{self, Options, Sandbox};
use tenantctl::secret::Secrets;
use tenantctl::tenant::{Address, Desired, Object, Provenance, Tenant};
use tokio::sync::watch;

/// A fresh tenant over real HTTP.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) policy: Policy,
    _sandbox: Sandbox,
}

impl World {
    pub(crate) async fn new() -> Self {
        let sandbox = sandbox::start(Options::default()).unwrap();
        let client = Client::connect(Connection {
            base_url: sandbox.url.clone(),
            domain: sandbox.domain.clone(),
            audience: None,
            credentials: Credentials::ClientSecret {
                client_id: sandbox.client_id.clone(),
                client_secret: sandbox.client_secret.clone(),
            },
            roots: Vec::new(),
            secrets: Secrets::default(),
            parallelism: PARALLELISM,
            clock: Clock::default(),
        })
        .await
        .unwrap();
        let policy = Policy { own_client: client.own_client_id().map(str::to_owned), ..Policy::default() };
        Self { client, policy, _sandbox: sandbox }
    }

    pub(crate) async fn live(&self, desired: &Desired) -> Tenant {
        let kinds = scope::needed(Registry::builtin(), desired, &self.policy);
        self.client.fetch(&kinds).await.unwrap()
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
        for domain in self.client.fetch(&[kind]).await.unwrap().objects("customDomains") {
            let path = format!("/custom-domains/{}/verify", domain.id.as_ref().unwrap());
            let call = Call { method: Method::Post, path, body: None, scopes: Vec::new() };
            self.client.send(&call).await.unwrap();
        }
    }

    /// Carries a plan out, to the last change.
    pub(crate) async fn apply(&self, planned: &Planned) {
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
        let outcome = apply::run(&job, planned.names.clone(), |_| {}).await;
        assert!(outcome.is_complete(), "{:?} {:?}", outcome.failed, outcome.not_attempted);
    }

    /// Plans, applies, and expects the next plan to be empty.
    pub(crate) async fn converge(&self, desired: &Desired, policy: &Policy) -> Planned {
        let planned = self.plan_with(desired, policy).await;
        self.apply(&planned).await;
        let again = self.plan_with(desired, policy).await.plan;
        assert!(again.is_empty(), "after an apply: {:#?}", again.changes);
        planned
    }
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
            provenance: Provenance::default(),
        });
        tenant.kinds.insert((*name).to_owned(), objects.collect());
    }
    Desired { tenant, digest: String::new() }
}

/// What the samples refer to: two applications, two APIs with scopes.
pub(crate) fn targets() -> BTreeMap<&'static str, Vec<Map<String, Value>>> {
    let map = |value: Value| value.as_object().unwrap().clone();
    let scopes = json!([{"value": "read:0"}, {"value": "read:1"}]);
    BTreeMap::from([
        ("clients", (0..2).map(|n| map(json!({"name": format!("Target {n}")}))).collect()),
        (
            "resourceServers",
            (0..2)
                .map(|n| map(json!({"identifier": format!("https://target{n}.example"), "scopes": scopes})))
                .collect(),
        ),
    ])
}
