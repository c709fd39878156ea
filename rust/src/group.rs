//! Messages that are hashed side by side.

use zeroize::Zeroizing;

use crate::sha256::{BLOCK, DIGEST, Keyed, LANES, States};

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
    /// For each message what is left of the value, the suffix and the padding.
    tails: Zeroizing<Vec<Vec<u8>>>,
}

impl<'a> Group<'a> {
    /// Make room for messages that lie in `data`.
    pub fn new(keyed: &'a Keyed<'a>, data: &'a [u8]) -> Self {
        // Padding is written three blocks at a time.
        let size = keyed.suffix.len().div_ceil(BLOCK) * BLOCK + 3 * BLOCK;
        Self { keyed, data, tails: Zeroizing::new(vec![vec![0; size]; LANES]) }
    }

    /// The message in `data` from `start` to `end`.
    #[inline(always)]
    pub fn message(&self, start: usize, end: usize, place: usize) -> Message {
        let length = end - start;
        Message { start, length, blocks: padded_blocks(length + self.keyed.suffix.len()), place }
    }

    /// The digests of at most `LANES` messages, longest first.
    ///
    /// # Safety
    /// The CPU has the instructions of `S`.
    #[inline(always)]
    pub unsafe fn digests<S: States>(&mut self, messages: &[Message]) -> [[u8; DIGEST]; LANES] {
        for (tail, message) in self.tails.iter_mut().zip(messages) {
            write_tail(self.keyed, self.data, message, tail);
        }
        // SAFETY: the caller's promise.
        let mut states = unsafe { S::start(&self.keyed.start) };
        let (mut active, mut block) = (messages.len(), 0);
        while active > S::STRAGGLERS {
            let mut blocks = [&[0; BLOCK]; LANES];
            for ((bytes, message), tail) in blocks.iter_mut().zip(&messages[..active]).zip(self.tails.iter()) {
                *bytes = message.block(block, self.data, tail);
            }
            states.absorb(&blocks, active);
            block += 1;
            active = messages[..active].partition_point(|message| message.blocks > block);
        }
        let stragglers = (active > 0).then(|| states.digests());
        if let Some(outer) = &self.keyed.outer {
            states.hash_again(outer);
        }
        let mut digests = states.digests();
        for (lane, state) in stragglers.iter().flat_map(|states| &states[..active]).enumerate() {
            let (message, tail) = (&messages[lane], &self.tails[lane]);
            let blocks = (block..message.blocks).map(|block| message.block(block, self.data, tail));
            digests[lane] = self.keyed.finish_alone(state, blocks);
        }
        digests
    }
}

impl Message {
    /// Block number `block`, which lies in the data or in the tail.
    #[inline(always)]
    fn block<'a>(&self, block: usize, data: &'a [u8], tail: &'a [u8]) -> &'a [u8; BLOCK] {
        let bytes = match block.checked_sub(self.length / BLOCK) {
            None => &data[self.start + block * BLOCK..],
            Some(index) => &tail[index * BLOCK..],
        };
        bytes.first_chunk().expect("a block lies within the value or within its tail")
    }
}

/// Write the last blocks of a message.
#[inline(always)]
fn write_tail(keyed: &Keyed<'_>, data: &[u8], message: &Message, tail: &mut [u8]) {
    let rest = message.length % BLOCK;
    let value = &data[message.start + (message.length - rest)..];
    // A copy of fixed length is faster.
    match value.first_chunk::<BLOCK>() {
        Some(block) => tail[..BLOCK].copy_from_slice(block),
        None => copy_last(&value[..rest], tail),
    }
    let end = rest + keyed.suffix.len();
    if !keyed.suffix.is_empty() {
        tail[rest..end].copy_from_slice(keyed.suffix);
    }
    let last = tail[end / BLOCK * BLOCK..].first_chunk_mut().expect("three blocks");
    pad(last, end % BLOCK, keyed.taken + message.length as u64);
}

/// A function of its own, or the compiler would make one copy of any length out of both.
#[cold]
#[inline(never)]
fn copy_last(value: &[u8], tail: &mut [u8]) {
    tail[..value.len()].copy_from_slice(value);
}

/// Pad after `end` bytes, less than a block, the last ones of `taken` (FIPS 180-4, section 5.1.1).
#[inline(always)]
fn pad(blocks: &mut [u8; 3 * BLOCK], end: usize, taken: u64) {
    const START: [u8; BLOCK] = {
        let mut start = [0; BLOCK];
        start[0] = 0x80;
        start
    };
    blocks[end..end + BLOCK].copy_from_slice(&START);
    let last = padded_blocks(end) * BLOCK;
    blocks[last - 8..last].copy_from_slice(&(8 * taken).to_be_bytes());
}

/// Blocks of a message of `length` bytes with its padding.
#[inline(always)]
fn padded_blocks(length: usize) -> usize {
    (length + 9).div_ceil(BLOCK)
}
