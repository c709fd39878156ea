//! Keyed random words: a CBC-MAC of AES over the few words of each value.

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

use crate::aes::{Block, BlockCipher, SIZE, xor};

/// Write one block per value: the MAC of its `count` words, each of which is followed by `draw`, `count` and its place.
pub fn words(values: &[u8], count: usize, cipher: &BlockCipher, draw: u64, blocks: &mut [u8]) {
    let bytes = 8 * count;
    for (values, states) in values.chunks(512 * bytes).zip(blocks.chunks_mut(512 * SIZE)) {
        let states = states.as_chunks_mut().0;
        states.fill([0; SIZE]);
        for place in 0..count {
            let numbered = draw << 16 | (count as u64) << 8 | place as u64;
            for (state, value) in states.iter_mut().zip(values.chunks_exact(bytes)) {
                xor(state, &block(value[8 * place..].first_chunk().expect("a word"), numbered));
            }
            cipher.encrypt(states);
        }
    }
}

/// How many values there are, and that everything fits.
pub fn rows(values: &[u8], count: usize, draw: u64) -> PyResult<usize> {
    if !(1..=255).contains(&count) || !values.len().is_multiple_of(8 * count) {
        return Err(PyValueError::new_err("the values are no rows of that many words"));
    }
    if draw >> 48 != 0 {
        return Err(PyOverflowError::new_err("draws are numbered by 48 bits"));
    }
    Ok(values.len() / (8 * count))
}

#[inline(always)]
fn block(word: &[u8; 8], numbered: u64) -> Block {
    let low = u128::from(u64::from_ne_bytes(*word));
    (u128::from(numbered) << 64 | low).to_le_bytes()
}
