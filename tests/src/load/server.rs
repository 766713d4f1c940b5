//! The release server under load: started as a person would, watched from outside, killed.
//!
//! CPU and memory come from `/proc`. The database server's processes count towards the CPU, since
//! the embedded engine's work is in the server's own; memory is the server's alone.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::Fault;
use crate::cluster;
use crate::engine::Engine;
use crate::scratch::Scratch;

/// A clock tick in `/proc`: 1/100 s on every Linux that Rust supports.
const TICK: Duration = Duration::from_millis(10);
const LISTENS: &str = "xiangyi listens on ";

/// A running server; it is killed when this is dropped.
pub struct Server {
    child: Child,
    pid: u32,
    engine: Engine,
    /// The address, without a slash at its end.
    pub base: String,
    /// Held open: the server must be able to write on.
    _said: Lines<BufReader<ChildStdout>>,
    /// Goes last: the server may still write when the rest is gone.
    _scratch: Scratch,
}

impl Server {
    /// Starts the demo on a fresh database, with further arguments.
    ///
    /// # Errors
    /// When there is no release build, or the server does not come up; its log is in the words.
    pub async fn start(engine: Engine, more: &[&str]) -> Result<Self, Fault> {
        let binary = binary()?;
        let scratch = Scratch::new("load");
        let log = scratch.path().join("log");
        let mut command = Command::new(binary);
        command
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"])
            .arg(scratch.path().join("data"))
            .arg("--database")
            .arg(engine.address(&scratch).await);
        command.args(more);
        // A phone of the load is a crowd by itself: counted like others and never told to wait.
        for of in [
            "SESSION_BURST",
            "SESSION_PER_SECOND",
            "PERSON_BURST",
            "PERSON_PER_SECOND",
        ] {
            command.env(format!("XIANGYI_RATES__{of}"), "1000000");
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child.id().ok_or("the server ended at once")?;
        let said = child.stdout.take().ok_or("the server has no output")?;
        let mut said = BufReader::new(said).lines();
        while let Some(line) = said.next_line().await? {
            if let Some(base) = line.strip_prefix(LISTENS) {
                return Ok(Self {
                    child,
                    pid,
                    engine,
                    base: base.trim().to_owned(),
                    _said: said,
                    _scratch: scratch,
                });
            }
        }
        let log = fs::read_to_string(&log).unwrap_or_default();
        Err(format!("the server did not start:\n{log}").into())
    }

    /// Processor time since the start, the database server's included.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn spent(&self) -> Result<Duration, Fault> {
        let own = Stat::of(self.pid).ok_or("the server is gone")?.ticks;
        let beside = match self.engine {
            Engine::Sqlite => 0,
            Engine::Postgres => family(cluster::process().ok_or("the cluster is gone")?),
        };
        Ok(TICK * u32::try_from(own + beside)?)
    }

    /// Resident memory in MB of 1,024 KB.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn memory_mb(&self) -> Result<f64, Fault> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kb = line.and_then(|rest| rest.split_whitespace().next());
        let kb: f64 = kb.ok_or("the server has no memory")?.parse()?;
        Ok(kb / 1_024.0)
    }

    /// Kills the server and waits for its end.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn stop(mut self) -> Result<(), Fault> {
        self.child.kill().await?;
        Ok(())
    }
}

/// The server's binary beside this one, so that both are of one build.
fn binary() -> Result<PathBuf, Fault> {
    let binary = std::env::current_exe()?.with_file_name("xiangyi");
    if binary.is_file() {
        return Ok(binary);
    }
    let why = "build it with cargo build --release -p xiangyi-server";
    Err(format!("there is no {}: {why}", binary.display()).into())
}

/// What `/proc` says of a process.
struct Stat {
    parent: u32,
    /// Its own time, user and system.
    ticks: u64,
    /// The time of its children that ended.
    reaped: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Fields are counted behind the name, which may hold spaces and brackets.
    fn read(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            ticks: number(11)? + number(12)?,
            reaped: number(13)? + number(14)?,
        })
    }
}

/// Processor time of this process, and of its children that ended.
///
/// # Errors
/// When there is no `/proc`.
pub fn own() -> Result<(Duration, Duration), Fault> {
    let stat = Stat::of(std::process::id()).ok_or("there is no /proc")?;
    let time = |ticks: u64| Ok::<_, Fault>(TICK * u32::try_from(ticks)?);
    Ok((time(stat.ticks)?, time(stat.reaped)?))
}

/// Ticks of a process, of its children, and of those of its children that ended.
fn family(head: u32) -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let ticks = |pid: u32| {
        let stat = Stat::of(pid)?;
        match pid {
            _ if pid == head => Some(stat.ticks + stat.reaped),
            _ if stat.parent == head => Some(stat.ticks),
            _ => None,
        }
    };
    pids.filter_map(ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = "7 (a (b) c) S 3 7 7 0 -1 4194560 9 8 0 0 120 30 5 2 20 0 4 0 100 1 2";
        let stat = Stat::read(line).expect("a line of /proc");
        assert_eq!((stat.parent, stat.ticks, stat.reaped), (3, 150, 7));
    }
}
