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
        Self::of(name, value, [format!("qz{number:02}kv"), format!("vk{number:02}zq")])
    }

    /// A secret that the test did not choose.
    fn given(name: &'static str, value: &str) -> Self {
        let middle = value.len() / 2;
        Self::of(name, value.to_owned(), [value[..middle].to_owned(), value[middle..].to_owned()])
    }

    /// Looks for two parts of it, so that one cut in half is found, and for the whole in other spellings.
    fn of(name: &'static str, value: String, parts: [String; 2]) -> Self {
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
        self.needles.iter().any(|needle| text.contains(needle.as_str()))
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
        // Tokens that the sandbox gave are secrets too; a JWT's header begins so in base64.
        if text.contains("eyJ") {
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
