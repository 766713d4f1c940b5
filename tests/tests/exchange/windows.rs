//! Windows of one folder: a phone that changes hands while another window waits.

use std::path::Path;
use std::time::Duration;

use xiangyi_server::entropy::Entropy;
use xiangyi_server::phone::Handset;
use xiangyi_tests::actor::PASSWORD;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::harness::Harness;
use xiangyi_tests::scratch::Scratch;

const WORKER: &str = "13800000001";
const COLLEAGUE: &str = "13800000002";
/// How long a window waits for news.
const SHORT: Duration = Duration::from_millis(50);
/// Longer than an access token lives.
const LATER_MS: i64 = 16 * 60_000;

async fn server() -> Harness {
    Harness::with_settings(Engine::Sqlite, |config| config.lines.wait = SHORT).await
}

async fn window(harness: &Harness, home: &Path) -> Handset {
    let (clock, entropy) = (harness.clock.clone(), Entropy::system());
    let phone = Handset::open(home, Some(harness.base()), clock, entropy).await;
    phone.expect("a phone")
}

async fn person(harness: &Harness, home: &Path) -> String {
    let phone = window(harness, home).await;
    phone.person().expect("somebody is signed in").id.clone()
}

#[tokio::test]
async fn who_waits_does_not_take_the_phone_back() {
    let harness = server().await;
    let scratch = Scratch::new("windows");
    let mut waits = window(&harness, scratch.path()).await;
    waits
        .sign_in(WORKER, PASSWORD, None)
        .await
        .expect("signed in");
    waits.pause();
    let mut next = window(&harness, scratch.path()).await;
    next.sign_in(COLLEAGUE, PASSWORD, None)
        .await
        .expect("signed in");
    next.pause();
    harness.clock.advance(LATER_MS);
    // Its access token has ended: it is renewed, and no longer this phone's.
    let waited = waits.wait().await;
    assert_eq!(person(&harness, scratch.path()).await, "p-worker-02");
    let said = waited.expect_err("the phone was given away").to_string();
    assert!(said.contains("另一个窗口"), "{said}");
    assert!(waits.resume().await.is_err(), "and stays so");
    drop(waits);
    // The next person goes on undisturbed.
    next.resume().await.expect("a turn");
    next.sync(1).await.expect("synced");
    next.pause();
    assert_eq!(person(&harness, scratch.path()).await, "p-worker-02");
}

#[tokio::test]
async fn two_windows_of_one_person_renew_the_session_together() {
    let harness = server().await;
    let scratch = Scratch::new("windows");
    let mut one = window(&harness, scratch.path()).await;
    one.sign_in(WORKER, PASSWORD, None)
        .await
        .expect("signed in");
    one.pause();
    let mut other = window(&harness, scratch.path()).await;
    other.pause();
    for _ in 0..3 {
        harness.clock.advance(LATER_MS);
        // The second renews with the token that the first has just replaced.
        one.wait().await.expect("renewed");
        other.wait().await.expect("renewed by the other window");
    }
}
