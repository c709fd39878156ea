"""The whole job: Parquet in, a policy with eight kinds of column, Parquet out, beside plain copies of the same file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.environments import OURS, Unavailable
from benchmarks.inputs import customers
from benchmarks.options import NATIVE, TWIN, Options, cores
from benchmarks.processes import Contender, once
from benchmarks.report import Goal, Section, Table, cell
from benchmarks.rounds import Measured, interleaved, ratio

COPIES = {"pyarrow": OURS, "polars": "polars", "duckdb": "duckdb", "datafusion": "datafusion"}
JOBS: dict[str, tuple[Mapping[str, str], dict[str, str]]] = {
    "policy, native": (NATIVE, {}),
    "policy, native, all Snappy": (NATIVE, {"compression": "snappy"}),
    "policy, twin": (TWIN, {}),
    "copy, ours (a policy that keeps all)": (NATIVE, {"policy": "keep.yaml"}),
}
KEPT = "policy, native"  # its output is copied on
CAPE = "policy, cape-dataframes"
CAPE_SHARE = 200  # of the rows it gets one in so many: it takes a tenth of a second for each thousand

WORDS = """\
{rows:,} rows through `policy.yaml`: keyed hash, deterministic encryption, rounding, truncation, mask, redaction, drop
and keep. All read the same file, and write Snappy, row groups of 131,072 rows and their statistics. Dictionaries are as
each library chooses; ours also leaves columns uncompressed that hardly shrink, if it is not told to write all Snappy.
Figures are microseconds per row, medians; CPU time is that of all threads on one core; the peak is that of the process
on two. The copy of our output reads and writes what the policy made: tokens are longer than what they stand for, and
compress badly. cape-dataframes masks nothing (it drops those columns) and holds all rows in memory, so it gets
{few:,} rows."""

HEADS = (
    *("contender", "CPU", "to pyarrow's copy", "time, 1 core", "time, 2 cores", "2 cores faster by"),
    *("peak MB", "bytes out per row", "row groups"),
)


@dataclass
class _Outputs:
    """What was written; files are removed when they were looked at, but for the one that is copied on.

    Args:
        kept: the path of that one.
        footers: by contender and cores.
    """

    kept: str
    footers: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)

    def look(self, contender: Contender) -> None:
        """Take note of an output and remove it.

        Raises:
            Unavailable: it has not the rows that it should have.
        """
        path, name = contender.arguments["target"], (contender.name, contender.cores)
        if name not in self.footers:
            self.footers[name] = once("copies:footer", path=path)
        if self.footers[name]["rows"] != contender.rows:
            raise Unavailable(f"wrote {self.footers[name]['rows']:,} rows instead of {contender.rows:,}")
        if path != self.kept:
            Path(path).unlink()


@dataclass
class _Results:
    """What was measured, by contender and cores."""

    measured: dict[tuple[str, int], Measured]
    outputs: _Outputs

    def of(self, name: str, used: int = 1) -> Measured:
        """Return what was measured on so many cores."""
        missing = Measured(Contender(name, "", {}, rows=1), missing=f"not measured on {used} cores")
        return self.measured.get((name, used), missing)

    def row(self, name: str) -> tuple[str, ...]:
        """Return a row of the table."""
        one, two = self.of(name), self.of(name, 2)
        if one.missing:
            return name, f"not available: {one.missing}", *("-" for _ in HEADS[2:])
        footer = self.outputs.footers[name, 1]
        return (
            name,
            cell(lambda: one.per_row("cpu") * 1e6),
            cell(lambda: ratio(one, self.of("copy, pyarrow"))),
            cell(lambda: one.per_row("seconds") * 1e6),
            cell(lambda: two.per_row("seconds") * 1e6),
            cell(lambda: ratio(one, two, "seconds")),
            cell(lambda: (one if two.missing else two).peak / 1e6),
            cell(lambda: footer["bytes"] / footer["rows"]),
            str(footer["groups"]),
        )

    def goals(self) -> list[Goal]:
        """Return the goals of the whole job."""
        native, snappy, twin = map(self.of, ("policy, native", "policy, native, all Snappy", "policy, twin"))
        pyarrow = self.of("copy, pyarrow")
        return [
            Goal("native to pyarrow's copy, CPU", partial(ratio, native, pyarrow), 1.15, at_most=True),
            Goal("native, all Snappy, to pyarrow's copy, CPU", partial(ratio, snappy, pyarrow), 1.15, at_most=True),
            Goal("native to the fastest copy, CPU", lambda: ratio(native, self._fastest_copy()), 1.5, at_most=True),
            Goal(
                "native, all Snappy, to the fastest copy, CPU",
                lambda: ratio(snappy, self._fastest_copy()),
                1.5,
                at_most=True,
            ),
            Goal("twin to pyarrow's copy, CPU", partial(ratio, twin, pyarrow), 2, at_most=True),
            Goal("native faster than cape-dataframes, CPU", partial(ratio, self.of(CAPE), native), 20),
            Goal(
                "native on 2 cores faster than on 1, time",
                partial(ratio, native, self.of("policy, native", 2), "seconds"),
                1.7,
            ),
        ]

    def _fastest_copy(self) -> Measured:
        """Return the fastest of all copies: if one was not measured, nobody knows which that is."""
        return min((self.of(f"copy, {name}") for name in COPIES), key=lambda copy: copy.per_row("cpu"))


def section(options: Options) -> Section:
    """Measure; return the part of the report."""
    source = customers("parquet", options.rows, options)
    contenders = [each for used in (1, 2) if used <= cores() for each in _contenders(source, options, used)]
    outputs = _Outputs(kept=_target(KEPT, 1, options))
    outcomes = interleaved(contenders, options, outputs.look)
    results = _Results({(each.contender.name, each.contender.cores): each for each in outcomes}, outputs)
    return Section(
        "Whole job",
        WORDS.format(rows=options.rows, few=_few(options)),
        [Table(HEADS, [results.row(contender.name) for contender in contenders if contender.cores == 1])],
        results.goals(),
    )


def _contenders(source: str, options: Options, used: int) -> list[Contender]:
    """Return what is measured on that many cores, in this order."""
    rows = options.rows

    def paths(name: str) -> dict[str, str]:
        return {"source": source, "target": _target(name, used, options)}

    copies = [
        Contender(f"copy, {name}", f"copies:with_{name}", {**paths(name), "cores": used}, rows, environment, used)
        for name, environment in COPIES.items()
    ]
    jobs = [
        Contender(name, "ours:job", {**paths(name), **arguments}, rows, OURS, used, variables)
        for name, (variables, arguments) in JOBS.items()
    ]
    output = {**paths("output"), "source": _target(KEPT, 1, options), "cores": used}
    of_output = Contender("copy of our output, pyarrow", "copies:with_pyarrow", output, rows, OURS, used)
    few = {**paths("cape"), "rows": _few(options)}
    cape = Contender(CAPE, "peers:cape_job", few, _few(options), "cape-dataframes", used)
    return [*copies, *jobs, of_output, *([cape] if used == 1 else [])]


def _target(name: str, used: int, options: Options) -> str:
    return str(options.folder / f"{name}-{used}.parquet")


def _few(options: Options) -> int:
    return max(options.rows // CAPE_SHARE, 1)
