//! Record ids as phones mint them: UUIDv7 whose random part is a node of the device and a counter.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::entropy::Entropy;

/// Bits of the counter; the node has the other 42 of `rand_b`.
const COUNTER_BITS: u32 = 20;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;
const NODE_MASK: u64 = (1 << 42) - 1;

/// Mints ids of one device.
pub struct Mint {
    node: u64,
    counter: u64,
    entropy: Entropy,
}

impl Mint {
    /// A mint whose counter starts anywhere: a process that starts again does not repeat.
    pub fn new(device: &str, entropy: Entropy) -> Self {
        Self {
            node: node(device),
            counter: u64::from_be_bytes(entropy.bytes()),
            entropy,
        }
    }

    /// The device got another name.
    pub fn rename(&mut self, device: &str) {
        self.node = node(device);
    }

    /// An id of the moment `wall_ms` of the phone's clock; nothing may sort by it.
    pub fn id(&mut self, wall_ms: i64) -> Uuid {
        self.counter = self.counter.wrapping_add(1);
        let tail = (self.node << COUNTER_BITS) | (self.counter & COUNTER_MASK);
        let mut bytes = [0; 10];
        bytes[..2].copy_from_slice(&self.entropy.bytes::<2>());
        bytes[2..].copy_from_slice(&tail.to_be_bytes());
        let ms = u64::try_from(wall_ms).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid()
    }
}

fn node(device: &str) -> u64 {
    let digest = Sha256::digest(device.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) & NODE_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_device_share_their_node_and_differ() {
        let mut mint = Mint::new("d-1", Entropy::seeded(1));
        let (first, second) = (mint.id(1_767_312_345_678), mint.id(1_767_312_345_678));
        let tail = |id: Uuid| id.as_u128() as u64 & (NODE_MASK << COUNTER_BITS);
        assert_ne!(first, second);
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(tail(first), tail(second));
        let other = Mint::new("d-2", Entropy::seeded(1)).id(1_767_312_345_678);
        assert_ne!(tail(first), tail(other));
    }
}
