//! Blobs: photographs and their renditions, in a folder or on an S3 server.
//!
//! A blob is written before the row that speaks of it, under a name made of its hash, so that
//! writing it again changes nothing. Who may read a blob is not decided here.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, RetryConfig};
use xiangyi_proto::photo::Rendition;
use xiangyi_proto::problem;

use crate::app::StartError;
use crate::config::{Config, PhotoStore, S3, secret};
use crate::problem::ApiError;

/// Tries beyond the first; a phone that gets `busy` repeats by itself.
const RETRIES: usize = 3;
/// No try begins later than this after the first.
const RETRY_FOR: Duration = Duration::from_secs(15);
/// The region of servers that have none.
const REGION: &str = "us-east-1";

/// The store of photographs; clones share it.
#[derive(Debug, Clone)]
pub struct Blobs(Arc<dyn ObjectStore>);

/// The name of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Where every blob lies.
    pub const FOLDERS: [&'static str; 2] = ["photos", "renditions"];

    /// The exact bytes of a photograph. The hash is lower-case hexadecimal.
    pub fn original(shard: i64, sha256: &str) -> Self {
        Self(format!("photos/{shard}/{sha256}"))
    }

    /// A rendition of a photograph.
    pub fn rendition(shard: i64, sha256: &str, rendition: Rendition) -> Self {
        let name = rendition.name();
        Self(format!("renditions/{shard}/{sha256}/{name}.jpg"))
    }

    /// The name as a path below a folder.
    pub fn name(&self) -> &str {
        &self.0
    }

    fn path(&self) -> Path {
        Path::from(self.0.as_str())
    }
}

/// The store of photographs failed; worth repeating.
#[derive(Debug)]
pub struct BlobError(object_store::Error);

impl std::fmt::Display for BlobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the store of photographs failed")
    }
}

impl std::error::Error for BlobError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        tracing::warn!(%error, cause = %error.0, "photographs cannot be reached");
        Self::new(problem::BUSY).retry(5_000)
    }
}

impl Blobs {
    /// Opens the store that the settings name.
    ///
    /// # Errors
    /// When the folder cannot be made or a setting of the S3 server cannot be used.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        Ok(Self(match config.photos.store {
            PhotoStore::Folder => {
                let folder = config.data.join("photos");
                std::fs::create_dir_all(&folder)?;
                Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
            }
            PhotoStore::S3 => server(&config.photos.s3)?,
        }))
    }

    /// Writes a blob durably; the same bytes again are no fault.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), BlobError> {
        let (path, payload) = (key.path(), PutPayload::from(bytes));
        let put = self.0.put_opts(&path, payload, PutOptions::default());
        put.await.map(drop).map_err(BlobError)
    }

    /// Every blob of a folder with the moment of its last writing, in no order.
    pub fn list(&self, folder: &str) -> BoxStream<'static, Result<(Key, i64), BlobError>> {
        let listed = self.0.list(Some(&Path::from(folder)));
        let told = listed.map(|found| {
            let found = found.map_err(BlobError)?;
            let at = found.last_modified.timestamp() * 1_000;
            Ok((Key(found.location.to_string()), at))
        });
        told.boxed()
    }

    /// When a blob was last written; nothing when there is none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn written_at(&self, key: &Key) -> Result<Option<i64>, BlobError> {
        match self.0.head(&key.path()).await {
            Ok(found) => Ok(Some(found.last_modified.timestamp() * 1_000)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(BlobError(error)),
        }
    }

    /// Takes a blob away; none is no fault.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn remove(&self, key: &Key) -> Result<(), BlobError> {
        match self.0.delete(&key.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(BlobError(error)),
        }
    }

    /// A blob as it comes from the store, with its length: who reads slowly holds little of it.
    ///
    /// # Errors
    /// When the store does not answer; later faults break the stream off.
    pub async fn stream(
        &self,
        key: &Key,
    ) -> Result<Option<(u64, BoxStream<'static, object_store::Result<Bytes>>)>, BlobError> {
        match self.0.get_opts(&key.path(), GetOptions::default()).await {
            Ok(found) => Ok(Some((found.meta.size, found.into_stream()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(BlobError(error)),
        }
    }

    /// Reads a blob whole, if there is one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, BlobError> {
        match self.0.get_opts(&key.path(), GetOptions::default()).await {
            Ok(found) => found.bytes().await.map(Some).map_err(BlobError),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(BlobError(error)),
        }
    }
}

fn server(s3: &S3) -> Result<Arc<dyn ObjectStore>, StartError> {
    let (id, id_file) = (s3.access_key_id.as_ref(), s3.access_key_id_file.as_ref());
    let id = secret(id, id_file, "access_key_id")?;
    let key = s3.secret_access_key.as_ref();
    let key_file = s3.secret_access_key_file.as_ref();
    let key = secret(key, key_file, "secret_access_key")?;
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
        ..RetryConfig::default()
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(s3.bucket.clone().unwrap_or_default())
        .with_region(s3.region.clone().unwrap_or_else(|| REGION.to_owned()))
        .with_retry(retry);
    // Without an endpoint it is the one of the region.
    if let Some(endpoint) = &s3.endpoint {
        builder = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint);
    }
    if let Some(id) = id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(key) = key {
        builder = builder.with_secret_access_key(key);
    }
    Ok(Arc::new(builder.build()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_blob_is_written_twice_and_read_whole() {
        let blobs = Blobs(Arc::new(object_store::memory::InMemory::new()));
        let key = Key::rendition(430_121, "ab12", Rendition::Thumb);
        assert_eq!(key.0, "renditions/430121/ab12/thumb.jpg");
        assert_eq!(Key::original(430_121, "ab12").0, "photos/430121/ab12");
        assert!(blobs.get(&key).await.expect("memory").is_none());
        for _ in 0..2 {
            let bytes = Bytes::from_static(b"bytes");
            blobs.put(&key, bytes).await.expect("memory");
        }
        let found = blobs.get(&key).await.expect("memory");
        assert_eq!(found.as_deref(), Some(b"bytes".as_slice()));
    }
}
