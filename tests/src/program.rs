//! The built program as a process of its own: run to its end, or started as a server, watched
//! from outside, told to stop, killed. A folder of its own holds all it says.
//!
//! A server dies with the process that started it (`setpriv --pdeathsig`).

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::actor::Actor;

const LISTENS: &str = "xiangyi listens on ";
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// A loaded machine needs a tenth of it for anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test, by the path that cargo built it at.
#[derive(Debug, Clone, Copy)]
pub struct Program(pub &'static str);

/// What a command said when it ended.
#[derive(Debug, Clone)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    room: PathBuf,
    /// The address, without a slash at its end.
    pub base: String,
}

/// Somebody's phone on the command line: a folder and a server.
#[derive(Debug, Clone)]
pub struct Hand {
    program: Program,
    home: PathBuf,
    server: String,
}

impl Program {
    /// The program with these arguments, ready to be started.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", self.0]);
        command.args(args).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Said {
        said(self.command(args)).await
    }

    /// Starts a server and waits until it listens; what it says goes into files in `room`.
    ///
    /// # Errors
    /// What it said, when it ended instead.
    pub async fn serve(&self, room: &Path, args: &[&str]) -> Result<Serving, Said> {
        self.serve_by(self.command(args), room).await
    }

    /// The same by a command that was prepared.
    ///
    /// # Errors
    /// What it said, when it ended instead.
    pub async fn serve_by(&self, mut command: Command, room: &Path) -> Result<Serving, Said> {
        let (out, err) = (room.join("said"), room.join("log"));
        let before = read(&out).len();
        command.stdout(appended(&out)).stderr(appended(&err));
        let mut child = command.spawn().expect("the program starts");
        let listens = || {
            let said = read(&out);
            let mut lines = said.get(before..)?.split_inclusive('\n');
            let line = lines.find_map(|line| line.strip_prefix(LISTENS)?.strip_suffix('\n'))?;
            Some(line.to_owned())
        };
        let mut ended = None;
        let base = until("the server listens", || {
            ended = child.try_wait().expect("it is our child");
            listens().map(Some).or(ended.map(|_| None))
        })
        .await;
        match base {
            Some(base) => Ok(Serving {
                child,
                room: room.to_owned(),
                base,
            }),
            None => Err(Said {
                code: ended.and_then(|status| status.code()),
                out: read(&out),
                err: read(&err),
            }),
        }
    }

    /// A phone in a folder.
    pub fn hand(&self, home: &Path, server: &str) -> Hand {
        Hand {
            program: *self,
            home: home.to_owned(),
            server: server.to_owned(),
        }
    }
}

impl Said {
    /// Asserts that it went well and gives what was said.
    #[track_caller]
    pub fn good(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        &self.out
    }

    /// Asserts that it went wrong, in words and without a panic, and gives them.
    #[track_caller]
    pub fn bad(&self) -> &str {
        let code = self.code.unwrap_or(-1);
        assert!(code == 1 || code == 2, "{code}: {}{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        assert!(!self.err.trim().is_empty(), "it says why: {}", self.out);
        &self.err
    }
}

impl Serving {
    /// Somebody without a session.
    pub fn nobody(&self) -> Actor {
        // Another suite of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No line is kept: a server that was killed would be met on it.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .tls_certs_only([])
            .no_proxy();
        let http = http.build().expect("a client without settings");
        Actor::nobody(http, &self.base)
    }

    /// Everything it and those before it in the same room said, log and all.
    pub fn log(&self) -> String {
        read(&self.room.join("log"))
    }

    /// What stands on standard output after the last start's greeting.
    pub fn said(&self) -> String {
        let said = read(&self.room.join("said"));
        let greeting = said.rfind(LISTENS).unwrap_or(0);
        said[greeting..].to_owned()
    }

    /// SIGKILL: nothing is finished.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it is our child");
    }

    /// SIGTERM: what is under way is to be finished.
    pub async fn ask_to_stop(&self) {
        let pid = self.child.id().expect("it still runs").to_string();
        let sent = Command::new("bash")
            .args(["-c", "kill -TERM $0", &pid])
            .status()
            .await;
        assert!(sent.expect("kill is there").success());
    }

    /// Whether it has ended by itself.
    pub fn is_dead(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let log = || format!("the server does not end:\n{}", self.log());
        ended
            .unwrap_or_else(|_| panic!("{}", log()))
            .expect("it is our child")
    }

    /// Asks it to stop and waits until it has.
    pub async fn stop(mut self) {
        self.ask_to_stop().await;
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Hand {
    /// Runs one command of the phone.
    pub async fn run(&self, args: &[&str]) -> Said {
        self.program.run(&self.args(args)).await
    }

    /// Runs one command that must go well and gives what was said.
    #[track_caller]
    pub fn does<'a>(&'a self, args: &'a [&'a str]) -> impl Future<Output = String> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let said = self.run(args).await;
            let (out, err) = (&said.out, &said.err);
            assert_eq!(said.code, Some(0), "{args:?} at {caller}:\n{out}{err}");
            said.out
        }
    }

    /// Records something and gives its id, the third word of the first line.
    #[track_caller]
    pub fn records<'a>(&'a self, args: &'a [&'a str]) -> impl Future<Output = String> + 'a {
        let does = self.does(args);
        async move {
            let out = does.await;
            let id = out.split_whitespace().nth(2);
            id.unwrap_or_else(|| panic!("no id in {out}")).to_owned()
        }
    }

    /// A command of the phone, ready to be started.
    pub fn command(&self, args: &[&str]) -> Command {
        self.program.command(&self.args(args))
    }

    /// The arguments of a command of this phone.
    pub fn args(&self, args: &[&str]) -> Vec<String> {
        let home = self.home.display().to_string();
        let fixed = ["phone", "--home", &home, "--server", &self.server];
        let all = fixed.iter().chain(args);
        all.map(|arg| (*arg).to_owned()).collect()
    }

    /// The same phone, when the server has moved.
    pub fn at(&self, server: &str) -> Self {
        Self {
            server: server.to_owned(),
            ..self.clone()
        }
    }

    /// The phone's folder.
    pub fn home(&self) -> &Path {
        &self.home
    }
}

/// Runs a command to its end.
pub async fn said(mut command: Command) -> Said {
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.expect("the command ends").expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Looks at a condition until it holds.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

fn appended(file: &Path) -> File {
    let opened = OpenOptions::new().create(true).append(true).open(file);
    opened.expect("the room can be written")
}
