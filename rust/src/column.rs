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
        Offsets::new(offsets.as_slice(), *is_large, *first, *length)
            .map(|offsets| Column {
                length: *length,
                is_large: *is_large,
                validity: validity.as_ref().map(|bits| Bitmap { bytes: bits.as_slice(), first: *first }),
                offsets,
                data: data.as_ref().map_or(&[], Bytes::as_slice),
            })
            .filter(Column::is_sound)
            .ok_or_else(|| PyValueError::new_err("the buffers are no Arrow column"))
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
    /// Whether offsets have 64 bits.
    pub is_large: bool,
    validity: Option<Bitmap<'a>>,
    offsets: Offsets<'a>,
    /// The bytes of all values, and perhaps of others.
    pub data: &'a [u8],
}

#[derive(Clone, Copy)]
struct Bitmap<'a> {
    bytes: &'a [u8],
    first: usize,
}

/// One more than there are rows; of any alignment.
#[derive(Clone, Copy)]
enum Offsets<'a> {
    Small(&'a [[u8; 4]]),
    Large(&'a [[u8; 8]]),
}

impl<'a> Column<'a> {
    /// Where in `data` the value of a row begins and ends; of no meaning for a null.
    #[inline(always)]
    pub fn span(&self, row: usize) -> (usize, usize) {
        match self.offsets {
            Offsets::Small(offsets) => (small(offsets[row]), small(offsets[row + 1])),
            Offsets::Large(offsets) => (large(offsets[row]), large(offsets[row + 1])),
        }
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
        self.validity.is_none_or(|bits| bits.bytes[(bits.first + row) / 8] >> ((bits.first + row) % 8) & 1 == 1)
    }

    /// Write which rows have a value: one bit each, the lowest first.
    pub fn copy_validity(&self, bits: &mut [u8]) {
        for (index, byte) in bits.iter_mut().enumerate() {
            let rows = 8 * index..self.length.min(8 * index + 8);
            *byte = rows.fold(0, |byte, row| byte | u8::from(self.is_valid(row)) << (row % 8));
        }
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

    fn is_sound(&self) -> bool {
        let ends = |row: usize| self.span(row).1;
        self.length == 0
            || self.validity.is_none_or(|bits| bits.bytes.len() >= (bits.first + self.length).div_ceil(8))
                && self.offsets.ascend()
                && ends(self.length - 1) <= self.data.len()
    }
}

impl<'a> Offsets<'a> {
    /// The offsets of some rows; none if there are fewer.
    fn new(bytes: &'a [u8], is_large: bool, first: usize, length: usize) -> Option<Self> {
        if length == 0 {
            return Some(Self::Small(&[])); // Arrow allows no offsets at all for no rows
        }
        let rows = first..first.checked_add(length)?.checked_add(1)?;
        Some(if is_large {
            Self::Large(bytes.as_chunks().0.get(rows)?)
        } else {
            Self::Small(bytes.as_chunks().0.get(rows)?)
        })
    }

    fn ascend(&self) -> bool {
        // Without an early end, so that many are compared at once.
        match self {
            Self::Small(all) => all.windows(2).fold(true, |so_far, two| so_far & (small(two[0]) <= small(two[1]))),
            Self::Large(all) => all.windows(2).fold(true, |so_far, two| so_far & (large(two[0]) <= large(two[1]))),
        }
    }
}

/// An offset; a negative one becomes one beyond every buffer.
#[inline(always)]
fn small(bytes: [u8; 4]) -> usize {
    i32::from_ne_bytes(bytes) as usize
}

/// An offset; a negative one becomes one beyond every buffer.
#[inline(always)]
fn large(bytes: [u8; 8]) -> usize {
    i64::from_ne_bytes(bytes) as usize
}
