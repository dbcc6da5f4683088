//! A plan without the secrets of this run: what the other modules here may show, and `--out` saves.
//!
//! Whoever prints hides secrets too, but an encoding may have changed how they are spelt by then.

use serde_json::Value;

use crate::plan::Plan;
use crate::secret::Secrets;

/// Gives a plan as it may be shown and saved: the secrets of this run hidden in every text, names
/// too, before an encoding changes how they are spelt.
#[must_use]
pub fn hidden(plan: &Plan, secrets: &Secrets) -> Plan {
    let mut plan = plan.clone();
    let hide = |text: &mut String| *text = secrets.hide(text);
    for change in &mut plan.changes {
        hide(&mut change.name);
        change.requires.iter_mut().for_each(hide);
        for edit in &mut change.fields {
            hide(&mut edit.path);
            let set = edit.set.iter_mut().flat_map(|set| [&mut set.added, &mut set.removed, &mut set.changed]);
            let values = edit.before.iter_mut().chain(&mut edit.after).chain(set.flatten());
            values.for_each(|value| hide_in(value, secrets));
        }
    }
    for held in &mut plan.held {
        hide(&mut held.name);
        hide(&mut held.reason);
        held.path.iter_mut().for_each(hide);
    }
    plan.unmanaged.iter_mut().for_each(|unmanaged| hide(&mut unmanaged.name));
    for note in &mut plan.secrets {
        hide(&mut note.name);
        hide(&mut note.path);
        note.keyword.iter_mut().for_each(hide);
    }
    plan
}

fn hide_in(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) => *text = secrets.hide(text),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, secrets)),
        Value::Object(members) => {
            for (name, mut value) in std::mem::take(members) {
                hide_in(&mut value, secrets);
                members.insert(secrets.hide(&name), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
