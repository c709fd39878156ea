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
        let words = |message: usize| {
            from_fn(|part| unsafe {
                let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
                _mm_shuffle_epi8(_mm_loadu_si128(blocks[message].as_ptr().add(16 * part).cast()), order)
            })
        };
        unsafe { self.compress([words(0), words(1)]) };
    }

    #[inline(always)]
    fn absorb_words(&mut self, words: &[Row; 16]) {
        let column = |message: usize| {
            from_fn(|part| {
                let four: [u32; 4] = from_fn(|index| words[4 * part + index].0[message]);
                unsafe { _mm_loadu_si128(four.as_ptr().cast()) }
            })
        };
        unsafe { self.compress([column(0), column(1)]) };
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
    #[inline(always)]
    unsafe fn compress(&mut self, mut w: [[__m128i; 4]; 2]) {
        let before = self.0;
        // SAFETY: a `Pair` exists, so the CPU has SHA, SSSE3 and SSE4.1; K has 64 words.
        unsafe {
            for step in 0..16 {
                let constants = _mm_loadu_si128(K.as_ptr().add(4 * step).cast());
                for (message, [abef, cdgh]) in self.0.iter_mut().enumerate() {
                    let w = &mut w[message];
                    let first = _mm_add_epi32(w[step % 4], constants);
                    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, first);
                    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(first));
                    if step < 12 {
                        let [w0, w1, w2, w3] = from_fn(|index| w[(step + index) % 4]);
                        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
                        w[step % 4] = _mm_sha256msg2_epu32(sum, w3);
                    }
                }
            }
            for ([abef, cdgh], [old_abef, old_cdgh]) in self.0.iter_mut().zip(before) {
                *abef = _mm_add_epi32(*abef, old_abef);
                *cdgh = _mm_add_epi32(*cdgh, old_cdgh);
            }
        }
    }
}
