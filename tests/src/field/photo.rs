//! A photograph of one visit, sent in two parts to whichever server there is.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use reqwest::Method;
use serde_json::{Value, json};
use xiangyi_server::entropy::Entropy;

use super::{ANSWER, Field, TRIES, moment};
use crate::actor::{Actor, hash};

/// Pixels a side: small, and more than one write.
const SIDE: u32 = 96;

/// A photograph and the visit that declares it.
#[derive(Debug, Clone)]
pub struct Photo {
    bytes: Vec<u8>,
    unit: String,
    visit: String,
}

impl Photo {
    /// One that nobody else has.
    pub fn new(entropy: &Entropy, unit: &str, visit: &str) -> Self {
        let mut noise = Vec::new();
        while noise.len() < (SIDE * SIDE * 3) as usize {
            noise.extend(entropy.bytes::<32>());
        }
        noise.truncate((SIDE * SIDE * 3) as usize);
        let picture = RgbImage::from_raw(SIDE, SIDE, noise).expect("as many bytes as pixels");
        let mut bytes = Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, ImageFormat::Jpeg)
            .expect("it can be written");
        Self {
            bytes: bytes.into_inner(),
            unit: unit.to_owned(),
            visit: visit.to_owned(),
        }
    }

    /// As it stands in the visit.
    pub fn declared(&self) -> Value {
        json!({ "sha256": hash(&self.bytes), "bytes": self.bytes.len(), "mime": "image/jpeg",
            "source": "camera" })
    }
}

/// Sends it until the server has all of it.
pub(crate) async fn send(person: Actor, field: &Field, photo: &Photo) {
    let session = person.signed_in().clone();
    let mut location = None;
    for _ in 0..TRIES {
        let actor = field.server().with(session.clone());
        match step(&actor, &mut location, photo).await {
            Some(true) => return,
            Some(false) => {}
            None => moment(field).await,
        }
    }
    panic!("a photograph never arrived: {location:?}");
}

/// One request; whether it is all there, if there was an answer.
async fn step(actor: &Actor, location: &mut Option<String>, photo: &Photo) -> Option<bool> {
    let tus = |method, path: &str| {
        let request = actor.request(method, path).timeout(ANSWER);
        request.header("tus-resumable", "1.0.0")
    };
    let Some(at) = location else {
        let encode = |text: &str| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(text)
        };
        let pairs = [
            ("sha256", hash(&photo.bytes)),
            ("unit", photo.unit.clone()),
            ("record", photo.visit.clone()),
            ("mime", "image/jpeg".to_owned()),
        ];
        let pairs = pairs.map(|(name, value)| format!("{name} {}", encode(&value)));
        let made = tus(Method::POST, "/v1/photos")
            .header("upload-length", photo.bytes.len())
            .header("upload-metadata", pairs.join(","));
        let made = made.send().await.ok()?;
        let header = made.headers().get("location");
        *location = header.and_then(|at| Some(at.to_str().ok()?.to_owned()));
        return location.as_ref().map(|_| false);
    };
    let there = tus(Method::HEAD, at).send().await.ok()?;
    let offset = there.headers().get("upload-offset")?.to_str().ok()?;
    let offset: usize = offset.parse().ok()?;
    if offset == photo.bytes.len() {
        return Some(true);
    }
    let half = photo.bytes.len() / 2;
    let end = if offset < half {
        half
    } else {
        photo.bytes.len()
    };
    let sent = tus(Method::PATCH, at)
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream")
        .body(photo.bytes[offset..end].to_vec());
    let status = sent.send().await.ok()?.status().as_u16();
    assert!(
        [204, 409, 423, 503].contains(&status),
        "{status} to bytes {offset} to {end}"
    );
    (status == 204).then_some(false)
}

/// The same bytes come back, and the visit knows of them.
pub(crate) async fn is_here(actor: &Actor, photo: &Photo) {
    let (sha, unit) = (hash(&photo.bytes), &photo.unit);
    let path = format!("/v1/photos/{sha}?as=original&unit={unit}");
    let read = actor.request(Method::GET, &path).send().await;
    let bytes = read.expect("answered").bytes().await.expect("bytes");
    assert_eq!(bytes, photo.bytes, "the photograph of {}", photo.visit);
    let path = format!("/v1/visits/{}?unit={unit}", photo.visit);
    for _ in 0..TRIES {
        let visit = actor.get(&path).await.good();
        if visit["body"]["derived"]["evidence"] == "complete" {
            return;
        }
        tokio::time::sleep(super::BACK_OFF).await;
    }
    panic!("the visit {} never heard of its photograph", photo.visit);
}
