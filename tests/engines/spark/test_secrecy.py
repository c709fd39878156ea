"""No key, token or value in event logs, plans, the pages of the UI, or what Connect says of a plan."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

VALUE, KEY = "canary-value-of-a-person", bytes(range(100, 164))
HUGE = 2**63 - 2  # 2**63 - 1 stands on pages of the UI anyway

# In a process of its own: the UI and the event log are there for a whole session, and a process knows one kind only.
PROGRAM = """
import contextlib, io, json, sys, urllib.request
from pathlib import Path
from pyspark.sql import SparkSession
from cape_airflow import spark as on_spark
from cape_airflow.keys import Key, Secret

mode, folder, key = sys.argv[1], Path(sys.argv[2]), bytes.fromhex(sys.argv[3])

class Keys:
    def get(self, name): return Key(name, {1: Secret(key)})
    def names(self): return ()

rules = [
    {"match": {"name": "name"}, "actions": [{"transform": {"type": "keyed-hash", "key": {"ref": "k"}}}]},
    {"match": {"name": "n"}, "actions": [{"transform": {"type": "round", "precision": -1}}]},
    {"where": "name = 'nobody'", "actions": ["suppress-record"]},
]
policy = json.dumps({"label": "x", "version": 2, "domain": "d", "rules": rules})
builder = SparkSession.builder.master("local[2]") if mode == "classic" else SparkSession.builder.remote("local[2]")
for name, wanted in {
    "spark.eventLog.enabled": "true", "spark.eventLog.dir": (folder / "events").as_uri(), "spark.driver.memory": "1g",
    "spark.eventLog.compress": "false", "spark.ui.port": "0", "spark.driver.host": "127.0.0.1",
}.items():
    builder = builder.config(name, wanted)
spark = builder.getOrCreate()
output = on_spark.apply(policy, spark.read.parquet(str(folder / "in.parquet")), Keys())
said = io.StringIO()
with contextlib.redirect_stdout(said):
    output.explain(True)
    if mode != "classic":
        print(output._plan.print(), repr(output))
        output.explain("formatted")
output.write.parquet(str(folder / "out"))
broken = str(folder / "broken.parquet")
try:
    on_spark.apply(policy, spark.read.parquet(broken), Keys()).write.parquet(str(folder / "broken"))
except Exception as error:
    said.write(f"{error}\\n{error!r}")
(folder / "said").write_text(said.getvalue())
if mode == "classic":
    base, pages = spark.sparkContext.uiWebUrl, []
    app = spark.sparkContext.applicationId
    for path in ("/jobs/", "/stages/", "/environment/", "/executors/", "/SQL/", "/SQL/execution/?id=1",
                 f"/api/v1/applications/{app}/sql?details=true", f"/api/v1/applications/{app}/stages",
                 f"/api/v1/applications/{app}/environment"):
        pages.append(urllib.request.urlopen(base + path).read().decode())
    (folder / "pages").write_text("\\n".join(pages))
tokens = sorted({row["name"] for row in spark.read.parquet(str(folder / "out")).collect()})
(folder / "tokens").write_text(json.dumps(tokens))
spark.stop()
"""


def forms(key: bytes) -> list[str]:
    """Return the texts in which a key, or half of it, may stand somewhere."""
    parts = (key, key[:32], key[:12])
    return [
        form
        for part in parts
        for form in (part.hex(), base64.b64encode(part).decode()[:14], part.decode("latin-1"), repr(part)[2:-1])
    ]


@pytest.mark.parametrize("mode", ["classic", "connect"])
def test_nothing_that_spark_writes_or_shows_of_a_run_holds_a_key_a_token_or_a_value(mode, tmp_path) -> None:
    (tmp_path / "events").mkdir()
    for name, number in (("in", 20), ("broken", HUGE)):
        pq.write_table(pa.table({"name": [VALUE], "n": [number]}), tmp_path / f"{name}.parquet")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment = kept | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    words = [sys.executable, "-c", PROGRAM, mode, str(tmp_path), KEY.hex()]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    events = "\n".join(path.read_text() for path in (tmp_path / "events").rglob("*") if path.is_file())
    [token] = json.loads((tmp_path / "tokens").read_text())
    said = (tmp_path / "said").read_text()
    shown = {"events": events, "said": said, "log": done.stderr}
    if mode == "classic":
        shown["pages"] = (tmp_path / "pages").read_text()
        assert "de_identified" in shown["pages"]
    assert "de_identified" in said
    assert "round" in said  # the refusal
    assert "SparkListenerSQLExecutionStart" in events
    leaks = {
        (place, secret[:8])
        for place, text in shown.items()
        for secret in (*forms(KEY), token, VALUE, str(HUGE))
        if secret in text
    }
    assert leaks == set()
