//! The order of a run: which change may start, which never can, how long its chain is.
//!
//! Pure: it sees indices and what each change requires, no calls and no answers.

use std::collections::HashMap;

use crate::plan::Change;

/// How far a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    /// With the number of requests that had to follow each other up to its end.
    Done(usize),
    Failed,
    Skipped,
}

/// The changes of a plan with what each requires.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    changes: &'a [Change],
    requires: Vec<Vec<usize>>,
    states: Vec<State>,
}

impl<'a> Graph<'a> {
    /// Links changes; what is required and is no change of this plan is there already.
    pub(super) fn new(changes: &'a [Change]) -> Self {
        // Of two objects with one name the first counts: the plan has deletes last.
        let places: HashMap<String, usize> =
            changes.iter().enumerate().rev().map(|(at, change)| (change.address().to_string(), at)).collect();
        let requires =
            changes.iter().map(|change| change.requires.iter().filter_map(|need| places.get(need).copied()).collect());
        Self { changes, requires: requires.collect(), states: vec![State::Waiting; changes.len()] }
    }

    /// Gives the first change that may start, with the length of the chain before it, and marks it
    /// as running.
    pub(super) fn start(&mut self) -> Option<(usize, usize)> {
        let found = (0..self.changes.len()).find_map(|at| {
            let is_waiting = self.states[at] == State::Waiting;
            let chain = self.requires[at].iter().try_fold(0, |longest: usize, need| match self.states[*need] {
                State::Done(chain) => Some(longest.max(chain)),
                _ => None,
            });
            chain.filter(|_| is_waiting).map(|chain| (at, chain))
        });
        if let Some((at, _)) = found {
            self.states[at] = State::Running;
        }
        found
    }

    /// Notes that a change is done.
    pub(super) fn done(&mut self, at: usize, chain: usize) {
        self.states[at] = State::Done(chain);
    }

    /// Notes that a change failed.
    pub(super) fn failed(&mut self, at: usize) {
        self.states[at] = State::Failed;
    }

    /// Marks all changes that can't start any more because of what they require, and gives them
    /// with the reason.
    pub(super) fn skip_hopeless(&mut self) -> Vec<(usize, String)> {
        let mut skipped = Vec::new();
        while let Some((at, reason)) = (0..self.changes.len()).find_map(|at| self.hopeless(at)) {
            self.states[at] = State::Skipped;
            skipped.push((at, reason));
        }
        skipped
    }

    fn hopeless(&self, at: usize) -> Option<(usize, String)> {
        if self.states[at] != State::Waiting {
            return None;
        }
        self.requires[at].iter().find_map(|need| {
            let word = match self.states[*need] {
                State::Failed => "failed",
                State::Skipped => "was not attempted",
                State::Waiting | State::Running | State::Done(_) => return None,
            };
            Some((at, format!("it requires {}, which {word}", self.changes[*need].address())))
        })
    }

    /// Marks all changes that have not started, and gives them.
    pub(super) fn skip_rest(&mut self) -> Vec<usize> {
        let rest: Vec<usize> = (0..self.changes.len()).filter(|at| self.states[*at] == State::Waiting).collect();
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
        graph.failed(0);
        let skipped = graph.skip_hopeless();
        assert_eq!(skipped[0], (1, "it requires k/a, which failed".to_owned()));
        assert_eq!(skipped[1], (2, "it requires k/b, which was not attempted".to_owned()));
        assert_eq!(graph.start(), Some((3, 0)));
    }

    #[test]
    fn changes_that_wait_for_each_other_are_the_rest() {
        let changes = [change("a", &["b"]), change("b", &["a"])];
        let mut graph = Graph::new(&changes);
        assert_eq!(graph.start(), None);
        assert_eq!(graph.skip_rest(), [0, 1]);
    }
}
