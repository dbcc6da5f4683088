//! A saved plan against the plan of now: exactly it is applied, or nothing.

use super::{Change, Plan, Policy};
use crate::error::Error;
use crate::tenant::{Address, Pattern};

/// Lets a policy allow what the saved plan was allowed, and nothing else: that was reviewed.
pub fn adopt(saved: &Plan, policy: &mut Policy) {
    policy.allow_delete = saved.consent.allow_delete;
    policy.rotate = saved.consent.rotate.iter().map(Pattern::new).collect();
}

/// Gives the saved changes, if each is still what a plan of now would do.
///
/// `shown` is the plan of now as a file holds it: with what is secret hidden, in names too. Other changes that a plan of now has don't matter, and are not applied.
///
/// # Errors
/// A refusal that says what is not as it was.
pub fn confirmed(saved: &Plan, now: &Plan, shown: &Plan) -> Result<Plan, Error> {
    let stale = |what: String| {
        Error::refused(format!("the saved plan is stale: {what}"))
            .hint("make a new one with `tenantctl plan --out FILE`")
    };
    let same = [
        ("environment", &saved.environment, &now.environment),
        ("tenant", &saved.tenant, &now.tenant),
        ("version of tenantctl", &saved.tool_version, &now.tool_version),
    ];
    for (what, saved, now) in same {
        if saved != now {
            return Err(stale(format!("it was made for the {what} `{saved}`, and this is `{now}`")));
        }
    }
    if saved.definitions_sha256 != now.definitions_sha256 {
        return Err(stale("the definitions or the keywords changed since".to_owned()));
    }
    let mut changes = Vec::new();
    for wanted in &saved.changes {
        let named = || now.changes.iter().zip(&shown.changes).filter(|(_, shown)| shown.address() == wanted.address());
        // Two objects can have one name.
        let is_it = |(change, _): &(&Change, &Change)| change.action == wanted.action && change.id == wanted.id;
        match named().find(is_it).or_else(|| named().next()) {
            Some((found, shown)) if is_same(wanted, shown) => changes.push(found.clone()),
            Some(_) => return Err(stale(format!("{} changed in the tenant since", wanted.address()))),
            None => return Err(stale(format!("{} is no longer to be changed so", wanted.address()))),
        }
    }
    let kept: Vec<Address> = changes.iter().map(Change::address).collect();
    for change in &mut changes {
        change.requires.retain(|need| kept.contains(&Address::parse(need)));
    }
    Ok(Plan { changes, ..saved.clone() })
}

fn is_same(one: &Change, other: &Change) -> bool {
    let fields = |change: &Change| {
        change
            .fields
            .iter()
            .map(|edit| (edit.op, edit.path.clone(), edit.before.clone(), edit.after.clone(), edit.sensitive))
            .collect::<Vec<_>>()
    };
    one.action == other.action && one.id == other.id && fields(one) == fields(other)
}
