"""A project's keys, fetched from its coordinator when they are needed."""

from __future__ import annotations

from dataclasses import dataclass

from cape_airflow.client.blocking import CoordinatorClient
from cape_airflow.errors import CoordinatorRefused, KeyUnavailable
from cape_airflow.keys import Key


@dataclass(frozen=True)
class Disclosure:
    """What tokens are turned back for, and of how many rows at most; the coordinator's audit log keeps both."""

    purpose: str
    row_limit: int


class CoordinatorKeys:
    """The key provider of a project. Its token must have the role ``worker``; every fetch is audited.

    Args:
        client: stays the caller's, who closes it.
        project: label.
        disclosure: to turn tokens back, where an owner lets this worker; None: the keys can only be applied.
    """

    def __init__(self, client: CoordinatorClient, project: str, disclosure: Disclosure | None = None) -> None:
        self._client = client
        self._project = project
        self._disclosure = disclosure
        self._handed_over: dict[str, int] = {}

    def get(self, name: str) -> Key | None:
        """Return the key, or None where the project has none of that name.

        Raises:
            KeyUnavailable: the coordinator refuses to hand it over.
            CoordinatorUnavailable: no answer in time; another try may help.
        """
        try:
            key = self._fetch(name)
        except CoordinatorRefused as refusal:
            if refusal.status == 404:
                return None
            raise KeyUnavailable(f"key `{name}` of project `{self._project}`: {refusal}") from refusal
        self._handed_over[name] = key.primary
        return key

    def _fetch(self, name: str) -> Key:
        if self._disclosure is None:
            return self._client.key_material(self._project, name)
        return self._client.reveal_key(self._project, name, self._disclosure.purpose, self._disclosure.row_limit)

    def refuse_withdrawn(self) -> None:
        """Ask once more whether what was handed over may still make something new: the primary version of each key.

        Raises:
            KeyUnavailable: a version was retired or destroyed since.
            CoordinatorError: no answer, or a refusal.
        """
        if not self._handed_over:
            return
        states = {
            (key.name, one.version): one.state for key in self._client.keys(self._project) for one in key.versions
        }
        for name, version in self._handed_over.items():
            state = states.get((name, version), "removed")
            if state != "enabled":
                raise KeyUnavailable(
                    f"version {version} of key `{name}` was {state} while this ran, and makes nothing new; run it again"
                )

    def names(self) -> tuple[str, ...]:
        """Return the names of the project's keys."""
        return tuple(key.name for key in self._client.keys(self._project))

    def __repr__(self) -> str:
        return f"CoordinatorKeys({self._project!r})"
