//! The sandbox over real HTTP: refusals, pages, tokens, the state file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tenantctl::sandbox::{Options, Sandbox, start};

pub(crate) struct Tenant {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

async fn tenant() -> Tenant {
    tenant_with(Options { domain: Some("sandbox.localhost".to_owned()), ..Options::default() }).await
}

pub(crate) async fn tenant_with(options: Options) -> Tenant {
    let sandbox = start(options).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut tenant = Tenant { sandbox, http, token: String::new() };
    let (id, secret) = (tenant.sandbox.client_id.clone(), tenant.sandbox.client_secret.expose_secret().to_owned());
    let audience = format!("https://{}/api/v2/", tenant.sandbox.domain);
    let (status, body) = tenant.exchange(&credentials(&id, &secret, &audience)).await;
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().clone_into(&mut tenant.token);
    tenant
}

pub(crate) fn credentials(id: &str, secret: &str, audience: &str) -> Value {
    json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret, "audience": audience})
}

fn credentials_of(client: &Value, audience: &str) -> Value {
    credentials(text(&client["client_id"]), text(&client["client_secret"]), audience)
}

impl Tenant {
    pub(crate) async fn exchange(&self, body: &Value) -> (u16, Value) {
        let url = format!("{}/oauth/token", self.sandbox.url);
        let response = self.http.post(url).json(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.call_as(&self.token, method, path, body).await
    }

    async fn call_as(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}/api/v2{path}", self.sandbox.url)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, Some(body)).await;
        assert!(status == 201 || status == 200, "POST {path}: {status} {answer}");
        answer
    }

    async fn patch(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::PATCH, path, Some(body)).await;
        assert_eq!(status, 200, "PATCH {path}: {answer}");
        answer
    }

    async fn refused(&self, method: Method, path: &str, body: Option<Value>, status: u16, word: &str) {
        let (found, answer) = self.call(method.clone(), path, body.clone()).await;
        assert_eq!(found, status, "{method} {path} {body:?}: {answer}");
        assert!(answer.to_string().contains(word), "{method} {path} {body:?}: {answer} has no {word:?}");
    }

    /// Makes an API, an application and a grant; gives the application.
    async fn granted(&self, api: Value, scope: Value) -> Value {
        let api = self.post("/resource-servers", api).await;
        let client = self.post("/clients", json!({"name": "app", "app_type": "non_interactive"})).await;
        let grant = json!({"client_id": client["client_id"], "audience": api["identifier"], "scope": scope});
        self.post("/client-grants", grant).await;
        client
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn bodies_that_the_api_does_not_take_are_refused() {
    let tenant = tenant().await;
    let bad = [
        (
            "/clients",
            json!({"name": "a", "foo": 1}),
            "Payload validation error: 'Additional properties not allowed: foo'.",
        ),
        ("/clients", json!({}), "'Missing required property: name'"),
        ("/clients", json!({"name": 1}), "'Expected type string but found type integer' on property name"),
        ("/clients", json!({"name": "a", "app_type": "b"}), "'No enum match for: b' on property app_type"),
        ("/clients", json!({"name": "a<b>"}), "no-angle-brackets"),
        ("/clients", json!({"name": "a", "description": "x".repeat(141)}), "too long (141 chars), maximum 140"),
        ("/clients", json!({"name": "a", "client_secret": "x"}), "not allowed: client_secret"),
        ("/clients", json!({"name": "a", "par_request_expiry": 5}), "less than minimum 10"),
        ("/clients", json!({"name": "a", "refresh_token": {"rotation_type": "rotating"}}), "expiration_type"),
        ("/resource-servers", json!({"name": "a"}), "'Missing required property: identifier'"),
        ("/resource-servers", json!({"identifier": "a", "id": "b"}), "not allowed: id"),
        ("/resource-servers", json!({"identifier": "a", "scopes": [{"description": "x"}]}), "scopes[0]"),
        ("/custom-domains", json!({"domain": "a_b.example.com", "type": "auth0_managed_certs"}), "hostname"),
        ("/custom-domains", json!({"domain": "a.example.com", "type": "x"}), "No enum match"),
    ];
    for (path, body, word) in bad {
        tenant.refused(Method::POST, path, Some(body), 400, word).await;
    }
    tenant.refused(Method::PATCH, "/tenants/settings", Some(json!({"nope": 1})), 400, "invalid_body").await;
    tenant.refused(Method::POST, "/clients", Some(json!([])), 400, "Expected type object").await;
    let url = format!("{}/api/v2/clients", tenant.sandbox.url);
    let response = tenant.http.post(url).bearer_auth(&tenant.token).body("{").send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn unknown_things_are_not_found() {
    let tenant = tenant().await;
    for (path, word) in [
        ("/clients/nobody", "inexistent_client"),
        ("/resource-servers/none", "inexistent_resource_server"),
        ("/client-grants/cgr_none", "The client grant does not exist"),
        ("/custom-domains/cd_none", "Custom domain not found"),
        ("/nothing", "Not Found"),
    ] {
        tenant.refused(Method::GET, path, None, 404, word).await;
        let gone = if path == "/nothing" { 404 } else { 204 };
        assert_eq!(tenant.call(Method::DELETE, path, None).await.0, gone, "{path}");
    }
    for path in ["/clients/", "/clients//credentials", ""] {
        tenant.refused(Method::GET, path, None, 404, "Not Found").await;
    }
    let url = format!("{}/api/v2clients", tenant.sandbox.url);
    assert_eq!(tenant.http.get(url).bearer_auth(&tenant.token).send().await.unwrap().status(), 404);
    let grant = json!({"client_id": "nobody", "audience": "none", "scope": []});
    tenant.refused(Method::POST, "/client-grants", Some(grant), 404, "inexistent_client").await;
    let grant = json!({"client_id": tenant.sandbox.client_id, "audience": "none", "scope": []});
    tenant.refused(Method::POST, "/client-grants", Some(grant), 404, "inexistent_resource_server").await;
}

#[tokio::test]
async fn duplicates_are_refused_where_the_api_wants_one_of_a_kind() {
    let tenant = tenant().await;
    let client = tenant.granted(json!({"identifier": "urn:a"}), json!(["read:x"])).await;
    tenant
        .refused(Method::POST, "/resource-servers", Some(json!({"identifier": "urn:a"})), 409, "same identifier")
        .await;
    let grant = json!({"client_id": client["client_id"], "audience": "urn:a", "scope": []});
    tenant.refused(Method::POST, "/client-grants", Some(grant.clone()), 409, "Conflict").await;
    let mut other = grant;
    other["subject_type"] = json!("user");
    tenant.post("/client-grants", other).await;
    let domain = json!({"domain": "login.example.com", "type": "auth0_managed_certs"});
    tenant.post("/custom-domains", domain.clone()).await;
    tenant.refused(Method::POST, "/custom-domains", Some(domain), 409, "already exists").await;
    tenant.post("/clients", json!({"name": "app"})).await;
}

#[tokio::test]
async fn what_cannot_change_is_refused_in_an_update() {
    let tenant = tenant().await;
    let client = tenant.granted(json!({"identifier": "urn:a"}), json!([])).await;
    tenant.refused(Method::PATCH, "/resource-servers/urn:a", Some(json!({"identifier": "b"})), 400, "identifier").await;
    let grants = tenant.get("/client-grants?audience=urn:a").await;
    let path = format!("/client-grants/{}", text(&grants[0]["id"]));
    tenant.refused(Method::PATCH, &path, Some(json!({"audience": "urn:b"})), 400, "audience").await;
    let third = tenant.post("/clients", json!({"name": "third", "is_first_party": false})).await;
    let path = format!("/clients/{}", text(&third["client_id"]));
    tenant.patch(&path, json!({"third_party_security_mode": "permissive", "name": "x"})).await;
    tenant
        .refused(Method::PATCH, &path, Some(json!({"third_party_security_mode": "strict"})), 400, "third_party")
        .await;
    let path = format!("/clients/{}", text(&client["client_id"]));
    tenant.refused(Method::PATCH, &path, Some(json!({"name": null})), 400, "found type null").await;
    tenant.refused(Method::PATCH, &path, Some(json!({"client_id": "x"})), 400, "client_id").await;
}

#[tokio::test]
async fn system_objects_are_protected() {
    let tenant = tenant().await;
    let audience = format!("https://{}/api/v2/", tenant.sandbox.domain).replace('/', "%2F");
    let path = format!("/resource-servers/{audience}");
    tenant.refused(Method::DELETE, &path, None, 400, "System resource servers").await;
    tenant.refused(Method::PATCH, &path, Some(json!({"name": "x"})), 400, "cannot be patched").await;
    assert_eq!(tenant.patch(&path, json!({"token_lifetime": 3600})).await["token_lifetime"], 3600);
    let global = tenant.get("/clients?is_global=true").await;
    assert_eq!(global[0]["name"], "All Applications");
    let path = format!("/clients/{}", text(&global[0]["client_id"]));
    tenant.refused(Method::DELETE, &path, None, 400, "Global client cannot be deleted").await;
}

#[tokio::test]
async fn a_domain_is_verified_before_it_is_the_default() {
    let tenant = tenant().await;
    let domain = tenant.post("/custom-domains", json!({"domain": "a.example.com", "type": "self_managed_certs"})).await;
    let default = Some(json!({"domain": "a.example.com"}));
    tenant.refused(Method::PATCH, "/custom-domains/default", default.clone(), 400, "must be verified").await;
    let path = format!("/custom-domains/{}", text(&domain["custom_domain_id"]));
    let verified = tenant.post(&format!("{path}/verify"), json!({})).await;
    assert_eq!(verified["status"], "ready");
    assert!(verified["cname_api_key"].is_string());
    assert!(tenant.get(&path).await.get("cname_api_key").is_none());
    let (status, answer) = tenant.call(Method::PATCH, "/custom-domains/default", default).await;
    assert_eq!((status, &answer["is_default"]), (200, &json!(true)));
    assert_eq!(tenant.get("/custom-domains/default").await["domain"], "a.example.com");
    let unknown = Some(json!({"domain": "b.example.com"}));
    tenant.refused(Method::PATCH, "/custom-domains/default", unknown, 400, "must be verified").await;
    let own = json!({"domain": tenant.sandbox.domain});
    assert_eq!(tenant.patch("/custom-domains/default", own.clone()).await, own);
    assert_eq!(tenant.get("/custom-domains/default").await, own);
    assert_eq!(tenant.get(&path).await["is_default"], false);
}

#[tokio::test]
async fn an_update_takes_away_what_it_sends_as_null_or_as_an_empty_map() {
    let tenant = tenant().await;
    let body = json!({"name": "a", "client_metadata": {"a": "b", "c": "d"}, "mobile": {"ios": {"team_id": "x"}}});
    let path = format!("/clients/{}", text(&tenant.post("/clients", body).await["client_id"]));
    for (sent, pointer, left) in [
        (json!({"client_metadata": {"a": null}}), "/client_metadata", json!({"c": "d"})),
        (json!({"client_metadata": {}}), "/client_metadata", json!({})),
        (json!({"mobile": {}}), "/mobile", json!({"ios": {"team_id": "x"}})),
        (
            json!({"oidc_logout": {"backchannel_logout_urls": [], "backchannel_logout_session_metadata": null}}),
            "/oidc_logout",
            json!({"backchannel_logout_urls": []}),
        ),
    ] {
        assert_eq!(tenant.patch(&path, sent.clone()).await.pointer(pointer), Some(&left), "{sent}");
    }
}

#[tokio::test]
async fn requests_out_of_the_ordinary_get_an_ordinary_answer() {
    let tenant = tenant().await;
    let url = format!("{}/api/v2/clients", tenant.sandbox.url);
    let head = tenant.http.head(&url).bearer_auth(&tenant.token).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap().as_str()), (200, ""));
    let large = json!({"name": "x".repeat(2 << 20)});
    tenant.refused(Method::POST, "/clients", Some(large), 413, "greater than maximum").await;
    let host = tenant.sandbox.url.trim_start_matches("http://").to_owned();
    let ask = |request: String| {
        let host = host.clone();
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(host).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    };
    let broken =
        "POST /api/v2/clients HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    assert!(ask(broken.to_owned()).await.unwrap().starts_with("HTTP/1.1 400 "));
    let old = format!("GET /api/v2/clients HTTP/1.0\r\nauthorization: bearer {}\r\n\r\n", tenant.token);
    assert!(ask(old).await.unwrap().starts_with("HTTP/1.0 200 "));
}

#[tokio::test]
async fn deletes_take_along_what_hangs_on_them() {
    let tenant = tenant().await;
    let client = tenant.granted(json!({"identifier": "urn:a"}), json!([])).await;
    let path = format!("/clients/{}", text(&client["client_id"]));
    assert_eq!(tenant.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(tenant.get("/client-grants?audience=urn:a").await, json!([]));
    tenant.granted(json!({"identifier": "urn:b"}), json!([])).await;
    assert_eq!(tenant.call(Method::DELETE, "/resource-servers/urn:b", None).await.0, 204);
    assert_eq!(tenant.get("/client-grants?audience=urn:b").await, json!([]));
}

#[tokio::test]
async fn lists_come_in_both_styles_of_pages() {
    let tenant = tenant().await;
    for at in 0..5 {
        tenant.granted(json!({"identifier": format!("urn:{at}")}), json!([])).await;
    }
    let page = tenant.get("/clients?is_global=false&per_page=4&page=1&include_totals=true").await;
    assert_eq!((&page["start"], &page["limit"], &page["total"]), (&json!(4), &json!(4), &json!(6)));
    assert_eq!(page["clients"].as_array().unwrap().len(), 2);
    let mut path = "/client-grants?take=4".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = tenant.get(&path).await;
        assert!(page.get("total").is_none());
        seen.extend(page["client_grants"].as_array().unwrap().iter().map(|grant| text(&grant["id"]).to_owned()));
        let Some(next) = page.get("next") else { break };
        path = format!("/client-grants?take=4&from={}", text(next));
    }
    seen.dedup();
    assert_eq!(seen.len(), 6);
    for path in ["/clients?per_page=101", "/resource-servers?per_page=101", "/client-grants?take=101"] {
        tenant.refused(Method::GET, path, None, 400, "invalid_query_string").await;
    }
    let word = "Requesting page 10 exceeds the allowed maximum of 1000 records";
    tenant.refused(Method::GET, "/client-grants?page=10&per_page=100", None, 400, word).await;
    let only = tenant.get("/clients?fields=name&include_fields=true&app_type=non_interactive,spa").await;
    assert_eq!(only[0], json!({"name": "tenantctl"}));
}

#[tokio::test]
async fn tokens_are_checked_on_every_request() {
    let tenant = tenant().await;
    let url = format!("{}/api/v2/clients", tenant.sandbox.url);
    assert_eq!(tenant.http.get(&url).send().await.unwrap().status(), 401);
    let forged = format!("{}AAAA", &tenant.token[..tenant.token.len() - 4]);
    for token in ["abc", forged.as_str()] {
        assert_eq!(tenant.call_as(token, Method::GET, "/clients", None).await.0, 401);
    }
    let api = format!("https://{}/api/v2/", tenant.sandbox.domain);
    let client = tenant.post("/clients", json!({"name": "reader"})).await;
    let grant = json!({"client_id": client["client_id"], "audience": api, "scope": ["read:clients"]});
    tenant.post("/client-grants", grant).await;
    let (_, token) = tenant.exchange(&credentials_of(&client, &api)).await;
    let (status, list) = tenant.call_as(text(&token["access_token"]), Method::GET, "/clients", None).await;
    assert_eq!(status, 200);
    assert!(list.as_array().unwrap().iter().all(|client| client.get("client_secret").is_none()));
    let body = Some(json!({"name": "x"}));
    let (status, body) = tenant.call_as(text(&token["access_token"]), Method::POST, "/clients", body).await;
    assert_eq!(status, 403);
    assert_eq!(body["message"], "Insufficient scope, expected any of: create:clients");
    assert_eq!(body["errorCode"], "insufficient_scope");
    tenant.patch(&format!("/resource-servers/{}", api.replace('/', "%2F")), json!({"token_lifetime": 0})).await;
    let (_, token) = tenant.exchange(&credentials_of(&client, &api)).await;
    let (status, body) = tenant.call_as(text(&token["access_token"]), Method::GET, "/clients", None).await;
    assert_eq!(status, 401, "{body}");
    assert!(text(&body["message"]).contains("Expired"));
}

#[tokio::test]
async fn the_token_endpoint_refuses_in_the_documented_words() {
    let tenant = tenant().await;
    let client = tenant.granted(json!({"identifier": "urn:a"}), json!(["read:x"])).await;
    let (id, secret) = (text(&client["client_id"]), text(&client["client_secret"]));
    tenant.post("/resource-servers", json!({"identifier": "urn:closed"})).await;
    let mut password = credentials(id, secret, "urn:a");
    password["grant_type"] = json!("password");
    for (body, status, word) in [
        (credentials(id, "wrong", "urn:a"), 401, "Unauthorized"),
        (credentials("nobody", secret, "urn:a"), 401, "Unauthorized"),
        (credentials(id, secret, "urn:none"), 403, "Service not enabled within domain: urn:none"),
        (credentials(id, secret, "urn:closed"), 403, "You need to create a \\\"client-grant\\\""),
        (credentials(id, secret, ""), 403, "No audience parameter"),
        (password, 400, "unsupported_grant_type"),
        (json!({}), 400, "Missing required parameter: grant_type"),
    ] {
        let (found, answer) = tenant.exchange(&body).await;
        assert_eq!(found, status, "{body} {answer}");
        assert!(answer.to_string().contains(word), "{body} {answer}");
    }
    tenant.patch(&format!("/clients/{id}"), json!({"grant_types": ["authorization_code"]})).await;
    let (status, answer) = tenant.exchange(&credentials(id, secret, "urn:a")).await;
    assert_eq!((status, text(&answer["error"])), (403, "unauthorized_client"));
    let deny = json!({"subject_type_authorization": {"client": {"policy": "deny_all"}}});
    tenant.patch("/resource-servers/urn:a", deny).await;
    tenant.patch(&format!("/clients/{id}"), json!({"grant_types": ["client_credentials"]})).await;
    assert_eq!(tenant.exchange(&credentials(id, secret, "urn:a")).await.0, 403);
}

#[tokio::test]
async fn secrets_are_taken_where_the_application_says() {
    let tenant = tenant().await;
    let client = tenant.granted(json!({"identifier": "urn:a"}), json!(["read:x"])).await;
    let (id, secret) = (text(&client["client_id"]), text(&client["client_secret"]));
    let url = format!("{}/oauth/token", tenant.sandbox.url);
    let form = [("grant_type", "client_credentials"), ("audience", "urn:a")];
    for (method, by_body, by_header) in
        [(json!("client_secret_post"), 200, 401), (json!("client_secret_basic"), 401, 200), (Value::Null, 200, 200)]
    {
        tenant.patch(&format!("/clients/{id}"), json!({"token_endpoint_auth_method": method})).await;
        let in_body = [form[0], form[1], ("client_id", id), ("client_secret", secret)];
        let response = tenant.http.post(&url).form(&in_body).send().await.unwrap();
        assert_eq!(response.status(), by_body, "{method} in the body");
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let response = tenant.http.post(&url).form(&form).header("authorization", basic).send().await.unwrap();
        assert_eq!(response.status(), by_header, "{method} in the header");
    }
}

async fn claims(tenant: &Tenant, client: &Value, audience: &str, algorithm: Algorithm) -> (Header, Value) {
    let (status, body) = tenant.exchange(&credentials_of(client, audience)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["token_type"], "Bearer");
    let url = format!("{}/.well-known/jwks.json", tenant.sandbox.url);
    let jwks: Value = tenant.http.get(url).send().await.unwrap().json().await.unwrap();
    let key = &jwks["keys"][0];
    let key = DecodingKey::from_rsa_components(text(&key["n"]), text(&key["e"])).unwrap();
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[audience]);
    let token = text(&body["access_token"]);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims;
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), body["expires_in"].as_u64().unwrap());
    (jsonwebtoken::decode_header(token).unwrap(), claims)
}

#[tokio::test]
async fn tokens_have_the_shape_of_the_apis_dialect() {
    let tenant = tenant().await;
    let api =
        json!({"identifier": "urn:a", "token_lifetime": 1234, "scopes": [{"value": "read:x"}, {"value": "write:x"}]});
    let client = tenant.granted(api, json!(["read:x"])).await;
    let id = text(&client["client_id"]);
    let (header, found) = claims(&tenant, &client, "urn:a", Algorithm::RS256).await;
    assert_eq!(header.typ.as_deref(), Some("JWT"));
    assert_eq!(found["iss"], format!("{}/", tenant.sandbox.url));
    assert_eq!(found["sub"], format!("{id}@clients"));
    assert_eq!((text(&found["azp"]), text(&found["gty"]), text(&found["scope"])), (id, "client-credentials", "read:x"));
    assert!(found.get("permissions").is_none());
    let change = json!({"token_dialect": "rfc9068_profile_authz", "enforce_policies": true, "signing_alg": "PS256"});
    tenant.patch("/resource-servers/urn:a", change).await;
    let (header, found) = claims(&tenant, &client, "urn:a", Algorithm::PS256).await;
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!((&found["client_id"], &found["permissions"]), (&json!(id), &json!(["read:x"])));
    assert!(found.get("gty").is_none() && found["jti"].is_string());
    let grants = tenant.get("/client-grants?audience=urn:a").await;
    let path = format!("/client-grants/{}", text(&grants[0]["id"]));
    let grant = tenant.patch(&path, json!({"allow_all_scopes": true})).await;
    assert!(grant.get("scope").is_none());
    let (_, found) = claims(&tenant, &client, "urn:a", Algorithm::PS256).await;
    assert_eq!(found["scope"], "read:x write:x");
    let secret = json!({"signing_alg": "HS256", "signing_secret": "0123456789abcdef", "token_dialect": "access_token"});
    assert_eq!(tenant.patch("/resource-servers/urn:a", secret).await["signing_secret"], "0123456789abcdef");
    let (_, body) = tenant.exchange(&credentials_of(&client, "urn:a")).await;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["urn:a"]);
    let key = DecodingKey::from_secret(b"0123456789abcdef");
    jsonwebtoken::decode::<Value>(text(&body["access_token"]), &key, &validation).unwrap();
}

#[tokio::test]
async fn an_application_signs_in_with_its_key() {
    let tenant = tenant().await;
    let client = tenant.granted(json!({"identifier": "urn:a"}), json!(["read:x"])).await;
    let id = text(&client["client_id"]);
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
    let credential = json!({"credential_type": "public_key", "name": "k", "pem": pair.public_key_pem()});
    let credential = tenant.post(&format!("/clients/{id}/credentials"), credential).await;
    assert!(credential.get("pem").is_none());
    let methods = json!({"private_key_jwt": {"credentials": [{"id": credential["id"]}]}});
    let mut methods = json!({"client_authentication_methods": methods, "token_endpoint_auth_method": null});
    tenant.refused(Method::PATCH, &format!("/clients/{id}"), Some(methods.clone()), 400, "RS256").await;
    methods["jwt_configuration"] = json!({"alg": "RS256"});
    let shown = tenant.patch(&format!("/clients/{id}"), methods).await;
    assert!(shown.get("client_secret").is_none());
    let path = format!("/clients/{id}/credentials/{}", text(&credential["id"]));
    tenant.refused(Method::DELETE, &path, None, 400, "in use").await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let good = json!({"iss": id, "sub": id, "aud": "https://sandbox.localhost/", "exp": now + 60, "jti": "one"});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims["jti"] = json!(format!("for {name}, {}", now % 1000));
        claims
    };
    let mut kid = Header::new(Algorithm::RS256);
    kid.kid = Some(text(&credential["kid"]).to_owned());
    for (header, claims, status) in [
        (Header::new(Algorithm::RS256), good.clone(), 200),
        (Header::new(Algorithm::RS256), good.clone(), 401),
        (kid, with("aud", json!(["https://sandbox.localhost/"])), 200),
        (Header::new(Algorithm::RS384), with("sub", json!(id)), 401),
        (Header::new(Algorithm::RS256), with("aud", json!("https://elsewhere.example.com/")), 401),
        (Header::new(Algorithm::RS256), with("exp", json!(now - 60)), 401),
        (Header::new(Algorithm::RS256), with("exp", json!(now + 3600)), 401),
        (Header::new(Algorithm::RS256), with("iss", json!("other")), 401),
    ] {
        let assertion = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        let body = json!({
            "grant_type": "client_credentials", "audience": "urn:a", "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        });
        let (found, answer) = tenant.exchange(&body).await;
        assert_eq!(found, status, "{claims} {answer}");
    }
    let (status, _) = tenant.exchange(&credentials_of(&client, "urn:a")).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_rate_limit_is_told_and_kept() {
    let tenant = tenant_with(Options { rate_limits: vec!["3".parse().unwrap()], ..Options::default() }).await;
    let mut seen: HashMap<u16, usize> = HashMap::new();
    for _ in 0..20 {
        let url = format!("{}/api/v2/tenants/settings", tenant.sandbox.url);
        let response = tenant.http.get(url).bearer_auth(&tenant.token).send().await.unwrap();
        assert_eq!(response.headers()["x-ratelimit-limit"], "3");
        assert!(response.headers().contains_key("x-ratelimit-remaining"));
        assert!(response.headers().contains_key("x-ratelimit-reset"));
        *seen.entry(response.status().as_u16()).or_default() += 1;
    }
    assert!(seen[&429] > 0, "{seen:?}");
}

fn kept(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("deep").join("sandbox.json")
}

#[tokio::test]
async fn two_runs_see_the_same_tenant_even_under_another_domain() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        Options { state: Some(kept(&folder)), domain: Some("one.localhost".to_owned()), ..Options::default() };
    let first = tenant_with(options.clone()).await;
    first.granted(json!({"identifier": "urn:a"}), json!(["read:x"])).await;
    let (id, token) = (first.sandbox.client_id.clone(), first.token.clone());
    first.sandbox.stop().unwrap();
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(kept(&folder)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    let mut second = tenant_with(options.clone()).await;
    assert_eq!(second.sandbox.client_id, id);
    second.token = token;
    assert_eq!(second.get("/resource-servers/urn:a").await["identifier"], "urn:a");
    drop(second);
    let third = tenant_with(Options { domain: Some("two.localhost".to_owned()), ..options }).await;
    let apis = third.get("/resource-servers").await;
    assert_eq!(apis[0]["identifier"], "https://two.localhost/api/v2/");
    let grants = third.get("/client-grants?audience=https://two.localhost/api/v2/").await;
    assert_eq!(grants.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_managed_of_pages_is_served() {
    let tenant = tenant().await;
    assert_eq!(tenant.get("/prompts/login/partials").await, json!({}));
    let partials = json!({ "login": { "form-content-end": "<p>Hello</p>" } });
    assert_eq!(tenant.call(Method::PUT, "/prompts/login/partials", Some(partials.clone())).await.1, partials);
    assert_eq!(tenant.get("/prompts/login/partials").await, partials);
    let template = "/branding/templates/universal-login";
    assert_eq!(tenant.call(Method::GET, template, None).await.1["errorCode"], "inexistent_templates_universal_login");
    assert_eq!(tenant.call(Method::PUT, template, Some(json!({ "template": "<html>1</html>" }))).await.0, 201);
    assert_eq!(tenant.call(Method::PUT, template, Some(json!("<html>2</html>"))).await.0, 204);
    assert_eq!(tenant.get(template).await, json!({ "body": "<html>2</html>" }));
}

#[tokio::test]
async fn a_kept_tenant_gets_what_a_later_version_knows_that_each_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let options = Options { state: Some(path.clone()), ..Options::default() };
    drop(tenant_with(options.clone()).await);
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let rows = kept["rows"].as_object_mut().unwrap();
    assert!(rows.remove("branding").is_some() && rows.remove("attackProtection/captcha").is_some());
    std::fs::write(&path, kept.to_string()).unwrap();
    let tenant = tenant_with(options).await;
    assert_eq!(tenant.get("/branding").await, json!({}));
    assert_eq!(tenant.get("/attack-protection/captcha").await["active_provider_id"], "auth_challenge");
}

#[tokio::test]
async fn tls_serves_others_while_one_client_says_nothing() {
    let sandbox = start(Options { tls: true, ..Options::default() }).unwrap();
    let address = sandbox.url.strip_prefix("https://").unwrap().to_owned();
    let _silent = tokio::net::TcpStream::connect(&address).await.unwrap();
    let ca = reqwest::Certificate::from_pem(sandbox.ca.as_ref().unwrap().as_bytes()).unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let port = address.split(':').nth(1).unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{port}/.well-known/openid-configuration");
        let answer = http.get(url).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        let found: Value = answer.json().await.unwrap();
        assert_eq!(found["issuer"], format!("https://{host}:{port}/"));
    }
}

#[tokio::test]
async fn answers_come_with_latency_too() {
    let tenant = tenant_with(Options { latency: Duration::from_millis(1), ..Options::default() }).await;
    assert!(tenant.get("/tenants/settings").await["flags"].is_object());
}

#[tokio::test]
async fn two_kinds_at_one_endpoint_are_kept_together_each_with_its_own_fields() {
    let tenant = tenant().await;
    let own = tenant.post("/connections", json!({"name": "customers", "strategy": "auth0"})).await;
    assert_eq!(own["options"]["passwordPolicy"], json!("good"));
    let social = json!({"name": "line", "strategy": "line", "options": {"email": true, "any": null}});
    let social = tenant.post("/connections", social).await;
    assert_eq!(social["options"], json!({"email": true, "any": null, "profile": true, "scope": ["email", "profile"]}));
    let names = |list: Value| -> Vec<String> {
        list["connections"].as_array().unwrap().iter().map(|object| text(&object["name"]).to_owned()).collect()
    };
    let all = names(tenant.get("/connections?take=50").await);
    assert_eq!(all, ["Username-Password-Authentication", "customers", "line"]);
    assert_eq!(names(tenant.get("/connections?take=50&strategy=line").await), ["line"]);
    let wrong = json!({"name": "x", "strategy": "line", "options": {"email": "yes"}});
    tenant.refused(Method::POST, "/connections", Some(wrong), 400, "options.email").await;
    let wrong = json!({"name": "x", "strategy": "auth0", "options": {"passwordPolicy": "best"}});
    tenant.refused(Method::POST, "/connections", Some(wrong), 400, "options.passwordPolicy").await;
    let (status, answer) = tenant.call(Method::DELETE, &format!("/connections/{}", text(&own["id"])), None).await;
    assert_eq!((status, answer["deleted_at"].is_string()), (202, true));
    tenant
        .refused(Method::GET, &format!("/connections/{}", text(&own["id"])), None, 404, "inexistent_connection")
        .await;
}

#[tokio::test]
async fn an_object_that_an_update_replaces_keeps_what_the_api_keeps() {
    let tenant = tenant().await;
    let options = json!({"configuration": {"KEY": "hush"}, "passkey_options": {"challenge_ui": "button"}});
    let made = tenant.post("/connections", json!({"name": "db", "strategy": "auth0", "options": options})).await;
    let path = format!("/connections/{}", text(&made["id"]));
    let shown = &made["options"]["configuration"]["KEY"];
    assert!(shown.is_string() && *shown != "hush");
    let attributes = json!({"email": {"identifier": {"active": true}}});
    let sent = json!({"options": {"configuration": {"KEY": shown}, "attributes": attributes}});
    let options = tenant.patch(&path, sent).await["options"].clone();
    assert_eq!(options["passkey_options"], json!({"challenge_ui": "button"}));
    assert_eq!(options["configuration"]["KEY"], *shown, "what was read is what is there");
    assert_eq!(options["attributes"]["email"]["verification_method"], json!("link"));
    assert_eq!((&options["mfa"], &options["strategy_version"]), (&Value::Null, &Value::Null));
    let both = json!({"options": {"attributes": attributes, "validation": {"username": {"min": 1, "max": 5}}}});
    tenant.refused(Method::PATCH, &path, Some(both), 400, "Cannot set both").await;
    assert_eq!(tenant.patch(&path, json!({"display_name": "Users"})).await["options"], options);
}

#[tokio::test]
async fn applications_of_a_connection_stand_beside_it_and_in_it() {
    let tenant = tenant().await;
    let client = tenant.post("/clients", json!({"name": "app"})).await["client_id"].clone();
    let other = tenant.post("/clients", json!({"name": "other"})).await["client_id"].clone();
    let body = json!({"name": "sms", "strategy": "sms", "enabled_clients": [client]});
    let made = tenant.post("/connections", body).await;
    assert_eq!(made["enabled_clients"], json!([client]));
    let path = format!("/connections/{}", text(&made["id"]));
    let changes = json!([{"client_id": client, "status": false}, {"client_id": other, "status": true}]);
    let (status, _) = tenant.call(Method::PATCH, &format!("{path}/clients"), Some(changes)).await;
    assert_eq!(status, 204);
    assert_eq!(tenant.get(&format!("{path}/clients")).await["clients"], json!([{"client_id": other}]));
    assert_eq!(tenant.get(&path).await["enabled_clients"], json!([other]));
    let of_client = tenant.get(&format!("/clients/{}/connections", text(&other))).await;
    assert_eq!(of_client["connections"][0]["name"], json!("sms"));
    tenant.call(Method::DELETE, &format!("/clients/{}", text(&other)), None).await;
    assert_eq!(tenant.get(&path).await["enabled_clients"], json!([]));
}

#[tokio::test]
async fn a_child_is_made_once_below_a_parent_that_may_have_it() {
    let tenant = tenant().await;
    let options =
        json!({"client_id": "x", "issuer": "https://idp.example", "token_endpoint_auth_method": "private_key_jwt"});
    let okta = tenant.post("/connections", json!({"name": "okta", "strategy": "okta", "options": options})).await;
    let path = format!("/connections/{}", text(&okta["id"]));
    let scim = format!("{path}/scim-configuration");
    tenant.refused(Method::GET, &scim, None, 404, "Not Found").await;
    assert_eq!(tenant.post(&scim, json!({})).await["connection_name"], json!("okta"));
    tenant.refused(Method::POST, &scim, None, 409, "exists").await;
    let line = tenant.post("/connections", json!({"name": "line", "strategy": "line"})).await;
    let below = format!("/connections/{}/scim-configuration", text(&line["id"]));
    tenant.refused(Method::POST, &below, None, 404, "does not support SCIM").await;
    let flags = |keys: &Value| -> Vec<String> {
        let has = |key: &Value, flag: &str| key[flag] == json!(true);
        let flag =
            |key: &Value| ["current", "next", "previous"].into_iter().find(|flag| has(key, flag)).unwrap().to_owned();
        keys.as_array().unwrap().iter().map(flag).collect()
    };
    let keys = tenant.get(&format!("{path}/keys")).await;
    assert_eq!(flags(&keys), ["current", "next"]);
    let rotated = tenant.post(&format!("{path}/keys/rotate"), json!({})).await;
    assert_eq!(rotated["next"], json!(true));
    let keys = tenant.get(&format!("{path}/keys")).await;
    assert_eq!(flags(&keys), ["previous", "current", "next"]);
    let all = tenant.get("/connections-scim-configurations?take=50").await;
    assert_eq!(all["scim_configurations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_organization_has_its_connections_grants_applications_and_domains() {
    let tenant = tenant().await;
    let made = async |path: &str, body: Value| {
        let (status, answer) = tenant.call(Method::POST, path, Some(body)).await;
        assert!(matches!(status, 200 | 201), "{path}: {answer}");
        answer
    };
    let client = made("/clients", json!({"name": "Portal"})).await;
    let api = json!({"identifier": "https://orders", "scopes": [{"value": "read:orders"}]});
    made("/resource-servers", api).await;
    let grant = json!({"client_id": client["client_id"], "audience": "https://orders", "scope": ["read:orders"]});
    let grant = made("/client-grants", grant).await;
    let connection = made("/connections", json!({"name": "people", "strategy": "auth0"})).await;
    let organization = made("/organizations", json!({"name": "acme"})).await;
    let other = json!({"name": "other", "enabled_connections": [{"connection_id": connection["id"]}]});
    let other = made("/organizations", other).await;
    let path = |rest: &str| format!("/organizations/{}{rest}", text(&organization["id"]));

    let enabled = made(&path("/connections"), json!({"connection_id": connection["id"]})).await;
    assert_eq!(enabled["connection"], json!({"name": "people", "strategy": "auth0"}));
    assert_eq!(enabled["is_signup_enabled"], false);
    let (status, _) =
        tenant.call(Method::POST, &path("/connections"), Some(json!({"connection_id": connection["id"]}))).await;
    assert_eq!(status, 409);
    let one = path(&format!("/connections/{}", text(&connection["id"])));
    let (status, changed) = tenant.call(Method::PATCH, &one, Some(json!({"is_enabled": false}))).await;
    assert_eq!((status, &changed["is_enabled"]), (200, &json!(false)));
    let (_, older) = tenant.call(Method::GET, &path("/enabled_connections?include_totals=true"), None).await;
    assert_eq!(older["enabled_connections"], json!([]));
    let elsewhere = format!("/organizations/{}/connections", text(&other["id"]));
    let (_, elsewhere) = tenant.call(Method::GET, &elsewhere, None).await;
    assert_eq!(elsewhere[0]["connection_id"], connection["id"]);

    let held = made(&path("/client-grants"), json!({"grant_id": grant["id"]})).await;
    assert_eq!(
        (&held["id"], &held["grant_id"], &held["audience"]),
        (&grant["id"], &grant["id"], &json!("https://orders"))
    );
    let holders = format!("/client-grants/{}/organizations?take=50", text(&grant["id"]));
    let (_, holders) = tenant.call(Method::GET, &holders, None).await;
    assert_eq!(holders["organizations"], json!([organization]));

    let sent = json!({"clients": [{"client_id": client["client_id"], "use_for_member_access": true}]});
    let several = made(&path("/clients"), sent).await;
    assert_eq!(several[0]["client"]["name"], "Portal");
    let domain = made(&path("/discovery-domains"), json!({"domain": "acme.example.com"})).await;
    assert_eq!((&domain["status"], &domain["use_for_organization_discovery"]), (&json!("pending"), &json!(true)));
    let (status, found) = tenant.call(Method::GET, &path("/discovery-domains/name/acme.example.com"), None).await;
    assert_eq!((status, &found), (200, &domain));

    // What an element refers to takes it away.
    tenant.call(Method::DELETE, &format!("/clients/{}", text(&client["client_id"])), None).await;
    for (list, member) in [("/clients", "clients"), ("/client-grants?include_totals=true", "client_grants")] {
        let (_, left) = tenant.call(Method::GET, &path(list), None).await;
        assert_eq!(left[member], json!([]), "{list}");
    }
    let (status, _) = tenant.call(Method::DELETE, &path("/discovery-domains/ord_unknown"), None).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn permissions_of_a_role_are_added_and_removed_in_groups() {
    let tenant = tenant().await;
    let api = json!({"identifier": "https://orders", "name": "Orders", "scopes": [
        {"value": "read:orders", "description": "Read them"}, {"value": "write:orders"},
    ]});
    tenant.call(Method::POST, "/resource-servers", Some(api)).await;
    let (status, role) = tenant.call(Method::POST, "/roles", Some(json!({"name": "Clerk"}))).await;
    assert_eq!((status, &role["description"]), (200, &Value::Null));
    let path = format!("/roles/{}/permissions", text(&role["id"]));
    let permission = |name: &str| json!({"resource_server_identifier": "https://orders", "permission_name": name});
    let both = json!({"permissions": [permission("read:orders"), permission("write:orders")]});
    for _ in 0..2 {
        assert_eq!(tenant.call(Method::POST, &path, Some(both.clone())).await, (201, json!({})));
    }
    let shown = json!({"permission_name": "read:orders", "resource_server_identifier": "https://orders",
        "resource_server_name": "Orders", "description": "Read them"});
    let (_, listed) = tenant.call(Method::GET, &path, None).await;
    assert_eq!((listed.as_array().map(Vec::len), &listed[0]), (Some(2), &shown));
    // All or none: the first of these is there, the second is not.
    let unknown = json!({"permissions": [permission("read:orders"), permission("burn:orders")]});
    let (status, _) = tenant.call(Method::POST, &path, Some(unknown)).await;
    assert_eq!(status, 404);
    for body in [json!({}), json!({"permissions": {}}), json!({"permissions": [{"permission_name": "read:orders"}]})] {
        let (status, refusal) = tenant.call(Method::POST, &path, Some(body)).await;
        assert_eq!((status, &refusal["errorCode"]), (400, &json!("invalid_body")), "{refusal}");
    }
    let (status, _) = tenant.call(Method::POST, "/roles", Some(json!({"name": "x", "permissions": []}))).await;
    assert_eq!(status, 400, "permissions have endpoints of their own");
    let (status, _) = tenant.call(Method::DELETE, &path, Some(both)).await;
    assert_eq!(status, 204);
    assert_eq!(tenant.call(Method::GET, &path, None).await.1, json!([]));
}

#[tokio::test]
async fn an_action_is_deployed_once_it_is_built_and_bound_once_it_is_deployed() {
    let tenant = tenant().await;
    let body = json!({"name": "Greet", "supported_triggers": [{"id": "post-login", "version": "v3"}], "code": "// 1",
                      "secrets": [{"name": "KEY", "value": "a secret value"}]});
    let made = tenant.post("/actions/actions", body).await;
    let action = format!("/actions/actions/{}", text(&made["id"]));
    assert_eq!((&made["status"], &made["all_changes_deployed"]), (&json!("pending"), &json!(false)));
    assert_eq!((made["secrets"][0]["name"].as_str(), made["secrets"][0].get("value")), (Some("KEY"), None));
    let (status, refusal) = tenant.call(Method::POST, &format!("{action}/deploy"), None).await;
    assert!(status == 400 && text(&refusal["message"]).contains("must be in the 'built' state"), "{refusal}");

    let bind = |kind: &str, value: &Value| json!({"bindings": [{"ref": {"type": kind, "value": value}, "display_name": "Greets"}]});
    let bindings = "/actions/triggers/post-login/bindings";
    let (status, refusal) = tenant.call(Method::PATCH, bindings, Some(bind("action_name", &json!("Greet")))).await;
    assert!(status == 400 && text(&refusal["message"]).contains("must be deployed"), "{refusal}");
    let (status, refusal) = tenant.call(Method::PATCH, bindings, Some(bind("action_name", &json!("Other")))).await;
    assert!(status == 400 && text(&refusal["message"]).contains("does not exist"), "{refusal}");

    let version = tenant.post(&format!("{action}/deploy"), json!({})).await;
    assert_eq!((&version["number"], &version["deployed"]), (&json!(1), &json!(false)));
    let live = tenant.get(&action).await;
    assert_eq!((&live["all_changes_deployed"], &live["deployed_version"]["deployed"]), (&json!(true), &json!(true)));
    assert_eq!((&live["current_version"]["status"], &live["current_version"]["number"]), (&json!("BUILT"), &json!(1)));
    assert_eq!(live["deployed_version"]["secrets"][0].get("value"), None);

    for (kind, value) in [("action_name", &json!("Greet")), ("action_id", &made["id"])] {
        let (status, bound) = tenant.call(Method::PATCH, bindings, Some(bind(kind, value))).await;
        assert_eq!((status, &bound["bindings"][0]["action"]["name"]), (200, &json!("Greet")), "{bound}");
    }
    let listed = tenant.get(bindings).await;
    assert_eq!((&listed["total"], &listed["per_page"], listed.get("page")), (&json!(1), &json!(20), None));
    let body = bind("binding_id", &listed["bindings"][0]["id"]);
    let (status, kept) = tenant.call(Method::PATCH, bindings, Some(body)).await;
    assert_eq!((status, &kept["bindings"][0]["id"]), (200, &listed["bindings"][0]["id"]), "{kept}");

    let (_, renamed) = tenant.call(Method::PATCH, &action, Some(json!({"name": "Hello", "code": "// 2"}))).await;
    assert_eq!((&renamed["status"], &renamed["all_changes_deployed"]), (&json!("pending"), &json!(false)));
    assert_eq!(renamed["deployed_version"]["code"], "// 1");
    assert_eq!(tenant.get(bindings).await["bindings"][0]["action"]["name"], "Hello");

    let (status, refusal) = tenant.call(Method::DELETE, &action, None).await;
    assert_eq!(status, 400, "{refusal}");
    assert_eq!(tenant.call(Method::DELETE, &format!("{action}?force=true"), None).await.0, 204);
    assert_eq!(tenant.get(bindings).await, json!({"bindings": [], "per_page": 20}));
    assert_eq!(tenant.call(Method::DELETE, &action, None).await.0, 404);
}

#[tokio::test]
async fn versions_of_actions_and_modules_are_kept_and_can_come_back() {
    let tenant = tenant().await;
    let body = json!({"name": "greeter", "code": "// 1", "publish": true});
    let module = tenant.post("/actions/modules", body).await;
    let path = format!("/actions/modules/{}", text(&module["id"]));
    let version = tenant.get(&format!("{path}/versions")).await["versions"][0].clone();
    assert_eq!((&version["version_number"], &version["code"]), (&json!(1), &json!("// 1")));
    let (_, changed) = tenant.call(Method::PATCH, &path, Some(json!({"code": "// 2"}))).await;
    assert_eq!(
        (&changed["all_changes_published"], &changed["latest_version"]["code"]),
        (&json!(false), &json!("// 1"))
    );
    tenant.post(&format!("{path}/versions"), json!({})).await;
    assert_eq!(tenant.get(&path).await["latest_version_number"], 2);
    let back = tenant.post(&format!("{path}/rollback"), json!({"module_version_id": version["id"]})).await;
    assert_eq!(back["code"], "// 1");

    let body = json!({"name": "Uses it", "supported_triggers": [{"id": "post-login"}], "deploy": true,
                      "modules": [{"module_id": module["id"], "module_version_id": version["id"]}]});
    let action = tenant.post("/actions/actions", body).await;
    assert_eq!(action["modules"][0]["module_name"], "greeter");
    assert_eq!(action["modules"][0]["module_version_number"], 1);
    let users = tenant.get(&format!("{path}/actions")).await;
    assert_eq!((&users["total"], &users["actions"][0]["action_name"]), (&json!(1), &json!("Uses it")));
    assert_eq!(tenant.get(&path).await["actions_using_module_total"], 1);
    assert_eq!(tenant.call(Method::DELETE, &path, None).await.0, 412);

    let path = format!("/actions/actions/{}", text(&action["id"]));
    let first = tenant.get(&path).await["deployed_version"]["id"].clone();
    tenant.call(Method::PATCH, &path, Some(json!({"code": "// 2"}))).await;
    tenant.get(&path).await;
    tenant.post(&format!("{path}/deploy"), json!({})).await;
    tenant.post(&format!("{path}/versions/{}/deploy", text(&first)), json!({})).await;
    let versions = tenant.get(&format!("{path}/versions")).await;
    let deployed: Vec<bool> =
        versions["versions"].as_array().unwrap().iter().map(|version| version["deployed"] == true).collect();
    assert_eq!(deployed, [false, false, true]);
    assert_eq!(tenant.get("/actions/actions?triggerId=post-login&deployed=true").await["total"], 1);
    assert_eq!(tenant.get("/actions/actions?actionName=Other").await, json!({"actions": [], "per_page": 20}));
    let (status, refusal) = tenant.call(Method::GET, "/actions/actions?include_totals=true", None).await;
    assert!(status == 400 && text(&refusal["message"]).contains("include_totals"), "{refusal}");
}

#[tokio::test]
async fn an_email_template_is_there_once_it_was_written() {
    let tenant = tenant().await;
    let path = "/email-templates/welcome_email";
    for (method, path, status) in [
        (Method::GET, path, 404),
        (Method::PATCH, path, 404),
        (Method::PUT, path, 404),
        (Method::GET, "/email-templates/other", 400),
    ] {
        let body = (method != Method::GET).then(|| json!({"template": "welcome_email"}));
        assert_eq!(tenant.call(method, path, body).await.0, status);
    }
    let body = json!({"template": "welcome_email", "subject": "Hello", "body": "<p>", "enabled": true});
    tenant.post("/email-templates", body.clone()).await;
    assert_eq!(tenant.call(Method::POST, "/email-templates", Some(body)).await.0, 409);
    let (_, changed) = tenant.call(Method::PATCH, path, Some(json!({"subject": null}))).await;
    assert_eq!(changed, json!({"template": "welcome_email", "body": "<p>", "enabled": true}));
    let body = json!({"template": "welcome_email", "subject": "Anew"});
    let (status, replaced) = tenant.call(Method::PUT, path, Some(body.clone())).await;
    assert_eq!((status, replaced), (200, body));
}

#[tokio::test]
async fn a_log_stream_has_the_sink_of_its_type() {
    let tenant = tenant().await;
    let sink = json!({"mixpanelRegion": "us", "mixpanelProjectId": "1", "mixpanelServiceAccountUsername": "u",
                      "mixpanelServiceAccountPassword": "a secret value"});
    let body =
        json!({"name": "m", "type": "mixpanel", "sink": sink, "filters": [], "pii_config": {"log_fields": ["email"]}});
    let stream = tenant.post("/log-streams", body).await;
    assert_eq!(stream["sink"]["mixpanelServiceAccountPassword"], "********");
    assert_eq!((&stream["pii_config"]["method"], stream.get("filters")), (&json!("hash"), None));
    let path = format!("/log-streams/{}", text(&stream["id"]));
    let sink = json!({"mixpanelRegion": "eu", "mixpanelProjectId": "1", "mixpanelServiceAccountUsername": "u"});
    let (status, changed) = tenant.call(Method::PATCH, &path, Some(json!({"sink": sink}))).await;
    assert_eq!((status, changed.get("pii_config")), (200, None), "{changed}");
    assert_eq!(changed["sink"]["mixpanelServiceAccountPassword"], "********");
    for (method, path, body) in [
        (Method::POST, "/log-streams", json!({"name": "h", "type": "http", "sink": {}})),
        (Method::POST, "/log-streams", json!({"name": "h", "type": "other", "sink": {}})),
        (Method::PATCH, path.as_str(), json!({"type": "http"})),
    ] {
        let (status, refusal) = tenant.call(method, path, Some(body)).await;
        assert_eq!(status, 400, "{refusal}");
    }
    let sink = json!({"awsAccountId": "123456789012", "awsRegion": "us-east-2"});
    let stream = tenant.post("/log-streams", json!({"name": "e", "type": "eventbridge", "sink": sink})).await;
    assert!(text(&stream["sink"]["awsPartnerEventSource"]).starts_with("aws.partner/auth0.com/"));
    let path = format!("/log-streams/{}", text(&stream["id"]));
    assert_eq!(tenant.call(Method::PATCH, &path, Some(json!({"sink": sink}))).await.0, 400);
    let (status, paused) = tenant.call(Method::PATCH, &path, Some(json!({"status": "paused"}))).await;
    assert_eq!((status, &paused["status"]), (200, &json!("paused")));
    assert_eq!(tenant.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(tenant.call(Method::DELETE, &path, None).await.0, 404);
}
