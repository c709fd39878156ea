//! Sixteen messages in registers of 512 bits, with rotation and any function of three bits as one instruction each.

use std::arch::x86_64::*;

use super::{BLOCK, K, Row, State, States};

const XOR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

/// Sixteen chaining values, word by word.
#[derive(Clone, Copy)]
pub struct Sixteen([__m512i; 8]);

// SAFETY of all blocks below: a `Sixteen` exists, or its maker promises, so the CPU has AVX-512F and AVX-512BW.
#[allow(clippy::undocumented_unsafe_blocks)]
impl States for Sixteen {
    const COUNT: usize = 16;

    #[inline(always)]
    unsafe fn start(state: &State) -> Self {
        Self(unsafe { same(state) })
    }

    #[inline(always)]
    fn absorb(&mut self, blocks: &[&[u8; BLOCK]; 16]) {
        unsafe { compress(&mut self.0, columns(blocks)) };
    }

    #[inline(always)]
    fn absorb_words(&mut self, rows: &[Row; 16]) {
        // Both are sixteen times sixteen words.
        unsafe { compress(&mut self.0, std::mem::transmute::<[Row; 16], [__m512i; 16]>(*rows)) };
    }

    #[inline(always)]
    fn rows(&self) -> [Row; 8] {
        // Both are eight times sixteen words.
        unsafe { std::mem::transmute::<[__m512i; 8], [Row; 8]>(self.0) }
    }
}

/// Each word in all lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn same(state: &State) -> [__m512i; 8] {
    let mut vectors = [_mm512_setzero_si512(); 8];
    for (vector, &word) in vectors.iter_mut().zip(state) {
        *vector = _mm512_set1_epi32(word as i32);
    }
    vectors
}

/// Section 6.2.2, in every lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn compress(state: &mut [__m512i; 8], mut w: [__m512i; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (part, constants) in K.as_chunks::<16>().0.iter().enumerate() {
        // Written out, so that the words stay in registers.
        macro_rules! round {
            ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $i:literal) => {
                if part > 0 {
                    w[$i] = next_word(w[$i], w[($i + 1) % 16], w[($i + 9) % 16], w[($i + 14) % 16]);
                }
                let word = _mm512_add_epi32(w[$i], _mm512_set1_epi32(constants[$i] as i32));
                let first = _mm512_add_epi32(_mm512_add_epi32($h, word), rotations::<6, 11, 25>($e));
                let first = _mm512_add_epi32(first, _mm512_ternarylogic_epi32::<CHOOSE>($e, $f, $g));
                let majority = _mm512_ternarylogic_epi32::<MAJORITY>($a, $b, $c);
                $d = _mm512_add_epi32($d, first);
                $h = _mm512_add_epi32(first, _mm512_add_epi32(rotations::<2, 13, 22>($a), majority));
            };
        }
        round!(a b c d e f g h 0);
        round!(h a b c d e f g 1);
        round!(g h a b c d e f 2);
        round!(f g h a b c d e 3);
        round!(e f g h a b c d 4);
        round!(d e f g h a b c 5);
        round!(c d e f g h a b 6);
        round!(b c d e f g h a 7);
        round!(a b c d e f g h 8);
        round!(h a b c d e f g 9);
        round!(g h a b c d e f 10);
        round!(f g h a b c d e 11);
        round!(e f g h a b c d 12);
        round!(d e f g h a b c 13);
        round!(c d e f g h a b 14);
        round!(b c d e f g h a 15);
    }
    for (vector, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *vector = _mm512_add_epi32(*vector, new);
    }
}

/// The word, rotated right by three distances, exclusively or-ed.
#[inline]
#[target_feature(enable = "avx512f")]
fn rotations<const FIRST: i32, const SECOND: i32, const THIRD: i32>(word: __m512i) -> __m512i {
    let (first, second) = (_mm512_ror_epi32::<FIRST>(word), _mm512_ror_epi32::<SECOND>(word));
    _mm512_ternarylogic_epi32::<XOR>(first, second, _mm512_ror_epi32::<THIRD>(word))
}

/// The next word of the message schedule from those 16, 15, 7 and 2 rounds before.
#[inline]
#[target_feature(enable = "avx512f")]
fn next_word(w16: __m512i, w15: __m512i, w7: __m512i, w2: __m512i) -> __m512i {
    let (first, second) = (_mm512_ror_epi32::<7>(w15), _mm512_ror_epi32::<18>(w15));
    let near = _mm512_ternarylogic_epi32::<XOR>(first, second, _mm512_srli_epi32::<3>(w15));
    let (first, second) = (_mm512_ror_epi32::<17>(w2), _mm512_ror_epi32::<19>(w2));
    let far = _mm512_ternarylogic_epi32::<XOR>(first, second, _mm512_srli_epi32::<10>(w2));
    _mm512_add_epi32(_mm512_add_epi32(w16, near), _mm512_add_epi32(w7, far))
}

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
fn columns(blocks: &[&[u8; BLOCK]; 16]) -> [__m512i; 16] {
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
    let mut words = quarters;
    for index in 0..4 {
        let [a, b, c, d] = [quarters[index], quarters[index + 4], quarters[index + 8], quarters[index + 12]];
        let (ab, cd) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0x44>(c, d));
        words[index] = _mm512_shuffle_i32x4::<0x88>(ab, cd);
        words[index + 4] = _mm512_shuffle_i32x4::<0xdd>(ab, cd);
        let (ab, cd) = (_mm512_shuffle_i32x4::<0xee>(a, b), _mm512_shuffle_i32x4::<0xee>(c, d));
        words[index + 8] = _mm512_shuffle_i32x4::<0x88>(ab, cd);
        words[index + 12] = _mm512_shuffle_i32x4::<0xdd>(ab, cd);
    }
    words
}
