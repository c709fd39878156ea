//! A column of text or bytes as Arrow lays it out, checked before the first value is read.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The buffers of one Arrow array, held for as long as a kernel runs.
#[derive(FromPyObject)]
pub struct ColumnBuffers(usize, usize, bool, Option<Bytes>, Bytes, Option<Bytes>);

impl ColumnBuffers {
    /// Check the buffers and view them as a column.
    pub fn column(&self) -> PyResult<Column<'_>> {
        let Self(length, first, is_large, validity, offsets, data) = self;
        let column = Column {
            length: *length,
            first: *first,
            is_large: *is_large,
            validity: validity.as_ref().map(Bytes::as_slice),
            offsets: offsets.as_slice(),
            data: data.as_ref().map_or(&[], Bytes::as_slice),
        };
        if column.is_sound() { Ok(column) } else { Err(PyValueError::new_err("the buffers are no Arrow column")) }
    }
}

/// Contiguous read-only bytes of a Python object.
pub struct Bytes(PyUntypedBuffer);

impl<'py> FromPyObject<'_, 'py> for Bytes {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(&object)?;
        if buffer.is_c_contiguous() { Ok(Self(buffer)) } else { Err(PyValueError::new_err("the buffer has gaps")) }
    }
}

impl Bytes {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        if self.0.len_bytes() == 0 {
            return &[]; // Arrow's empty buffers may have no address
        }
        // SAFETY: the buffer is contiguous and alive as long as `self`; Arrow's buffers do not change once in an array.
        unsafe { std::slice::from_raw_parts(self.0.buf_ptr().cast(), self.0.len_bytes()) }
    }
}

/// Text or bytes: one value per row, some of them null.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    /// Rows.
    pub length: usize,
    first: usize,
    /// Whether offsets have 64 bits.
    pub is_large: bool,
    validity: Option<&'a [u8]>,
    offsets: &'a [u8],
    /// The bytes of all values, and perhaps of others.
    pub data: &'a [u8],
}

impl<'a> Column<'a> {
    /// Where in `data` the value of a row begins and ends.
    #[inline(always)]
    pub fn span(&self, row: usize) -> (usize, usize) {
        (self.offset(row), self.offset(row + 1))
    }

    /// The value of a row; what a null row holds means nothing.
    #[inline(always)]
    pub fn value(&self, row: usize) -> &'a [u8] {
        let (start, end) = self.span(row);
        &self.data[start..end]
    }

    /// Whether the row has a value.
    #[inline(always)]
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| bits[(self.first + row) / 8] >> ((self.first + row) % 8) & 1 == 1)
    }

    /// Whether any row may be null.
    pub fn may_have_nulls(&self) -> bool {
        self.validity.is_some()
    }

    /// The rows that have a value.
    #[inline(always)]
    pub fn valid_rows(self) -> impl Iterator<Item = usize> {
        (0..self.length).filter(move |&row| self.is_valid(row))
    }

    #[inline(always)]
    fn offset(&self, row: usize) -> usize {
        let at = self.first + row;
        // The sign is lost on purpose: a negative offset becomes one beyond every buffer.
        if self.is_large {
            word::<8>(self.offsets, at).map_or(usize::MAX, |bytes| u64::from_ne_bytes(bytes) as usize)
        } else {
            word::<4>(self.offsets, at).map_or(usize::MAX, |bytes| i32::from_ne_bytes(bytes) as usize)
        }
    }

    fn is_sound(&self) -> bool {
        let Some(end) = self.first.checked_add(self.length) else { return false };
        if self.length == 0 {
            return true;
        }
        self.validity.is_none_or(|bits| bits.len() >= end.div_ceil(8))
            && (0..self.length).all(|row| self.offset(row) <= self.offset(row + 1))
            && self.offset(self.length) <= self.data.len()
    }
}

#[inline(always)]
fn word<const SIZE: usize>(bytes: &[u8], index: usize) -> Option<[u8; SIZE]> {
    bytes.get(index * SIZE..)?.first_chunk().copied()
}
