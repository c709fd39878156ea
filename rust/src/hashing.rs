//! Hash every value of a column: values of like length go side by side.

use std::cmp::Reverse;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use zeroize::Zeroizing;

use crate::column::{Column, ColumnBuffers};
use crate::hex;
use crate::isa::Isa;
use crate::output::TextOutput;
use crate::sha256::{BLOCK, Keyed, Loops, Row, State, States, absorb_alone};
#[cfg(target_arch = "x86_64")]
use crate::sha256::{Pair, Sixteen};

/// Values that are sorted by length together.
const WINDOW: usize = 512;

/// What comes out for a value.
pub struct Task<'a> {
    /// The hash.
    pub keyed: Keyed<'a>,
    /// Stands before every token.
    pub prefix: &'a [u8],
    /// Hex digits kept, at most 64.
    pub digits: usize,
    /// How.
    pub isa: Isa,
}

/// The tokens of a column.
pub fn fixed_length_text<'py>(
    py: Python<'py>,
    buffers: &ColumnBuffers,
    task: &Task<'_>,
) -> PyResult<Bound<'py, PyTuple>> {
    let column = buffers.column()?;
    let length = task.prefix.len() + task.digits;
    let mut output = TextOutput::new(py, &column, |_| length)?;
    py.detach(|| run(task, &column, output.of_length(&column, length)));
    output.into_tuple(py)
}

fn run(task: &Task<'_>, column: &Column<'_>, tokens: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an `Isa` comes from Python through a check that this machine has it.
    unsafe {
        #[target_feature(enable = "avx512f,avx512bw")]
        fn avx512(task: &Task<'_>, column: &Column<'_>, tokens: &mut [u8]) {
            // SAFETY: this function has the features.
            unsafe { hash_column::<Sixteen>(task, column, tokens) }
        }
        #[target_feature(enable = "avx2")]
        fn avx2(task: &Task<'_>, column: &Column<'_>, tokens: &mut [u8]) {
            // SAFETY: this function has the feature.
            unsafe { hash_column::<Loops<16, true>>(task, column, tokens) }
        }
        #[target_feature(enable = "sha,ssse3,sse4.1")]
        fn sha(task: &Task<'_>, column: &Column<'_>, tokens: &mut [u8]) {
            // SAFETY: this function has the features.
            unsafe { hash_column::<Pair>(task, column, tokens) }
        }
        match task.isa {
            Isa::Avx512 => return avx512(task, column, tokens),
            Isa::Avx2 => return avx2(task, column, tokens),
            Isa::Sha => return sha(task, column, tokens),
            Isa::Portable => {}
        }
    }
    // SAFETY: this implementation needs nothing of the CPU.
    unsafe { hash_column::<Loops<16, false>>(task, column, tokens) }
}

/// Hash all values and write their tokens one after the other.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn hash_column<S: States>(task: &Task<'_>, column: &Column<'_>, tokens: &mut [u8]) {
    let mut group = Group::new(task, column.data, S::COUNT);
    let mut window = Vec::with_capacity(WINDOW);
    for (place, row) in column.valid_rows().enumerate() {
        let (start, end) = column.span(row);
        window.push(group.message(start, end, place));
        if window.len() == WINDOW {
            // SAFETY: the caller's promise.
            unsafe { hash_window::<S>(&mut group, &mut window, tokens) };
        }
    }
    // SAFETY: the caller's promise.
    unsafe { hash_window::<S>(&mut group, &mut window, tokens) };
}

#[inline(always)]
unsafe fn hash_window<S: States>(group: &mut Group<'_>, window: &mut Vec<Message>, tokens: &mut [u8]) {
    if window.iter().any(|message| message.blocks != window[0].blocks) {
        window.sort_unstable_by_key(|message| Reverse(message.blocks));
    }
    for messages in window.chunks(S::COUNT) {
        // SAFETY: the caller's promise.
        let digests = by_lane(&unsafe { group.digests::<S>(messages) }, S::COUNT);
        for (digest, message) in digests.iter().zip(messages) {
            group.write(digest, message, tokens);
        }
    }
    window.clear();
}

/// A value to be hashed.
struct Message {
    start: usize,
    length: usize,
    /// Blocks with suffix and padding.
    blocks: usize,
    /// Which token it becomes.
    place: usize,
}

/// The values that are hashed side by side, and the room for their last blocks.
struct Group<'a> {
    task: &'a Task<'a>,
    data: &'a [u8],
    tails: Zeroizing<Vec<u8>>,
    tail_size: usize,
}

impl<'a> Group<'a> {
    fn new(task: &'a Task<'a>, data: &'a [u8], count: usize) -> Self {
        let tail_size = padded_blocks(BLOCK - 1 + task.keyed.suffix.len()) * BLOCK;
        Self { task, data, tails: Zeroizing::new(vec![0; tail_size * count]), tail_size }
    }

    #[inline(always)]
    fn message(&self, start: usize, end: usize, place: usize) -> Message {
        let length = end - start;
        Message { start, length, blocks: padded_blocks(length + self.task.keyed.suffix.len()), place }
    }

    /// The digests of at most `S::COUNT` messages, longest first.
    ///
    /// # Safety
    /// The CPU has the instructions of `S`.
    #[inline(always)]
    unsafe fn digests<S: States>(&mut self, messages: &[Message]) -> [Row; 8] {
        for (lane, message) in messages.iter().enumerate() {
            self.prepare_tail(lane, message);
        }
        // SAFETY: the caller's promise.
        let mut states = unsafe { S::start(&self.task.keyed.start) };
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
        match &self.task.keyed.outer {
            // SAFETY: the caller's promise.
            Some(outer) => unsafe { hash_digests::<S>(outer, &digests) },
            None => digests,
        }
    }

    /// Write the last blocks of a message: what is left of the value, the suffix and the padding.
    #[inline(always)]
    fn prepare_tail(&mut self, lane: usize, message: &Message) {
        let suffix = self.task.keyed.suffix;
        let (whole, rest) = (message.length / BLOCK, message.length % BLOCK);
        let tail = &mut self.tails[lane * self.tail_size..][..(message.blocks - whole) * BLOCK];
        let (first, others) = tail.split_first_chunk_mut().expect("padding makes a block");
        copy_start(first, &self.data[message.start + whole * BLOCK..], rest);
        others.fill(0);
        if !suffix.is_empty() {
            tail[rest..rest + suffix.len()].copy_from_slice(suffix);
        }
        tail[rest + suffix.len()] = 0x80;
        let bits = 8 * (self.task.keyed.taken + message.length as u64 + suffix.len() as u64);
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

    #[inline(always)]
    fn write(&self, digest: &[u8; 32], message: &Message, tokens: &mut [u8]) {
        let Task { prefix, digits, .. } = self.task;
        let length = prefix.len() + digits;
        let token = &mut tokens[message.place * length..][..length];
        copy(prefix, token);
        copy(&hex::digits(digest).as_flattened()[..*digits], &mut token[prefix.len()..]);
    }
}

/// The digests as bytes.
#[inline(always)]
fn by_lane(digests: &[Row; 8], count: usize) -> [[u8; 32]; 16] {
    let mut bytes = [[0; 32]; 16];
    for (word, row) in digests.iter().enumerate() {
        for (digest, word_of_lane) in bytes.iter_mut().zip(&row.0[..count]) {
            digest.as_chunks_mut().0[word] = word_of_lane.to_be_bytes();
        }
    }
    bytes
}

/// Copy all bytes to the start of `to`; the usual lengths without a call.
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        3 => to[..3].copy_from_slice(&from[..3]),
        64 => to[..64].copy_from_slice(&from[..64]),
        length => to[..length].copy_from_slice(from),
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
fn copy_lanes(from: &[Row; 8], to: &mut [Row; 8], lanes: std::ops::Range<usize>) {
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
