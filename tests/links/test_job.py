from __future__ import annotations

from types import SimpleNamespace

from cape_airflow.links.job import CapeJobLink


def test_the_link_is_the_url_that_the_operator_kept() -> None:
    operator = SimpleNamespace(job_url="https://cape.example.com/v1/projects/pay/jobs/0123")
    assert CapeJobLink().get_link(operator, ti_key=None) == "https://cape.example.com/v1/projects/pay/jobs/0123"


def test_there_is_no_link_where_no_job_was_reported() -> None:
    assert CapeJobLink().get_link(SimpleNamespace(), ti_key=None) == ""


def test_the_link_has_a_key_of_its_own_among_the_xcoms() -> None:
    assert CapeJobLink().xcom_key != "return_value"
