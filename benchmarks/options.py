"""How much is measured, and with which of our kernels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NATIVE: Mapping[str, str] = {"CAPE_KERNELS": "native"}
TWIN: Mapping[str, str] = {"CAPE_KERNELS": "python"}


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Args:
        rows: of the whole job. Kernels get half, a million at most; sizes go from a hundredth to twice as many.
        rounds: that every contender does.
        folder: where files go: inputs and the last outputs.
        peers: whether environments are made for peers; without them, they are shown as left out.
    """

    rows: int
    rounds: int
    folder: Path
    peers: bool = True


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
