"""The wire: how anything here talks to a coordinator, blocking or from an event loop."""

from cape_airflow.client.asynchronous import AsyncCoordinatorClient
from cape_airflow.client.blocking import CoordinatorClient
from cape_airflow.client.keys import CoordinatorKeys, Disclosure
from cape_airflow.client.results import ApprovedPolicy, Job, NewToken, Project, ProjectKey, Token, User
from cape_airflow.client.review_results import Suggestion

__all__ = [
    "ApprovedPolicy",
    "AsyncCoordinatorClient",
    "CoordinatorClient",
    "CoordinatorKeys",
    "Disclosure",
    "Job",
    "NewToken",
    "Project",
    "ProjectKey",
    "Suggestion",
    "Token",
    "User",
]
