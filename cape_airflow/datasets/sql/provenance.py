"""What a table says of its origin: a line in its comment, or a record of the jobs that wrote to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

LEDGER = "cape_jobs"
"""Table beside targets: a row for each job whose rows are in one. A retry of an append finds its own and adds none."""

LEDGER_COLUMNS = ("target", "job_id", "policy_digest", "row_count", "written_at")

_LINE = re.compile(r"(^|\n)cape: policy [0-9a-f]*, job [0-9a-f]*$")


@dataclass(frozen=True)
class Provenance:
    """Which job made an output, under which policy.

    Args:
        policy_digest: 64 hex digits; empty where the schema does not say.
        job_id: 32 hex digits.
    """

    policy_digest: str
    job_id: str

    def comment(self, earlier: str | None) -> str:
        """Return the comment of a table that had another: its text stays, the line about its origin is new."""
        kept = _LINE.sub("", earlier or "")
        return "\n".join([*([kept] if kept else []), f"cape: policy {self.policy_digest}, job {self.job_id}"])


def provenance(schema: pa.Schema, job_id: str) -> Provenance:
    """Return what the metadata of an output says of its origin."""
    return Provenance((schema.metadata or {}).get(b"cape.policy_digest", b"").decode(), job_id)
