//! Two messages through the SHA instructions, so that one computes while the other waits.

use std::arch::x86_64::*;
use std::array::from_fn;

use super::{BLOCK, K, Row, State, States};

/// Two chaining values, each as the words (a, b, e, f) and (c, d, g, h).
#[derive(Clone, Copy)]
pub struct Pair([[__m128i; 2]; 2]);

// SAFETY of all blocks below: a `Pair` exists, so the CPU has SHA, SSSE3 and SSE4.1; loads and stores stay within what
// is borrowed.
#[allow(clippy::undocumented_unsafe_blocks)]
impl States for Pair {
    const COUNT: usize = 2;

    #[inline(always)]
    unsafe fn start(state: &State) -> Self {
        unsafe {
            let abcd = _mm_shuffle_epi32::<0xb1>(_mm_loadu_si128(state.as_ptr().cast()));
            let efgh = _mm_shuffle_epi32::<0x1b>(_mm_loadu_si128(state.as_ptr().add(4).cast()));
            Self([[_mm_alignr_epi8::<8>(abcd, efgh), _mm_blend_epi16::<0xf0>(efgh, abcd)]; 2])
        }
    }

    #[inline(always)]
    fn absorb(&mut self, blocks: &[&[u8; BLOCK]; 16]) {
        unsafe { self.compress([load(blocks[0]), load(blocks[1])]) };
    }

    #[inline(always)]
    fn absorb_words(&mut self, rows: &[Row; 16]) {
        unsafe { self.compress([column(rows, 0), column(rows, 1)]) };
    }

    #[inline(always)]
    fn rows(&self) -> [Row; 8] {
        let mut rows = [Row::default(); 8];
        for (message, [abef, cdgh]) in self.0.iter().enumerate() {
            let mut state: State = [0; 8];
            unsafe {
                let (low, high) = (_mm_shuffle_epi32::<0x1b>(*abef), _mm_shuffle_epi32::<0xb1>(*cdgh));
                _mm_storeu_si128(state.as_mut_ptr().cast(), _mm_blend_epi16::<0xf0>(low, high));
                _mm_storeu_si128(state.as_mut_ptr().add(4).cast(), _mm_alignr_epi8::<8>(high, low));
            }
            rows.iter_mut().zip(state).for_each(|(row, word)| row.0[message] = word);
        }
        rows
    }
}

impl Pair {
    /// Section 6.2.2, four rounds at a time.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn compress(&mut self, mut words: [[__m128i; 4]; 2]) {
        let before = self.0;
        for constants in K.as_chunks::<16>().0 {
            // Written out, so that the words stay in registers.
            macro_rules! four_rounds {
                ($step:literal) => {
                    // SAFETY: these are four words of sixteen.
                    let constants = unsafe { _mm_loadu_si128(constants.as_ptr().add(4 * $step).cast()) };
                    for ([abef, cdgh], w) in self.0.iter_mut().zip(&mut words) {
                        let first = _mm_add_epi32(w[$step], constants);
                        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, first);
                        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(first));
                        let [w1, w2, w3] = [w[($step + 1) % 4], w[($step + 2) % 4], w[($step + 3) % 4]];
                        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[$step], w1), _mm_alignr_epi8::<4>(w3, w2));
                        w[$step] = _mm_sha256msg2_epu32(sum, w3);
                    }
                };
            }
            four_rounds!(0);
            four_rounds!(1);
            four_rounds!(2);
            four_rounds!(3);
        }
        for (state, old) in self.0.as_flattened_mut().iter_mut().zip(before.as_flattened()) {
            *state = _mm_add_epi32(*state, *old);
        }
    }
}

/// The sixteen big-endian words of a block.
#[inline]
#[target_feature(enable = "ssse3")]
fn load(block: &[u8; BLOCK]) -> [__m128i; 4] {
    let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    let mut words = [order; 4];
    for (word, part) in words.iter_mut().zip(block.as_chunks::<16>().0) {
        // SAFETY: `part` has 16 bytes.
        *word = _mm_shuffle_epi8(unsafe { _mm_loadu_si128(part.as_ptr().cast()) }, order);
    }
    words
}

/// The sixteen words of one message.
#[inline(always)]
fn column(rows: &[Row; 16], message: usize) -> [__m128i; 4] {
    let words: [u32; 16] = from_fn(|index| rows[index].0[message]);
    // SAFETY: both are 64 bytes, which mean the same.
    unsafe { std::mem::transmute(words) }
}
