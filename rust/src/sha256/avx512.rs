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

/// Each word from big-endian.
#[inline(always)]
unsafe fn swapped(bytes: __m512i) -> __m512i {
    // SAFETY: the caller has AVX-512F and AVX-512BW.
    unsafe {
        let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(order))
    }
}

/// Four rows of words to the four columns that they make within every 128 bits.
#[inline(always)]
unsafe fn transpose_quarters(r: [__m512i; 4]) -> [__m512i; 4] {
    // SAFETY: the caller has AVX-512F.
    unsafe {
        let (a, b) = (_mm512_unpacklo_epi32(r[0], r[1]), _mm512_unpackhi_epi32(r[0], r[1]));
        let (c, d) = (_mm512_unpacklo_epi32(r[2], r[3]), _mm512_unpackhi_epi32(r[2], r[3]));
        [
            _mm512_unpacklo_epi64(a, c),
            _mm512_unpackhi_epi64(a, c),
            _mm512_unpacklo_epi64(b, d),
            _mm512_unpackhi_epi64(b, d),
        ]
    }
}

/// Four vectors of four quarters to the vectors of their first, second, third and fourth quarters.
#[inline(always)]
unsafe fn transpose_wholes(r: [__m512i; 4]) -> [__m512i; 4] {
    // SAFETY: the caller has AVX-512F.
    unsafe {
        let (a, b) = (_mm512_shuffle_i32x4::<0x44>(r[0], r[1]), _mm512_shuffle_i32x4::<0xee>(r[0], r[1]));
        let (c, d) = (_mm512_shuffle_i32x4::<0x44>(r[2], r[3]), _mm512_shuffle_i32x4::<0xee>(r[2], r[3]));
        [
            _mm512_shuffle_i32x4::<0x88>(a, c),
            _mm512_shuffle_i32x4::<0xdd>(a, c),
            _mm512_shuffle_i32x4::<0x88>(b, d),
            _mm512_shuffle_i32x4::<0xdd>(b, d),
        ]
    }
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
    fn from_row(self, row: &Row) -> Self {
        Self(unsafe { _mm512_loadu_si512(row.0.as_ptr().cast()) })
    }

    #[inline(always)]
    fn to_row(self) -> Row {
        let mut row = Row::default();
        unsafe { _mm512_storeu_si512(row.0.as_mut_ptr().cast(), self.0) };
        row
    }

    #[inline(always)]
    fn transposed(self, blocks: &[&[u8; BLOCK]; 16]) -> [Self; 16] {
        unsafe {
            let load = |lane: usize| swapped(_mm512_loadu_si512(blocks[lane].as_ptr().cast()));
            let four = |lane: usize| transpose_quarters([load(lane), load(lane + 1), load(lane + 2), load(lane + 3)]);
            let (a, b, c, d) = (four(0), four(4), four(8), four(12));
            let columns: [[__m512i; 4]; 4] = std::array::from_fn(|i| transpose_wholes([a[i], b[i], c[i], d[i]]));
            std::array::from_fn(|word| Self(columns[word % 4][word / 4]))
        }
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
