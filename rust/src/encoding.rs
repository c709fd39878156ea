//! How a digest becomes a token.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::hex;
use crate::sha256::DIGEST;

/// The characters of tokens.
#[derive(Clone, Copy)]
pub enum Encoding {
    /// 64 lower-case digits.
    Hex,
    /// 52 lower-case characters of the alphabet of RFC 4648, section 6, without padding.
    Base32,
    /// The 32 bytes as they are.
    Raw,
}

impl Encoding {
    /// Write the token, or its start; the usual lengths without a call.
    #[inline(always)]
    pub fn write(self, digest: &[u8; DIGEST], token: &mut [u8]) {
        match (self, token.len()) {
            (Self::Hex, 64) => token.copy_from_slice(hex::digits(digest).as_flattened()),
            (Self::Hex, length) => token.copy_from_slice(&hex::digits(digest).as_flattened()[..length]),
            (Self::Base32, length) => token.copy_from_slice(&base32(digest).as_flattened()[..length]),
            (Self::Raw, 32) => token.copy_from_slice(digest),
            (Self::Raw, length) => token.copy_from_slice(&digest[..length]),
        }
    }
}

/// A character for every five bits, without a table; the last four of the 56 mean nothing.
#[inline(always)]
fn base32(digest: &[u8; DIGEST]) -> [[u8; 8]; 7] {
    const PAIR: u64 = 0x0000_0001_0000_0001;
    const FOUR: u64 = 0x0001_0001_0001_0001;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut padded = [0; 40];
    padded[..DIGEST].copy_from_slice(digest);
    let mut text = [[0; 8]; 7];
    for (index, characters) in text.iter_mut().enumerate() {
        let bits = u64::from_be_bytes(*padded[5 * index..].first_chunk().expect("eight bytes")) >> 24;
        // 40 bits become two parts of 20, those four of 10, those eight numbers of 5.
        let parts = split(bits, 0xf_ffff, 20, 12);
        let parts = split(parts, 0x3ff * PAIR, 10, 6);
        let numbers = split(parts, 0x1f * FOUR, 5, 3);
        let digits = (numbers + 6 * ONES) >> 5 & ONES; // 1 for 26 and more
        *characters = (numbers + u64::from(b'a') * ONES - digits * 73).to_be_bytes(); // b'2' - 26 is b'a' - 73
    }
    text
}

/// Open a gap in the middle of each part, whose lower half is `low` and has `half` bits.
#[inline(always)]
fn split(parts: u64, low: u64, half: u32, gap: u32) -> u64 {
    parts & low | (parts & low << half) << gap
}

impl<'py> FromPyObject<'_, 'py> for Encoding {
    type Error = PyErr;

    /// From its name in policies.
    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract()? {
            "hex" => Ok(Self::Hex),
            "base32" => Ok(Self::Base32),
            "raw" => Ok(Self::Raw),
            name => Err(PyValueError::new_err(format!("there is no encoding {name}"))),
        }
    }
}
