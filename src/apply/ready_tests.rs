use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::tests::{applied_by, change, errors, plan};
use crate::api::testing::{Asked, Reply, Server};
use crate::kinds::Registry;
use crate::kinds::kind::{Field, Method};
use crate::plan::call::{Call, LookedUp};
use crate::plan::{Action, Change};
use crate::tenant::Tenant;

fn field(kind: &str, name: &str) -> &'static Field {
    Registry::builtin().get(kind).unwrap().fields.get(name).unwrap()
}

/// Deploys an action of which each read shows the next of some states, the last for ever.
async fn deployed(states: Vec<Value>, first: Reply) -> (Vec<String>, Vec<String>) {
    deployed_after(false, states, first).await
}

async fn deployed_after(is_written: bool, states: Vec<Value>, first: Reply) -> (Vec<String>, Vec<String>) {
    let (reads, deploys) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = Server::start(move |_, asked: &Asked| {
        if asked.line.ends_with("/deploy") {
            let is_first = deploys.fetch_add(1, Ordering::Relaxed) == 0;
            return if is_first { first.clone() } else { Reply::Json(200, json!({"id": "v1"})) };
        }
        if asked.line.starts_with("PATCH ") {
            return Reply::Json(200, json!({}));
        }
        let at = reads.fetch_add(1, Ordering::Relaxed).min(states.len() - 1);
        Reply::Json(200, states[at].clone())
    });
    let call = field("actions", "deployed").call.as_ref().unwrap();
    let deploy = Call {
        wait: call.wait.clone(),
        shown_by: Some(("deployed".to_owned(), json!(true))),
        ..Call::new(Method::Post, "/actions/actions/a1/deploy", None)
    };
    let plan = plan(vec![change("actions/Greet", Action::Update, Some("a1"), &[])]);
    let write = is_written.then(|| Call::new(Method::Patch, "/actions/actions/a1", Some(json!({}))));
    let calls =
        |_: &_, _: &_, _: Option<&_>, _: Option<&_>, _: &_| Ok(write.iter().chain([&deploy]).cloned().collect());
    let (outcome, _) = applied_by(calls, &server, &plan, &Tenant::default(), false).await;
    (server.lines(), errors(&outcome))
}

#[tokio::test]
async fn a_call_waits_for_what_it_needs_and_for_what_it_brings_about() {
    let ready = json!({"status": "built"});
    let done = json!({"status": "built", "all_changes_deployed": true, "deployed_version": {"number": 1}});
    let states = vec![json!({"status": "pending"}), json!({"status": "building"}), ready.clone(), ready, done];
    let (lines, errors) = deployed(states, Reply::Json(200, json!({"id": "v1"}))).await;
    let (read, deploy) = ("GET /actions/actions/a1", "POST /actions/actions/a1/deploy");
    assert_eq!((lines, errors), ([read, read, read, deploy, read, read].map(str::to_owned).to_vec(), Vec::new()));
}

#[tokio::test]
async fn a_call_that_came_too_early_as_reads_lag_is_sent_again() {
    let refused = || Reply::Json(400, json!({"statusCode": 400, "message": "not built"}));
    let built = json!({"status": "built", "deployed_version": {}});
    let states = vec![built.clone(), json!({"status": "pending"}), built];
    let (read, deploy) = ("GET /actions/actions/a1", "POST /actions/actions/a1/deploy");
    let (lines, errors) = deployed_after(true, states.clone(), refused()).await;
    assert_eq!(lines, ["PATCH /actions/actions/a1", read, deploy, read, read, deploy, read]);
    assert_eq!(errors, Vec::<String>::new());
    let (lines, errors) = deployed(states, refused()).await;
    assert_eq!((lines, errors.len()), ([read, deploy].map(str::to_owned).to_vec(), 1));
}

#[tokio::test]
async fn what_never_gets_ready_ends_the_wait() {
    let (lines, found) = deployed(
        vec![json!({"status": "failed", "errors": [{"msg": "no such package"}]})],
        Reply::Json(200, json!({})),
    )
    .await;
    assert_eq!(lines, ["GET /actions/actions/a1"]);
    assert_eq!(
        found,
        [r#"actions/Greet: POST /actions/actions/a1/deploy: status is failed: [{"msg":"no such package"}]"#]
    );
    let (lines, found) = deployed(vec![json!({"status": "building"})], Reply::Json(200, json!({}))).await;
    assert!(lines.len() > 30 && lines.iter().all(|line| line.starts_with("GET ")), "{}", lines.len());
    assert_eq!(found, ["actions/Greet: POST /actions/actions/a1/deploy: after 300 s not yet: status is built"]);
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_sent_again_only_where_nothing_shows_it() {
    let done = json!({"status": "built", "all_changes_deployed": true, "deployed_version": {}});
    let deploys = |lines: &[String]| lines.iter().filter(|line| line.ends_with("/deploy")).count();
    let (lines, errors) = deployed(vec![json!({"status": "built"}), done.clone()], Reply::Hang).await;
    assert_eq!((deploys(&lines), errors.len()), (1, 0), "{lines:?}");
    let (lines, errors) =
        deployed(vec![json!({"status": "built"}), json!({"status": "built"}), done], Reply::Hang).await;
    assert_eq!((deploys(&lines), errors.len()), (2, 0), "{lines:?}");
}

#[tokio::test]
async fn a_value_that_only_a_list_knows_is_read_before_the_call() {
    let server = Server::start(|_, asked| {
        if asked.line == "GET /api/v2/actions/modules/m1/versions" {
            let version = |id: &str, number: u32| json!({"id": id, "version_number": number});
            return Reply::Json(
                200,
                json!({"versions": [version("v2", 2), version("v1", 1)], "total": 2, "per_page": 50}),
            );
        }
        let sent = asked.json();
        assert_eq!(sent["modules"][0]["module_version_id"], "v1", "{sent}");
        Reply::Json(200, json!({}))
    });
    let item = field("actions", "modules").items.as_ref().unwrap();
    let lookup = item.fields.get("module_version_id").unwrap().lookup.as_deref().unwrap();
    let calls = |number: u32| {
        let body = json!({"modules": [{"module_id": "m1", "module_version_number": number}]});
        let looked_up =
            LookedUp { owner: "/modules/0".to_owned(), name: "module_version_id".to_owned(), lookup: lookup.clone() };
        vec![Call { lookups: vec![looked_up], ..Call::new(Method::Patch, "/actions/actions/a1", Some(body)) }]
    };
    let plan = plan(vec![change("actions/Greet", Action::Update, Some("a1"), &[])]);
    let known = |_: &_, _: &_, _: Option<&_>, _: Option<&_>, _: &_| Ok(calls(1));
    let (outcome, _) = applied_by(known, &server, &plan, &Tenant::default(), false).await;
    assert!(outcome.is_complete(), "{outcome:?}");
    let unknown = |_: &_, _: &_, _: Option<&_>, _: Option<&_>, _: &_| Ok(calls(3));
    let (outcome, _) = applied_by(unknown, &server, &plan, &Tenant::default(), false).await;
    let message =
        "actions/Greet: PATCH /actions/actions/a1: /actions/modules/m1/versions has no module_version_number 3";
    assert_eq!(errors(&outcome), [message]);
}

/// Looks up a version of a module that the same run may have published; says the requests and the errors.
async fn published_late(requires: &[&str], late: usize) -> (usize, Vec<String>) {
    let reads = AtomicUsize::new(0);
    let server = Server::start(move |_, asked| {
        if asked.line.starts_with("PATCH ") {
            return Reply::Json(200, json!({}));
        }
        match reads.fetch_add(1, Ordering::Relaxed) {
            0 => Reply::Json(404, json!({"statusCode": 404, "message": "no module"})),
            at => {
                let number = if at >= late { 2 } else { 1 };
                let versions = json!([{"id": format!("v{number}"), "version_number": number}]);
                Reply::Json(200, json!({"versions": versions, "total": 1, "per_page": 50}))
            }
        }
    });
    let item = field("actions", "modules").items.as_ref().unwrap();
    let lookup = item.fields.get("module_version_id").unwrap().lookup.clone().unwrap();
    let calls = |_: &_, change: &Change, _: Option<&_>, _: Option<&_>, _: &_| {
        if change.kind != "actions" {
            return Ok(Vec::new());
        }
        let body = json!({"modules": [{"module_id": "m1", "module_version_number": 2}]});
        let lookup = lookup.clone();
        let looked_up =
            LookedUp { owner: "/modules/0".to_owned(), name: "module_version_id".to_owned(), lookup: *lookup };
        Ok(vec![Call { lookups: vec![looked_up], ..Call::new(Method::Patch, "/actions/actions/a1", Some(body)) }])
    };
    let plan = plan(vec![
        change("actionModules/plans", Action::Update, Some("m1"), &[]),
        change("actions/Greet", Action::Update, Some("a1"), requires),
    ]);
    let (outcome, _) = applied_by(calls, &server, &plan, &Tenant::default(), false).await;
    (server.lines().len(), errors(&outcome))
}

#[tokio::test]
async fn a_list_may_show_late_what_this_run_wrote() {
    let (asked, errors) = published_late(&["actionModules/plans"], 2).await;
    assert_eq!((asked, errors), (4, Vec::new()));
    let (asked, errors) = published_late(&["actionModules/plans"], usize::MAX).await;
    assert!(asked > 3, "{asked}");
    assert!(errors[0].ends_with("/versions has no module_version_number 2"), "{errors:?}");
    let (asked, errors) = published_late(&[], 2).await;
    assert_eq!((asked, errors.len()), (1, 1));
}

#[tokio::test]
async fn what_was_just_made_may_not_be_known_everywhere_yet() {
    let seen = AtomicUsize::new(0);
    let server = Server::start(move |_, asked| match asked.line.as_str() {
        "POST /api/v2/roles" => Reply::Json(200, json!({"id": "r1", "name": "Clerk"})),
        _ if seen.fetch_add(1, Ordering::Relaxed) < 2 => {
            Reply::Json(404, json!({"statusCode": 404, "message": "no role"}))
        }
        _ => Reply::Json(201, json!({})),
    });
    let calls = |_: &_, _: &_, _: Option<&_>, _: Option<&_>, _: &_| {
        let body = Some(json!({"name": "Clerk"}));
        Ok(vec![
            Call::new(Method::Post, "/roles", body.clone()),
            Call::new(Method::Post, "/roles/{id}/permissions", body),
        ])
    };
    let plan = plan(vec![change("roles/Clerk", Action::Create, None, &[])]);
    let (outcome, _) = applied_by(calls, &server, &plan, &Tenant::default(), false).await;
    assert!(outcome.is_complete(), "{outcome:?}");
    assert_eq!(server.lines()[1..], ["POST /roles/r1/permissions"; 3]);
}
