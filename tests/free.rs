//! A tenant whose plan lacks what others have: `sandbox serve --plan free`, and the real command against it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};
use tenantctl::sandbox::Options;
use tenantctl::sandbox::free::Plan;

use crate::sandbox::{Tenant, tenant_with};
use crate::support::served::Served;

const LACKING: &str = "roles:
  - name: clerk
attackProtection:
  bruteForceProtection: { max_attempts: 5 }
  botDetection: { bot_detection_level: low }
  captcha:
    active_provider_id: simple_captcha
supplementalSignals:
  akamai_enabled: true
customDomains:
  - domain: login.example.com
    type: auth0_managed_certs
";

const FITTING: &str = "roles:
  - name: clerk
attackProtection:
  bruteForceProtection: { max_attempts: 5 }
";

struct Stage {
    folder: tempfile::TempDir,
    served: Served,
}

impl Stage {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::start(&folder.path().join("state.json"), &["--plan", "free"]);
        Self { folder, served }
    }

    fn project(&self, definitions: &str) -> PathBuf {
        let project = self.folder.path().join("project");
        self.served.project(&project, definitions);
        project
    }
}

#[test]
fn what_the_plan_lacks_and_definitions_have_is_an_error_before_anything_is_written() {
    let stage = Stage::set();
    let project = stage.project(LACKING);
    for arguments in [&["plan"][..], &["apply", "--yes"]] {
        let ran = stage.served.run(&project, arguments);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let said = &ran.stderr;
        for (what, feature, place) in [
            ("attackProtection.botDetection", "bot detection", "tenant.yaml:5:3"),
            ("attackProtection.captcha", "bot detection", "tenant.yaml:6:3"),
            ("supplementalSignals", "supplemental signals of Akamai", "tenant.yaml:9:3"),
            ("customDomains", "custom domains", "tenant.yaml:11:5"),
        ] {
            let error = format!("error: {what} can't be read: the tenant's plan lacks {feature} (the API answered 403");
            let hint = format!("remove `{what}` from the definitions, or give the tenant a plan that has {feature}");
            let (_, rest) = said.split_once(&error).unwrap_or_else(|| panic!("{what}: {said}"));
            let (place_and_hint, _) = rest.split_once(&hint).unwrap_or_else(|| panic!("{what}: {said}"));
            assert!(place_and_hint.contains(place), "{what}: {said}");
        }
        assert!(said.contains("4 errors found, nothing was written"), "{said}");
    }
    assert!(stage.served.objects().get("roles").is_none_or(Vec::is_empty));
}

#[test]
fn what_the_plan_has_is_applied_beside_and_an_export_names_what_it_lacks() {
    let stage = Stage::set();
    let project = stage.project(FITTING);
    let ran = stage.served.run(&project, &["apply", "--yes"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let again = stage.served.run(&project, &["plan", "--detailed-exitcode"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let lacking = ["customDomains", "supplementalSignals", "attackProtection.botDetection", "attackProtection.captcha"];
    let names = |said: &str, what: &str| said.contains(&format!("warning: {what} can't be read and is left out: the"));
    let all = stage.served.run(&project, &["plan", "--unmanaged"]);
    assert!(all.code == Some(0) && lacking[..2].iter().all(|what| names(&all.stderr, what)), "{all:?}");
    let ran = stage.served.run(&project, &["export", "--out", "exported"]);
    assert!(ran.code == Some(0) && lacking.iter().all(|what| names(&ran.stderr, what)), "{ran:?}");
    let text = std::fs::read_to_string(project.join("exported/tenant.yaml")).unwrap();
    assert!(text.contains("attackProtection:") && text.contains("max_attempts: 5"), "{text}");
    // Neither empty nor there.
    for what in ["customDomains", "supplementalSignals", "botDetection", "captcha"] {
        assert!(!text.contains(what), "{text}");
    }
}

#[test]
fn an_export_into_files_leaves_alone_what_the_plan_lacks() {
    let stage = Stage::set();
    let project = stage.project(FITTING);
    assert_eq!(stage.served.run(&project, &["apply", "--yes"]).code, Some(0));
    stage.project(LACKING);
    for arguments in [&["export", "--preserve-keywords"][..], &["export", "--preserve-keywords", "--all-fields"]] {
        let ran = stage.served.run(&project, arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let text = std::fs::read_to_string(project.join("tenant.yaml")).unwrap();
        let is_there = |line: &str| text.lines().any(|other| other == line);
        let kept = LACKING.lines().filter(|line| !line.contains("bruteForceProtection"));
        assert_eq!(kept.filter(|line| !is_there(line)).collect::<Vec<_>>(), [""; 0], "{text}");
    }
}

async fn send(tenant: &Tenant, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}/api/v2{path}", tenant.sandbox.url);
    let request = tenant.http.request(method, url).bearer_auth(&tenant.token);
    let response = if let Some(body) = body { request.json(&body) } else { request }.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

fn options(plan: Plan) -> Options {
    Options { domain: Some("sandbox.localhost".to_owned()), plan, ..Options::default() }
}

#[tokio::test]
async fn a_free_tenant_refuses_as_recorded_and_others_do_not() {
    let refusal = |code: Option<&str>, message: &str| {
        let mut body = json!({ "statusCode": 403, "error": "Forbidden", "message": message });
        if let Some(code) = code {
            body["errorCode"] = json!(code);
        }
        body
    };
    let bots = refusal(Some("insufficient_entitlement"), "Please upgrade your subscription to use bot detection");
    let signals = refusal(Some("insufficient_scope"), "Please upgrade your subscription to enable Akamai Signals.");
    let domains =
        refusal(None, "The account is not allowed to perform this operation, please contact our support team");
    let asked = [
        (Method::GET, "/attack-protection/bot-detection", None, &bots),
        (Method::PATCH, "/attack-protection/bot-detection", Some(json!({"bot_detection_level": "low"})), &bots),
        (Method::GET, "/attack-protection/captcha", None, &bots),
        (Method::PATCH, "/attack-protection/captcha", Some(json!({"active_provider_id": "simple_captcha"})), &bots),
        (Method::GET, "/supplemental-signals", None, &signals),
        (Method::PATCH, "/supplemental-signals", Some(json!({"akamai_enabled": true})), &signals),
        (Method::GET, "/custom-domains", None, &domains),
        (Method::POST, "/custom-domains", Some(json!({"domain": "a.b.com", "type": "auth0_managed_certs"})), &domains),
    ];
    let (free, paid) = (tenant_with(options(Plan::Free)).await, tenant_with(Options::default()).await);
    for (method, path, body, expected) in asked {
        let answer = send(&free, method.clone(), path, body.clone()).await;
        assert_eq!(answer, (403, expected.clone()), "{method} {path}");
        let (status, answer) = send(&paid, method.clone(), path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {answer}");
    }
    let others = ["/attack-protection/brute-force-protection", "/log-streams", "/organizations"];
    for path in others {
        assert_eq!(send(&free, Method::GET, path, None).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn a_free_tenant_has_ten_applications() {
    let free = tenant_with(options(Plan::Free)).await;
    let make = |number: usize| send(&free, Method::POST, "/clients", Some(json!({ "name": format!("app {number}") })));
    // tenantctl's own is one of them.
    for number in 2..=10 {
        assert_eq!(make(number).await.0, 201, "{number}");
    }
    let (status, refusal) = make(11).await;
    assert_eq!((status, &refusal["errorCode"]), (403, &Value::Null));
    assert_eq!(refusal["message"], "You reached the limit of entities of this type for this tenant.");
    let clients = free.get("/clients?is_global=false").await;
    let (first, name) = (clients[1]["client_id"].as_str().unwrap(), json!({ "name": "renamed" }));
    assert_eq!(send(&free, Method::PATCH, &format!("/clients/{first}"), Some(name)).await.0, 200);
    assert_eq!(send(&free, Method::DELETE, &format!("/clients/{first}"), None).await.0, 204);
    assert_eq!(make(11).await.0, 201);
}
