//! What is the same for all values under one key, computed once.

use zeroize::Zeroizing;

use super::{BLOCK, DIGEST, DIGEST_PADDING, INITIAL, State, absorb_alone};

/// A hash whose key has been taken in: where every value starts, and what follows it.
pub struct Keyed<'a> {
    /// The chaining value before the value.
    pub start: Zeroizing<State>,
    /// Bytes hashed besides the value.
    pub taken: u64,
    /// What is hashed after the value.
    pub suffix: &'a [u8],
    /// For HMAC: the chaining value before the inner digest.
    pub outer: Option<Zeroizing<State>>,
}

impl<'a> Keyed<'a> {
    /// HMAC (RFC 2104, FIPS 198-1).
    pub fn hmac(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        if key.len() > BLOCK {
            block[..DIGEST].copy_from_slice(&*Zeroizing::new(bytes(&digest(key))));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let padded = |pad: u8| {
            let mut state = Zeroizing::new(INITIAL);
            absorb_alone(&mut state, &Zeroizing::new(block.map(|byte| byte ^ pad)));
            state
        };
        Self { start: padded(0x36), taken: BLOCK as u64, suffix: b"", outer: Some(padded(0x5c)) }
    }

    /// Go on from a chaining value, as bytes, and return the digest.
    #[inline(never)]
    pub fn finish_alone<'b>(
        &self,
        state: &[u8; DIGEST],
        blocks: impl Iterator<Item = &'b [u8; BLOCK]>,
    ) -> [u8; DIGEST] {
        let mut state = words(state);
        blocks.for_each(|block| absorb_alone(&mut state, block));
        if let Some(outer) = &self.outer {
            let mut block = [0; BLOCK];
            block[..DIGEST].copy_from_slice(&bytes(&state));
            block[DIGEST..].copy_from_slice(&bytes(&DIGEST_PADDING));
            state = **outer;
            absorb_alone(&mut state, &block);
        }
        bytes(&state)
    }

    /// SHA-256 of the value followed by `suffix`.
    pub fn suffix(suffix: &'a [u8]) -> Self {
        Self { start: Zeroizing::new(INITIAL), taken: suffix.len() as u64, suffix, outer: None }
    }
}

/// SHA-256 of one message.
fn digest(message: &[u8]) -> Zeroizing<State> {
    let mut state = Zeroizing::new(INITIAL);
    let (blocks, rest) = message.as_chunks();
    blocks.iter().for_each(|block| absorb_alone(&mut state, block));
    let mut last = Zeroizing::new([0; 2 * BLOCK]);
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let end = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
    last[end - 8..end].copy_from_slice(&(8 * message.len() as u64).to_be_bytes());
    last[..end].as_chunks().0.iter().for_each(|block| absorb_alone(&mut state, block));
    state
}

/// The words of a chaining value in their order, each with its first byte first.
fn bytes(state: &State) -> [u8; DIGEST] {
    let mut bytes = [0; DIGEST];
    bytes.as_chunks_mut().0.iter_mut().zip(state).for_each(|(bytes, word)| *bytes = word.to_be_bytes());
    bytes
}

/// The inverse of `bytes`.
fn words(bytes: &[u8; DIGEST]) -> State {
    let mut state = [0; 8];
    state.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = u32::from_be_bytes(*bytes));
    state
}
