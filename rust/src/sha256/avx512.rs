//! Sixteen messages in registers of 512 bits, with rotation and any function of three bits as one instruction each.

use std::arch::x86_64::*;

use super::lanes::Lanes;
use super::{BLOCK, Row};

/// One word of sixteen messages.
#[derive(Clone, Copy)]
pub struct Sixteen(__m512i);

const XOR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

/// The sixteen big-endian words of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(block: &[u8; BLOCK]) -> __m512i {
    let order = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    // SAFETY: a block has 64 bytes.
    _mm512_shuffle_epi8(unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }, order)
}

/// The sixteen words of sixteen blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn columns(blocks: &[&[u8; BLOCK]; 16]) -> [Sixteen; 16] {
    // Of every four blocks, the four words that share 128 bits become four vectors; then the parts of 128 bits change
    // places in the same way.
    let mut quarters = [_mm512_setzero_si512(); 16];
    for group in (0..16).step_by(4) {
        let (a, b) = (load(blocks[group]), load(blocks[group + 1]));
        let (c, d) = (load(blocks[group + 2]), load(blocks[group + 3]));
        let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
        quarters[group] = _mm512_unpacklo_epi64(ab, cd);
        quarters[group + 1] = _mm512_unpackhi_epi64(ab, cd);
        let (ab, cd) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
        quarters[group + 2] = _mm512_unpacklo_epi64(ab, cd);
        quarters[group + 3] = _mm512_unpackhi_epi64(ab, cd);
    }
    let mut words = [Sixteen(quarters[0]); 16];
    for index in 0..4 {
        let [a, b, c, d] = [quarters[index], quarters[index + 4], quarters[index + 8], quarters[index + 12]];
        let (ab, cd) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0x44>(c, d));
        words[index].0 = _mm512_shuffle_i32x4::<0x88>(ab, cd);
        words[index + 4].0 = _mm512_shuffle_i32x4::<0xdd>(ab, cd);
        let (ab, cd) = (_mm512_shuffle_i32x4::<0xee>(a, b), _mm512_shuffle_i32x4::<0xee>(c, d));
        words[index + 8].0 = _mm512_shuffle_i32x4::<0x88>(ab, cd);
        words[index + 12].0 = _mm512_shuffle_i32x4::<0xdd>(ab, cd);
    }
    words
}

// SAFETY of all blocks below: a `Sixteen` exists, so the CPU has AVX-512F and AVX-512BW; loads and stores stay within
// what is borrowed.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Lanes for Sixteen {
    const COUNT: usize = 16;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        Self(unsafe { _mm512_set1_epi32(word as i32) })
    }

    #[inline(always)]
    fn with_row(self, row: &Row) -> Self {
        Self(unsafe { _mm512_load_si512(row.0.as_ptr().cast()) })
    }

    #[inline(always)]
    fn write_row(self, row: &mut Row) {
        unsafe { _mm512_store_si512(row.0.as_mut_ptr().cast(), self.0) };
    }

    #[inline(always)]
    fn transposed(self, blocks: &[&[u8; BLOCK]; 16]) -> [Self; 16] {
        unsafe { columns(blocks) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        Self(unsafe { _mm512_ror_epi32::<RIGHT>(self.0) })
    }

    #[inline(always)]
    fn shift<const RIGHT: i32>(self) -> Self {
        Self(unsafe { _mm512_srl_epi32(self.0, _mm_cvtsi32_si128(RIGHT)) })
    }

    #[inline(always)]
    fn xor3(self, second: Self, third: Self) -> Self {
        Self(unsafe { _mm512_ternarylogic_epi32::<XOR>(self.0, second.0, third.0) })
    }

    #[inline(always)]
    fn choose(self, first: Self, second: Self) -> Self {
        Self(unsafe { _mm512_ternarylogic_epi32::<CHOOSE>(self.0, first.0, second.0) })
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        Self(unsafe { _mm512_ternarylogic_epi32::<MAJORITY>(self.0, second.0, third.0) })
    }
}
