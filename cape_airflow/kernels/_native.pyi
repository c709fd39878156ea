"""The Rust crate in `rust/`, where it was built."""

from pyarrow import Buffer

# Length, offset, whether offsets have 64 bits, validity bitmap, offsets, data.
Column = tuple[int, int, bool, Buffer | None, Buffer, Buffer | None]
# Validity bitmap, offsets, data.
Text = tuple[Buffer | None, Buffer, Buffer]

def instruction_sets() -> list[str]: ...
def hmac_sha256_hex(column: Column, key: bytes, prefix: str, digits: int, isa: str) -> Text: ...
def sha256_suffix_hex(column: Column, suffix: bytes, digits: int, isa: str) -> Text: ...
