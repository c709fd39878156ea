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

/// Write two lower-case digits for every byte.
#[inline(always)]
pub fn encode(bytes: &[u8], text: &mut [u8]) {
    let (blocks, rest) = bytes.as_chunks::<16>();
    let (pairs, end) = text.as_chunks_mut::<32>();
    for (block, text) in blocks.iter().zip(pairs.iter_mut()) {
        *text = digits_of(block);
    }
    if !rest.is_empty() {
        let mut block = [0; 16];
        block[..rest.len()].copy_from_slice(rest);
        end.copy_from_slice(&digits_of(&block)[..2 * rest.len()]);
    }
}

/// Read two digits of either case for every byte; tell whether there was nothing else, and as many as needed.
#[inline(always)]
pub fn decode(text: &[u8], bytes: &mut [u8]) -> bool {
    let mut wrong = u8::from(text.len() != 2 * bytes.len());
    for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        let [high, low] = pair.map(value);
        *byte = high << 4 | low & 15;
        wrong |= (high | low) & 0xf0;
    }
    wrong == 0
}

/// The value of a digit; more than 15 for everything else.
#[inline(always)]
fn value(character: u8) -> u8 {
    let digit = character.wrapping_sub(b'0');
    let letter = (character | 0x20).wrapping_sub(b'a');
    let is_digit = u8::from(digit < 10).wrapping_neg();
    let is_letter = u8::from(letter < 6).wrapping_neg();
    digit & is_digit | letter.wrapping_add(10) & is_letter | !(is_digit | is_letter)
}

#[inline(always)]
fn digits_of(block: &[u8; 16]) -> [u8; 32] {
    let mut text = [0; 32];
    for (word, text) in block.as_chunks::<4>().0.iter().zip(text.as_chunks_mut::<8>().0) {
        *text = digits(u32::from_be_bytes(*word));
    }
    text
}
