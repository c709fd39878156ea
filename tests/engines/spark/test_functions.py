from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from cape_airflow.engines.spark.functions import name_of, user_function, written_function
from cape_airflow.errors import CapeError

FACTOR = 3


def _times(value: int) -> int:
    return value * FACTOR


def build(value: int) -> int:
    return _times(value) + 1


def test_a_function_goes_with_what_it_calls_to_a_process_that_cannot_import_its_module(tmp_path) -> None:
    script = (
        "import sys; from cape_airflow.engines.spark.functions import user_function;"
        "print(user_function(sys.stdin.read())(4), __name__ in sys.modules and 'test_functions' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        input=written_function(build),
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.stdout.split()[-2:] == ["13", "False"]


def test_an_import_path_is_left_as_it_is_and_found_by_the_driver() -> None:
    assert written_function("os.path:basename") == "os.path:basename"
    assert user_function("os.path:basename")("/a/b") == "b"
    assert written_function(None) is None


@pytest.mark.parametrize("path", ["os.path:nothing", "no.such.module:x", "os", "", ":x"])
def test_a_path_that_leads_nowhere_says_how_to_write_it(path: str) -> None:
    with pytest.raises(CapeError, match="module:name"):
        user_function(path)


def test_what_cannot_be_sent_is_refused_with_the_way_out() -> None:
    lock = threading.Lock()

    def locked(value: int) -> int:
        with lock:
            return value

    with pytest.raises(CapeError, match="import path"):
        written_function(locked)


def test_people_call_a_function_by_its_module_and_name() -> None:
    assert name_of(build).endswith(":build")
    assert name_of("a:b") == "a:b"
