//! Eight messages in registers of 256 bits.

use std::arch::x86_64::*;

use super::lanes::Lanes;
use super::{BLOCK, Row};

/// One word of eight messages.
#[derive(Clone, Copy)]
pub struct Eight(__m256i);

/// Each word from big-endian.
#[inline(always)]
unsafe fn swapped(bytes: __m256i) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(order))
    }
}

/// Turn eight rows of eight words into eight columns.
#[inline(always)]
unsafe fn transpose(r: [__m256i; 8]) -> [__m256i; 8] {
    // SAFETY: the caller has AVX2.
    unsafe {
        let pairs = |low: __m256i, high: __m256i| (_mm256_unpacklo_epi32(low, high), _mm256_unpackhi_epi32(low, high));
        let quads = |low: __m256i, high: __m256i| (_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
        let halves = |low: __m256i, high: __m256i| {
            (_mm256_permute2x128_si256::<0x20>(low, high), _mm256_permute2x128_si256::<0x31>(low, high))
        };
        let [(a0, a1), (b0, b1), (c0, c1), (d0, d1)] =
            [pairs(r[0], r[1]), pairs(r[2], r[3]), pairs(r[4], r[5]), pairs(r[6], r[7])];
        let [(e0, e1), (e2, e3), (f0, f1), (f2, f3)] = [quads(a0, b0), quads(a1, b1), quads(c0, d0), quads(c1, d1)];
        let [(w0, w4), (w1, w5), (w2, w6), (w3, w7)] = [halves(e0, f0), halves(e1, f1), halves(e2, f2), halves(e3, f3)];
        [w0, w1, w2, w3, w4, w5, w6, w7]
    }
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
    fn from_row(self, row: &Row) -> Self {
        Self(unsafe { _mm256_loadu_si256(row.0.as_ptr().cast()) })
    }

    #[inline(always)]
    fn to_row(self) -> Row {
        let mut row = Row::default();
        unsafe { _mm256_storeu_si256(row.0.as_mut_ptr().cast(), self.0) };
        row
    }

    #[inline(always)]
    fn transposed(self, blocks: &[&[u8; BLOCK]; 16]) -> [Self; 16] {
        let half = |start: usize| unsafe {
            let load = |lane: usize| swapped(_mm256_loadu_si256(blocks[lane].as_ptr().add(start).cast()));
            transpose([load(0), load(1), load(2), load(3), load(4), load(5), load(6), load(7)])
        };
        let (low, high) = (half(0), half(32));
        std::array::from_fn(|word| Self(if word < 8 { low[word] } else { high[word - 8] }))
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
