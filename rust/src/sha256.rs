//! SHA-256 (FIPS 180-4) of several messages side by side.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod keyed;
mod loops;
#[cfg(target_arch = "x86_64")]
mod sha_ni;

#[cfg(target_arch = "x86_64")]
pub use avx512::Sixteen;
pub use keyed::Keyed;
pub use loops::Loops;
#[cfg(target_arch = "x86_64")]
pub use sha_ni::Pairs;

/// Bytes of a message block.
pub const BLOCK: usize = 64;

/// Messages side by side.
pub const LANES: usize = 16;

/// Bytes of a digest.
pub const DIGEST: usize = 32;

/// One chaining value.
pub type State = [u32; 8];

/// The initial chaining value (section 5.3.3).
pub const INITIAL: State =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// The round constants (section 4.2.2).
const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
];

/// Chaining values that take a block each at the same time.
///
/// A value exists only on a CPU that has its instructions: whoever makes one answers for that.
pub trait States: Copy {
    /// So few messages are faster one by one, for the other lanes would be idle.
    const STRAGGLERS: usize;

    /// Start all from one chaining value.
    ///
    /// # Safety
    /// The CPU has the instructions of this implementation.
    unsafe fn start(state: &State) -> Self;

    /// Take one block each; all but the first `active` stay as they are.
    fn absorb(&mut self, blocks: &[&[u8; BLOCK]; LANES], active: usize);

    /// The outer hash of HMAC: start from one chaining value and take each digest as one padded block.
    fn hash_again(&mut self, outer: &State);

    /// The chaining values as bytes: digests, if nothing is left to take.
    fn digests(&self) -> [[u8; DIGEST]; LANES];
}

/// The last half of the block that is a digest in the outer hash of HMAC: its padding.
const DIGEST_PADDING: State = [0x8000_0000, 0, 0, 0, 0, 0, 0, 8 * (BLOCK + DIGEST) as u32];

/// Take one block on its own, on any CPU.
pub fn absorb_alone(state: &mut State, block: &[u8; BLOCK]) {
    loops::absorb_alone(state, block);
}
