//! Messages in pairs through the SHA instructions, so that one computes while the other waits.

use std::arch::x86_64::*;

use super::{BLOCK, DIGEST, DIGEST_PADDING, K, LANES, State, States};

/// Chaining values, each as the words (a, b, e, f) and (c, d, g, h).
#[derive(Clone, Copy)]
pub struct Pairs([[__m128i; 2]; LANES]);

// SAFETY of all blocks below: such a value exists, so the CPU has SHA, SSSE3 and SSE4.1; loads and stores stay within
// what is borrowed.
#[allow(clippy::undocumented_unsafe_blocks)]
impl States for Pairs {
    const STRAGGLERS: usize = 0;

    #[inline(always)]
    unsafe fn start(state: &State) -> Self {
        Self([unsafe { loaded(state) }; LANES])
    }

    #[inline(always)]
    fn absorb(&mut self, blocks: &[&[u8; BLOCK]; LANES], active: usize) {
        let bystander = self.0.get(active).copied(); // if the last one has no partner
        let pairs = self.0.as_chunks_mut().0.iter_mut().zip(blocks.as_chunks::<2>().0);
        for (states, blocks) in pairs.take(active.div_ceil(2)) {
            unsafe { compress(states, blocks.map(|block| load(block))) };
        }
        self.0[active..].iter_mut().zip(bystander).for_each(|(state, before)| *state = before);
    }

    #[inline(always)]
    fn hash_again(&mut self, outer: &State) {
        unsafe {
            let padding = [0, 4].map(|first| _mm_loadu_si128(DIGEST_PADDING.as_ptr().add(first).cast()));
            let outer = loaded(outer);
            for states in self.0.as_chunks_mut().0 {
                let words = states.map(|state| {
                    let [first, second] = in_order(state);
                    [first, second, padding[0], padding[1]]
                });
                *states = [outer; 2];
                compress(states, words);
            }
        }
    }

    #[inline(always)]
    fn digests(&self) -> [[u8; DIGEST]; LANES] {
        // Both are 32 bytes.
        self.0.map(|state| unsafe { std::mem::transmute(in_order(state).map(|words| big_endian(words))) })
    }
}

/// A chaining value.
#[inline]
#[target_feature(enable = "ssse3,sse4.1")]
fn loaded(state: &State) -> [__m128i; 2] {
    // SAFETY: a chaining value has twice 16 bytes.
    unsafe {
        let abcd = _mm_shuffle_epi32::<0xb1>(_mm_loadu_si128(state.as_ptr().cast()));
        let efgh = _mm_shuffle_epi32::<0x1b>(_mm_loadu_si128(state.as_ptr().add(4).cast()));
        [_mm_alignr_epi8::<8>(abcd, efgh), _mm_blend_epi16::<0xf0>(efgh, abcd)]
    }
}

/// The words (a, b, c, d) and (e, f, g, h).
#[inline]
#[target_feature(enable = "ssse3,sse4.1")]
fn in_order([abef, cdgh]: [__m128i; 2]) -> [__m128i; 2] {
    let (low, high) = (_mm_shuffle_epi32::<0x1b>(abef), _mm_shuffle_epi32::<0xb1>(cdgh));
    [_mm_blend_epi16::<0xf0>(low, high), _mm_alignr_epi8::<8>(high, low)]
}

/// Turn the bytes of each word around.
#[inline]
#[target_feature(enable = "ssse3")]
fn big_endian(words: __m128i) -> __m128i {
    _mm_shuffle_epi8(words, _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3))
}

/// Section 6.2.2, four rounds at a time.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress(states: &mut [[__m128i; 2]; 2], mut words: [[__m128i; 4]; 2]) {
    let before = *states;
    // Written out, so that the words stay in registers.
    macro_rules! four_rounds {
        ($part:literal, $step:literal) => {
            // SAFETY: these are four words of 64.
            let constants = unsafe { _mm_loadu_si128(K.as_ptr().add(16 * $part + 4 * $step).cast()) };
            for ([abef, cdgh], w) in states.iter_mut().zip(&mut words) {
                let first = _mm_add_epi32(w[$step], constants);
                *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, first);
                *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(first));
                if $part < 3 {
                    let [w1, w2, w3] = [w[($step + 1) % 4], w[($step + 2) % 4], w[($step + 3) % 4]];
                    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[$step], w1), _mm_alignr_epi8::<4>(w3, w2));
                    w[$step] = _mm_sha256msg2_epu32(sum, w3);
                }
            }
        };
        ($part:literal) => {
            four_rounds!($part, 0);
            four_rounds!($part, 1);
            four_rounds!($part, 2);
            four_rounds!($part, 3);
        };
    }
    four_rounds!(0);
    four_rounds!(1);
    four_rounds!(2);
    four_rounds!(3);
    for (state, old) in states.as_flattened_mut().iter_mut().zip(before.as_flattened()) {
        *state = _mm_add_epi32(*state, *old);
    }
}

/// The sixteen words of a block.
#[inline]
#[target_feature(enable = "ssse3")]
fn load(block: &[u8; BLOCK]) -> [__m128i; 4] {
    // SAFETY: a block has four times 16 bytes.
    [0, 16, 32, 48].map(|first| big_endian(unsafe { _mm_loadu_si128(block.as_ptr().add(first).cast()) }))
}
