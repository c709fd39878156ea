//! Columns of hexadecimal AES-SIV tokens: a prefix, the synthetic IV, the cipher text.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::aes::SIZE;
use crate::column::{Column, ColumnBuffers};
use crate::hex;
use crate::output::TextOutput;
use crate::siv::{Batch, Siv};

/// The tokens of a column.
pub fn encrypt<'py>(
    py: Python<'py>,
    buffers: &ColumnBuffers,
    siv: &Siv,
    prefix: &[u8],
) -> PyResult<Bound<'py, PyTuple>> {
    let column = buffers.column()?;
    let length_of = |row| {
        let (start, end) = column.span(row);
        prefix.len() + 2 * (SIZE + end - start)
    };
    let mut output = TextOutput::new(py, &column, length_of)?;
    py.detach(|| encrypt_column(&column, siv, prefix, output.data()));
    output.into_tuple(py)
}

/// What the tokens of a column stand for; null for what is no token.
pub fn decrypt<'py>(
    py: Python<'py>,
    buffers: &ColumnBuffers,
    siv: &Siv,
    prefix: &[u8],
) -> PyResult<Bound<'py, PyTuple>> {
    let column = buffers.column()?;
    let length_of = |row| message_length(column.value(row), prefix);
    let mut output = TextOutput::new(py, &column, length_of)?;
    let refused = py.detach(|| decrypt_column(&column, siv, prefix, output.data()));
    output.set_null(py, &column, &refused)?;
    output.into_tuple(py)
}

fn encrypt_column(column: &Column<'_>, siv: &Siv, prefix: &[u8], mut tokens: &mut [u8]) {
    let mut batch = Batch::default();
    let mut rows = column.valid_rows().peekable();
    while let Some(row) = rows.next() {
        let value = column.value(row);
        batch.add([0; SIZE], value.len()).as_flattened_mut()[..value.len()].copy_from_slice(value);
        if !batch.is_full() && rows.peek().is_some() {
            continue;
        }
        siv.encrypt(&mut batch);
        for (message, cipher_text) in batch.messages() {
            let token = tokens.split_off_mut(..prefix.len() + 2 * (SIZE + message.length)).expect("laid out so");
            let (head, digits) = token.split_at_mut(prefix.len());
            head.copy_from_slice(prefix);
            let (iv, digits) = digits.split_at_mut(2 * SIZE);
            hex::encode(&message.iv, iv);
            hex::encode(cipher_text, digits);
        }
        batch.clear();
    }
}

/// Write the messages; return the rows that hold no token of this key, whose bytes are zero.
fn decrypt_column(column: &Column<'_>, siv: &Siv, prefix: &[u8], mut messages: &mut [u8]) -> Vec<usize> {
    let mut batch = Batch::default();
    let (mut members, mut refused) = (Vec::new(), Vec::new());
    let mut rows = column.valid_rows().peekable();
    while let Some(row) = rows.next() {
        let length = message_length(column.value(row), prefix);
        let sealed = column.value(row).strip_prefix(prefix).unwrap_or_default();
        let (iv, cipher_text) = sealed.split_at_checked(2 * SIZE).unwrap_or_default();
        let mut start = [0; SIZE];
        let is_iv = hex::decode(iv, &mut start);
        let bytes = batch.add(start, length).as_flattened_mut();
        let is_hex = hex::decode(cipher_text, &mut bytes[..length]) & is_iv;
        members.push((row, is_hex));
        if !batch.is_full() && rows.peek().is_some() {
            continue;
        }
        let authentic = siv.decrypt(&mut batch);
        for (((_, message), (row, is_hex)), is_authentic) in batch.messages().zip(members.drain(..)).zip(authentic) {
            let target = messages.split_off_mut(..message.len()).expect("laid out so");
            if is_hex & is_authentic {
                target.copy_from_slice(message);
            } else {
                target.fill(0);
                refused.push(row);
            }
        }
        batch.clear();
    }
    refused
}

/// How long the message of a token would be; 0 for what cannot be a token.
fn message_length(token: &[u8], prefix: &[u8]) -> usize {
    let digits = token.strip_prefix(prefix).map_or(0, <[u8]>::len);
    if digits.is_multiple_of(2) { (digits / 2).saturating_sub(SIZE) } else { 0 }
}
