//! The compression function over vectors that hold one word of each message.

use super::{BLOCK, K, Row, State, States};

/// One word of each message.
pub trait Lanes: Copy {
    /// Messages side by side.
    const COUNT: usize;

    /// The same word for all.
    ///
    /// # Safety
    /// The CPU has the instructions of this implementation.
    unsafe fn splat(word: u32) -> Self;

    /// The same word for all, where one vector proves that the CPU has the instructions.
    #[inline(always)]
    fn like(self, word: u32) -> Self {
        // SAFETY: `self` exists.
        unsafe { Self::splat(word) }
    }

    /// The first words of a row.
    fn with_row(self, row: &Row) -> Self;

    /// Write the words to the first of a row.
    fn write_row(self, row: &mut Row);

    /// The 16 big-endian words of a block each.
    fn transposed(self, blocks: &[&[u8; BLOCK]; 16]) -> [Self; 16];

    /// Sum modulo 2^32.
    fn add(self, other: Self) -> Self;

    /// Rotate right by `RIGHT`, which is 32 - `LEFT`.
    fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self;

    /// Shift right.
    fn shift<const RIGHT: i32>(self) -> Self;

    /// Exclusive or of three.
    fn xor3(self, second: Self, third: Self) -> Self;

    /// `first` where `self` has ones, `second` where it has zeros.
    fn choose(self, first: Self, second: Self) -> Self;

    /// What at least two of three have.
    fn majority(self, second: Self, third: Self) -> Self;
}

/// As many chaining values as `V` has lanes.
#[derive(Clone, Copy)]
pub struct Vectors<V>([V; 8]);

// Loops in this file, and no closures: those would not be inlined into functions with more CPU features.
impl<V: Lanes> States for Vectors<V> {
    const COUNT: usize = V::COUNT;

    #[inline(always)]
    unsafe fn start(state: &State) -> Self {
        // SAFETY: the caller's promise is the one that `splat` asks for.
        let mut vectors = [unsafe { V::splat(0) }; 8];
        for (vector, &word) in vectors.iter_mut().zip(state) {
            *vector = vector.like(word);
        }
        Self(vectors)
    }

    #[inline(always)]
    fn absorb(&mut self, blocks: &[&[u8; BLOCK]; 16]) {
        let words = self.0[0].transposed(blocks);
        compress(&mut self.0, words);
    }

    #[inline(always)]
    fn absorb_words(&mut self, rows: &[Row; 16]) {
        let mut words = [self.0[0]; 16];
        for (word, row) in words.iter_mut().zip(rows) {
            *word = word.with_row(row);
        }
        compress(&mut self.0, words);
    }

    #[inline(always)]
    fn rows(&self) -> [Row; 8] {
        let mut rows = [Row::default(); 8];
        for (row, vector) in rows.iter_mut().zip(self.0) {
            vector.write_row(row);
        }
        rows
    }
}

/// Section 6.2.2, in every lane.
#[inline(always)]
pub fn compress<V: Lanes>(state: &mut [V; 8], mut w: [V; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for round in (0..64).step_by(16) {
        // Written out, so that the words stay in registers.
        macro_rules! round {
            ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $i:literal) => {
                if round > 0 {
                    w[$i] = schedule(w[$i], w[($i + 1) % 16], w[($i + 9) % 16], w[($i + 14) % 16]);
                }
                let sum = $e.rotate::<6, 26>().xor3($e.rotate::<11, 21>(), $e.rotate::<25, 7>());
                let first = $h.add(w[$i].add($a.like(K[round + $i]))).add(sum).add($e.choose($f, $g));
                let sum = $a.rotate::<2, 30>().xor3($a.rotate::<13, 19>(), $a.rotate::<22, 10>());
                $d = $d.add(first);
                $h = first.add(sum.add($a.majority($b, $c)));
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
    for (word, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.add(new);
    }
}

/// The next word of the message schedule from those 16, 15, 7 and 2 rounds before.
#[inline(always)]
fn schedule<V: Lanes>(w16: V, w15: V, w7: V, w2: V) -> V {
    let near = w15.rotate::<7, 25>().xor3(w15.rotate::<18, 14>(), w15.shift::<3>());
    let far = w2.rotate::<17, 15>().xor3(w2.rotate::<19, 13>(), w2.shift::<10>());
    w16.add(near).add(w7.add(far))
}
