//! A project folder for one test.

use std::collections::BTreeSet;
use std::path::Path;

use tenantctl::config::settings::{Project, Settings};
use tenantctl::config::variables::Variables;
use tenantctl::config::{self};
use tenantctl::export::files::Exported;
use tenantctl::kinds::Registry;
use tenantctl::secret::Secrets;
use tenantctl::tenant::Desired;

const SETTINGS: &str = "version: 1
definitions: DEFINITIONS
keywords: { X: replaced, SCOPE: replaced }
environments:
  sandbox: { tenant: sandbox }
";

/// Writes files into a folder that is a project, in either layout.
pub(crate) fn project(exported: &Exported) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let is_one_file = exported.files.first().is_some_and(|file| file.path == Path::new("tenant.yaml"));
    let definitions = if is_one_file { "tenant.yaml" } else { "." };
    write(folder.path(), "tenantctl.yaml", &SETTINGS.replace("DEFINITIONS", definitions));
    for file in &exported.files {
        write(folder.path(), file.path.to_str().unwrap(), &file.text);
    }
    for path in &exported.folders {
        std::fs::create_dir_all(folder.path().join(path)).unwrap();
    }
    folder
}

/// Writes files into a folder that is a project, and gives each keyword in the place of a secret a value.
pub(crate) fn project_with_secrets(exported: &Exported) -> tempfile::TempDir {
    let folder = project(exported);
    let texts: Vec<&str> = exported.files.iter().map(|file| file.text.as_str()).collect();
    let texts = texts.join("\n");
    let is_keyword = |text: &&str| {
        !text.is_empty() && text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
    };
    let keywords: BTreeSet<&str> = texts.split("##").filter(is_keyword).collect();
    let values: Vec<String> = keywords.iter().map(|keyword| format!("{keyword}: a-secret, ")).collect();
    let path = folder.path().join("tenantctl.yaml");
    let settings = std::fs::read_to_string(&path).unwrap();
    write(
        folder.path(),
        "tenantctl.yaml",
        &settings.replace("keywords: {", &format!("keywords: {{ {}", values.concat())),
    );
    folder
}

/// Writes a file below a folder.
pub(crate) fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Settles the only environment of a project.
pub(crate) fn settings(folder: &Path, secrets: &Secrets) -> Settings {
    let project = Project::find(Some(folder), Variables::default(), secrets).unwrap();
    project.settings(None, Registry::builtin()).unwrap()
}

/// Reads the definitions of a project.
pub(crate) fn load(folder: &Path) -> Desired {
    let secrets = Secrets::default();
    let settings = settings(folder, &secrets);
    let loaded = config::load(&settings, Registry::builtin(), &secrets).unwrap_or_else(|error| {
        let text = std::fs::read_to_string(folder.join("tenant.yaml")).unwrap_or_default();
        panic!("{error}: {:?}\n{text}", error.problems)
    });
    loaded.desired
}
