//! What the documentation says is true: the table of kinds, the command help, the examples.

use std::fs;
use std::path::Path;

use tenantctl::kinds::Registry;
use tenantctl::kinds::facts::Facts;

use crate::transcripts::{now, parse};

const BEGIN: &str = "<!-- kinds: written by `just bless` -->\n";
const END: &str = "<!-- end of kinds -->";

fn row(facts: &Facts) -> String {
    let kind = facts.kind;
    let identity: Vec<String> = facts.identity.iter().map(|fields| format!("`{}`", fields.join("`, `"))).collect();
    let identity = if kind.singleton { "one for each tenant".to_owned() } else { identity.join(" or ") };
    let scopes: Vec<String> = facts.scopes().iter().map(|scope| format!("`{scope}`")).collect();
    let deletable = if facts.is_deletable() { "yes" } else { "no" };
    let retired = kind.retired.iter().map(|_| "retired".to_owned());
    let plan = facts.features.iter().map(|(feature, fields)| match fields.as_slice() {
        [] => format!("the plan must have {feature}"),
        fields => format!("the plan must have {feature} (`{}`)", fields.join("`, `")),
    });
    let remarks: Vec<String> = retired.chain(plan).collect();
    let (name, about) = (&kind.name, &kind.about);
    let (remarks, scopes) = (remarks.join("; "), scopes.join(", "));
    format!("| `{name}` | {about} | {identity} | {deletable} | {remarks} | {scopes} |\n")
}

#[test]
fn the_readme_lists_the_kinds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let head = "| kind | what | recognised by | deletable | remarks | scopes that tenantctl needs |\n|---|---|---|---|---|---|\n";
    let mut facts: Vec<Facts> = Registry::builtin().iter().map(|kind| kind.facts()).collect();
    facts.sort_by_key(|facts| &facts.kind.name);
    let table: String = facts.iter().map(row).collect();
    let expected = format!("{before}{BEGIN}{head}{table}{END}{after}");
    if expected != readme && std::env::var_os("BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
        return;
    }
    assert_eq!(expected, readme, "`just bless` writes the table");
}

#[test]
fn every_key_of_the_declarations_is_explained() {
    let explained = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/README.md")).unwrap();
    let declarations = concat!(
        include_str!("../src/kinds/kind.rs"),
        include_str!("../src/kinds/endpoint.rs"),
        include_str!("../src/kinds/field.rs"),
        include_str!("../src/kinds/entitlement.rs"),
        include_str!("../src/kinds/child.rs"),
        include_str!("../src/kinds/part.rs"),
        include_str!("../src/kinds/directory.rs"),
        include_str!("../src/kinds/server.rs"),
        include_str!("../src/kinds/server/kind.rs"),
        include_str!("../src/kinds/server/field.rs"),
        include_str!("../src/kinds/server/action.rs")
    );
    let mut missing = Vec::new();
    for line in declarations.lines() {
        let Some(name) = line.strip_prefix("    pub ").and_then(|rest| rest.split_once(':')).map(|(name, _)| name)
        else {
            continue;
        };
        let name = match name {
            "holds" => "type",
            "reference" => "ref",
            "one_of" => "enum",
            "member" => "in",
            "only" | "fits" => "where",
            name => name,
        };
        // Parts of a parsed reference, and what is made of cases, are no keys.
        if !["via", "or", "kinds", "served_by", "is_unit", "bare", "case_of"].contains(&name)
            && !explained.contains(&format!("`{name}`"))
            && !name.contains('(')
        {
            missing.push(name.to_owned());
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<_> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "schemas/README.md"].map(|page| root.join(page)).into();
    pages.extend(fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut broken = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let is_ours = !target.starts_with("http") && !target.starts_with('#');
            if is_ours && !page.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

/// Runs the blocks of a page: `tenant` is what is applied first, `files` the definitions then, and a
/// `console` shows commands with what they print. Gives the page as it would be now.
fn page_now(page: &str) -> String {
    const PROJECT: &str = "version: 1\ndefinitions: tenant.yaml\nenvironments: { dev: { tenant: sandbox } }\n";
    const FIRST: &str = "$ tenantctl apply --yes > /dev/null; mv files.yaml tenant.yaml\n";
    let (mut tenant, mut files) = ("", "");
    let mut blocks: Vec<String> = Vec::new();
    for (at, block) in page.split("```").enumerate() {
        let (head, text) = block.split_once('\n').unwrap_or((block, ""));
        match (at % 2, head) {
            (1, "yaml tenant") => tenant = text,
            (1, "yaml files") => files = text,
            (1, "console") => {
                let project = format!("--- tenantctl.yaml\n{PROJECT}--- tenant.yaml\n{tenant}--- files.yaml\n{files}");
                let printed = now(&parse(&format!("{project}{FIRST}{text}")));
                blocks.push(format!("console\n{}", printed.split_once(FIRST).unwrap().1));
                continue;
            }
            _ => {}
        }
        blocks.push(block.to_owned());
    }
    blocks.join("```")
}

fn prints_what_stands_there(page: &str, now: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(&path).unwrap();
    let now = now(&page);
    if now != page && std::env::var_os("BLESS").is_some() {
        fs::write(&path, &now).unwrap();
        return;
    }
    assert_eq!(now, page, "`just bless` writes what is printed now");
}

#[test]
fn the_examples_of_omitted_empty_and_null_print_what_stands_there() {
    prints_what_stands_there("docs/omitted-empty-null.md", page_now);
}

/// Runs a walk-through: blocks with a path behind their language are files, and the commands of all
/// `console` blocks run one after the other beside them. Gives the page as it would be now.
fn walk_now(page: &str) -> String {
    let (mut files, mut commands) = (String::new(), String::new());
    for block in page.split("```").skip(1).step_by(2) {
        let (head, text) = block.split_once('\n').unwrap_or((block, ""));
        match head.split_once(' ') {
            Some((_, path)) => files.extend(["--- ", path, "\n", text]),
            None if head == "console" => commands += text,
            None => {}
        }
    }
    // A terminal shows both streams alike.
    let printed = now(&parse(&format!("{files}{commands}"))).replace("------- stderr\n", "");
    let mut printed = printed.strip_prefix(&files).unwrap().split_inclusive('\n').peekable();
    let mut blocks: Vec<String> = page.split("```").map(str::to_owned).collect();
    for block in blocks.iter_mut().skip(1).step_by(2).filter(|block| block.starts_with("console\n")) {
        let commands = block.lines().filter(|line| line.starts_with("$ ")).count();
        block.truncate("console\n".len());
        for _ in 0..commands {
            block.extend(printed.next());
            while let Some(line) = printed.next_if(|line| !line.starts_with("$ ")) {
                block.push_str(line);
            }
        }
    }
    blocks.join("```")
}

#[test]
fn the_switch_from_the_deploy_cli_prints_what_stands_there() {
    prints_what_stands_there("docs/from-deploy-cli.md", walk_now);
}
