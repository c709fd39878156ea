"""What a DAG file costs the DAG processor, which parses each one again and again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import cape_airflow.example_dags

EXAMPLES = sorted(Path(cape_airflow.example_dags.__path__[0]).glob("cape_*.py"))
ROUNDS = 4
PEER = """
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

with DAG("peer", schedule=None):
    PythonOperator(task_id="python", python_callable=print)
"""
# As the DAG processor does it: a process that has imported Airflow forks for each file. CPU seconds of the child.
SCRIPT = """
import json, os, sys, time
import airflow.dag_processing.processor
from airflow.dag_processing.dagbag import DagBag

def seconds(path):
    reading, writing = os.pipe()
    if os.fork() == 0:
        begun = time.process_time()
        errors = DagBag(dag_folder=path).import_errors
        took = time.process_time() - begun
        os.write(writing, json.dumps([took, list(errors.values())]).encode())
        os._exit(0)
    os.wait()
    took, errors = json.loads(os.read(reading, 65536))
    assert not errors, errors
    return took

rounds = [{path: seconds(path) for path in sys.argv[2:]} for _ in range(int(sys.argv[1]))]
print(json.dumps({path: min(each[path] for each in rounds) for path in sys.argv[2:]}))
"""


@pytest.mark.integration
def test_an_example_parses_without_error_in_under_twice_the_time_of_a_dag_with_a_python_operator(
    tmp_path: Path, outside_environment: dict[str, str]
) -> None:
    peer = tmp_path / "peer.py"
    peer.write_text(PEER)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROUNDS), str(peer), *map(str, EXAMPLES)],
        env={**outside_environment, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    took = json.loads(ran.stdout.splitlines()[-1])
    limit = 2 * took.pop(str(peer))
    assert len(took) == len(EXAMPLES)
    assert {path: seconds for path, seconds in took.items() if seconds >= limit} == {}, (took, limit)
