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
    /// Whether characters are bytes.
    is_ascii: bool,
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
            Ok(Self { alphabet, meanings, sizes, is_ascii: last < 0x80 })
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
        let start = numerals.len();
        numerals.resize(start + text.len(), 0);
        let places = &mut numerals[start..];
        let found = if self.is_ascii {
            take(text.iter().map(|&byte| self.meanings[usize::from(byte)]), places)
        } else {
            let meaning = |character: char| self.meanings.get(character as usize).copied().unwrap_or(FOREIGN);
            str::from_utf8(text).ok().and_then(|text| take(text.chars().map(meaning), places))
        };
        numerals.truncate(start + found.unwrap_or(0));
        found.is_some()
    }

    /// Replace a text by one with other numerals in the places of those that were read.
    #[inline(always)]
    pub fn write(&self, numerals: &[u16], text: &mut Vec<u8>) {
        if self.is_ascii && numerals.len() == text.len() {
            let characters = numerals.iter().map(|&numeral| self.alphabet[usize::from(numeral)] as u8);
            text.iter_mut().zip(characters).for_each(|(byte, character)| *byte = character);
            return;
        }
        let mut numerals = numerals.iter();
        let next = |character: char| match self.meanings[character as usize] {
            KEPT => character,
            _ => self.alphabet[usize::from(*numerals.next().expect("there are as many as were read"))],
        };
        *text = str::from_utf8(text).expect("it was read before").chars().map(next).collect::<String>().into_bytes();
    }
}

/// Write the numerals among some meanings to the first places, and count them; none if a character was foreign.
#[inline(always)]
fn take(meanings: impl Iterator<Item = u32>, places: &mut [u16]) -> Option<usize> {
    let (mut count, mut is_fine) = (0, true);
    for meaning in meanings {
        places[count] = meaning as u16;
        count += usize::from(meaning < KEPT);
        is_fine &= meaning != FOREIGN;
    }
    is_fine.then_some(count)
}
