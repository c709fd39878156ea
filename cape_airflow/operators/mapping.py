"""Dynamic task mapping: instances that would write over each other are refused before one of them begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cape_airflow.errors import CapeError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

INDEX_LABEL = "{{ task.target[-200:] if ti.map_index >= 0 else '' }}"
"""What Airflow shows in place of the number of a mapped instance; its column holds 250 characters."""


def refuse_shared_target(task: BaseOperator) -> None:
    """Refuse a mapped task whose instances write to the same target: only the last one's output would stay.

    Args:
        task: an instance of it, or a task that is not mapped; its DAG holds it as it was written.

    Raises:
        CapeError: says how each instance gets a target of its own.
    """
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    dag = task.get_dag()
    mapped = dag.task_dict.get(task.task_id) if dag else None
    if not isinstance(mapped, MappedOperator):
        return
    lists = mapped.expand_input.value
    crossed = isinstance(lists, Mapping) and "target" in lists and any(map(_several, _others(lists)))
    if crossed or _is_constant(mapped.partial_kwargs.get("target")):
        raise CapeError(
            f"instances of task {task.task_id} would write over each other: `expand` joins every source with every "
            "target; give pairs by `expand_kwargs`, or a template as target"
        )


def _others(lists: Mapping[str, Any]) -> list[Any]:
    return [values for name, values in lists.items() if name != "target"]


def _several(values: Any) -> bool:
    """Whether values of `expand` are, or may be, more than one: the output of a task is of a length not known here."""
    try:
        return len(values) != 1
    except TypeError:
        return True


def _is_constant(target: Any) -> bool:
    return isinstance(target, str) and "{{" not in target and "{%" not in target
