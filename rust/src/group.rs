//! Messages that are hashed side by side.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::sha256::{BLOCK, Keyed, Row, State, States, absorb_alone};

/// A value to be hashed.
pub struct Message {
    /// Where in the data it begins.
    pub start: usize,
    /// Its bytes.
    pub length: usize,
    /// Blocks with suffix and padding.
    pub blocks: usize,
    /// Which token it becomes.
    pub place: usize,
}

/// What is the same for all groups of messages of a column, and room for the last blocks of one group.
pub struct Group<'a> {
    keyed: &'a Keyed<'a>,
    data: &'a [u8],
    tails: Zeroizing<Vec<u8>>,
    tail_size: usize,
}

impl<'a> Group<'a> {
    /// Make room for `count` messages side by side, which lie in `data`.
    pub fn new(keyed: &'a Keyed<'a>, data: &'a [u8], count: usize) -> Self {
        let tail_size = padded_blocks(BLOCK - 1 + keyed.suffix.len()) * BLOCK;
        Self { keyed, data, tails: Zeroizing::new(vec![0; tail_size * count]), tail_size }
    }

    /// The message in `data` from `start` to `end`.
    #[inline(always)]
    pub fn message(&self, start: usize, end: usize, place: usize) -> Message {
        let length = end - start;
        Message { start, length, blocks: padded_blocks(length + self.keyed.suffix.len()), place }
    }

    /// The digests of at most `S::COUNT` messages, longest first.
    ///
    /// # Safety
    /// The CPU has the instructions of `S`.
    #[inline(always)]
    pub unsafe fn digests<S: States>(&mut self, messages: &[Message]) -> [Row; 8] {
        for (lane, message) in messages.iter().enumerate() {
            self.prepare_tail(lane, message);
        }
        // SAFETY: the caller's promise.
        let mut states = unsafe { S::start(&self.keyed.start) };
        let mut digests = [Row::default(); 8];
        let (mut active, mut block) = (messages.len(), 0);
        // A few stragglers would leave most lanes idle, so they go on alone.
        while active > S::COUNT / 8 {
            let mut blocks = [&[0; BLOCK]; 16];
            for (lane, bytes) in blocks[..S::COUNT].iter_mut().enumerate() {
                *bytes = self.block(lane, messages, block);
            }
            states.absorb(&blocks);
            block += 1;
            let left = messages[..active].iter().filter(|message| message.blocks > block).count();
            if left < active {
                let rows = states.rows();
                copy_lanes(&rows, &mut digests, left..active);
                active = left;
            }
        }
        if active > 0 {
            copy_lanes(&states.rows(), &mut digests, 0..active);
            for lane in 0..active {
                self.finish_alone(lane, messages, block, &mut digests);
            }
        }
        match &self.keyed.outer {
            // SAFETY: the caller's promise.
            Some(outer) => unsafe { hash_digests::<S>(outer, &digests) },
            None => digests,
        }
    }

    /// Write the last blocks of a message: what is left of the value, the suffix and the padding.
    #[inline(always)]
    fn prepare_tail(&mut self, lane: usize, message: &Message) {
        let suffix = self.keyed.suffix;
        let (whole, rest) = (message.length / BLOCK, message.length % BLOCK);
        let tail = &mut self.tails[lane * self.tail_size..][..(message.blocks - whole) * BLOCK];
        let (first, others) = tail.split_first_chunk_mut().expect("padding makes a block");
        copy_start(first, &self.data[message.start + whole * BLOCK..], rest);
        others.fill(0);
        if !suffix.is_empty() {
            tail[rest..rest + suffix.len()].copy_from_slice(suffix);
        }
        tail[rest + suffix.len()] = 0x80;
        let bits = 8 * (self.keyed.taken + message.length as u64 + suffix.len() as u64);
        *tail.last_chunk_mut().expect("a block has eight bytes") = bits.to_be_bytes();
    }

    /// Block number `block` of a message; anything once the message has ended, or where there is none.
    #[inline(always)]
    fn block(&self, lane: usize, messages: &[Message], block: usize) -> &[u8; BLOCK] {
        const NONE: [u8; BLOCK] = [0; BLOCK];
        let Some(message) = messages.get(lane).filter(|message| block < message.blocks) else { return &NONE };
        let whole = message.length / BLOCK;
        let (bytes, start) = match block.checked_sub(whole) {
            None => (self.data, message.start + block * BLOCK),
            Some(index) => (self.tails.as_slice(), lane * self.tail_size + index * BLOCK),
        };
        bytes[start..].first_chunk().expect("a block lies within the value or within its tail")
    }

    #[inline(never)]
    fn finish_alone(&self, lane: usize, messages: &[Message], first: usize, digests: &mut [Row; 8]) {
        let mut state: State = digests.map(|row| row.0[lane]);
        for block in first..messages[lane].blocks {
            absorb_alone(&mut state, self.block(lane, messages, block));
        }
        digests.iter_mut().zip(state).for_each(|(row, word)| row.0[lane] = word);
    }
}

/// Blocks of a message of `length` bytes with its padding (FIPS 180-4, section 5.1.1).
#[inline(always)]
fn padded_blocks(length: usize) -> usize {
    (length + 9).div_ceil(BLOCK)
}

/// Copy the first `length` bytes and fill up with zeros.
#[inline(always)]
fn copy_start(target: &mut [u8; BLOCK], source: &[u8], length: usize) {
    if let Some(whole) = source.first_chunk::<BLOCK>() {
        // A copy of fixed length and a mask are faster than a copy of any length.
        for (index, byte) in target.iter_mut().enumerate() {
            *byte = if (index as u8) < length as u8 { whole[index] } else { 0 };
        }
    } else {
        target[..length].copy_from_slice(&source[..length]);
        target[length..].fill(0);
    }
}

#[inline(always)]
fn copy_lanes(from: &[Row; 8], to: &mut [Row; 8], lanes: Range<usize>) {
    for (target, source) in to.iter_mut().zip(from) {
        target.0[lanes.clone()].copy_from_slice(&source.0[lanes.clone()]);
    }
}

/// The outer hash of HMAC: each digest is one padded block.
#[inline(always)]
unsafe fn hash_digests<S: States>(outer: &State, digests: &[Row; 8]) -> [Row; 8] {
    let mut words = [Row::default(); 16];
    words[..8].copy_from_slice(digests);
    words[8] = Row([0x8000_0000; 16]);
    words[15] = Row([8 * (64 + 32); 16]);
    // SAFETY: the caller's promise.
    let mut states = unsafe { S::start(outer) };
    states.absorb_words(&words);
    states.rows()
}
