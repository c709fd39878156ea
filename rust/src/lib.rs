//! Loops over Arrow columns for `cape_airflow.kernels`: many values side by side, no Python object per value.
//!
//! Every function takes a column as `(length, offset, is_large, validity, offsets, data)`, checks it, and returns
//! `(validity, offsets, data)` in memory of Arrow's own pool. The interpreter lock is released in between.

mod aes;
mod cmac;
mod column;
mod encoding;
mod ff1;
mod formats;
mod group;
mod hashing;
mod hex;
mod isa;
mod limbs;
mod output;
mod prf;
mod script;
mod sha256;
mod siv;
mod tokens;

use pyo3::prelude::*;

/// The module `cape_airflow.kernels._native`.
#[pymodule]
mod _native {
    use pyo3::prelude::*;
    use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
    use pyo3::types::PyTuple;

    use crate::aes::{self, BlockCipher};
    use crate::column::{Bytes, ColumnBuffers};
    use crate::encoding::Encoding;
    use crate::ff1::{Direction, Ff1};
    use crate::hashing::{Task, fixed_length_text};
    use crate::isa::{Isa, available_isas};
    use crate::output::Allocation;
    use crate::script::Script;
    use crate::sha256::Keyed;
    use crate::siv::Siv;
    use crate::{formats, prf, tokens};

    /// The instruction sets that this machine has, best first.
    #[pyfunction]
    fn instruction_sets() -> Vec<&'static str> {
        available_isas().map(Isa::name).collect()
    }

    /// HMAC-SHA-256 (RFC 2104) of each value: `prefix` and the first `length` characters of it.
    #[pyfunction]
    fn hmac_sha256<'py>(
        py: Python<'py>,
        column: ColumnBuffers,
        key: &[u8],
        encoding: Encoding,
        prefix: &str,
        length: usize,
        isa: Isa,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let task = Task { keyed: Keyed::hmac(key), encoding, prefix: prefix.as_bytes(), length, isa };
        fixed_length_text(py, &column, &task)
    }

    /// SHA-256 of each value followed by `suffix`: the first `length` characters of it.
    #[pyfunction]
    fn sha256_suffix<'py>(
        py: Python<'py>,
        column: ColumnBuffers,
        suffix: &[u8],
        encoding: Encoding,
        length: usize,
        isa: Isa,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let task = Task { keyed: Keyed::suffix(suffix), encoding, prefix: b"", length, isa };
        fixed_length_text(py, &column, &task)
    }

    /// AES-SIV (RFC 5297) of each value: `prefix`, then synthetic IV and cipher text in hex.
    #[pyfunction]
    fn aes_siv_encrypt_hex<'py>(
        py: Python<'py>,
        column: ColumnBuffers,
        key: &[u8],
        associated_data: Vec<PyBackedBytes>,
        prefix: &str,
    ) -> PyResult<Bound<'py, PyTuple>> {
        tokens::encrypt(py, &column, &siv(key, &associated_data)?, prefix.as_bytes())
    }

    /// What `aes_siv_encrypt_hex` encrypted; null for everything else.
    #[pyfunction]
    fn aes_siv_decrypt_hex<'py>(
        py: Python<'py>,
        column: ColumnBuffers,
        key: &[u8],
        associated_data: Vec<PyBackedBytes>,
        prefix: &str,
    ) -> PyResult<Bound<'py, PyTuple>> {
        tokens::decrypt(py, &column, &siv(key, &associated_data)?, prefix.as_bytes())
    }

    /// FF1 (NIST SP 800-38G) of each value; null where that cannot be.
    #[pyfunction]
    fn ff1<'py>(
        py: Python<'py>,
        column: ColumnBuffers,
        key: &[u8],
        script: (PyBackedStr, PyBackedStr),
        tweak: &[u8],
        shortest: usize,
        forward: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let (alphabet, keep) = &script;
        let script = Script::new(alphabet, keep)?;
        let ff1 = Ff1::new(BlockCipher::new(key)?, script.radix(), tweak);
        let direction = if forward { Direction::Encrypt } else { Direction::Decrypt };
        formats::convert(py, &column, &script, ff1, direction, shortest)
    }

    /// Two keyed random words for each row of `count` words.
    #[pyfunction]
    fn prf_words(py: Python<'_>, values: Bytes, count: usize, key: &[u8], draw: u64) -> PyResult<Py<PyAny>> {
        let cipher = BlockCipher::new(key)?;
        let rows = prf::rows(values.as_slice(), count, draw)?;
        let mut blocks = Allocation::new(py, rows * aes::SIZE)?;
        py.detach(|| prf::words(values.as_slice(), count, &cipher, draw, blocks.as_mut_slice()));
        Ok(blocks.into_object())
    }

    fn siv(key: &[u8], associated_data: &[PyBackedBytes]) -> PyResult<Siv> {
        Siv::new(key, &associated_data.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    }
}
