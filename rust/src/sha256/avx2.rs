//! Eight messages in registers of 256 bits.

use std::arch::x86_64::*;

use super::lanes::Lanes;
use super::{BLOCK, Row};

/// One word of eight messages.
#[derive(Clone, Copy)]
pub struct Eight(__m256i);

/// The eight big-endian words of a block from byte `start` on.
#[inline]
#[target_feature(enable = "avx2")]
fn load(block: &[u8; BLOCK], start: usize) -> __m256i {
    let half: &[u8; 32] = block[start..].first_chunk().expect("the first or second half of a block");
    let order = _mm256_broadcastsi128_si256(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    // SAFETY: `half` has 32 bytes.
    _mm256_shuffle_epi8(unsafe { _mm256_loadu_si256(half.as_ptr().cast()) }, order)
}

/// Eight words of eight blocks, from byte `start` on.
#[inline]
#[target_feature(enable = "avx2")]
fn columns(blocks: &[&[u8; BLOCK]; 16], start: usize) -> [Eight; 8] {
    let mut rows = [_mm256_setzero_si256(); 8];
    for (row, block) in rows.iter_mut().zip(blocks) {
        *row = load(block, start);
    }
    let mut quarters = [_mm256_setzero_si256(); 8];
    for group in 0..2 {
        let [a, b, c, d] = [rows[4 * group], rows[4 * group + 1], rows[4 * group + 2], rows[4 * group + 3]];
        let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
        quarters[4 * group] = _mm256_unpacklo_epi64(ab, cd);
        quarters[4 * group + 1] = _mm256_unpackhi_epi64(ab, cd);
        let (ab, cd) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
        quarters[4 * group + 2] = _mm256_unpacklo_epi64(ab, cd);
        quarters[4 * group + 3] = _mm256_unpackhi_epi64(ab, cd);
    }
    let mut words = [Eight(rows[0]); 8];
    for index in 0..4 {
        let (low, high) = (quarters[index], quarters[index + 4]);
        words[index].0 = _mm256_permute2x128_si256::<0x20>(low, high);
        words[index + 4].0 = _mm256_permute2x128_si256::<0x31>(low, high);
    }
    words
}

// SAFETY of all blocks below: an `Eight` exists, so the CPU has AVX2; loads and stores stay within what is borrowed.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Lanes for Eight {
    const COUNT: usize = 8;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        Self(unsafe { _mm256_set1_epi32(word as i32) })
    }

    #[inline(always)]
    fn with_row(self, row: &Row) -> Self {
        Self(unsafe { _mm256_load_si256(row.0.as_ptr().cast()) })
    }

    #[inline(always)]
    fn write_row(self, row: &mut Row) {
        unsafe { _mm256_store_si256(row.0.as_mut_ptr().cast(), self.0) };
    }

    #[inline(always)]
    fn transposed(self, blocks: &[&[u8; BLOCK]; 16]) -> [Self; 16] {
        let mut words = [self; 16];
        words[..8].copy_from_slice(&unsafe { columns(blocks, 0) });
        words[8..].copy_from_slice(&unsafe { columns(blocks, 32) });
        words
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { _mm256_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        Self(unsafe { _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(self.0), _mm256_slli_epi32::<LEFT>(self.0)) })
    }

    #[inline(always)]
    fn shift<const RIGHT: i32>(self) -> Self {
        Self(unsafe { _mm256_srli_epi32::<RIGHT>(self.0) })
    }

    #[inline(always)]
    fn xor3(self, second: Self, third: Self) -> Self {
        Self(unsafe { _mm256_xor_si256(_mm256_xor_si256(self.0, second.0), third.0) })
    }

    #[inline(always)]
    fn choose(self, first: Self, second: Self) -> Self {
        let differ = unsafe { _mm256_xor_si256(first.0, second.0) };
        Self(unsafe { _mm256_xor_si256(second.0, _mm256_and_si256(self.0, differ)) })
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        let either = unsafe { _mm256_and_si256(third.0, _mm256_or_si256(self.0, second.0)) };
        Self(unsafe { _mm256_or_si256(_mm256_and_si256(self.0, second.0), either) })
    }
}
