"""From our errors to Airflow's: which failures another try can cure, and nothing that could hold a value.

Airflow writes the exception of a task to the task log, the scheduler's log and its listeners, with all that is chained
to it; hence `raise task_failure(error) from None`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import extract_tb

from cape_airflow.errors import (
    CapeError,
    CoordinatorProtocolError,
    CoordinatorRefused,
    CoordinatorUnavailable,
    DatasetError,
)
from cape_airflow.hooks.compat import AirflowException, AirflowFailException

# A coordinator or a storage that is down comes back. All else stays wrong until somebody mends it.
_PASSING = (CoordinatorUnavailable, DatasetError)


def task_failure(error: CapeError) -> AirflowException:
    """Return the exception that a task ends with: of a kind that Airflow retries, or does not."""
    kind = AirflowException if isinstance(error, _PASSING) else AirflowFailException
    return kind(f"{type(error).__name__}: {error}")


@contextmanager
def without_values() -> Iterator[None]:
    """Let out of a task only what Airflow may show.

    Raises:
        AirflowException: what went wrong inside, by `task_failure`, or `unexpected` where it is not ours.
    """
    try:
        yield
    except AirflowException:
        raise
    except Exception as error:  # noqa: BLE001 - its message may hold a value, and Airflow would log it
        raise (task_failure(error) if isinstance(error, CapeError) else unexpected(error)) from None


def refused(error: Exception) -> str:
    """Return the code of the coordinator's no to whoever asks; empty for all else, such as a page in its place."""
    return error.code if isinstance(error, CoordinatorRefused) and error.status in (401, 403, 404) else ""


def passing(error: CapeError) -> bool:
    """Return whether a wait goes on: the coordinator gave no answer, or somebody answered in its place."""
    if isinstance(error, CoordinatorRefused):
        return not refused(error)
    return isinstance(error, CoordinatorUnavailable | CoordinatorProtocolError)


def unexpected(error: BaseException) -> AirflowException:
    """Return what may be shown of an error that is not ours: its class and place, since its message may hold values."""
    frames = extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return AirflowException(
        f"{type(error).__name__}{place}. Its message is withheld, since it may hold values of the data; "
        "please report it as a bug of cape_airflow."
    )
