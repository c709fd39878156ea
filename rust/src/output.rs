//! Memory for results: taken from Arrow's pool, once, when its size is known.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::column::Column;

/// A new Arrow buffer, nobody else's until it is handed over.
pub struct Allocation {
    object: Py<PyAny>,
    buffer: PyUntypedBuffer,
}

impl Allocation {
    /// Allocate `size` bytes, whose content is arbitrary.
    pub fn new(py: Python<'_>, size: usize) -> PyResult<Self> {
        let object = py.import(intern!(py, "pyarrow"))?.call_method1(intern!(py, "allocate_buffer"), (size,))?;
        let buffer = PyUntypedBuffer::get(&object)?;
        if buffer.readonly() || !buffer.is_c_contiguous() || buffer.len_bytes() != size {
            return Err(PyTypeError::new_err("pyarrow.allocate_buffer gave no writable buffer"));
        }
        Ok(Self { object: object.unbind(), buffer })
    }

    /// The bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        if self.buffer.len_bytes() == 0 {
            return &mut [];
        }
        // SAFETY: `new` checked that the buffer is writable and contiguous, and nothing else refers to it yet.
        unsafe { std::slice::from_raw_parts_mut(self.buffer.buf_ptr().cast(), self.buffer.len_bytes()) }
    }

    /// Hand over the buffer.
    pub fn into_object(self) -> Py<PyAny> {
        self.object
    }
}

/// A column of text or bytes under construction.
///
/// Its rows are null where those of the column that it is made from are, and perhaps elsewhere.
pub struct TextOutput {
    validity: Allocation,
    offsets: Allocation,
    data: Allocation,
    is_large: bool,
    has_nulls: bool,
    used: usize,
}

impl TextOutput {
    /// Take memory for a column like `column` with values of at most the lengths that `length_of` gives for its rows.
    pub fn new(py: Python<'_>, column: &Column<'_>, length_of: impl Fn(usize) -> usize + Sync) -> PyResult<Self> {
        let total = py.detach(|| column.valid_rows().try_fold(0usize, |sum, row| sum.checked_add(length_of(row))));
        let limit = if column.is_large { i64::MAX as usize } else { i32::MAX as usize };
        let total = total.filter(|&total| total <= limit).ok_or_else(|| {
            PyOverflowError::new_err("together they give more than 2 GiB of text; use smaller batches, or large_string")
        })?;
        let mut output = Self {
            validity: Allocation::new(py, column.length.div_ceil(8))?,
            offsets: Allocation::new(py, (column.length + 1) * if column.is_large { 8 } else { 4 })?,
            data: Allocation::new(py, total)?,
            is_large: column.is_large,
            has_nulls: column.may_have_nulls(),
            used: 0,
        };
        column.copy_validity(output.validity.as_mut_slice());
        Ok(output)
    }

    /// Give all values one length, and return their bytes, one after the other, to be written in any order.
    pub fn of_length(&mut self, column: &Column<'_>, length: usize) -> &mut [u8] {
        let mut ends = Ends::new(&mut self.offsets, self.is_large);
        for row in 0..column.length {
            self.used += if column.is_valid(row) { length } else { 0 };
            ends.set(row, self.used);
        }
        self.data.as_mut_slice()
    }

    /// Return what writes one value after the other.
    pub fn writer(&mut self) -> TextWriter<'_> {
        TextWriter {
            validity: self.validity.as_mut_slice(),
            ends: Ends::new(&mut self.offsets, self.is_large),
            data: self.data.as_mut_slice(),
            has_nulls: &mut self.has_nulls,
            used: &mut self.used,
            row: 0,
        }
    }

    /// Hand over `(validity, offsets, data)`.
    pub fn into_tuple(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        let data = self.data.object.call_method1(py, intern!(py, "slice"), (0, self.used))?;
        (self.has_nulls.then_some(self.validity.object), self.offsets.object, data).into_pyobject(py)
    }
}

/// Where the values end.
enum Ends<'a> {
    Small(&'a mut [[u8; 4]]),
    Large(&'a mut [[u8; 8]]),
}

impl<'a> Ends<'a> {
    fn new(offsets: &'a mut Allocation, is_large: bool) -> Self {
        let bytes = offsets.as_mut_slice();
        let (first, others) = bytes.split_at_mut(if is_large { 8 } else { 4 });
        first.fill(0);
        if is_large { Self::Large(others.as_chunks_mut().0) } else { Self::Small(others.as_chunks_mut().0) }
    }

    /// Set where a row ends, which the size of the data has shown to fit.
    #[inline(always)]
    fn set(&mut self, row: usize, end: usize) {
        match self {
            Self::Small(ends) => ends[row] = (end as i32).to_ne_bytes(),
            Self::Large(ends) => ends[row] = (end as i64).to_ne_bytes(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Small(ends) => ends.len(),
            Self::Large(ends) => ends.len(),
        }
    }
}

/// Writes the values of a column in the order of its rows; rows that are passed over are empty.
pub struct TextWriter<'a> {
    validity: &'a mut [u8],
    ends: Ends<'a>,
    data: &'a mut [u8],
    has_nulls: &'a mut bool,
    used: &'a mut usize,
    row: usize,
}

impl TextWriter<'_> {
    /// Return room for the value of a row, to be written.
    #[inline(always)]
    pub fn value(&mut self, row: usize, length: usize) -> &mut [u8] {
        self.pass(row);
        let start = *self.used;
        *self.used += length;
        &mut self.data[start..start + length]
    }

    /// Make a row null.
    pub fn set_null(&mut self, row: usize) {
        self.validity[row / 8] &= !(1 << (row % 8));
        *self.has_nulls = true;
    }

    /// End all rows before `row`.
    #[inline(always)]
    fn pass(&mut self, row: usize) {
        while self.row < row {
            self.ends.set(self.row, *self.used);
            self.row += 1;
        }
    }
}

impl Drop for TextWriter<'_> {
    /// End the rows that are left.
    fn drop(&mut self) {
        self.pass(self.ends.len());
    }
}
