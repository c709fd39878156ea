"""A project's keys, fetched from its coordinator when they are needed."""

from __future__ import annotations

from cape_airflow.client.blocking import CoordinatorClient
from cape_airflow.errors import CoordinatorRefused, KeyUnavailable
from cape_airflow.keys import Key


class CoordinatorKeys:
    """The key provider of a project. Its token must have the role ``worker``; every fetch is audited.

    Args:
        client: stays the caller's, who closes it.
        project: label.
    """

    def __init__(self, client: CoordinatorClient, project: str) -> None:
        self._client = client
        self._project = project

    def get(self, name: str) -> Key | None:
        """Return the key, or None where the project has none of that name.

        Raises:
            KeyUnavailable: the coordinator refuses to hand it over.
            CoordinatorUnavailable: no answer in time; another try may help.
        """
        try:
            return self._client.key_material(self._project, name)
        except CoordinatorRefused as refusal:
            if refusal.status == 404:
                return None
            raise KeyUnavailable(f"key `{name}` of project `{self._project}`: {refusal}") from refusal

    def names(self) -> tuple[str, ...]:
        """Return the names of the project's keys."""
        return tuple(key.name for key in self._client.keys(self._project))

    def __repr__(self) -> str:
        return f"CoordinatorKeys({self._project!r})"
