"""The main job through real Airflow, told step by step; see README.md beside this file."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console

from cape_airflow.client import CoordinatorClient, Job, Suggestion
from cape_airflow.errors import CapeError, CoordinatorRefused
from cape_airflow.keys import Secret
from evidence import before_and_after, leaks
from local_airflow import USER, AirflowFailed, LocalAirflow
from people import MAIL_DOMAIN, write_customers

HERE = Path(__file__).resolve().parent
WORK = HERE.parent.parent / ".demo"
SOURCE, TARGET = WORK / "customers.csv", WORK / "customers_deidentified.parquet"
ROWS = 200_000
TABLE_WIDTH = 108
DAG, PROJECT = "deidentify_customers", "customers"
FINAL = ("success", "failed", "upstream_failed")


class Leak(Exception):
    """Something of the input was found where it must not be."""


class Story:
    """Prints each step as it happens, with the seconds since the start."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.console.width = max(self.console.width, TABLE_WIDTH)
        self._start = time.monotonic()

    def tell(self, step: str) -> None:
        """Print one step."""
        self.console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/]  {step}")


@dataclass(frozen=True)
class People:
    """Who takes part, each with a client of their own token."""

    engineer: CoordinatorClient
    officer: CoordinatorClient
    officer_token: Secret


def main() -> int:
    """Run the demo; return the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--keep", action="store_true", help="leave Airflow running until Ctrl-C")
    keep = arguments.parse_args().keep
    signal.signal(signal.SIGTERM, _interrupt)
    story, airflow = Story(), LocalAirflow(WORK / "airflow", HERE / "dags")
    try:
        make_input(story)
        with airflow:
            people = run_job(story, airflow)
            if keep:
                stay(story, airflow, people)
    except KeyboardInterrupt:
        story.tell("stopped; nothing is left running")
        return 130
    except (AirflowFailed, CapeError, Leak) as error:
        story.console.print(airflow.log_tails(), markup=False)
        story.tell(f"[bold red]failed[/]: {error}")
        return 1
    story.tell("done; nothing is left running")
    return 0


def make_input(story: Story) -> None:
    """Invent the customers."""
    WORK.mkdir(exist_ok=True)
    TARGET.unlink(missing_ok=True)
    write_customers(SOURCE, ROWS)
    story.tell(f"invented {ROWS:,} customers: {_shown(SOURCE)} ({SOURCE.stat().st_size / 1e6:.0f} MB)")


def run_job(story: Story, airflow: LocalAirflow) -> People:
    """Suggest, wait, approve, transform, and look at what came out."""
    story.tell(f"Airflow is up at {airflow.url}; the coordinator runs inside its API server")
    people = set_up_project(story, airflow)
    suggestion = people.engineer.suggest(PROJECT, "First policy", (HERE / "policy.yaml").read_text())
    story.tell(f"the engineer suggested a policy, digest {suggestion.digest[:12]}…")
    run_id = start_run(story, airflow)
    review(story, people, suggestion)
    wait_for_run(airflow, run_id)
    [job] = people.officer.jobs(PROJECT)
    report(story, airflow, run_id, job)
    check(story, airflow)
    return people


def set_up_project(story: Story, airflow: LocalAirflow) -> People:
    """Make users, tokens, a project with keys, and Airflow's connection to the coordinator."""
    home = str(airflow.home / "cape")
    admin_is = ("--email", "admin@demo.example", "--name", "Admin")
    token = airflow.run("cape_airflow.cli", "coordinator", "init", "--home", home, *admin_is).split()[-1]
    admin = CoordinatorClient(airflow.coordinator_url, token)
    admin.create_project("Customers", PROJECT)
    roles = {"engineer": "project-owner", "officer": "project-owner", "airflow": "worker"}
    tokens = {}
    for name, role in roles.items():
        email = f"{name}@demo.example"
        admin.create_user(email, name.title())
        admin.set_contributor(PROJECT, email, role)
        tokens[name] = admin.create_token("demo", email).token
    admin.create_key(PROJECT, "customer", 32)
    admin.create_key(PROJECT, "national-id", 64)
    connect(airflow, tokens["airflow"].reveal().decode())
    story.tell("the project `customers` has an engineer, a privacy officer, a worker and two keys")
    engineer, officer = (CoordinatorClient(airflow.coordinator_url, tokens[name]) for name in ("engineer", "officer"))
    return People(engineer, officer, tokens["officer"])


def connect(airflow: LocalAirflow, token: str) -> None:
    """Give Airflow the connection `cape_default`, as a person would in its UI."""
    host, port = airflow.url.removeprefix("http://").split(":")
    connection = {"connection_id": "cape_default", "conn_type": "cape", "host": host, "port": int(port)}
    extra = '{"scheme": "http", "path_prefix": "/cape"}'
    airflow.call("POST", "connections", connection | {"password": token, "extra": extra})


def start_run(story: Story, airflow: LocalAirflow) -> str:
    """Start the DAG and wait until its sensor has left the worker to the triggerer."""
    airflow.wait_for("the DAG", lambda: _dag_is_known(airflow), seconds=60)
    conf = {"source": str(SOURCE), "target": str(TARGET)}
    run_id: str = airflow.call("POST", f"dags/{DAG}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
    story.tell("the DAG run started; its sensor asks for an approved policy, and there is none")
    airflow.wait_for("the sensor", lambda: _task_state(airflow, run_id, "wait_for_approval") == "deferred", seconds=90)
    story.tell("the sensor is deferred: it waits in the triggerer and holds no worker")
    return run_id


def review(story: Story, people: People, suggestion: Suggestion) -> None:
    """Let the engineer try to approve his own suggestion, and the officer do it."""
    try:
        people.engineer.approve(PROJECT, suggestion.id, suggestion.digest)
    except CoordinatorRefused as refusal:
        story.tell(f"the engineer, though an owner too, may not approve it himself: {refusal.status} {refusal.code}")
    else:
        raise Leak("the engineer could approve his own suggestion")
    people.officer.approve(PROJECT, suggestion.id, suggestion.digest, "Minimal and sufficient.")
    story.tell("the privacy officer approved exactly that digest; the approval is signed")


def wait_for_run(airflow: LocalAirflow, run_id: str) -> None:
    """Wait until the DAG run has ended well."""
    path = f"dags/{DAG}/dagRuns/{run_id}"
    state = airflow.wait_for(
        "the end of the DAG run",
        lambda: next((state for state in (airflow.call("GET", path)["state"],) if state in FINAL), None),
        seconds=180,
    )
    if state != "success":
        raise AirflowFailed(f"the DAG run ended as {state}")


def report(story: Story, airflow: LocalAirflow, run_id: str, job: Job) -> None:
    """Say what the job did, from the coordinator's record of it."""
    progress = job.progress
    if progress is None:
        raise AirflowFailed("the job carries no counts")
    story.tell(
        f"the sensor let go, and the job {job.state}: {progress.rows_in:,} rows in, {progress.rows_out:,} out "
        f"({progress.rows_in - progress.rows_out:,} without consent), "
        f"{progress.rows_in / progress.seconds:,.0f} rows/s"
    )
    story.console.print(before_and_after(SOURCE, TARGET, job))
    story.tell(f"written: {_shown(TARGET)} ({TARGET.stat().st_size / 1e6:.0f} MB)")
    story.tell(f"in Airflow: {airflow.url}/dags/{DAG}/runs/{run_id}")
    story.tell(f"the job:    {airflow.coordinator_url}/projects/{PROJECT}/jobs/{job.job_id}")


def check(story: Story, airflow: LocalAirflow) -> None:
    """Look for the customers where they must not be."""
    found = leaks(TARGET, [airflow.home])
    if found:
        raise Leak("; ".join(found))
    story.tell(f"no customer's name or @{MAIL_DOMAIN} address in the output, no address in any log or database")


def stay(story: Story, airflow: LocalAirflow, people: People) -> None:
    """Keep everything running until Ctrl-C."""
    story.tell(f"log in at {airflow.url} as {USER} with the password {airflow.password}")
    officer = f"CAPE_URL={airflow.coordinator_url} CAPE_TOKEN={people.officer_token.reveal().decode()}"
    story.tell(f"look around as the privacy officer:\n{officer} .venv/bin/cape jobs list {PROJECT}")
    story.tell("press Ctrl-C to stop everything")
    try:
        signal.pause()
    except KeyboardInterrupt:
        story.tell("stopping")


def _dag_is_known(airflow: LocalAirflow) -> bool:
    return any(dag["dag_id"] == DAG for dag in airflow.call("GET", "dags")["dags"])


def _task_state(airflow: LocalAirflow, run_id: str, task_id: str) -> str:
    state = airflow.call("GET", f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{task_id}")["state"]
    if state in FINAL:
        raise AirflowFailed(f"{task_id} ended as {state} before anything was approved")
    return str(state)


def _shown(path: Path) -> str:
    return str(path.relative_to(WORK.parent))


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
