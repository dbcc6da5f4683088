//! Stories about plans: a definition, a live tenant, and what the plan says.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::call::{Call, calls};
use super::{Action, KindField, Op, Plan, Planned, Policy, plan, unread};
use crate::error::Problems;
use crate::kinds::Registry;
use crate::kinds::kind::Method;
use crate::tenant::names::Names;
use crate::tenant::unreadable::Lack;
use crate::tenant::{Address, Desired, Object, Pattern, Tenant};

/// Makes a tenant of `{kind: [objects]}`; ids are taken from the fields that hold them.
fn tenant(value: &Value) -> Tenant {
    let registry = Registry::builtin();
    let mut tenant = Tenant::default();
    for (name, objects) in value.as_object().unwrap() {
        let kind = registry.get(name).unwrap();
        let objects = objects.as_array().cloned().unwrap_or_else(|| vec![objects.clone()]);
        let objects = objects.into_iter().map(|object| {
            let value: Map<String, Value> = object.as_object().unwrap().clone();
            let id = kind.handle_of(&value);
            let id = id.filter(|_| kind.name != "clientGrants" || value.contains_key("id"));
            Object { address: Address::of(kind, &value), id, value, provenance: Arc::default() }
        });
        tenant.kinds.insert(name.clone(), objects.collect());
    }
    tenant
}

fn planned_with(desired: &Value, live: &Value, policy: &Policy) -> Result<Planned, Problems> {
    let desired = Desired { tenant: tenant(desired), digest: String::new() };
    plan(Registry::builtin(), &desired, &tenant(live), policy)
}

fn planned(desired: &Value, live: &Value) -> Planned {
    planned_with(desired, live, &Policy::default()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// One line a change: action, address, and its edits as op and path.
fn lines(plan: &Plan) -> Vec<String> {
    plan.changes
        .iter()
        .map(|change| {
            let edits = change.fields.iter().map(|edit| {
                let op = match edit.op {
                    Op::Add => "+",
                    Op::Replace => "~",
                    Op::Remove => "-",
                };
                format!("{op}{}", edit.path)
            });
            format!("{:?} {} {}", change.action, change.address(), edits.collect::<Vec<_>>().join(" "))
                .trim_end()
                .to_owned()
        })
        .collect()
}

fn held(plan: &Plan) -> Vec<String> {
    let path = |held: &super::Held| held.path.clone().unwrap_or_default();
    plan.held
        .iter()
        .map(|held| format!("{:?} {}/{} {}: {}", held.action, held.kind, held.name, path(held), held.reason))
        .collect()
}

fn all_calls(planned: &Planned) -> Vec<Call> {
    let registry = Registry::builtin();
    let of = |change: &super::Change| {
        let live = planned.live.objects(&change.kind).iter().find(|live| live.id == change.id);
        let live = live.filter(|_| change.action != Action::Create);
        calls(
            registry.get(&change.kind).unwrap(),
            change,
            planned.desired.find_by(&change.address(), change.id.as_deref()),
            live,
            &planned.names,
        )
        .unwrap()
    };
    planned.plan.changes.iter().flat_map(of).collect()
}

fn bodies(planned: &Planned) -> Vec<(Method, String, Value)> {
    all_calls(planned).into_iter().map(|call| (call.method, call.path, call.body.unwrap_or_default())).collect()
}

const API: &str = "https://api.example";

fn onboarding() -> (Value, Value) {
    let desired = json!({
        "resourceServers": [{"identifier": API, "name": "API", "scopes": [{"value": "read:a"}, {"value": "write:a"}]}],
        "clients": [{"name": "Worker", "app_type": "non_interactive"}],
        "clientGrants": [{"client_id": "Worker", "audience": API, "scope": ["write:a", "read:a"]}],
    });
    let live = json!({
        "resourceServers": [{"id": "r1", "identifier": API, "name": "API", "scopes": [{"value": "write:a", "description": "w"}, {"value": "read:a"}]}],
        "clients": [{"client_id": "c1", "name": "Worker", "app_type": "non_interactive", "callbacks": ["x"]}],
        "clientGrants": [{"id": "g1", "client_id": "c1", "audience": API, "scope": ["read:a", "write:a"], "subject_type": "client"}],
    });
    (desired, live)
}

#[test]
fn an_equal_tenant_needs_nothing() {
    let (desired, live) = onboarding();
    let plan = planned(&desired, &live).plan;
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(plan.summary.unchanged, 3);
}

#[test]
fn a_fresh_tenant_gets_the_api_then_the_application_then_the_grant() {
    let (desired, _) = onboarding();
    let made = planned(&desired, &json!({"resourceServers": [], "clients": [], "clientGrants": []}));
    let order: Vec<String> = made.plan.changes.iter().map(|change| change.address().to_string()).collect();
    assert_eq!(
        order,
        [format!("resourceServers/{API}"), "clients/Worker".into(), format!("clientGrants/Worker -> {API}")]
    );
    assert_eq!(made.plan.changes[2].requires, ["clients/Worker".to_owned(), format!("resourceServers/{API}")]);
}

#[test]
fn a_set_is_one_edit_with_its_members_and_keeps_what_is_not_said() {
    let (mut desired, live) = onboarding();
    desired["resourceServers"][0]["scopes"] = json!([{"value": "new:a"}, {"value": "write:a"}]);
    desired["clientGrants"][0]["scope"] = json!(["new:a", "write:a"]);
    let made = planned(&desired, &live);
    let edit = &made.plan.changes[0].fields[0];
    assert_eq!(edit.path, "/scopes");
    assert_eq!(
        serde_json::to_value(&edit.set).unwrap(),
        json!({"added": [{"value": "new:a"}], "removed": [{"value": "read:a"}], "changed": []})
    );
    let (method, path, body) = bodies(&made).remove(0);
    assert_eq!((method, path.as_str()), (Method::Patch, "/resource-servers/r1"));
    assert_eq!(body, json!({"scopes": [{"value": "new:a"}, {"value": "write:a", "description": "w"}]}));
}

#[test]
fn deletes_are_held_back_until_they_are_allowed() {
    let (mut desired, live) = onboarding();
    desired["clients"] = json!([]);
    desired["clientGrants"] = json!([]);
    let plan = planned(&desired, &live).plan;
    assert!(plan.is_empty());
    assert_eq!(held(&plan).len(), 2);
    let allowed = Policy { allow_delete: true, ..Policy::default() };
    let made = planned_with(&desired, &live, &allowed).unwrap();
    let addresses: Vec<String> = lines(&made.plan);
    assert_eq!(addresses, [format!("Delete clientGrants/Worker -> {API}"), "Delete clients/Worker".into()]);
    let protected = Policy { protect: vec![Pattern::new("clients/Worker")], ..allowed };
    let plan = planned_with(&desired, &live, &protected).unwrap().plan;
    assert_eq!(held(&plan), ["Delete clients/Worker : protected by `protect: clients/Worker`"]);
}

#[test]
fn a_kind_that_the_definitions_leave_out_is_left_alone() {
    let (mut desired, live) = onboarding();
    desired.as_object_mut().unwrap().remove("clients");
    let plan = planned(&desired, &live).plan;
    assert!(plan.is_empty());
    assert_eq!((plan.summary.unmanaged, plan.unmanaged.len()), (1, 0));
    let policy = Policy { lists_unmanaged: true, ..Policy::default() };
    let plan = planned_with(&desired, &live, &policy).unwrap().plan;
    let listed: Vec<&str> = plan.unmanaged.iter().map(|unmanaged| unmanaged.name.as_str()).collect();
    assert_eq!((plan.summary.unmanaged, listed), (1, vec!["Worker"]));
}

#[test]
fn excluding_an_application_excludes_its_grants() {
    let (mut desired, live) = onboarding();
    desired["clients"] = json!([]);
    desired["clientGrants"] = json!([]);
    let policy = Policy { allow_delete: true, exclude: vec![Pattern::new("clients/Work*")], ..Policy::default() };
    let plan = planned_with(&desired, &live, &policy).unwrap().plan;
    assert!(plan.is_empty(), "{:?}", lines(&plan));
    assert_eq!(plan.summary.unmanaged, 2);
}

#[test]
fn an_update_that_replaces_the_object_sends_the_rest_along() {
    let desired =
        json!({"guardianFactorProviders": [{"name": "sms", "provider": "twilio", "from": "+2", "sid": null}]});
    let live = json!({"guardianFactorProviders": [
        {"name": "sms", "provider": "twilio", "from": "+1", "sid": "a", "auth_token": "s3cret"},
    ]});
    let sent = json!({"from": "+2", "sid": null, "auth_token": "s3cret"});
    let path = "/guardian/factors/sms/providers/twilio".to_owned();
    assert_eq!(bodies(&planned(&desired, &live)), [(Method::Put, path.clone(), sent)]);
    // A secret that the API does not show comes from the definition.
    let desired = json!({"guardianFactorProviders": [
        {"name": "sms", "provider": "twilio", "from": "+2", "auth_token": "s3cret"},
    ]});
    let live = json!({"guardianFactorProviders": [{"name": "sms", "provider": "twilio", "from": "+1"}]});
    let sent = json!({"from": "+2", "auth_token": "s3cret"});
    assert_eq!(bodies(&planned(&desired, &live)), [(Method::Put, path, sent)]);
}

#[test]
fn what_belongs_to_third_parties_is_left_out_with_its_grants() {
    let (mut desired, mut live) = onboarding();
    desired["clients"] = json!([]);
    desired["clientGrants"] = json!([]);
    live["clients"][0]["is_first_party"] = json!(false);
    let registry = Registry::builtin();
    let third_party = |kind: &crate::kinds::kind::Kind| {
        kind.third_party.iter().map(|condition| (kind.name.clone(), condition.clone())).collect::<Vec<_>>()
    };
    let policy = Policy {
        allow_delete: true,
        exclude_where: registry.iter().flat_map(third_party).collect(),
        ..Policy::default()
    };
    let plan = planned_with(&desired, &live, &policy).unwrap().plan;
    assert!(plan.is_empty() && plan.summary.unmanaged == 2, "{:?}", lines(&plan));
    live["clients"][0]["is_first_party"] = json!(true);
    assert_eq!(planned_with(&desired, &live, &policy).unwrap().plan.summary.delete, 2);
}

#[test]
fn a_field_that_is_left_out_is_neither_compared_nor_sent() {
    let desired = json!({ "clients": [
        { "name": "A", "description": "new", "jwt_configuration": { "alg": "RS256" }, "client_metadata": { "a": "1" } },
        { "name": "B", "description": "new", "app_type": "spa" },
    ] });
    let live = json!({ "clients": [{ "client_id": "c1", "name": "A", "description": "old",
        "jwt_configuration": { "alg": "HS256" }, "client_metadata": { "a": "1", "b": "2" } }] });
    let field = |pointer: &str| KindField { kind: "clients".into(), pointer: pointer.into() };
    let policy = Policy {
        allow_delete: true,
        exclude_fields: ["/description", "/jwt_configuration/alg", "/client_metadata/b"].map(field).into(),
        ..Policy::default()
    };
    let planned = planned_with(&desired, &live, &policy).unwrap();
    assert_eq!(lines(&planned.plan), ["Create clients/B +/name +/app_type"]);
}

#[test]
fn only_one_object_can_be_chosen() {
    let (mut desired, live) = onboarding();
    desired["clients"][0]["app_type"] = json!("spa");
    desired["resourceServers"][0]["name"] = json!("other");
    let policy = Policy {
        only: vec![vec![Pattern::new("clients"), Pattern::new("clientGrants")], vec![Pattern::new("clients/Worker")]],
        ..Policy::default()
    };
    let plan = planned_with(&desired, &live, &policy).unwrap().plan;
    assert_eq!(lines(&plan), ["Update clients/Worker ~/app_type"]);
}

#[test]
fn an_object_that_the_api_merges_is_sent_in_part_and_one_that_it_replaces_whole() {
    let desired = json!({
        "clients": [{"name": "A", "jwt_configuration": {"alg": "RS256"}, "refresh_token": {"leeway": 5}}],
    });
    let live = json!({"clients": [{
        "client_id": "c1", "name": "A", "jwt_configuration": {"alg": "HS256", "lifetime_in_seconds": 36000, "secret_encoded": false},
        "refresh_token": {"leeway": 0, "rotation_type": "rotating", "expiration_type": "expiring", "added_by_the_api": 1},
    }]});
    let made = planned(&desired, &live);
    assert_eq!(lines(&made.plan), ["Update clients/A ~/jwt_configuration/alg ~/refresh_token/leeway"]);
    assert_eq!(
        bodies(&made)[0].2,
        json!({
            "jwt_configuration": {"alg": "RS256"},
            "refresh_token": {"rotation_type": "rotating", "expiration_type": "expiring", "added_by_the_api": 1, "leeway": 5},
        })
    );
    assert_eq!(
        json!(all_calls(&made)[0].spare)["refresh_token"],
        json!({"rotation_type": "rotating", "expiration_type": "expiring", "leeway": 5}),
        "for an API that refuses what it only answers"
    );
}

#[test]
fn what_the_api_leaves_out_is_empty_or_its_default() {
    let desired = json!({
        "tenant": [{"session_lifetime": 168, "friendly_name": "", "acr_values_supported": []}],
        "resourceServers": [{"identifier": API, "token_lifetime": 86400, "allow_offline_access": false,
            "scopes": [{"value": "a", "description": ""}], "subject_type_authorization": {"user": {"policy": "allow_all"}}}],
        "clients": [
            {"name": "A", "is_first_party": true, "sso_disabled": false, "description": "", "jwt_configuration": {"lifetime_in_seconds": 36000, "secret_encoded": false}},
            {"name": "B", "is_first_party": false, "addons": {"samlp": {}}, "organization_usage": null},
        ],
    });
    let live = json!({
        "tenant": [{}],
        "resourceServers": [{"id": "r1", "identifier": API, "scopes": [{"value": "a"}]}],
        "clients": [{"client_id": "a", "name": "A"}, {"client_id": "b", "name": "B"}],
    });
    assert_eq!(lines(&planned(&desired, &live).plan), ["Update clients/B ~/is_first_party +/addons"]);
}

#[test]
fn null_is_the_same_as_empty_or_as_the_default() {
    let desired = json!({
        "tenant": [{"acr_values_supported": null}],
        "clients": [{"name": "A"}],
        "resourceServers": [{"identifier": API}],
        "clientGrants": [{"client_id": "A", "audience": API, "allow_any_organization": null}],
    });
    let mut live = json!({
        "tenant": [{"acr_values_supported": []}],
        "clients": [{"client_id": "a", "name": "A"}],
        "resourceServers": [{"id": "r1", "identifier": API}],
        "clientGrants": [{"id": "g", "client_id": "a", "audience": API, "allow_any_organization": false}],
    });
    assert!(planned(&desired, &live).plan.is_empty());
    live["clientGrants"][0]["allow_any_organization"] = json!(true);
    assert_eq!(lines(&planned(&desired, &live).plan).len(), 1);
}

#[test]
fn what_a_definition_gives_displaces_what_can_not_stand_beside_it() {
    let live = json!({"clients": [{"client_id": "c1", "name": "A", "client_authentication_methods": {"private_key_jwt": {"credentials": [{"id": "x"}]}}}]});
    let desired = json!({"clients": [{"name": "A", "token_endpoint_auth_method": "client_secret_post"}]});
    let made = planned(&desired, &live);
    assert_eq!(
        bodies(&made)[0].2,
        json!({"client_authentication_methods": null, "token_endpoint_auth_method": "client_secret_post"})
    );
    let grant = json!({"id": "g", "client_id": "a", "audience": API, "allow_all_scopes": true});
    let live = json!({"resourceServers": [{"id": "r", "identifier": API, "scopes": [{"value": "s"}]}], "clients": [{"client_id": "a", "name": "A"}], "clientGrants": [grant]});
    let desired = json!({"clientGrants": [{"client_id": "A", "audience": API, "scope": ["s"]}]});
    assert_eq!(bodies(&planned(&desired, &live))[0].2, json!({"scope": ["s"], "allow_all_scopes": null}));
    let desired = json!({"clientGrants": [{"client_id": "A", "audience": API, "scope": []}]});
    assert!(planned(&desired, &live).plan.is_empty());
    // Where the one can't be written now, the other stays.
    let live =
        json!({"clients": [{"client_id": "c1", "name": "A", "token_endpoint_auth_method": "client_secret_post"}]});
    let keyed =
        json!({"private_key_jwt": {"credentials": [{"name": "k", "credential_type": "public_key", "pem": "p"}]}});
    let desired = json!({"clients": [{"name": "A", "client_authentication_methods": keyed}]});
    let plan = planned(&desired, &live).plan;
    assert!(plan.is_empty(), "{:?}", lines(&plan));
    assert_eq!(plan.held.len(), 2);
}

#[test]
fn null_clears_and_keys_of_a_map_that_the_definition_lacks_are_deletes() {
    let desired =
        json!({"clients": [{"name": "A", "token_quota": null, "addons": null, "client_metadata": {"a": "2"}}]});
    let live = json!({"clients": [{"client_id": "c1", "name": "A", "token_quota": {"client_credentials": {"per_day": 1}}, "client_metadata": {"a": "1", "b": "1"}}]});
    let plan = planned(&desired, &live).plan;
    assert_eq!(lines(&plan), ["Update clients/A ~/client_metadata/a -/token_quota"]);
    assert_eq!(held(&plan), ["Delete clients/A /client_metadata/b: deletes are not allowed"]);
    let made = planned_with(&desired, &live, &Policy { allow_delete: true, ..Policy::default() }).unwrap();
    assert_eq!(bodies(&made)[0].2, json!({"token_quota": null, "client_metadata": {"a": "2", "b": null}}));
}

#[test]
fn a_write_once_field_means_replace_and_its_dependents_follow() {
    let desired = json!({"customDomains": [{"domain": "a.example", "type": "self_managed_certs"}]});
    let live = json!({"customDomains": [{"custom_domain_id": "d1", "domain": "a.example", "type": "auth0_managed_certs", "status": "ready"}]});
    let plan = planned(&desired, &live).plan;
    assert_eq!(
        held(&plan),
        ["Replace customDomains/a.example /type: it can't change after the create, and deletes are not allowed"]
    );
    let made = planned_with(&desired, &live, &Policy { allow_delete: true, ..Policy::default() }).unwrap();
    let sent: Vec<String> = all_calls(&made).iter().map(|call| format!("{call:?}")).collect();
    assert_eq!(sent, ["DELETE /custom-domains/d1", "POST /custom-domains"]);
    assert_eq!(bodies(&made)[1].2, json!({"domain": "a.example", "type": "self_managed_certs"}));
}

#[test]
fn replacing_an_application_replaces_its_grants() {
    let (mut desired, mut live) = onboarding();
    desired["clients"][0]["jwt_configuration"] = json!({"secret_encoded": true});
    live["clients"][0]["jwt_configuration"] = json!({"secret_encoded": false});
    let made = planned_with(&desired, &live, &Policy { allow_delete: true, ..Policy::default() }).unwrap();
    assert_eq!(
        lines(&made.plan),
        [
            "Replace clients/Worker ~/jwt_configuration/secret_encoded".to_owned(),
            format!("Replace clientGrants/Worker -> {API}")
        ]
    );
    assert_eq!(made.plan.changes[1].requires, ["clients/Worker"]);
}

#[test]
fn a_domain_becomes_the_default_once_it_is_ready() {
    let desired =
        json!({"customDomains": [{"domain": "a.example", "type": "auth0_managed_certs", "is_default": true}]});
    let pending = json!({"customDomains": [{"custom_domain_id": "d1", "domain": "a.example", "type": "auth0_managed_certs", "status": "pending_verification", "is_default": false}]});
    let plan = planned(&desired, &pending).plan;
    assert!(plan.is_empty());
    assert_eq!(held(&plan), ["Update customDomains/a.example /is_default: the domain is not verified yet"]);
    let ready = json!({"customDomains": [{"custom_domain_id": "d1", "domain": "a.example", "type": "auth0_managed_certs", "status": "ready", "is_default": false}]});
    let made = planned(&desired, &ready);
    assert_eq!(bodies(&made), [(Method::Patch, "/custom-domains/default".to_owned(), json!({"domain": "a.example"}))]);
}

#[test]
fn only_another_domain_can_end_a_default() {
    let domain = |id: &str, default: bool| json!({"custom_domain_id": id, "domain": format!("{id}.example"), "type": "auth0_managed_certs", "status": "ready", "is_default": default});
    let wanted = |id: &str, default: bool| json!({"domain": format!("{id}.example"), "type": "auth0_managed_certs", "is_default": default});
    let live = json!({"customDomains": [domain("a", true), domain("b", false)]});
    let made = planned(&json!({"customDomains": [wanted("a", false), wanted("b", true)]}), &live);
    assert_eq!(
        lines(&made.plan),
        ["Update customDomains/a.example ~/is_default", "Update customDomains/b.example ~/is_default"]
    );
    assert_eq!(all_calls(&made).len(), 1);
    let plan = planned(&json!({"customDomains": [wanted("a", false), wanted("b", false)]}), &live).plan;
    assert!(plan.is_empty());
    assert_eq!(plan.held.len(), 1);
}

#[test]
fn hours_are_written_in_minutes_and_compared_in_them() {
    let live = json!({"tenant": [{"session_lifetime": 3.016_666_666_666_666_6, "idle_session_lifetime": 72}]});
    assert!(planned(&json!({"tenant": [{"session_lifetime": 3.02}]}), &live).plan.is_empty());
    let made = planned(&json!({"tenant": [{"session_lifetime": 4, "idle_session_lifetime": 72.0}]}), &live);
    assert_eq!(bodies(&made)[0].2, json!({"session_lifetime_in_minutes": 240}));
}

#[test]
fn secrets_are_compared_only_where_they_are_shown_and_never_stand_in_a_plan() {
    let desired =
        json!({"clients": [{"name": "A", "client_secret": "new-secret"}, {"name": "B", "client_secret": "s"}]});
    let live = json!({"clients": [{"client_id": "a", "name": "A", "client_secret": "old-secret"}, {"client_id": "b", "name": "B"}]});
    let made = planned(&desired, &live);
    assert_eq!(lines(&made.plan), ["Update clients/A ~/client_secret"]);
    assert_eq!(made.plan.summary.not_comparable, 1);
    let json = serde_json::to_string(&made.plan).unwrap();
    assert!(!json.contains("new-secret") && !json.contains("old-secret"), "{json}");
    assert_eq!(bodies(&made)[0].2, json!({"client_secret": "new-secret"}));
    let rotate = Policy { rotate: vec![Pattern::new("clients/B")], ..Policy::default() };
    assert_eq!(planned_with(&desired, &live, &rotate).unwrap().plan.changes.len(), 2);
}

#[test]
fn a_field_that_only_an_update_takes_is_sent_after_the_create() {
    let made = planned(&json!({"clients": [{"name": "A", "client_secret": "s3cret"}]}), &json!({"clients": []}));
    assert_eq!(
        bodies(&made),
        [
            (Method::Post, "/clients".to_owned(), json!({"name": "A"})),
            (Method::Patch, "/clients/{id}".to_owned(), json!({"client_secret": "s3cret"})),
        ]
    );
}

#[test]
fn a_hidden_secret_that_would_have_to_be_sent_along_holds_the_change_back() {
    let live = json!({"resourceServers": [{"id": "r", "identifier": API, "token_encryption": {"format": "compact-nested-jwe", "encryption_key": {"alg": "RSA-OAEP-256", "name": "k"}}}]});
    let desired =
        json!({"resourceServers": [{"identifier": API, "token_encryption": {"encryption_key": {"name": "other"}}}]});
    let plan = planned(&desired, &live).plan;
    assert!(plan.is_empty());
    assert!(held(&plan)[0].contains("/token_encryption/encryption_key/pem"), "{:?}", held(&plan));
}

#[test]
fn the_api_itself_and_our_own_application_are_never_touched() {
    let desired = json!({
        "resourceServers": [{"identifier": "https://t/api/v2/", "token_lifetime": 1}],
        "clients": [{"name": "Deployer", "description": "x"}],
        "clientGrants": [{"client_id": "Deployer", "audience": "https://t/api/v2/", "scope": []}],
    });
    let live = json!({
        "resourceServers": [{"id": "r", "identifier": "https://t/api/v2/", "is_system": true, "token_lifetime": 86400, "scopes": []}],
        "clients": [{"client_id": "own", "name": "Deployer"}],
        "clientGrants": [{"id": "g", "client_id": "own", "audience": "https://t/api/v2/", "scope": ["read:clients"]}],
    });
    let policy = Policy { allow_delete: true, own_client: Some("own".into()), ..Policy::default() };
    let plan = planned_with(&desired, &live, &policy).unwrap().plan;
    assert!(plan.is_empty(), "{:?}", lines(&plan));
    assert_eq!(plan.held.len(), 3);
    let nothing = json!({"resourceServers": [], "clients": [], "clientGrants": []});
    let plan = planned_with(&nothing, &live, &policy).unwrap().plan;
    assert!(plan.is_empty() && plan.held.is_empty());
}

#[test]
fn two_live_objects_of_one_name_need_a_pin() {
    let live = json!({"clients": [{"client_id": "c1", "name": "A"}, {"client_id": "c2", "name": "A"}]});
    let problems = planned_with(&json!({"clients": [{"name": "A"}]}), &live, &Policy::default()).unwrap_err();
    assert!(format!("{problems:?}").contains("c1, c2"));
    let pinned = json!({"clients": [{"client_id": "c2", "name": "A", "description": "x"}]});
    let plan = planned(&pinned, &live).plan;
    assert_eq!((plan.changes.len(), plan.changes[0].id.as_deref()), (1, Some("c2")));
}

#[test]
fn a_moved_object_is_renamed_and_keeps_its_id() {
    let policy = Policy {
        moved: vec![super::Moved { kind: "clients".into(), from: "Old".into(), to: "New".into() }],
        ..Policy::default()
    };
    let made = planned_with(
        &json!({"clients": [{"name": "New"}], "clientGrants": [{"client_id": "New", "audience": API, "scope": []}]}),
        &json!({
            "resourceServers": [{"id": "r", "identifier": API}],
            "clients": [{"client_id": "c1", "name": "Old"}],
            "clientGrants": [{"id": "g", "client_id": "c1", "audience": API, "scope": []}],
        }),
        &policy,
    )
    .unwrap();
    assert_eq!(lines(&made.plan), ["Update clients/New ~/name"]);
    assert_eq!(bodies(&made), [(Method::Patch, "/clients/c1".to_owned(), json!({"name": "New"}))]);
}

#[test]
fn two_definitions_of_one_name_change_each_the_object_that_it_pins() {
    let desired = json!({"clients": [
        {"client_id": "c1", "name": "A", "app_type": "spa"}, {"client_id": "c2", "name": "A", "app_type": "native"},
    ]});
    let live = json!({"clients": [{"client_id": "c1", "name": "A"}, {"client_id": "c2", "name": "A"}]});
    let made = planned(&desired, &live);
    let sent: Vec<(String, Value)> =
        all_calls(&made).iter().map(|call| (call.path.clone(), json!(call.body)["app_type"].clone())).collect();
    assert_eq!(sent, [("/clients/c1".to_owned(), json!("spa")), ("/clients/c2".to_owned(), json!("native"))]);
    let mut referring = desired.clone();
    referring["resourceServers"] = json!([{"identifier": API}]);
    referring["clientGrants"] = json!([{"client_id": "A", "audience": API, "scope": []}]);
    for live in [&live, &json!({"clients": [live["clients"][1], live["clients"][0]]})] {
        let problems = planned_with(&referring, live, &Policy::default()).unwrap_err();
        assert!(format!("{problems:?}").contains("has 2 of that name: c1, c2"), "{problems:?}");
    }
}

#[test]
fn references_that_lead_nowhere_are_problems_with_the_nearest_name() {
    let (mut desired, live) = onboarding();
    desired["clientGrants"] = json!([
        {"client_id": "Worcer", "audience": API, "scope": ["read:a"]},
        {"client_id": "Worker", "audience": "https://api.exampel", "scope": ["read:a"]},
        {"client_id": "Worker", "audience": API, "scope": ["read:a", "raed:a", "write:a"]},
    ]);
    let problems = planned_with(&desired, &live, &Policy::default()).unwrap_err();
    let text = format!("{problems:?}");
    for hint in ["did you mean `Worker`?", "did you mean `https://api.example`?", "did you mean `read:a`?"] {
        assert!(text.contains(hint), "{hint} is not in {text}");
    }
}

#[test]
fn a_scope_that_the_grant_has_already_is_no_problem() {
    let (mut desired, mut live) = onboarding();
    desired["clientGrants"][0]["scope"] = json!(["stale:a"]);
    live["clientGrants"][0]["scope"] = json!(["stale:a"]);
    assert!(planned(&desired, &live).plan.is_empty());
}

#[test]
fn a_kind_that_can_not_be_read_stops_the_plan() {
    let mut live = tenant(&json!({}));
    live.unreadable.insert("customDomains".into(), Lack::Unknown("upgrade".to_owned()).into());
    let desired = Desired { tenant: tenant(&json!({"customDomains": []})), digest: String::new() };
    let problems = plan(Registry::builtin(), &desired, &live, &Policy::default()).unwrap_err();
    assert!(format!("{problems:?}").contains("can't be read: upgrade"));
    live.unreadable.insert("tenant".into(), Lack::Scope("read:tenant_settings".to_owned()).into());
    let desired = Desired { tenant: tenant(&json!({"tenant": [{"friendly_name": "x"}]})), digest: String::new() };
    let problems = plan(Registry::builtin(), &desired, &live, &Policy::default()).unwrap_err();
    assert_eq!(problems.clone().sorted().len(), 1, "that it is not there is not known: {problems:?}");
}

#[test]
fn a_kind_that_is_read_for_references_only_and_that_the_plan_lacks_is_told_and_not_empty() {
    let lacks = Lack::Feature { feature: "user attribute profiles".to_owned(), said: "403".to_owned() };
    let mut live = tenant(&json!({ "selfServiceProfiles": [] }));
    live.unreadable.insert("userAttributeProfiles".into(), lacks.into());
    let planned = |profile: Value| {
        let desired = tenant(&json!({ "selfServiceProfiles": [profile] }));
        plan(Registry::builtin(), &Desired { tenant: desired, digest: String::new() }, &live, &Policy::default())
    };
    let made = planned(json!({ "name": "a", "user_attribute_profile_id": null })).unwrap();
    assert_eq!(made.plan.changes.len(), 1);
    let told: Vec<String> = unread::notices(&made.live).sorted().into_iter().map(|it| it.message).collect();
    assert!(told[0].contains("userAttributeProfiles can't be read and is left out"), "{told:?}");
    let problems = planned(json!({ "name": "a", "user_attribute_profile_id": "staff" })).unwrap_err().sorted();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(problem.message.contains("`staff`, and userAttributeProfiles can't be read: the tenant's plan lacks user"));
    assert!(problem.hint.as_ref().unwrap().contains("remove the reference"), "{problem:?}");
}

#[test]
fn a_plan_survives_json() {
    let (desired, _) = onboarding();
    let plan = planned(&desired, &json!({"resourceServers": [], "clients": [], "clientGrants": []})).plan;
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}

#[test]
fn what_goes_with_a_deleted_object_is_in_the_plan_or_keeps_it() {
    let (mut desired, live) = onboarding();
    desired["clients"] = json!([]);
    let allowed = Policy { allow_delete: true, ..Policy::default() };
    let problems = planned_with(&desired, &live, &allowed).unwrap_err();
    assert!(format!("{problems:?}").contains("which this plan deletes"), "{problems:?}");
    desired.as_object_mut().unwrap().remove("clientGrants");
    let plan = planned_with(&desired, &live, &allowed).unwrap().plan;
    assert_eq!(lines(&plan), [format!("Delete clientGrants/Worker -> {API}"), "Delete clients/Worker".into()]);
    for policy in [
        Policy { exclude: vec![Pattern::new("clientGrants")], ..allowed.clone() },
        Policy { only: vec![vec![Pattern::new("clients")]], ..allowed.clone() },
        Policy { protect: vec![Pattern::new("clientGrants")], ..allowed },
    ] {
        let plan = planned_with(&desired, &live, &policy).unwrap().plan;
        assert!(plan.is_empty(), "{:?}", lines(&plan));
        assert_eq!(held(&plan).len(), 1, "{:?}", held(&plan));
    }
}

#[test]
fn a_scope_that_a_grant_still_has_can_not_be_taken_from_its_api() {
    let (mut desired, live) = onboarding();
    desired["resourceServers"][0]["scopes"] = json!([{"value": "read:a"}]);
    let problems = planned_with(&desired, &live, &Policy::default()).unwrap_err();
    assert!(format!("{problems:?}").contains("is taken from the scopes of"), "{problems:?}");
}

#[test]
fn what_goes_with_a_delete_is_read_with_what_it_is_recognised_by() {
    let desired = Desired { tenant: tenant(&json!({ "resourceServers": [] })), digest: String::new() };
    let needed = |allow_delete| {
        let policy = Policy { allow_delete, ..Policy::default() };
        let kinds = super::scope::needed(Registry::builtin(), &desired, &policy);
        kinds.iter().map(|kind| kind.name.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(needed(false), ["resourceServers".to_owned()].into());
    assert_eq!(needed(true), ["clientGrants", "clients", "resourceServers"].map(str::to_owned).into());
}

#[test]
fn elements_at_endpoints_of_their_own_are_removed_changed_and_added_by_their_own_calls() {
    let live = json!({
        "clients": [{"client_id": "c1", "name": "One"}, {"client_id": "c2", "name": "Two"}],
        "resourceServers": [{"id": "r1", "identifier": API, "scopes": []}],
        "clientGrants": [{"id": "g1", "client_id": "c1", "audience": API, "scope": []}],
        "databases": [{"id": "con_1", "name": "users", "strategy": "auth0", "enabled_clients": ["c1"]}],
        "organizations": [{
            "id": "org_1", "name": "acme", "client_grants": [],
            "connections": [{"connection_id": "con_1", "assign_membership_on_login": false}],
            "discovery_domains": [{"id": "ord_1", "domain": "old.example", "status": "pending"}],
        }],
    });
    let desired = json!({
        "databases": [{"name": "users", "strategy": "auth0", "enabled_clients": ["Two"]}],
        "organizations": [{
            "name": "acme", "client_grants": [{"client_id": "One"}],
            "connections": [{"name": "users", "assign_membership_on_login": true}],
            "discovery_domains": [{"domain": "new.example", "status": "pending"}],
        }],
    });
    let made = planned(&desired, &live);
    assert_eq!(
        lines(&made.plan),
        [
            "Update databases/users ~/enabled_clients",
            "Update organizations/acme ~/connections ~/client_grants ~/discovery_domains",
        ]
    );
    let calls: Vec<String> =
        bodies(&made).into_iter().map(|(method, path, body)| format!("{method} {path} {body}")).collect();
    assert_eq!(
        calls,
        [
            r#"PATCH /connections/con_1/clients [{"client_id":"c1","status":false}]"#,
            r#"PATCH /connections/con_1/clients [{"client_id":"c2","status":true}]"#,
            r#"PATCH /organizations/org_1/connections/con_1 {"assign_membership_on_login":true}"#,
            r#"POST /organizations/org_1/client-grants {"grant_id":"g1"}"#,
            "DELETE /organizations/org_1/discovery-domains/ord_1 null",
            r#"POST /organizations/org_1/discovery-domains {"domain":"new.example","status":"pending"}"#,
        ]
    );
}

#[test]
fn a_grant_named_by_its_application_alone_is_the_only_one_or_the_one_that_is_there() {
    let other = "https://other.example";
    let live = |held: Value| {
        json!({
            "clients": [{"client_id": "c1", "name": "One"}],
            "resourceServers": [{"id": "r1", "identifier": API}, {"id": "r2", "identifier": other}],
            "clientGrants": [
                {"id": "g1", "client_id": "c1", "audience": API, "scope": []},
                {"id": "g2", "client_id": "c1", "audience": other, "scope": []},
            ],
            "organizations": [{"id": "org_1", "name": "acme", "client_grants": held}],
        })
    };
    let desired = |elements: Value| json!({ "organizations": [{"name": "acme", "client_grants": elements}] });
    let one = json!([{"client_id": "One"}]);
    let held = json!([{"id": "g2", "client_id": "c1", "audience": other}]);
    assert!(planned(&desired(one.clone()), &live(held.clone())).plan.is_empty());
    let both = planned(&desired(json!([{"client_id": "One"}, {"client_id": "One"}])), &live(held));
    assert_eq!(
        bodies(&both),
        [(Method::Post, "/organizations/org_1/client-grants".to_owned(), json!({"grant_id": "g1"}))]
    );
    let problems = planned_with(&desired(one), &live(json!([])), &Policy::default()).unwrap_err();
    let messages: Vec<String> = problems.sorted().iter().map(|problem| problem.message.clone()).collect();
    assert_eq!(messages, ["organizations/acme: `client_grants[0]` can mean 2 objects of clientGrants"]);
    let said = desired(json!([{"client_id": "One", "audience": API}]));
    assert_eq!(bodies(&planned(&said, &live(json!([]))))[0].2, json!({"grant_id": "g1"}));
}

#[test]
fn what_is_undone_by_every_write_is_made_again_after_it() {
    let live = json!({ "actions": [{"id": "a1", "name": "Greet", "code": "// 1", "all_changes_deployed": true}] });
    let desired =
        |code: &str, deployed: bool| json!({ "actions": [{"name": "Greet", "code": code, "deployed": deployed}] });
    let paths =
        |desired: &Value| -> Vec<String> { bodies(&planned(desired, &live)).into_iter().map(|call| call.1).collect() };
    assert_eq!(paths(&desired("// 2", true)), ["/actions/actions/a1", "/actions/actions/a1/deploy"]);
    assert_eq!(planned(&desired("// 2", true), &live).plan.changes[0].again, ["deployed"]);
    assert_eq!(paths(&desired("// 1", true)), [""; 0]);
    let back = planned(&desired("// 1", false), &live).plan;
    assert!(back.is_empty());
    assert_eq!(held(&back), ["Update actions/Greet /deployed: what was deployed stays so until the next change"]);
}

#[test]
fn a_map_of_objects_is_replaced_whole_with_what_is_not_said_of_its_values() {
    let attribute =
        |label: &str| json!({"label": label, "description": "d", "profile_required": true, "auth0_mapping": "m"});
    let mut known = attribute("Email");
    known["scim_mapping"] = json!("emails");
    let live = json!({ "userAttributeProfiles": [
        {"id": "uap_1", "name": "staff", "user_attributes": {"email": known, "gone": attribute("Gone")}}] });
    let desired = |email: Value| json!({ "userAttributeProfiles": [{"name": "staff", "user_attributes": email}] });
    let equal = desired(json!({ "email": attribute("Email"), "gone": {"label": "Gone"} }));
    assert!(planned(&equal, &live).plan.is_empty());
    let made = planned(&desired(json!({ "email": {"label": "Mail"} })), &live);
    assert_eq!(lines(&made.plan), ["Update userAttributeProfiles/staff ~/user_attributes"]);
    let mut sent = attribute("Mail");
    sent["scim_mapping"] = json!("emails");
    assert_eq!(bodies(&made)[0].2, json!({ "user_attributes": {"email": sent} }));
}

#[test]
fn what_an_update_would_lose_is_sent_along() {
    let live = json!({ "logStreams": [{"id": "l1", "name": "sink", "type": "http", "pii_config": {"log_fields": ["first_name"]},
        "sink": {"httpEndpoint": "https://a.example", "httpAuthorization": "secret text", "httpContentFormat": "JSONLINES"}}] });
    let desired =
        json!({ "logStreams": [{"name": "sink", "type": "http", "sink": {"httpEndpoint": "https://b.example"}}] });
    let sink = json!({"httpAuthorization": "secret text", "httpContentFormat": "JSONLINES", "httpEndpoint": "https://b.example"});
    let (_, _, body) = bodies(&planned(&desired, &live)).remove(0);
    assert_eq!((&body["sink"], &body["pii_config"]), (&sink, &json!({"log_fields": ["first_name"]})));
}

#[test]
fn a_field_that_the_api_hides_from_the_token_is_held_back() {
    let live = json!({ "connections": [{"id": "con_1", "name": "okta", "strategy": "oidc"}] });
    let desired =
        json!({ "connections": [{"name": "okta", "strategy": "oidc", "options": {"issuer": "https://idp.example"}}] });
    let plan = planned(&desired, &live).plan;
    assert!(plan.is_empty());
    let reason = "the API does not show it to a token without the scope read:connections_options";
    assert_eq!(held(&plan), [format!("Update connections/okta /options: {reason}")]);
}

#[test]
fn what_the_api_shows_encrypted_is_neither_compared_nor_sent_back() {
    let live = json!({ "databases": [{"id": "con_1", "name": "users", "strategy": "auth0",
        "options": {"configuration": {"KEY": "2.0$xyz"}, "import_mode": false}}] });
    let desired = |options: Value| json!({ "databases": [{"name": "users", "strategy": "auth0", "options": options}] });
    let same = planned(&desired(json!({"configuration": {"KEY": "plain"}})), &live).plan;
    assert!(same.is_empty() && same.summary.not_comparable == 1, "{same:#?}");
    let without = planned(&desired(json!({"import_mode": true})), &live).plan;
    assert!(
        without.is_empty() && held(&without)[0].contains("/options/configuration would have to be sent along"),
        "{without:#?}"
    );
    let with = planned(&desired(json!({"configuration": {"KEY": "plain"}, "import_mode": true})), &live);
    assert_eq!(bodies(&with)[0].2["options"], json!({"configuration": {"KEY": "plain"}, "import_mode": true}));
}

#[test]
fn a_secret_in_a_list_is_written_with_the_list_or_not_at_all() {
    let live =
        json!({ "actions": [{"id": "a1", "name": "Greet", "secrets": [{"name": "KEY", "updated_at": "then"}]}] });
    let desired = |secrets: Value| json!({ "actions": [{"name": "Greet", "secrets": secrets}] });
    assert!(planned(&desired(json!([{"name": "KEY"}])), &live).plan.is_empty(), "as exports have it");
    let added = json!([{"name": "KEY", "value": "hush"}, {"name": "NEW", "value": "quiet"}]);
    let made = planned(&desired(added.clone()), &live);
    assert_eq!(bodies(&made)[0].2, json!({ "secrets": added }));
    assert!(!serde_json::to_string(&made.plan).unwrap().contains("quiet"));
    let partly = planned(&desired(json!([{"name": "KEY"}, {"name": "NEW", "value": "quiet"}])), &live).plan;
    assert!(
        partly.is_empty() && held(&partly)[0].contains("/secrets/value would have to be sent along"),
        "{partly:#?}"
    );
}

#[test]
fn two_that_refer_to_each_other_go_and_change_one_after_the_other() {
    let client = |id: &str, name: &str, to: &str| json!({"client_id": id, "name": name, "my_organization_configuration": {"invitation_landing_client_id": to}});
    let live = json!({ "clients": [client("c1", "One", "c2"), client("c2", "Two", "c1")] });
    let consent = Policy { allow_delete: true, ..Policy::default() };
    let gone = planned_with(&json!({ "clients": [] }), &live, &consent).unwrap().plan;
    assert_eq!(lines(&gone), ["Delete clients/One", "Delete clients/Two"]);
    assert_eq!(gone.changes[1].requires, ["clients/One"]);
    let named = |name: &str, to: &str| json!({"name": name, "description": "new", "my_organization_configuration": {"invitation_landing_client_id": to}});
    let changed = planned(&json!({ "clients": [named("One", "Two"), named("Two", "One")] }), &live).plan;
    assert_eq!(lines(&changed), ["Update clients/One +/description", "Update clients/Two +/description"]);
    let made = planned_with(
        &json!({ "clients": [named("Three", "Four"), named("Four", "Three")] }),
        &json!({ "clients": [] }),
        &Policy::default(),
    );
    assert!(made.is_err(), "neither can be made first");
}

#[test]
fn a_reference_to_what_was_deleted_is_sent_along_as_it_is() {
    let live = json!({ "actions": [], "databases": [{"id": "con_1", "name": "users", "strategy": "auth0",
        "options": {"custom_password_hash": {"action_id": "gone"}, "import_mode": false}}] });
    let desired = |options: Value| json!({ "actions": [], "databases": [{"name": "users", "options": options}] });
    let made = planned(&desired(json!({"import_mode": true})), &live);
    assert_eq!(
        bodies(&made)[0].2,
        json!({"options": {"custom_password_hash": {"action_id": "gone"}, "import_mode": true}})
    );
    let wrong = desired(json!({"custom_password_hash": {"action_id": "other"}}));
    assert!(planned_with(&wrong, &live, &Policy::default()).is_err());
}

#[test]
fn a_live_object_shows_a_change_when_it_shows_what_is_made_again_too() {
    let action = |code: &str, deployed: bool| {
        json!({"id": "a1", "name": "Greet", "code": code, "all_changes_deployed": deployed,
            "supported_triggers": [{"id": "post-login", "version": "v3"}]})
    };
    let mut wanted = action("new", true);
    wanted["deployed"] = wanted.as_object_mut().unwrap().remove("all_changes_deployed").unwrap();
    let planned = planned(&json!({"actions": [wanted]}), &json!({"actions": [action("old", true)]}));
    assert_eq!(planned.plan.changes[0].again, ["deployed"]);
    let shows = |code: &str, deployed: bool| {
        let live = tenant(&json!({"actions": [action(code, deployed)]}));
        let names = Names::of(Registry::builtin(), &live, &planned.desired, &[]);
        super::shows(Registry::builtin(), &planned, &names, &live.objects("actions")[0])
    };
    assert_eq!([shows("old", true), shows("new", false), shows("new", true)], [false, false, true]);
}

#[test]
fn what_names_a_replaced_object_goes_with_it_and_is_made_again() {
    let tenant = |strategy: &str, assign: bool| {
        json!({
            "connections": [{"id": "con_1", "name": "login", "strategy": strategy}, {"id": "con_2", "name": "other", "strategy": "oidc"}],
            "organizations": [{"id": "org_1", "name": "carriers", "connections": [
                {"name": "login", "assign_membership_on_login": assign}, {"name": "other", "assign_membership_on_login": true},
            ]}],
        })
    };
    let mut live = tenant("oidc", false);
    for (at, id) in [(0, "con_1"), (1, "con_2")] {
        let element = live["organizations"][0]["connections"][at].as_object_mut().unwrap();
        let name = element.remove("name").unwrap();
        element.insert("connection_id".to_owned(), json!(id));
        element.insert("connection".to_owned(), json!({"name": name, "strategy": "oidc"}));
    }
    let policy = Policy { allow_delete: true, ..Policy::default() };
    for assign in [false, true] {
        let planned = planned_with(&tenant("okta", assign), &live, &policy).unwrap();
        assert_eq!(
            lines(&planned.plan),
            ["Replace connections/login ~/strategy", "Update organizations/carriers ~/connections"]
        );
        let set = planned.plan.changes[1].fields[0].set.as_ref().unwrap();
        assert_eq!((set.added.len(), set.removed.len(), set.changed.len()), (1, 0, 0), "{set:?}");
        assert_eq!(planned.plan.changes[1].requires, ["connections/login"]);
        // A read that lags shows the old one.
        let mut names = planned.names.clone();
        names.forget("connections", "con_1");
        names.learn("connections", "login", "con_3");
        let registry = Registry::builtin();
        assert!(!super::shows(registry, &planned, &names, &self::tenant(&live).objects("organizations")[0]));
    }
}

#[test]
fn what_only_the_api_says_of_an_element_is_sent_along_and_not_shown() {
    let live = json!({ "resourceServers": [{"id": "r1", "identifier": API, "scopes": [
        {"value": "read:a", "description": "old", "x_new": "perhaps a secret"}, {"value": "gone:a", "x_new": "perhaps a secret"},
    ]}] });
    let desired = json!({ "resourceServers": [{"identifier": API, "scopes": [{"value": "read:a", "description": "new", "mine": 1}]}] });
    let made = planned(&desired, &live);
    let said = serde_json::to_string(&made.plan).unwrap();
    assert!(!said.contains("perhaps a secret") && said.contains("mine") && said.contains("gone:a"), "{said}");
    let sent = json!([{"value": "read:a", "description": "new", "mine": 1, "x_new": "perhaps a secret"}]);
    assert_eq!(bodies(&made)[0].2["scopes"], sent);
}
