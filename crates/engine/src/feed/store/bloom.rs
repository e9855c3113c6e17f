//! A growing Bloom filter of the keys that may be stored, which saves look-ups of keys that are not. Pure.
//!
//! Nearly every post is new, and finding that out costs several look-ups on disk that find nothing. A Bloom filter
//! answers "certainly not" or "perhaps" from one line of memory each. It never forgets: what has gone since is
//! "perhaps", and costs the look-up it always cost.

/// The most keys that are remembered well, about 23 million posts with what they boost. Past that "perhaps" is said more and more often and
/// fewer look-ups are saved; no answer changes.
pub const KEYS_MAX: usize = 71_000_000;

/// Bits for a key: about 2 in 100 that are not there are "perhaps".
const BITS_PER_KEY: usize = 10;
/// Bits set for a key, all in one line: more are slower, and hardly better in lines this short.
const BITS_SET: u32 = 6;
/// Words of a line: what a processor fetches at once.
const LINE: usize = 8;
/// Lines of the first layer: 256 KiB.
const LINES_FIRST: usize = 4 << 10;
/// How many times larger each layer is than the one before. A full layer cannot grow, since its keys are not known any
/// more, so a larger one is put beside it.
const GROWTH: usize = 4;
/// Layers: together at most 85 MiB.
const LAYERS_MAX: usize = 5;

/// The keys that may be stored, each a hash: all its bits must be as good as random.
#[derive(Debug)]
pub struct ScalableBloom {
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    lines: Vec<[u64; LINE]>,
    keys: usize,
}

impl Default for ScalableBloom {
    fn default() -> ScalableBloom {
        ScalableBloom {
            layers: vec![Layer::new(LINES_FIRST)],
        }
    }
}

impl ScalableBloom {
    /// Remembers a key.
    pub fn insert(&mut self, key: u64) {
        if self.may_have(key) {
            return;
        }
        if self.layers.len() < LAYERS_MAX
            && let Some(lines) = self.layers.last().and_then(Layer::lines_if_full)
        {
            self.layers.push(Layer::new(lines * GROWTH));
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(key);
        }
    }

    /// Whether it may be among the keys; if not, it certainly is not.
    pub fn may_have(&self, key: u64) -> bool {
        self.layers.iter().rev().any(|layer| layer.may_have(key))
    }
}

impl Layer {
    fn new(lines: usize) -> Layer {
        Layer {
            lines: vec![[0; LINE]; lines],
            keys: 0,
        }
    }

    fn lines_if_full(&self) -> Option<usize> {
        let bits = self.lines.len() * LINE * 64;
        (bits <= self.keys * BITS_PER_KEY).then_some(self.lines.len())
    }

    fn insert(&mut self, key: u64) {
        self.keys += 1;
        let at = self.line_of(key);
        if let Some(line) = self.lines.get_mut(at) {
            for (word, bit) in bits(key) {
                if let Some(word) = line.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    fn may_have(&self, key: u64) -> bool {
        let is_set = |(word, bit): (usize, u64), line: &[u64; LINE]| {
            line.get(word).is_none_or(|word| word & bit != 0)
        };
        self.lines
            .get(self.line_of(key))
            .is_none_or(|line| bits(key).all(|at| is_set(at, line)))
    }

    fn line_of(&self, key: u64) -> usize {
        // The upper bits choose the line, evenly; the lower ones the bits in it.
        let wide = u128::from(key) * self.lines.len() as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

/// The bits of a line that are a key's, each as its word and where it is in that.
fn bits(key: u64) -> impl Iterator<Item = (usize, u64)> {
    // Mixed once more, so that they do not follow from the line.
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..BITS_SET).map(move |n| {
        let nine = mixed >> (64 - 9 * (n + 1));
        ((nine >> 6) as usize % LINE, 1 << (nine % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn key(n: u64) -> u64 {
        xxh3_64(&n.to_le_bytes())
    }

    /// Were this to fail, a post that is stored would be placed again.
    #[test]
    fn what_was_put_in_is_never_certainly_not_there_however_many_there_are() {
        let mut known = ScalableBloom::default();
        for n in 0..1_500_000 {
            known.insert(key(n));
        }
        assert_eq!(known.layers.len(), 3);
        assert!((0..1_500_000).all(|n| known.may_have(key(n))));
    }

    #[test]
    fn few_that_were_not_put_in_may_be_there() {
        let mut known = ScalableBloom::default();
        for n in 0..1_000_000 {
            known.insert(key(n));
        }
        let wrong = (1_000_000..1_100_000)
            .filter(|n| known.may_have(key(*n)))
            .count();
        assert!(wrong < 6_000, "{wrong} of 100,000");
    }

    #[test]
    fn what_comes_again_takes_no_room() {
        let mut known = ScalableBloom::default();
        for _ in 0..1_000_000 {
            known.insert(key(7));
        }
        assert_eq!((known.layers.len(), known.layers[0].keys), (1, 1));
    }

    #[test]
    fn it_remembers_as_many_as_it_says() {
        let lines: usize = (0..LAYERS_MAX as u32)
            .map(|n| LINES_FIRST * GROWTH.pow(n))
            .sum();
        let keys = lines * LINE * 64 / BITS_PER_KEY;
        assert!((KEYS_MAX..KEYS_MAX + 1_000_000).contains(&keys), "{keys}");
        assert_eq!((lines * LINE * 8) >> 20, 85, "MiB");
    }

    proptest! {
        /// Were this to fail, a post that is stored would be placed again.
        #[test]
        fn no_key_is_forgotten(keys in prop::collection::vec(any::<u64>(), 1..300)) {
            let mut known = ScalableBloom::default();
            for (n, key) in keys.iter().enumerate() {
                known.insert(*key);
                prop_assert!(keys[..=n].iter().all(|key| known.may_have(*key)));
            }
        }
    }
}
