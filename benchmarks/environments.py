"""The environments of the peers, below `.bench/`: made when they are first needed, and anew when their list changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".bench"
INSTALL_SECONDS = 900

OURS = "cape-airflow"
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "polars": ("polars==2.1.0",),
    "duckdb": ("duckdb==2.0.0",),
    "datafusion": ("datafusion==55.0.0",),
    "polars-hash": ("polars-hash==0.9.3", "polars==2.1.0", "pyarrow"),
    "ff3": ("ff3==1.0.3", "pyarrow"),
    # It does not say that it needs the last three.
    "cape-dataframes": (
        "cape-dataframes==0.3.1",
        "pandas==2.3.3",
        "pyarrow",
        "pyspark==3.5.9",
        "validators",
        "packaging",
    ),
    # Of the year in which it was written: it calls what later versions took away.
    "cape-dataframes-spark": (
        "cape-dataframes==0.3.1",
        "pyspark==3.3.4",
        "pandas==1.5.3",
        "numpy<2",
        "pyarrow==14.0.2",
        "psutil",
        "validators",
        "packaging",
    ),
    "presidio": ("presidio-structured==0.0.10", "presidio-anonymizer==2.2.366", "pandas==2.3.3", "pyarrow"),
}
PYTHONS = {"cape-dataframes-spark": "python3.10"}
"""Interpreters of environments that the one at hand is too new for, as they are found on the PATH."""


class Unavailable(Exception):
    """Something cannot be measured; the message says why."""


@cache
def python_of(name: str) -> Path:
    """Return the interpreter of an environment, which is made if need be.

    Raises:
        Unavailable: it could not be made.
    """
    if name == OURS:
        return Path(sys.executable)
    folder = FOLDER / "environments" / name
    python, made = folder / "bin" / "python", folder / "made-of"
    wanted = "\n".join(REQUIREMENTS[name])
    if not made.exists() or made.read_text() != wanted:
        print(f"preparing {folder.relative_to(ROOT)}", file=sys.stderr)
        make(folder, PYTHONS.get(name, sys.executable), REQUIREMENTS[name])
        made.write_text(wanted)
    return python


def make(folder: Path, base: str, requirements: Iterable[str]) -> Path:
    """Make an environment, in place of what is there; return its interpreter.

    Args:
        folder: of the environment.
        base: interpreter that it is made of.
        requirements: of pip.

    Raises:
        Unavailable: it could not be made.
    """
    python = folder / "bin" / "python"
    shutil.rmtree(folder, ignore_errors=True)
    if uv := _uv():
        _run(uv, "venv", "--quiet", "--no-python-downloads", "--python", base, folder)
        _run(uv, "pip", "install", "--quiet", "--python", python, *requirements)
    else:
        _run(base, "-m", "venv", folder)
        _run(python, "-m", "pip", "install", "--quiet", *requirements)
    return python


def _uv() -> str | None:
    """Return the uv that prepared `.venv`, if one did."""
    ours = ROOT / ".uv" / "bin" / "uv"
    return str(ours) if ours.exists() else shutil.which("uv")


def _run(*command: str | Path) -> None:
    words = [str(word) for word in command]
    try:
        subprocess.run(words, capture_output=True, text=True, check=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"not installed: {_last_line(error.stderr)}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"not installed: {type(error).__name__}") from None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
