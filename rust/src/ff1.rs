//! FF1 (NIST SP 800-38G, section 5.1) of many values: each block of each round is one call of AES for all of them.

use std::collections::HashMap;

use zeroize::Zeroizing;

use crate::aes::{Block, BlockCipher, SIZE, xor};
use crate::limbs::Layout;

const ROUNDS: usize = 10;

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Algorithm 7.
    Encrypt,
    /// Algorithm 8.
    Decrypt,
}

/// FF1 under one key and one tweak.
pub struct Ff1 {
    cipher: BlockCipher,
    radix: u32,
    tweak: Vec<u8>,
    shapes: HashMap<usize, Shape>,
}

impl Ff1 {
    /// FF1 over numerals below `radix`, which is at most 65,536.
    pub fn new(cipher: BlockCipher, radix: u32, tweak: &[u8]) -> Self {
        Self { cipher, radix, tweak: tweak.to_vec(), shapes: HashMap::new() }
    }

    /// Convert values of one length, at least two numerals, that begin at `starts`.
    pub fn convert(&mut self, direction: Direction, numerals: &mut [u16], starts: &[usize], length: usize) {
        let Self { cipher, radix, tweak, shapes } = self;
        let shape = shapes.entry(length).or_insert_with(|| Shape::new(cipher, *radix, tweak, length));
        let mut halves = shape.read(numerals, starts);
        for step in 0..ROUNDS {
            let round = if direction == Direction::Encrypt { step } else { ROUNDS - 1 - step };
            let [first, second] = &mut halves;
            let (changed, other) = if round % 2 == 0 { (first, &*second) } else { (second, &*first) };
            shape.round(cipher, direction, round, changed, other);
        }
        shape.write(&halves, numerals, starts);
    }
}

/// What is the same for all values of one length.
struct Shape {
    /// Of the first and of the second half.
    layouts: [Layout; 2],
    /// Numerals of the first half.
    middle: usize,
    length: usize,
    /// Bytes drawn per round: d of step 4.
    drawn: usize,
    /// Per round, the blocks of P || Q that differ from value to value, but for the number in them; what comes before
    /// is in already.
    tails: Zeroizing<Vec<Vec<Block>>>,
}

impl Shape {
    fn new(cipher: &BlockCipher, radix: u32, tweak: &[u8], length: usize) -> Self {
        let middle = length / 2;
        let layouts = [Layout::new(radix, middle), Layout::new(radix, length - middle)];
        let width = layouts[1].bytes();
        let mut head = vec![1, 2, 1];
        head.extend_from_slice(&radix.to_be_bytes()[1..]);
        head.extend_from_slice(&[ROUNDS as u8, middle as u8]);
        head.extend_from_slice(&(length as u32).to_be_bytes());
        head.extend_from_slice(&(tweak.len() as u32).to_be_bytes());
        head.extend_from_slice(tweak);
        head.resize((head.len() + 1 + width).next_multiple_of(SIZE) - 1 - width, 0);
        let (fixed, varying) = head.split_at(head.len() / SIZE * SIZE);
        let mut chain = Zeroizing::new([0; SIZE]);
        for block in fixed.as_chunks().0 {
            xor(&mut chain, block);
            *chain = cipher.encrypted(*chain);
        }
        let tail = |round: usize| {
            let bytes = [varying, &[round as u8], &vec![0; width]].concat();
            let mut blocks: Vec<Block> = bytes.as_chunks().0.to_vec();
            xor(&mut blocks[0], &chain);
            blocks
        };
        let tails = Zeroizing::new((0..ROUNDS).map(tail).collect());
        Self { layouts, middle, length, drawn: 4 * width.div_ceil(4) + 4, tails }
    }

    #[inline(always)]
    fn read(&self, numerals: &[u16], starts: &[usize]) -> [Vec<u64>; 2] {
        let mut halves = self.layouts.each_ref().map(|layout| vec![0; layout.limbs() * starts.len()]);
        for (index, start) in starts.iter().enumerate() {
            let (first, second) = numerals[*start..*start + self.length].split_at(self.middle);
            for ((half, layout), digits) in halves.iter_mut().zip(&self.layouts).zip([first, second]) {
                layout.read(digits, &mut half[index * layout.limbs()..][..layout.limbs()]);
            }
        }
        halves
    }

    #[inline(always)]
    fn write(&self, halves: &[Vec<u64>; 2], numerals: &mut [u16], starts: &[usize]) {
        for (index, start) in starts.iter().enumerate() {
            let (first, second) = numerals[*start..*start + self.length].split_at_mut(self.middle);
            for ((half, layout), digits) in halves.iter().zip(&self.layouts).zip([first, second]) {
                layout.write(&half[index * layout.limbs()..][..layout.limbs()], digits);
            }
        }
    }

    /// Steps 6.i to 6.vii, without the exchange of the halves.
    fn round(&self, cipher: &BlockCipher, direction: Direction, round: usize, changed: &mut [u64], other: &[u64]) {
        let (here, there) = (&self.layouts[round % 2], &self.layouts[1 - round % 2]);
        let mut drawn = self.mac(cipher, &self.tails[round], there, other);
        if self.drawn > SIZE {
            drawn = stretched(cipher, &drawn, self.drawn.div_ceil(SIZE));
        }
        if let (Some(base), 8) = (here.only_base(), self.drawn) {
            // Most values: y is one word, a half is one limb.
            for (limb, block) in changed.iter_mut().zip(&drawn) {
                let y = base.divide(u64::from_be_bytes(*block.first_chunk().expect("a block has two words"))).1;
                *limb = if direction == Direction::Encrypt { base.sum(*limb, y) } else { base.difference(*limb, y) };
            }
            return;
        }
        let mut words = vec![0; self.drawn.div_ceil(8)];
        let mut y = vec![0; here.limbs()];
        let blocks = drawn.chunks_exact(self.drawn.div_ceil(SIZE));
        for (limbs, blocks) in changed.chunks_exact_mut(here.limbs()).zip(blocks) {
            let bytes = &blocks.as_flattened()[..self.drawn];
            for (word, bytes) in words.iter_mut().rev().zip(bytes.rchunks(8)) {
                *word = bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
            }
            here.reduce(&mut words, &mut y);
            match direction {
                Direction::Encrypt => here.add(limbs, &y),
                Direction::Decrypt => here.subtract(limbs, &y),
            }
        }
    }

    /// Steps 6.i and 6.ii: for each value the block R.
    fn mac(&self, cipher: &BlockCipher, tail: &[Block], layout: &Layout, numbers: &[u64]) -> Vec<Block> {
        if let ([constant], Some(_)) = (tail, layout.only_base()) {
            let constant = u128::from_be_bytes(*constant);
            let block = |&number: &u64| (constant ^ u128::from(number)).to_be_bytes();
            let mut states: Vec<Block> = numbers.iter().map(block).collect();
            cipher.encrypt(&mut states);
            return states;
        }
        let values = numbers.chunks_exact(layout.limbs());
        let mut states = vec![[0; SIZE]; values.len()];
        let mut messages = vec![[0; SIZE]; values.len() * tail.len()];
        for (number, blocks) in values.zip(messages.chunks_exact_mut(tail.len())) {
            layout.to_bytes(number, blocks.as_flattened_mut());
        }
        for (place, constant) in tail.iter().enumerate() {
            for (state, blocks) in states.iter_mut().zip(messages.chunks_exact(tail.len())) {
                xor(state, &blocks[place]);
                xor(state, constant);
            }
            cipher.encrypt(&mut states);
        }
        states
    }
}

/// Step 6.iii: each block, and what the cipher makes of it and 1, 2 and so on, `count` blocks in all.
fn stretched(cipher: &BlockCipher, blocks: &[Block], count: usize) -> Vec<Block> {
    let mut all = Vec::with_capacity(blocks.len() * count);
    for block in blocks {
        all.extend((0..count as u128).map(|counter| (u128::from_be_bytes(*block) ^ counter).to_be_bytes()));
    }
    cipher.encrypt(&mut all);
    all.iter_mut().step_by(count).zip(blocks).for_each(|(first, block)| *first = *block);
    all
}
