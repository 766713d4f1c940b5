//! A line to the database cluster that can be cut: a socket in a folder of its own, in front of
//! the cluster's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const SOCKET: &str = ".s.PGSQL.5432";

/// The way to a cluster.
#[derive(Debug)]
pub struct Proxy {
    cuts: watch::Sender<u64>,
    carried: Arc<AtomicU64>,
    folder: PathBuf,
}

impl Proxy {
    /// A socket in `folder` before the one at this address of a database.
    pub fn before(address: &str, folder: &Path) -> Self {
        let (place, _) = parts(address);
        let target = PathBuf::from(place.replace("%2F", "/")).join(SOCKET);
        let listener = UnixListener::bind(folder.join(SOCKET)).expect("a socket can be made");
        let (cuts, heard) = watch::channel(0);
        let carried = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&carried);
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, heard, count) = (target.clone(), heard.clone(), Arc::clone(&count));
                spawn(carry(client, target, heard, count));
            }
        });
        Self {
            cuts,
            carried,
            folder: folder.to_owned(),
        }
    }

    /// The same database by way of here.
    pub fn address(&self, address: &str) -> String {
        let (_, name) = parts(address);
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}/{name}")
    }

    /// Cuts every line there is, wherever its bytes are.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Lines that were taken so far.
    pub fn lines(&self) -> u64 {
        self.carried.load(Ordering::SeqCst)
    }
}

/// The folder and the name of the database in an address of `cluster`.
fn parts(address: &str) -> (&str, &str) {
    let rest = address.split_once('@').expect("an address").1;
    rest.split_once('/').expect("a database")
}

async fn carry(
    mut client: UnixStream,
    target: PathBuf,
    mut heard: watch::Receiver<u64>,
    count: Arc<AtomicU64>,
) {
    heard.mark_unchanged();
    // A cluster that is down takes nobody: the client's line ends.
    let Ok(mut server) = UnixStream::connect(target).await else {
        return;
    };
    count.fetch_add(1, Ordering::SeqCst);
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = heard.changed() => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "the proxy's only home")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
