//! From the user's files to what one environment asks for.
//!
//! ```text
//!   files (one, or a folder) -> substitute (##KEY##, @@KEY@@, stand-ins) -> yaml + fill (${{ }}) -> parse -> check -> cross -> Desired
//! ```
//!
//! `load` reads and gives everything that is wrong at once, before any request; the rooms below it
//! are pure. It knows nothing of the live tenant.

mod covered;
pub mod cross;
pub mod deploy_cli;
pub mod directory;
pub mod expression;
pub mod fill;
pub mod javascript;
mod json;
pub mod keywords;
pub mod layout;
pub mod migrate;
pub(crate) mod offsets;
pub mod parse;
pub mod project;
pub mod scalar;
pub mod settings;
pub mod sources;
pub mod substitute;
pub mod variables;
pub mod yaml;

use std::collections::BTreeSet;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Origin, Problem, Problems, SourceText};
use crate::files::Entry;
use crate::kinds::Registry;
use crate::kinds::kind::Kind;
use crate::secret::{MASK, Secrets};
use crate::tenant::{Desired, Tenant};
use crate::text::hex;
use fill::Filler;
use parse::{Body, BodyFile, OwnFile, Parser};
use settings::Settings;
use sources::{Sources, Text};
use substitute::Substituted;
use yaml::Node;

/// The definitions of one environment.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What they ask for.
    pub desired: Desired,
    /// What is worth saying about them.
    pub warnings: Problems,
}

/// Reads and checks the definitions of an environment. References are not checked: see
/// [`cross::unmet`].
///
/// # Errors
/// Everything that is wrong with them.
pub fn load(settings: &Settings, registry: &Registry, secrets: &Secrets) -> Result<Loaded, Error> {
    let mut problems = Problems::default();
    let sources = sources::read(settings, registry, &mut problems)?;
    let mut tenant = Tenant::default();
    tenant.kinds.extend(sources.kinds.iter().map(|kind| (kind.name.clone(), Vec::new())));
    let (mut used, mut companions) = (BTreeSet::new(), Vec::new());
    for text in &sources.texts {
        let read = Read::new(text, settings, secrets, &mut problems);
        let Parsed { tenant: found, companions: read_too, apart } =
            read.parsed(text, &sources, (settings, registry, secrets), &mut problems);
        for (kind, objects) in found.kinds {
            let all = tenant.kinds.entry(kind).or_default();
            match (all.first_mut(), text.kind) {
                // The one object of a kind can lie in several files.
                (Some(whole), Some(kind)) if kind.singleton => objects.into_iter().for_each(|part| whole.join(part)),
                _ => all.extend(objects),
            }
        }
        used.extend(read.used);
        companions.extend(read_too.into_iter().chain(apart.into_iter().map(|body| body.file.read)));
    }
    problems.extend(cross::duplicates(registry, &tenant));
    problems.extend(cross::retired(registry, &tenant));
    used.extend(companions.iter().flat_map(|companion| companion.used.iter().cloned()));
    learn_used(settings, &used, secrets);
    for object in tenant.iter() {
        for pointer in &object.provenance.sensitive {
            if let Some(value) = serde_json::Value::Object(object.value.clone()).pointer(pointer) {
                secrets.learn_value(value);
            }
        }
    }
    if problems.has_errors() {
        return Err(problems.into());
    }
    problems.extend(unused(settings, &used));
    let texts = sources.texts.iter().map(|text| &*text.source);
    let texts: Vec<&SourceText> = texts.chain(companions.iter().map(|companion| &*companion.source)).collect();
    let digest = digest(&sources.kinds, &texts, settings, &used);
    Ok(Loaded { desired: Desired { tenant, digest }, warnings: problems })
}

/// The definitions as they stand in their files.
#[derive(Debug)]
pub struct AsWritten<'r> {
    /// The files.
    pub texts: Vec<Written<'r>>,
    /// The kinds that they manage.
    pub kinds: BTreeSet<String>,
}

/// A file of definitions as it stands there, and what it means.
#[derive(Debug)]
pub struct Written<'r> {
    /// The text, with the keywords in it.
    pub read: Substituted,
    /// Its tree; none if the file is empty.
    pub root: Option<Node>,
    /// Its objects, in order.
    pub tenant: Tenant,
    /// The texts in files of their own.
    pub companions: Vec<Substituted>,
    /// The kind that it is of; none for the file that holds all kinds.
    pub kind: Option<&'r Kind>,
}

/// Reads the files of the definitions, as they are written.
///
/// # Errors
/// Everything that is wrong with them.
pub fn written<'r>(settings: &Settings, registry: &'r Registry, secrets: &Secrets) -> Result<AsWritten<'r>, Error> {
    let mut problems = Problems::default();
    let sources = sources::read(settings, registry, &mut problems)?;
    let mut texts = Vec::new();
    let mut kinds: BTreeSet<String> = sources.kinds.iter().map(|kind| kind.name.clone()).collect();
    for text in &sources.texts {
        let read = Read::new(text, settings, secrets, &mut problems);
        let Parsed { tenant, companions, apart } =
            read.parsed(text, &sources, (settings, registry, secrets), &mut problems);
        kinds.extend(tenant.kinds.keys().cloned());
        texts.push(Written { read: read.substituted, root: read.root, tenant, companions, kind: text.kind });
        // As a file of the directory layout, which it could be.
        texts.extend(apart.into_iter().map(|body| {
            let name = body.object.address.kind.clone();
            let kind = registry.get(&name);
            let tenant = Tenant { kinds: [(name, vec![body.object])].into(), ..Tenant::default() };
            Written { read: body.file.read, root: Some(body.file.root), tenant, companions: Vec::new(), kind }
        }));
    }
    if problems.has_errors() { Err(problems.into()) } else { Ok(AsWritten { texts, kinds }) }
}

/// The keywords that definitions name.
#[derive(Debug, Default)]
pub struct Markers {
    /// Every name between marks, in the definitions and their companion files.
    pub names: BTreeSet<String>,
    /// Those that are the whole text of a secret field.
    pub secret: BTreeSet<String>,
}

/// Finds the keywords that the definitions name, whether or not they have values.
///
/// # Errors
/// If the definitions can't be read.
pub fn markers(settings: &Settings, registry: &Registry, secrets: &Secrets) -> Result<Markers, Error> {
    let mut found = Markers::default();
    let mut problems = Problems::default();
    let sources = sources::read(settings, registry, &mut problems)?;
    let mut bare = settings.clone();
    bare.keywords = keywords::Keywords::default();
    for text in &sources.texts {
        // With their values they lead to the companion files; without them they stand where they are.
        let read = Read::new(text, settings, secrets, &mut problems);
        if read.root.is_none() {
            return Err(problems.into());
        }
        found.names.extend(read.used.iter().filter(|name| !name.starts_with("env.")).cloned());
        let Parsed { companions, apart, .. } =
            read.parsed(text, &sources, (settings, registry, secrets), &mut Problems::default());
        for companion in companions.iter().chain(apart.iter().map(|body| &body.file.read)) {
            found.names.extend(keywords::markers(&companion.source.text));
        }
        if let Some(root) = Read::new(text, &bare, secrets, &mut Problems::default()).root {
            found.secret.extend(covered::secret_keywords(registry, &root));
        }
    }
    Ok(found)
}

/// Gives the text of the definitions after substitution, with what is secret masked.
///
/// # Errors
/// Everything that is wrong with the text, the keywords and the expressions.
pub fn render(settings: &Settings, registry: &Registry, secrets: &Secrets) -> Result<(String, Problems), Error> {
    let mut problems = Problems::default();
    let mut rendered = String::new();
    for text in &sources::read(settings, registry, &mut problems)?.texts {
        let read = Read::new(text, settings, secrets, &mut problems);
        if let Some(root) = &read.root {
            covered::learn(registry, root, secrets);
        }
        if text.kind.is_some() {
            rendered.extend(["# ", &text.source.name, "\n"]);
        }
        rendered += &read.shown(registry);
        if !rendered.ends_with('\n') {
            rendered.push('\n');
        }
    }
    if problems.has_errors() {
        return Err(problems.into());
    }
    Ok((rendered, problems))
}

/// A definitions file after substitution, parsing and evaluation.
struct Read {
    substituted: Substituted,
    root: Option<Node>,
    /// Names that went in: keywords, and `env.NAME`.
    used: BTreeSet<String>,
    /// Scalars with expressions, and what they are as YAML.
    shown: Vec<Shown>,
}

/// What a text means, and the files that it names.
#[derive(Default)]
struct Parsed {
    tenant: Tenant,
    /// Texts in files of their own.
    companions: Vec<Substituted>,
    /// Objects in files of their own.
    apart: Vec<Body>,
}

/// A part of the text after substitution, and what is shown in its place.
type Shown = (Range<usize>, String);

impl Read {
    fn new(text: &Text<'_>, settings: &Settings, secrets: &Secrets, problems: &mut Problems) -> Self {
        let source = &text.source;
        let mut substituted = substitute::definitions(source, &settings.keywords);
        if text.kind.is_some() {
            json::as_yaml(&mut substituted);
        }
        let mut filler =
            Filler::new(&substituted, &settings.keywords, &settings.variables, &settings.environment, secrets);
        let mut found = Problems::default();
        let root = yaml::read(substituted.text(), &mut filler, &mut found);
        found.extend(std::mem::take(&mut filler.problems));
        if text.kind.is_some() {
            found = found.into_iter().map(json::in_words).collect();
        }
        let is_empty = root.as_ref().is_none_or(Node::is_null);
        if is_empty && !found.has_errors() {
            found.push(Problem::error(format!("`{}` is empty", source.name)).at(Some(Origin::new(source, 0..0))).hint(
                match text.kind {
                    None => "definitions are a map of kinds, such as `clients: []`; `{}` manages nothing",
                    Some(_) => "it takes JSON; without the file, what it defines is left alone or not there",
                },
            ));
        }
        problems.extend(found);
        let mut used = substituted.used.clone();
        used.extend(std::mem::take(&mut filler.used));
        learn_used(settings, &used, secrets);
        let shown = std::mem::take(&mut filler.shown);
        drop(filler);
        let root = root.filter(|_| !is_empty).map(|root| match text.kind {
            None => root,
            Some(kind) => directory::as_kinds(kind, &source.name, root),
        });
        Self { substituted, root, used, shown }
    }

    /// Gives what the text means, with the files that it names.
    fn parsed(
        &self,
        text: &Text<'_>,
        sources: &Sources<'_>,
        (settings, registry, secrets): (&Settings, &Registry, &Secrets),
        problems: &mut Problems,
    ) -> Parsed {
        let Some(root) = &self.root else { return Parsed::default() };
        covered::learn(registry, root, secrets);
        let mut files = |path: &str| settings.files.read(path);
        let mut bodies = |path: &str, kind: &Kind, problems: &mut Problems| {
            let source = settings.files.read(path)?;
            let Self { mut substituted, root, used, .. } =
                Self::new(&Text { source, kind: Some(kind) }, settings, secrets, problems);
            substituted.used.extend(used);
            Ok(root.map(|root| {
                covered::learn(registry, &root, secrets);
                BodyFile { read: substituted, root }
            }))
        };
        let has = |path: &str| settings.files.entry(path) == Entry::File;
        let environment = settings.environment.as_str();
        let mut parser = Parser::new(&self.substituted, registry, &settings.keywords, environment, &mut files);
        parser.bodies = Some(&mut bodies);
        parser.folder.clone_from(&sources.folder);
        parser.strict = settings.strict;
        parser.own = text.kind.map(|_| OwnFile { path: text.source.name.as_str(), has: &has });
        let tenant = parser.tenant(root);
        problems.extend(std::mem::take(&mut parser.problems));
        let Parser { companions, apart, .. } = parser;
        Parsed { tenant, companions, apart }
    }

    /// Gives the text as it is shown.
    fn shown(&self, registry: &Registry) -> String {
        let text = self.substituted.text();
        let mut rendered = String::new();
        let mut from = 0;
        for (range, shown) in self.shown_parts(registry) {
            if range.start >= from {
                rendered += &text[from..range.start];
                rendered += &shown;
                from = range.end;
            }
        }
        rendered + &text[from..]
    }

    /// Gives the parts of the text that are shown otherwise, in order: masked where a secret stands,
    /// with the value of an expression, and as written where there is no value.
    fn shown_parts(&self, registry: &Registry) -> Vec<Shown> {
        let text = self.substituted.text();
        let masked = |range| (range, MASK.to_owned());
        let secret = self.root.as_ref().map_or_else(Vec::new, |root| covered::secret_scalars(registry, root));
        let secret = secret.into_iter().map(|span| masked(fill::block_start(text, span.start)..span.end));
        let keywords = self.substituted.replaced.secrets().into_iter().map(masked);
        let as_written = |range: Range<usize>| {
            let written = self.substituted.replaced.origin(&range);
            (range, self.substituted.source.text[written].to_owned())
        };
        let holes = self.substituted.stand_ins(text).into_iter().map(|(range, _)| as_written(range));
        let mut parts: Vec<Shown> = secret.collect();
        for more in [self.shown.clone(), keywords.chain(holes).collect()] {
            let is_covered =
                |range: &Range<usize>| parts.iter().any(|(part, _)| part.start <= range.start && range.end <= part.end);
            let more: Vec<Shown> = more.into_iter().filter(|(range, _)| !is_covered(range)).collect();
            parts.extend(more);
        }
        parts.sort_by_key(|(range, _)| range.start);
        parts
    }
}

/// Learns the keywords that went in and that nobody defined: all variables would be too many to hide.
fn learn_used(settings: &Settings, used: &BTreeSet<String>, secrets: &Secrets) {
    for keyword in used.iter().filter_map(|name| settings.keywords.get(name)).filter(|keyword| keyword.is_ambient) {
        keyword.value.iter().for_each(|value| secrets.learn_value(value));
    }
}

fn unused(settings: &Settings, used: &BTreeSet<String>) -> Problems {
    let mut problems = Problems::default();
    // Names computed inside an expression, as in `env[NAME]`, can't be told; a marker inside another
    // keyword's value counts, because it was replaced in the text.
    for (name, keyword) in
        settings.keywords.iter().filter(|(name, keyword)| !keyword.is_ambient && !used.contains(*name))
    {
        let message = format!("nobody uses the keyword `{name}` in environment `{}`", settings.environment);
        problems.push(Problem::warning(message).at(keyword.origin.clone()).hint("remove it"));
    }
    problems
}

/// Digests what the definitions say: their texts, and the values that went in; of secret ones only
/// whether they are there.
fn digest(kinds: &[&Kind], sources: &[&SourceText], settings: &Settings, used: &BTreeSet<String>) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    for kind in kinds {
        add(&kind.name);
    }
    for source in sources {
        add(&source.name);
        add(&source.text);
    }
    for (name, keyword) in
        settings.keywords.iter().filter(|(name, keyword)| !keyword.is_ambient || used.contains(*name))
    {
        add(name);
        add(&match &keyword.value {
            None => "missing".to_owned(),
            Some(_) if keyword.is_secret => "secret".to_owned(),
            Some(value) => value.to_string(),
        });
    }
    for (name, is_set) in fill::variables_used(used, &settings.variables) {
        add(name);
        add(if is_set { "set" } else { "missing" });
    }
    hex(&hash.finalize())
}
