"""The machine that a report was written on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.environments import REQUIREMENTS
from benchmarks.options import cores

FLAGS = ("aes", "vaes", "sha_ni", "avx2", "avx512f", "avx512bw", "avx512vl", "asimd", "sha2")
CPU = {"model name": "model", "cpu family": "family", "model": "number", "flags": "flags", "Features": "flags"}


def description() -> str:
    """Return a list of what matters for the figures."""
    cpu = _cpu()
    flags = [flag for flag in FLAGS if flag in cpu.get("flags", "").split()]
    ours = ", ".join(f"{name} {version(name)}" for name in ("pyarrow", "numpy", "cryptography"))
    peers = sorted({pin.replace("==", " ") for pins in REQUIREMENTS.values() for pin in pins if "==" in pin})
    model = f"family {cpu.get('family', '?')} model {cpu.get('number', '?')}"
    return "\n".join(
        [
            f"- {datetime.now(UTC):%Y-%m-%d}, {platform.platform()}, load average before: {_load()}",
            f"- {cpu.get('model') or platform.processor()}, {model}, {cores()} cores; {' '.join(flags)}",
            f"- Python {platform.python_version()}, {ours}, {_rust()}",
            f"- peers: {', '.join(peers)}",
        ]
    )


def _cpu() -> dict[str, str]:
    """Return what Linux tells about its first processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().split("\n\n")[0].splitlines() if path.exists() else []
    pairs = (line.partition(":") for line in lines)
    return {CPU[name.strip()]: value.strip() for name, _, value in pairs if name.strip() in CPU}


def _load() -> str:
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


def _rust() -> str:
    if not shutil.which("rustc"):
        return "no Rust"
    answer = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False)  # noqa: S607 - of the PATH
    return answer.stdout.strip() or "no Rust that runs"
