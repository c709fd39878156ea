"""Two folders that change places in one step: renameat2(2) with RENAME_EXCHANGE, which Python does not offer."""

from __future__ import annotations

import ctypes
import os
from errno import EINVAL, ENOSYS, ENOTSUP
from functools import cache
from pathlib import Path
from typing import Any

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(one: Path, other: Path) -> None:
    """Let two paths change places, so that each exists at every moment.

    Args:
        one: there.
        other: there, on the same disk.

    Raises:
        NotImplementedError: the kernel, or the disk, does not know how.
        OSError: it failed; both are where they were.
    """
    call = _renameat2()
    if call is None:
        raise NotImplementedError
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return
    error = ctypes.get_errno()
    if error in {EINVAL, ENOSYS, ENOTSUP}:
        raise NotImplementedError
    raise OSError(error, os.strerror(error))


@cache
def _renameat2() -> Any:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return call
