//! A whole server in this process: port 0, a database of its own, the demo's people.

use std::sync::Once;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::Millis;
use xiangyi_server::app::App;
use xiangyi_server::clock::Clock;
use xiangyi_server::commands::demo;
use xiangyi_server::config::Config;
use xiangyi_server::entropy::Entropy;
use xiangyi_server::rates::Rates;
use xiangyi_server::store::people;

use crate::actor::Actor;
use crate::engine::Engine;
use crate::scratch::Scratch;

/// Where the harness's clock starts: Thursday 2026-01-15, 10:00 in China.
pub const START: Millis = 1_768_442_400_000;

/// Test people ask more often in a standing minute than anybody with hands.
const WIDE: Rates = Rates {
    session_burst: 1_000_000,
    session_per_second: 1_000,
    person_burst: 1_000_000,
    person_per_second: 1_000,
};

static PROVIDER: Once = Once::new();

/// A running server; it stops when this is dropped.
pub struct Harness {
    pub clock: Clock,
    pub config: Config,
    pub app: App,
    base: String,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
    /// Goes last: the server may still write when the rest is gone.
    _scratch: Scratch,
}

impl Harness {
    /// A server whose clock stands at `START` until a test moves it.
    pub async fn start(engine: Engine) -> Self {
        Self::with_clock(engine, Clock::fixed(START)).await
    }

    /// A server on the given clock.
    pub async fn with_clock(engine: Engine, clock: Clock) -> Self {
        Self::with(engine, clock, |_| {}).await
    }

    /// A server with settings of its own.
    pub async fn with_settings(engine: Engine, set: impl FnOnce(&mut Config)) -> Self {
        Self::with(engine, Clock::fixed(START), set).await
    }

    /// A server with a clock and settings of its own.
    pub async fn with_settings_at(
        engine: Engine,
        clock: Clock,
        set: impl FnOnce(&mut Config),
    ) -> Self {
        Self::with(engine, clock, set).await
    }

    async fn with(engine: Engine, clock: Clock, set: impl FnOnce(&mut Config)) -> Self {
        let scratch = Scratch::new("server");
        let mut config = Config {
            data: scratch.path().join("data"),
            demo: true,
            rates: WIDE,
            ..Config::default()
        };
        config.database.url = Some(engine.address(&scratch).await);
        set(&mut config);
        Self::on(config, clock, scratch).await
    }

    /// A server that keeps its photographs on an S3 server of its own.
    pub async fn with_s3(engine: Engine) -> Self {
        let scratch = Scratch::new("server");
        let mut config = Config {
            data: scratch.path().join("data"),
            demo: true,
            photos: crate::objects::serve(&scratch.path().join("objects")).await,
            rates: WIDE,
            ..Config::default()
        };
        config.database.url = Some(engine.address(&scratch).await);
        Self::on(config, Clock::fixed(START), scratch).await
    }

    /// A server on what is there already; whoever made it keeps it.
    pub async fn over(config: Config, clock: Clock) -> Self {
        Self::on(config, clock, Scratch::new("server")).await
    }

    async fn on(config: Config, clock: Clock, scratch: Scratch) -> Self {
        PROVIDER.call_once(|| {
            // Another suite of this process may have been first.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let app = App::open(&config, clock.clone(), Entropy::system()).await;
        let app = app.expect("the server starts");
        demo::seed(&app).await.expect("the demo is seeded");
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (stop, stopped) = oneshot::channel();
        let serving = xiangyi_server::serve(app.clone(), listener, async {
            let _ = stopped.await;
        });
        let served = spawn(async move {
            serving.await.expect("the server ends well");
        });
        // A server that refuses a body closes the line; a line kept from before would meet that.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build();
        let http = http.expect("a client without settings of the machine");
        Self {
            clock,
            config,
            app,
            base,
            http,
            stop: Some(stop),
            served: Some(served),
            _scratch: scratch,
        }
    }

    /// The address, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Stops the server and waits until it has.
    pub async fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The server may be gone already.
            let _ = stop.send(());
        }
        if let Some(served) = self.served.take() {
            served.await.expect("the server ends well");
        }
    }

    /// Somebody without a session.
    pub fn nobody(&self) -> Actor {
        Actor::nobody(self.http.clone(), &self.base)
    }

    /// Ends a grant now, as `xiangyi people revoke` does.
    pub async fn revoke(&self, person: &str, role: &str, unit: &str) {
        let role = Role::parse(role).expect("a role");
        let mut tx = self.app.db.write().await.expect("begin");
        let ended = people::revoke(&mut tx, person, role, unit, self.clock.now()).await;
        assert!(ended.expect("ended") > 0, "there was such a grant");
        tx.commit().await.expect("commit");
    }

    /// Worker 1-12, two a station.
    pub async fn worker(&self, number: u32) -> Actor {
        self.nobody()
            .sign_in(&format!("138000000{number:02}"))
            .await
    }

    /// The lead of the first station.
    pub async fn lead(&self) -> Actor {
        self.nobody().sign_in("13800000101").await
    }

    /// The officer of the county hub.
    pub async fn hub(&self) -> Actor {
        self.nobody().sign_in("13800000201").await
    }

    /// Reviewer 1 or 2 of the county hub.
    pub async fn reviewer(&self, number: u32) -> Actor {
        self.nobody()
            .sign_in(&format!("13800000{:03}", 201 + number))
            .await
    }

    /// Volunteer 1-40.
    pub async fn volunteer(&self, number: u32) -> Actor {
        self.nobody()
            .sign_in(&format!("13800000{:03}", 300 + number))
            .await
    }

    /// The leader of activities.
    pub async fn organiser(&self) -> Actor {
        self.nobody().sign_in("13800000401").await
    }

    /// A worker of the other county.
    pub async fn stranger(&self) -> Actor {
        self.nobody().sign_in("13900000001").await
    }

    /// The hub officer of the other county.
    pub async fn stranger_hub(&self) -> Actor {
        self.nobody().sign_in("13900000201").await
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The server may be gone already.
            let _ = stop.send(());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the harness is the task's home")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}
