"""From a task to the coordinator's pages: its job, its policy, and the review that approved that.

Airflow asks for a link once, in the task's own process when it ends, and keeps the answer.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseHook, BaseOperatorLink

from cape_airflow.hooks import settings
from cape_airflow.hooks.cape import CapeHook

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class _PageLink(BaseOperatorLink):
    """A link to a page of the task's project."""

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the page's address; empty for a task without a project, or before there is such a page."""
        project = getattr(operator, "project", None)
        page = self._page(operator) if project else ()
        if not page:
            return ""
        path = "/".join(quote(str(segment), safe="") for segment in (project, *page))
        return f"{pages_of(operator.cape_conn_id)}/projects/{path}"  # type: ignore[attr-defined]  # all of ours have it

    @abstractmethod
    def _page(self, operator: Any) -> tuple[str, ...]:
        """Return the segments of the path below the project; none where there is no such page."""


class CapeJobLink(_PageLink):
    """The page of the task's job: what became of each column. None before the job has begun."""

    name = "Privacy job"
    xcom_key = "cape_job_page"

    def _page(self, operator: Any) -> tuple[str, ...]:
        start = getattr(operator, "told_of", None)
        return ("jobs", start.job_id) if start else ()


class CapePolicyLink(_PageLink):
    """The policy that the task applied; before it has one, the policy that is in force."""

    name = "Privacy policy"
    xcom_key = "cape_policy_page"

    def _page(self, operator: Any) -> tuple[str, ...]:
        start = getattr(operator, "told_of", None)
        return ("policies", start.policy_digest) if start else ("policy",)


class CapeReviewLink(_PageLink):
    """The suggestion that was reviewed, or is to be; where the task knows none, all of its project."""

    name = "Privacy review"
    xcom_key = "cape_review_page"

    def _page(self, operator: Any) -> tuple[str, ...]:
        suggestion_id = getattr(operator, "suggestion_id", None)
        return ("suggestions", suggestion_id) if suggestion_id else ("suggestions",)


def pages_of(cape_conn_id: str) -> str:
    """Return where a browser finds the pages of the coordinator of a connection, without a slash at its end.

    The embedded coordinator's are at the address of Airflow's UI, whatever way workers go to it.

    Raises:
        CoordinatorError: the connection cannot be used.
    """
    from cape_airflow.hooks.address import client_options

    configured = settings.pages_url()
    if configured and cape_conn_id == CapeHook.default_conn_name:
        return configured
    address = str(client_options(BaseHook.get_connection(cape_conn_id))["base_url"])
    embedded = settings.path_of_airflow() + settings.EMBEDDED_PATH
    if settings.embedded() and urlsplit(address).path == embedded:
        return settings.address_of_airflow() + settings.EMBEDDED_PATH
    return address
