//! Chance: one seeded stream per service, with only exact arithmetic, so that every machine draws the same.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::calendar::Sec;

/// Points of a log-normal distribution with median 1 and sigma 0.8: (share below, multiple of the median).
const SPREAD: [(f64, f64); 13] = [
    (0.0, 0.12),
    (0.05, 0.2682),
    (0.1, 0.3587),
    (0.2, 0.51),
    (0.3, 0.6574),
    (0.4, 0.8166),
    (0.5, 1.0),
    (0.6, 1.2246),
    (0.7, 1.5212),
    (0.8, 1.9606),
    (0.9, 2.7877),
    (0.95, 3.7284),
    (1.0, 7.5),
];

pub struct Draw(ChaCha8Rng);

impl Draw {
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// In [0, n).
    pub fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// In [from, to].
    pub fn between(&mut self, from: Sec, to: Sec) -> Sec {
        from + (self.unit() * (to - from + 1) as f64) as Sec
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A duration around `median`, with the long tail that waiting and working times have.
    pub fn spread(&mut self, median: f64) -> Sec {
        let u = self.unit();
        let mut multiple = SPREAD[SPREAD.len() - 1].1;
        for pair in SPREAD.windows(2) {
            let ((low, at_low), (high, at_high)) = (pair[0], pair[1]);
            if u < high {
                multiple = at_low + (at_high - at_low) * (u - low) / (high - low);
                break;
            }
        }
        ((median * multiple) as Sec).max(1)
    }

    /// How often something with this mean happens in a day, as the sum of twenty small chances.
    pub fn count(&mut self, mean: f64) -> usize {
        (0..20).filter(|_| self.chance(mean / 20.0)).count()
    }
}

/// A well mixed number for ids that must look random and may not draw from a stream.
pub fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A version 4 UUID made of two numbers.
pub fn uuid(a: u64, b: u64) -> String {
    let high = mix(a, b);
    let low = mix(high, b);
    let digits = format!("{high:016x}{low:016x}");
    let variant = ["8", "9", "a", "b"][(low >> 62) as usize];
    [&digits[..8], "-", &digits[8..12], "-4", &digits[13..16], "-", variant, &digits[17..20], "-", &digits[20..]].concat()
}

/// `length` characters of `alphabet` that two numbers choose.
pub fn code(a: u64, b: u64, alphabet: &[u8], length: usize) -> String {
    let mut state = mix(a, b);
    let mut out = String::with_capacity(length);
    for _ in 0..length {
        out.push(char::from(alphabet[(state % alphabet.len() as u64) as usize]));
        state = mix(state, b);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let (mut a, mut b) = (Draw::new(7, 3), Draw::new(7, 3));
        assert!((0..100).all(|_| a.unit() == b.unit()));
        assert_ne!(Draw::new(7, 3).unit(), Draw::new(7, 4).unit());
    }

    #[test]
    fn the_spread_has_its_median() {
        let mut draw = Draw::new(1, 1);
        let mut values: Vec<Sec> = (0..2001).map(|_| draw.spread(3600.0)).collect();
        values.sort_unstable();
        assert!((3300..3900).contains(&values[1000]), "{}", values[1000]);
    }

    #[test]
    fn uuids_have_their_form() {
        let id = uuid(1, 2);
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
    }
}
