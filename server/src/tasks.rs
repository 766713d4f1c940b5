//! The one home of background tasks: each has a name, and its end is told.

use std::future::Future;

/// Starts a task that lives as long as the process.
#[expect(
    clippy::disallowed_methods,
    reason = "the one home of background tasks"
)]
pub fn spawn<F>(name: &'static str, task: F) -> tokio::task::JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        task.await;
        tracing::debug!(task = name, "a task ended");
    })
}
