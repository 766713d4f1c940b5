//! Sealed bodies: what is confidential leaves and enters the tables only through here.
//!
//! The place of a value (its record id) is bound into the seal, so a row cannot be passed off as
//! another.

use uuid::Uuid;
use xiangyi_sync::project;

use super::keys::KeySet;
use super::{StoreError, broken};

/// The whole body of a row: its open part joined with its sealed part and the part's owner.
pub fn whole(
    keys: &KeySet,
    record: Uuid,
    open: &str,
    sealed: Option<(&[u8], &str)>,
) -> Result<String, StoreError> {
    let Some((sealed, owner)) = sealed else {
        return Ok(open.to_owned());
    };
    let text = text(keys, record, sealed, owner)?;
    Ok(project::join(open, Some(&text)))
}

/// A sealed text.
pub fn text(keys: &KeySet, record: Uuid, sealed: &[u8], owner: &str) -> Result<String, StoreError> {
    let plain = keys
        .open(owner, record.as_bytes(), sealed)
        .map_err(|_| broken("feed", "sealed under another key"))?;
    String::from_utf8(plain).map_err(|_| broken("feed", "sealed text"))
}
