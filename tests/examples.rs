//! The folders of `examples/`: each is valid in every environment, can be made on the embedded tenant,
//! has nothing left to do after that, and comes back as it is when it is exported.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tenantctl::config::settings::Project;
use tenantctl::config::variables::Variables;
use tenantctl::kinds::Registry;
use tenantctl::secret::Secrets;

fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("tenantctl.yaml").is_file()).collect();
    folders.sort();
    folders
}

/// A copy without the tenant that somebody's own try has left there.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path() {
            path if path.file_name() == Some(OsStr::new(".tenantctl")) => {}
            path if path.is_dir() => copy(&path, &target),
            path => drop(fs::copy(path, target).unwrap()),
        }
    }
}

/// The variables that a project's keywords come from: `{ env: NAME }`.
fn variables(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("tenantctl.yaml")).unwrap();
    let parts = text.split("{ env: ").skip(1);
    parts.filter_map(|rest| Some(rest.split_once(" }")?.0.to_owned())).collect()
}

fn run(folder: &Path, variables: &[String], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tenantctl"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().map(|name| (name, format!("a-value-of-{name}"))))
        .output()
        .unwrap()
}

fn succeeds(folder: &Path, variables: &[String], arguments: &[&str]) -> String {
    let output = run(folder, variables, arguments);
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{}: {arguments:?}\n{stdout}{stderr}", folder.display());
    assert!(!stdout.contains("a-value-of-") && !stderr.contains("a-value-of-"), "a secret is shown\n{stdout}{stderr}");
    stdout
}

#[test]
fn each_is_valid_in_every_environment() {
    for folder in examples() {
        let text = succeeds(&folder, &variables(&folder), &["validate"]);
        assert!(text.lines().count() > 1, "an example shows several environments\n{text}");
    }
}

#[test]
fn each_is_made_on_the_embedded_tenant_and_then_there_is_nothing_left_to_do() {
    for example in examples() {
        let folder = tempfile::tempdir().unwrap();
        copy(&example, folder.path());
        let (folder, variables) = (folder.path(), variables(&example));
        let first = succeeds(folder, &variables, &["apply", "-e", "dev", "--yes"]);
        assert!(first.contains("\nApplied: ") && !first.contains("Held back"), "{first}");
        let second = succeeds(folder, &variables, &["apply", "-e", "dev", "--yes"]);
        assert!(second.contains("\nNo changes.") && !second.contains("Held back"), "{second}");
    }
}

#[test]
fn each_comes_back_as_files_that_say_the_same() {
    for example in examples() {
        let folder = tempfile::tempdir().unwrap();
        copy(&example, folder.path());
        let (folder, variables) = (folder.path(), variables(&example));
        succeeds(folder, &variables, &["apply", "-e", "dev", "--yes"]);
        fs::create_dir(folder.join("exported")).unwrap();
        succeeds(folder, &variables, &["export", "-e", "dev", "--out", "exported"]);
        fs::write(
            folder.join("exported/tenantctl.yaml"),
            "version: 1\ndefinitions: tenant.yaml\nenvironments: { dev: { tenant: sandbox } }\n",
        )
        .unwrap();
        copy(&folder.join(".tenantctl"), &folder.join("exported/.tenantctl"));
        let plan = succeeds(&folder.join("exported"), &[], &["plan"]);
        assert!(plan.contains("\nNo changes."), "{plan}");
    }
}

/// Everything below a folder, by path, but for this tool's own: a folder has no text.
fn tree(folder: &Path) -> Vec<(PathBuf, Option<String>)> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<(PathBuf, Option<String>)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if name == Path::new(".tenantctl") || name == Path::new("tenantctl.yaml") {
                continue;
            }
            let is_folder = path.is_dir();
            found.push((name, (!is_folder).then(|| fs::read_to_string(&path).unwrap())));
            if is_folder {
                walk(&path, root, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

#[test]
fn each_comes_back_from_another_tenant_as_the_same_bytes_in_either_layout() {
    for (example, layout) in examples().into_iter().flat_map(|it| [(it.clone(), "yaml"), (it, "directory")]) {
        let folder = tempfile::tempdir().unwrap();
        copy(&example, folder.path());
        let (folder, variables) = (folder.path(), variables(&example));
        succeeds(folder, &variables, &["apply", "-e", "dev", "--yes"]);
        let export = ["export", "-e", "dev", "--layout", layout, "--out"];
        let output = run(folder, &variables, &[&export[..], &["first"]].concat());
        assert!(output.status.success(), "{output:?}");
        // The secrets that the other tenant needs.
        let said = String::from_utf8(output.stderr).unwrap();
        let names = said.split("stand the keywords ").nth(1).map_or("", |rest| rest.lines().next().unwrap());
        let values: Vec<String> = names.split(", ").filter(|it| !it.is_empty()).map(|it| format!("{it}: x")).collect();
        let project = format!(
            "version: 1\ndefinitions: {}\nkeywords: {{ {} }}\nenvironments: {{ dev: {{ tenant: sandbox }} }}\n",
            if layout == "yaml" { "tenant.yaml" } else { "." },
            values.join(", ")
        );
        // The API fills in beside what is sent, so that what comes from a tenant that was made of an
        // export is what has to stay the same.
        for (from, to) in [("first", "second"), ("second", "third")] {
            let from = folder.join(from);
            fs::write(from.join("tenantctl.yaml"), &project).unwrap();
            let applied = succeeds(&from, &[], &["apply", "--yes"]);
            assert!(applied.contains("\nApplied: ") && !applied.contains("Held back"), "{applied}");
            succeeds(&from, &[], &[&export[..], &[&format!("../{to}")]].concat());
        }
        let (second, third) = (tree(&folder.join("second")), tree(&folder.join("third")));
        assert!(second == third, "{}: {layout}", example.display());
        assert!(!second.is_empty());
    }
}

#[test]
fn one_of_them_has_every_kind() {
    let has_all = |folder: &PathBuf| {
        let values = variables(folder).into_iter().map(|name| (name.clone(), format!("a-value-of-{name}"))).collect();
        let secrets = Secrets::default();
        let project = Project::find(Some(folder), Variables::new(values), &secrets).unwrap();
        let settings = project.settings(Some("dev"), Registry::builtin()).unwrap();
        let desired = tenantctl::config::load(&settings, Registry::builtin(), &secrets).unwrap().desired;
        // Of what is retired nobody needs an example.
        let mut kinds = Registry::builtin().iter().filter(|kind| kind.retired.is_none());
        kinds.all(|kind| !desired.tenant.objects(&kind.name).is_empty())
    };
    assert!(examples().iter().any(has_all));
}
