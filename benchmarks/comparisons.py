"""What is compared with what: one column each, by our kernels, by loops that one would write, and by peers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.environments import OURS
from benchmarks.options import NATIVE, TWIN
from benchmarks.processes import Contender

KEY = {"ref": "benchmark"}
HASH = {"type": "keyed-hash", "key": KEY}
SIV = {"type": "deterministic-encryption", "key": KEY}
FF1 = {"type": "format-preserving-encryption", "key": KEY, "version": 1}
NOISE = {"type": "add-noise", "min": -100, "max": 100, "consistent": True, "key": KEY}
CHEAP: dict[str, dict[str, object]] = {
    "salary": {"type": "round", "precision": -3},
    "seen": {"type": "date-truncate", "unit": "month"},
    "phone": {"type": "character-mask", "keep_last": 4},
    "note": {"type": "suppress-value"},
}
NO_SHA = {"OPENSSL_ia32cap": ":~0x20000000"}  # bit 29 of the second word, see OPENSSL_ia32cap(3)

LOOP, LOOP_NO_SHA = "pre-keyed hashlib loop", "pre-keyed hashlib loop, SHA instructions off"
CAPE = "cape-dataframes"
AESSIV, CAPE_SIV, FF3 = "reused AESSIV object", "cape-dataframes ReversibleTokenizer", "ff3 (FF3-1)"


@dataclass(frozen=True)
class Column:
    """The first rows of one column of the Arrow file."""

    source: str
    name: str
    rows: int

    def contender(
        self,
        name: str,
        task: str,
        share: int = 1,
        environment: str = OURS,
        variables: Mapping[str, str] | None = None,
        **arguments: object,
    ) -> Contender:
        """Return a contender for one in `share` of the rows; the other arguments are those of `Contender`."""
        rows = max(self.rows // share, 1)
        place: dict[str, object] = {"source": self.source, "column": self.name, "rows": rows}
        return Contender(name, task, place | arguments, rows, environment, 1, variables or {})

    def kernel(self, name: str, kernel: str, variables: Mapping[str, str]) -> Contender:
        """Return one of our kernels."""
        return self.contender(name, "ours:kernel", variables=variables, kernel=kernel)

    def kernels(self, kernel: str) -> tuple[Contender, Contender]:
        """Return one of our kernels, native and twin."""
        return self.kernel("native", kernel, NATIVE), self.kernel("twin", kernel, TWIN)

    def policy(self, name: str, transform: Mapping[str, object], variables: Mapping[str, str] = NATIVE) -> Contender:
        """Return a policy of one of our transformations."""
        return self.contender(name, "ours:technique", variables=variables, transform=transform)


@dataclass(frozen=True)
class Comparison:
    """Contenders that do the same to one column.

    Args:
        title: of the table.
        against: the name of the contender that the others are compared to.
        contenders: in the order of their turns.
        goals: name of the fast one, of the slow one, and how many times as fast it should be at least.
    """

    title: str
    against: str
    contenders: tuple[Contender, ...]
    goals: tuple[tuple[str, str, float], ...] = ()


def comparisons(source: str, rows: int) -> Iterator[Comparison]:
    """Yield all comparisons with others."""
    email, card, salary = (Column(source, name, rows) for name in ("email", "card", "salary"))
    yield _keyed_hash(email)
    yield _deterministic_encryption(email)
    yield Comparison(
        "FF1 of 16 digits, AES-256",
        FF3,
        (*card.kernels("ff1"), card.policy("policy, native", FF1), card.contender(FF3, "peers:ff3", 500, "ff3")),
        (("native", FF3, 500), ("twin", FF3, 250)),
    )
    philox = "numpy Philox, a new draw for each row"
    yield Comparison(
        "Uniform noise, the same for the same value",
        philox,
        (
            salary.policy("policy, native", NOISE),
            salary.policy("policy, twin", NOISE, TWIN),
            salary.contender(philox, "loops:philox"),
        ),
    )


def _keyed_hash(email: Column) -> Comparison:
    sets = ("avx512", "sha", "avx2", "portable")
    return Comparison(
        "HMAC-SHA-256 of e-mail addresses",
        LOOP,
        (
            *(email.kernel(f"native-{isa}", "hmac_sha256", {**NATIVE, "CAPE_NATIVE_ISA": isa}) for isa in sets),
            email.kernel("twin", "hmac_sha256", TWIN),
            email.policy("policy, native", HASH),
            email.contender(LOOP, "loops:prekeyed_hashlib", 2),
            email.contender(LOOP_NO_SHA, "loops:prekeyed_hashlib", 2, variables=NO_SHA),
            email.contender("hmac.digest loop", "loops:hmac_digest", 2),
            email.contender("polars-hash", "peers:polars_hmac", 2, "polars-hash"),
            email.contender("presidio-structured (salted hash)", "peers:presidio", 50, "presidio", operator="hash"),
            email.contender(
                "cape-dataframes Tokenizer (salted hash)", "peers:cape", 5, CAPE, transformation="Tokenizer"
            ),
        ),
        (
            *(("native-avx2", slow, 10) for slow in (LOOP, LOOP_NO_SHA)),
            ("native-avx2", "polars-hash", 6),
            *(("native-avx512", slow, 18) for slow in (LOOP, LOOP_NO_SHA)),
            ("native-avx512", "polars-hash", 12),
        ),
    )


def _deterministic_encryption(email: Column) -> Comparison:
    return Comparison(
        "AES-SIV of e-mail addresses",
        AESSIV,
        (
            *email.kernels("aes_siv"),
            email.policy("policy, native", SIV),
            email.contender(AESSIV, "loops:aes_siv", 5),
            email.contender(CAPE_SIV, "peers:cape", 200, CAPE, transformation="ReversibleTokenizer"),
            email.contender("presidio-structured (AES-CBC)", "peers:presidio", 50, "presidio", operator="encrypt"),
        ),
        (("native", AESSIV, 25), ("native", CAPE_SIV, 3000), ("twin", AESSIV, 5)),
    )


def beside_copies(source: str, rows: int) -> list[tuple[Contender, Contender]]:
    """Return policies of cheap transformations, each with a plain copy of its column."""
    columns = [(Column(source, name, rows), transform) for name, transform in CHEAP.items()]
    return [
        (
            column.policy(f"{transform['type']} of `{column.name}`", transform),
            column.contender("copy", "loops:copy"),
        )
        for column, transform in columns
    ]
