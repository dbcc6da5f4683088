//! Expressions: `${{ ... }}` computed over the keywords and `env`, with the value's type kept.
//!
//! Pure: the environment variables come in as a map. minijinja compiles and evaluates; this file
//! hides its traps: a missing name evaluates to undefined without an error, and its rendering is
//! Python's, so values are taken as values and never rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, Serde, Value as Computed, ValueKind};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::keywords::Keywords;
use super::variables::Variables;

/// The name under which expressions see the environment variables.
pub const ENV: &str = "env";

/// What an expression gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its value.
    pub value: Value,
    /// A secret keyword or an environment variable went into it.
    pub is_sensitive: bool,
}

/// Why an expression gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It needs this name, which has no value.
    Name(String),
    /// It needs this environment variable, which is not set.
    Variable(String),
    /// It can't be compiled or evaluated; why, and where in it.
    Wrong(String, Option<std::ops::Range<usize>>),
}

/// What expressions see, with a note of what they looked at: the names that the compiler finds in an
/// expression lack those within a slice, and one that is missed would let a secret through.
struct Context {
    values: BTreeMap<String, Computed>,
    seen: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context(***)")
    }
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Computed) -> Option<Computed> {
        let name = key.as_str()?;
        let value = self.values.get(name)?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        Some(value.clone())
    }
}

/// Computes expressions for one environment.
#[derive(Debug)]
pub struct Evaluator<'k> {
    engine: Environment<'static>,
    context: Arc<Context>,
    keywords: &'k Keywords,
    variables: &'k Variables,
}

impl<'k> Evaluator<'k> {
    /// Makes an evaluator of keywords and environment variables.
    #[must_use]
    pub fn new(keywords: &'k Keywords, variables: &'k Variables) -> Self {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_debug(true);
        let known = keywords
            .iter()
            .filter_map(|(name, keyword)| {
                keyword.value.as_ref().map(|value| (name.to_owned(), Computed::from(Serde(value))))
            })
            .chain([(ENV.to_owned(), Computed::from_pairs(variables.iter()))]);
        let context = Context { values: known.collect(), seen: Mutex::default() };
        Self { engine, context: Arc::new(context), keywords, variables }
    }

    /// Computes an expression; the names that it used are added to `used`.
    ///
    /// # Errors
    /// Says which name is missing, or what is wrong with the expression.
    pub fn evaluate(&self, text: &str, used: &mut BTreeSet<String>) -> Result<Outcome, Failure> {
        let wrong = |error: &minijinja::Error| {
            let message = match error.detail() {
                Some(detail) => detail.to_owned(),
                None => error.kind().to_string(),
            };
            Failure::Wrong(message, error.range())
        };
        let expression = self.engine.compile_expression(text).map_err(|error| wrong(&error))?;
        let names = expression.undeclared_variables(true);
        let roots: BTreeSet<&str> = names.iter().map(|name| name.split('.').next().unwrap_or(name)).collect();
        used.extend(names.iter().cloned());
        used.extend(roots.iter().map(|root| (*root).to_owned()));
        let missing = || self.missing(&names.iter().map(String::as_str).collect());
        let result = expression.eval(Computed::from_dyn_object(Arc::clone(&self.context)));
        let seen = std::mem::take(&mut *self.context.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let is_secret = |root: &str| root == ENV || self.keywords.get(root).is_some_and(|keyword| keyword.is_secret);
        let is_sensitive = roots.iter().copied().chain(seen.iter().map(String::as_str)).any(is_secret);
        used.extend(seen);
        match result {
            Err(error) => Err(missing().unwrap_or_else(|| wrong(&error))),
            Ok(value) => match json(&value) {
                Some(value) => Ok(Outcome { value, is_sensitive }),
                None => Err(missing().unwrap_or_else(|| Failure::Wrong("it has no value".to_owned(), None))),
            },
        }
    }

    /// Finds a name of an expression that has no value.
    fn missing(&self, names: &BTreeSet<&str>) -> Option<Failure> {
        names.iter().find_map(|name| {
            let (root, rest) = name.split_once('.').unwrap_or((name, ""));
            if root == ENV {
                let variable = rest.split('.').next().filter(|variable| !variable.is_empty())?;
                let is_missing = self.variables.get(variable).is_none();
                return is_missing.then(|| Failure::Variable(variable.to_owned()));
            }
            let is_known = self.keywords.get(root).is_some_and(|keyword| keyword.value.is_some());
            let is_function = self.engine.globals().any(|(function, _)| function == root);
            (!is_known && !is_function).then(|| Failure::Name(root.to_owned()))
        })
    }
}

/// Makes JSON of a computed value; none where a part is undefined or is no JSON.
fn json(value: &Computed) -> Option<Value> {
    match value.kind() {
        ValueKind::None => Some(Value::Null),
        ValueKind::Bool => Some(Value::Bool(value.is_true())),
        ValueKind::Number if value.is_integer() => {
            let small = i64::try_from(value.clone()).ok().map(Value::from);
            small.or_else(|| u64::try_from(value.clone()).ok().map(Value::from))
        }
        ValueKind::Number => f64::try_from(value.clone()).ok().and_then(super::scalar::number).map(Value::Number),
        ValueKind::String => value.as_str().map(Value::from),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().ok()?.map(|item| json(&item)).collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        ValueKind::Map => {
            let mut members = Map::new();
            for key in value.try_iter().ok()? {
                members.insert(key.as_str()?.to_owned(), json(&value.get_item(&key).ok()?)?);
            }
            Some(Value::Object(members))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{Evaluator, Failure, Outcome};
    use crate::config::keywords::{Keyword, Keywords};
    use crate::config::variables::Variables;

    fn evaluate(text: &str) -> Result<Outcome, Failure> {
        let mut keywords = Keywords::default();
        let mut set = |name: &str, value: Option<Value>, is_secret| {
            keywords.set(name, Keyword { value, is_secret, variable: None, origin: None, is_ambient: false });
        };
        set("ENV", Some(json!("dev")), false);
        set("PORTS", Some(json!([3000, 3001])), false);
        set("LIMIT", Some(json!({"a": 1.5})), false);
        set("PASS", Some(json!("hunter22")), true);
        set("UNSET", None, true);
        let variables = Variables::from([("HOME", "/home/x")]);
        Evaluator::new(&keywords, &variables).evaluate(text, &mut BTreeSet::new())
    }

    #[test]
    fn values_keep_their_type() {
        let cases = [
            ("PORTS", json!([3000, 3001])),
            ("PORTS[0]", json!(3000)),
            ("PORTS + [1]", json!([3000, 3001, 1])),
            ("LIMIT", json!({"a": 1.5})),
            ("ENV == 'dev'", json!(true)),
            ("'https://' ~ ENV ~ '.example'", json!("https://dev.example")),
            ("{'a': {'b': 1}}", json!({"a": {"b": 1}})),
            ("1 if ENV == 'prod' else none", json!(null)),
            ("UNSET|default('x')", json!("x")),
            ("range(2)", json!([0, 1])),
        ];
        for (text, value) in cases {
            assert_eq!(evaluate(text).map(|outcome| outcome.value), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_a_secret_went_into_is_sensitive() {
        for text in ["PASS", "env.HOME", "[ENV, PASS]", "env['HOME']"] {
            assert!(evaluate(text).unwrap().is_sensitive, "{text}");
        }
        assert!(!evaluate("ENV").unwrap().is_sensitive);
    }

    #[test]
    fn missing_names_are_named_and_undefined_is_never_null() {
        assert_eq!(evaluate("MISING"), Err(Failure::Name("MISING".to_owned())));
        assert_eq!(evaluate("[MISING]"), Err(Failure::Name("MISING".to_owned())));
        assert_eq!(evaluate("UNSET"), Err(Failure::Name("UNSET".to_owned())));
        assert_eq!(evaluate("env.NOPE"), Err(Failure::Variable("NOPE".to_owned())));
        assert!(matches!(evaluate("LIMIT.b"), Err(Failure::Wrong(..))));
        assert!(matches!(evaluate("1 +"), Err(Failure::Wrong(..))));
    }
}
