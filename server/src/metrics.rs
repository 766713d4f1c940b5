//! What the server tells an operator's Prometheus, on a listener of its own: numbers, never a
//! person, a place or a record.
//!
//! Counters are taken where things happen, through the facade of the crate `metrics`, which costs
//! next to nothing while nobody listens. What is a state is read when it is asked for.

use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::app::{App, StartError};
use crate::store::{StoreError, audit, webhooks};
use crate::tasks;

/// Seconds: from a commit on a fast disk to the long poll of a phone.
const BUCKETS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// How often samples are put into their buckets.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Told {
    app: App,
    handle: PrometheusHandle,
}

/// Serves `/metrics` on the address that the settings name; nothing without one.
///
/// # Errors
/// When the address cannot be used.
pub async fn start(app: &App, listen: Option<std::net::SocketAddr>) -> Result<(), StartError> {
    let Some(listen) = listen else {
        return Ok(());
    };
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &BUCKETS)?;
    let handle = builder.install_recorder()?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen} for metrics: {error}"))?;
    let upkeep = handle.clone();
    let told = Told {
        app: app.clone(),
        handle,
    };
    let router = axum::Router::new()
        .route("/metrics", get(metrics))
        .with_state(told);
    tasks::spawn("metrics upkeep", async move {
        let mut tick = tokio::time::interval(UPKEEP_EVERY);
        loop {
            tick.tick().await;
            // Nobody may ask for hours; what was taken meanwhile must not pile up.
            upkeep.run_upkeep();
        }
    });
    println!("metrics on http://{}", listener.local_addr()?);
    tasks::spawn("metrics", async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics are no longer told");
        }
    });
    Ok(())
}

async fn metrics(State(told): State<Told>) -> String {
    if let Err(error) = states(&told.app).await {
        tracing::warn!(%error, "the states of the database could not be read");
    }
    told.handle.render()
}

/// Sets what is a state and no event.
async fn states(app: &App) -> Result<(), StoreError> {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    metrics::gauge!("xiangyi_live_lines").set(number(app.live.listeners()));
    metrics::gauge!("xiangyi_db_pool_in_use").set(number(app.db.in_use()));
    let mut tx = app.db.read().await?;
    let parked = audit::parked(&mut tx).await?;
    let paused = webhooks::paused(&mut tx).await?;
    let backup = audit::last_backup(&mut tx).await?;
    metrics::gauge!("xiangyi_jobs_parked").set(parked as f64);
    metrics::gauge!("xiangyi_webhooks_paused").set(paused as f64);
    if let Some(made_at) = backup {
        let seconds = (app.clock.now() - made_at) / 1_000;
        metrics::gauge!("xiangyi_backup_age_seconds").set(seconds as f64);
    }
    Ok(())
}
