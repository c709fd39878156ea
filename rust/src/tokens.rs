//! Columns of hexadecimal AES-SIV tokens: a prefix, the synthetic IV, the cipher text.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::aes::SIZE;
use crate::column::{Column, ColumnBuffers};
use crate::hex;
use crate::output::{TextOutput, TextWriter};
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
    py.detach(|| encrypt_column(&column, siv, prefix, output.writer()));
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
    py.detach(|| decrypt_column(&column, siv, prefix, output.writer()));
    output.into_tuple(py)
}

fn encrypt_column(column: &Column<'_>, siv: &Siv, prefix: &[u8], mut tokens: TextWriter<'_>) {
    let (mut batch, mut members) = (Batch::default(), Vec::new());
    let mut rows = column.valid_rows().peekable();
    while let Some(row) = rows.next() {
        let value = column.value(row);
        batch.add([0; SIZE], value.len()).as_flattened_mut()[..value.len()].copy_from_slice(value);
        members.push(row);
        if !batch.is_full() && rows.peek().is_some() {
            continue;
        }
        siv.encrypt(&mut batch);
        for ((message, cipher_text), row) in batch.messages().zip(members.drain(..)) {
            let token = tokens.value(row, prefix.len() + 2 * (SIZE + message.length));
            let (head, digits) = token.split_at_mut(prefix.len());
            head.copy_from_slice(prefix);
            let (iv, digits) = digits.split_at_mut(2 * SIZE);
            hex::encode(&message.iv, iv);
            hex::encode(cipher_text, digits);
        }
        batch.clear();
    }
}

fn decrypt_column(column: &Column<'_>, siv: &Siv, prefix: &[u8], mut messages: TextWriter<'_>) {
    let (mut batch, mut members) = (Batch::default(), Vec::new());
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
            if is_hex & is_authentic {
                messages.value(row, message.len()).copy_from_slice(message);
            } else {
                messages.set_null(row);
            }
        }
        batch.clear();
    }
}

/// How long the message of a token would be; 0 for what cannot be a token.
fn message_length(token: &[u8], prefix: &[u8]) -> usize {
    let digits = token.strip_prefix(prefix).map_or(0, <[u8]>::len);
    if digits.is_multiple_of(2) { (digits / 2).saturating_sub(SIZE) } else { 0 }
}
