"""Approvals inside a real Airflow that people log in to, and what is said of those that wait too long."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import jwt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from cape_airflow.client import CoordinatorClient, Suggestion
from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.settings import Settings
from cape_airflow.errors import CoordinatorRefused
from cape_airflow.hooks.question import answer
from cape_airflow.triggers.approval import SETTLING_SECONDS
from tests.airflow.conftest import COMPONENTS, RealAirflow, wait_for
from tests.airflow.coordinator import POLICY, People
from tests.notifications.mailbox import Mailbox

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DAG = "cape_approval_in_airflow"
USERS = {"ann": "admin", "olga": "op", "eve": "user", "vic": "viewer"}
_SECRET = token_hex(64)
EXAMPLES = Path(__file__).parents[2] / "cape_airflow" / "example_dags"

LATE_PROJECT = "late"
FORGER = '''
from airflow.sdk import DAG, get_current_context, task

with DAG("forger", schedule=None):

    @task
    def forge():
        """Try to approve without a person, in each way that a task has."""
        from airflow.sdk.execution_time.hitl import upsert_hitl_detail
        from cape_airflow.errors import CoordinatorRefused
        from cape_airflow.hooks.cape import CapeHook
        from cape_airflow.hooks.question import answer, question

        context = get_current_context()
        ti, about = context["ti"], (context["dag_run"].conf["project"], context["dag_run"].conf["suggestion"])
        place = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": -1}
        client, codes = CapeHook().client, []

        def carry(place):
            try:
                client.call(answer(*about, place))
            except CoordinatorRefused as error:
                codes.append(error.code)

        carry(place)
        asked = client.call(question(*about))
        upsert_hitl_detail(ti.id, [*asked.options], asked.subject, asked.body, params={**asked.params})
        carry(place)
        carry(place | {"responded_by": "olga"})
        return codes

    forge()
'''

LATE = """
from datetime import timedelta

from airflow.sdk import DAG
from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference
from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from cape_airflow.notifications.approval import CapeApprovalOverdueNotifier
from cape_airflow.sensors.approval import CapePolicyApprovalSensor

MAIL = {{
    "from_email": "airflow@example.com",
    "to": "olga@example.com",
    "html_content": "{{{{ cape_overdue.message }}}}",
}}

with DAG(
    "late",
    schedule=None,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=5),
        callback=AsyncCallback(
            CapeApprovalOverdueNotifier,
            kwargs={{
                "project": "{project}",
                "through": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
                "through_arguments": MAIL | {{"subject": "deadline of {{{{ cape_overdue.project }}}}"}},
            }},
        ),
    ),
):
    CapePolicyApprovalSensor(
        task_id="approved",
        project="{project}",
        remind_after=timedelta(seconds=11),
        on_waiting=CapeApprovalOverdueNotifier(
            project="{project}", through=SmtpNotifier(subject="reminder of {{{{ cape_overdue.project }}}}", **MAIL)
        ),
    )
"""


class AirflowWithPeople(RealAirflow):
    """An Airflow that people log in to."""

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told."""
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({name: f"{name}-password" for name in USERS}))
        return super().environment | {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__SCHEDULER__DEADLINE_CHECK_INTERVAL": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": _SECRET,
        }

    @staticmethod
    def token_of_task(ti_id: str) -> str:
        """Return a token as the scheduler gives one to a task, which never leaves its supervisor otherwise."""
        now = int(time.time())
        claims = {"sub": ti_id, "aud": "urn:airflow.apache.org:task", "iat": now, "nbf": now, "exp": now + 600}
        return jwt.encode(claims, _SECRET, "HS512")

    def logged_in(self, name: str) -> requests.Session:
        """Log in, and return a browser with the cookie."""
        session = requests.Session()
        body = {"username": name, "password": f"{name}-password"}
        token = session.post(f"{self.url}/auth/token", json=body, timeout=60).json()["access_token"]
        session.cookies.set("_token", token)
        return session

    def become(self, name: str) -> None:
        """Use the REST API as somebody from now on."""
        token = self.logged_in(name).cookies["_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def answer(self, name: str, run: str, chosen: str, comment: str | None = None) -> int:
        """Have somebody answer the question of the example, once it stands; return Airflow's status."""
        self.wait_until_asked(run)
        url = f"{self.url}/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances/approved/-1/hitlDetails"
        body = {"chosen_options": [chosen], "params_input": {"comment": comment}}
        return self.logged_in(name).patch(url, json=body, timeout=60).status_code

    def wait_until_asked(self, run: str) -> dict[str, Any]:
        """Wait until the task is deferred, with its question unanswered, and Airflow has digested that."""

        def asked() -> dict[str, Any] | None:
            state = self.task(DAG, run, "approved")["state"]
            assert state != "failed", self.log(DAG, run, "approved")[-6000:]
            if state != "deferred":
                return None
            details = self.rest("GET", f"/dags/{DAG}/dagRuns/{run}/taskInstances/approved/-1/hitlDetails")
            return None if details["response_received"] else dict(details)

        found = wait_for("question", asked, 240)
        # Airflow 3.3.2 fails a task that is resumed before the scheduler has seen it go (apache/airflow #67287).
        time.sleep(SETTLING_SECONDS / 2)
        return found


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowWithPeople]:
    airflow = AirflowWithPeople(tmp_path_factory.mktemp("airflow-approval"))
    airflow.dags.mkdir()
    airflow.console.mkdir()
    airflow.add_dag(EXAMPLES / f"{DAG}.py")
    (airflow.dags / "forger.py").write_text(FORGER)
    (airflow.dags / "late.py").write_text(LATE.format(project=LATE_PROJECT))
    airflow.migrate()
    try:
        for component in COMPONENTS:
            airflow.start(component)
        airflow.wait_until_healthy()
        airflow.become("ann")
        yield airflow
    finally:
        airflow.stop()


@pytest.fixture(scope="module")
def people(airflow: AirflowWithPeople) -> People:
    """The people of the embedded coordinator; those of Airflow have been there once."""
    token = initialise(Settings(home=airflow.home / "cape"), "admin@example.com", "admin")
    people = People(f"{airflow.url}/cape", token)
    for name in USERS:
        assert airflow.logged_in(name).get(f"{airflow.url}/cape/v1/me", timeout=60).ok
    airflow.rest("POST", "/connections", {"connection_id": "cape_default", **people.connection()})
    return people


@pytest.fixture
def suggestion(people: People) -> Suggestion:
    """A suggestion of Eve's; she and Olga own the project."""
    project = people.new_project()
    for email in ("olga@airflow", "eve@airflow"):
        people.admin.set_contributor(project, email, "project-owner")
    token = people.admin.create_token("tests", user_email="eve@airflow").token.reveal().decode()
    return CoordinatorClient(people.url, token).suggest(project, "a policy", POLICY)


@pytest.fixture
def run(airflow: AirflowWithPeople, suggestion: Suggestion, tmp_path: Path) -> str:
    """A run of the example over two customers."""
    source, target = tmp_path / "customers.parquet", tmp_path / "deidentified.parquet"
    pq.write_table(pa.table({"email": ["ann@example.com", "bob@example.com"], "country": ["NL", "XX"]}), source)
    about = {"project": suggestion.project, "suggestion": suggestion.id}
    return airflow.run(DAG, source=str(source), target=str(target), **about)


def test_the_right_persons_yes_inside_airflow_is_a_review_and_nobody_elses_is(
    airflow: AirflowWithPeople, people: People, suggestion: Suggestion, run: str
) -> None:
    assert suggestion.digest in airflow.wait_until_asked(run)["body"]
    assert airflow.answer("vic", run, "Approve") == 403  # Airflow's own no
    assert airflow.answer("eve", run, "Approve") == 200
    assert airflow.answer("olga", run, "Approve", "Seen by Olga.") == 200
    airflow.wait_for_state(DAG, run, "deidentify", "success")
    assert airflow.xcom(DAG, run, "approved") == suggestion.digest
    log = airflow.log(DAG, run, "approved")
    assert "eve@airflow answered approve: nobody reviews a suggestion of his own" in log
    assert "approve by olga@airflow; it is approved" in log

    (review,) = people.officer.suggestion(suggestion.project, suggestion.id).reviews
    assert (review.reviewer, review.comment) == ("olga@airflow", "Seen by Olga.")
    assert review.via is not None
    assert review.via.startswith(f"airflow-hitl {DAG}/{run}/approved/-1 ")
    entries = [entry for entry in people.admin.audit(100) if entry.target_id == suggestion.id]
    told = {(entry.event, entry.user_email) for entry in entries}
    assert ("approve-project-suggestion", "olga@airflow") in told
    assert ("carry-answer", "worker@example.com") in told
    assert ("approve-project-suggestion", "eve@airflow") not in told

    worker = CoordinatorClient(people.url, people.worker_token)
    place = {"dag_id": DAG, "run_id": run, "task_id": "approved", "map_index": -1}
    with pytest.raises(CoordinatorRefused) as replay:
        worker.call(answer(suggestion.project, suggestion.id, place))
    assert replay.value.code == "answer-used"


def test_a_text_that_was_changed_meanwhile_is_not_approved_and_the_other_door_stays_open(
    airflow: AirflowWithPeople, people: People, suggestion: Suggestion, run: str
) -> None:
    airflow.wait_until_asked(run)
    edited = people.officer.edit_suggestion(
        suggestion.project, suggestion.id, 1, policy=POLICY.replace("not identifying", "harmless")
    )
    assert airflow.answer("olga", run, "Approve") == 200
    wait_for("refusal", lambda: "another-question" in airflow.log(DAG, run, "approved"), 240)
    airflow.wait_for_state(DAG, run, "approved", "deferred")
    assert people.officer.suggestion(suggestion.project, suggestion.id).state == "open"
    olga = people.admin.create_token("tests", user_email="olga@airflow").token.reveal().decode()
    CoordinatorClient(people.url, olga).approve(suggestion.project, suggestion.id, edited.digest)
    airflow.wait_for_state(DAG, run, "deidentify", "success")
    assert airflow.xcom(DAG, run, "approved") == edited.digest


def test_a_task_cannot_answer_in_anybodys_place(
    airflow: AirflowWithPeople, people: People, suggestion: Suggestion
) -> None:
    run = airflow.run("forger", project=suggestion.project, suggestion=suggestion.id)
    airflow.wait_for_state("forger", run, "forge", "success")
    assert airflow.xcom("forger", run, "forge") == ["no-answer", "no-answer", "invalid"]
    # All that the token of a task can do besides: answer its own question, with no name to it.
    ti_id = airflow.task("forger", run, "forge")["id"]
    url = f"{airflow.url}/execution/hitlDetails/{ti_id}"
    own = {"ti_id": ti_id, "chosen_options": ["Approve"], "params_input": {"comment": None}}
    headers = {"Authorization": f"Bearer {airflow.token_of_task(ti_id)}"}
    claim = {"responded_by": {"id": "olga", "name": "olga"}, "responded_by_user": {"id": "olga", "name": "olga"}}
    answered = requests.patch(url, json=own | claim, headers=headers, timeout=60)
    assert answered.ok, answered.text
    worker = CoordinatorClient(people.url, people.worker_token)
    with pytest.raises(CoordinatorRefused) as refused:
        worker.call(answer(suggestion.project, suggestion.id, {"dag_id": "forger", "run_id": run, "task_id": "forge"}))
    assert refused.value.code == "no-person"
    assert people.officer.suggestion(suggestion.project, suggestion.id).state == "open"


def test_a_deadline_and_a_reminder_tell_people_by_mail(airflow: AirflowWithPeople, people: People) -> None:
    project = people.new_project(LATE_PROJECT)
    suggestion = people.suggest(project)
    with Mailbox() as mailbox:
        threading.Thread(target=mailbox.serve_forever, args=(0.05,), daemon=True).start()
        airflow.rest("POST", "/connections", {"connection_id": "smtp_default", **mailbox.connection()})
        run = airflow.run("late")
        for subject in (f"Subject: deadline of {project}", f"Subject: reminder of {project}"):
            mail = wait_for(subject, lambda: next((mail for mail in mailbox.mails if subject in mail), None), 240)  # noqa: B023
            page = f"{airflow.url}/cape/projects/{project}/suggestions/{suggestion.id}"
            assert page in mailbox.text_of(mail)
        people.officer.approve(project, suggestion.id, suggestion.digest)
        airflow.wait_for_state("late", run, "approved", "success")
        mailbox.shutdown()
