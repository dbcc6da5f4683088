//! The order of a run: which change may start, which never can, how long its chain is.
//!
//! Pure: it sees indices and what each change requires, no calls and no answers.

use std::collections::{BTreeSet, HashMap};

use crate::plan::Change;

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many of the changes that it requires are not done.
    Waiting(usize),
    Started,
    /// It can't start any more.
    Skipped,
}

/// The changes of a plan with what each requires. All that it tells takes as long as what it tells.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    changes: &'a [Change],
    states: Vec<State>,
    /// The changes that require a change.
    dependents: Vec<Vec<usize>>,
    /// The changes that may start.
    ready: BTreeSet<usize>,
    /// The number of requests that had to follow each other before a change, as far as is known.
    chains: Vec<usize>,
}

impl<'a> Graph<'a> {
    /// Links changes; what is required and is no change of this plan is there already.
    pub(super) fn new(changes: &'a [Change]) -> Self {
        // Of two objects with one name the first counts: the plan has deletes last.
        let places: HashMap<String, usize> =
            changes.iter().enumerate().rev().map(|(at, change)| (change.address().to_string(), at)).collect();
        let mut dependents = vec![Vec::new(); changes.len()];
        let mut states = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            let needs: BTreeSet<usize> = change.requires.iter().filter_map(|need| places.get(need).copied()).collect();
            states.push(State::Waiting(needs.len()));
            for need in needs {
                dependents[need].push(at);
            }
        }
        let ready = (0..changes.len()).filter(|at| states[*at] == State::Waiting(0)).collect();
        Self { changes, states, dependents, ready, chains: vec![0; changes.len()] }
    }

    /// Gives the first change that may start, with the length of the chain before it, and marks it
    /// as started.
    pub(super) fn start(&mut self) -> Option<(usize, usize)> {
        let at = self.ready.pop_first()?;
        self.states[at] = State::Started;
        Some((at, self.chains[at]))
    }

    /// Notes that a change is done, with the number of requests that had to follow each other up to
    /// its end.
    pub(super) fn done(&mut self, at: usize, chain: usize) {
        for &dependent in &self.dependents[at] {
            self.chains[dependent] = self.chains[dependent].max(chain);
            if let State::Waiting(left) = &mut self.states[dependent] {
                *left -= 1;
                if *left == 0 {
                    self.ready.insert(dependent);
                }
            }
        }
    }

    /// Notes that a change failed, and gives all changes that can't start any more because of it,
    /// with the reason.
    pub(super) fn failed(&mut self, at: usize) -> Vec<(usize, String)> {
        let mut skipped = Vec::new();
        let mut lost = vec![(at, "failed")];
        while let Some((at, word)) = lost.pop() {
            for &dependent in &self.dependents[at] {
                if let State::Waiting(_) = self.states[dependent] {
                    self.states[dependent] = State::Skipped;
                    skipped.push((dependent, format!("it requires {}, which {word}", self.changes[at].address())));
                    lost.push((dependent, "was not attempted"));
                }
            }
        }
        skipped
    }

    /// Marks all changes that have not started, and gives them.
    pub(super) fn rest(&mut self) -> Vec<usize> {
        self.ready.clear();
        let rest: Vec<usize> =
            (0..self.states.len()).filter(|at| matches!(self.states[*at], State::Waiting(_))).collect();
        for at in &rest {
            self.states[*at] = State::Skipped;
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::Graph;
    use crate::plan::{Action, Change};

    fn change(name: &str, requires: &[&str]) -> Change {
        Change {
            kind: "k".to_owned(),
            name: name.to_owned(),
            action: Action::Create,
            id: None,
            fields: Vec::new(),
            again: Vec::new(),
            requires: requires.iter().map(|name| format!("k/{name}")).collect(),
        }
    }

    #[test]
    fn a_change_starts_when_all_that_it_requires_is_done() {
        let changes = [change("c", &["a", "b", "elsewhere"]), change("a", &[]), change("b", &[])];
        let mut graph = Graph::new(&changes);
        assert_eq!(graph.start(), Some((1, 0)));
        assert_eq!(graph.start(), Some((2, 0)));
        assert_eq!(graph.start(), None);
        graph.done(1, 1);
        assert_eq!(graph.start(), None);
        graph.done(2, 3);
        assert_eq!(graph.start(), Some((0, 3)));
    }

    #[test]
    fn what_depends_on_a_failure_is_skipped_with_the_reason() {
        let changes = [change("a", &[]), change("b", &["a"]), change("c", &["b"]), change("d", &[])];
        let mut graph = Graph::new(&changes);
        graph.start();
        let skipped = graph.failed(0);
        assert_eq!(skipped[0], (1, "it requires k/a, which failed".to_owned()));
        assert_eq!(skipped[1], (2, "it requires k/b, which was not attempted".to_owned()));
        assert_eq!(graph.start(), Some((3, 0)));
    }

    #[test]
    fn changes_that_wait_for_each_other_are_the_rest() {
        let changes = [change("a", &["b"]), change("b", &["a"])];
        let mut graph = Graph::new(&changes);
        assert_eq!(graph.start(), None);
        assert_eq!(graph.rest(), [0, 1]);
    }
}
