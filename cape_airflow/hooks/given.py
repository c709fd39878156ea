"""Arguments that restrict a task: one that was given and came to nothing is refused, for without it more may happen.

A template may find nothing: with ``render_template_as_native_obj``, or as the output of a task that was skipped, it
then is None, just as if the argument had never been written.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from airflow.sdk import BaseOperator, BaseSensorOperator

from cape_airflow.errors import NotApproved


def given(**arguments: object) -> tuple[str, ...]:
    """Return the names of the arguments that a DAG gives: all that are not None before templates are rendered."""
    return tuple(name for name, value in arguments.items() if value is not None)


@contextmanager
def naming_unknown(arguments: Mapping[str, object]) -> Iterator[None]:
    """Have arguments that no task takes refused by their names: Airflow would show the values, be they keys, to all.

    Args:
        arguments: what is given to Airflow's own operator inside.

    Raises:
        TypeError: one of them is unknown.
    """
    try:
        yield
    except TypeError:
        known = (inspect.signature(kind.__init__).parameters for kind in (BaseOperator, BaseSensorOperator))
        unknown = sorted(arguments.keys() - set().union(*known))
        if not unknown:
            raise
        named = ", ".join(unknown)
        raise TypeError(
            f"invalid arguments: {named}. Keys are named by the policy, credentials lie in Airflow connections"
        ) from None


def refuse_vanished(task: object, names: Iterable[str]) -> None:
    """Refuse a task whose attributes of these names are no text, or empty, once templates are rendered.

    Raises:
        NotApproved: names the first of them.
    """
    for name in names:
        value = getattr(task, name)
        if not isinstance(value, str) or not value:
            raise NotApproved(f"{name} was given, but is empty or no text: did its template find nothing?")
