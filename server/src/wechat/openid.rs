//! Openids: who somebody is to the mini-program, sealed under their own key.

use crate::accounts::seal::Sealer;
use crate::store::{StoreError, Tx, keys, wechat};

/// Binds a sealed openid to its place.
pub fn place(person: &str) -> Vec<u8> {
    format!("openid of {person}").into_bytes()
}

/// The openid of somebody who is bound.
///
/// # Errors
/// When the database does not answer.
pub async fn of(tx: &mut Tx, sealer: &Sealer, person: &str) -> Result<Option<String>, StoreError> {
    let Some(sealed) = wechat::openid_of(tx, person).await? else {
        return Ok(None);
    };
    let keyring = keys::known(tx, sealer, keys::PEOPLE, [person]).await?;
    let opened = keyring.open(person, &place(person), &sealed).ok();
    Ok(opened.and_then(|bytes| String::from_utf8(bytes).ok()))
}
