"""Which implementation of the kernels runs, and on which instruction set: the best there is, unless told otherwise.

``CAPE_KERNELS`` is ``python`` or ``native``; ``CAPE_NATIVE_ISA`` is ``avx512``, ``sha``, ``avx2`` or ``portable``.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from cape_airflow.errors import CapeError


def is_native() -> bool:
    """Whether the native kernels run.

    Raises:
        CapeError: they are asked for and were not built, or what is asked for does not exist.
    """
    asked = os.environ.get("CAPE_KERNELS")
    if asked not in {None, "python", "native"}:
        raise CapeError("CAPE_KERNELS is neither `python` nor `native`; unset it for the best there is")
    is_built = find_spec("cape_airflow.kernels._native") is not None
    if asked == "native" and not is_built:
        raise CapeError("CAPE_KERNELS asks for native kernels, which were not built; install with Rust, or unset it")
    return is_built and asked != "python"


def instruction_set(available: list[str]) -> str:
    """Return the instruction set to use.

    Args:
        available: what the machine has, best first.

    Raises:
        CapeError: another one is asked for.
    """
    asked = os.environ.get("CAPE_NATIVE_ISA") or available[0]
    if asked not in available:
        raise CapeError(f"CAPE_NATIVE_ISA is none of {', '.join(available)}, which this machine has")
    return asked
