//! Exports of small tenants, compared with the whole text of the file and read back by another reader.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Exported, Layout, Options, files};
use crate::kinds::Registry;
use crate::tenant::unreadable::Lack;
use crate::tenant::{Address, Object, Tenant};

/// Makes a tenant of values, as if read from the API with names in place.
fn tenant(kinds: &Value) -> Tenant {
    let registry = Registry::builtin();
    let mut tenant = Tenant::default();
    for (name, value) in kinds.as_object().unwrap() {
        let kind = registry.get(name).unwrap();
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let object = |value: Value| {
            let Value::Object(value) = value else { panic!("an object") };
            let id = kind.handle_of(&value);
            Object { address: Address::of(kind, &value), id, value, provenance: Arc::default() }
        };
        tenant.kinds.insert(name.clone(), values.into_iter().map(object).collect());
    }
    tenant
}

fn export(kinds: &Value, options: &Options) -> Exported {
    files(Registry::builtin(), &tenant(kinds), options).unwrap()
}

fn read(exported: &Exported) -> Value {
    serde_yaml::from_str(&exported.files[0].text).unwrap()
}

fn example() -> Value {
    json!({
        "tenant": {
            "friendly_name": "Northwind", "session_lifetime_in_minutes": 181, "idle_session_lifetime": 72.0,
            "flags": { "enable_sso": true, "universal_login": true }, "sandbox_versions_available": ["22"],
            "error_page": { "html": "x" }, "support_url": null,
        },
        "customDomains": [],
        "resourceServers": [
            { "id": "2", "name": "Invoices", "identifier": "https://b", "signing_secret": "do-not-tell",
              "scopes": [{ "value": "write:b", "description": "w" }, { "value": "read:a" }] },
            { "id": "1", "name": "Auth0 Management API", "identifier": "https://a", "is_system": true },
        ],
        "clients": [
            { "client_id": "idB", "name": "b", "client_secret": "do-not-tell", "tenant": "x", "global": false,
              "cross_origin_auth": true, "callbacks": ["https://z", "https://a"], "description": "two\nlines\n",
              "client_metadata": { "z": "1", "a": "##not a keyword##" }, "from_the_future": 1,
              "client_authentication_methods": { "private_key_jwt": { "credentials": [{ "id": "cred" }] } },
              "jwt_configuration": { "alg": "RS256", "lifetime_in_seconds": 3600 } },
            { "client_id": "idA", "name": "a:b", "custom_login_page": "<html>\n\t<b>hi</b>\n</html>\n" },
            { "client_id": "own", "name": "tenantctl" },
        ],
        "clientGrants": [
            { "id": "g1", "client_id": "b", "audience": "https://b", "scope": ["write:b", "read:a"] },
            { "id": "g2", "client_id": "tenantctl", "audience": "https://a", "scope": [] },
        ],
    })
}

#[test]
fn an_export_is_the_file_that_the_peer_would_write() {
    let exported = export(&example(), &Options { own_client: Some("own".to_owned()), ..Options::default() });
    let shown: Vec<String> =
        exported.files.iter().map(|file| format!("== {}\n{}", file.path.display(), file.text)).collect();
    let problems: Vec<&str> = exported.problems.iter().map(|problem| problem.message.as_str()).collect();
    insta::assert_snapshot!(format!("{}\n== problems\n{}\n", shown.join("\n"), problems.join("\n")));
}

#[test]
fn no_secret_and_no_read_only_field_is_written() {
    let text = format!("{:?}", export(&example(), &Options::default()).files);
    for absent in
        ["do-not-tell", "client_secret", "signing_secret", "is_system", "idB", "sandbox_versions", "error_page"]
    {
        assert!(!text.contains(absent), "{absent}");
    }
}

#[test]
fn secret_elements_are_not_written() {
    let registry = Registry::parse(
        r#"[{ "kind": "things", "about": "Things.", "identity": [{ "fields": ["name"] }], "fields": {
            "name": { "type": "string" },
            "keys": { "type": "list", "items": { "type": "string", "secret": true } },
            "tokens": { "type": "map", "items": { "type": "string", "secret": true } } } }]"#,
    )
    .unwrap();
    let value = json!({"name": "a", "keys": ["do-not-tell"], "tokens": {"x": "do-not-tell"}});
    let Value::Object(value) = value else { panic!("an object") };
    let address = Address::new("things", "a");
    let object = Object { address, id: None, value, provenance: Arc::default() };
    let tenant = Tenant { kinds: [("things".to_owned(), vec![object])].into(), ..Tenant::default() };
    let exported = files(&registry, &tenant, &Options::default()).unwrap();
    assert!(exported.files[0].text.contains("name: a"), "{exported:?}");
    assert!(!format!("{exported:?}").contains("do-not-tell"), "{exported:?}");
}

#[test]
fn with_ids_each_object_keeps_its_handle() {
    let exported = read(&export(&example(), &Options { with_ids: true, ..Options::default() }));
    assert_eq!(exported["clients"][1]["client_id"], "idB");
    assert_eq!(exported["resourceServers"][0]["id"], "2");
    assert_eq!(exported["clientGrants"][0]["client_id"], "b");
}

#[test]
fn the_order_of_the_answers_makes_no_difference() {
    fn reversed(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().rev().map(reversed).collect(),
            Value::Object(map) => Value::Object(
                map.iter().rev().map(|(name, value)| (name.clone(), reversed(value))).collect::<Map<_, _>>(),
            ),
            other => other.clone(),
        }
    }
    let options = Options::default();
    assert_eq!(export(&example(), &options), export(&reversed(&example()), &options));
}

#[test]
fn objects_of_one_name_are_told_apart_by_their_handle() {
    let clients = json!({ "clients": [{ "client_id": "2", "name": "a" }, { "client_id": "1", "name": "a" }, { "client_id": "3", "name": "b" }] });
    let exported = export(&clients, &Options::default());
    assert_eq!(
        read(&exported),
        json!({ "clients": [{ "name": "a", "client_id": "1" }, { "name": "a", "client_id": "2" }, { "name": "b" }] })
    );
    assert_eq!(exported.problems[0].message, "clients/a: 2 objects have this name");
}

#[test]
fn companion_files_of_names_that_become_the_same_stand_side_by_side() {
    let page = |name: &str, text: &str| json!({ "client_id": name, "name": name, "custom_login_page": text });
    let clients = json!({ "clients": [page("a/b", "1"), page("a:b", "2"), page("../c", "3"), page("empty", "")] });
    let exported = export(&clients, &Options::default());
    let paths: Vec<&str> = exported.files.iter().map(|file| file.path.to_str().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "tenant.yaml",
            "clients/..-c_custom_login_page.html",
            "clients/a-b-2_custom_login_page.html",
            "clients/a-b_custom_login_page.html"
        ]
    );
    assert_eq!(read(&exported)["clients"][1]["custom_login_page"], "./a-b_custom_login_page.html");
    assert_eq!(read(&exported)["clients"][3]["custom_login_page"], "");
}

#[test]
fn a_text_that_looks_like_a_keyword_stays_in_the_main_file_where_it_can_be_escaped() {
    let page = "<p>##KEY## @@OTHER@@ ${{ x }}</p>\n";
    let exported = export(&json!({ "clients": [{ "name": "a", "custom_login_page": page }] }), &Options::default());
    assert_eq!(exported.files.len(), 1);
    assert!(!exported.files[0].text.contains("##KEY##"));
    assert_eq!(read(&exported)["clients"][0]["custom_login_page"], page);
    // Marks that can't be a marker do no harm in a file.
    let harmless = json!({ "clients": [{ "name": "a", "custom_login_page": "## title\n## other\n" }] });
    assert_eq!(export(&harmless, &Options::default()).files.len(), 2);
}

#[test]
fn kinds_that_were_not_read_are_left_out_and_empty_ones_are_not() {
    let mut live = tenant(&json!({ "clients": [], "clientGrants": [] }));
    live.unreadable.insert("clientGrants".to_owned(), Lack::Unknown("403".to_owned()).into());
    let exported = files(Registry::builtin(), &live, &Options::default()).unwrap();
    assert_eq!(exported.files[0].text, "clients: []\n");
    let nothing = files(Registry::builtin(), &Tenant::default(), &Options::default()).unwrap();
    assert_eq!(read(&nothing), json!({}));
}

#[test]
fn hours_are_written_so_that_they_become_the_same_minutes() {
    for minutes in 1..20_000_u32 {
        let exported = export(&json!({ "tenant": { "session_lifetime_in_minutes": minutes } }), &Options::default());
        let hours = read(&exported)["tenant"]["session_lifetime"].as_f64().unwrap();
        assert!((hours * 60.0 - f64::from(minutes)).abs() < 0.01, "{minutes}");
    }
}

#[test]
fn what_the_api_hides_from_the_token_is_told() {
    let hidden = json!({ "connections": [{ "id": "con_1", "name": "okta", "strategy": "oidc" }] });
    let problems = export(&hidden, &Options::default()).problems;
    assert_eq!(problems[0].message, "connections: `options` is left out: the API does not show it");
    assert_eq!(problems[0].hint.as_deref(), Some("the token lacks the scope read:connections_options"));
}

#[test]
fn keywords_stand_for_secrets_and_fixed_names_are_a_map() {
    let live = json!({
        "logStreams": [{ "id": "l", "name": "a", "type": "http", "sink": { "httpEndpoint": "https://a.example", "httpAuthorization": "hush" } }],
        "triggers": [
            { "trigger_id": "post-login", "bindings": [{ "id": "b", "action_name": "Greet", "display_name": "Hello" }] },
            { "trigger_id": "credentials-exchange", "bindings": [] },
        ],
    });
    let exported = export(&live, &Options::default());
    assert!(
        exported.files[0].text.contains("httpAuthorization: '##LOGSTREAMS_HTTP_SECRET##'\n"),
        "{}",
        exported.files[0].text
    );
    assert!(exported.problems[0].message.ends_with("the keywords LOGSTREAMS_HTTP_SECRET"), "{:?}", exported.problems);
    let bound = json!({ "post-login": [{ "action_name": "Greet", "display_name": "Hello" }] });
    assert_eq!(read(&exported)["triggers"], bound);
}

#[test]
fn in_the_directory_layout_each_object_has_a_file_that_no_other_has() {
    let script = |text: &str| json!({ "customScripts": { "login": text } });
    let kinds = json!({
        "clients": [{ "client_id": "1", "name": "a:b", "custom_login_page": "<p>1" }, { "client_id": "2", "name": "a/b" }],
        "resourceServers": [{ "id": "1", "name": "Rates", "identifier": "https://rates" }],
        "clientGrants": [
            { "id": "1", "client_id": "a:b", "audience": "https://rates" },
            { "id": "2", "client_id": "a:b", "audience": "https://rates", "subject_type": "user" },
            { "id": "3", "client_id": "a:b", "audience": "https://gone" },
            { "id": "4", "default_for": "third_party_clients", "audience": "https://rates" },
        ],
        "databases": [
            { "id": "1", "name": "a?", "strategy": "auth0", "options": script("// 1") },
            { "id": "2", "name": "a*", "strategy": "auth0", "options": script("// ##2##") },
            { "id": "3", "name": "A-", "strategy": "auth0", "options": script("// 3") },
        ],
        "emailTemplates": [{ "template": "verify_email", "subject": "s" }, { "template": "welcome_email", "body": "<p>" }],
        "roles": [], "customDomains": [], "triggers": [],
    });
    let exported = export(&kinds, &Options { layout: Layout::Directory, ..Options::default() });
    let shown = exported.files.iter().map(|file| file.path.to_str().unwrap());
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "clients/a-b-2.json",
            "clients/a-b.json",
            "clients/a-b_custom_login_page.html",
            "custom-domains/custom-domains.json",
            "database-connections/A-/database.json",
            "database-connections/A-/login.js",
            "database-connections/a--2/database.json",
            "database-connections/a--3/database.json",
            "database-connections/a--3/login.js",
            "emails/verify_email.json",
            "emails/welcome_email.html",
            "emails/welcome_email.json",
            "grants/a-b-Rates-2.json",
            "grants/a-b-Rates.json",
            "grants/a-b-https---gone.json",
            "grants/third_party_clients-Rates.json",
            "resource-servers/Rates.json",
            "triggers/triggers.json",
        ]
    );
    assert_eq!(exported.folders, [std::path::PathBuf::from("roles")]);
    let text = |path: &str| {
        let found = exported.files.iter().find(|file| file.path.to_str() == Some(path));
        found.map_or_else(|| panic!("no {path}"), |file| file.text.clone())
    };
    assert!(text("database-connections/a--3/database.json").contains("\"login\": \"./login.js\""));
    assert!(
        text("database-connections/a--2/database.json").contains("\"login\": \"// \\u0023\\u00232\\u0023\\u0023\"")
    );
    assert!(text("emails/verify_email.json").contains("\"body\": null"));
    assert_eq!(
        (text("custom-domains/custom-domains.json"), text("triggers/triggers.json")),
        ("[]\n".into(), "{}\n".into())
    );
}
