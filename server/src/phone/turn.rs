//! One at a time: whoever changes a phone holds its turn, so that two windows lose nothing.

use std::fs::{File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

use super::Trouble;

/// How often a turn is asked for: 15 s in all, longer than anything but a slow sync takes.
const TRIES: usize = 500;
const TRY_EVERY: Duration = Duration::from_millis(30);

/// Waits for the turn of the phone in a folder, made if absent; it ends when the file is dropped.
pub async fn take(home: &Path) -> Result<File, Trouble> {
    // Tokens and stories are in it: for its owner only.
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true).mode(0o700);
    let made = folder.create(home.join("photos"));
    made.map_err(|error| Trouble::file(home, &error))?;
    let path = home.join("turn");
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
