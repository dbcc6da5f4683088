//! The clock that the client reads and waits by.
//!
//! The one place of `api` and `apply` that sleeps or asks for the time. A leaping clock is for tests:
//! it never sleeps, it moves its own time forward instead, so that a wait of an hour takes none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock: the real one by default.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Mutex<Vec<Duration>>>>);

impl Clock {
    /// Makes a clock that leaps over every wait and remembers it.
    #[must_use]
    pub fn leaping() -> Self {
        Self(Some(Arc::default()))
    }

    /// Gives the time since 1970.
    #[must_use]
    pub fn now(&self) -> Duration {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        real + self.leaps().iter().sum::<Duration>()
    }

    /// Lists the waits that were leaped over.
    #[must_use]
    pub fn leaps(&self) -> Vec<Duration> {
        self.0.as_ref().map_or_else(Vec::new, |leaps| leaps.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Waits.
    pub async fn wait(&self, time: Duration) {
        match &self.0 {
            _ if time.is_zero() => {}
            None => tokio::time::sleep(time).await,
            Some(leaps) => {
                leaps.lock().unwrap_or_else(PoisonError::into_inner).push(time);
                tokio::task::yield_now().await;
            }
        }
    }
}
