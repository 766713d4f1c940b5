//! A private PostgreSQL cluster from the system's binaries, one per test process.
//!
//! It lives in a temporary folder, listens on a socket in it and nowhere else, and dies with the
//! process that started it (`setpriv --pdeathsig`, or its own signal). The folder's lock is held
//! while the process lives; what earlier processes left behind is swept at the next start. Data
//! is not synced unless `sync_data` was called first: measurements need it, suites do not.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::{Mutex, OnceCell};
use xiangyi_server::store::Db;

/// How often the socket is tried before the server counts as broken: 30 s.
const TRIES: u32 = 600;
const PREFIX: &str = "xiangyi-pg-";
const TEMPLATE: &str = "xiangyi_template";

static SYNCED: AtomicBool = AtomicBool::new(false);
static PLACE: OnceLock<PathBuf> = OnceLock::new();
static READY: OnceCell<()> = OnceCell::const_new();
static COPYING: Mutex<u32> = Mutex::const_new(0);

/// Makes the cluster sync its data at every commit; call it before the first database.
pub fn sync_data() {
    SYNCED.store(true, Ordering::SeqCst);
}

/// The process from which the others of the running cluster descend.
pub fn process() -> Option<u32> {
    let pid = PLACE.get()?.join("data").join("postmaster.pid");
    fs::read_to_string(pid)
        .ok()?
        .lines()
        .next()?
        .trim()
        .parse()
        .ok()
}

/// The address of a fresh database with all tables.
pub async fn database() -> String {
    let place = PLACE.get_or_init(start);
    READY.get_or_init(|| template(place)).await;
    // The template is copied by one at a time: the engine refuses a template in use.
    let mut copies = COPYING.lock().await;
    *copies += 1;
    let name = format!("t{copies}");
    run(
        place,
        format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY"),
    )
    .await;
    address(place, &name)
}

/// The address of a fresh database without tables.
pub async fn empty_database() -> String {
    let place = PLACE.get_or_init(start);
    wait(place).await;
    let mut copies = COPYING.lock().await;
    *copies += 1;
    let name = format!("t{copies}");
    run(place, format!("CREATE DATABASE {name}")).await;
    address(place, &name)
}

/// A cluster of one test's own, which may be stopped at once and started again.
#[derive(Debug)]
pub struct Own(PathBuf);

impl Own {
    /// Makes and starts it.
    pub async fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let own = Self(start_at(std::env::temp_dir().join(name)));
        wait(&own.0).await;
        own
    }

    /// The address of its database, which has no tables at first.
    pub fn database(&self) -> String {
        address(&self.0, "postgres")
    }

    /// SIGQUIT to all of it: no transaction is finished, nothing is written down.
    pub fn stop_at_once(&self) {
        self.control(&["stop", "-m", "immediate"]);
    }

    /// Starts it again, after whatever happened to it.
    pub async fn start_again(&self) {
        let (place, data) = (self.0.clone(), self.0.join("data"));
        std::thread::spawn(move || serve(is_root(), &place, &data));
        wait(&self.0).await;
    }

    fn control(&self, args: &[&str]) {
        let mut command = as_owner(is_root(), "pg_ctl");
        run_now(command.args(args).arg("-D").arg(self.0.join("data")));
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.0.join("data/postmaster.pid").exists() {
            self.stop_at_once();
        }
        // What cannot be removed is swept by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn address(place: &Path, name: &str) -> String {
    let socket = place.display().to_string().replace('/', "%2F");
    format!("postgres://postgres@{socket}/{name}")
}

async fn template(place: &Path) {
    wait(place).await;
    run(place, format!("CREATE DATABASE {TEMPLATE}")).await;
    let db = Db::open(&address(place, TEMPLATE))
        .await
        .expect("the template can be opened");
    db.migrate().await.expect("the migrations apply");
    db.close().await;
}

async fn run(place: &Path, sql: String) {
    let mut conn = connect(place).await.expect("the cluster answers");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .expect("the statement runs");
    conn.close().await.expect("the connection closes");
}

async fn connect(place: &Path) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect(&address(place, "postgres")).await
}

async fn wait(place: &Path) {
    for _ in 0..TRIES {
        if let Ok(conn) = connect(place).await {
            let _ = conn.close().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = fs::read_to_string(place.join("log")).unwrap_or_default();
    panic!("PostgreSQL did not start:\n{log}");
}

/// Makes and starts the cluster; gives the folder of its socket.
fn start() -> PathBuf {
    sweep();
    start_at(std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id())))
}

fn start_at(place: PathBuf) -> PathBuf {
    fs::create_dir_all(&place).expect("the temporary folder can be written");
    // Held until the process ends, and with it the claim on the folder.
    let lock = File::create(place.join("lock")).expect("the folder can be written");
    lock.lock().expect("a new file can be locked");
    std::mem::forget(lock);
    let root = is_root();
    if root {
        run_now(Command::new("chown").arg("postgres").arg(&place));
    }
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).expect("mode can be set");
    let data = place.join("data");
    let initdb = [
        "--no-sync",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-U",
        "postgres",
    ];
    run_now(as_owner(root, "initdb").args(initdb).arg("-D").arg(&data));
    // A thread of its own: the signal at the parent's death follows the starting thread.
    let at = place.clone();
    std::thread::spawn(move || serve(root, &at, &data));
    place
}

fn serve(root: bool, place: &Path, data: &Path) {
    let log = File::create(place.join("log")).expect("the folder can be written");
    let mut command = as_owner(root, "postgres");
    command.arg("-D").arg(data).arg("-k").arg(place);
    for setting in [
        "listen_addresses=",
        "max_connections=400",
        "shared_buffers=64MB",
    ] {
        command.arg("-c").arg(setting);
    }
    if !SYNCED.load(Ordering::SeqCst) {
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    let mut child = command.spawn().expect("PostgreSQL starts");
    let _ = child.wait();
}

/// A command of PostgreSQL that dies with this process and never runs as root.
fn as_owner(root: bool, binary: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if root {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command
        .arg("--")
        .arg(binaries().join(binary))
        .current_dir("/");
    command
}

/// The newest of Debian's PostgreSQL versions.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let numbers = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest = numbers
        .max()
        .expect("PostgreSQL is installed: apt-get install postgresql");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

fn run_now(command: &mut Command) {
    let done = command
        .stdout(Stdio::null())
        .output()
        .expect("the command starts");
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Removes the folders whose lock nobody holds.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let lock = File::open(entry.path().join("lock"));
        if is_ours && lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
