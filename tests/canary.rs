//! No secret is ever printed or written: distinct canaries stand wherever a secret can come from,
//! every command runs in its good and its failing paths, and no output and no file holds one.
//!
//! The sandbox's own state and what the test itself wrote are left out; all else is searched, for
//! each canary as it is, in parts, and in base64 and hex. That the search finds is proved first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::{Field, Fields};
use tenantctl::sandbox::{self, Options};

use crate::support::samples::with_all_fields;

/// A secret with a text that stands nowhere else.
#[derive(Clone)]
struct Canary {
    name: &'static str,
    value: String,
    needles: Vec<String>,
}

impl Canary {
    fn new(number: usize, name: &'static str, middle: &str) -> Self {
        let value = format!("qz{number:02}kv-{middle}-vk{number:02}zq");
        Self::of(name, value, &[format!("qz{number:02}kv"), format!("vk{number:02}zq")])
    }

    /// A secret that the test did not choose.
    fn given(name: &'static str, value: &str) -> Self {
        let middle = value.len() / 2;
        Self::of(name, value.to_owned(), &[value[..middle].to_owned(), value[middle..].to_owned()])
    }

    /// Looks for two parts of it, so that one cut in half is found, and for the whole in other spellings.
    fn of(name: &'static str, value: String, parts: &[String; 2]) -> Self {
        let mut needles = parts.to_vec();
        // The bytes around it decide on the first and the last characters.
        for shift in 0..3 {
            let bytes = [&b"\0\0\0"[..shift], value.as_bytes()].concat();
            for alphabet in [&STANDARD, &URL_SAFE] {
                let text = alphabet.encode(&bytes);
                needles.push(text[4..text.len() - 4].to_owned());
            }
        }
        let hex = |upper: bool| {
            let byte = |byte: u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
            value.bytes().map(byte).collect::<String>()
        };
        needles.extend([hex(false), hex(true)]);
        Self { name, value, needles }
    }

    fn is_in(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        self.needles.iter().any(|needle| text.contains(needle.as_str()) || lower.contains(&needle.to_lowercase()))
    }
}

/// A project folder whose commands are watched.
struct Watch {
    folder: tempfile::TempDir,
    canaries: Vec<Canary>,
    variables: BTreeMap<&'static str, String>,
    /// What the test itself wrote.
    own: Vec<PathBuf>,
    leaks: Vec<String>,
}

impl Watch {
    fn new(canaries: Vec<Canary>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, canaries, variables: BTreeMap::new(), own: Vec::new(), leaks: Vec::new() }
    }

    fn write(&mut self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if !self.own.contains(&path) {
            self.own.push(path);
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantctl"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.folder.path()).env("RUST_BACKTRACE", "full").envs(&self.variables);
        command
    }

    /// Runs a command, looks for canaries, and gives its exit code with all that it printed.
    fn run(&mut self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let code = output.status.code().unwrap_or(-1);
        for (place, text) in [("stdout", &stdout), ("stderr", &stderr)] {
            self.search(&format!("{place} of {arguments:?}"), text);
            assert!(!text.contains("panicked at"), "{arguments:?}: {text}");
        }
        self.search_files(arguments);
        (code, stdout + &stderr)
    }

    fn search(&mut self, place: &str, text: &str) {
        for canary in self.canaries.iter().filter(|canary| canary.is_in(text)) {
            let lines = text.lines().filter(|line| canary.is_in(line)).take(2).collect::<Vec<_>>();
            self.leaks.push(format!("{} in {place}: {}", canary.name, lines.join(" | ")));
        }
        // Tokens that the sandbox gave are secrets too.
        if has_part_of_a_token(text) {
            self.leaks.push(format!("an access token in {place}"));
        }
    }

    fn search_files(&mut self, arguments: &[&str]) {
        let mut found = Vec::new();
        files(self.folder.path(), &mut found);
        found.retain(|path| !self.own.contains(path) && !path.ends_with(".tenantctl/sandbox.json"));
        for path in found {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            self.search(&format!("{} after {arguments:?}", path.display()), &text);
        }
    }

    fn finish(self) {
        assert!(self.leaks.is_empty(), "{} leaks:\n{}", self.leaks.len(), self.leaks.join("\n"));
    }
}

/// Looks for the header or the claims of a JWT: base64url of JSON, which begins with `{"`. Random ids
/// begin so too at times, but they are no JSON.
fn has_part_of_a_token(text: &str) -> bool {
    text.match_indices("eyJ").any(|(at, _)| {
        let bytes = text.as_bytes()[at..].iter().take(16).copied().collect::<Vec<_>>();
        URL_SAFE.decode(bytes).is_ok_and(|bytes| bytes.iter().all(|byte| (b' '..=b'~').contains(byte)))
    })
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Places where secrets come from, in the order of the canaries' numbers.
fn canaries() -> Vec<Canary> {
    vec![
        Canary::new(0, "##KEY## of the environment", "hash/+= é-long-enough-for-a-secret-of-48-characters"),
        Canary::new(1, "@@KEY@@ of the environment", "at \"quoted\" & <b> 100%"),
        Canary::new(2, "${{ env.X }}", "line one\nline two: # 'x'"),
        Canary::new(3, "keyword with secret: true", "keyword of the file"),
        Canary::new(4, "literal client_secret", "literal-client-secret-of-the-file-with-48-characters"),
        Canary::new(5, "literal signing_secret", "literal signing secret"),
        Canary::new(6, "token_encryption pem", "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKPx"),
        Canary::new(7, "live client_secret", "the-secret-that-the-tenant-has-before-48-characters"),
        Canary::new(8, "private key file", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"),
        Canary::new(9, "AUTH0_ACCESS_TOKEN", "access.token/of+the=environment"),
        Canary::new(10, "client secret to sign in with", "wrong management secret&x=y"),
    ]
}

const PROJECT: &str = r#"version: 1
definitions: tenant.yaml
keywords:
  HASH: { env: HASH }
  AT: { env: AT }
  KEPT: { value: "KEYWORD-SECRET", secret: true }
environments:
  dev: { tenant: sandbox }
"#;

const DEFINITIONS: &str = r#"resourceServers:
  - name: Ledger
    identifier: https://ledger.example
    signing_alg: HS256
    signing_secret: SIGNING-SECRET
  - name: Invoices
    identifier: https://invoices.example
    token_encryption:
      format: compact-nested-jwe
      encryption_key:
        name: a key
        alg: RSA-OAEP-256
        kid: key-2026
        pem: |
          -----BEGIN PUBLIC KEY-----
          PEM-LINE
          -----END PUBLIC KEY-----
clients:
  - name: Hash
    app_type: non_interactive
    client_secret: ##HASH##
    custom_login_page: page.html
    client_metadata: { a: @@AT@@, b: "x ##HASH## y", c: "${{ KEPT }}" }
  - name: Literal
    app_type: non_interactive
    client_secret: LITERAL-SECRET
    web_origins: [ @@AT@@, "https://##HASH##.example" ]
    description: |
      ${{ KEPT }} and more
  - name: Expression
    app_type: non_interactive
    initiate_login_uri: "https://${{ env.EXPRESSION }}.example"
    addons: { azure_sb: { sasKey: "${{ env.EXPRESSION }}" } }
    form_template: >-
      ${{ env.EXPRESSION | upper | lower }}
      ##HASH##
"#;

/// A project with every canary in its place.
fn project() -> Watch {
    let all = canaries();
    let value = |number: usize| all[number].value.clone();
    let definitions = DEFINITIONS
        .replace("SIGNING-SECRET", &value(5))
        .replace("PEM-LINE", &value(6))
        .replace("LITERAL-SECRET", &value(4));
    let [hash, at, expression, kept] = [value(0), value(1), value(2), value(3)];
    let mut watch = Watch::new(all);
    watch.variables = BTreeMap::from([("HASH", hash), ("AT", at), ("EXPRESSION", expression)]);
    watch.write("tenantctl.yaml", PROJECT.replace("KEYWORD-SECRET", &kept));
    watch.write("tenant.yaml", definitions);
    watch.write("clients/page.html", "<p>##HASH## @@AT@@</p>\n");
    watch
}

/// What the sandbox has before: other secrets, which a plan compares with.
fn with_a_past() -> Watch {
    let mut watch = project();
    let now = fs::read_to_string(watch.folder.path().join("tenant.yaml")).unwrap();
    let before = watch.canaries[7].value.clone();
    let past = format!(
        "resourceServers:\n  - name: Old\n    identifier: https://ledger.example\n    signing_alg: HS256\n    \
         signing_secret: {before}\nclients:\n  - name: Literal\n    app_type: spa\n    client_secret: {before}\n  \
         - name: Hash\n    client_secret: {before}\n    client_metadata: {{ a: \"1\", z: other }}\n"
    );
    watch.write("tenant.yaml", past);
    let (code, text) = watch.run(&["apply", "--yes", "-vvv"]);
    assert_eq!(code, 0, "{text}");
    watch.write("tenant.yaml", now);
    watch
}

#[test]
fn the_search_finds_a_canary_in_every_spelling() {
    let canary = Canary::new(42, "test", "mid dle/é");
    let value = canary.value.as_str();
    let basic = STANDARD.encode(format!("an-id:{value}"));
    let url = value.replace(' ', "%20").replace('/', "%2F");
    for text in [value, &value[..9], &value[value.len() - 7..], &basic, &url, &format!("{value:?}")] {
        assert!(canary.is_in(&format!("before {text} after")), "{text}");
    }
    assert!(!canary.is_in("qz41kv vk41zq"));
    let token = URL_SAFE.encode(r#"{"alg":"RS256","typ":"JWT","kid":"k"}"#);
    assert!(has_part_of_a_token(&format!("Bearer {token}.x")) && has_part_of_a_token(&token[..20]));
    assert!(!has_part_of_a_token("\"con_eyJ4Zk2QpLw9RtYb\" and eyJ"), "an id may begin like a token");

    let mut watch = project();
    watch.write("tenant.yaml", format!("clients:\n  - name: {}\n", watch.canaries[4].value));
    watch.run(&["plan", "--out", "a.plan"]);
    let leaks = watch.leaks.join("\n");
    assert!(leaks.contains("stdout of") && leaks.contains("a.plan after"), "a secret in the place of a name is seen");
}

#[test]
fn no_command_shows_a_secret_when_all_goes_well() {
    let mut watch = with_a_past();
    for arguments in [
        &["validate", "-vvv"][..],
        &["render", "-vvv"],
        &["plan", "-vvv"],
        &["plan", "--format", "json"],
        &["plan", "--format", "markdown"],
        &["plan", "--allow-delete", "--rotate", "clients", "--rotate", "resourceServers", "--out", "saved.plan"],
        &["apply", "--yes", "-vvv", "saved.plan"],
        &["plan", "-vvv"],
        &["plan", "--format", "json", "--rotate", "resourceServers/https://invoices.example"],
        &["apply", "--yes"],
    ] {
        let (code, text) = watch.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {text}");
    }
    watch.finish();
}

/// Definitions that are wrong on the very lines that hold a secret, in `LITERAL` or a keyword.
const BROKEN: [&str; 47] = [
    "clients:\n  - name: A\n    client_secret: \"LITERAL\n",
    "clients:\n  - name: A\n    client_secret: 'LITERAL\n    app_type: spa\n",
    "clients:\n  - name: A\n    client_secret: LITERAL: x\n",
    "clients:\n  - name: A\n    client_secret: [LITERAL\n",
    "clients:\n  - name: A\n    client_secret: [LITERAL]\n",
    "clients:\n  - name: A\n    client_secret: { a: LITERAL }\n",
    "clients:\n  - name: A\n    client_secret: { LITERAL: a }\n",
    "clients:\n  - name: A\n    client_secret:\tLITERAL\n\tx: y\n",
    "clients:\n  - name: A\n    client_secret: LITERAL\n   app_type: spa\n",
    "clients:\n  - name: A\n    client_secret: LITERAL\n    client_secret: LITERAL\n",
    "clients:\n  - name: A\n    client_secret: *LITERAL\n",
    "clients:\n  - name: A\n    client_secret: !!int LITERAL\n",
    "clients:\n  - name: A\n    client_secret: !LITERAL x\n",
    "clients:\n  - name: A\n    client_secret: \"LITERAL\\q\"\n",
    "clients:\n  - name: A\n    client_secret: @LITERAL\n",
    "clients:\n  - name: A\n    client_secret: `LITERAL`\n",
    "clients:\n  - name: A\n    client_secret: %LITERAL\n",
    "clients:\n  - name: A\n    client_secret: |x\n      LITERAL\n",
    "clients:\n  - name: A\n    client_secret: |\n      LITERAL\n    wrong\n",
    "clients:\n  - name: A\n    client_secret:\n      LITERAL\n      app_type: spa\n",
    "clients:\n  - name: A\n    client_secret: LITERAL ${{ \n",
    "clients:\n  - name: A\n    client_secret: ${{ \"LITERAL\" + }}\n",
    "clients:\n  - name: A\n    client_secret: ${{ 'LITERAL' | nofilter }}\n",
    "clients:\n  - name: A\n    client_secret: LITERAL ##NOT_DEFINED##\n",
    "clients:\n  - name: A\n    client_secrte: LITERAL\n",
    "clients:\n  - name: A\n    clientSecret: LITERAL\n",
    "clients:\n  - { name: A, client_secret: LITERAL, app_type: wrong }\n",
    "clients:\n  - { name: A, app_type: wrong, client_secret: LITERAL }\n",
    "clients:\n  - { client_secret: LITERAL }\n",
    "clients:\n  client_secret: LITERAL\n",
    "client:\n  - { client_secret: LITERAL }\n",
    "clients: client_secret LITERAL\n  x: y\n",
    "resourceServers:\n  - { name: A, signing_secret: LITERAL }\n",
    "resourceServers:\n  - identifier: a\n    token_encryption:\n      encryption_key:\n        pem: |\n          -----BEGIN PUBLIC KEY-----\n          LITERAL\n          -----END PUBLIC KEY-----\n       x: y\n",
    "resourceServers:\n  - identifier: a\n    token_encryption:\n      encryption_key:\n        pem: LITERAL\n",
    "clients:\n  - name: \"x ##AT## y\"\n",
    "clients:\n  - name: A\n    is_first_party: ##HASH##\n    app_type: ##HASH##\n",
    "clients:\n  - name: A\n    is_first_party: ${{ env.EXPRESSION }}\n    app_type: \"${{ env.EXPRESSION }}\"\n",
    "clients:\n  - name: A\n    is_first_party: ${{ HASH[0:12] }}\n    app_type: ${{ KEPT | upper }}\n",
    "clients:\n  - name: A\n    grant_types: ${{ [HASH, KEPT] }}\n    callbacks: { a: @@AT@@ }\n",
    "clients:\n  - name: A\n    description: ${{ HASH + 1 }} ${{ KEPT / 2 }}\n",
    "clients:\n  - name: A\n    description: ${{ HASH.missing.more }} ${{ KEPT | round }}\n",
    "clients:\n  - name: A\n    ##HASH##: 1\n    app_type: wrong\n",
    "##HASH##: [1]\n@@AT@@: 1\n",
    "clients:\n  - { name: A }\n  - { name: A, ##HASH##: @@AT@@, ##HASH##: 2 }\n",
    "clients: [{ name: A }]\nresourceServers: []\nclientGrants:\n  - { client_id: ##HASH##, audience: \"https://${{ KEPT }}\", scope: [##HASH##] }\n",
    "clients:\n  - &a { name: A, client_secret: LITERAL }\n  - *a\n  - { <<: *b, client_secret: LITERAL }\n",
];

#[test]
fn no_error_on_a_line_with_a_secret_shows_it() {
    let mut watch = project();
    let literal = watch.canaries[4].value.clone();
    for text in BROKEN {
        watch.write("tenant.yaml", text.replace("LITERAL", &literal));
        let found = watch.leaks.len();
        let codes: Vec<i32> = [&["validate"][..], &["render", "-vvv"], &["plan", "-vvv", "--out", "broken.plan"]]
            .into_iter()
            .map(|arguments| watch.run(arguments).0)
            .collect();
        assert_eq!((codes[0], codes[2]), (1, 1), "{text}");
        for leak in &mut watch.leaks[found..] {
            *leak = format!("{text:?}: {leak}");
        }
    }
    watch.finish();
}

#[test]
fn no_secret_of_the_project_file_or_a_keywords_file_is_shown_by_its_errors() {
    let mut watch = project();
    let literal = watch.canaries[3].value.clone();
    for text in [
        "version: 1\nkeywords:\n  KEPT: { value: \"LITERAL\", secret: ture }\n",
        "version: 1\nkeywords:\n  KEPT: { value: \"LITERAL\", secret: true, x: 1 }\nenvironments: {}\n",
        "version: 1\nkeywords:\n  KEPT: { value: \"LITERAL, secret: true }\n",
        "version: 1\nkeywords: { KEPT: { value: LITERAL, secret: true } ]\n",
        "version: 1\nenvironments:\n  dev: { tenant: sandbox, credentials: { client_secret: LITERAL } }\n",
        "version: 1\nenvironments:\n  dev:\n    tenant: sandbox\n    credentials:\n      client_secret: LITERAL\n",
        "version: 1\nenvironments:\n  dev:\n    tenant: sandbox\n    credentials:\n      client_secret: \"LITERAL\n",
        "version: 1\nenvironments:\n  dev:\n    tenant: sandbox\n    credentials:\n      access_token: [LITERAL]\n",
    ] {
        watch.write("tenantctl.yaml", text.replace("LITERAL", &literal));
        let (code, said) = watch.run(&["validate", "-vvv"]);
        assert_eq!(code, 1, "{text}: {said}");
    }
    watch.finish();
}

#[test]
fn no_secret_of_a_configuration_is_shown_or_written() {
    let mut watch = project();
    let [literal, keyword] = [watch.canaries[10].value.clone(), watch.canaries[3].value.clone()];
    let good = r#"{
  "AUTH0_DOMAIN": "sandbox", "AUTH0_CLIENT_ID": "an-id", "AUTH0_CLIENT_SECRET": "LITERAL", "AUTH0_ACCESS_TOKEN": "LITERAL",
  "AUTH0_KEYWORD_REPLACE_MAPPINGS": { "MY_TOKEN": "KEYWORD", "PLAIN": "KEYWORD" }, "AUTH0_SLIP": 1
}
"#;
    let definitions = "clients:\n  - { name: A, client_secret: \"##PLAIN##\", description: \"x ##MY_TOKEN##\" }\n  \
                       - { name: B, description: \"##HASH##\", client_metadata: { a: @@AT@@ } }\n";
    let filled = |text: &str| text.replace("LITERAL", &literal).replace("KEYWORD\"", &format!("{keyword}\""));
    watch.write("config.json", filled(good));
    watch.write("tenant.yaml", definitions);
    let files = ["-c", "config.json", "-i", "tenant.yaml"];
    for arguments in [
        &["validate", "-vvv"][..],
        &["render", "-vvv"],
        &["plan", "-vvv", "--out", "a.plan"],
        &["plan", "--format", "json"],
        &["plan", "--format", "markdown"],
        &["apply", "--yes", "-vvv", "a.plan"],
        &["plan", "-vvv"],
        &["export", "--out", "out", "--only", "customDomains", "-vvv"],
        &["migrate", "--out", "other.yaml", "--force", "-vvv"],
    ] {
        let (code, text) = watch.run(&[arguments, &files].concat());
        assert_eq!(code, 0, "{arguments:?}: {text}");
    }
    for wrong in [
        "{ \"AUTH0_CLIENT_SECRET\": \"LITERAL\n}",
        "{ \"AUTH0_CLIENT_SECRET\": [\"LITERAL\"] }",
        "{ \"AUTH0_CLIENT_SECRET\": \"LITERAL\", \"AUTH0_DOMAIN\": 1, \"AUTH0_EXCLUDED\": \"x\" }",
        "{ \"AUTH0_ACCESS_TOKEN\" : \"LITERAL\" \"x\" }",
        "{ \"AUTH0_ACCESS_TOKEN\": LITERAL: x }",
        "{ \"AUTH0_EXCLUDED\": 1, \"AUTH0_KEYWORD_REPLACE_MAPPINGS\": { \"API_KEY\": \"KEYWORD\" } }",
        "{ \"AUTH0_KEYWORD_REPLACE_MAPPINGS\": { \"API_KEY\": \"KEYWORD\", } ]",
    ] {
        watch.write("config.json", filled(wrong));
        for verb in ["validate", "plan", "migrate"] {
            let (code, text) = watch.run(&[&[verb, "-vvv"][..], &files].concat());
            assert_eq!(code, 1, "{wrong}: {text}");
        }
    }
    watch.write("config.json", "{ \"AUTH0_DOMAIN\": \"sandbox\" }");
    watch.variables.insert("AUTH0_KEYWORD_REPLACE_MAPPINGS", format!("{{ \"PLAIN\": {keyword:?} "));
    let (code, text) = watch.run(&[&["plan", "-vvv"][..], &files].concat());
    assert_eq!(code, 1, "{text}");
    watch.finish();
}

#[test]
fn an_answer_that_quotes_a_secret_is_shown_without_it() {
    let mut watch = with_a_past();
    let literal = watch.canaries[4].value.clone();
    watch.write(
        "tenant.yaml",
        format!(
            "clients:\n  - {{ name: Keyword, \"##HASH##\": 1, callbacks: [@@AT@@] }}\n  - {{ name: Other, client_secret: {literal} }}\n  \
             - {{ name: Quoted, \"{literal}\": 1 }}\n"
        ),
    );
    let (code, text) = watch.run(&["apply", "--yes", "-vvv"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("Additional properties not allowed: (sensitive)"), "{text}");
    watch.finish();
}

#[test]
fn a_secret_that_became_part_of_a_name_is_in_no_output_and_no_saved_plan() {
    let mut watch = project();
    watch.write(
        "tenant.yaml",
        "resourceServers:\n  - { name: x, identifier: \"https://${{ KEPT | length }}.##HASH##\", scopes: [{ value: \"##HASH##\" }] }\n\
         clients:\n  - { name: \"n ##HASH##\", description: one }\nclientGrants:\n  - client_id: \"n ##HASH##\"\n    \
         audience: \"https://${{ KEPT | length }}.##HASH##\"\n    scope: [\"##HASH##\"]\n",
    );
    for arguments in [
        &["validate", "-vvv"][..],
        &["plan", "--out", "a.plan", "-vvv"],
        &["plan", "--format", "json"],
        &["plan", "--format", "markdown"],
        &["apply", "--yes", "-vvv", "a.plan"],
        &["plan", "--format", "json"],
    ] {
        let (code, text) = watch.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {text}");
    }
    watch.finish();
}

#[test]
fn an_export_holds_no_secret_of_the_tenant() {
    let mut watch = project();
    let [client, signing] = [watch.canaries[4].value.clone(), watch.canaries[5].value.clone()];
    watch.write(
        "tenant.yaml",
        format!(
            "clients:\n  - name: A\n    client_secret: {client}\n    addons: {{ azure_sb: {{ sasKey: {client} }}, wams: {{ masterkey: ##HASH## }} }}\n\
             resourceServers:\n  - {{ name: L, identifier: https://l.example, signing_alg: HS256, signing_secret: {signing} }}\n"
        ),
    );
    for arguments in [&["apply", "--yes", "-vvv"][..], &["export", "--out", "out", "--with-ids", "-vvv"]] {
        let (code, text) = watch.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {text}");
    }
    let main = fs::read_to_string(watch.folder.path().join("out/tenant.yaml")).unwrap();
    assert!(main.contains("https://l.example"), "{main}");
    watch.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_shown_neither_when_they_are_taken_nor_when_they_are_not() {
    let sandbox = sandbox::start(Options { tls: true, ..Options::default() }).unwrap();
    let mut watch = project();
    let secret = sandbox.client_secret.expose_secret().to_owned();
    watch.canaries.push(Canary::given("client secret of the sandbox", &secret));
    watch.write("tenantctl.yaml", PROJECT.replace("tenant: sandbox", &format!("tenant: \"{}\"", sandbox.domain)));
    watch.write("ca.pem", sandbox.ca.clone().unwrap());
    let key = watch.canaries[8].value.clone();
    watch.write("key.pem", format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"));
    let [token, wrong] = [watch.canaries[9].value.clone(), watch.canaries[10].value.clone()];
    let id = sandbox.client_id.clone();
    let ways = [
        (0, vec![("AUTH0_CLIENT_ID", id.clone()), ("AUTH0_CLIENT_SECRET", secret)]),
        (1, vec![("AUTH0_CLIENT_ID", id.clone()), ("AUTH0_CLIENT_SECRET", wrong.clone())]),
        (1, vec![("AUTH0_CLIENT_ID", wrong.clone()), ("AUTH0_CLIENT_SECRET", wrong)]),
        (1, vec![("AUTH0_CLIENT_ID", id), ("AUTH0_CLIENT_SIGNING_KEY_PATH", "key.pem".to_owned())]),
        (1, vec![("AUTH0_ACCESS_TOKEN", token)]),
    ];
    let variables = watch.variables.clone();
    for (expected, way) in ways {
        watch.variables = variables.clone();
        watch.variables.extend(way);
        for arguments in [
            &["plan", "-vvv", "--ca-bundle", "ca.pem"][..],
            &["plan", "-vvv"],
            &["apply", "--yes", "-vvv", "--ca-bundle", "ca.pem"],
            &["export", "--only", "tenant", "--out", "out", "-vvv", "--ca-bundle", "ca.pem"],
        ] {
            let (code, text) = watch.run(arguments);
            let is_trusted = arguments.contains(&"--ca-bundle");
            assert_eq!(code, if is_trusted { expected } else { 1 }, "{arguments:?}: {text}");
        }
    }
    watch.finish();
}

/// Puts a text into all secret fields of a value, and tells how many there were.
fn plant(fields: &Fields, object: &mut Map<String, Value>, text: &str) -> usize {
    fn within(field: &Field, value: &mut Value, is_secret: bool, text: &str) -> usize {
        let is_secret = is_secret || field.secret;
        match value {
            Value::String(found) if is_secret && field.format.is_none() && field.one_of.is_empty() => {
                text.clone_into(found);
                1
            }
            Value::Object(members) => {
                let inside = |(name, value): (&String, &mut Value)| match field.member(name) {
                    Some(member) => within(member, value, is_secret, text),
                    None if is_secret => within(field, value, true, text),
                    None => 0,
                };
                members.iter_mut().map(inside).sum()
            }
            Value::Array(items) => {
                let item = field.items.as_deref();
                items.iter_mut().map(|value| item.map_or(0, |item| within(item, value, is_secret, text))).sum()
            }
            _ => 0,
        }
    }
    let inside =
        |(name, value): (&String, &mut Value)| fields.get(name).map_or(0, |field| within(field, value, false, text));
    object.iter_mut().map(inside).sum()
}

#[test]
fn no_secret_field_of_any_kind_is_shown_or_exported() {
    let mut watch = Watch::new(canaries());
    watch.write("tenantctl.yaml", "version: 1\ndefinitions: tenant.yaml\nenvironments: { dev: { tenant: sandbox } }\n");
    let [first, second] = [watch.canaries[4].value.clone(), watch.canaries[7].value.clone()];
    let mut planted = 0;
    for kind in Registry::builtin() {
        let mut kinds = with_all_fields(kind);
        let mut tenants = Vec::new();
        for text in [&first, &second] {
            let mut count = 0;
            for object in kinds.get_mut(kind.name.as_str()).unwrap() {
                let fields = kind.of(object).fields.clone();
                count += plant(&fields, object, text);
            }
            planted += count;
            let one = |(name, objects): (&&str, &Vec<Map<String, Value>>)| {
                let is_one = Registry::builtin().get(name).unwrap().singleton;
                ((*name).to_owned(), if is_one { json!(objects[0]) } else { json!(objects) })
            };
            let document: Map<String, Value> = kinds.iter().map(one).collect();
            tenants.push((serde_json::to_string_pretty(&document).unwrap(), count));
        }
        if tenants[0].1 == 0 {
            continue;
        }
        for (text, _) in &tenants {
            watch.write("tenant.yaml", text);
            for arguments in [
                &["plan", "-vvv", "--rotate", "*"][..],
                &["plan", "--format", "json"],
                &["plan", "--format", "markdown"],
                &["apply", "--yes", "--rotate", "*", "-vvv"],
            ] {
                let (code, text) = watch.run(arguments);
                assert_eq!(code, 0, "{} {arguments:?}: {text}", kind.name);
            }
        }
        for layout in ["yaml", "directory"] {
            let (code, text) = watch.run(&["export", "--out", "out", "--layout", layout, "--force", "-vvv"]);
            assert_eq!(code, 0, "{text}");
        }
        assert_eq!(watch.run(&["sandbox", "reset"]).0, 0);
    }
    assert!(planted > 60, "secrets are planted in many fields: {planted}");
    watch.finish();
}
