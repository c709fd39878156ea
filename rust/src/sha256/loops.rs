//! Sixteen messages in plain Rust: loops that the compiler turns into the vectors of AVX2, or into those that the
//! architecture always has (SSE2, NEON).

use super::{BLOCK, DIGEST, DIGEST_PADDING, K, LANES, State, States};

/// One word of each message.
type Words<const COUNT: usize> = [u32; COUNT];

/// Chaining values, word by word; whether for AVX2.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Loops<const COUNT: usize, const AVX2: bool>([Words<COUNT>; 8]);

impl<const COUNT: usize, const AVX2: bool> Loops<COUNT, AVX2> {
    #[inline(always)]
    fn take(&mut self, words: &mut [Words<COUNT>; 16]) {
        #[cfg(target_arch = "x86_64")]
        if AVX2 {
            // SAFETY: such a value exists, so the CPU has AVX2.
            return unsafe { compress_avx2(&mut self.0, words) };
        }
        compress_portable(&mut self.0, words);
    }
}

impl<const COUNT: usize, const AVX2: bool> States for Loops<COUNT, AVX2> {
    const STRAGGLERS: usize = 2;

    #[inline(always)]
    unsafe fn start(state: &State) -> Self {
        Self(state.map(|word| [word; COUNT]))
    }

    #[inline(always)]
    fn absorb(&mut self, blocks: &[&[u8; BLOCK]; LANES], active: usize) {
        let mut words = [[0; COUNT]; 16];
        for (lane, block) in blocks[..COUNT].iter().enumerate() {
            for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
                word[lane] = u32::from_be_bytes(*bytes);
            }
        }
        let before = self.0;
        self.take(&mut words);
        if active < COUNT {
            self.0.iter_mut().zip(before).for_each(|(word, old)| word[active..].copy_from_slice(&old[active..]));
        }
    }

    #[inline(always)]
    fn hash_again(&mut self, outer: &State) {
        let mut words = [[0; COUNT]; 16];
        words[..8].copy_from_slice(&self.0);
        words[8..].copy_from_slice(&DIGEST_PADDING.map(|word| [word; COUNT]));
        self.0 = outer.map(|word| [word; COUNT]);
        self.take(&mut words);
    }

    #[inline(always)]
    fn digests(&self) -> [[u8; DIGEST]; LANES] {
        let mut digests = [[0; DIGEST]; LANES];
        for (place, words) in self.0.iter().enumerate() {
            for (digest, word) in digests.iter_mut().zip(words) {
                digest.as_chunks_mut().0[place] = word.to_be_bytes();
            }
        }
        digests
    }
}

// Functions of their own: the compiler makes less of the loops inside larger ones.

#[inline(never)]
fn compress_portable<const COUNT: usize>(state: &mut [Words<COUNT>; 8], w: &mut [Words<COUNT>; 16]) {
    compress(state, w);
}

#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2")]
fn compress_avx2<const COUNT: usize>(state: &mut [Words<COUNT>; 8], w: &mut [Words<COUNT>; 16]) {
    compress(state, w);
}

/// Section 6.2.2, in every lane.
#[inline(always)]
fn compress<const COUNT: usize>(state: &mut [Words<COUNT>; 8], w: &mut [Words<COUNT>; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (part, constants) in K.as_chunks::<16>().0.iter().enumerate() {
        if part > 0 {
            schedule(w);
        }
        // Written out, so that no word changes its place.
        macro_rules! round {
            ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $i:literal) => {
                for lane in 0..COUNT {
                    let (x, y) = ($e[lane], $a[lane]);
                    let sum = x.rotate_right(6) ^ x.rotate_right(11) ^ x.rotate_right(25);
                    let choice = $g[lane] ^ (x & ($f[lane] ^ $g[lane]));
                    let first = $h[lane].wrapping_add(w[$i][lane]).wrapping_add(constants[$i]);
                    let first = first.wrapping_add(sum).wrapping_add(choice);
                    let sum = y.rotate_right(2) ^ y.rotate_right(13) ^ y.rotate_right(22);
                    let majority = (y & $b[lane]) | ($c[lane] & (y | $b[lane]));
                    $d[lane] = $d[lane].wrapping_add(first);
                    $h[lane] = first.wrapping_add(sum).wrapping_add(majority);
                }
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
    for (words, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        words.iter_mut().zip(new).for_each(|(word, new)| *word = word.wrapping_add(new));
    }
}

/// The next sixteen words of the message schedule.
#[inline(always)]
fn schedule<const COUNT: usize>(w: &mut [Words<COUNT>; 16]) {
    for i in 0..16 {
        let (near, middle, far) = (w[(i + 1) % 16], w[(i + 9) % 16], w[(i + 14) % 16]);
        for lane in 0..COUNT {
            let (x, y) = (near[lane], far[lane]);
            let near = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
            let far = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
            w[i][lane] = w[i][lane].wrapping_add(near).wrapping_add(middle[lane]).wrapping_add(far);
        }
    }
}

/// Take one block on its own.
pub fn absorb_alone(state: &mut State, block: &[u8; BLOCK]) {
    let mut alone = Loops::<1, false>(state.map(|word| [word]));
    alone.absorb(&[block; LANES], 1);
    *state = alone.0.map(|[word]| word);
}
