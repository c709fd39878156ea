"""Fill `.venv` with what `uv.lock` says of a dependency group. Needs nothing but the Python (3.11+) that runs it.

Uses the uv on the PATH when it is new enough, else puts one into `.uv`; where uv cannot be had, pip installs the newest
versions that fit, and says so.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_UV = (0, 6, 0)  # reads the revision of uv.lock that we write


def run(*command: str | Path) -> None:
    """Run a command in the repository; its failure is ours."""
    subprocess.run([str(word) for word in command], cwd=ROOT, check=True)


def uv_version(uv: str) -> tuple[int, ...]:
    """Return the version of `uv`, or (0,) where it does not run (a pyenv shim, a broken install)."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", answer)[:3])


def find_uv() -> str | None:
    """Return a uv that is new enough, installing one into `.uv` if need be; None where it cannot be had."""
    on_path = shutil.which("uv")
    if on_path and uv_version(on_path) >= OLDEST_UV:
        return on_path
    ours = ROOT / ".uv" / "bin" / "uv"
    if not ours.exists():
        try:
            venv.create(ROOT / ".uv", with_pip=True, clear=True)
            run(ROOT / ".uv" / "bin" / "python", "-m", "pip", "install", "--quiet", "uv")
        except subprocess.CalledProcessError:
            return None
    return str(ours)


def install_with_uv(uv: str, group: str) -> None:
    """Install by the lock, and leave what is there of other groups."""
    only = ("--no-default-groups", "--group", group)
    run(uv, "sync", "--frozen", "--inexact", "--quiet", "--python", sys.executable, *only)


def install_with_pip(group: str) -> None:
    """Install without the lock: for platforms that have no uv."""
    sys.stdout.write("uv cannot be had here: pip installs without the lock file, so versions may differ from ours\n")
    venv.create(ROOT / ".venv", with_pip=True)
    python = ROOT / ".venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")  # --group came with pip 25.1
    run(python, "-m", "pip", "install", "--quiet", "--editable", ".", "--group", group)


def main(group: str) -> int:
    """Prepare `.venv`; return the exit status."""
    uv = find_uv()
    try:
        if uv:
            install_with_uv(uv, group)
        else:
            install_with_pip(group)
    except subprocess.CalledProcessError as error:
        command = " ".join(str(word) for word in error.cmd)
        hint = "; on Debian: apt-get install python3-venv" if "ensurepip" in command else ""
        sys.stderr.write(f"could not prepare .venv: `{command}` failed, see above{hint}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
