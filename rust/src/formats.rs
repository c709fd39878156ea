//! Columns of text that FF1 converts to text of the same format.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::column::{Column, ColumnBuffers};
use crate::ff1::{Direction, Ff1};
use crate::output::{TextOutput, TextWriter};
use crate::script::Script;

/// Values that are converted together.
const WINDOW: usize = 512;

/// Convert a column; null for values with foreign characters and for those with fewer numerals than `shortest`.
pub fn convert<'py>(
    py: Python<'py>,
    buffers: &ColumnBuffers,
    script: &Script,
    mut ff1: Ff1,
    direction: Direction,
    shortest: usize,
) -> PyResult<Bound<'py, PyTuple>> {
    let column = buffers.column()?;
    let mut output = TextOutput::new(py, &column, |row| script.most_bytes(column.value(row)))?;
    py.detach(|| {
        let mut window = Window { column: &column, script, shortest, members: Vec::new(), numerals: Vec::new() };
        let mut texts = output.writer();
        for row in column.valid_rows() {
            window.add(row);
            if window.members.len() == WINDOW {
                window.convert(&mut ff1, direction, &mut texts);
            }
        }
        window.convert(&mut ff1, direction, &mut texts);
    });
    output.into_tuple(py)
}

/// Some values of a column.
struct Window<'a> {
    column: &'a Column<'a>,
    script: &'a Script,
    shortest: usize,
    members: Vec<Member>,
    numerals: Vec<u16>,
}

struct Member {
    row: usize,
    start: usize,
    /// Numerals; none for a value that is refused.
    length: usize,
}

impl Window<'_> {
    #[inline(always)]
    fn add(&mut self, row: usize) {
        let start = self.numerals.len();
        let is_fine = self.script.read(self.column.value(row), &mut self.numerals);
        let length = self.numerals.len() - start;
        let length = if is_fine && length >= self.shortest { length } else { 0 };
        self.numerals.truncate(start + length);
        self.members.push(Member { row, start, length });
    }

    /// Convert the values, write them, and forget them.
    fn convert(&mut self, ff1: &mut Ff1, direction: Direction, texts: &mut TextWriter<'_>) {
        let mut order: Vec<&Member> = self.members.iter().filter(|member| member.length > 0).collect();
        order.sort_by_key(|member| member.length);
        for equals in order.chunk_by(|left, right| left.length == right.length) {
            let starts: Vec<usize> = equals.iter().map(|member| member.start).collect();
            ff1.convert(direction, &mut self.numerals, &starts, equals[0].length);
        }
        let mut text = Vec::new();
        for member in &self.members {
            if member.length == 0 {
                texts.set_null(member.row);
                continue;
            }
            text.clear();
            text.extend_from_slice(self.column.value(member.row));
            self.script.write(&self.numerals[member.start..member.start + member.length], &mut text);
            texts.value(member.row, text.len()).copy_from_slice(&text);
        }
        self.members.clear();
        self.numerals.clear();
    }
}
