//! Instruction sets: which this machine has, and which is used.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A way to run the hash; AES chooses for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// 16 values in registers of 512 bits.
    Avx512,
    /// The SHA instructions, two values at a time.
    Sha,
    /// 16 values in pairs of registers of 256 bits.
    Avx2,
    /// 16 values in what every CPU of the architecture has.
    Portable,
}

impl Isa {
    const BEST_FIRST: [Self; 4] = [Self::Avx512, Self::Sha, Self::Avx2, Self::Portable];

    /// The name for reports and for `CAPE_NATIVE_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Sha => "sha",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return match self {
            Self::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
            Self::Sha => {
                is_x86_feature_detected!("sha")
                    && is_x86_feature_detected!("ssse3")
                    && is_x86_feature_detected!("sse4.1")
            }
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::Portable => true,
        };
        #[cfg(not(target_arch = "x86_64"))]
        return self == Self::Portable;
    }
}

/// The instruction sets of this machine, best first.
pub fn available_isas() -> impl Iterator<Item = Isa> {
    Isa::BEST_FIRST.into_iter().filter(|isa| isa.is_available())
}

impl<'py> FromPyObject<'_, 'py> for Isa {
    type Error = PyErr;

    /// From its name; refuses what the machine does not have, so that an `Isa` from Python can always run.
    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let name: &str = object.extract()?;
        available_isas()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| PyValueError::new_err(format!("this machine has no instruction set {name}")))
    }
}
