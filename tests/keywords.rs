//! Keywords are replaced as the Deploy CLI replaces them: every case of `keywords/cases.json`, whose
//! column `peer` the Deploy CLI itself wrote (`keywords/peer.mjs`, which `.ci/peer` runs), and texts
//! at random against a model of its algorithm, with the way back from each byte.

use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_assert_eq, prop_oneof, proptest};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tenantctl::config;
use tenantctl::config::fill::Filler;
use tenantctl::config::keywords::{Keyword, Keywords};
use tenantctl::config::settings::Project;
use tenantctl::config::substitute::{self, Substituted};
use tenantctl::config::variables::Variables;
use tenantctl::config::yaml::{self, Content, Data, Node};
use tenantctl::error::{Problem, Problems, Severity, SourceText};
use tenantctl::kinds::Registry;
use tenantctl::secret::Secrets;

/// One case of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The text before.
    text: String,
    /// What it is: YAML, JSON, or the text of a companion.
    #[serde(default, rename = "as")]
    what: What,
    /// The keywords, in order.
    mappings: Map<String, Value>,
    /// Environment variables, which the Deploy CLI takes for keywords too.
    #[serde(default)]
    environment: Map<String, Value>,
    peer: Outcome,
    differs: Option<Differs>,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum What {
    #[default]
    Yaml,
    Json,
    Companion,
}

/// What became of a text.
#[derive(Debug, Default, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Outcome {
    text: String,
    value: Option<Value>,
    /// The text can't be parsed.
    invalid: bool,
    /// The Deploy CLI stops with this exception.
    throws: Option<String>,
}

/// What we do instead, on purpose; what is left out is as the peer's.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Differs {
    why: Why,
    text: Option<String>,
    value: Option<Value>,
    /// The errors, without their places.
    #[serde(default)]
    problems: Vec<String>,
    /// Keywords whose marker is a whole value and has none itself: an error, or a secret that is kept.
    #[serde(default)]
    missing: Vec<String>,
}

/// The reasons for which we differ. There are no others.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
enum Why {
    #[serde(rename = "a marker without a value is an error, and keeps a secret")]
    NoValue,
    #[serde(rename = "a marker that comes from a value too late is an error")]
    TooLate,
    #[serde(rename = "a map has no text")]
    Map,
    #[serde(rename = "a key is a name, not a regular expression")]
    Exact,
    #[serde(rename = "whole numbers keep their digits")]
    Digits,
    #[serde(rename = "characters that YAML takes as escapes only are escapes")]
    Escapes,
    #[serde(rename = "${{ }} is an expression")]
    Expression,
}

fn keywords(mappings: &Map<String, Value>, environment: &Map<String, Value>) -> Keywords {
    let mut keywords = Keywords::default();
    for (name, value) in mappings.iter().chain(environment) {
        keywords.set(
            name,
            Keyword { value: Some(value.clone()), is_secret: false, variable: None, origin: None, is_ambient: false },
        );
    }
    keywords
}

fn errors(problems: Problems) -> Vec<String> {
    let errors = problems.sorted().into_iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|problem| problem.message).collect()
}

/// Finds the markers without a value that are a whole scalar.
fn missing(node: &Node, found: &mut Vec<String>) {
    match &*node.data {
        Data::Scalar(scalar) => {
            if let Content::Missing(keyword) = &scalar.content {
                found.push(keyword.clone());
            }
        }
        Data::List(items) => items.iter().for_each(|item| missing(item, found)),
        Data::Map(entries) => entries.iter().for_each(|entry| missing(&entry.value, found)),
    }
}

/// Gives the text with what was written in the place of stand-ins.
fn as_written(substituted: &Substituted) -> String {
    let mut text = String::new();
    let mut rest = substituted.text();
    let is_mark = |character| ('\u{e000}'..='\u{f8ff}').contains(&character);
    while let Some(start) = rest.find(is_mark) {
        let end = start + rest[start..].match_indices(is_mark).nth(1).unwrap().0;
        let at = substituted.text().len() - rest.len();
        let (from, to) = substituted.origin(&(at + start..at + end)).span;
        text += &rest[..start];
        text += &substituted.source.text[from..to];
        rest = &rest[end + 3..];
    }
    text + rest
}

/// Does what the program does with a text, up to the tree.
fn ours(case: &Case) -> (Outcome, Vec<String>, Vec<String>) {
    let keywords = keywords(&case.mappings, &case.environment);
    let source = SourceText::new("tenant.yaml", case.text.as_str());
    let mut problems = Problems::default();
    if case.what == What::Companion {
        let substituted = substitute::companion(&source, &keywords, "dev", &mut problems);
        return (Outcome { text: as_written(&substituted), ..Outcome::default() }, errors(problems), Vec::new());
    }
    let substituted = substitute::definitions(&source, &keywords);
    let (variables, secrets) = (Variables::default(), Secrets::default());
    let mut filler = Filler::new(&substituted, &keywords, &variables, "dev", &secrets);
    let root = yaml::read(substituted.text(), &mut filler, &mut problems);
    let told = errors(std::mem::take(&mut filler.problems));
    let invalid = !errors(problems).is_empty();
    let mut found = Vec::new();
    if let Some(root) = &root {
        missing(root, &mut found);
    }
    let value = (!invalid).then(|| root.map_or(Value::Null, |root| root.to_json()));
    (Outcome { text: as_written(&substituted), value, invalid, throws: None }, told, found)
}

/// Gives what we should make of a case.
fn expected(case: &Case) -> (Outcome, Vec<String>, Vec<String>) {
    let Some(differs) = case.differs.clone() else { return (case.peer.clone(), Vec::new(), Vec::new()) };
    let text = differs.text.unwrap_or_else(|| case.peer.text.clone());
    let outcome = match differs.value {
        Some(value) => Outcome { text, value: Some(value), ..Outcome::default() },
        None => Outcome { text, throws: None, ..case.peer.clone() },
    };
    (outcome, differs.problems, differs.missing)
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("keywords/cases.json")).unwrap()
}

#[test]
fn keywords_are_replaced_as_the_deploy_cli_replaces_them() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (ours, expected) = (ours(&case), expected(&case));
        if ours != expected {
            wrong.push(format!("{}\n  {:?}\n  expected {expected:?}\n  is       {ours:?}", case.name, case.text));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_case_has_a_name_and_those_that_differ_are_few_and_do_differ() {
    let cases = cases();
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "a name stands twice");
    let differing: Vec<&Case> = cases.iter().filter(|case| case.differs.is_some()).collect();
    for case in &differing {
        assert_ne!(expected(case), (case.peer.clone(), Vec::new(), Vec::new()), "{} does not differ", case.name);
    }
    assert!(cases.len() >= 150 && differing.len() * 5 < cases.len(), "{} of {}", differing.len(), cases.len());
}

/// A character, and the part of the first text that it comes from.
type Placed = (char, Range<usize>);

/// What the Deploy CLI does, character by character: at each place the marker in single quotes, in
/// double quotes and bare, in this order, and on behind what was replaced.
fn replaced(text: &[Placed], forms: &[String], value: &str) -> Vec<Placed> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let stands = |form: &&String| {
            let part = text[at..].iter().map(|(character, _)| *character);
            form.chars().zip(part.map(Some).chain(std::iter::repeat(None))).all(|(wanted, is)| Some(wanted) == is)
        };
        if let Some(form) = forms.iter().find(stands) {
            let length = form.chars().count();
            let whole = text[at].1.start..text[at + length - 1].1.end;
            out.extend(value.chars().map(|character| (character, whole.clone())));
            at += length;
        } else {
            out.push(text[at].clone());
            at += 1;
        }
    }
    out
}

fn model(text: &str, mappings: &[(String, Value)]) -> Vec<Placed> {
    let mut placed: Vec<Placed> =
        text.char_indices().map(|(at, character)| (character, at..at + character.len_utf8())).collect();
    for (name, value) in mappings {
        let bare = format!("@@{name}@@");
        let forms = [format!("'{bare}'"), format!("\"{bare}\""), bare];
        placed = replaced(&placed, &forms, &value.to_string());
    }
    for (name, value) in mappings {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        };
        placed = replaced(&placed, &[format!("##{name}##")], &text);
    }
    placed
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["##A##", "@@A@@", "'@@A@@'", "\"@@B@@\"", "##AB##", "@@AB@@", "##B##"]),
        2 => prop::sample::select(vec!["##", "@@", "#", "@", "A", "B", "AB", "'", "\"", "'@@A@@'@@A@@'"]),
        1 => prop::sample::select(vec!["\n", " ", "é", "🦀", "$&", "\\", "x: "]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn mappings() -> impl Strategy<Value = Vec<(String, Value)>> {
    let value = prop_oneof![
        4 => text().prop_map(Value::from),
        1 => prop::collection::vec(text(), 0..3).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(5), json!(0.5), json!(true), Value::Null]),
    ];
    let names = Just(vec!["A", "B", "AB"]).prop_shuffle();
    (names, prop::collection::vec(value, 0..4))
        .prop_map(|(names, values)| names.into_iter().map(str::to_owned).zip(values).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_becomes_what_the_model_says_and_each_byte_leads_back(text in text(), mappings in mappings()) {
        let model = model(&text, &mappings);
        let source: Arc<SourceText> = SourceText::new("page.html", text.as_str());
        let known = keywords(&mappings.into_iter().collect(), &Map::new());
        let substituted = substitute::companion(&source, &known, "dev", &mut Problems::default());
        let becomes: String = model.iter().map(|(character, _)| *character).collect();
        prop_assert_eq!(substituted.text(), becomes);
        let mut at = 0;
        for (character, origin) in &model {
            let end = at + character.len_utf8();
            prop_assert_eq!(substituted.origin(&(at..end)).span, (origin.start, origin.end), "at {}", at);
            at = end;
        }
        let spans: Vec<(usize, usize)> = (0..at).map(|at| substituted.origin(&(at..at + 1)).span).collect();
        assert!(spans.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1), "not monotone");
        prop_assert_eq!(substituted.origin(&(0..at)).span.1, if at == 0 { text.len() } else { spans[at - 1].1 });
    }
}

#[test]
fn places_in_replaced_text_are_those_of_the_file() {
    let text = "name: ##A##\ncallbacks: '@@LIST@@' # ##A##\nlate: ##LATE##, ##NONE##end\n";
    let mappings = json!({"NONE": "", "A": "Northwind Traders", "LIST": ["é", "##A##"], "LATE": "x ##B## y", "B": "b"});
    let known = keywords(mappings.as_object().unwrap(), &Map::new());
    let substituted = substitute::definitions(&SourceText::new("t.yaml", text), &known);
    let cases = [
        ("name", "t.yaml:1:1", "name"),
        ("Traders\n", "t.yaml:1:7", "##A##\n"),
        ("callbacks", "t.yaml:2:1", "callbacks"),
        ("[\"é\"", "t.yaml:2:12", "'@@LIST@@'"),
        ("##A##\"]", "t.yaml:2:12", "'@@LIST@@'"),
        ("] #", "t.yaml:2:12", "'@@LIST@@' #"),
        ("b", "t.yaml:3:7", "##LATE##"),
        (", end", "t.yaml:3:15", ", ##NONE##end"),
    ];
    for (part, place, stood) in cases {
        let part = part.replace("##A##", "Northwind Traders");
        let at = if part == "b" {
            substituted.text().find("x b y").unwrap() + 2
        } else {
            substituted.text().find(&part).unwrap()
        };
        let origin = substituted.origin(&(at..at + part.len()));
        assert_eq!((origin.to_string().as_str(), &text[origin.span.0..origin.span.1]), (place, stood), "{part}");
    }
}

/// The examples of docs/keywords.md: `keywords`, then `before`, then `after` or `error`.
#[test]
fn the_examples_of_the_documentation_become_what_stands_there() {
    let page = include_str!("../docs/keywords.md");
    let (mut known, mut before, mut checked) = (String::new(), ("", ""), 0);
    for block in page.split("```").skip(1).step_by(2) {
        let (head, text) = block.split_once('\n').unwrap();
        match head.split_once(' ').unwrap() {
            ("yaml", "keywords") => known = text.to_owned(),
            (language, "before") => before = (language, text),
            (_, what) => {
                checked += 1;
                let is = if before.0 == "yaml" { rendered(&known, before.1) } else { companion(&known, before.1) };
                assert_eq!(is, text, "{what}");
            }
        }
    }
    assert_eq!(checked, 7);
}

fn rendered(keywords: &str, definitions: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let keywords = format!("  {}\n", keywords.trim_end().replace('\n', "\n  "));
    let project = "version: 1\ndefinitions: tenant.yaml\nenvironments: { dev: { tenant: sandbox } }\nkeywords:\n";
    std::fs::write(folder.path().join("tenantctl.yaml"), format!("{project}{keywords}")).unwrap();
    std::fs::write(folder.path().join("tenant.yaml"), definitions).unwrap();
    let (registry, secrets) = (Registry::builtin(), Secrets::default());
    let project = Project::find(Some(folder.path()), Variables::default(), &secrets).unwrap();
    let settings = project.settings(Some("dev"), registry).unwrap();
    let rendered = config::render(&settings, registry, &secrets).map(|(text, _)| text);
    match rendered.and_then(|text| config::load(&settings, registry, &secrets).map(|_| text)) {
        Ok(text) => text,
        Err(error) => {
            let line = |problem: Problem| {
                let origin = problem.origin.unwrap();
                format!("{}:{} {}\n", origin.line(), origin.column(), problem.message)
            };
            error.problems.sorted().into_iter().map(line).collect()
        }
    }
}

fn companion(keywords: &str, text: &str) -> String {
    let known = self::keywords(&serde_yaml::from_str(keywords).unwrap(), &Map::new());
    let mut problems = Problems::default();
    let substituted = substitute::companion(&SourceText::new("code.js", text), &known, "dev", &mut problems);
    assert_eq!(errors(problems), Vec::<String>::new());
    substituted.text().to_owned()
}
