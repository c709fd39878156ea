//! Hash every value of a column: values of like length go side by side.

use std::cmp::Reverse;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::column::{Column, ColumnBuffers};
use crate::encoding::Encoding;
use crate::group::{Group, Message};
use crate::isa::Isa;
use crate::output::TextOutput;
use crate::sha256::{DIGEST, Keyed, LANES, Loops, States};
#[cfg(target_arch = "x86_64")]
use crate::sha256::{Pairs, Sixteen};

/// Values that are sorted by length together.
const WINDOW: usize = 512;

/// What comes out for a value.
pub struct Task<'a> {
    /// The hash.
    pub keyed: Keyed<'a>,
    /// What tokens are written in.
    pub encoding: Encoding,
    /// Stands before every token.
    pub prefix: &'a [u8],
    /// Characters kept, at most as many as the encoding has.
    pub length: usize,
    /// How.
    pub isa: Isa,
}

impl Task<'_> {
    /// Write the token of a message to its place.
    #[inline(always)]
    fn write(&self, digest: &[u8; DIGEST], message: &Message, tokens: &mut [u8]) {
        let length = self.prefix.len() + self.length;
        let (start, token) = tokens[message.place * length..][..length].split_at_mut(self.prefix.len());
        match *self.prefix {
            [] => {}
            [first, second, third] => start.copy_from_slice(&[first, second, third]), // without a call
            _ => start.copy_from_slice(self.prefix),
        }
        self.encoding.write(digest, token);
    }
}

/// The tokens of a column.
pub fn fixed_length_text<'py>(
    py: Python<'py>,
    buffers: &ColumnBuffers,
    task: &Task<'_>,
) -> PyResult<Bound<'py, PyTuple>> {
    let column = buffers.column()?;
    let length = task.prefix.len() + task.length;
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
            unsafe { hash_column::<Loops<LANES, true>>(task, column, tokens) }
        }
        #[target_feature(enable = "sha,ssse3,sse4.1")]
        fn sha(task: &Task<'_>, column: &Column<'_>, tokens: &mut [u8]) {
            // SAFETY: this function has the features.
            unsafe { hash_column::<Pairs>(task, column, tokens) }
        }
        match task.isa {
            Isa::Avx512 => return avx512(task, column, tokens),
            Isa::Avx2 => return avx2(task, column, tokens),
            Isa::Sha => return sha(task, column, tokens),
            Isa::Portable => {}
        }
    }
    // SAFETY: this implementation needs nothing of the CPU.
    unsafe { hash_column::<Loops<LANES, false>>(task, column, tokens) }
}

/// Hash all values and write their tokens one after the other.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn hash_column<S: States>(task: &Task<'_>, column: &Column<'_>, tokens: &mut [u8]) {
    let mut group = Group::new(&task.keyed, column.data);
    let mut window = Vec::with_capacity(WINDOW);
    let mut rows = column.valid_rows().zip(0..);
    loop {
        window.extend(rows.by_ref().take(WINDOW).map(|(row, place)| {
            let (start, end) = column.span(row);
            group.message(start, end, place)
        }));
        if window.is_empty() {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { hash_window::<S>(task, &mut group, &mut window, tokens) };
    }
}

#[inline(always)]
unsafe fn hash_window<S: States>(task: &Task<'_>, group: &mut Group<'_>, window: &mut Vec<Message>, tokens: &mut [u8]) {
    if window.iter().any(|message| message.blocks != window[0].blocks) {
        window.sort_unstable_by_key(|message| Reverse(message.blocks));
    }
    for messages in window.chunks(LANES) {
        // SAFETY: the caller's promise.
        let digests = unsafe { group.digests::<S>(messages) };
        for (digest, message) in digests.iter().zip(messages) {
            task.write(digest, message, tokens);
        }
    }
    window.clear();
}
