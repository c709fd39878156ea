"""A deployment in which something has happened: what pages look like after a month of work, always the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from cape_airflow.coordinator.store.models import JobApplication, Scheduler, SchedulerJob

POLICY = """\
label: customers
version: 2
domain: customers
default: fail
rules:
  # Direct identifiers
  - match: {name: customer_id}
    actions:
      - transform: {type: keyed-hash, key: {ref: customer-id}}
  - match: {name: email}
    actions:
      - transform: {type: keyed-hash, key: {ref: customer-id}}
  - match: {pattern: "*_name"}
    actions: [drop]
  # Quasi-identifiers
  - match: {name: birth_date}
    actions:
      - transform: {type: date-truncate, unit: month}
  - match: {name: salary}
    actions:
      - transform: {type: round, precision: -3}
  - match: {dtype: boolean}
    keep: {reason: says nothing about a person}
  - match: {name: country}
    keep: {reason: needed for the report and too coarse to single anybody out}
  - where: "consent = false"
    actions: [suppress-record]
"""
NAMES = [
    ("customer_id", ["keyed-hash"], "transformed"),
    ("email", ["keyed-hash"], "transformed"),
    ("first_name", ["suppress-attribute"], "dropped"),
    ("last_name", ["suppress-attribute"], "dropped"),
    ("birth_date", ["date-truncate"], "transformed"),
    ("salary", ["round"], "transformed"),
    ("consent", [], "kept"),
    ("country", [], "kept"),
]
DAYS = 24
NULLS = {"birth_date": 312, "salary": 47}


def tell(project: Any) -> dict[str, str]:
    """Let a month pass; return the ids of jobs to look at."""
    deployment, end = project.deployment, project.deployment.clock.now
    deployment.clock.now = end - timedelta(days=DAYS + 1)
    for name, days in (("customer-id", 20), ("payroll", 400)):
        body = {"name": name, "bytes": 32 if name == "customer-id" else 64, "rotate_after_days": days}
        deployment.done("POST", f"{project.path}/keys", project.owner, body)
    deployment.done("POST", f"{project.path}/keys/payroll/rotate", project.owner)
    deployment.done("POST", f"{project.path}/keys/payroll/versions/1/retire", project.owner)
    digest = project.approved(POLICY)["digest"]
    ids = _month(project, digest, end)
    project.suggest(POLICY.replace("precision: -3", "precision: -2"), title="Salaries to the hundred, for the audit")
    _elsewhere(deployment, ids["finished"])
    return ids


def _month(project: Any, digest: str, end: datetime) -> dict[str, str]:
    chance, deployment = random.Random(7), project.deployment
    ids = {}
    for day in range(DAYS, -1, -1):
        runs = 1 + chance.randrange(3)
        for number in range(runs):
            deployment.clock.now = end - timedelta(days=day, minutes=20 * (runs - number))
            job_id = f"{day * 10 + number + 1:032x}"
            failed = chance.random() < 0.1 and day > 0
            _run(project, digest, job_id, rows=chance.randrange(80_000, 400_000), failed=failed)
            ids["failed" if failed else "finished"] = job_id
    deployment.clock.now = end
    running = _job(project, digest, "f" * 32, task="mask_orders", target="s3://clean/orders.parquet")
    told = {"rows_in": 640_000, "rows_out": 612_000, "rows_total": 1_000_000, "seconds": 9.1, "bytes_in": 58 << 20}
    deployment.done("POST", f"{project.path}/jobs/{running}/heartbeat", project.worker, told)
    return ids | {"running": running}


def _job(project: Any, digest: str, job_id: str, *, task: str = "mask_customers", **more: Any) -> str:
    origin = {
        "deployment": "https://airflow.example.com",
        "dag_id": "nightly",
        "run_id": f"scheduled__{project.deployment.clock.now:%Y-%m-%d}",
        "task_id": task,
        "map_index": "-1",
        "try_number": "1",
    }
    started = (project.deployment.clock.now - timedelta(seconds=9)).astimezone(UTC).isoformat()
    body = project.job(digest, job_id, origin=origin, started_at=started, kernels="native", **more)
    project.deployment.done("PUT", f"{project.path}/jobs/{job_id}", project.worker, body)
    return job_id


def _run(project: Any, digest: str, job_id: str, *, rows: int, failed: bool) -> None:
    _job(project, digest, job_id)
    columns = [
        {
            "name": name,
            "techniques": how,
            "decision": what,
            "values": rows - NULLS.get(name, 0),
            "nulls": NULLS.get(name, 0),
        }
        for name, how, what in NAMES
    ]
    progress = {
        "rows_in": rows + 2_117,
        "rows_out": rows,
        "bytes_in": rows * 92,
        "bytes_out": rows * 61,
        "seconds": rows / 71_000,
        "application_id": f"application_1795262400000_{int(job_id, 16):04d}",
    }
    ended = {"state": "succeeded", "columns": columns} if not failed else {"state": "failed", "error": REFUSED}
    moment = project.deployment.clock.now.isoformat()
    body = {"progress": progress, "finished_at": moment} | ended
    project.deployment.done("POST", f"{project.path}/jobs/{job_id}/finish", project.worker, body)


REFUSED = "SchemaMismatch: no rule covers column `passport`; add a rule with actions, or `keep: {reason: ...}`"


def _elsewhere(deployment: Any, job_id: str) -> None:
    """What two schedulers tell: one answers, one does not."""
    coordinator = deployment.app.state.coordinator
    now = coordinator.clock()
    with coordinator.store.write() as session:
        cluster = Scheduler(name="cluster", kind="yarn", next_poll_at=now, polled_at=now, succeeded_at=now)
        lost = Scheduler(name="k8s-batch", kind="kubernetes", next_poll_at=now, polled_at=now)
        lost.succeeded_at, lost.trouble = now - timedelta(hours=3), "no answer within 20 s"
        session.add_all([cluster, lost])
        session.flush()
        governed = (
            session.query(JobApplication.application_id).join(JobApplication.job).filter_by(job_id=job_id).one()[0]
        )
        for number, (user, project, name, kind) in enumerate(ELSEWHERE):
            state = "running" if number % 3 == 0 else "succeeded"
            application = governed if kind == "governed" else f"application_1795262400001_{number:04d}"
            external = {"id": application, "name": name, "user": user, "state": state, "word": state.upper()}
            job = SchedulerJob(id=f"{number:026d}", scheduler_seq=cluster.seq, external_id=application)
            job.application_id, job.user_name, job.project_label = application, user, project
            job.spark, job.active, job.seen_at = True, state == "running", now
            job.document = external | {"tracking_url": None, "queue": project, "tags": []}
            session.add(job)
        session.commit()


ELSEWHERE = [
    ("etl", "customers", "mask_customers", "governed"),
    ("ada", "customers", "notebook: churn by postcode", "free"),
    ("ada", "customers", "export_for_partner", "free"),
    ("etl", "customers", "compact_tables", "free"),
    ("grace", None, "adhoc_join", "free"),
]
