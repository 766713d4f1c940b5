//! Where log lines go, and what may be in them.
//!
//! Only this server's own lines follow the level; libraries speak from `warn` up, because at
//! `debug` they write down headers and addresses, and with them tokens and names. A panic is
//! told by its place alone: its message may hold what was being worked on.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging to standard error; a second start is ignored.
pub fn start(log: &Log) {
    start_to(log, std::io::stderr);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "a task panicked");
    }));
}

/// Starts logging to `writer`; a second start is ignored.
pub fn start_to<W>(log: &Log, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(log.level))
        .with_writer(writer);
    let _ = match log.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}

fn filter(level: LogLevel) -> EnvFilter {
    let level = level.name();
    EnvFilter::new(format!("warn,xiangyi_server={level},xiangyi={level}"))
}
