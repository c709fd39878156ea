//! CMAC (NIST SP 800-38B), and S2V (RFC 5297, section 2.4) up to its last string.

use zeroize::Zeroizing;

use crate::aes::{Block, BlockCipher, SIZE, xor};

/// AES-CMAC under one key.
pub struct Cmac {
    /// The block cipher.
    pub cipher: BlockCipher,
    /// What is added to a last block that is whole.
    pub whole: Zeroizing<Block>,
    /// What is added to a last block that had to be padded.
    pub padded: Zeroizing<Block>,
}

impl Cmac {
    /// Derive the subkeys (section 6.1).
    pub fn new(cipher: BlockCipher) -> Self {
        let whole = Zeroizing::new(doubled(&Zeroizing::new(cipher.encrypted([0; SIZE]))));
        let padded = Zeroizing::new(doubled(&whole));
        Self { cipher, whole, padded }
    }

    /// The chaining value of S2V after some strings, before the last one.
    pub fn chained<'a>(&self, strings: impl Iterator<Item = &'a [u8]>) -> Zeroizing<Block> {
        let start = Zeroizing::new(self.mac(&[0; SIZE]));
        strings.fold(start, |chain, string| {
            let mut next = Zeroizing::new(doubled(&chain));
            xor(&mut next, &self.mac(string));
            next
        })
    }

    /// The MAC of one message (section 6.2).
    fn mac(&self, message: &[u8]) -> Block {
        let last = message.len().saturating_sub(1) / SIZE * SIZE;
        let mut state = [0; SIZE];
        for block in message[..last].as_chunks().0 {
            xor(&mut state, block);
            state = self.cipher.encrypted(state);
        }
        let mut end = [0; SIZE];
        let rest = &message[last..];
        end[..rest.len()].copy_from_slice(rest);
        if rest.len() < SIZE {
            end[rest.len()] = 0x80;
        }
        xor(&mut end, if rest.len() < SIZE { &self.padded } else { &self.whole });
        xor(&mut state, &end);
        self.cipher.encrypted(state)
    }
}

/// The product with x in GF(2^128), without a branch.
pub fn doubled(block: &Block) -> Block {
    let number = u128::from_be_bytes(*block);
    ((number << 1) ^ ((number >> 127) * 0x87)).to_be_bytes()
}
