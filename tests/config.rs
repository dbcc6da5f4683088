//! From files to `Desired`, and every way in which files can be wrong.

#![expect(
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a test may stop where it stands, and its texts are small"
)]

use std::path::Path;

use serde_json::{Value, json};
use tenantctl::config::settings::{Project, Settings, Target};
use tenantctl::config::variables::Variables;
use tenantctl::config::{self, Loaded, cross};
use tenantctl::error::{Error, Problem};
use tenantctl::kinds::Registry;
use tenantctl::secret::Secrets;
use tenantctl::tenant::{Address, Object};

const PROJECT: &str = "version: 1
definitions: tenant.yaml
keywords: { COMPANY: Northwind, PASS: { env: PASS }, UNSET: { env: NOT_SET } }
environments:
  dev:
    tenant: sandbox
    keywords: { URLS: [http://a, http://b], PORT: 3001, ENV: dev }
";

struct Case {
    folder: tempfile::TempDir,
    secrets: Secrets,
}

impl Case {
    fn new(definitions: impl AsRef<[u8]>) -> Self {
        let case = Self { folder: tempfile::tempdir().unwrap(), secrets: Secrets::default() };
        case.write("tenantctl.yaml", PROJECT);
        case.write("tenant.yaml", definitions);
        case
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn variables() -> Variables {
        Variables::from([("PASS", "hunter22hunter22"), ("REGION", "eu-west")])
    }

    fn project(&self) -> Result<Project, Error> {
        Project::find(Some(self.folder.path()), Self::variables(), &self.secrets)
    }

    fn settings(&self, environment: Option<&str>) -> Result<Settings, Error> {
        self.project()?.settings(environment, Registry::builtin())
    }

    fn load(&self) -> Result<Loaded, Error> {
        config::load(&self.settings(None)?, Registry::builtin(), &self.secrets)
    }

    fn problems(&self) -> Vec<String> {
        match self.load() {
            Ok(loaded) => shown(loaded.warnings.sorted()),
            Err(error) if error.problems.is_empty() => vec![error.message],
            Err(error) => shown(error.problems.sorted()),
        }
    }

    fn render(&self) -> String {
        config::render(&self.settings(None).unwrap(), Registry::builtin(), &self.secrets).unwrap().0
    }
}

fn shown(problems: Vec<Problem>) -> Vec<String> {
    problems
        .into_iter()
        .map(|problem| match &problem.origin {
            Some(origin) => format!("{origin} {}", problem.message),
            None => problem.message,
        })
        .collect()
}

fn object(loaded: &Loaded, address: &str) -> Object {
    loaded.desired.tenant.find_by(&Address::parse(address), None).cloned().unwrap_or_else(|| panic!("no {address}"))
}

fn field(loaded: &Loaded, address: &str, pointer: &str) -> Value {
    Value::Object(object(loaded, address).value).pointer(pointer).cloned().unwrap_or(Value::Null)
}

#[test]
fn all_three_forms_put_values_into_block_and_flow_style() {
    let case = Case::new(
        "clients:
  - name: ##COMPANY## worker
    callbacks: @@URLS@@
    web_origins: ${{ URLS }}
    allowed_origins: [ ${{ URLS[0] }}, \"${{ 'http://x: #' ~ ENV }}\" ]
    description: \"port ${{ PORT }} # of ${{ env.REGION }}\"
    oidc_conformant: ${{ ENV == 'dev' }}
    refresh_token: ${{ {'rotation_type': 'rotating', 'expiration_type': 'expiring', 'leeway': PORT} }}
",
    );
    let loaded = case.load().unwrap();
    let at = |pointer: &str| field(&loaded, "clients/Northwind worker", pointer);
    assert_eq!(at("/callbacks"), json!(["http://a", "http://b"]));
    assert_eq!(at("/web_origins"), json!(["http://a", "http://b"]));
    assert_eq!(at("/allowed_origins"), json!(["http://a", "http://x: #dev"]));
    assert_eq!(at("/description"), json!("port 3001 # of eu-west"));
    assert_eq!(at("/oidc_conformant"), json!(true));
    assert_eq!(at("/refresh_token/leeway"), json!(3001));
    let client = object(&loaded, "clients/Northwind worker");
    assert_eq!(client.provenance.origin("/callbacks/1").unwrap().to_string(), "tenant.yaml:3:16");
    assert_eq!(client.provenance.origin("/description").unwrap().to_string(), "tenant.yaml:6:18");
    assert_eq!(client.provenance.origin("/refresh_token/leeway").unwrap().to_string(), "tenant.yaml:8:20");
    assert!(client.provenance.is_sensitive("/description") && !client.provenance.is_sensitive("/callbacks"));
}

#[test]
fn a_secret_is_known_to_be_one_and_a_marker_without_a_value_keeps_the_secret() {
    let case = Case::new(
        "clients:
  - name: A
    client_secret: ##PASS##
  - name: B
    client_secret: ##UNSET##
  - name: C
    client_secret: '@@NOWHERE@@'
",
    );
    let loaded = case.load().unwrap();
    assert!(object(&loaded, "clients/A").provenance.is_sensitive("/client_secret"));
    assert_eq!(field(&loaded, "clients/A", "/client_secret"), json!("hunter22hunter22"));
    assert_eq!(case.secrets.hide("hunter22hunter22"), "(sensitive)");
    for (name, keyword) in [("B", "UNSET"), ("C", "NOWHERE")] {
        let object = object(&loaded, &format!("clients/{name}"));
        assert_eq!(object.provenance.kept.get("/client_secret").map(String::as_str), Some(keyword));
        assert!(!object.value.contains_key("client_secret"));
    }
}

#[test]
fn unknown_keywords_are_named_with_place_environment_and_the_nearest_one() {
    let case = Case::new(
        "# ##COMMENT## and ${{ this
clients:
  - name: ##COMPNY##
    description: at ##UNSET## x
    callbacks: [ ${{ ULRS }} ]
    logo_uri: ${{ env.NOPE }}
    initiate_login_uri: ${{ 1 + }}
    sso: ${{ unclosed
    form_template: |
      <b>
      ##LINE##
",
    );
    let error = case.load().unwrap_err();
    let problems = error.problems.clone().sorted();
    let hints: Vec<_> = problems.iter().filter_map(|problem| problem.hint.clone()).collect();
    assert!(hints.contains(&"did you mean `COMPANY`?".to_owned()), "{hints:?}");
    assert!(hints.contains(&"did you mean `URLS`?".to_owned()), "{hints:?}");
    let found = shown(problems);
    let expected = [
        "tenant.yaml:3:11 the keyword `COMPNY` is not defined in environment `dev`",
        "tenant.yaml:4:21 the keyword `UNSET` takes its value in environment `dev` from the environment variable `NOT_SET`, which is not set or empty",
        "tenant.yaml:5:22 the keyword `ULRS` is not defined in environment `dev`",
        "tenant.yaml:6:19 the environment variable `NOPE`, which `env.NOPE` asks for, is not set",
    ];
    assert_eq!(&found[..4], &expected, "{found:#?}");
    assert!(found[4].starts_with("tenant.yaml:7:31 the expression can't be evaluated: "), "{found:#?}");
    assert_eq!(found[5], "tenant.yaml:8:10 `${{` has no `}}` on its line");
    assert_eq!(found[6], "tenant.yaml:11:7 the keyword `LINE` is not defined in environment `dev`");
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn old_names_wire_units_pins_and_read_only_fields_become_what_the_planner_expects() {
    let case = Case::new(
        "tenant: { session_lifetime_in_minutes: 90, sandbox_versions_available: ['18'] }
clients:
  - client_id: abc
    name: A
    cross_origin_auth: true
    tenant: x
  - name: S
    app_type: resource_server
    oidc_logout: {}
pages: []
",
    );
    let loaded = case.load().unwrap();
    assert_eq!(Value::Object(object(&loaded, "tenant").value), json!({"session_lifetime": 1.5}));
    let client = object(&loaded, "clients/A");
    assert_eq!(client.id.as_deref(), Some("abc"));
    assert_eq!(Value::Object(client.value), json!({"name": "A", "cross_origin_authentication": true}));
    let warnings = shown(loaded.warnings.clone().sorted());
    let has = |text: &str| warnings.iter().any(|warning| warning.contains(text));
    assert!(has("clients/S: `oidc_logout` is left out: the API does not take it"), "{warnings:#?}");
    assert!(has("tenant.yaml:10:1 `pages` is not managed by this version"), "{warnings:#?}");
    assert!(has("nobody uses the keyword `PORT` in environment `dev`"), "{warnings:#?}");
}

#[test]
fn companion_files_come_in_with_keywords_and_stay_inside_the_project() {
    let definitions =
        "clients: [{ name: A, custom_login_page: ./a.html }, { name: B, custom_login_page: '<b>a.html' }]\n";
    let case = Case::new(definitions);
    case.write("clients/a.html", "<h1>##COMPANY## {{ x }} ${{ y }} @@URLS@@</h1>");
    let loaded = case.load().unwrap();
    let page = field(&loaded, "clients/A", "/custom_login_page");
    assert_eq!(page, json!("<h1>Northwind {{ x }} ${{ y }} [\"http://a\",\"http://b\"]</h1>"));
    assert_eq!(field(&loaded, "clients/B", "/custom_login_page"), json!("<b>a.html"));
    let before = loaded.desired.digest;
    case.write("clients/a.html", "<h1>other</h1>");
    assert_ne!(before, case.load().unwrap().desired.digest);
    let case = Case::new(
        "clients: [{ name: A, custom_login_page: ./b.html }, { name: B, custom_login_page: ../../b.html }]\n",
    );
    let problems = case.problems();
    assert_eq!(
        problems[0],
        "tenant.yaml:1:41 clients/A: `custom_login_page`: the file `clients/b.html` does not exist"
    );
    assert!(problems[1].contains("leads out of the project folder"), "{problems:#?}");
}

#[test]
fn bad_files_give_problems_with_a_place() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (old, new) in ('a'..'j').zip('b'..='j') {
        let aliases = vec![format!("*{old}"); 10].join(",");
        bomb += &format!("{new}: &{new} [{aliases}]\n");
    }
    let keys: String = (0..2000).map(|key| format!("k{key}: 1, ")).collect();
    let merges = format!("a: &a {{{keys}}}\nb:\n{}", "  - { <<: *a }\n".repeat(2000));
    let chain = format!("a: &a {}x{}\nb: {}*a{}\n", "[".repeat(90), "]".repeat(90), "[".repeat(90), "]".repeat(90));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("tenant.yaml:1:1 `tenant.yaml` is empty", b"".to_vec()),
        ("tenant.yaml:1:1 `tenant.yaml` is empty", b"# nothing\n".to_vec()),
        ("tenant.yaml:1:1 a tenant's definitions are a map of kinds, not a list", b"- a\n".to_vec()),
        ("tenant.yaml:1:1 a tenant's definitions are a map of kinds, not a text", b"hello\n".to_vec()),
        ("tenant.yaml:1:10 `clients` must be a list, not a map", b"clients: { A: 1 }\n".to_vec()),
        ("tenant.yaml:1:9 `tenant` must be a map, not a list", b"tenant: [1]\n".to_vec()),
        ("tenant.yaml:1:8 `clients` must be a list, not nothing", b"clients:\n".to_vec()),
        ("tenant.yaml:2:5 an element of `clients` must be a map, not a text", b"clients:\n  - A\n".to_vec()),
        ("a tab stands where YAML takes spaces only", b"clients:\n\t- name: A\n".to_vec()),
        ("a quote is never closed", b"clients:\n  - name: \"A\n".to_vec()),
        ("tenant.yaml:3:5 the key `name` stands twice in this map", b"clients:\n  - name: A\n    name: B\n".to_vec()),
        ("tenant.yaml:1:15 the tag `!foo` is not known", b"clients: !foo []\n".to_vec()),
        ("tenant.yaml:1:10 an alias has no anchor above it", b"clients: *x\n".to_vec()),
        ("tenant.yaml:1:1 a key must be a text, not a list", b"[a]: 1\n".to_vec()),
        ("tenant.yaml:1:1 `clinets` is no kind of resource", b"clinets: []\n".to_vec()),
        ("a second document starts here", b"clients: []\n---\ntenant: {}\n".to_vec()),
        ("`tenant.yaml` is not UTF-8: byte 9 is 0xff", b"clients: \xff\n".to_vec()),
        ("`.inf` is no number that can be sent", b"tenant: { session_lifetime: .inf }\n".to_vec()),
        ("nested more than 100 levels deep", "[".repeat(100_000).into_bytes()),
        ("nested more than 100 levels deep", "- ".repeat(5000).into_bytes()),
        ("aliases make more than 1000000 values", bomb.into_bytes()),
        ("merges (`<<`) add more than 10000 keys", merges.into_bytes()),
        ("nested more than 100 levels deep by aliases", chain.into_bytes()),
    ];
    for (expected, text) in cases {
        let problems = Case::new(&text).problems();
        let head: Vec<&String> = problems.iter().take(5).collect();
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {head:#?}");
    }
}

#[test]
fn a_file_of_many_lines_is_read_and_its_last_problem_has_its_line() {
    let mut text = "clients:\n".to_owned();
    for client in 0..25_000 {
        text += &format!("  - name: C{client}\n    callbacks:\n      - http://a\n    sso: true\n");
    }
    text += "  - name: Last\n    sso: 1\n";
    let problems = Case::new(&text).problems();
    assert_eq!(problems, ["tenant.yaml:100003:10 clients/Last: `sso` must be true or false, not a number (`1`)"]);
}

#[test]
fn duplicates_and_references_are_judged_over_all_objects() {
    let case = Case::new(
        "resourceServers:
  - { identifier: https://api, scopes: [{ value: read }, { value: write }] }
clients: [{ name: A }, { name: A }]
clientGrants:
  - { client_id: A, audience: https://api, scope: [read, wriet] }
  - { client_id: B, audience: https://api/, scope: [read] }
  - { client_id: k0aSHvNyJfGwsxBnFMkVNLZnXXBqTk3c, audience: https://x.auth0.com/api/v2/, scope: [x] }
customDomains:
  - { domain: a.example.com, type: auth0_managed_certs, is_default: true }
  - { domain: b.example.com, type: auth0_managed_certs, is_default: true }
",
    );
    let problems = case.problems();
    assert_eq!(problems[0], "tenant.yaml:3:24 clients/A stands twice in the definitions");
    assert!(
        problems[1].contains("customDomains/b.example.com: `is_default` can be true for one object"),
        "{problems:#?}"
    );
    let text = std::fs::read_to_string(case.folder.path().join("tenant.yaml")).unwrap();
    let text = text.replace(", { name: A }]", "]").replace(
        "b.example.com, type: auth0_managed_certs, is_default: true",
        "b.example.com, type: auth0_managed_certs",
    );
    let loaded = Case::new(text).load().unwrap();
    let found = shown(cross::unmet(Registry::builtin(), &loaded.desired).sorted());
    assert_eq!(
        found,
        [
            "tenant.yaml:5:58 clientGrants/A -> https://api: `scope[1]` refers to scopes of resourceServers/https://api `wriet`, which the definitions do not have",
            "tenant.yaml:6:18 clientGrants/B -> https://api/: `client_id` refers to clients `B`, which the definitions do not have",
            "tenant.yaml:6:31 clientGrants/B -> https://api/: `audience` refers to resourceServers `https://api/`, which the definitions do not have",
        ]
    );
}

#[test]
fn render_keeps_layout_and_comments_and_masks_secrets() {
    let case = Case::new(
        "# for ##COMPANY##\nclients:\n  - name: ##COMPANY##  # ${{ COMPANY }}\n    callbacks: @@URLS@@\n    web_origins: \"${{ URLS }}\"\n    client_secret: @@PASS@@\n    description: in ${{ env.REGION }}\n    logo_uri: a-##PASS##\n  - { name: B, client_secret: ##UNSET##, sso: ${{ ENV == 'dev' }} }\n",
    );
    assert_eq!(
        case.render(),
        "# for Northwind\nclients:\n  - name: Northwind  # ${{ COMPANY }}\n    callbacks: [\"http://a\",\"http://b\"]\n    web_origins: [\"http://a\",\"http://b\"]\n    client_secret: (sensitive)\n    description: (sensitive)\n    logo_uri: a-(sensitive)\n  - { name: B, client_secret: ##UNSET##, sso: true }\n"
    );
}

#[test]
fn the_project_file_is_found_from_below_and_settles_an_environment() {
    let case = Case::new("clients: []\n");
    case.write("keywords/prod.json", "{\"PORT\": 1, \"ENV\": \"file\"}");
    case.write(
        "tenantctl.yaml",
        "version: 1
definitions: tenant.yaml
keywords: { ENV: shared, PORT: 2 }
environments:
  dev: { tenant: sandbox }
  prod:
    tenant: Northwind.eu.auth0.com
    keywords_file: keywords/prod.json
    keywords: { ENV: own }
    protected: true
    only: [clients, resourceServers/*]
    credentials: { client_id_env: PROD_ID, client_secret_env: PROD_SECRET }
protect: [clients/Billing worker]
moved: [{ kind: clients, from: A, to: B }]
hooks: { before_apply: [npm test] }
",
    );
    let below = case.folder.path().join("keywords");
    let variables = Variables::from([("PROD_ID", "id"), ("PROD_SECRET", "hunter22")]);
    let project = Project::find(Some(&below), variables, &case.secrets).unwrap();
    assert_eq!(project.environments(), ["dev", "prod"]);
    let prod = project.settings(Some("prod"), Registry::builtin()).unwrap();
    assert_eq!(prod.target, Target::Host("northwind.eu.auth0.com".to_owned()));
    assert!(prod.protected && !prod.allow_delete);
    let value = |name: &str| prod.keywords.get(name).and_then(|keyword| keyword.value.clone());
    assert_eq!((value("ENV"), value("PORT")), (Some(json!("own")), Some(json!(1))));
    let credentials = prod.credentials(&case.secrets).unwrap();
    assert!(!format!("{credentials:?}{prod:?}").contains("hunter22"));
    let dev = project.settings(Some("dev"), Registry::builtin()).unwrap();
    let error = dev.credentials(&case.secrets).unwrap_err();
    assert!(error.causes[0].contains("AUTH0_CLIENT_ID (not set)"), "{error:?}");
    let message = |name| project.settings(name, Registry::builtin()).map(|_| ()).unwrap_err();
    assert_eq!(message(None).message, "which environment is meant?");
    let wrong = message(Some("prd"));
    assert_eq!(wrong.message, "there is no environment `prd` in `tenantctl.yaml`");
    assert_eq!(wrong.hint.as_deref(), Some("did you mean `prod`? known: `dev` or `prod`"));
}

#[test]
fn a_wrong_project_file_is_told_whole() {
    let case = Case::new("clients: []\n");
    let with = |text: &str| {
        case.write("tenantctl.yaml", text);
        match case.settings(Some("dev")) {
            Ok(_) => Vec::new(),
            Err(error) if error.problems.is_empty() => vec![error.message],
            Err(error) => shown(error.problems.sorted()),
        }
    };
    assert_eq!(with(""), ["tenantctl.yaml:1:1 `tenantctl.yaml` is empty"]);
    assert_eq!(
        with(
            "version: 2\ndefinition: x\nenvironments: { dev: { tenant: sandbox, credentials: { client_secret: abc } }, b: {} }\n"
        ),
        [
            "tenantctl.yaml:1:1 version 2 of the project file is not known",
            "tenantctl.yaml:2:1 the key `definition` is not known here",
            "tenantctl.yaml:3:56 `client_secret` may not stand in a file: credentials come from environment variables",
            "tenantctl.yaml:3:80 the environment `b` names no tenant",
        ]
    );
    let start = "version: 1\ndefinitions: tenant.yaml\nenvironments:\n";
    for tenant in ["https://a.auth0.com/", "a.auth0.com/x", "a b", "a.auth0.com:x", "nodots"] {
        let found = with(&format!("{start}  dev: {{ tenant: '{tenant}' }}\n"));
        assert_eq!(found, [format!("tenantctl.yaml:4:18 `{tenant}` is no tenant: it takes a host, or host:port")]);
    }
    assert!(with(&format!("{start}  dev: {{ tenant: 'localhost:3000' }}\n")).is_empty());
    let found = with(&format!("{start}  dev: {{ tenant: sandbox, only: [client] }}\n"));
    assert_eq!(found, ["tenantctl.yaml:4:34 `client` is no kind of resource"]);
    let found = with(&format!("{start}  dev: {{ tenant: sandbox, keywords_file: ../x.yaml }}\n"));
    assert!(found[0].contains("leads out of the project folder"), "{found:?}");
    let nowhere = Project::find(Some(Path::new("/")), Variables::default(), &case.secrets);
    assert!(nowhere.unwrap_err().message.starts_with("no `tenantctl.yaml` in"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-zA-Z:#@${}\\[\\]&*!|>'\"%,\\-?~<\\\\ \n\té😀.0-9]{0,80}") {
        let case = Case::new(format!("clients:\n  - name: {text}"));
        let _ = case.load();
        let case = Case::new(&text);
        let _ = case.load();
        if let Ok(settings) = case.settings(None) {
            let _ = config::render(&settings, Registry::builtin(), &case.secrets);
        }
        case.write("tenantctl.yaml", &text);
        let _ = case.settings(None).map(|_| ());
    }
}
