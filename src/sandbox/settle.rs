//! What objects become by themselves, as time passes at the real API: what is built, what is deployed.
//!
//! Pure; what that is, the declarations say (`settles`). Time is counted in requests: a read finds everything
//! settled, and a write that is refused finds it so the next time.

use super::exchange::Moment;
use super::fill;
use super::operations::Work;
use super::store::{Store, children_of};
use crate::kinds::kind::Kind;

impl Store {
    /// Lets all objects become what they become by themselves.
    pub(super) fn settle(&mut self, moment: &mut Moment) {
        for kind in self.registry() {
            self.settle_kind(kind, None, moment);
            for child in children_of(kind) {
                self.settle_kind(child, Some(kind), moment);
            }
        }
    }

    fn settle_kind(&mut self, kind: &Kind, parent: Option<&Kind>, moment: &mut Moment) {
        if kind.server.settles.is_empty() {
            return;
        }
        let work = Work::new(kind, parent, None);
        for settles in &kind.server.settles {
            let rows = self.rows_of(&work.collection).filter(|row| settles.when.fits(&row.object));
            let numbers: Vec<u64> = rows.map(|row| row.number).collect();
            for number in numbers {
                fill::set(&settles.set, self.object_mut(&work.collection, number), moment);
                self.end_exclusive(&work, number);
            }
        }
    }
}
