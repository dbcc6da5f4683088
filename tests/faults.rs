//! Trouble in the sandbox over real HTTP: each fault strikes where it was told to, is handled or not, and the same
//! seed gives the same run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tenantctl::sandbox::{Options, start};

use crate::sandbox::{Tenant, credentials, tenant_with, text};

/// Longer than any test runs.
const EVER: &str = "lag=3600000";

fn options(faults: &[&str]) -> Options {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    Options { domain: Some("sandbox.localhost".to_owned()), faults, ..Options::default() }
}

async fn tenant(faults: &[&str]) -> Tenant {
    tenant_with(options(faults)).await
}

async fn send(tenant: &Tenant, method: Method, path: &str, body: Value) -> reqwest::Result<Response> {
    let url = format!("{}/api/v2{path}", tenant.sandbox.url);
    let request = tenant.http.request(method.clone(), url).bearer_auth(&tenant.token);
    if method == Method::GET { request } else { request.json(&body) }.send().await
}

/// Makes a role, and gives what came of it.
async fn make(tenant: &Tenant, name: &str) -> reqwest::Result<Response> {
    send(tenant, Method::POST, "/roles", json!({"name": name})).await
}

async fn roles(tenant: &Tenant) -> Vec<String> {
    let all = tenant.get("/roles").await;
    all.as_array().unwrap().iter().map(|role| text(&role["name"]).to_owned()).collect()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Gives the kind of the failure of a connection.
fn cause(error: &reqwest::Error) -> Option<ErrorKind> {
    std::iter::successors(error.source(), |error: &&(dyn Error + 'static)| (*error).source())
        .find_map(|error| error.downcast_ref::<std::io::Error>())
        .map(std::io::Error::kind)
}

/// Sends a request over a connection of its own, and reads all that comes until it ends.
fn raw(tenant: &Tenant, method: &str, path: &str, body: &str) -> (Vec<u8>, std::io::Result<()>) {
    let mut stream = TcpStream::connect(tenant.sandbox.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let token = &tenant.token;
    let head = format!(
        "{method} /api/v2{path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut read = Vec::new();
    let end = stream.read_to_end(&mut read).map(|_| ());
    (read, end)
}

#[tokio::test]
async fn statuses_come_in_the_shape_of_the_api_and_nothing_is_done() {
    let faults = ["429=7@POST /roles#1", "429@POST /roles#2", "503=3@POST /roles#3", "500@POST /roles#4"];
    let others = ["409@POST /roles#5", "401@POST /roles#6", "refuse@POST /roles#7"];
    let tenant = tenant(&[&faults[..], &others].concat()).await;
    let cases = [
        (429, Some("7"), "Too Many Requests", "too_many_requests"),
        (429, Some("1"), "Too Many Requests", "too_many_requests"),
        (503, Some("3"), "Service Unavailable", ""),
        (500, None, "Internal Server Error", ""),
        (409, None, "Conflict", ""),
        (401, None, "Unauthorized", ""),
        (403, None, "Forbidden", "insufficient_entitlement"),
    ];
    for (status, retry_after, error, code) in cases {
        let response = make(&tenant, "a").await.unwrap();
        assert_eq!(header(&response, "retry-after"), retry_after, "{status}");
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["statusCode"], status, "{body}");
        assert_eq!(body["error"], error, "{body}");
        assert_eq!(body["errorCode"].as_str().unwrap_or_default(), code, "{body}");
        assert!(body["message"].is_string(), "{body}");
        assert_eq!(roles(&tenant).await, [""; 0], "{status}");
    }
    assert_eq!(make(&tenant, "a").await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_token_endpoint_refuses_in_its_own_shape() {
    let tenant = tenant(&["429@/oauth/token#2", "500@POST /oauth/token#3"]).await;
    let secret = tenant.sandbox.client_secret.expose_secret();
    let audience = format!("https://{}/api/v2/", tenant.sandbox.domain);
    let body = credentials(&tenant.sandbox.client_id, secret, &audience);
    assert_eq!(
        tenant.exchange(&body).await,
        (429, json!({"error": "too_many_requests", "error_description": "Too Many Requests"}))
    );
    let (status, answer) = tenant.exchange(&body).await;
    assert_eq!((status, &answer["error"]), (500, &json!("server_error")));
    assert_eq!(tenant.exchange(&body).await.0, 200);
}

#[tokio::test]
async fn a_page_comes_from_a_proxy_and_nothing_is_done() {
    let tenant = tenant(&["html@POST /roles#1", "html=200@POST /roles#2"]).await;
    for status in [502, 200] {
        let response = make(&tenant, "a").await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "content-type"), Some("text/html; charset=utf-8"));
        assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
        assert_eq!(roles(&tenant).await, [""; 0]);
    }
}

#[tokio::test]
async fn an_answer_breaks_off_after_the_request_is_done() {
    let tenant = tenant(&["truncate@POST /roles", "truncate@DELETE /clients/*"]).await;
    let error = make(&tenant, "a").await.unwrap().bytes().await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    let (read, end) = raw(&tenant, "POST", "/roles", r#"{"name": "b"}"#);
    assert!(end.is_ok());
    let read = String::from_utf8(read).unwrap();
    let (head, body) = read.split_once("\r\n\r\n").unwrap();
    let promised: usize = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert_eq!(body.len(), promised / 2, "{read}");
    assert!(body.starts_with('{'), "{read}");
    assert_eq!(roles(&tenant).await, ["a", "b"]);
    // An answer without a body has no half: nothing comes of it.
    let client = tenant.post("/clients", json!({"name": "c"})).await;
    let path = format!("/clients/{}", text(&client["client_id"]));
    let (read, end) = raw(&tenant, "DELETE", &path, "");
    assert!(end.is_ok() && read.is_empty());
    assert_eq!(tenant.call(Method::GET, &path, None).await.0, 404);
}

#[tokio::test]
async fn a_reset_is_a_reset_before_or_after_the_request_is_done() {
    let tenant = tenant(&["reset-before@POST /roles#1-2", "reset-after@POST /roles#3-4"]).await;
    for (name, done) in [("a", &[][..]), ("b", &["b"])] {
        let error = make(&tenant, name).await.unwrap_err();
        assert_eq!(cause(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
        let (read, end) = raw(&tenant, "POST", "/roles", &json!({"name": name}).to_string());
        assert!(read.is_empty());
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(roles(&tenant).await, done, "{name}");
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_through_tls_too() {
    let faults = options(&["reset-before@1", "reset-after@2"]).faults;
    let sandbox = start(Options { tls: true, faults, ..Options::default() }).unwrap();
    let ca = reqwest::Certificate::from_pem(sandbox.ca.as_ref().unwrap().as_bytes()).unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let url = format!("{}/.well-known/jwks.json", sandbox.url);
    for _ in 0..2 {
        let error = http.get(&url).send().await.unwrap_err();
        assert_eq!(cause(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
    }
    let answer = http.get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_11));
}

#[tokio::test]
async fn a_slow_answer_comes_whole() {
    let tenant = tenant(&["slow=60@/roles"]).await;
    let began = Instant::now();
    let response = make(&tenant, "a").await.unwrap();
    let promised = response.content_length();
    let body = response.bytes().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(60));
    assert_eq!(promised, Some(body.len() as u64));
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["name"], "a");
    assert_eq!(roles(&tenant).await, ["a"]);
}

#[tokio::test]
async fn what_hangs_is_not_done_and_keeps_nobody_from_stopping() {
    let tenant = tenant(&["hang@POST /roles"]).await;
    let url = format!("{}/api/v2/roles", tenant.sandbox.url);
    let request = tenant.http.post(url).bearer_auth(&tenant.token).json(&json!({"name": "a"}));
    let error = request.timeout(Duration::from_millis(100)).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(roles(&tenant).await, [""; 0]);
    let Tenant { sandbox, http, token } = tenant;
    let url = format!("{}/api/v2/roles", sandbox.url);
    let waiting = tokio::spawn(http.post(url).bearer_auth(token).json(&json!({"name": "a"})).send());
    let began = Instant::now();
    tokio::task::spawn_blocking(|| sandbox.stop().unwrap()).await.unwrap();
    assert!(waiting.await.unwrap().is_err());
    assert!(began.elapsed() < Duration::from_millis(1900), "it is let go, not waited for");
}

#[tokio::test]
async fn reads_lag_and_writes_do_not() {
    let tenant = tenant(&[EVER]).await;
    let role: Value = make(&tenant, "a").await.unwrap().json().await.unwrap();
    let path = format!("/roles/{}", text(&role["id"]));
    assert_eq!(roles(&tenant).await, [""; 0]);
    assert_eq!(send(&tenant, Method::GET, &path, Value::Null).await.unwrap().status(), 404);
    let changed = send(&tenant, Method::PATCH, &path, json!({"description": "b"})).await.unwrap();
    assert_eq!(changed.status(), 200);
    assert_eq!(make(&tenant, "a").await.unwrap().status(), 409);
    assert_eq!(send(&tenant, Method::DELETE, &path, Value::Null).await.unwrap().status(), 200);
    assert_eq!(make(&tenant, "a").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_late_read_shows_in_the_end_what_was_written() {
    let tenant = tenant(&["lag=40"]).await;
    let began = Instant::now();
    make(&tenant, "a").await.unwrap();
    while roles(&tenant).await.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never shows");
    }
    assert!(began.elapsed() >= Duration::from_millis(39));
}

#[tokio::test]
async fn what_becomes_by_itself_does_so_for_late_reads_too() {
    let tenant = tenant(&["lag=20@GET /actions*"]).await;
    let triggers = json!([{"id": "post-login", "version": "v3"}]);
    let action =
        json!({"name": "a", "code": "exports.onExecutePostLogin = async () => {};", "supported_triggers": triggers});
    let made = tenant.post("/actions/actions", action).await;
    let path = format!("/actions/actions/{}", text(&made["id"]));
    let began = Instant::now();
    while tenant.call(Method::GET, &path, None).await.1["status"] != "built" {
        assert!(began.elapsed() < Duration::from_secs(30), "it is never built");
    }
    let (status, answer) = tenant.call(Method::POST, &format!("{path}/deploy"), None).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_fault_strikes_the_request_that_it_names_and_no_other() {
    // The first request is that for the token.
    let tenant = tenant(&["500@3", "503@5-6", "502@GET /roles#4", "504@/clients*"]).await;
    let mut statuses = Vec::new();
    for path in ["/roles", "/roles", "/roles", "/roles", "/roles", "/roles", "/clients", "/clients/a", "/roles"] {
        statuses.push(send(&tenant, Method::GET, path, Value::Null).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 200, 503, 503, 200, 504, 504, 200]);
}

#[tokio::test]
async fn the_same_seed_is_the_same_run() {
    let run = |seed| async move {
        let faults = options(&["503@GET /roles#50%", "shuffle"]).faults;
        let tenant = tenant_with(Options { faults, seed, ..Options::default() }).await;
        for name in ["a", "b", "c", "d", "e", "f"] {
            make(&tenant, name).await.unwrap();
        }
        let mut seen = Vec::new();
        for _ in 0..20 {
            let (status, body) = tenant.call(Method::GET, "/roles", None).await;
            let items = body.as_array().into_iter().flatten();
            seen.push((status, items.map(|role| text(&role["name"]).to_owned()).collect::<String>()));
        }
        seen
    };
    let first = run(1).await;
    assert_eq!(first, run(1).await);
    assert_ne!(first, run(2).await);
    let struck = first.iter().filter(|(status, _)| *status == 503).count();
    assert!((1..20).contains(&struck), "{first:?}");
}

#[tokio::test]
async fn shuffled_pages_hold_together_what_there_is() {
    let tenant = tenant(&["shuffle"]).await;
    let names: Vec<String> = (10..35).map(|number| format!("role {number}")).collect();
    for name in &names {
        make(&tenant, name).await.unwrap();
    }
    let mut found = Vec::new();
    for page in 0..3 {
        let answer = tenant.get(&format!("/roles?page={page}&per_page=10&include_totals=true")).await;
        assert_eq!(answer["total"], 25);
        found.extend(answer["roles"].as_array().unwrap().iter().map(|role| text(&role["name"]).to_owned()));
    }
    assert_ne!(found, names);
    found.sort();
    assert_eq!(found, names);
    assert_ne!(roles(&tenant).await, roles(&tenant).await);
}

#[tokio::test]
async fn each_bucket_tells_its_own_numbers_in_every_answer() {
    let limits = ["1000:2000", "write email-templates=1/min", "read email-templates=60/min:30"];
    let rate_limits = limits.map(|limit| limit.parse().unwrap()).into();
    let tenant = tenant_with(Options { rate_limits, ..options(&["429=9@/roles", "500@/actions*"]) }).await;
    let said = |response: &Response| {
        let number = |name: &str| header(response, name).map(|text| text.parse::<u64>().unwrap());
        (response.status().as_u16(), number("x-ratelimit-limit").unwrap(), number("x-ratelimit-remaining").unwrap())
    };
    let get = |path| send(&tenant, Method::GET, path, Value::Null);
    for (path, status) in [("/clients", 200), ("/nothing", 404), ("/clients/a", 404)] {
        let (found, limit, left) = said(&get(path).await.unwrap());
        assert_eq!((found, limit), (status, 2000), "{path}");
        assert!((1990..2000).contains(&left), "{path}: {left}");
    }
    let (status, limit, left) = said(&get("/email-templates/verify_email").await.unwrap());
    assert_eq!((status, limit, left), (404, 30, 29));
    let template = json!({"template": "verify_email", "body": "a", "from": "", "subject": "", "syntax": "liquid", "enabled": true});
    let write = || send(&tenant, Method::POST, "/email-templates", template.clone());
    let first = said(&write().await.unwrap());
    assert_eq!((first.1, first.2), (1, 0));
    let mut refused = write().await.unwrap();
    if refused.status() != 429 {
        // A minute began in between.
        refused = write().await.unwrap();
    }
    assert_eq!(said(&refused), (429, 1, 0));
    let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    // What a fault says in the place of the API counts too, and says one thing.
    let struck = get("/roles").await.unwrap();
    assert_eq!((said(&struck), header(&struck, "retry-after")), ((429, 2000, 0), Some("9")));
    assert_eq!(struck.headers().get_all("retry-after").iter().count(), 1);
    assert_eq!(said(&get("/actions/actions").await.unwrap()).1, 2000);
    let error = start(Options { rate_limits: vec!["writes=1".parse().unwrap()], ..Options::default() }).unwrap_err();
    assert!(error.to_string().contains("`writes`"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_log_tells_each_request_and_each_fault_that_strikes() {
    let faults = ["--fault", "503=2@1", "--fault", "reset-after@POST /oauth/token", "--fault", "lag=5", "--seed", "3"];
    let mut serving = Command::new(env!("CARGO_BIN_EXE_tenantctl"))
        .args(["sandbox", "serve", "--state", "none", "-vv"])
        .args(faults)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(serving.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = text(&ready["url"]);
    let statuses = [
        http.get(format!("{url}/api/v2/clients?page=0")).send().await.map(|response| response.status().as_u16()),
        http.post(format!("{url}/oauth/token"))
            .json(&json!({}))
            .send()
            .await
            .map(|response| response.status().as_u16()),
        http.get(format!("{url}/api/v2/clients")).send().await.map(|response| response.status().as_u16()),
    ];
    assert_eq!(statuses.map(Result::ok), [Some(503), None, Some(401)]);
    let id = serving.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = serving.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> =
        log.lines().filter_map(|line| line.split_once(" DEBUG ").map(|(_, rest)| rest.trim())).collect();
    let expected = [
        "fault 503=2 at request 1: GET /api/v2/clients",
        "request 1: GET /api/v2/clients 503",
        "fault reset-after at request 2: POST /oauth/token",
        "request 2: POST /oauth/token 400, not answered",
        "request 3: GET /api/v2/clients 401",
    ];
    assert!(expected.iter().all(|line| lines.contains(line)), "{log}");
}
