//! What the tenant's plan lacks: the refusals that a tenant of the free plan gets.
//!
//! Pure; declarations say what is refused, and how. It comes after the token and its scopes, and before the
//! operation is looked at.

use super::exchange::Response;
use super::router::{Operation, Route};
use super::store::{Store, name_of};
use crate::kinds::kind::Kind;
use crate::kinds::server::Free;

/// What the tenant pays for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plan {
    /// All that there is.
    #[default]
    Enterprise,
    /// Nothing.
    Free,
}

/// Gives the refusal that a request gets on the free plan, if it gets one.
pub(super) fn refused(store: &Store, route: &Route) -> Option<Response> {
    let line = [route.above, route.parent, Some(route.kind)];
    let is_over = |kind: &Kind, free: &Free| match free.most {
        None => true,
        Some(most) => {
            let is_made = matches!(route.operation, Operation::Create) && kind.name == route.kind.name;
            is_made && made(store, kind, route.parent) >= most
        }
    };
    let free = line.into_iter().flatten().filter_map(|kind| Some((kind, kind.server.free.as_ref()?)));
    let free = free.into_iter().find(|(kind, free)| is_over(kind, free));
    free.map(|(_, free)| Response::declared(free.status, &free.refusal))
}

/// Counts the objects of a kind that are not the API's own.
fn made(store: &Store, kind: &Kind, parent: Option<&Kind>) -> usize {
    let rows = store.rows_of(&name_of(kind, parent));
    rows.filter(|row| !kind.system.iter().any(|condition| condition.fits(&row.object))).count()
}
