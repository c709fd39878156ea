"""The loops over values: small functions from Arrow arrays to Arrow arrays of the same length, null in, null out.

This is the one place that chooses between implementations; a native one gives the same bytes behind the same names.
"""

from cape_airflow.kernels.hashing import hmac_sha256_hex, sha256_suffix_hex
from cape_airflow.kernels.siv import aes_siv_decrypt_hex, aes_siv_encrypt_hex

__all__ = [
    "aes_siv_decrypt_hex",
    "aes_siv_encrypt_hex",
    "hmac_sha256_hex",
    "implementation",
    "sha256_suffix_hex",
]


def implementation() -> str:
    """Return which implementation runs, for job reports and bug reports: ``python``."""
    return "python"
