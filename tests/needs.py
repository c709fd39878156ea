"""What tests need of the machine. Without it they are skipped on a developer's machine, and fail in CI."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it in CI.

    Args:
        what: is missing, and how to get it.
    """
    pytest.fail(what) if os.environ.get("CI") else pytest.skip(what)


def program(name: str) -> str:
    """Return the path of a program.

    Args:
        name: looked for on the PATH.
    """
    return shutil.which(name) or missing(f"no `{name}` on the PATH")
