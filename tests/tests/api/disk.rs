//! What lies on disk is for the user the server runs as, also where a folder was there before.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use xiangyi_server::app::App;
use xiangyi_server::clock::Clock;
use xiangyi_server::config::Config;
use xiangyi_server::entropy::Entropy;
use xiangyi_tests::harness::START;
use xiangyi_tests::scratch::Scratch;

fn mode(path: &Path) -> u32 {
    let found = fs::metadata(path).unwrap_or_else(|_| panic!("{}", path.display()));
    found.permissions().mode() & 0o777
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

/// Starts a server on its own file and stops it again; what it would not start for.
async fn started(data: PathBuf) -> Option<String> {
    let config = Config {
        data,
        ..Config::default()
    };
    match App::open(&config, Clock::fixed(START), Entropy::system()).await {
        Ok(app) => {
            // While it is open the engine keeps files beside its own.
            assert_eq!(mode(&config.data.join("xiangyi.sqlite-wal")), 0o600);
            app.db.close().await;
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

#[tokio::test]
async fn what_is_made_is_for_its_owner_only() {
    let scratch = Scratch::new("disk");
    let data = scratch.path().join("below/data");
    assert_eq!(started(data.clone()).await, None);
    assert_eq!((mode(&data), mode(&data.join("keys"))), (0o700, 0o700));
    assert_eq!(mode(&data.join("xiangyi.sqlite")), 0o600);
    for key in ["root.key", "index.key", "token.key"] {
        assert_eq!(mode(&data.join("keys").join(key)), 0o600);
    }
}

#[tokio::test]
async fn what_was_wider_is_narrowed() {
    let scratch = Scratch::new("disk");
    let data = scratch.path().join("data");
    fs::create_dir(&data).expect("made");
    set(&data, 0o755);
    assert_eq!(started(data.clone()).await, None, "an empty folder");
    assert_eq!(mode(&data), 0o700);
    let file = data.join("xiangyi.sqlite");
    set(&data, 0o777);
    set(&data.join("keys"), 0o755);
    set(&file, 0o644);
    assert_eq!(
        started(data.clone()).await,
        None,
        "one of an earlier server"
    );
    assert_eq!(
        (mode(&data), mode(&data.join("keys")), mode(&file)),
        (0o700, 0o700, 0o600)
    );
}

#[tokio::test]
async fn a_folder_of_others_is_left_as_it_is() {
    let scratch = Scratch::new("disk");
    let data = scratch.path().join("shared");
    fs::create_dir(&data).expect("made");
    fs::write(data.join("theirs"), "x").expect("written");
    set(&data, 0o755);
    let why = started(data.clone()).await.expect("refused");
    assert!(why.contains("chmod 700"), "{why}");
    assert_eq!(mode(&data), 0o755);
    assert!(!data.join("keys").exists());
    set(&data, 0o700);
    assert_eq!(started(data.clone()).await, None);
}
