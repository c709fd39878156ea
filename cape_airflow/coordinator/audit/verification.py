"""Verification of the audit log: does every row follow from the one before it, and does every checkpoint fit?

The chain by itself shows edits, removals, insertions and moves in its midst. That its end was cut off, or that all rows
from some place on were made again with new hashes, shows only against a checkpoint.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import rfc8785

from cape_airflow.coordinator.audit.chain import FIELDS, GENESIS, Entry, hash_of
from cape_airflow.coordinator.audit.checkpoints import Checkpoint


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written.

    Args:
        first, last: the rows that it is about, both included; `last` is None where the end of the log is meant.
        what: what is the matter, in words.
    """

    first: int
    last: int | None
    what: str

    def __str__(self) -> str:
        """Say where and what."""
        if self.last is None:
            return f"from row {self.first} on: {self.what}"
        rows = f"row {self.first}" if self.first == self.last else f"rows {self.first} to {self.last}"
        return f"{rows}: {self.what}"


@dataclass
class Report:
    """What a verification saw.

    Args:
        rows: how many.
        seq, head: number and hash of the last one.
        covered: number of the newest row that a fitting checkpoint covers; what comes after may still be cut off or
            made again unnoticed.
        rewritten: a checkpoint does not fit; later ones cannot then either.
    """

    seq: int = 0
    head: str = GENESIS
    rows: int = 0
    covered: int = 0
    rewritten: bool = False
    findings: list[Finding] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(entries: Iterable[Entry], checkpoints: Sequence[Checkpoint], known: Checkpoint | None = None) -> Report:
    """Compare a log with itself and with genuine checkpoints of it.

    Args:
        entries: rows in their order, from the first one; or from the one after `known` on.
        checkpoints: whose signatures were checked; in any order.
        known: where to begin; None for the beginning of the log.
    """
    report = Report() if known is None else Report(known.seq, known.head, known.rows, known.seq)
    waiting = deque(sorted((each for each in checkpoints if each.seq > report.seq), key=lambda each: each.seq))
    for entry in entries:
        fault = _fault(entry, report)
        if fault is not None:
            report.findings.append(fault)
        if not _whole(entry):
            continue
        while waiting and waiting[0].seq < entry["seq"]:
            _settle(waiting.popleft(), report, None)
        report.rows, report.seq, report.head = report.rows + 1, entry["seq"], entry["hash"]
        while waiting and waiting[0].seq == entry["seq"]:
            _settle(waiting.popleft(), report, entry["hash"])
    if waiting:
        what = f"gone: the checkpoint of {waiting[-1].time} reaches to row {waiting[-1].seq}"
        report.findings.append(Finding(report.seq + 1, None, what))
    return report


def _fault(entry: Entry, report: Report) -> Finding | None:
    """Return what is wrong with a row after those before it."""
    if not _whole(entry):
        return Finding(report.seq + 1, report.seq + 1, "what stands here is no row of the log")
    seq, before = entry["seq"], report.seq
    if seq <= before:
        return Finding(seq, seq, f"stands after row {before}: rows were moved or put in")
    if _hash(entry) != entry["hash"]:
        return Finding(seq, seq, "edited: its fields do not fit its hash")
    if entry["previous"] == report.head:
        return None
    if seq > before + 1:
        return Finding(
            before + 1, seq - 1, "taken out: the row after them follows from another one than the row before"
        )
    return Finding(seq, seq, "does not follow from the row before: that one was replaced, or this one was put in")


def _settle(checkpoint: Checkpoint, report: Report, head: str | None) -> None:
    """Compare a checkpoint with the hash of its row, None where that is not there; the first misfit counts."""
    if head == checkpoint.head:
        report.covered = checkpoint.seq
    elif not report.rewritten:
        report.rewritten = True
        what = f"not as the checkpoint of {checkpoint.time} has them: made again with new hashes, or another log"
        report.findings.append(Finding(report.covered + 1, checkpoint.seq, what))


def _whole(entry: Entry) -> bool:
    texts = (entry.get("previous"), entry.get("hash"))
    return set(entry) == set(FIELDS) and type(entry["seq"]) is int and all(isinstance(text, str) for text in texts)


def _hash(entry: Entry) -> str | None:
    try:
        return hash_of(entry)
    except rfc8785.CanonicalizationError:
        return None
