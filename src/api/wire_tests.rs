use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;

use super::{Request, Wire};
use crate::api::clock::Clock;
use crate::api::failure::{Cause, Failure};
use crate::api::pace::{Limits, Pacing, Repeat};
use crate::api::transport::Content;
use crate::kinds::kind::Method;
use crate::secret::Secrets;

fn wire(clock: &Clock, pacing: Pacing) -> Wire {
    Wire::new(reqwest::Client::new(), "http://127.0.0.1:1", Secrets::default(), clock.clone(), pacing)
}

fn request(bucket: &str) -> Request<'_> {
    Request {
        call: "GET /clients",
        method: Method::Get,
        path: "/clients",
        query: &[],
        content: &|| Ok(Content::Nothing),
        bearer: None,
        repeat: Repeat::Always,
        bucket,
        after: 0,
        stop: None,
    }
}

/// Tells what is left until the next second.
fn told(now: Duration, remaining: u64) -> Limits {
    let reset = Some(Duration::from_secs(now.as_secs() + 1));
    Limits { limit: Some(50), remaining: Some(remaining), reset, ..Limits::default() }
}

/// Waits for its turn, and is answered at once.
async fn exchange(wire: &Wire, bucket: &str, status: u16, limits: impl Fn(Duration) -> Limits) -> Result<(), Failure> {
    let flight = wire.admitted(&request(bucket)).await?;
    let now = wire.clock.now();
    flight.answered(bucket, status, &limits(now), (now, now));
    Ok(())
}

#[tokio::test]
async fn of_many_who_wait_each_goes_in_its_turn_and_only_the_first_wakes() {
    const ALL: usize = 10_000;
    const EACH_SECOND: usize = 50;
    let clock = Clock::leaping();
    let wire = wire(&clock, Pacing::default());
    let order = Mutex::new(Vec::new());
    let seconds = Mutex::new((0, 0));
    let one = |number: usize| {
        let (wire, order, seconds) = (&wire, &order, &seconds);
        async move {
            let flight = wire.admitted(&request("")).await.unwrap();
            order.lock().unwrap().push(number);
            // Others get their turn while this one is in flight.
            tokio::task::yield_now().await;
            let now = wire.clock.now();
            let left = {
                let mut second = seconds.lock().unwrap();
                *second = if second.0 == now.as_secs() { (second.0, second.1 + 1) } else { (now.as_secs(), 1) };
                EACH_SECOND.saturating_sub(second.1)
            };
            flight.answered("", 200, &told(now, left as u64), (now, now));
        }
    };
    join_all((0..ALL).map(one)).await;
    assert_eq!(*order.lock().unwrap(), (0..ALL).collect::<Vec<_>>());
    let waits = clock.leaps().len();
    assert!(waits <= 5 * ALL / EACH_SECOND, "{waits} waits");
}

#[tokio::test]
async fn who_waits_for_a_limit_holds_no_other_back() {
    let clock = Clock::leaping();
    let wire = wire(&clock, Pacing { parallelism: 1, ..Pacing::default() });
    exchange(&wire, "", 200, |now| told(now, 50)).await.unwrap();
    let held = wire.admitted(&request("")).await.unwrap();
    let waiting = join_all((0..3).map(|_| exchange(&wire, "", 200, |now| told(now, 40))));
    let other = async {
        drop(held);
        exchange(&wire, "prompts", 429, |_| Limits::default()).await.unwrap();
        exchange(&wire, "", 200, |now| told(now, 30)).await.unwrap();
        assert!(wire.slots.available_permits() == 1, "nobody holds a slot");
    };
    let (waited, ()) = tokio::join!(waiting, other);
    assert!(waited.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_queue_in_which_nothing_moves_ends_and_says_so() {
    let clock = Clock::leaping();
    let wire = wire(&clock, Pacing { max_wait: Duration::from_secs(30), ..Pacing::default() });
    let hour = |now: Duration| Limits { reset: Some(now + Duration::from_secs(3600)), ..told(now, 0) };
    exchange(&wire, "", 200, hour).await.unwrap();
    let failure = exchange(&wire, "", 200, hour).await.unwrap_err();
    assert_eq!((failure.cause, clock.leaps()), (Cause::NotDone, Vec::new()));
    assert_eq!(failure.message, "the rate limit is used up, and opens again in 60 min");
    assert!(failure.hint.unwrap().contains("--max-wait"));

    let clock = Clock::leaping();
    let wire = self::wire(&clock, Pacing { max_wait: Duration::from_secs(30), parallelism: 2, ..Pacing::default() });
    exchange(&wire, "", 429, |now| Limits { retry_after: Some(Duration::from_secs(20)), ..told(now, 0) })
        .await
        .unwrap();
    exchange(&wire, "", 429, |now| Limits { retry_after: Some(Duration::from_secs(29)), ..told(now, 0) })
        .await
        .unwrap();
    exchange(&wire, "", 200, |now| told(now, 5)).await.unwrap();
    let waited: Duration = clock.leaps().iter().sum();
    assert!(waited > Duration::from_secs(48), "each that goes out begins the wait anew: {waited:?}");
}

#[tokio::test]
async fn a_request_that_is_dropped_gives_its_place_back() {
    let clock = Clock::leaping();
    let wire = wire(&clock, Pacing { parallelism: 1, ..Pacing::default() });
    for _ in 0..3 {
        let flight = wire.admitted(&request("")).await.unwrap();
        let request = request("");
        let mut waiting = Box::pin(wire.admitted(&request));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(waiting);
        drop(flight);
    }
    assert!(wire.admitted(&request("")).await.is_ok());
}
