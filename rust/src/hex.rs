//! Hexadecimal text, without a table and without a branch on the digits.

/// Two lower-case digits for every byte; of all bytes at once, as the compiler makes vectors of it.
#[inline(always)]
pub fn digits<const COUNT: usize>(bytes: &[u8; COUNT]) -> [[u8; 2]; COUNT] {
    let mut text = [[0; 2]; COUNT];
    for (pair, &byte) in text.iter_mut().zip(bytes) {
        let nibbles = (u16::from(byte) >> 4 | u16::from(byte) << 8) & 0x0f0f;
        let letters = (nibbles + 0x0606) >> 4 & 0x0101; // 1 for ten and more
        *pair = (nibbles + 0x3030 + letters * 39).to_le_bytes(); // b'a' - 10 is b'0' + 39
    }
    text
}

/// Write two lower-case digits for every byte.
#[inline(always)]
pub fn encode(bytes: &[u8], text: &mut [u8]) {
    let (blocks, rest) = bytes.as_chunks::<16>();
    let (pairs, end) = text.as_chunks_mut::<32>();
    for (block, text) in blocks.iter().zip(pairs) {
        text.copy_from_slice(digits(block).as_flattened());
    }
    if !rest.is_empty() {
        let mut block = [0; 16];
        block[..rest.len()].copy_from_slice(rest);
        end.copy_from_slice(&digits(&block).as_flattened()[..2 * rest.len()]);
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
