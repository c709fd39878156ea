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
}

/// Columns of text under construction: nulls and offsets are in place, the bytes of the values are not.
pub struct TextOutput {
    validity: Option<Allocation>,
    offsets: Allocation,
    data: Allocation,
}

impl TextOutput {
    /// Lay out a column with the nulls of `column` and values of the lengths that `length_of` gives for its rows.
    pub fn new(py: Python<'_>, column: &Column<'_>, length_of: impl Fn(usize) -> usize + Sync) -> PyResult<Self> {
        let total = py.detach(|| column.valid_rows().try_fold(0usize, |sum, row| sum.checked_add(length_of(row))));
        let limit = if column.is_large { i64::MAX as usize } else { i32::MAX as usize };
        let total = total.filter(|&total| total <= limit).ok_or_else(|| {
            PyOverflowError::new_err("the result has more than 2 GiB of text; use smaller batches or large_string")
        })?;
        let mut output = Self {
            validity: if column.may_have_nulls() {
                Some(Allocation::new(py, column.length.div_ceil(8))?)
            } else {
                None
            },
            offsets: Allocation::new(py, (column.length + 1) * if column.is_large { 8 } else { 4 })?,
            data: Allocation::new(py, total)?,
        };
        py.detach(|| output.lay_out(column, &length_of));
        Ok(output)
    }

    /// The bytes of all values, one after the other.
    pub fn data(&mut self) -> &mut [u8] {
        self.data.as_mut_slice()
    }

    /// Make more rows null; their values stay where they are.
    pub fn set_null(&mut self, py: Python<'_>, column: &Column<'_>, rows: &[usize]) -> PyResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.validity.is_none() {
            let mut all = Allocation::new(py, column.length.div_ceil(8))?;
            all.as_mut_slice().fill(0xff);
            self.validity = Some(all);
        }
        if let Some(bits) = &mut self.validity {
            let bits = bits.as_mut_slice();
            rows.iter().for_each(|row| bits[row / 8] &= !(1 << (row % 8)));
        }
        Ok(())
    }

    /// Hand over `(validity, offsets, data)`.
    pub fn into_tuple(self, py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
        (self.validity.map(|bits| bits.object), self.offsets.object, self.data.object).into_pyobject(py)
    }

    fn lay_out(&mut self, column: &Column<'_>, length_of: impl Fn(usize) -> usize) {
        let bytes = self.offsets.as_mut_slice();
        if column.is_large {
            lay_out_offsets(bytes.as_chunks_mut().0, column, length_of, |end| (end as i64).to_ne_bytes());
        } else {
            lay_out_offsets(bytes.as_chunks_mut().0, column, length_of, |end| (end as i32).to_ne_bytes());
        }
        if let Some(bits) = &mut self.validity {
            for (index, byte) in bits.as_mut_slice().iter_mut().enumerate() {
                let rows = 8 * index..column.length.min(8 * index + 8);
                *byte = rows.fold(0, |byte, row| byte | u8::from(column.is_valid(row)) << (row % 8));
            }
        }
    }
}

#[inline(always)]
fn lay_out_offsets<const SIZE: usize>(
    offsets: &mut [[u8; SIZE]],
    column: &Column<'_>,
    length_of: impl Fn(usize) -> usize,
    bytes_of: impl Fn(usize) -> [u8; SIZE],
) {
    let (first, others) = offsets.split_first_mut().expect("a column of n rows has n + 1 offsets");
    *first = bytes_of(0);
    let mut end = 0;
    for (row, offset) in others.iter_mut().enumerate() {
        end += if column.is_valid(row) { length_of(row) } else { 0 };
        *offset = bytes_of(end);
    }
}
