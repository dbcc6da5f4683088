//! Budgets by tables, and against a simulated server: a bucket that is refilled at the top of each
//! second, requests that take some time each way and overtake each other, other users.

use std::collections::BTreeMap;
use std::time::Duration;

use super::budget::{Budget, Wait};
use super::budgets::Budgets;
use super::pace::{Limits, Pacing};

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn told(remaining: u64, reset: u64) -> Limits {
    let reset = Some(NOW + Duration::from_secs(reset));
    Limits { limit: Some(50), remaining: Some(remaining), reset, ..Limits::default() }
}

fn budget() -> Budget {
    Budget::new(1.0, 16)
}

/// Admits as many as there is room for.
fn admitted(budget: &mut Budget, now: Duration) -> Vec<u64> {
    std::iter::from_fn(|| budget.admit(now).ok()).take(99).collect()
}

#[test]
fn until_the_first_answer_two_are_in_flight_and_then_as_many_as_it_says() {
    let cases = [(told(5, 1), 4), (told(40, 1), 15), (told(1, 1), 0), (Limits::default(), 15)];
    for (limits, more) in cases {
        let mut budget = budget();
        assert_eq!(admitted(&mut budget, NOW), [0, 1]);
        assert_eq!(budget.admit(NOW), Err(Wait::Answer));
        budget.answered(0, 200, &limits, NOW);
        assert_eq!(admitted(&mut budget, NOW).len(), more, "{limits:?}");
    }
}

#[test]
fn the_least_that_was_told_counts_less_what_is_in_flight() {
    let mut budget = budget();
    admitted(&mut budget, NOW);
    budget.answered(0, 200, &told(8, 1), NOW);
    assert_eq!(admitted(&mut budget, NOW).len(), 7, "one is in flight");
    budget.answered(3, 200, &told(5, 1), NOW);
    assert_eq!(admitted(&mut budget, NOW).len(), 0, "those that were overtaken are in the number");
    budget.answered(1, 200, &told(7, 1), NOW);
    budget.answered(2, 200, &told(6, 1), NOW);
    assert_eq!(admitted(&mut budget, NOW).len(), 0, "5 are left, and 5 in flight");
    budget.lost(4, true);
    assert_eq!(admitted(&mut budget, NOW).len(), 0, "it may have been counted");
    budget.lost(5, false);
    assert_eq!(admitted(&mut budget, NOW).len(), 1);
}

#[test]
fn after_the_reset_one_goes_alone_and_its_answer_frees_the_rest() {
    let mut budget = budget();
    admitted(&mut budget, NOW);
    budget.answered(0, 200, &told(1, 1), NOW);
    budget.answered(1, 200, &told(0, 1), NOW);
    assert_eq!(budget.admit(NOW + ms(400)), Err(Wait::For(ms(620))));
    assert_eq!(budget.admit(NOW + ms(1_020)), Ok(2));
    assert_eq!(budget.admit(NOW + ms(1_030)), Err(Wait::For(ms(990))), "the others wait for its answer");
    budget.answered(2, 200, &told(15, 2), NOW + ms(1_080));
    assert_eq!(admitted(&mut budget, NOW + ms(1_080)).len(), 15);

    let mut late = budget.clone();
    late.answered(3, 200, &told(0, 1), NOW + ms(1_090));
    assert_eq!(admitted(&mut late, NOW + ms(1_090)).len(), 1, "an older reset says nothing");
    assert_eq!(budget.admit(NOW + ms(2_100)), Ok(18), "one alone, as nothing is known to be left");
    budget.lost(3, true);
    assert_eq!(budget.admit(NOW + ms(2_110)), Err(Wait::For(ms(990))));
}

#[test]
fn a_reset_far_ahead_is_forgotten_when_a_later_request_tells_another() {
    let mut budget = budget();
    admitted(&mut budget, NOW);
    budget.answered(0, 200, &told(0, 3_600), NOW);
    budget.answered(1, 200, &told(9, 1), NOW);
    assert_eq!(budget.admit(NOW), Err(Wait::For(ms(3_600_020))), "it was sent before that was known");
    let mut budget = self::budget();
    admitted(&mut budget, NOW);
    budget.answered(0, 200, &Limits { reset: Some(Duration::MAX), ..told(5, 0) }, NOW);
    let later = admitted(&mut budget, NOW)[0];
    budget.answered(later, 200, &told(1, 1), NOW);
    assert_eq!(budget.admit(NOW), Err(Wait::For(ms(1_020))));
}

#[test]
fn an_answer_that_was_overtaken_does_not_bring_its_window_back() {
    let mut budget = budget();
    admitted(&mut budget, NOW);
    budget.answered(0, 200, &told(2, 1), NOW);
    budget.answered(1, 200, &told(1, 1), NOW);
    assert_eq!(admitted(&mut budget, NOW + ms(1_020)), [2, 3], "one of those that were left, and one to ask");
    budget.answered(3, 200, &told(0, 3), NOW + ms(2_010));
    budget.answered(2, 200, &told(49, 2), NOW + ms(2_010));
    assert_eq!(budget.admit(NOW + ms(2_010)), Err(Wait::For(ms(1_010))));
}

#[test]
fn an_answer_without_numbers_ends_what_was_known_where_it_went_alone() {
    let mut budget = budget();
    admitted(&mut budget, NOW);
    budget.answered(0, 200, &told(0, 1), NOW);
    budget.answered(1, 200, &Limits::default(), NOW);
    assert!(budget.admit(NOW).is_err(), "another endpoint says nothing of this limit");
    assert_eq!(budget.admit(NOW + ms(1_020)), Ok(2));
    budget.answered(2, 200, &Limits::default(), NOW + ms(1_100));
    assert_eq!(admitted(&mut budget, NOW + ms(1_100)).len(), 16);
}

#[test]
fn a_refusal_closes_the_budget_for_as_long_as_it_says() {
    let wait = |seconds| Limits { retry_after: Some(Duration::from_secs(seconds)), ..Limits::default() };
    let cases = [
        (wait(5), 5_000),
        (Limits::default(), 1_000),
        (told(0, 3), 3_000),
        (Limits { retry_after: Some(Duration::from_secs(4)), ..told(0, 3) }, 3_000),
        (Limits { retry_after: Some(Duration::from_secs(9)), ..told(0, 3) }, 9_000),
        (told(0, 0), 50),
    ];
    for (limits, closed) in cases {
        let mut budget = budget();
        admitted(&mut budget, NOW);
        budget.answered(0, 429, &limits, NOW);
        budget.answered(1, 429, &limits, NOW);
        assert_eq!(budget.admit(NOW), Err(Wait::For(ms(closed))), "{limits:?}");
        assert!(budget.admit(NOW + ms(closed) + ms(20)).is_ok());
        assert!(budget.admit(NOW + ms(closed) + ms(20)).is_err(), "one goes alone");
    }
    let mut budget = budget();
    budget.admit(NOW).unwrap();
    budget.answered(0, 429, &wait(u64::MAX), NOW);
    assert!(matches!(budget.admit(NOW), Err(Wait::For(time)) if time > Duration::from_secs(1 << 40)));
}

#[test]
fn without_numbers_refusals_halve_what_is_in_flight_once_a_round() {
    let mut budget = budget();
    admitted(&mut budget, NOW);
    budget.answered(0, 200, &Limits::default(), NOW);
    budget.answered(1, 200, &Limits::default(), NOW);
    let flight = admitted(&mut budget, NOW);
    assert_eq!(flight.len(), 16);
    for number in flight {
        budget.answered(number, 429, &Limits::default(), NOW);
    }
    let open = NOW + ms(1_000);
    let alone = budget.admit(open).unwrap();
    assert!(budget.admit(open).is_err());
    budget.answered(alone, 200, &Limits::default(), open);
    for _ in 0..9 {
        let flight = admitted(&mut budget, open);
        assert_eq!(flight.len(), 8);
        for number in flight {
            budget.answered(number, 200, &Limits::default(), open);
        }
    }
    assert_eq!(admitted(&mut budget, open).len(), 9, "it opens slowly");
}

#[test]
fn where_one_alone_is_refused_the_time_between_requests_grows_and_shrinks_slowly() {
    let mut budget = Budget::new(1.0, 1);
    let mut now = NOW;
    for gap in [200, 300, 450] {
        let number = budget.admit(now).unwrap();
        budget.answered(number, 429, &Limits::default(), now);
        now += ms(1_010);
        let number = budget.admit(now).unwrap();
        budget.answered(number, 200, &Limits::default(), now);
        let Err(Wait::For(wait)) = budget.admit(now) else { panic!("{gap}") };
        assert!(wait.as_millis().abs_diff(gap) < gap / 20, "{wait:?}");
        now += ms(5_000);
    }
}

/// A tenant, as its limits work. Time is in milliseconds since [`NOW`] by our clock.
struct Tenant {
    rate: u64,
    burst: u64,
    /// How far its clock is ahead.
    ahead: i64,
    /// Requests a second by others.
    others: u64,
    others_within: u64,
    /// It tells what is left.
    has_numbers: bool,
    left: u64,
    refilled: u64,
}

impl Tenant {
    fn new(rate: u64, burst: u64) -> Self {
        Self { rate, burst, ahead: 0, others: 0, others_within: 1_000, has_numbers: true, left: burst, refilled: 0 }
    }

    fn take(&mut self, at: u64) -> (bool, u64) {
        let now = at.saturating_add_signed(self.ahead + 1_000_000);
        let second = now / 1000;
        if self.refilled > 0 {
            self.left = (self.left + (second - self.refilled) * self.rate).min(self.burst);
        }
        self.refilled = second;
        let is_in = self.left > 0;
        self.left -= u64::from(is_in);
        (is_in, second)
    }

    fn answer(&mut self, at: u64) -> (u16, Limits) {
        let (is_in, second) = self.take(at);
        let server = NOW.as_secs() + second - 1000;
        let mut limits = Limits { date: Some(Duration::from_secs(server)), ..Limits::default() };
        if self.has_numbers {
            (limits.limit, limits.remaining) = (Some(self.burst), Some(self.left));
            limits.reset = Some(Duration::from_secs(server + 1));
        }
        (if is_in { 200 } else { 429 }, limits)
    }
}

/// A number that looks like chance.
fn chance(seed: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
}

/// What came of a simulation after its first seconds, which are the start.
#[derive(Debug, Clone, Copy)]
struct Used {
    /// Of what the rate allows.
    part: f64,
    /// Of those that were sent.
    refused: f64,
}

const START: u64 = 10_000;
const END: u64 = 110_000;

/// Sends as many requests as may go, with 20 to 100 ms for each exchange and 16 in flight at most.
#[expect(clippy::cast_precision_loss, reason = "numbers of requests are small")]
fn simulated(mut tenant: Tenant, share: f64) -> Used {
    let pacing = Pacing { rate_share: share, ..Pacing::default() };
    let mut budgets = Budgets::new(pacing);
    let (mut arriving, mut answering) = (BTreeMap::<(u64, u64), _>::new(), BTreeMap::<(u64, u64), _>::new());
    let (mut sent, mut blocked, mut taken, mut refused) = (0, 0, 0_u64, 0_u64);
    for at in 0..END {
        if at % 1000 < tenant.others_within && chance(at) % tenant.others_within < tenant.others {
            tenant.take(at);
        }
        while let Some(entry) = arriving.first_entry().filter(|entry| entry.key().0 <= at) {
            let ((_, number), (ticket, left)) = entry.remove_entry();
            let answer = tenant.answer(at);
            answering.insert((at + 10 + chance(number * 2 + 1) % 40, number), (ticket, left, answer));
        }
        while let Some(entry) = answering.first_entry().filter(|entry| entry.key().0 <= at) {
            let (ticket, left, (status, limits)) = entry.remove();
            budgets.answered("", ticket, status, &limits, (NOW + ms(left), NOW + ms(at)));
            blocked = at;
            if at >= START {
                taken += u64::from(status == 200);
                refused += u64::from(status == 429);
            }
        }
        while blocked <= at && arriving.len() + answering.len() < 16 {
            match budgets.admit("", NOW + ms(at)) {
                Ok(ticket) => {
                    sent += 1;
                    arriving.insert((at + 10 + chance(sent * 2) % 40, sent), (ticket, at));
                }
                Err(Wait::For(wait) | Wait::Spaced(wait)) => {
                    blocked = at + u64::try_from(wait.as_micros().div_ceil(1000)).unwrap().max(1);
                }
                Err(Wait::Answer) => blocked = u64::MAX,
            }
        }
    }
    let whole = tenant.rate * (END - START) / 1000;
    Used { part: taken as f64 / whole as f64, refused: refused as f64 / (taken + refused) as f64 }
}

const RATES: [u64; 5] = [1, 2, 8, 16, 50];

#[test]
fn the_whole_limit_is_used_and_nothing_is_refused() {
    for rate in RATES {
        for burst in [rate, 3 * rate] {
            for ahead in [0, 300, -700, 86_400_000] {
                let used = simulated(Tenant { ahead, ..Tenant::new(rate, burst) }, 1.0);
                assert!(used.part >= 0.95 && used.refused == 0.0, "{rate}, {burst}, {ahead}: {used:?}");
            }
        }
    }
}

#[test]
fn a_share_of_the_limit_is_used_on_average_and_nothing_is_refused() {
    for rate in RATES {
        for burst in [rate, 3 * rate] {
            let used = simulated(Tenant::new(rate, burst), 0.8);
            assert!((0.78..=0.805).contains(&used.part), "{rate}, {burst}: {used:?}");
            assert!(used.refused == 0.0, "{rate}, {burst}: {used:?}");
        }
    }
}

#[test]
fn beside_another_user_the_rest_is_used_with_few_refusals() {
    // Within which part of each second they send, and how many of ours may be refused for it.
    for (others_within, most) in [(1_000, 0.05), (250, 0.125)] {
        for rate in [8, 16, 50] {
            for burst in [rate, 3 * rate] {
                let used = simulated(Tenant { others: rate / 3, others_within, ..Tenant::new(rate, burst) }, 1.0);
                assert!(used.part > 0.6, "{rate}, {burst}: {used:?}");
                assert!(used.refused < most, "{rate}, {burst}: {used:?}");
            }
        }
    }
}

#[test]
fn a_limit_that_only_refuses_is_found_by_trying() {
    for rate in [2, 16] {
        let used = simulated(Tenant { has_numbers: false, ..Tenant::new(rate, rate) }, 1.0);
        assert!(used.part > 0.6 && used.refused < 0.1, "{rate}: {used:?}");
    }
}
