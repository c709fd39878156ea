"""The loops over values whose instructions `benchmarks.instructions` counts: each on a few rows, then on more."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pyarrow as pa

from benchmarks.contenders.customers import customers
from benchmarks.contenders.ours import POLICY, BenchmarkKey
from benchmarks.instructions import LARGE, SMALL
from cape_airflow import KeyRing, compile_plan, load_policy
from cape_airflow.engines import BoundPlan
from cape_airflow.kernels import ff1, native, prf, siv
from cape_airflow.policy import Transform
from cape_airflow.transformations import Binding, KeyReference, Transformation
from cape_airflow.transformations.noise import AddNoise

Tasks = dict[str, Callable[[int], object]]
"""What works on that many rows, by name."""

KEY, BOUND = bytes(range(64)), [b"1", b"benchmark"]
DIGITS = "0123456789"
NOISE = AddNoise(distribution="gaussian", scale=10.0, consistent=True, key=KeyReference(ref="benchmark"))


def hashes(emails: pa.Array) -> Tasks:
    """Return the native hashes, on the instruction sets that valgrind knows. The twin's loop is `hashlib`'s work."""
    kernels: Tasks = {
        "HMAC-SHA-256": lambda rows: native.hmac_sha256(emails[:rows], KEY),
        "HMAC-SHA-256 in base32": lambda rows: native.hmac_sha256(emails[:rows], KEY, encoding="base32"),
        "SHA-256 with suffix": lambda rows: native.sha256_suffix(emails[:rows], KEY),
    }
    return {f"{name}, {isa}": on(isa, run) for isa in ("portable", "avx2") for name, run in kernels.items()}


def on(isa: str, run: Callable[[int], object]) -> Callable[[int], object]:
    """Return the function, run on an instruction set."""

    def switched(rows: int) -> object:
        native.INSTRUCTION_SET = isa
        return run(rows)

    return switched


def ciphers(name: str, siv: ModuleType, ff1: ModuleType, prf: ModuleType, batch: pa.RecordBatch) -> Tasks:
    """Return the loops around AES of one implementation."""
    emails, cards = batch["email"], batch["card"]
    sealed = siv.aes_siv_encrypt_hex(emails, KEY, associated_data=BOUND)
    encrypted = ff1.ff1_encrypt(cards, KEY[:32], alphabet=DIGITS)
    words = np.arange(len(batch), dtype=np.uint64).reshape(-1, 1)
    return {
        f"AES-SIV encrypt, {name}": lambda n: siv.aes_siv_encrypt_hex(emails[:n], KEY, associated_data=BOUND),
        f"AES-SIV decrypt, {name}": lambda n: siv.aes_siv_decrypt_hex(sealed[:n], KEY, associated_data=BOUND),
        f"FF1 encrypt, {name}": lambda n: ff1.ff1_encrypt(cards[:n], KEY[:32], alphabet=DIGITS),
        f"FF1 decrypt, {name}": lambda n: ff1.ff1_decrypt(encrypted[:n], KEY[:32], alphabet=DIGITS),
        f"keyed words, {name}": lambda n: prf.prf_words(words[:n], KEY[:16]),
    }


def techniques(batch: pa.RecordBatch) -> Tasks:
    """Return the transformations of the policy of eight kinds of column, and all of it; and consistent noise."""
    plan, keys = compile_plan(load_policy(POLICY.read_text()), batch.schema), KeyRing(BenchmarkKey())
    steps = [(step.column, step.transformation) for step in plan.steps if isinstance(step, Transform)]
    bound = BoundPlan(plan, keys)
    tasks = {kind.type: technique(kind, keys, batch[name]) for name, kind in [*steps, ("salary", NOISE)]}
    return tasks | {"the whole policy": lambda rows: bound.run(batch[:rows])}


def technique(transformation: Transformation, keys: KeyRing, column: pa.Array) -> Callable[[int], object]:
    """Return a transformation of the first rows."""
    kernel = transformation.bind(Binding(keys=keys, domain="benchmark"))
    return lambda rows: kernel(column[:rows])


def main() -> None:
    """Run each task on both numbers of rows, between marks that valgrind sees, and print its name."""
    [batch] = customers(0, LARGE).to_batches()
    tasks = techniques(batch) | hashes(batch["email"])
    tasks |= ciphers("native", native, native, native, batch) | ciphers("twin", siv, ff1, prf, batch)
    gc.disable()
    for name, run in tasks.items():
        run(SMALL)  # what is made once is made now
        for rows in (SMALL, LARGE):
            os.getppid()
            run(rows)
        os.getppid()
        print(name)
