//! The Deploy CLI's configuration: each key, which source wins, and that a project file made of it
//! settles the same.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tenantctl::api::auth::Credentials;
use tenantctl::config;
use tenantctl::config::deploy_cli::keys;
use tenantctl::config::settings::deploy_cli::Named;
use tenantctl::config::settings::{Project, Settings, Target};
use tenantctl::config::variables::Variables;
use tenantctl::error::Error;
use tenantctl::kinds::Registry;
use tenantctl::secret::Secrets;
use tenantctl::tenant::{Address, Object, canon};

const DEFINITIONS: &str = "clients: [{ name: A, description: \"##WHERE##\" }]\n";

struct Case {
    folder: tempfile::TempDir,
    secrets: Secrets,
}

impl Case {
    fn new(config: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        std::fs::write(folder.path().join("tenant.yaml"), DEFINITIONS).unwrap();
        Self { folder, secrets: Secrets::default() }
    }

    fn project<const N: usize>(&self, variables: [(&str, &str); N], has_environment: bool) -> Result<Project, Error> {
        let [config, input] = ["config.json", "tenant.yaml"].map(|name| self.folder.path().join(name));
        let named = Named { config: Some(&config), input: Some(&input), has_environment };
        Project::given(named, Variables::from(variables), &self.secrets)
    }

    fn settings<const N: usize>(&self, variables: [(&str, &str); N], has_environment: bool) -> Settings {
        self.project(variables, has_environment).unwrap().settings(None, Registry::builtin()).unwrap()
    }
}

fn settled(config: &Value) -> Settings {
    Case::new(config).settings([], true)
}

fn description(case: &Case, settings: &Settings) -> Value {
    let loaded = config::load(settings, Registry::builtin(), &case.secrets).unwrap();
    assert!(loaded.warnings.is_empty(), "an environment variable that nobody uses is no keyword that nobody uses");
    loaded.desired.tenant.find_by(&Address::parse("clients/A"), None).unwrap().value["description"].clone()
}

#[test]
fn the_environment_wins_over_the_file_for_keys_and_keywords_unless_it_does_not_count() {
    let case = Case::new(&json!({
        "AUTH0_DOMAIN": "file.auth0.com", "AUTH0_CLIENT_ID": "file-id", "AUTH0_CLIENT_SECRET": "file-secret",
        "AUTH0_ALLOW_DELETE": false, "AUTH0_INCLUDED_ONLY": ["clients"],
        "AUTH0_KEYWORD_REPLACE_MAPPINGS": { "WHERE": "file" },
    }));
    let variables = [
        ("AUTH0_DOMAIN", "env.auth0.com"),
        ("AUTH0_CLIENT_SECRET", "env-secret"),
        ("AUTH0_ALLOW_DELETE", "true"),
        ("AUTH0_INCLUDED_ONLY", "[\"roles\", \"clients\"]"),
        ("AUTH0_CLIENT_ID", ""),
        ("WHERE", "environment"),
    ];
    let signs_in = |settings: &Settings| match settings.credentials(&case.secrets).unwrap() {
        Credentials::ClientSecret { client_id, client_secret } => {
            (client_id, secrecy::ExposeSecret::expose_secret(&client_secret).to_owned())
        }
        other => panic!("{other:?}"),
    };
    let settings = case.settings(variables, true);
    assert_eq!(settings.target, Target::Host("env.auth0.com".into()));
    assert_eq!(settings.environment, "env.auth0.com", "the environment is called as its tenant");
    assert_eq!(signs_in(&settings), ("file-id".into(), "env-secret".into()), "an empty variable is not given");
    assert!(settings.allow_delete);
    assert_eq!(settings.selection.only[0].len(), 2);
    assert_eq!(description(&case, &settings), "environment");
    let keyword = settings.keywords.get("WHERE").unwrap();
    assert!(keyword.is_secret && keyword.is_ambient);

    let settings = case.settings(variables, false);
    assert_eq!(settings.target, Target::Host("file.auth0.com".into()));
    assert_eq!(signs_in(&settings), ("file-id".into(), "file-secret".into()));
    assert!(!settings.allow_delete);
    assert_eq!(settings.selection.only[0].len(), 1);
    assert_eq!(description(&case, &settings), "file");
    assert!(settings.keywords.get("AUTH0_DOMAIN").is_none());
}

#[test]
fn each_way_to_sign_in_is_read() {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "pem").unwrap();
    let path = key.path().to_str().unwrap();
    let cases = [
        (json!({ "AUTH0_CLIENT_ID": "a", "AUTH0_CLIENT_SECRET": "b" }), "ClientSecret"),
        (
            json!({ "AUTH0_CLIENT_ID": "a", "AUTH0_CLIENT_SIGNING_KEY_PATH": path,
                    "AUTH0_CLIENT_SIGNING_ALGORITHM": "PS256" }),
            "PrivateKey",
        ),
        (json!({ "AUTH0_ACCESS_TOKEN": "t" }), "AccessToken"),
    ];
    for (config, expected) in cases {
        let case = Case::new(&config);
        let found = case.settings([], true).credentials(&case.secrets).unwrap();
        assert!(format!("{found:?}").contains(expected), "{config}: {found:?}");
    }
    let case = Case::new(&json!({ "AUTH0_CLIENT_ID": "a" }));
    let error = case.settings([], true).credentials(&case.secrets).unwrap_err();
    assert!(error.causes[0].contains("AUTH0_CLIENT_ID (set), AUTH0_CLIENT_SECRET (not set)"), "{error}");
}

/// Reads what `.ci/peer` has the Deploy CLI import: objects in canonical form, by address, and warnings.
fn read_as_peer(input: &str) -> (BTreeMap<String, Value>, Vec<String>) {
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer").join(input);
    let named = Named { config: None, input: Some(&input), has_environment: true };
    let pem = include_str!("support/public_key.pem");
    let variables = [
        ("AUTH0_DOMAIN", "file.auth0.com"),
        ("PEER_CLIENT_ID", "an-id"),
        ("PEER_PEM", pem),
        ("PEER_TEAM", "orders"),
        ("CONNECTIONS_GOOGLE_OAUTH2_SECRET", "one"),
        ("CONNECTIONS_OIDC_SECRET", "another"),
        ("LOGSTREAMS_HTTP_SECRET", "a-third"),
    ];
    let secrets = Secrets::default();
    let project = Project::given(named, Variables::from(variables), &secrets).unwrap();
    let settings = project.settings(None, Registry::builtin()).unwrap();
    let loaded = config::load(&settings, Registry::builtin(), &secrets)
        .unwrap_or_else(|error| panic!("{error}: {:?}", error.problems));
    let object = |object: &Object| {
        let kind = Registry::builtin().get(&object.address.kind).unwrap();
        (object.address.to_string(), Value::Object(canon::desired(kind, &object.value)))
    };
    let warnings = loaded.warnings.sorted().iter().map(|warning| warning.message.clone()).collect();
    (loaded.desired.tenant.iter().map(object).collect(), warnings)
}

#[test]
fn the_shapes_of_the_deploy_clis_files_say_the_same_in_both_layouts() {
    let (one_file, warnings) = read_as_peer("tenant.yaml");
    let is_retired = |warning: &String| warning.contains("is retired");
    assert!(warnings.iter().all(is_retired), "{warnings:#?}");
    assert_eq!(read_as_peer("folders"), (one_file.clone(), warnings));
    let has = |kind: &str| one_file.keys().any(|address| address.split('/').next() == Some(kind));
    let present = Registry::builtin().iter().filter(|kind| kind.retired.is_none());
    let missing: Vec<&str> = present.map(|kind| kind.name.as_str()).filter(|kind| !has(kind)).collect();
    assert!(missing.is_empty(), "no shape of {missing:?}");
}

#[test]
fn a_default_grant_is_read_as_the_deploy_cli_exports_it() {
    let case = Case::new(&json!({ "AUTH0_DOMAIN": "file.auth0.com" }));
    let grant =
        "clientGrants: [{ client_id: undefined_clientId, default_for: third_party_clients, audience: https://a }]";
    std::fs::write(case.folder.path().join("tenant.yaml"), grant).unwrap();
    let loaded = config::load(&case.settings([], true), Registry::builtin(), &case.secrets).unwrap();
    let grant = &loaded.desired.tenant.objects("clientGrants")[0];
    assert_eq!(grant.address.to_string(), "clientGrants/default_for third_party_clients -> https://a");
    assert!(!grant.value.contains_key("client_id"));
    assert_eq!(loaded.warnings.sorted().len(), 1);
}

#[test]
fn each_key_does_what_it_does_in_the_deploy_cli() {
    let held = |settings: &Settings, address: &str| {
        let address = Address::parse(address);
        let fits = |patterns: &Vec<tenantctl::tenant::Pattern>| patterns.iter().any(|pattern| pattern.fits(&address));
        settings.selection.only.iter().all(fits) && !fits(&settings.selection.exclude)
    };
    let cases = [
        (json!({ "AUTH0_EXCLUDED": ["clients"] }), "clients/A", "clientGrants/A -> b"),
        (json!({ "AUTH0_INCLUDED_ONLY": ["clientGrants"] }), "clients/A", "clientGrants/A -> b"),
        (json!({ "AUTH0_INCLUDED_ONLY": ["clients", "clientAuthCredentials"] }), "roles/a", "clients/A"),
        (json!({ "AUTH0_EXCLUDED_CLIENTS": ["A*"] }), "clients/A*", "clients/AB"),
        (json!({ "AUTH0_EXCLUDED_CONNECTIONS": ["a"] }), "connections/a", "databases/a"),
        (json!({ "AUTH0_EXCLUDED_DATABASES": ["a"] }), "databases/a", "connections/a"),
        (json!({ "AUTH0_INCLUDED_CONNECTIONS": ["a"] }), "connections/b", "connections/a"),
        (json!({ "AUTH0_INCLUDED_CONNECTIONS": ["a"] }), "connections/b", "clients/b"),
        (json!({ "AUTH0_EXCLUDED_RULES": ["a"] }), "rules/a", "clients/a"),
    ];
    for (config, out, left) in cases {
        let settings = settled(&config);
        assert!(!held(&settings, out) && held(&settings, left), "{config}");
    }
    let conditions = |config: &Value| {
        let of = |(kind, condition): &(String, tenantctl::kinds::kind::Condition)| {
            format!("{kind} {:?}", condition.0.keys())
        };
        settled(config).selection.exclude_where.iter().map(of).collect::<Vec<_>>()
    };
    let by_name = json!({ "AUTH0_EXCLUDED_RESOURCE_SERVERS": ["Old"] });
    assert_eq!(conditions(&by_name), ["resourceServers [\"name\"]"]);
    for (value, expected) in [(json!(true), 1), (json!("true"), 1), (json!("false"), 0)] {
        assert_eq!(conditions(&json!({ "AUTH0_EXCLUDE_THIRD_PARTY_CLIENTS": value })).len(), expected, "{value}");
    }
    let settings = settled(&json!({
        "EXCLUDED_PROPS": { "clients": ["jwt_configuration.alg"], "pages": ["x"] },
        "INCLUDED_PROPS": { "clients": ["client_id"] },
        "AUTH0_AUDIENCE": "https://a/", "AUTH0_EXPORT_IDENTIFIERS": "true", "AUTH0_PRESERVE_KEYWORDS": true,
    }));
    assert_eq!(settings.selection.exclude_fields.len(), 1, "a kind that is not managed has no fields");
    assert_eq!(settings.selection.exclude_fields[0].pointer, "/jwt_configuration/alg");
    assert_eq!(settings.export.fields[0].pointer, "/client_id");
    assert!(settings.export.with_ids && settings.export.preserve_keywords);
    assert_eq!(settings.audience.as_deref(), Some("https://a/"));
    for (config, is_dry) in [
        (json!({ "AUTH0_DRY_RUN": "preview" }), true),
        (json!({ "AUTH0_DRY_RUN": false }), false),
        (json!({ "AUTH0_DRY_RUN": true, "AUTH0_DRY_RUN_APPLY": true }), false),
    ] {
        assert_eq!(settled(&config).dry_run.is_some(), is_dry, "{config}");
    }
}

#[test]
fn every_key_is_taken_without_a_word_or_with_one() {
    for key in keys() {
        let value = match key.shape {
            "text" => json!("a.example"),
            "claim" => json!(true),
            "texts" => json!(["clients"]),
            "map" if key.role == "keywords" => json!({ "A": 1 }),
            "map" => json!({ "clients": ["description"] }),
            _ => json!(3),
        };
        let value = if key.role == "base_path" { json!(".") } else { value };
        let case = Case::new(&json!({ key.name: value }));
        let project = case.project([], true).unwrap();
        let (warnings, details) = project.remarks();
        let warnings = warnings.sorted();
        assert!(!warnings.iter().any(|problem| problem.message.contains("not known")), "{}", key.name);
        assert_eq!(!warnings.is_empty(), ["exclude", "exclude_by", "ignored"].contains(&key.role), "{}", key.name);
        assert_eq!(!details.is_empty(), key.role == "idle", "{}", key.name);
        project.settings(None, Registry::builtin()).unwrap();
    }
}

#[test]
fn the_documentation_has_every_key() {
    let page = include_str!("../docs/from-deploy-cli.md");
    let missing: Vec<&str> = keys().map(|key| key.name).filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn what_lies_outside_the_configurations_folder_is_found_from_the_base_path() {
    let case = Case::new(&json!({}));
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir(other.path().join("clients")).unwrap();
    std::fs::write(other.path().join("clients/p.html"), "<p></p>").unwrap();
    let definitions = "clients: [{ name: A, description: x, custom_login_page: p.html }]\n";
    std::fs::write(case.folder.path().join("tenant.yaml"), definitions).unwrap();
    let base = other.path().to_str().unwrap().to_owned();
    let load = |settings: &Settings| config::load(settings, Registry::builtin(), &case.secrets);
    assert!(load(&case.settings([], true)).is_err());
    let settings = case.settings([("AUTH0_BASE_PATH", base.as_str())], true);
    let page = load(&settings).unwrap().desired.tenant.objects("clients")[0].value["custom_login_page"].clone();
    assert_eq!(page, "<p></p>");
    let home = std::fs::canonicalize(case.folder.path()).unwrap();
    assert_eq!(settings.home, home, "journals lie beside the configuration");
}

#[test]
fn the_same_definitions_have_the_same_digest_whatever_else_the_environment_holds() {
    let case = Case::new(&json!({}));
    let digest =
        |settings: &Settings| config::load(settings, Registry::builtin(), &case.secrets).unwrap().desired.digest;
    let one = digest(&case.settings([("WHERE", "x"), ("OTHER", "1")], true));
    assert_eq!(one, digest(&case.settings([("WHERE", "x"), ("ANOTHER", "2")], true)));
}
