//! Hexadecimal text, without a table and without a branch on the digits.

const ONES: u64 = 0x0101_0101_0101_0101;

/// The eight lower-case hex digits of a word.
#[inline(always)]
pub fn digits(word: u32) -> [u8; 8] {
    let mut nibbles = u64::from(word);
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = (nibbles + 6 * ONES) >> 4 & ONES; // 1 for ten and more
    (nibbles + 0x30 * ONES + (letters << 5) + (letters << 3) - letters).to_be_bytes() // b'a' - 10 - b'0' is 39
}
