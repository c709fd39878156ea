"""Build the native kernels where there is a Rust toolchain that can fetch their crates; elsewhere, do without them."""

from __future__ import annotations

import os
import shutil

from setuptools import setup
from setuptools_rust import Binding, RustExtension

# Give up soon where the crates cannot be had: the Python twin gives the same bytes.
IMPATIENT = {"CARGO_NET_RETRY": "0", "CARGO_HTTP_TIMEOUT": "10"}

NATIVE = RustExtension(
    "cape_airflow.kernels._native",
    "rust/Cargo.toml",
    binding=Binding.PyO3,
    py_limited_api=True,
    debug=False,  # not even for editable installs
    cargo_manifest_args=["--locked"],
    rust_version=">=1.89",
    env=IMPATIENT | os.environ,
    optional=True,
)

setup(
    rust_extensions=[NATIVE] if shutil.which("cargo") else [],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
