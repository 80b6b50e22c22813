//! Devices that share an order do not start it at once, and each has its own place.

/// Keeps this use of a device's key apart from any other.
const CONTEXT: &[u8] = b"remit schedule jitter\0";

/// Where a device stands in the jitter of an order: from nothing to just short of all of it. It is the first eight bytes of the
/// keyed BLAKE3 hash of the order's name, as a fraction of 2^64: the same after a restart, and on no two orders alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(u64);

impl Place {
    pub(crate) fn of(device_key: &[u8; 32], order: &str) -> Self {
        let mut hash = blake3::Hasher::new_keyed(device_key);
        hash.update(CONTEXT).update(order.as_bytes());
        let mut first = [0; 8];
        hash.finalize_xof().fill(&mut first);
        Self(u64::from_le_bytes(first))
    }

    /// So much of this time, always less than all of it.
    pub(crate) fn of_ms(self, most_ms: i64) -> i64 {
        let most = u128::from(most_ms.unsigned_abs());
        i64::try_from((u128::from(self.0) * most) >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_spread_evenly_and_stay_where_they_are() {
        let mut counts = [0; 10];
        for device in 0..10_000_u32 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&device.to_le_bytes());
            let place = Place::of(&key, "patch").of_ms(1_000);
            assert_eq!(place, Place::of(&key, "patch").of_ms(1_000));
            counts[usize::try_from(place / 100).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
        let (one, other) = (Place::of(&[1; 32], "patch"), Place::of(&[1; 32], "backup"));
        assert_ne!(one.of_ms(1 << 40), other.of_ms(1 << 40), "each order has its own");
        assert_eq!(Place(u64::MAX).of_ms(60_000), 59_999);
        assert_eq!(Place(u64::MAX).of_ms(0), 0);
    }
}
