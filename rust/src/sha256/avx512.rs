//! Sixteen messages in registers of 512 bits, with rotation and any function of three bits as one instruction each.

use std::arch::x86_64::*;

use super::{BLOCK, DIGEST, DIGEST_PADDING, K, LANES, State, States};

const XOR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

/// Sixteen chaining values, word by word.
#[derive(Clone, Copy)]
pub struct Sixteen([__m512i; 8]);

// SAFETY of all blocks below: a `Sixteen` exists, or its maker promises, so the CPU has AVX-512F and AVX-512BW.
#[allow(clippy::undocumented_unsafe_blocks)]
impl States for Sixteen {
    const STRAGGLERS: usize = 2;

    #[inline(always)]
    unsafe fn start(state: &State) -> Self {
        Self(unsafe { same(state) })
    }

    #[inline(always)]
    fn absorb(&mut self, blocks: &[&[u8; BLOCK]; LANES], active: usize) {
        unsafe { compress(&mut self.0, columns(blocks), ((1u32 << active) - 1) as u16) };
    }

    #[inline(always)]
    fn hash_again(&mut self, outer: &State) {
        unsafe {
            let mut words = [_mm512_setzero_si512(); 16];
            words[..8].copy_from_slice(&self.0);
            words[8..].copy_from_slice(&same(&DIGEST_PADDING));
            self.0 = same(outer);
            compress(&mut self.0, words, u16::MAX);
        }
    }

    #[inline(always)]
    fn digests(&self) -> [[u8; DIGEST]; LANES] {
        unsafe { rows(&self.0) }
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

/// Section 6.2.2, in every lane; lanes outside of `active` stay as they are.
#[inline]
#[target_feature(enable = "avx512f")]
#[allow(unused_assignments, reason = "the last sixteen rounds assign no words")]
fn compress(state: &mut [__m512i; 8], mut w: [__m512i; 16], active: u16) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    let ([first, second, third, last], []) = K.as_chunks::<16>() else { unreachable!() };
    let mut constants;
    // Written out, so that the words stay in registers. A word of the schedule is made as soon as its place is free.
    macro_rules! round {
        ($more:literal, $i:literal, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
            let word = _mm512_add_epi32(w[$i], _mm512_set1_epi32(constants[$i] as i32));
            if $more {
                w[$i] = next_word(w[$i], w[($i + 1) % 16], w[($i + 9) % 16], w[($i + 14) % 16]);
            }
            let choice = _mm512_ternarylogic_epi32::<CHOOSE>($e, $f, $g);
            let first = _mm512_add_epi32(_mm512_add_epi32($h, word), choice);
            let first = _mm512_add_epi32(first, rotations::<6, 11, 25>($e));
            let majority = _mm512_ternarylogic_epi32::<MAJORITY>($a, $b, $c);
            $d = _mm512_add_epi32($d, first);
            $h = _mm512_add_epi32(first, _mm512_add_epi32(rotations::<2, 13, 22>($a), majority));
        };
    }
    macro_rules! sixteen_rounds {
        ($more:literal) => {
                round!($more, 0, a b c d e f g h);
                round!($more, 1, h a b c d e f g);
                round!($more, 2, g h a b c d e f);
                round!($more, 3, f g h a b c d e);
                round!($more, 4, e f g h a b c d);
                round!($more, 5, d e f g h a b c);
                round!($more, 6, c d e f g h a b);
                round!($more, 7, b c d e f g h a);
                round!($more, 8, a b c d e f g h);
                round!($more, 9, h a b c d e f g);
                round!($more, 10, g h a b c d e f);
                round!($more, 11, f g h a b c d e);
                round!($more, 12, e f g h a b c d);
                round!($more, 13, d e f g h a b c);
                round!($more, 14, c d e f g h a b);
                round!($more, 15, b c d e f g h a);
        };
    }
    for sixteen in [first, second, third] {
        constants = sixteen;
        sixteen_rounds!(true);
    }
    constants = last;
    sixteen_rounds!(false);
    for (vector, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *vector = _mm512_mask_add_epi32(*vector, active, *vector, new);
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

/// Turn the bytes of each word around.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn big_endian(words: __m512i) -> __m512i {
    let order = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    _mm512_shuffle_epi8(words, order)
}

/// The sixteen words of sixteen blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn columns(blocks: &[&[u8; BLOCK]; LANES]) -> [__m512i; 16] {
    // SAFETY: a block has 64 bytes.
    let load = |block: &[u8; BLOCK]| big_endian(unsafe { _mm512_loadu_si512(block.as_ptr().cast()) });
    // Of every four blocks, the four words that share 128 bits become four vectors; then the parts of 128 bits change
    // places in the same way.
    let mut quarters = [_mm512_setzero_si512(); 16];
    for (quarters, blocks) in quarters.as_chunks_mut().0.iter_mut().zip(blocks.as_chunks::<4>().0) {
        *quarters = turn(blocks.map(load));
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

/// The bytes of sixteen chaining values.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn rows(state: &[__m512i; 8]) -> [[u8; DIGEST]; LANES] {
    let mut digests = [[0; DIGEST]; LANES];
    let [a, b, c, d, e, f, g, h] = state.map(|words| big_endian(words));
    for (lane, (first, last)) in turn([a, b, c, d]).into_iter().zip(turn([e, f, g, h])).enumerate() {
        // Each has four words of the lanes `lane`, `lane + 4`, `lane + 8` and `lane + 12`.
        let low = _mm512_permutex2var_epi64(first, _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), last);
        let high = _mm512_permutex2var_epi64(first, _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4), last);
        let halves = [low, high].map(|pair| [_mm512_castsi512_si256(pair), _mm512_extracti64x4_epi64::<1>(pair)]);
        for (digest, half) in digests[lane..].iter_mut().step_by(4).zip(halves.as_flattened()) {
            // SAFETY: a digest has 32 bytes.
            unsafe { _mm256_storeu_si256(digest.as_mut_ptr().cast(), *half) };
        }
    }
    digests
}

/// Transpose the four times four words in each 128 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn turn([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
    let (last_ab, last_cd) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab, cd),
        _mm512_unpackhi_epi64(ab, cd),
        _mm512_unpacklo_epi64(last_ab, last_cd),
        _mm512_unpackhi_epi64(last_ab, last_cd),
    ]
}
