//! The AES block cipher (FIPS 197) of RustCrypto, over many blocks at once.

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Bytes of a block.
pub const SIZE: usize = 16;

/// A block.
pub type Block = [u8; SIZE];

/// Blocks that the widest implementation (VAES on AVX-512) takes in one go.
const BATCH: usize = 64;

/// AES under one key, forward only; the round keys are zeroised in the end.
pub enum BlockCipher {
    /// 128-bit key.
    Aes128(Aes128Enc),
    /// 192-bit key.
    Aes192(Aes192Enc),
    /// 256-bit key.
    Aes256(Aes256Enc),
}

impl BlockCipher {
    /// Expand a key of 16, 24 or 32 bytes.
    pub fn new(key: &[u8]) -> PyResult<Self> {
        match key.len() {
            16 => Ok(Self::Aes128(Aes128Enc::new_from_slice(key).expect("16 bytes"))),
            24 => Ok(Self::Aes192(Aes192Enc::new_from_slice(key).expect("24 bytes"))),
            32 => Ok(Self::Aes256(Aes256Enc::new_from_slice(key).expect("32 bytes"))),
            other => Err(PyValueError::new_err(format!("Invalid key size ({}) for AES.", 8 * other))),
        }
    }

    /// Encrypt every block by itself.
    pub fn encrypt(&self, blocks: &mut [Block]) {
        let (batches, rest) = blocks.split_at_mut(blocks.len() / BATCH * BATCH);
        self.encrypt_batches(batches);
        if rest.len() < BATCH / 4 {
            self.encrypt_batches(rest);
        } else {
            // What does not fill a batch would go block by block.
            let mut batch = [[0; SIZE]; BATCH];
            batch[..rest.len()].copy_from_slice(rest);
            self.encrypt_batches(&mut batch);
            rest.copy_from_slice(&batch[..rest.len()]);
        }
    }

    /// Encrypt one block.
    pub fn encrypted(&self, block: Block) -> Block {
        let mut blocks = [block];
        self.encrypt_batches(&mut blocks);
        blocks[0]
    }

    fn encrypt_batches(&self, blocks: &mut [Block]) {
        let blocks = Array::cast_slice_from_core_mut(blocks);
        match self {
            Self::Aes128(cipher) => cipher.encrypt_blocks(blocks),
            Self::Aes192(cipher) => cipher.encrypt_blocks(blocks),
            Self::Aes256(cipher) => cipher.encrypt_blocks(blocks),
        }
    }
}

/// Exclusive or.
#[inline(always)]
pub fn xor(left: &mut Block, right: &Block) {
    *left = (u128::from_ne_bytes(*left) ^ u128::from_ne_bytes(*right)).to_ne_bytes();
}
