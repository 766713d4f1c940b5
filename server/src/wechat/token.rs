//! The access token: asked for by one at a time, renewed early, never in a loop.
//!
//! WeChat gives the same stable token to whoever asks, so several nodes may each keep it. Only when
//! a call says that the token is bad is another one forced, and that no more often than twice an
//! hour: twenty a day are allowed.

use tokio::sync::Mutex;
use xiangyi_proto::time::{MINUTE_MS, Millis};

use super::{Fault, WeChat};
use crate::clock::Clock;

/// Renewed so long before it ends: from then on WeChat gives its successor, and both are good.
const EARLY_MS: i64 = 5 * MINUTE_MS;
/// A token is forced no more often.
const FORCE_EVERY_MS: i64 = 30 * MINUTE_MS;
/// After a failure nobody asks again for so long.
const PAUSE_MS: i64 = 5_000;

#[derive(Debug)]
pub struct Token {
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    token: String,
    ends_at: Millis,
    forced_at: Option<Millis>,
    failed: Option<(Millis, Fault)>,
}

impl Kept {
    /// What WeChat gives now; where that is the one it has just refused, another one by force.
    async fn renewed(
        &mut self,
        wechat: &WeChat,
        bad: Option<&str>,
        now: Millis,
    ) -> Result<(String, i64), Fault> {
        let given = wechat.fresh_token(false).await?;
        if bad != Some(given.0.as_str()) {
            return Ok(given);
        }
        if self.forced_at.is_some_and(|at| now < at + FORCE_EVERY_MS) {
            return Err(Fault::Passing("the token was renewed lately"));
        }
        self.forced_at = Some(now);
        wechat.fresh_token(true).await
    }
}

impl Token {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            kept: Mutex::default(),
        }
    }

    /// The token; another one than `bad`, which WeChat has just refused.
    ///
    /// # Errors
    /// When WeChat gives none, or gave another one only lately.
    pub async fn get(&self, wechat: &WeChat, bad: Option<&str>) -> Result<String, Fault> {
        // Held while asking: those who wait find what the first one got.
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        let is_bad = bad == Some(kept.token.as_str());
        if !kept.token.is_empty() && !is_bad && now < kept.ends_at - EARLY_MS {
            return Ok(kept.token.clone());
        }
        if let Some((at, fault)) = &kept.failed
            && now < at + PAUSE_MS
        {
            return Err(fault.clone());
        }
        match kept.renewed(wechat, bad, now).await {
            Ok((token, expires_in)) => {
                kept.token.clone_from(&token);
                // A clock that runs wrong on either side shall not make a loop of it.
                kept.ends_at = now + expires_in.clamp(600, 7_200) * 1_000;
                kept.failed = None;
                Ok(token)
            }
            Err(fault) => {
                tracing::warn!(%fault, "no access token");
                kept.failed = Some((now, fault.clone()));
                Err(fault)
            }
        }
    }
}
