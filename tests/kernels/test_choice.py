from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

from cape_airflow.errors import CapeError
from cape_airflow.kernels import choice

IS_BUILT = find_spec("cape_airflow.kernels._native") is not None
needs_native = pytest.mark.skipif(not IS_BUILT, reason="the native kernels were not built")


def test_ci_tests_the_native_kernels_wherever_it_has_rust() -> None:
    assert IS_BUILT or os.environ.get("CI", "").lower() not in {"1", "true"} or shutil.which("cargo") is None


def implementation(**environment: str) -> str:
    """What a new process says that it runs, in an environment without the choice made for this test run."""
    choiceless = {name: value for name, value in os.environ.items() if name not in {"CAPE_KERNELS", "CAPE_NATIVE_ISA"}}
    code = "from cape_airflow import kernels; print(kernels.implementation(), kernels.hmac_sha256.__module__)"
    answer = subprocess.run(
        [sys.executable, "-c", code], env=choiceless | environment, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or answer.stderr.splitlines()[-1]


def test_the_environment_can_ask_for_the_twin() -> None:
    assert implementation(CAPE_KERNELS="python") == "python cape_airflow.kernels.hashing"


@needs_native
def test_native_kernels_run_where_they_were_built_on_the_best_instruction_set() -> None:
    from cape_airflow.kernels import _native

    best, *_ = _native.instruction_sets()
    assert implementation() == f"native-{best} cape_airflow.kernels.native"


@needs_native
def test_the_environment_can_ask_for_any_instruction_set_of_the_machine() -> None:
    from cape_airflow.kernels import _native

    for name in _native.instruction_sets():
        assert implementation(CAPE_NATIVE_ISA=name) == f"native-{name} cape_airflow.kernels.native"


def test_what_does_not_exist_is_refused_and_the_way_out_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPE_KERNELS", "fortran")
    with pytest.raises(CapeError, match=r"CAPE_KERNELS is neither `python` nor `native`; unset it"):
        choice.is_native()
    monkeypatch.setenv("CAPE_NATIVE_ISA", "mmx")
    with pytest.raises(CapeError, match="CAPE_NATIVE_ISA is none of avx2, portable, which this machine has"):
        choice.instruction_set(["avx2", "portable"])


def test_native_kernels_that_were_not_built_are_not_replaced_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPE_KERNELS", "native")
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    with pytest.raises(CapeError, match="CAPE_KERNELS asks for native kernels, which were not built"):
        choice.is_native()


def test_the_twin_serves_where_nothing_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAPE_KERNELS", raising=False)
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    assert not choice.is_native()
