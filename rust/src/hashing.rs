//! Hash every value of a column: values of like length go side by side.

use std::cmp::Reverse;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::column::{Column, ColumnBuffers};
use crate::group::{Group, Message};
use crate::hex;
use crate::isa::Isa;
use crate::output::TextOutput;
use crate::sha256::{Keyed, Loops, Row, States};
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

impl Task<'_> {
    /// Write the token of a message to its place.
    #[inline(always)]
    fn write(&self, digest: &[u8; 32], message: &Message, tokens: &mut [u8]) {
        let Self { prefix, digits, .. } = self;
        let length = prefix.len() + digits;
        let token = &mut tokens[message.place * length..][..length];
        copy(prefix, token);
        copy(&hex::digits(digest).as_flattened()[..*digits], &mut token[prefix.len()..]);
    }
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
    let mut group = Group::new(&task.keyed, column.data, S::COUNT);
    let mut window = Vec::with_capacity(WINDOW);
    for (place, row) in column.valid_rows().enumerate() {
        let (start, end) = column.span(row);
        window.push(group.message(start, end, place));
        if window.len() == WINDOW {
            // SAFETY: the caller's promise.
            unsafe { hash_window::<S>(task, &mut group, &mut window, tokens) };
        }
    }
    // SAFETY: the caller's promise.
    unsafe { hash_window::<S>(task, &mut group, &mut window, tokens) };
}

#[inline(always)]
unsafe fn hash_window<S: States>(task: &Task<'_>, group: &mut Group<'_>, window: &mut Vec<Message>, tokens: &mut [u8]) {
    if window.iter().any(|message| message.blocks != window[0].blocks) {
        window.sort_unstable_by_key(|message| Reverse(message.blocks));
    }
    for messages in window.chunks(S::COUNT) {
        // SAFETY: the caller's promise.
        let digests = by_lane(&unsafe { group.digests::<S>(messages) }, S::COUNT);
        for (digest, message) in digests.iter().zip(messages) {
            task.write(digest, message, tokens);
        }
    }
    window.clear();
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
