"""Every error that cape_airflow raises on purpose.

    CapeError
    ├── PolicyError                the policy is wrong: carries file, line, column and rule
    ├── DataError                  the data does not fit the policy
    │   ├── SchemaMismatch         a column is missing, uncovered, or of a type that a technique cannot take
    │   ├── ValueRefused           values that a technique cannot take: says how many, never which
    │   ├── GuaranteeBroken        the output does not keep what the policy guarantees: nothing is published
    │   └── DatasetError           a source cannot be read or a target cannot be written
    ├── KeyUnavailable             a key that the policy names cannot be had
    ├── NotApproved                no approved policy, or what came is not what was approved
    ├── Superseded                 a later attempt of the same job has begun: this one writes nothing
    ├── CoordinatorError           the coordinator could not do what was asked
    │   ├── CoordinatorUnavailable no answer in time, or a passing failure: worth another try
    │   ├── CoordinatorRefused     an answer that says no: carries the HTTP status
    │   └── CoordinatorProtocolError  an answer that makes no sense: never tried again
    └── MissingExtra               an optional package is not installed

A message says what, where (column, row count, rule) and the way out. It never holds a data value or a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class CapeError(Exception):
    """Base of all errors that cape_airflow raises on purpose."""


@dataclass(frozen=True)
class Location:
    """Where in a policy text something stands.

    Args:
        line: 1-based.
        column: 1-based.
        rule: path of the place, e.g. ``rules[2].actions[0]``; empty at the top level.
        file: name of the file, where there is one.
    """

    line: int
    column: int
    rule: str = ""
    file: str | None = None

    def __str__(self) -> str:
        place = f"{self.file or 'policy'}:{self.line}:{self.column}"
        return f"{place} ({self.rule})" if self.rule else place


class PolicyError(CapeError):
    """The policy text is wrong.

    Args:
        message: what is wrong and the way out, without values of keys.
        location: where it stands; None for a policy that was not read from text.
    """

    def __init__(self, message: str, location: Location | None = None) -> None:
        self.message = message
        self.location = location
        super().__init__(f"{location}: {message}" if location else message)


class DataError(CapeError):
    """The data does not fit the policy."""


class SchemaMismatch(DataError):
    """A column is missing, uncovered, or of a type that a technique cannot take."""


class ValueRefused(DataError):
    """Some values cannot be taken by a technique; the message counts them and shows none."""


class GuaranteeBroken(DataError):
    """The output does not keep what the policy guarantees; nothing is published."""


class DatasetError(DataError):
    """A source cannot be read, or a target cannot be written."""


class KeyUnavailable(CapeError):
    """A key that the policy names cannot be had."""


class NotApproved(CapeError):
    """There is no approved policy, or the policy at hand is not the approved one."""


class Superseded(CapeError):
    """A later attempt of the same job has begun; this one writes nothing, and reports nothing more."""


class CoordinatorError(CapeError):
    """The coordinator could not do what was asked."""


class CoordinatorUnavailable(CoordinatorError):
    """No answer within the deadline, or a passing failure (408, 429, 5xx): worth another try."""


class CoordinatorRefused(CoordinatorError):
    """The coordinator answered and said no.

    Args:
        message: the coordinator's reason.
        status: HTTP status, 400 to 499.
        code: the machine-readable reason, e.g. ``own-suggestion``.
    """

    def __init__(self, message: str, status: int, code: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class CoordinatorProtocolError(CoordinatorError):
    """The coordinator's answer breaks the protocol; asking again would not help."""


class MissingExtra(CapeError):
    """An optional package is not installed.

    Args:
        package: the import that failed.
        extra: the extra of cape-airflow that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'cape-airflow[{extra}]'")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean `x`?"`` for the nearest known name, or ``""``."""
    known = list(known)
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean `{by_folded[near[0]]}`?" if near else ""
