//! Is the process there, and can it serve.

use std::sync::atomic::Ordering;

use axum::extract::State;
use xiangyi_proto::problem;
use xiangyi_proto::time::HOUR_MS;

use crate::app::App;
use crate::problem::ApiError;
use crate::store::{audit, shards};

/// A daily backup, with two hours for one that takes long.
const BACKUP_EVERY_MS: i64 = 26 * HOUR_MS;

/// `GET /healthz`: the process answers.
pub async fn healthz() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database answers. A server whose last verified backup is older than a day
/// still serves, and says so in a second line.
///
/// # Errors
/// When the database does not answer, or the last commit found no room.
pub async fn readyz(State(app): State<App>) -> Result<String, ApiError> {
    if app.cannot_write.load(Ordering::Relaxed) {
        return Err(ApiError::new(problem::BUSY).retry(5_000));
    }
    let mut tx = app.db.read().await?;
    let heads = shards::heads(&mut tx).await?;
    let last = audit::last_backup(&mut tx).await?;
    let since = last.map(|made_at| app.clock.now() - made_at);
    Ok(match since {
        _ if heads.is_empty() => "ready\n".to_owned(),
        None => "ready\nno backup was ever made\n".to_owned(),
        Some(ms) if ms > BACKUP_EVERY_MS => {
            format!(
                "ready\nthe last backup was made {} hours ago\n",
                ms / HOUR_MS
            )
        }
        Some(_) => "ready\n".to_owned(),
    })
}
