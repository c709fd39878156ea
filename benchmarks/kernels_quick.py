"""Nanoseconds per value of every kernel, native beside its twin, on one core: ``python benchmarks/kernels_quick.py``.

Contenders take turns, so that whatever else the machine does hits all of them; the least CPU time of all rounds counts.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from cape_airflow.kernels import _native, ff1, hashing, native, prf, siv

Contenders = dict[str, Callable[[], object]]

KEY = bytes(range(64))
BOUND = [b"1", b"domain"]


def on(instruction_set: str, function: Callable[[], object]) -> Callable[[], object]:
    """Return the function, run on an instruction set."""

    def run() -> object:
        native.INSTRUCTION_SET = instruction_set
        return function()

    return run


def one_by_one(emails: pa.Array) -> list[bytes]:
    """Encrypt with one reused object of `cryptography`, value by value."""
    cipher = AESSIV(KEY)
    return [cipher.encrypt(value, BOUND) for value in emails.cast(pa.binary()).to_pylist()]


def contenders(rows: int) -> dict[str, Contenders]:
    """Return, for each task, what does it; the twin first."""
    numbers = random.Random(6)
    emails = pa.array([f"{numbers.randbytes(4).hex()}.{row:06d}@example.com" for row in range(rows)])
    notes = pa.array(["x" * numbers.randrange(200) for _ in range(rows)])
    cards = pa.array([f"{numbers.randrange(10**16):016d}" for _ in range(rows)])
    words = np.random.default_rng(6).integers(0, 2**63, (rows, 1)).astype(np.uint64)
    sealed = siv.aes_siv_encrypt_hex(emails, KEY, associated_data=BOUND)
    tasks: dict[str, Contenders] = {}
    for name, column in (("HMAC-SHA-256, e-mails", emails), ("HMAC-SHA-256, 0 to 199 bytes", notes)):
        tasks[name] = {"twin": partial(hashing.hmac_sha256, column, KEY)}
        for isa in _native.instruction_sets():
            tasks[name][f"native-{isa}"] = on(isa, partial(native.hmac_sha256, column, KEY))
    tasks["AES-SIV encrypt, e-mails"] = {
        "twin": partial(siv.aes_siv_encrypt_hex, emails, KEY, associated_data=BOUND),
        "native": partial(native.aes_siv_encrypt_hex, emails, KEY, associated_data=BOUND),
        "one AESSIV object": partial(one_by_one, emails),
    }
    tasks["AES-SIV decrypt, e-mails"] = {
        "twin": partial(siv.aes_siv_decrypt_hex, sealed, KEY, associated_data=BOUND),
        "native": partial(native.aes_siv_decrypt_hex, sealed, KEY, associated_data=BOUND),
    }
    tasks["FF1 AES-256, 16 digits"] = {
        "twin": partial(ff1.ff1_encrypt, cards, KEY[:32], alphabet="0123456789"),
        "native": partial(native.ff1_encrypt, cards, KEY[:32], alphabet="0123456789"),
    }
    tasks["keyed words"] = {
        "twin": partial(prf.prf_words, words, KEY[:16]),
        "native": partial(native.prf_words, words, KEY[:16]),
    }
    return tasks


def least_times(tasks: dict[str, Contenders], rounds: int) -> dict[tuple[str, str], float]:
    """Return the least CPU time of each contender, in seconds."""
    least: dict[tuple[str, str], float] = {}
    for _ in range(rounds):
        for task, those in tasks.items():
            for name, run in those.items():
                start = time.process_time()
                run()
                spent = time.process_time() - start
                least[task, name] = min(spent, least.get((task, name), spent))
    return least


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    least = least_times(contenders(arguments.rows), arguments.rounds)
    print(f"{'task':32}{'contender':20}{'ns per value':>14}{'times the twin':>16}")
    for (task, name), seconds in least.items():
        speed = least[task, "twin"] / seconds
        print(f"{task:32}{name:20}{seconds / arguments.rows * 1e9:14.1f}{speed:16.1f}")


if __name__ == "__main__":
    main()
