//! An alphabet whose characters are numerals, and characters that are kept.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

const FOREIGN: u32 = u32::MAX;
const KEPT: u32 = u32::MAX - 1;

/// What the characters of a text mean.
pub struct Script {
    alphabet: Vec<char>,
    /// By code point: a numeral, `KEPT` or `FOREIGN`; past the end all are foreign.
    meanings: Vec<u32>,
    /// Bytes of the shortest and of the longest character.
    sizes: [usize; 2],
}

impl Script {
    /// Take an alphabet of 2 to 65,536 characters, each once and none of them in `keep`.
    pub fn new(alphabet: &str, keep: &str) -> PyResult<Self> {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let last = alphabet.iter().copied().chain(keep.chars()).max().map_or(0, |last| last as usize);
        let mut meanings = vec![FOREIGN; last.max(0xff) + 1];
        keep.chars().for_each(|character| meanings[character as usize] = KEPT);
        let mut is_fine = (2..=1 << 16).contains(&alphabet.len());
        for (&character, numeral) in alphabet.iter().zip(0..) {
            is_fine &= meanings[character as usize] == FOREIGN;
            meanings[character as usize] = numeral;
        }
        let sizes = || alphabet.iter().map(|character| character.len_utf8());
        let sizes = [sizes().min().unwrap_or(1), sizes().max().unwrap_or(1)];
        if is_fine {
            Ok(Self { alphabet, meanings, sizes })
        } else {
            Err(PyValueError::new_err("an alphabet has 2 to 65,536 distinct characters, none of which is kept"))
        }
    }

    /// The number of numerals.
    pub fn radix(&self) -> u32 {
        self.alphabet.len() as u32
    }

    /// How many bytes a text may have once its numerals have changed.
    pub fn most_bytes(&self, text: &[u8]) -> usize {
        let [shortest, longest] = self.sizes;
        text.len().saturating_mul(longest).div_ceil(shortest)
    }

    /// Append the numerals of a text; tell whether there was nothing else but what is kept.
    #[inline(always)]
    pub fn read(&self, text: &[u8], numerals: &mut Vec<u16>) -> bool {
        let Ok(text) = str::from_utf8(text) else { return false };
        for character in text.chars() {
            match self.meanings.get(character as usize) {
                Some(&KEPT) => {}
                None | Some(&FOREIGN) => return false,
                Some(&numeral) => numerals.push(numeral as u16),
            }
        }
        true
    }

    /// Append a text with other numerals in the places of those that were read.
    #[inline(always)]
    pub fn write(&self, text: &[u8], numerals: &[u16], result: &mut Vec<u8>) {
        let mut numerals = numerals.iter();
        for character in str::from_utf8(text).expect("it was read before").chars() {
            let is_kept = self.meanings[character as usize] == KEPT;
            let next = if is_kept { character } else { self.alphabet[usize::from(*numerals.next().expect("as many"))] };
            result.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}
