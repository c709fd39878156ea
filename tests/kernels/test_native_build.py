"""What installing from source does with Rust, without it, and where no crate can be fetched."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Build = Callable[..., Path]

has_rust = pytest.mark.skipif(shutil.which("cargo") is None, reason="no Rust toolchain")


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that can build wheels."""
    folder = tmp_path_factory.mktemp("builder")
    venv.create(folder, with_pip=True)
    return folder / "bin/python"


@pytest.fixture
def build(repository: Path, builder: Path, tmp_path: Path) -> Build:
    """Build a wheel from a copy of the sources, as pip does."""
    sources = tmp_path / "sources"
    unwanted = shutil.ignore_patterns("*.pyc", "*.so", "target")
    for name in ("cape_airflow", "rust"):
        shutil.copytree(repository / name, sources / name, ignore=unwanted)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(repository / name, sources)

    def wheel(**environment: str) -> Path:
        command = [builder, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path / "out", sources]
        home = pwd.getpwuid(os.getuid()).pw_dir  # where the toolchain is; this test run has another one
        subprocess.run(command, check=True, env=os.environ | {"HOME": home} | environment)
        [built] = (tmp_path / "out").glob("*.whl")
        return built

    return wheel


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def native_files(wheel: Path) -> list[str]:
    return [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith((".so", ".pyd"))]


@has_rust
@pytest.mark.integration
def test_with_rust_the_wheel_has_the_native_kernels_for_every_python_from_3_11(build: Build) -> None:
    wheel = build()
    assert native_files(wheel) == ["cape_airflow/kernels/_native.abi3.so"]
    assert "-cp311-abi3-" in wheel.name


@pytest.mark.integration
def test_without_rust_the_wheel_is_pure_python(build: Build) -> None:
    folders = os.environ["PATH"].split(os.pathsep)
    wheel = build(PATH=os.pathsep.join(folder for folder in folders if not (Path(folder) / "cargo").exists()))
    assert native_files(wheel) == []
    assert wheel.name.endswith("-py3-none-any.whl")


@has_rust
@pytest.mark.integration
def test_where_no_crate_can_be_fetched_the_install_soon_goes_on_without(
    build: Build, silent_server: socket.socket, tmp_path: Path
) -> None:
    start, proxy = time.monotonic(), f"http://127.0.0.1:{silent_server.getsockname()[1]}"
    wheel = build(CARGO_HOME=str(tmp_path / "cargo"), CARGO_HTTP_PROXY=proxy)
    assert native_files(wheel) == []
    assert time.monotonic() - start < 60
    silent_server.accept()[0].close()  # cargo did ask
