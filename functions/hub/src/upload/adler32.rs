//! Adler-32 of two byte strings in a row, from their own.

/// The largest prime below 65536.
const MODULUS: u64 = 65_521;

/// The checksum of nothing.
pub(super) const EMPTY: u32 = 1;

/// The checksum of `first` followed by `second`, which has `second_len` bytes.
pub(super) fn combine(first: u32, second: u32, second_len: u64) -> u32 {
    let (low, high) = halves(first);
    let (second_low, second_high) = halves(second);
    let length = second_len % MODULUS;
    // the low half is 1 plus the sum of bytes; the high half adds up all low halves, to each of which `first` brings its own
    let sum = (low + second_low + MODULUS - 1) % MODULUS;
    let sums = (high + second_high + length * (low + MODULUS - 1)) % MODULUS;
    // both are below 2^16
    (sums << 16 | sum) as u32
}

fn halves(checksum: u32) -> (u64, u64) {
    (u64::from(checksum & 0xffff), u64::from(checksum >> 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(bytes: &[u8]) -> u32 {
        adler2::adler32_slice(bytes)
    }

    #[test]
    fn combines_at_every_place() {
        let bytes: Vec<u8> = (0..3000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert_eq!(combine(checksum(first), checksum(second), second.len() as u64), checksum(&bytes), "at {at}");
        }
    }

    #[test]
    fn combines_what_is_longer_than_the_modulus() {
        let (first, second) = (vec![0xff; 100_000], vec![0xfe; 200_001]);
        let whole = [first.clone(), second.clone()].concat();
        assert_eq!(combine(checksum(&first), checksum(&second), 200_001), checksum(&whole));
        assert_eq!(combine(EMPTY, checksum(&whole), whole.len() as u64), checksum(&whole));
        assert_eq!(combine(checksum(&whole), EMPTY, 0), checksum(&whole));
    }
}
