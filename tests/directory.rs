//! The directory layout of the Deploy CLI: what is read from it, and every way in which it can be wrong.

use serde_json::{Value, json};
use tenantctl::config::settings::{Project, Settings};
use tenantctl::config::variables::Variables;
use tenantctl::config::{self, Loaded};
use tenantctl::error::{Error, Problem};
use tenantctl::kinds::Registry;
use tenantctl::secret::Secrets;
use tenantctl::tenant::Address;

const PROJECT: &str = "version: 1
definitions: config
keywords: { COMPANY: Northwind, PASS: { env: PASS } }
environments:
  dev: { tenant: sandbox, keywords: { URLS: [http://a, http://b], PORT: 3001 } }
";

/// A project with a folder of definitions; a path with a slash at its end is a folder.
struct Case {
    folder: tempfile::TempDir,
    secrets: Secrets,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let case = Self { folder: tempfile::tempdir().unwrap(), secrets: Secrets::default() };
        case.write("tenantctl.yaml", PROJECT);
        std::fs::create_dir(case.folder.path().join("config")).unwrap();
        for (path, text) in files {
            case.write(&format!("config/{path}"), text);
        }
        case
    }

    fn write(&self, path: &str, text: &str) {
        let full = self.folder.path().join(path);
        if path.ends_with('/') {
            return std::fs::create_dir_all(full).unwrap();
        }
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    fn settings(&self) -> Settings {
        let variables = Variables::from([("PASS", "hunter22hunter22")]);
        let project = Project::find(Some(self.folder.path()), variables, &self.secrets).unwrap();
        project.settings(None, Registry::builtin()).unwrap()
    }

    fn load(&self) -> Result<Loaded, Error> {
        config::load(&self.settings(), Registry::builtin(), &self.secrets)
    }

    /// What is wrong, without the keywords that nobody uses.
    fn problems(&self) -> Vec<String> {
        let problems = match self.load() {
            Ok(loaded) => loaded.warnings,
            Err(error) => error.problems,
        };
        let is_said = |problem: &Problem| !problem.message.starts_with("nobody uses");
        let shown = |problem: Problem| match &problem.origin {
            Some(origin) => format!("{origin} {}", problem.message),
            None => problem.message,
        };
        problems.sorted().into_iter().filter(is_said).map(shown).collect()
    }

    fn field(&self, address: &str, pointer: &str) -> Value {
        let loaded = self.load().unwrap_or_else(|error| panic!("{:?}", error.problems));
        let object = loaded.desired.tenant.find_by(&Address::parse(address), None).cloned();
        let value = Value::Object(object.unwrap_or_else(|| panic!("no {address}")).value);
        value.pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    fn kinds(&self) -> Vec<String> {
        let tenant = self.load().unwrap_or_else(|error| panic!("{:?}", error.problems)).desired.tenant;
        tenant.kinds.iter().map(|(kind, objects)| format!("{kind} {}", objects.len())).collect()
    }
}

#[test]
fn a_missing_folder_leaves_a_kind_out_and_an_empty_one_says_that_there_are_none() {
    let case = Case::new(&[
        ("clients/.gitkeep", ""),
        ("roles/A.json", r#"{ "name": "A" }"#),
        ("resource-servers/empty.json", "{}"),
        ("custom-domains/", ""),
        ("triggers/", ""),
        ("tenant.json", "{}"),
        ("notes.txt", "not a definition"),
    ]);
    assert_eq!(case.kinds(), ["clients 0", "resourceServers 0", "roles 1", "tenant 1"]);
    assert_eq!(case.problems(), Vec::<String>::new());
    let nothing = Case::new(&[]);
    assert_eq!(nothing.problems(), ["tenantctl.yaml:2:14 `config` has no definitions"]);
}

#[test]
fn what_kinds_are_there_is_part_of_the_digest() {
    let digest = |case: &Case| case.load().unwrap().desired.digest;
    let (without, with) = (Case::new(&[("tenant.json", "{}")]), Case::new(&[("tenant.json", "{}"), ("roles/", "")]));
    assert_ne!(digest(&without), digest(&with));
    let before = digest(&with);
    with.write("config/roles/A.json", r#"{ "name": "A" }"#);
    assert_ne!(before, digest(&with));
}

#[test]
fn keywords_and_expressions_are_filled_in_before_json_is_read() {
    let case = Case::new(&[
        (
            "clients/A.json",
            "{\n\t\"name\": \"##COMPANY## \\/ \\ud83d\\ude00\",\n\t\"callbacks\": @@URLS@@,\n\t\"web_origins\": \"@@URLS@@\",\n\
             \t\"description\": \"${{ PORT }} \\u0023\\u0023COMPANY\\u0023\\u0023\",\n\t\"custom_login_page\": \"./a.html\"\n}\n",
        ),
        ("clients/a.html", "<b>##COMPANY##</b>"),
    ]);
    let at = |pointer: &str| case.field("clients/Northwind / 😀", pointer);
    assert_eq!(at("/callbacks"), json!(["http://a", "http://b"]));
    assert_eq!(at("/web_origins"), json!(["http://a", "http://b"]));
    assert_eq!(at("/description"), json!("3001 ##COMPANY##"));
    assert_eq!(at("/custom_login_page"), json!("<b>Northwind</b>"));
    let loaded = case.load().unwrap();
    let client = loaded.desired.tenant.objects("clients")[0].clone();
    assert_eq!(client.provenance.origin("/callbacks/1").unwrap().to_string(), "config/clients/A.json:3:15");
    assert_eq!(client.provenance.origin("/description").unwrap().to_string(), "config/clients/A.json:5:17");
    let unused = loaded.warnings.sorted();
    assert_eq!(unused.len(), 1, "{unused:?}");
    assert!(unused[0].message.contains("`PASS`"));
}

#[test]
fn companions_are_relative_to_what_the_deploy_cli_takes_them_relative_to() {
    let case = Case::new(&[
        (
            "actions/a.json",
            r#"{ "name": "a", "supported_triggers": [{ "id": "post-login", "version": "v3" }], "code": "./actions/a/code.js" }"#,
        ),
        ("actions/a/code.js", "// action"),
        (
            "connections/mail.json",
            r#"{ "name": "mail", "strategy": "email", "options": { "email": { "body": "./mail.html" } } }"#,
        ),
        ("connections/mail.html", "<i>mail</i>"),
        (
            "database-connections/Users/database.json",
            r#"{ "name": "Users DB", "strategy": "auth0", "options": { "customScripts": { "login": "./login.js" } } }"#,
        ),
        ("database-connections/Users/login.js", "// login"),
        ("emails/verify_email.json", r#"{ "template": "verify_email", "body": "./missing.html", "subject": "s" }"#),
        ("emails/verify_email.html", "<i>verify</i>"),
        ("emails/welcome_email.json", r#"{ "template": "welcome_email" }"#),
        ("emails/welcome_email.html", "<i>welcome</i>"),
        ("emails/reset_email.json", r#"{ "template": "reset_email", "body": "./other.html" }"#),
        ("emails/other.html", "<i>other</i>"),
        ("emails/blocked_account.json", r#"{ "template": "blocked_account", "body": "./none.html" }"#),
    ]);
    for (address, pointer, text) in [
        ("actions/a", "/code", "// action"),
        ("connections/mail", "/options/email/body", "<i>mail</i>"),
        ("databases/Users DB", "/options/customScripts/login", "// login"),
        ("emailTemplates/verify_email", "/body", "<i>verify</i>"),
        ("emailTemplates/welcome_email", "/body", "<i>welcome</i>"),
        ("emailTemplates/reset_email", "/body", "<i>other</i>"),
    ] {
        assert_eq!(case.field(address, pointer), json!(text), "{address}");
    }
    let skipped = "config/emails/blocked_account.json:1:1 `config/emails/blocked_account.json` is skipped: there is no \
                   `blocked_account.html` beside it";
    assert_eq!(case.problems(), [skipped]);
}

#[test]
fn one_file_holds_all_triggers_and_all_custom_domains() {
    let case = Case::new(&[
        ("triggers/any name.json", r#"{ "post-login": [{ "action_name": "a", "display_name": "a" }] }"#),
        ("custom-domains/custom-domains.json", r#"[{ "domain": "a.example", "type": "auth0_managed_certs" }]"#),
        ("custom-domains/more.json", "no JSON"),
    ]);
    assert_eq!(case.kinds(), ["customDomains 1", "triggers 1"]);
}

#[test]
fn one_object_can_lie_in_several_files() {
    let case = Case::new(&[
        ("attack-protection/captcha.json", r#"{ "active_provider_id": "arkose" }"#),
        ("attack-protection/brute-force-protection.json", "{\n  \"max_attempts\": 5\n}"),
        ("attack-protection/notes.json", "[]"),
    ]);
    assert_eq!(case.field("attackProtection", "/bruteForceProtection"), json!({ "max_attempts": 5 }));
    assert_eq!(case.field("attackProtection", "/captcha/active_provider_id"), json!("arkose"));
    let case = Case::new(&[
        ("attack-protection/captcha.json", r#"{ "active_provider_id": "none" }"#),
        ("attack-protection/brute-force-protection.json", "{\n  \"max_attempt\": 5\n}"),
    ]);
    let wrong = case.problems();
    let is_told = |place: &str| wrong.iter().any(|problem| problem.contains(place));
    assert!(is_told("captcha.json:1:25") && is_told("brute-force-protection.json:2:3"), "{wrong:#?}");
}

#[test]
fn everything_that_is_wrong_is_told_with_its_file_and_place() {
    let case = Case::new(&[
        ("clients/a.json", "{\n\t\"name\": \"x\",\n\t\"name\": \"y\"\n}\n"),
        ("clients/b.json", "{\n\t\"name\": \"x\"\n\t\"callbacks\": []\n}\n"),
        ("clients/c.json", "[]"),
        ("clients/d.json", ""),
        ("clients/e.json", "{ \"name\": \"e\", \"app_typ\": \"spa\" }"),
        ("clients/f.json", "{\n  \"name\": \"f\",\n  \"description\": \"a ##NOWHERE## b\"\n}\n"),
        ("clients/g.json", r#"{ "name": "e" }"#),
        ("actions/a.json", "{ \"name\": \"a\",\n  \"code\": \"./actions/b/code.js\" }"),
        ("custom-domains/custom-domains.json", "{}"),
        ("pages/", ""),
        ("role/", ""),
        ("grants", ""),
    ]);
    assert_eq!(
        case.problems(),
        [
            "config/actions/a.json:2:11 actions/a: `code`: the file `config/actions/b/code.js` does not exist",
            "config/clients/a.json:3:2 the key `name` stands twice in this map",
            "config/clients/b.json:3:2 not valid JSON: did not find expected ',' or '}'",
            "config/clients/c.json:1:1 an element of `clients` must be a map, not a list",
            "config/clients/d.json:1:1 `config/clients/d.json` is empty",
            "config/clients/e.json:1:16 clients/e: `app_typ` is not a field of it",
            "config/clients/f.json:3:21 the keyword `NOWHERE` is not defined in environment `dev`",
            "config/clients/g.json:1:1 clients/e stands twice in the definitions",
            "config/custom-domains/custom-domains.json:1:1 `customDomains` must be a list, not a map",
            "tenantctl.yaml:2:14 `grants` is a file, where the directory layout has a folder",
            "tenantctl.yaml:2:14 `pages` is not managed by this version: it is left alone",
            "tenantctl.yaml:2:14 the folder `role` is ignored: it is of no kind",
        ]
    );
}

#[test]
fn a_rendered_folder_is_each_file_behind_its_path_with_secrets_masked() {
    let case = Case::new(&[
        ("clients/A.json", "{ \"name\": \"##COMPANY##\" }"),
        (
            "log-streams/s.json",
            "{ \"name\": \"s\", \"type\": \"http\", \"sink\": { \"httpEndpoint\": \"https://a\", \"httpAuthorization\": \"##PASS##\" } }\n",
        ),
    ]);
    let (text, _) = config::render(&case.settings(), Registry::builtin(), &case.secrets).unwrap();
    assert!(
        text.starts_with("# config/clients/A.json\n{ \"name\": \"Northwind\" }\n# config/log-streams/s.json\n"),
        "{text}"
    );
    assert!(!text.contains("hunter22"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_of_the_project_or_nowhere_is_no_missing_object() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("a.json"), r#"{ "name": "a" }"#).unwrap();
    let case = Case::new(&[("roles/", ""), ("resource-servers/", "")]);
    let at = |path: &str| case.folder.path().join("config").join(path);
    symlink(outside.path(), at("clients")).unwrap();
    symlink(outside.path().join("a.json"), at("roles/a.json")).unwrap();
    symlink("gone.json", at("resource-servers/a.json")).unwrap();
    assert_eq!(
        case.problems(),
        [
            "tenantctl.yaml:2:14 `resource-servers/a.json` is a link that leads nowhere",
            "tenantctl.yaml:2:14 the path `config/clients` leads out of the project folder",
            "tenantctl.yaml:2:14 the path `config/roles/a.json` leads out of the project folder",
        ]
    );
}
