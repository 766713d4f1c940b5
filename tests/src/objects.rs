//! A real S3 server in this process, on a folder, with a key of its own. Its door can be shut.

use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::watch;
use xiangyi_server::config::{PhotoStore, Photos, S3};

const BUCKET: &str = "photos";
const KEY: &str = "xiangyi-test";
const SECRET: &str = "secret-of-the-test";

/// The way to a server: while it is shut, lines are cut and none is taken.
pub struct Door(watch::Sender<bool>);

impl Door {
    /// Cuts every line, and waits until it is cut.
    pub async fn shut(&self) {
        self.0.send_replace(false);
        // The one that stays is of whoever takes lines.
        while self.0.receiver_count() > 1 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets lines in again.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

/// Starts a server on this folder and gives the settings that reach it.
pub async fn serve(folder: &Path) -> Photos {
    serve_behind(folder).await.0
}

/// The same with the door to it.
pub async fn serve_behind(folder: &Path) -> (Photos, Door) {
    let (door, open) = watch::channel(true);
    std::fs::create_dir_all(folder.join(BUCKET)).expect("a bucket is a folder");
    let files = FileSystem::new(folder).expect("the folder is there");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (service, mut open) = (service.clone(), open.clone());
            spawn(async move {
                let http = Builder::new(TokioExecutor::new());
                tokio::select! {
                    // A client that hangs up is no fault of the server.
                    _ = http.serve_connection(TokioIo::new(socket), service) => {}
                    _ = shut(&mut open) => {}
                }
            });
        }
    });
    let photos = Photos {
        store: PhotoStore::S3,
        s3: S3 {
            endpoint: Some(endpoint),
            bucket: Some(BUCKET.to_owned()),
            access_key_id: Some(KEY.to_owned()),
            secret_access_key: Some(SECRET.to_owned()),
            ..S3::default()
        },
    };
    (photos, Door(door))
}

async fn shut(open: &mut watch::Receiver<bool>) {
    if open.wait_for(|open| !open).await.is_err() {
        // Nobody holds the door: it stays open.
        std::future::pending::<()>().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the server's only home")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
