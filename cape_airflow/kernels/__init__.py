"""The loops over values: small functions from Arrow arrays to Arrow arrays of the same length, null in, null out.

This is the one place that chooses between implementations: the native one, where it was built, gives the same bytes
behind the same names (see `docs/native.md`).
"""

from cape_airflow.kernels.choice import is_native

if is_native():
    from cape_airflow.kernels.native import (
        INSTRUCTION_SET,
        aes_siv_decrypt_hex,
        aes_siv_encrypt_hex,
        ff1_decrypt,
        ff1_encrypt,
        hmac_sha256,
        prf_words,
        sha256_suffix,
    )

    _IMPLEMENTATION = f"native-{INSTRUCTION_SET}"
else:
    from cape_airflow.kernels.ff1 import ff1_decrypt, ff1_encrypt
    from cape_airflow.kernels.hashing import hmac_sha256, sha256_suffix
    from cape_airflow.kernels.prf import prf_words
    from cape_airflow.kernels.siv import aes_siv_decrypt_hex, aes_siv_encrypt_hex

    _IMPLEMENTATION = "python"

__all__ = [
    "aes_siv_decrypt_hex",
    "aes_siv_encrypt_hex",
    "ff1_decrypt",
    "ff1_encrypt",
    "hmac_sha256",
    "implementation",
    "prf_words",
    "sha256_suffix",
]


def implementation() -> str:
    """Return what runs, for job reports and bug reports: ``native-`` and an instruction set, or ``python``."""
    return _IMPLEMENTATION
