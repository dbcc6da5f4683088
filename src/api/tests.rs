use std::time::Duration;

use serde_json::{Value, json};

use super::auth::Credentials;
use super::clock::Clock;
use super::failure::Cause;
use super::testing::{Asked, Reply, Server};
use super::{Client, Connection, Roots, Trust};
use crate::kinds::Registry;
use crate::kinds::kind::{Kind, Method};
use crate::plan::call::Call;
use crate::tenant::Tenant;
use crate::tenant::needs::Needs;

fn kinds() -> Vec<&'static Kind> {
    ["tenant", "resourceServers", "clients", "clientGrants", "customDomains"].map(kind).to_vec()
}

fn kind(name: &str) -> &'static Kind {
    Registry::builtin().get(name).unwrap()
}

fn call(method: Method, path: &str) -> Call {
    Call::new(method, path, Some(json!({ "name": "n" })))
}

fn clients(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|at| json!({"client_id": format!("c{at}"), "name": format!("App {at}")})).collect()
}

/// Plays a tenant of some applications and nothing else.
fn tenant(count: usize, asked: &Asked) -> Reply {
    Reply::Json(
        200,
        match asked.line.as_str() {
            "GET /api/v2/clients" => {
                let (page, size) = (asked.number("page").unwrap(), asked.number("per_page").unwrap());
                let start = (page * size).min(count);
                let items = clients(start..(start + size).min(count));
                json!({"start": start, "limit": size, "total": count, "clients": items})
            }
            "GET /api/v2/tenants/settings" => json!({"friendly_name": "Northwind"}),
            "GET /api/v2/custom-domains" => json!([]),
            "GET /api/v2/resource-servers" => json!({"start": 0, "limit": 100, "total": 0, "resource_servers": []}),
            "GET /api/v2/client-grants" => json!({"start": 0, "limit": 100, "total": 0, "client_grants": []}),
            other => panic!("{other}"),
        },
    )
}

async fn fetched(server: &Server) -> Tenant {
    server.client().await.fetch(&[kind("clients")], &Needs::default()).await.unwrap()
}

#[tokio::test]
async fn a_tenant_is_read_with_one_request_a_page_in_three_rounds() {
    let server = Server::start(|_, asked| tenant(250, asked));
    let client = server.client().await;
    let found = client.fetch(&kinds(), &Needs::default()).await.unwrap();
    assert_eq!(found.objects("clients").len(), 250);
    assert_eq!(found.objects("clients")[249].id.as_deref(), Some("c249"));
    assert_eq!(found.objects("clients")[3].address.to_string(), "clients/App 3");
    assert_eq!(found.objects("tenant").len(), 1);
    assert_eq!(found.kinds.len(), 5);
    let stats = client.stats();
    assert_eq!((stats.requests, stats.token_requests, stats.rounds), (8, 1, 3));
    assert_eq!(client.own_client_id(), Some("me"));
}

#[tokio::test]
async fn trouble_with_reads_is_waited_out() {
    let troubles = [
        Reply::With(429, vec![("retry-after", "20".to_owned())], json!({"statusCode": 429})),
        Reply::Json(500, json!({"statusCode": 500})),
        Reply::Html(503),
        Reply::Html(200),
        Reply::Cut(json!({"clients": clients(0..9)})),
        Reply::Hang,
    ];
    for trouble in troubles {
        let again = trouble.clone();
        let server = Server::start(move |number, asked| if number == 2 { again.clone() } else { tenant(3, asked) });
        assert_eq!(fetched(&server).await.objects("clients").len(), 3, "{trouble:?}");
        // A connection that broke may be tried anew below us, too.
        assert!(server.asked().len() >= 2, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_limit_that_is_used_up_holds_the_next_request_back() {
    let server = Server::start(|_, asked| {
        let now = Clock::default().now().as_secs();
        let headers = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", (now + 30).to_string())];
        let Reply::Json(status, value) = tenant(150, asked) else { unreachable!() };
        Reply::With(status, headers, value)
    });
    let clock = Clock::leaping();
    let client = server.connect(clock.clone()).await.unwrap();
    assert_eq!(client.fetch(&[kind("clients")], &Needs::default()).await.unwrap().objects("clients").len(), 150);
    let waited: Duration = clock.leaps().iter().sum();
    assert!(waited > Duration::from_secs(25) && waited < Duration::from_secs(32), "{waited:?}");
}

#[tokio::test]
async fn a_wait_of_hours_ends_at_once_with_a_word() {
    let server = Server::start(|_, _| {
        Reply::With(
            429,
            vec![("retry-after", "7200".to_owned())],
            json!({"statusCode": 429, "error": "Too Many Requests", "message": "Global limit has been reached"}),
        )
    });
    let error = server.client().await.fetch(&[kind("clients")], &Needs::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "GET /clients: the API answered 429: Global limit has been reached");
    assert!(error.causes[0].contains("asks to wait 2 h more"), "{error:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_kind_that_may_not_be_read_is_not_an_empty_one() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /api/v2/clients" => Reply::Json(
            403,
            json!({"statusCode": 403, "error": "Forbidden", "errorCode": "insufficient_scope",
                "message": "Insufficient scope, expected any of: read:clients"}),
        ),
        "GET /api/v2/custom-domains" => Reply::Json(404, json!({"statusCode": 404, "message": "Not here"})),
        _ => tenant(0, asked),
    });
    let found = server.client().await.fetch(&kinds(), &Needs::default()).await.unwrap();
    assert_eq!(found.unreadable["clients"].to_string(), "the token lacks the scope read:clients");
    assert_eq!(found.unreadable["customDomains"].to_string(), "the API answered 404: Not here");
    assert!(!found.kinds.contains_key("clients"));
}

#[tokio::test]
async fn what_the_plan_lacks_is_named_and_a_missing_scope_stays_one() {
    let refusal = |status: u16, code: &str, message: &str| {
        let body = json!({"statusCode": status, "error": "", "errorCode": code, "message": message});
        Reply::Json(status, body)
    };
    let server = Server::start(move |_, asked| match asked.line.as_str() {
        "GET /api/v2/supplemental-signals" => {
            refusal(403, "insufficient_scope", "Please upgrade your subscription to enable Akamai Signals.")
        }
        "GET /api/v2/network-acls" => refusal(403, "insufficient_scope", "Insufficient scope, expected any of: read:a"),
        "GET /api/v2/log-streams" => refusal(402, "payment", "Pay"),
        "GET /api/v2/actions/actions" => refusal(403, "feature_not_enabled", "Off"),
        "GET /api/v2/hooks" => refusal(501, "not_implemented", "Not here"),
        "GET /api/v2/attack-protection/captcha" => refusal(403, "insufficient_entitlement", "Please upgrade"),
        _ => Reply::Json(200, json!({})),
    });
    let client = server.client().await;
    let names = ["supplementalSignals", "networkACLs", "logStreams", "actions", "hooks", "attackProtection"];
    let found = client.fetch(&names.map(kind), &Needs::everything()).await.unwrap();
    let lacks = |name: &str| found.unreadable[name].to_string();
    assert!(lacks("supplementalSignals").starts_with("the tenant's plan lacks supplemental signals of Akamai ("));
    assert_eq!(lacks("networkACLs"), "the token lacks the scope read:a");
    assert_eq!(lacks("logStreams"), "the tenant's plan lacks log streams (the API answered 402 (payment): Pay)");
    assert!(lacks("actions").starts_with("the tenant's plan lacks what `actions` needs ("), "{}", lacks("actions"));
    assert_eq!(lacks("hooks"), "the API answered 501 (not_implemented): Not here");
    assert!(lacks("attackProtection.captcha").starts_with("the tenant's plan lacks bot detection ("));
    assert_eq!(found.kinds.keys().collect::<Vec<_>>(), ["attackProtection"]);
}

#[tokio::test]
async fn a_page_size_that_is_refused_becomes_fifty() {
    let server = Server::start(|_, asked| match asked.number("per_page") {
        Some(100) => Reply::Json(400, json!({"statusCode": 400, "errorCode": "invalid_query_string"})),
        _ => tenant(120, asked),
    });
    assert_eq!(fetched(&server).await.objects("clients").len(), 120);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let server = Server::start(|_, asked| match asked.authorization.as_str() {
        "Bearer token-1" => Reply::Json(401, json!({"statusCode": 401, "message": "Invalid token"})),
        _ => tenant(1, asked),
    });
    assert_eq!(fetched(&server).await.objects("clients").len(), 1);
    let server =
        Server::start(|_, _| Reply::Json(401, json!({"statusCode": 401, "message": "Invalid token: token-3"})));
    let client = server.client().await;
    let error = client.fetch(&[kind("clients")], &Needs::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "GET /clients: the API answered 401: Invalid token: (sensitive)");
    assert_eq!(client.stats().token_requests, 2);
}

#[tokio::test]
async fn requests_whose_token_is_refused_side_by_side_share_one_new_token() {
    let server = Server::start(|_, asked| match asked.authorization.as_str() {
        "Bearer token-1" => Reply::Json(401, json!({"statusCode": 401, "message": "Invalid token"})),
        _ => Reply::Json(200, json!({})),
    });
    let client = server.client().await;
    let calls: Vec<Call> = (0..6).map(|at| call(Method::Patch, &format!("/clients/{at}"))).collect();
    futures_util::future::try_join_all(calls.iter().map(|call| client.send(call))).await.unwrap();
    assert_eq!(client.stats().token_requests, 2);
}

#[tokio::test]
async fn a_ready_token_is_used_as_it_is() {
    let server = Server::bare(|_, asked| {
        assert_eq!(asked.authorization, "Bearer ready-token");
        tenant(1, asked)
    });
    let connection = Connection {
        credentials: Credentials::AccessToken("ready-token".into()),
        ..server.connection(Clock::leaping())
    };
    let client = Client::connect(connection).await.unwrap();
    client.fetch(&[kind("clients")], &Needs::default()).await.unwrap();
    assert_eq!((client.stats().token_requests, client.stats().rounds), (0, 1));
}

#[tokio::test]
async fn writes_are_repeated_only_where_that_is_safe() {
    use Cause::{Refused, Unknown};
    use Method::{Delete, Patch, Post, Put};
    let cases = [
        // method, first answer, ends well or badly
        (Post, Reply::Json(429, json!({})), Ok(201)),
        (Post, Reply::Json(500, json!({})), Err(Unknown)),
        (Post, Reply::Hang, Err(Unknown)),
        (Post, Reply::Cut(json!({"client_id": "abc"})), Err(Unknown)),
        (Post, Reply::Html(200), Err(Unknown)),
        (Post, Reply::Json(409, json!({})), Err(Refused)),
        (Patch, Reply::Json(500, json!({})), Ok(201)),
        (Patch, Reply::Json(400, json!({})), Err(Refused)),
        (Put, Reply::Json(503, json!({})), Ok(201)),
        (Delete, Reply::Hang, Ok(201)),
    ];
    for (method, first, end) in cases {
        let trouble = first.clone();
        let server =
            Server::start(
                move |number, _| {
                    if number == 2 { trouble.clone() } else { Reply::Json(201, json!({"client_id": "abc"})) }
                },
            );
        let result = server.client().await.send(&call(method, "/clients")).await;
        let result = result.map(|answer| answer.status).map_err(|failure| failure.cause);
        assert_eq!(result, end, "{method} {first:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_no_tenant_is_named() {
    let server = Server::bare(|_, _| Reply::Html(200));
    let error = server.connect(Clock::leaping()).await.unwrap_err();
    assert_eq!(error.to_string(), "POST /oauth/token: the answer 200 is an HTML page");
    assert!(error.hint.unwrap().contains("does not look like an Auth0 tenant"));
    assert_eq!(server.log_size(), 1);

    let gone = Connection { base_url: "http://127.0.0.1:1".to_owned(), ..server.connection(Clock::leaping()) };
    let error = Client::connect(gone).await.unwrap_err();
    assert_eq!(error.to_string(), "POST /oauth/token: can't connect to `127.0.0.1`");
}

#[tokio::test]
async fn a_wrong_secret_is_said_and_not_shown() {
    let server = Server::bare(|_, asked| {
        let description = format!("Unauthorized: {}", asked.body);
        Reply::Json(401, json!({"error": "access_denied", "error_description": description}))
    });
    let error = server.connect(Clock::leaping()).await.unwrap_err();
    assert!(error.to_string().starts_with("POST /oauth/token: the tenant answered 401 (access_denied): Unauthorized"));
    assert!(!format!("{error:?}").contains("s3cret-word"));
    assert!(error.hint.unwrap().contains("check client id and secret"));
}

#[tokio::test]
async fn a_certificate_is_refused_unless_somebody_vouches_for_it() {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.cert.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = acceptor.accept(stream).await;
        }
    });
    let server = Server::start(|_, _| Reply::Hang);
    let base_url = format!("https://localhost:{port}");
    let connection = |roots| {
        let (base_url, trust) = (base_url.clone(), Trust::begin(roots, false));
        Connection { base_url, trust, ..server.connection(Clock::leaping()) }
    };
    let error = Client::connect(connection(Vec::new())).await.unwrap_err();
    assert_eq!(error.to_string(), "POST /oauth/token: the certificate of `localhost` is not trusted");
    assert!(error.hint.unwrap().contains("--ca-bundle"));

    let roots = vec![Roots { from: "--ca-bundle own.pem".to_owned(), pem: certificate.cert.pem().into_bytes() }];
    let error = Client::connect(connection(roots)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "POST /oauth/token: the connection broke before the answer came",
        "it is trusted now"
    );
}

/// Plays a tenant of two roles, of connections of both kinds, and of one email template.
fn with_lists(asked: &Asked) -> Reply {
    let page = |items: &str, values: Value| json!({"start": 0, "limit": 100, "total": 2, items: values});
    Reply::Json(
        200,
        match asked.line.as_str() {
            "GET /api/v2/roles" => {
                page("roles", json!([{"id": "r1", "name": "Clerk"}, {"id": "r2", "name": "Auditor"}]))
            }
            "GET /api/v2/roles/r1/permissions" | "GET /api/v2/roles/r2/permissions" => {
                let permission = |name: &str| json!({"permission_name": name, "resource_server_identifier": "api", "resource_server_name": "API"});
                page("permissions", json!([permission("read"), permission("write")]))
            }
            "GET /api/v2/connections" => json!({"connections": [
                {"id": "con_1", "name": "users", "strategy": "auth0"}, {"id": "con_2", "name": "okta", "strategy": "oidc"},
            ]}),
            "GET /api/v2/connections/con_1/clients" => json!({"clients": [{"client_id": "c1"}, {"client_id": "c2"}]}),
            "GET /api/v2/email-templates/verify_email" => json!({"template": "verify_email", "body": "<p>"}),
            line if line.contains("/email-templates/") => return Reply::Json(404, json!({"statusCode": 404})),
            other => panic!("{other}"),
        },
    )
}

/// What a definition of one kind needs.
fn needs_of(kind_name: &str, value: &Value) -> Needs {
    let value = value.as_object().unwrap().clone();
    let address = crate::tenant::Address::of(kind(kind_name), &value);
    let object = crate::tenant::Object { address, id: None, value, provenance: std::sync::Arc::default() };
    let kinds = std::collections::BTreeMap::from([(kind_name.to_owned(), vec![object])]);
    Needs::of(Registry::builtin(), &Tenant { kinds, ..Tenant::default() }, &[])
}

#[tokio::test]
async fn lists_below_objects_are_read_where_a_definition_has_them() {
    let server = Server::start(|_, asked| with_lists(asked));
    let needs = needs_of("roles", &json!({"name": "Clerk", "permissions": []}));
    let found = server.client().await.fetch(&[kind("roles")], &needs).await.unwrap();
    let [clerk, auditor] = found.objects("roles") else { panic!("two roles") };
    let permission = |name: &str| json!({"permission_name": name, "resource_server_identifier": "api"});
    let declared = clerk.value["permissions"].as_array().unwrap().iter().map(|element| {
        json!({"permission_name": element["permission_name"], "resource_server_identifier": element["resource_server_identifier"]})
    });
    assert_eq!(declared.collect::<Vec<_>>(), [permission("read"), permission("write")]);
    assert_eq!(auditor.value.get("permissions"), None);
    assert_eq!(server.lines(), ["GET /roles", "GET /roles/r1/permissions"]);
}

#[tokio::test]
async fn what_a_list_shows_in_part_is_read_in_full_where_a_definition_has_it_or_for_an_export() {
    let forms = |asked: &Asked| match asked.line.as_str() {
        "GET /api/v2/forms" => {
            let summary = |id: &str, name: &str| json!({"id": id, "name": name, "flow_count": 0});
            let forms = [summary("ap_1", "Ask"), summary("ap_2", "Other"), summary("ap_3", "Gone")];
            Reply::Json(200, json!({"start": 0, "limit": 100, "total": 3, "forms": forms}))
        }
        "GET /api/v2/forms/ap_1" => Reply::Json(200, json!({"id": "ap_1", "name": "Ask", "start": {"next_node": "a"}})),
        "GET /api/v2/forms/ap_2" => Reply::Json(200, json!({"id": "ap_2", "name": "Other", "nodes": []})),
        "GET /api/v2/forms/ap_3" => Reply::Json(404, json!({"statusCode": 404, "message": "Form not found"})),
        other => panic!("{other}"),
    };
    let server = Server::start(move |_, asked| forms(asked));
    let needs = needs_of("forms", &json!({"name": "Ask"}));
    let found = server.client().await.fetch(&[kind("forms")], &needs).await.unwrap();
    let [ask, other, gone] = found.objects("forms") else { panic!("three forms") };
    assert_eq!(ask.value["start"], json!({"next_node": "a"}));
    assert_eq!((other.address.to_string(), gone.id.as_deref()), ("forms/Other".to_owned(), Some("ap_3")));
    assert_eq!(server.lines(), ["GET /forms", "GET /forms/ap_1"]);
    // What is deleted after it was listed is not there.
    let found = server.client().await.fetch(&[kind("forms")], &Needs::everything()).await.unwrap();
    let [_, other] = found.objects("forms") else { panic!("two forms") };
    assert_eq!(other.value["nodes"], json!([]));
}

#[tokio::test]
async fn a_list_that_two_kinds_share_is_read_once() {
    let server = Server::start(|_, asked| with_lists(asked));
    let needs = needs_of("databases", &json!({"name": "users", "enabled_clients": []}));
    let kinds = [kind("connections"), kind("databases")];
    let found = server.client().await.fetch(&kinds, &needs).await.unwrap();
    assert_eq!(found.objects("connections")[0].address.to_string(), "connections/okta");
    assert_eq!(found.objects("databases")[0].value["enabled_clients"], json!(["c1", "c2"]));
    let lists = ["GET /connections", "GET /connections/con_1/clients"];
    assert_eq!(server.lines(), lists);
}

#[tokio::test]
async fn the_list_of_the_kind_with_the_most_definitions_is_asked_first() {
    let server = Server::start(|_, asked| tenant(1, asked));
    let client = server.client().await;
    let needs = needs_of("clientGrants", &json!({"client_id": "c1", "audience": "api", "scope": []}));
    client.fetch(&kinds(), &needs).await.unwrap();
    assert!(server.lines()[..2].contains(&"GET /client-grants".to_owned()), "{:?}", server.lines());
}

#[tokio::test]
async fn what_has_a_fixed_name_is_read_by_it_and_404_says_that_it_is_not_set() {
    let server = Server::start(|_, asked| with_lists(asked));
    let found = server.client().await.fetch(&[kind("emailTemplates")], &Needs::default()).await.unwrap();
    let addresses: Vec<String> = found.objects("emailTemplates").iter().map(|it| it.address.to_string()).collect();
    assert_eq!(addresses, ["emailTemplates/verify_email"]);
    assert!(!found.unreadable.contains_key("emailTemplates"));
}

#[tokio::test]
async fn a_fixed_name_that_is_always_there_may_have_nothing_and_one_list_may_answer_all_of_them() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /api/v2/guardian/factors/sms/templates" => Reply::Json(200, Value::Null),
        "GET /api/v2/guardian/factors" => Reply::Json(200, json!([{"name": "otp", "enabled": true}, {"name": "sms"}])),
        other => panic!("{other}"),
    });
    let kinds = ["guardianFactorTemplates", "guardianFactors"].map(kind);
    let found = server.client().await.fetch(&kinds, &Needs::everything()).await.unwrap();
    assert_eq!(json!(found.objects("guardianFactorTemplates")[0].value), json!({"name": "sms"}));
    let factors: Vec<_> = found.objects("guardianFactors").iter().map(|it| it.id.as_deref().unwrap()).collect();
    assert_eq!((factors, server.asked().len()), (vec!["otp", "sms"], 2));
}

#[tokio::test]
async fn a_name_of_two_fields_stands_in_the_path_in_its_parts() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /api/v2/guardian/factors/sms/providers/twilio" => Reply::Json(200, json!({})),
        "GET /api/v2/guardian/factors/push-notification/providers/sns" => Reply::Json(200, json!({"aws_region": "a"})),
        other => panic!("{other}"),
    });
    let kind = kind("guardianFactorProviders");
    let found = server.client().await.fetch(&[kind], &Needs::everything()).await.unwrap();
    let objects: Vec<_> =
        found.objects(&kind.name).iter().map(|it| (it.id.as_deref().unwrap(), json!(it.value))).collect();
    let sns = json!({"aws_region": "a", "name": "push-notification", "provider": "sns"});
    assert_eq!(objects, [("sms/twilio", json!({"name": "sms", "provider": "twilio"})), ("push-notification/sns", sns)]);
}

#[tokio::test]
async fn a_list_below_an_object_that_may_not_be_read_forbids_a_plan_and_is_told_by_an_export() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /api/v2/roles/r1/permissions" => Reply::Json(403, json!({"statusCode": 403, "message": "Not here"})),
        // The object says something of it too.
        "GET /api/v2/roles" => Reply::Json(
            200,
            json!({"start": 0, "limit": 100, "total": 2, "roles": [
                {"id": "r1", "name": "Clerk", "permissions": []}, {"id": "r2", "name": "Auditor"},
            ]}),
        ),
        _ => with_lists(asked),
    });
    let client = server.client().await;
    let needs = needs_of("roles", &json!({"name": "Clerk", "permissions": []}));
    let planned = client.fetch(&[kind("roles")], &needs).await.unwrap();
    assert!(planned.unreadable["roles"].to_string().starts_with("permissions: "), "{:?}", planned.unreadable);
    let exported = client.fetch(&[kind("roles")], &Needs::everything()).await.unwrap();
    assert_eq!(exported.objects("roles").len(), 2);
    assert!(!exported.objects("roles")[0].value.contains_key("permissions"));
    assert_eq!(exported.objects("roles")[1].value["permissions"].as_array().map(Vec::len), Some(2));
    assert!(exported.unreadable.contains_key("roles.permissions"), "{:?}", exported.unreadable);
}

#[tokio::test]
async fn a_fixed_name_that_the_tenant_does_not_know_is_told_by_an_export() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /api/v2/actions/triggers/mcp-tool/bindings" => {
            Reply::Json(400, json!({"statusCode": 400, "message": "unknown trigger"}))
        }
        _ => Reply::Json(200, json!({"bindings": [], "per_page": 100})),
    });
    let client = server.client().await;
    let found = client.fetch(&[kind("triggers")], &Needs::everything()).await.unwrap();
    assert!(found.objects("triggers").len() > 10 && found.unreadable.contains_key("triggers.bindings"));
    let needs = needs_of("triggers", &json!({"trigger_id": "mcp-tool", "bindings": []}));
    assert!(client.fetch(&[kind("triggers")], &needs).await.is_err());
}

#[tokio::test]
async fn until_the_first_answer_two_requests_are_in_flight() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let (now, most) = (AtomicUsize::new(0), std::sync::Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let server = Server::start(move |number, asked| {
        let in_flight = now.fetch_add(1, SeqCst) + 1;
        if number <= 3 {
            // Time for others to come, if they are let.
            std::thread::sleep(Duration::from_millis(50));
            seen.fetch_max(in_flight, SeqCst);
        }
        now.fetch_sub(1, SeqCst);
        tenant(1, asked)
    });
    server.client().await.fetch(&kinds(), &Needs::default()).await.unwrap();
    assert_eq!((most.load(SeqCst), server.asked().len()), (2, 5));
}

#[tokio::test]
async fn a_refusal_tells_how_the_api_names_the_request() {
    let refusal = json!({"statusCode": 400, "message": "no"});
    let cases = [
        (vec![("cf-ray", "7d"), ("x-request-id", "8f1c")], " (request 8f1c)"),
        (vec![("cf-ray", "7d")], " (request 7d)"),
        (vec![("x-request-id", "s3cret-word")], " (request (sensitive))"),
        (vec![], ""),
    ];
    for (headers, end) in cases {
        let (given, body) = (headers.clone(), refusal.clone());
        let server = Server::start(move |_, _| {
            let headers = given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            Reply::With(400, headers, body.clone())
        });
        let failure = server.client().await.send(&call(Method::Post, "/clients")).await.unwrap_err();
        assert_eq!(failure.to_string(), format!("POST /clients: the API answered 400: no{end}"));
    }
    let server = Server::start(|_, _| Reply::With(201, vec![("x-request-id", "8f1c".to_owned())], json!({})));
    let answer = server.client().await.send(&call(Method::Post, "/clients")).await.unwrap();
    assert_eq!(answer.request_id.as_deref(), Some("8f1c"));
}

#[tokio::test]
async fn it_is_told_when_a_request_really_goes_out() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let server = Server::start(|number, _| Reply::Json(if number == 2 { 429 } else { 201 }, json!({})));
    let client = server.client().await;
    let sent = AtomicUsize::new(0);
    let tell = || {
        assert_eq!(server.asked().len(), sent.fetch_add(1, SeqCst), "it is told before the server is asked");
    };
    client.send_after(&call(Method::Post, "/clients"), 0, &tell, None).await.unwrap();
    assert_eq!((sent.load(SeqCst), server.asked().len()), (2, 2));
}
