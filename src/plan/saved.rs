//! A saved plan against the plan of now: exactly it is applied, or nothing.

use super::{Change, Plan, Policy};
use crate::error::Error;
use crate::tenant::{Address, Pattern};

/// Lets a policy allow what the saved plan was allowed, and nothing else: that was reviewed.
///
/// # Errors
/// A refusal if the plan was made for another environment or tenant.
pub fn adopt(saved: &Plan, policy: &mut Policy) -> Result<(), Error> {
    let Plan { environment, tenant, .. } = saved;
    if *environment != policy.environment {
        let this = &policy.environment;
        return Err(Error::refused(format!("the saved plan is for the environment `{environment}`, not for `{this}`"))
            .hint(format!("name its environment: `-e {environment}`")));
    }
    if *tenant != policy.tenant {
        let now = &policy.tenant;
        return Err(Error::refused(format!(
            "the saved plan is for the tenant `{tenant}`, and the tenant of the environment `{environment}` is now `{now}`"
        ))
        .hint(format!("make a new one with `tenantctl plan -e {environment} --out FILE`")));
    }
    policy.allow_delete = saved.consent.allow_delete;
    policy.rotate = saved.consent.rotate.iter().map(Pattern::new).collect();
    Ok(())
}

/// Gives the saved changes, if each is still what a plan of now would do.
///
/// `shown` is the plan of now as a file holds it: with what is secret hidden, in names too. Other
/// changes that a plan of now has don't matter, and are not applied.
///
/// # Errors
/// A refusal that says what is not as it was.
pub fn confirmed(saved: &Plan, now: &Plan, shown: &Plan) -> Result<Plan, Error> {
    let stale = |what: String| {
        Error::refused(format!("the saved plan is stale: {what}"))
            .hint("make a new one with `tenantctl plan --out FILE`")
    };
    if saved.tool_version != now.tool_version {
        let (made, this) = (&saved.tool_version, &now.tool_version);
        return Err(stale(format!("it was made by version `{made}` of tenantctl, and this is `{this}`")));
    }
    if saved.definitions_sha256 != now.definitions_sha256 {
        return Err(stale(
            "the definitions or the keywords changed since; or it leads back to a snapshot, which `--rollback` must name \
             here too"
                .to_owned(),
        ));
    }
    let is_left = |wanted: &Change| shown.changes.iter().any(|change| change.address() == wanted.address());
    if !saved.changes.is_empty() && !saved.changes.iter().any(is_left) {
        return Err(Error::refused("nothing of the saved plan is left to do, perhaps because it was applied already")
            .hint("see what there is to do now with `tenantctl plan`"));
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
