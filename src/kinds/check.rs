//! Is this object a valid one of its kind? Every problem at once, each with the value's place.
//!
//! Pure, from the declaration alone: types, limits, required and unknown fields, rules between
//! fields. It stands between parsing and planning; what needs other objects or the tenant is checked
//! elsewhere. Values that are secret, by declaration or by keyword, are never quoted.

mod shape;

use serde_json::{Map, Value};

use super::kind::{Field, Fields, Kind, Rule, Type, Unmanaged, value_of};
use super::secrets::SLIPS;
use crate::error::{Problem, Problems};
use crate::secret::MASK;
use crate::tenant::{Object, identity_of};
use crate::text::{did_you_mean, one_of};
use crate::text::{escape, unescape};

/// Checks an object. With `strict`, an unknown field is an error.
#[must_use]
pub fn check(kind: &Kind, object: &Object, strict: bool) -> Problems {
    let mut checker = Checker { object, strict, problems: Problems::default() };
    for Unmanaged { when, because } in kind.unmanaged.iter().filter(|objects| objects.when.fits(&object.value)) {
        let field = when.0.keys().next().map_or_else(String::new, |name| format!("/{}", escape(name)));
        checker.error(&field, format!("is not managed here: {because}"), None);
    }
    if checker.problems.has_errors() {
        return checker.problems;
    }
    let kind = kind.of(&object.value);
    let identity: Vec<&str> = kind.identity.iter().flat_map(|way| &way.fields).map(String::as_str).collect();
    let is_needed = |field: &Field| {
        let is_made = !kind.singleton || kind.create.is_some();
        field.required && is_made && (object.id.is_none() || identity.contains(&field.name.as_str()))
    };
    checker.members(&kind.fields, &object.value, "", false, &is_needed);
    for rule in &kind.rules {
        checker.rule(rule);
    }
    // Of one field its own `enum` says so.
    if let (Some(keys), None, Some(name)) = (&kind.keys, &kind.id, kind.handle_of(&object.value))
        && !keys.values.contains(&name)
        && !checker.problems.has_errors()
    {
        let known = one_of(&keys.values.iter().map(String::as_str).collect::<Vec<_>>());
        checker.error("", "is not known", Some(format!("known are {known}")));
    }
    let has_identity = kind.singleton || kind.identity.is_empty() || identity_of(kind, &object.value).is_some();
    if !has_identity && !checker.problems.has_errors() {
        let fields = one_of(&identity);
        checker.error("", format!("has nothing by which it could be recognised: {fields}"), None);
    }
    checker.problems
}

/// Writes a JSON Pointer the way people do: `scopes[0].value`.
#[must_use]
pub fn label(pointer: &str) -> String {
    let mut label = String::new();
    for part in pointer.split('/').skip(1) {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            label.extend(["[", part, "]"]);
        } else {
            if !label.is_empty() {
                label.push('.');
            }
            label += &unescape(part);
        }
    }
    label
}

struct Checker<'o> {
    object: &'o Object,
    strict: bool,
    problems: Problems,
}

impl Checker<'_> {
    fn say(&mut self, problem: Problem, pointer: &str) {
        self.problems.push(problem.at(self.object.provenance.origin(pointer)));
    }

    /// Says what is wrong with a field's being there at all.
    fn say_of_key(&mut self, problem: Problem, pointer: &str) {
        self.problems.push(problem.at(self.object.provenance.key_origin(pointer)));
    }

    fn message(&self, pointer: &str, what: impl AsRef<str>) -> String {
        let field = if pointer.is_empty() { String::new() } else { format!(": `{}`", label(pointer)) };
        format!("{}{field} {}", self.object.address, what.as_ref())
    }

    fn error(&mut self, pointer: &str, what: impl AsRef<str>, hint: Option<String>) {
        self.say(Problem::error(self.message(pointer, what)).maybe_hint(hint), pointer);
    }

    /// Gives a value as it may be shown.
    fn shown(&self, value: &Value, pointer: &str, is_secret: bool) -> String {
        const LONGEST: usize = 60;
        if is_secret || self.object.provenance.is_sensitive(pointer) {
            return MASK.to_owned();
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let line = text.lines().next().unwrap_or_default();
        if line.len() == text.len() && line.chars().count() <= LONGEST {
            return format!("`{text}`");
        }
        format!("`{}...`", line.chars().take(LONGEST).collect::<String>())
    }

    fn members(
        &mut self,
        fields: &Fields,
        members: &Map<String, Value>,
        pointer: &str,
        is_secret: bool,
        is_needed: &dyn Fn(&Field) -> bool,
    ) {
        for (name, value) in members {
            let at = format!("{pointer}/{}", escape(name));
            match fields.get(name) {
                Some(field) => self.value(field, value, &at, is_secret),
                None => self.unknown(fields, name, &at),
            }
        }
        for field in fields.iter().filter(|field| is_needed(field)) {
            let at = format!("{pointer}/{}", escape(&field.name));
            if !members.contains_key(&field.name) && !self.object.provenance.kept.contains_key(&at) {
                let message = format!("{}: `{}` is missing", self.object.address, label(&at));
                self.say(Problem::error(message).hint(format!("add `{}`", field.name)), pointer);
            }
        }
    }

    fn unknown(&mut self, fields: &Fields, name: &str, pointer: &str) {
        let known = fields.iter().filter(|field| !field.read_only).map(|field| field.name.as_str());
        // A name that is much longer or shorter is no slip: older exports have such fields.
        let is_slip = |near: &&str| near.len().abs_diff(name.len()) <= SLIPS;
        let problem = if let Some(near) = did_you_mean(name, known).filter(is_slip) {
            Problem::error(self.message(pointer, "is not a field of it")).hint(format!("did you mean `{near}`?"))
        } else if self.strict {
            Problem::error(self.message(pointer, "is not a field of it that this version knows")).hint("remove it")
        } else {
            Problem::warning(self.message(pointer, "is not a field that this version knows: it is sent as it is"))
                .hint("`strict: true` in the project file makes this an error")
        };
        self.say_of_key(problem, pointer);
    }

    fn value(&mut self, field: &Field, value: &Value, pointer: &str, is_secret: bool) {
        let is_secret = is_secret || field.secret;
        if value.is_null() {
            if !field.nullable && field.holds != Type::Any {
                let hint = if field.empty_clears {
                    "an empty text `\"\"` clears it".to_owned()
                } else {
                    format!("leave the field out to leave it alone, or {}", shape::instead_of_null(field.holds))
                };
                self.error(pointer, "can't be null: the API does not clear it", Some(hint));
            }
            return;
        }
        if !shape::fits(field.holds, value) {
            let what = format!("must be {}, not {}", shape::words(field.holds), shape::words_of(value));
            let shown = if value.is_object() || value.is_array() {
                String::new()
            } else {
                format!(" ({})", self.shown(value, pointer, is_secret))
            };
            return self.error(pointer, what + &shown, shape::hint(field.holds, value));
        }
        if !field.one_of.is_empty() && !field.one_of.contains(value) {
            let known: Vec<String> = field
                .one_of
                .iter()
                .map(|known| known.as_str().map_or_else(|| known.to_string(), str::to_owned))
                .collect();
            let near = value
                .as_str()
                .filter(|_| !is_secret)
                .and_then(|text| did_you_mean(text, known.iter().map(String::as_str)));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`? known: {}", one_of(&known)),
                None => format!("known: {}", one_of(&known)),
            };
            let shown = self.shown(value, pointer, is_secret);
            self.error(pointer, format!("can't be {shown}"), Some(hint));
        }
        if let Some(wrong) = shape::limits(field, value) {
            self.error(pointer, wrong, None);
        }
        if let Some((format, text)) = field.format.zip(value.as_str())
            && let Some(wanted) = shape::misses(format, text)
        {
            let shown = self.shown(value, pointer, is_secret);
            self.error(pointer, format!("must be {wanted}, not {shown}"), None);
        }
        self.inside(field, value, pointer, is_secret);
    }

    fn inside(&mut self, field: &Field, value: &Value, pointer: &str, is_secret: bool) {
        match (value, field.items.as_deref()) {
            (Value::Object(members), Some(item)) => {
                for (name, value) in members {
                    // A null removes the key where the API merges.
                    if !(field.merge && value.is_null()) {
                        self.value(item, value, &format!("{pointer}/{}", escape(name)), is_secret);
                    }
                }
            }
            (Value::Object(members), None) if !field.fields.is_empty() => {
                self.members(&field.fields, members, pointer, is_secret, &|field| field.required);
            }
            (Value::Array(items), item) => {
                for (index, value) in items.iter().enumerate() {
                    if let Some(item) = item {
                        self.value(item, value, &format!("{pointer}/{index}"), is_secret);
                    }
                }
                if field.holds == Type::Set {
                    self.repeated(field, items, pointer, is_secret);
                }
            }
            _ => {}
        }
    }

    fn repeated(&mut self, field: &Field, items: &[Value], pointer: &str, is_secret: bool) {
        let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        for (index, item) in items.iter().enumerate() {
            let key = if field.key.is_empty() {
                item.clone()
            } else {
                let parts: Option<Vec<Value>> = field.key.iter().map(|name| item.get(name).cloned()).collect();
                let Some(parts) = parts else { continue };
                Value::Array(parts)
            };
            let Some(first) = seen.insert(key.to_string(), index) else { continue };
            let at = format!("{pointer}/{index}");
            let shown = match key {
                Value::Array(mut parts) if parts.len() == 1 && !field.key.is_empty() => parts.remove(0),
                other => other,
            };
            let shown = self.shown(&shown, &at, is_secret);
            let message = format!("{}: {shown} stands twice in `{}`", self.object.address, label(pointer));
            let problem = if field.key.is_empty() { Problem::warning(message) } else { Problem::error(message) };
            let also = self.object.provenance.origin(&format!("{pointer}/{first}"));
            self.say(problem.also(also, "first here"), &at);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let value = &self.object.value;
        if !rule.holds(value) {
            return;
        }
        let given = |names: &[String]| -> Vec<String> {
            names.iter().filter(|name| value_of(value, name).is_some_and(|value| !value.is_null())).cloned().collect()
        };
        let one = given(&rule.exactly_one);
        if !rule.exactly_one.is_empty() && one.is_empty() {
            let what = format!("needs {}: {}", one_of(&labels(&rule.exactly_one)), rule.because);
            self.error("", what, None);
        }
        let most = given(&rule.at_most_one);
        for several in [one, most].into_iter().filter(|names| names.len() > 1) {
            let labels = labels(&several);
            let what = format!("can't stand beside `{}`: {}", labels[0], rule.because);
            let at = pointer_of(&several[1]);
            let problem = Problem::error(self.message(&at, what)).hint(format!("remove one of {}", one_of(&labels)));
            self.say_of_key(problem, &at);
        }
        for name in &rule.empty {
            let is_empty = match value_of(value, name) {
                None | Some(Value::Null) => true,
                Some(Value::Array(items)) => items.is_empty(),
                Some(Value::Object(members)) => members.is_empty(),
                Some(Value::String(text)) => text.is_empty(),
                Some(_) => false,
            };
            if !is_empty {
                self.error(&pointer_of(name), format!("must be empty: {}", rule.because), None);
            }
        }
    }
}

/// Gives the JSON Pointer of a field that a rule names.
#[must_use]
pub fn pointer_of(name: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("/{}", escape(name)) }
}

/// Writes the fields that a rule names the way people do.
fn labels(names: &[String]) -> Vec<String> {
    names.iter().map(|name| label(&pointer_of(name))).collect()
}

#[cfg(test)]
mod tests;
