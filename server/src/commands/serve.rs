//! `xiangyi serve` and `xiangyi migrate`.

use std::fs::File;
use std::path::Path;

use tokio::net::TcpListener;

use super::demo;
use crate::accounts::roots::Roots;
use crate::app::{App, StartError};
use crate::clock::Clock;
use crate::config::{Config, PhotoStore};
use crate::entropy::Entropy;
use crate::law::Law;
use crate::store::Db;
use crate::wechat::messages;
use crate::{
    cards, failpoint, lines, metrics, photos, private, router, tasks, ticker, trail, webhooks,
};

/// Serves until it is told to stop.
///
/// # Errors
/// When the address, the keys or the tables cannot be used.
pub async fn run(config: Config) -> Result<(), StartError> {
    config.check()?;
    let _alone = alone(&config)?;
    let app = App::open(&config, Clock::system(), Entropy::system()).await?;
    if config.demo {
        demo::seed(&app).await?;
        demo::crowd(&app, config.demo_volunteers).await?;
        failpoint::reach("start-seeded");
    }
    if !config.demo && demo::is_here(&app).await? {
        let why = "the demo's people are in this database and everybody knows their password: \
                   take another database, or start it with --demo";
        return Err(why.into());
    }
    if !app.db.is_own_file() && config.photos.store == PhotoStore::Folder {
        // Two servers on one database would each show only its own.
        eprintln!(
            "photographs lie in a folder of this machine: one server only, or photos.store = \"s3\""
        );
    }
    metrics::start(&app, config.metrics.listen).await?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        format!(
            "cannot listen on {}: {error}. Is another server running there?",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    if config.demo {
        demo::print_people(&app);
    }
    // Scripts wait for this line; it goes to standard output, logs go to standard error.
    println!("xiangyi listens on http://{address}");
    serve(app, listener, stop_signal()).await
}

/// The folder of a database file for this server alone; commands work beside it. Two servers on one
/// file would each answer from a memory of its own: rates, who listens, keys, packs.
fn alone(config: &Config) -> Result<Option<File>, StartError> {
    let url = config.database_url();
    let Some(path) = url.strip_prefix("sqlite:") else {
        return Ok(None);
    };
    let path = Path::new(path.split('?').next().unwrap_or(path));
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // What is not there yet is made by whoever comes first, and refused here to the other.
    if folder == config.data {
        private::data_folder(folder)?;
    }
    let busy = format!(
        "另一个服务正在使用文件夹 {0}。请先停掉它，或用 --data 换一个文件夹。another server works on \
         {0}: stop it first, or name another folder with --data",
        folder.display()
    );
    Ok(Some(private::alone(folder, &busy)?))
}

/// Serves an application on a listener until `stop` is ready, then finishes what is under way;
/// those who only listen are sent away.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), StartError> {
    tasks::spawn("ticker", ticker::run(app.clone()));
    if app.wechat.is_some() {
        tasks::spawn("messages", messages::run(app.clone()));
    }
    tasks::spawn("cards", cards::check::run(app.clone()));
    if app.webhooks.enabled {
        tasks::spawn("webhooks", webhooks::run(app.clone()));
    }
    tasks::spawn("trail", trail::run(app.clone()));
    tasks::spawn("photos", photos::jobs::run(app.clone()));
    let (db, live, heard) = (app.db.clone(), app.live.clone(), app.heard.clone());
    let bounds = app.lines;
    let stop = async move {
        stop.await;
        live.close();
    };
    lines::serve(listener, router::overridden(app), bounds, stop).await;
    if let Err(error) = heard.write(&db).await {
        tracing::warn!(%error, "what phones said of themselves could not be written");
    }
    db.close().await;
    Ok(())
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Brings the tables up to date.
///
/// # Errors
/// When the database cannot be reached or is newer than this build.
pub async fn migrate(config: Config) -> Result<(), StartError> {
    eprintln!("数据库 database: {}", config.database_told());
    private::data_folder(&config.data)?;
    let db = Db::open(&config.database_url()).await;
    let db = db.map_err(|error| error.to_the_operator())?;
    db.migrate().await?;
    let roots = Roots::open(&config.data, &Entropy::system())?;
    Law::new(&roots, config.trusted_keys()?).adopt(&db).await?;
    db.close().await;
    println!("the tables of {} are up to date", config.database_told());
    Ok(())
}
