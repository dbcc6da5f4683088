//! The tenant as it was: what reads show that are late.
//!
//! Pure. A version is kept for each write, whole, as long as a read may want it; there is none where no fault
//! makes reads late.

use std::collections::VecDeque;

use super::store::Store;

/// Versions of a tenant, the oldest first, each with the time of the write that made it.
#[derive(Debug)]
pub struct Past {
    reach: u64,
    versions: VecDeque<(u64, Store)>,
}

impl Past {
    /// Begins with a tenant that was always so; reads go back at most `reach` milliseconds.
    #[must_use]
    pub fn new(reach: u64, store: Store) -> Self {
        Self { reach, versions: VecDeque::from([(0, store)]) }
    }

    /// Keeps the tenant as a write has left it.
    pub fn keep(&mut self, now: u64, store: &Store) {
        self.versions.push_back((now, store.clone()));
        let oldest = now.saturating_sub(self.reach);
        while self.versions.get(1).is_some_and(|(made, _)| *made <= oldest) {
            self.versions.pop_front();
        }
    }

    /// Gives the tenant as it was at a time; none only where none was ever kept. Reads let it settle, as they do
    /// the newest one.
    pub fn at(&mut self, time: u64) -> Option<&mut Store> {
        let later = self.versions.partition_point(|(made, _)| *made <= time);
        self.versions.get_mut(later.saturating_sub(1)).map(|(_, store)| store)
    }
}

#[cfg(test)]
mod tests {
    use super::Past;
    use crate::kinds::Registry;
    use crate::sandbox::store::Store;

    #[test]
    fn a_read_finds_the_newest_version_that_is_old_enough() {
        let store = |name: &str| Store::new(Registry::builtin(), name);
        let mut past = Past::new(100, store("first"));
        past.keep(1000, &store("second"));
        past.keep(1050, &store("third"));
        for (time, name) in [(900, "first"), (999, "first"), (1000, "second"), (1049, "second"), (1050, "third")] {
            assert_eq!(past.at(time).unwrap().domain(), name, "{time}");
        }
        past.keep(1160, &store("fourth"));
        assert_eq!(past.versions.len(), 2);
        assert_eq!(past.at(1060).unwrap().domain(), "third");
    }
}
