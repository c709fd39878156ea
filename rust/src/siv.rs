//! AES-SIV (RFC 5297) of many messages: each step of the chains of blocks is one call of AES for all of them.

use std::cmp::Reverse;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::aes::{Block, BlockCipher, SIZE, xor};
use crate::cmac::{Cmac, doubled};

/// AES-SIV under one pair of keys and one list of associated data.
pub struct Siv {
    mac: Cmac,
    stream: BlockCipher,
    /// What is added to the last two blocks of a message, by its [`Message::ending`].
    endings: Zeroizing<Vec<[Block; 2]>>,
}

impl Siv {
    /// Take in the keys, which are the halves of `key`, and the associated data.
    pub fn new(key: &[u8], associated_data: &[&[u8]]) -> PyResult<Self> {
        if !matches!(key.len(), 32 | 48 | 64) {
            return Err(PyValueError::new_err("AESSIV key must be 256, 384, or 512 bits."));
        }
        let (first, second) = key.split_at(key.len() / 2);
        let mac = Cmac::new(BlockCipher::new(first)?);
        let chain = mac.chained(associated_data.iter().copied());
        let endings = Zeroizing::new((0..=2 * SIZE).map(|length| ending(&mac, &chain, length)).collect());
        Ok(Self { mac, stream: BlockCipher::new(second)?, endings })
    }

    /// Replace plain text by cipher text, and give every message its synthetic IV.
    pub fn encrypt(&self, batch: &mut Batch) {
        let ivs = self.synthetic_ivs(batch);
        batch.messages.iter_mut().zip(ivs.iter()).for_each(|(message, iv)| message.iv = *iv);
        self.add_key_stream(batch);
    }

    /// Replace cipher text by plain text, and tell which messages are authentic.
    pub fn decrypt(&self, batch: &mut Batch) -> Vec<bool> {
        self.add_key_stream(batch);
        batch.clear_padding();
        let ivs = self.synthetic_ivs(batch);
        // All 128 bits are compared at once.
        let same = |(message, iv): (&Message, &Block)| u128::from_ne_bytes(message.iv) == u128::from_ne_bytes(*iv);
        batch.messages.iter().zip(ivs.iter()).map(same).collect()
    }

    /// S2V (section 2.4).
    fn synthetic_ivs(&self, batch: &Batch) -> Zeroizing<Vec<Block>> {
        let mut order: Vec<&Message> = batch.messages.iter().collect();
        order.sort_by_key(|message| Reverse(message.count));
        let mut states = vec![[0; SIZE]; order.len()];
        let mut active = order.len();
        for step in 0.. {
            active = order[..active].iter().take_while(|message| message.count > step).count();
            if active == 0 {
                break;
            }
            for (state, message) in states.iter_mut().zip(&order[..active]) {
                xor(state, &batch.blocks[message.first + step]);
                if let Some(place) = (step + 2).checked_sub(message.count) {
                    xor(state, &self.endings[message.ending()][place]);
                }
            }
            self.mac.cipher.encrypt(&mut states[..active]);
        }
        let mut ivs = Zeroizing::new(vec![[0; SIZE]; order.len()]);
        order.iter().zip(states).for_each(|(message, state)| ivs[message.number] = state);
        ivs
    }

    /// CTR mode from the synthetic IV on (section 2.5).
    fn add_key_stream(&self, batch: &mut Batch) {
        let mut counters = batch.messages.iter().flat_map(|message| {
            let start = u128::from_be_bytes(message.iv) & !(1 << 63 | 1 << 31);
            (0..message.count as u128).map(move |index| start.wrapping_add(index).to_be_bytes())
        });
        let mut stream = [[0; SIZE]; 512];
        for blocks in batch.blocks.chunks_mut(stream.len()) {
            let stream = &mut stream[..blocks.len()];
            stream.iter_mut().zip(&mut counters).for_each(|(block, counter)| *block = counter);
            self.stream.encrypt(stream);
            blocks.iter_mut().zip(&*stream).for_each(|(block, key)| xor(block, key));
        }
        stream.zeroize();
    }
}

/// What S2V and CMAC add to the last two blocks of a message whose [`Message::ending`] is `length`.
fn ending(mac: &Cmac, chain: &Block, length: usize) -> [Block; 2] {
    let mut both = [[0; SIZE]; 2];
    if length < SIZE {
        // The message is padded and added to the doubled chaining value, which makes one whole block.
        both[1] = doubled(chain);
        both[1][length] ^= 0x80;
        xor(&mut both[1], &mac.whole);
        return both;
    }
    both.as_flattened_mut()[length - SIZE..length].copy_from_slice(chain);
    if length == SIZE {
        both = [[0; SIZE], *chain]; // the only block is the last one
    }
    if length.is_multiple_of(SIZE) {
        xor(&mut both[1], &mac.whole);
    } else {
        both.as_flattened_mut()[length] ^= 0x80;
        xor(&mut both[1], &mac.padded);
    }
    both
}

/// A message in a batch.
pub struct Message {
    /// Its bytes.
    pub length: usize,
    /// Its synthetic IV.
    pub iv: Block,
    number: usize,
    first: usize,
    count: usize,
}

impl Message {
    /// What its last two blocks look like: their bytes; of a single block, at most 16.
    #[inline(always)]
    fn ending(&self) -> usize {
        self.length - self.count.saturating_sub(2) * SIZE
    }
}

/// Messages in blocks, one after the other, each filled up with zeros, and at least one block each.
#[derive(Default)]
pub struct Batch {
    messages: Vec<Message>,
    blocks: Zeroizing<Vec<Block>>,
}

impl Batch {
    /// Messages that are worked on together.
    const MESSAGES: usize = 512;
    /// Blocks beyond which no message is added.
    const BLOCKS: usize = 4096;

    /// Add a message and return its blocks, all zero, for it to be written to.
    #[inline(always)]
    pub fn add(&mut self, iv: Block, length: usize) -> &mut [Block] {
        let (first, count) = (self.blocks.len(), length.div_ceil(SIZE).max(1));
        self.messages.push(Message { length, iv, number: self.messages.len(), first, count });
        self.blocks.resize(first + count, [0; SIZE]);
        &mut self.blocks[first..]
    }

    /// Whether the batch should be worked on before more is added.
    pub fn is_full(&self) -> bool {
        self.messages.len() >= Self::MESSAGES || self.blocks.len() >= Self::BLOCKS
    }

    /// The messages and their bytes.
    pub fn messages(&self) -> impl Iterator<Item = (&Message, &[u8])> {
        self.messages.iter().map(|message| {
            let blocks = &self.blocks[message.first..message.first + message.count];
            (message, &blocks.as_flattened()[..message.length])
        })
    }

    /// Forget all messages.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.blocks.clear();
    }

    fn clear_padding(&mut self) {
        for message in &self.messages {
            self.blocks[message.first..][..message.count].as_flattened_mut()[message.length..].fill(0);
        }
    }
}
