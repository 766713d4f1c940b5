//! One at a time: whoever changes a phone holds its turn, so that two windows lose nothing.
//!
//! Two turns: one for the phone's file, given up while a request is under way, so that a slow line
//! keeps nobody from recording; one for syncing, held to its end. Whoever waits for the second
//! must not hold the first.

use std::fs::{File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

use super::Trouble;

/// How often a turn is asked for: 15 s in all, longer than anything but a slow sync takes.
const TRIES: usize = 500;
const TRY_EVERY: Duration = Duration::from_millis(30);

/// Name of the turn for the phone's file.
pub const WRITE: &str = "turn";
/// Name of the turn for syncing.
pub const SYNC: &str = "turn-sync";

/// Waits for a turn of the phone in a folder, made if absent; it ends when the file is dropped.
pub async fn take(home: &Path, name: &str) -> Result<File, Trouble> {
    // Tokens and stories are in it: for its owner only.
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true).mode(0o700);
    let made = folder.create(home.join("photos"));
    made.map_err(|error| Trouble::file(home, &error))?;
    let path = home.join(name);
    let file = File::create(&path).map_err(|error| Trouble::file(&path, &error))?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(TRY_EVERY).await,
            Err(TryLockError::Error(error)) => return Err(Trouble::file(&path, &error)),
        }
    }
    Err(Trouble::words(
        "这台手机正在另一个窗口里用着，请等它做完再试。",
        "Another window is busy with this phone; try again when it is done.",
    ))
}
