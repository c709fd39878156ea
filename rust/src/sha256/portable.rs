//! Lanes in plain Rust, which the compiler turns into whatever vectors the architecture always has (SSE2, NEON).

use std::array::from_fn;

use super::lanes::{Lanes, compress};
use super::{BLOCK, Row, State};

/// `COUNT` words.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct Words<const COUNT: usize>([u32; COUNT]);

/// Four messages.
pub type Four = Words<4>;

impl<const COUNT: usize> Words<COUNT> {
    #[inline(always)]
    fn map(self, function: impl Fn(u32) -> u32) -> Self {
        Self(self.0.map(function))
    }

    #[inline(always)]
    fn zip3(self, second: Self, third: Self, function: impl Fn(u32, u32, u32) -> u32) -> Self {
        Self(from_fn(|lane| function(self.0[lane], second.0[lane], third.0[lane])))
    }
}

impl<const COUNT: usize> Lanes for Words<COUNT> {
    const COUNT: usize = COUNT;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        Self([word; COUNT])
    }

    #[inline(always)]
    fn with_row(self, row: &Row) -> Self {
        Self(from_fn(|lane| row.0[lane]))
    }

    #[inline(always)]
    fn write_row(self, row: &mut Row) {
        row.0[..COUNT].copy_from_slice(&self.0);
    }

    #[inline(always)]
    fn transposed(self, blocks: &[&[u8; BLOCK]; 16]) -> [Self; 16] {
        from_fn(|word| Self(from_fn(|lane| u32::from_be_bytes(blocks[lane].as_chunks().0[word]))))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(from_fn(|lane| self.0[lane].wrapping_add(other.0[lane])))
    }

    #[inline(always)]
    fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        self.map(|word| word >> RIGHT | word << LEFT)
    }

    #[inline(always)]
    fn shift<const RIGHT: i32>(self) -> Self {
        self.map(|word| word >> RIGHT)
    }

    #[inline(always)]
    fn xor3(self, second: Self, third: Self) -> Self {
        self.zip3(second, third, |a, b, c| a ^ b ^ c)
    }

    #[inline(always)]
    fn choose(self, first: Self, second: Self) -> Self {
        self.zip3(first, second, |a, b, c| c ^ (a & (b ^ c)))
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        self.zip3(second, third, |a, b, c| (a & b) | (c & (a | b)))
    }
}

/// Take one block on its own.
pub fn absorb_alone(state: &mut State, block: &[u8; BLOCK]) {
    let words = Words([0]).transposed(&[block; 16]);
    let mut single = state.map(|word| Words([word]));
    compress(&mut single, words);
    *state = single.map(|word| word.0[0]);
}
