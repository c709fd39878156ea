"""``make bench``: measure, print the report, and put it into `README.md` if it is whole."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks import coordinator, inputs, job, kernels, machine, report, scale, spark, sql
from benchmarks.options import Options
from benchmarks.report import Section

PARTS: dict[str, Callable[[Options], Section]] = {
    "kernels": kernels.section,
    "job": job.section,
    "scale": scale.section,
    "spark": spark.section,
    "coordinator": coordinator.section,
    "sql": sql.section,
}
ON_THEIR_OWN = ("spark", "coordinator", "sql")
ROWS, QUICK_ROWS, ROUNDS = 10_000_000, 1_000_000, 3


def main() -> None:
    """Do what the command line says."""
    asked = _parser().parse_args()
    rows = asked.rows or (QUICK_ROWS if asked.quick else ROWS)
    words = [machine.description()]
    print(words[0], end="\n\n", flush=True)
    with inputs.folder(rows) as folder:
        options = Options(rows, asked.rounds, folder, not asked.no_peers)
        for part in [asked.only] if asked.only else [name for name in PARTS if name not in ON_THEIR_OWN]:
            words.append(str(PARTS[part](options)))
            print(words[-1], end="\n\n", flush=True)
    if asked.keep or not asked.only:
        report.write("\n\n".join(words), asked.only)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios to peers and to plain copies.")
    parser.add_argument("--rows", type=int, help=f"of the whole job, {ROWS:,} by default; all else follows it")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"that each contender does, {ROUNDS} by default")
    parser.add_argument("--only", choices=PARTS, help="one part, which is printed and not written down")
    parser.add_argument("--keep", action="store_true", help="write that part down, in a place of its own")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS:,} rows")
    parser.add_argument("--no-peers", action="store_true", help="make no environments for peers")
    return parser


if __name__ == "__main__":
    main()
