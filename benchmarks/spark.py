"""Policies on Spark: cost per row by rows and by partitions, beside Spark's own copy and cape-dataframes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks import inputs
from benchmarks.comparisons import HASH, SIV
from benchmarks.environments import OURS
from benchmarks.inputs import customers
from benchmarks.options import NATIVE, Options
from benchmarks.processes import Contender
from benchmarks.report import Goal, Section, Table, cell
from benchmarks.rounds import Measured, interleaved, ratio

POLICY = Path(__file__).parent / "policy.yaml"
FILES = 80  # hold as many rows as the whole job; one file is read again and again, since Spark remembers nothing of it
SIZES = (8, 40, 160, 400)
PARTITIONS, PARTITIONED = (1, 4, 16, 64), 64
PEER_FILES = 8
FLAT = 1.15

COLUMNS = ("email", "card", "salary", "seen", "phone", "note", "ssn", "country")
CAPE_KEY = "0123456789abcdef0123456789abcdef"  # invented, and so are the data
OUR_TOKENS = {"keyed-hash": HASH, "deterministic-encryption": SIV}
CAPE_TOKENS = {name: {"type": name, "key": CAPE_KEY} for name in ("tokenizer", "reversible-tokenizer")}

WORDS = """\
One session of Spark that is warm, `local[2]`, 2 GB for the driver; microseconds per row, medians. CPU time is that of
the driver, the JVM and all Python workers. All laps read and write Parquet, {each:,} rows in each file and partition:
`policy.yaml` of the whole job, and Spark's own copy of the same files, which it reads and writes, nothing else. The
files of a lap are one file many times over. Starting the application is not counted."""


@dataclass(frozen=True)
class Lap:
    """One job within a session.

    Args:
        files: that it reads.
        rows: in all of them.
        columns: that it selects first.
        policy: its text; None for a plain copy.
        partitions: that the files are joined to; None for one each.
    """

    files: tuple[str, ...]
    rows: int
    columns: tuple[str, ...] = COLUMNS
    policy: str | None = None
    partitions: int | None = None


@dataclass(frozen=True)
class _Data:
    """A file that is read as often as rows are wanted."""

    file: str
    rows: int

    def lap(self, files: int, policy: str | None, partitions: int | None = None) -> Lap:
        """Return a lap over all columns."""
        return Lap((self.file,) * files, self.rows * files, COLUMNS, policy, partitions)

    def tokens(self, transform: Mapping[str, object], version: int) -> Lap:
        """Return a lap over one column of e-mail addresses."""
        rule = {"match": {"name": "email"}, "actions": [{"transform": transform}]}
        domain = {"domain": "benchmark"} if version > 1 else {}
        policy = json.dumps({"label": "tokens", "version": version, **domain, "rules": [rule]})
        return Lap((self.file,) * PEER_FILES, self.rows * PEER_FILES, ("email",), policy)

    def copy(self) -> Lap:
        """Return a lap that copies that column."""
        return Lap((self.file,) * PEER_FILES, self.rows * PEER_FILES, ("email",))


def section(options: Options) -> Section:
    """Measure; return the part of the report."""
    each = max(options.rows // FILES, 1)
    with inputs.folder(each * max(SIZES)) as folder:
        room = Options(options.rows, options.rounds, folder, options.peers)
        grown, growing = _growth(_Data(customers("parquet", each, room), each), room)
        compared, comparing = _peers(_Data(customers("parquet", each, room, null_share=0), each), room)
    return Section("Spark", WORDS.format(each=each), [*grown, compared], [*growing, *comparing])


def _growth(data: _Data, options: Options) -> tuple[list[Table], list[Goal]]:
    policy = POLICY.read_text()
    laps = [data.lap(files, made) for files in SIZES for made in (policy, None)]
    laps += [data.lap(PARTITIONED, policy, partitions) for partitions in PARTITIONS]
    [outcome] = interleaved([_contender("ours", OURS, laps, options)], options)
    measured = _by_lap(outcome, laps)
    sized, copies = measured[: 2 * len(SIZES) : 2], measured[1 : 2 * len(SIZES) : 2]
    parted = measured[2 * len(SIZES) :]
    sizes = Table(
        ("rows", "policy, CPU", "to the smallest", "time", "copy, CPU", "time", "policy to copy, CPU", "time"),
        [_size_row(lap, sized[0], copy) for lap, copy in zip(sized, copies, strict=True)],
    )
    partitions = Table(
        (f"partitions of {data.rows * PARTITIONED:,} rows", "policy, CPU", "to the fewest", "time"),
        [_cells(str(count), lap, parted[0]) for count, lap in zip(PARTITIONS, parted, strict=True)],
    )
    return [sizes, partitions], [
        Goal("dearest size to the cheapest, CPU per row", partial(_spread, sized, "cpu"), FLAT, at_most=True),
        Goal("dearest size to the cheapest, time per row", partial(_spread, sized, "seconds"), FLAT, at_most=True),
        Goal("dearest number of partitions to the cheapest, CPU", partial(_spread, parted, "cpu"), FLAT, at_most=True),
        Goal(
            "slowest number of partitions to the fastest, from 4 on, time",
            partial(_spread, parted[1:], "seconds"),
            FLAT,
            at_most=True,
        ),
    ]


def _peers(data: _Data, options: Options) -> tuple[Table, list[Goal]]:
    theirs = {"copy": data.copy(), **{name: data.tokens(spec, 1) for name, spec in CAPE_TOKENS.items()}}
    extra = {name: data.tokens(spec, 2) for name, spec in OUR_TOKENS.items()}
    mine = theirs | extra
    contenders = [
        _contender("ours", OURS, list(mine.values()), options),
        _contender("cape", "cape-dataframes-spark", list(theirs.values()), options),
    ]
    our_outcome, cape_outcome = interleaved(contenders, options)
    ours = dict(zip(mine, _by_lap(our_outcome, list(mine.values())), strict=True))
    cape = dict(zip(theirs, _by_lap(cape_outcome, list(theirs.values())), strict=True))
    rows = [_peer_row(f"ours, {name}", lap) for name, lap in ours.items()]
    rows += [_peer_row(f"cape-dataframes on Spark 3.3, {name}", lap) for name, lap in cape.items()]
    heads = (f"one column of {data.rows * PEER_FILES:,} e-mail addresses, without nulls", "CPU", "time")
    pairs = [
        ("keyed-hash", "tokenizer", 5),
        ("tokenizer", "tokenizer", 5),
        ("deterministic-encryption", "reversible-tokenizer", 100),
        ("reversible-tokenizer", "reversible-tokenizer", 100),
    ]
    return Table(heads, rows), [
        Goal(f"{name} faster than Cape's {other}, {what}", partial(ratio, cape[other], ours[name], unit), limit)
        for name, other, limit in pairs
        for what, unit in (("CPU", "cpu"), ("time", "seconds"))
    ]


def _contender(task: str, environment: str, laps: Sequence[Lap], options: Options) -> Contender:
    arguments = {"laps": [asdict(lap) for lap in laps], "target": str(options.folder / f"spark-{task}")}
    return Contender(task, f"spark:{task}", arguments, sum(lap.rows for lap in laps), environment, 2, NATIVE)


def _by_lap(outcome: Measured, laps: Sequence[Lap]) -> list[Measured]:
    """Return what was measured of each lap."""
    return [
        Measured(
            Contender(f"{lap.rows:,}", outcome.contender.task, {}, lap.rows),
            [answer["result"][place] for answer in outcome.rounds],
            outcome.missing,
        )
        for place, lap in enumerate(laps)
    ]


def _cells(name: str, lap: Measured, first: Measured) -> tuple[str, ...]:
    if lap.missing:
        return name, f"not available: {lap.missing}", "-", "-"
    return (
        name,
        cell(lambda: lap.per_row("cpu") * 1e6),
        cell(lambda: ratio(lap, first)),
        cell(lambda: lap.per_row("seconds") * 1e6),
    )


def _size_row(lap: Measured, first: Measured, copy: Measured) -> tuple[str, ...]:
    return (
        *_cells(lap.contender.name, lap, first),
        cell(lambda: copy.per_row("cpu") * 1e6),
        cell(lambda: copy.per_row("seconds") * 1e6),
        cell(lambda: ratio(lap, copy)),
        cell(lambda: ratio(lap, copy, "seconds")),
    )


def _peer_row(name: str, lap: Measured) -> tuple[str, ...]:
    if lap.missing:
        return name, f"not available: {lap.missing}", "-"
    return name, cell(lambda: lap.per_row("cpu") * 1e6), cell(lambda: lap.per_row("seconds") * 1e6)


def _spread(laps: Sequence[Measured], what: str) -> float:
    costs = [lap.per_row(what) for lap in laps]
    return max(costs) / min(costs)
