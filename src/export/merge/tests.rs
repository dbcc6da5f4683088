use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Merge, Placed, Takes};
use crate::config::fill::Filler;
use crate::config::keywords::{Keyword, Keywords};
use crate::config::parse::Parser;
use crate::config::variables::Variables;
use crate::config::{substitute, yaml};
use crate::error::{Problems, SourceText};
use crate::kinds::Registry;
use crate::secret::Secrets;
use crate::tenant::{Address, Object};

fn keywords() -> Keywords {
    let mut keywords = Keywords::default();
    for (name, value) in [
        ("ENV", json!("dev")),
        ("URL", json!("https://dev.example/cb")),
        ("MORE", json!("\"https://b.example\", \"https://c.example\"")),
        ("GRANTS", json!(["client_credentials"])),
        ("TTL", json!(3600)),
    ] {
        keywords.set(
            name,
            Keyword { value: Some(value), is_secret: false, variable: None, origin: None, is_ambient: false },
        );
    }
    keywords
}

/// Merges a live tenant into a text: the text, and what was said.
fn merged(text: &str, live: &Value, keeps_markers: bool) -> (String, Vec<String>) {
    let registry = Registry::builtin();
    let source = SourceText::new("tenant.yaml", text);
    let keywords = keywords();
    let mut problems = Problems::default();
    let read = substitute::definitions(&source, &keywords);
    let (variables, secrets) = (Variables::default(), Secrets::default());
    let mut filler = Filler::new(&read, &keywords, &variables, "dev", &secrets);
    let root = yaml::read(read.text(), &mut filler, &mut problems).unwrap();
    drop(filler);
    let mut files = |_: &str| unreachable!();
    let mut parser = Parser::new(&read, registry, &keywords, "dev", &mut files);
    let locals = parser.tenant(&root);
    let wrong = std::mem::take(&mut parser.problems);
    assert!(!wrong.has_errors(), "{:?}", wrong.sorted().iter().map(|problem| &problem.message).collect::<Vec<_>>());
    let mut objects = BTreeMap::new();
    for (name, values) in live.as_object().unwrap() {
        let kind = registry.get(name).unwrap();
        let values = values.as_array().map_or_else(|| vec![values.clone()], Clone::clone);
        let object = |value: &Value| {
            let value = value.as_object().unwrap().clone();
            let address = Address::of(kind, &value);
            (Object { address, id: None, value: value.clone(), provenance: Arc::default() }, value)
        };
        objects.insert(kind.name.as_str(), values.iter().map(object).collect::<Vec<_>>());
    }
    let theirs = objects
        .iter()
        .map(|(kind, objects)| {
            (
                (*kind).to_owned(),
                objects
                    .iter()
                    .map(|(live, value)| Placed { live, value: value.clone(), path: None, entry: None })
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let mut merge = Merge::new(&read, Takes { markers_first: keeps_markers, all_fields: true });
    merge.kinds(registry, &root, &locals, &theirs, &|_| true).unwrap();
    let said = merge.problems.iter().map(|problem| problem.message.clone()).collect();
    (merge.text(), said)
}

fn of(text: &str, live: &Value) -> String {
    merged(text, live, false).0
}

const TEXT: &str = r#"# What we have.
clients:
  - name: App ##ENV##   # by environment
    callbacks:
      # the first
      - '##URL##'
      - "https://a.example"
    grant_types: @@GRANTS@@
    allowed_origins: [ "https://a.example", ##MORE## ]
    jwt_configuration:
      lifetime_in_seconds: ##TTL##
      alg: RS256

  # The other one.
  - { name: Other, app_type: spa }
resourceServers:
  - identifier: https://${{ ENV }}.example/
    name: 'Our API'
    scopes:
      - value: read
      - { value: write, description: "Write ##ENV##" }
"#;

fn live() -> Value {
    json!({
        "clients": [
            { "name": "App dev", "callbacks": ["https://a.example", "https://dev.example/cb"],
              "grant_types": ["client_credentials"],
              "allowed_origins": ["https://a.example", "https://b.example", "https://c.example"],
              "jwt_configuration": { "alg": "RS256", "lifetime_in_seconds": 3600 } },
            { "name": "Other", "app_type": "spa" },
        ],
        "resourceServers": [
            { "identifier": "https://dev.example/", "name": "Our API",
              "scopes": [{ "value": "read" }, { "value": "write", "description": "Write dev" }] },
        ],
    })
}

#[test]
fn what_equals_the_tenant_stays_byte_for_byte() {
    assert_eq!(merged(TEXT, &live(), false), (TEXT.to_owned(), vec![]));
}

#[test]
fn just_what_differs_is_written_anew() {
    let mut live = live();
    live["clients"][0]["callbacks"] = json!(["https://dev.example/cb", "https://new.example"]);
    live["clients"][0]["jwt_configuration"]["alg"] = json!("PS256");
    live["clients"][0]["description"] = json!("Two\nlines\n");
    live["clients"][1]["app_type"] = json!("native");
    live["resourceServers"][0]["scopes"][0]["description"] = json!("Read: all");
    let expected = TEXT
        .replace("      - \"https://a.example\"\n", "      - https://new.example\n")
        .replace("alg: RS256\n", "alg: PS256\n    description: |\n      Two\n      lines\n")
        .replace("app_type: spa", "app_type: \"native\"")
        .replace("- value: read\n", "- value: read\n        description: \"Read: all\"\n");
    assert_eq!(of(TEXT, &live), expected);
    assert_eq!(of(&expected, &live), expected, "twice changes no byte");
}

#[test]
fn new_objects_are_appended_and_gone_ones_removed() {
    let mut live = live();
    live["clients"] = json!([live["clients"][0], { "name": "New ##1", "app_type": "spa" }]);
    live["resourceServers"] = json!([]);
    live["roles"] = json!([{ "name": "Admin" }]);
    let merged = of(TEXT, &live);
    // The comment of what is gone stays: nobody can tell whose it is.
    let (head, _) = TEXT.split_once("\n  # The other one.\n").unwrap();
    let added = "  - name: \"New \\x23\\x231\"\n    app_type: spa\n";
    let kinds = "resourceServers: []\nroles:\n  - name: Admin\n";
    assert_eq!(merged, format!("{head}{added}\n  # The other one.\n{kinds}"));
    assert_eq!(of(&merged, &live), merged);
}

#[test]
fn a_marker_with_another_value_is_lost_and_told_or_stays_and_is_told() {
    let mut live = live();
    live["clients"][0]["jwt_configuration"]["lifetime_in_seconds"] = json!(60);
    live["clients"][0]["grant_types"] = json!(["client_credentials", "password"]);
    live["clients"][0]["allowed_origins"] = json!(["https://a.example", "https://b.example"]);
    let (text, said) = merged(TEXT, &live, false);
    let expected = TEXT
        .replace("lifetime_in_seconds: ##TTL##", "lifetime_in_seconds: 60")
        .replace("grant_types: @@GRANTS@@", "grant_types:\n      - client_credentials\n      - password")
        .replace(
            "allowed_origins: [ \"https://a.example\", ##MORE## ]",
            "allowed_origins:\n      - https://a.example\n      - https://b.example",
        );
    assert_eq!(text, expected);
    assert_eq!(
        said,
        [
            "clients/App dev: `grant_types`: @@GRANTS@@ is lost: the tenant has another value",
            "clients/App dev: `allowed_origins`: ##MORE## is lost: the tenant has another value",
            "clients/App dev: `lifetime_in_seconds`: ##TTL## is lost: the tenant has another value",
        ]
    );
    let (text, said) = merged(TEXT, &live, true);
    assert_eq!(text, TEXT);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[2].ends_with("##TTL## stays, though the tenant has another value"), "{said:?}");
}

#[test]
fn defaults_nulls_and_secrets_of_the_text_stay() {
    let text = "clients:\n  - name: App\n    token_quota: null\n    oidc_conformant: false\n    client_secret: '##S##'\n    callbacks: []\n";
    let live = json!({ "clients": [{ "name": "App", "client_id": "x", "app_type": "spa", "client_secret": "s" }] });
    let merged = of(text, &live);
    assert!(merged.starts_with(text.split("    oidc").next().unwrap()), "{merged}");
    assert!(merged.contains("client_secret: '##S##'") && merged.contains("app_type: spa"), "{merged}");
}

#[test]
fn json_stays_json() {
    let text = "{\n  \"clients\": [\n    {\n      \"name\": \"App ##ENV##\",\n      \"callbacks\": [\"##URL##\", \"https://old.example\"]\n    }\n  ]\n}\n";
    let live = json!({ "clients": [{ "name": "App dev", "app_type": "spa", "callbacks": ["https://dev.example/cb", "https://n.example"] }] });
    let merged = of(text, &live);
    let expected = text
        .replace(", \"https://old.example\"", ", \"https://n.example\"")
        .replace("example\"]\n", "example\"], \"app_type\": \"spa\"\n");
    assert_eq!(merged, expected);
}
