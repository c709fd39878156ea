"""`@task.cape_transform`: what a function returns is de-identified under a policy before any of it is written."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from functools import partial
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, task_decorator_factory

from cape_airflow.errors import CapeError, DataError
from cape_airflow.hooks.compat import AirflowException
from cape_airflow.operators.storage import refuse_credentials
from cape_airflow.operators.transform import CapeTransformOperator

try:
    from airflow.sdk.bases.decorator import determine_kwargs
except ImportError:  # Airflow 3.1
    from airflow.utils.operator_helpers import determine_kwargs  # type: ignore[attr-defined]

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.sdk import Context

    from cape_airflow.datasets import Source
    from cape_airflow.lineage import DatasetName


class CapeTransformDecoratedOperator(DecoratedOperator, CapeTransformOperator):
    """A `CapeTransformOperator` whose source is what a function returns.

    The function is called once the policy is known to be approved. What it returns stays in the task: no XCom, no
    rendered template and no error holds a value of it.

    Args:
        python_callable: returns a pandas or polars DataFrame, a pyarrow Table, RecordBatch or RecordBatchReader, or
            the path or URL of a dataset, which may be an `ObjectStoragePath` of Airflow.
        kwargs: as of `CapeTransformOperator`, but for its source; and as of all decorated tasks.

    Returns (XCom): what the operator returns, and target.
    """

    custom_operator_name = "@task.cape_transform"
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in CapeTransformOperator.template_fields if name != "source"),
    )

    def __init__(self, *, python_callable: Callable[..., Any], **kwargs: Any) -> None:
        self._name = f"{getattr(python_callable, '__name__', 'function')}()"
        self._call: Callable[[], Any] = python_callable
        super().__init__(python_callable=python_callable, source=self._name, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the policy over what the function returns.

        Raises:
            AirflowFailException: policy, data or approval are not as they must be; another try would not help.
            AirflowException: the function, the coordinator or a storage failed; another try may help.
        """
        given = determine_kwargs(self.python_callable, self.op_args, {**context, **self.op_kwargs})
        self._call = partial(self.python_callable, *self.op_args, **given)
        return {**super().execute(context), "target": self.target}

    def _open_source(self) -> Source:
        from airflow.sdk import ObjectStoragePath

        from cape_airflow.engines.frame_source import open_frame

        returned = self._returned()
        if isinstance(returned, ObjectStoragePath):
            self.source = f"{returned.protocol}://{returned.path}" if returned.protocol else returned.path
            # On Airflow 3.1 it is among the options.
            conn_id = getattr(returned, "conn_id", None) or returned.storage_options.get("conn_id")
            self.source_conn_id = conn_id or self.source_conn_id
        elif isinstance(returned, str | os.PathLike):
            self.source = os.fspath(returned)
        else:
            return open_frame(returned, self._name)
        if not self.source:
            raise DataError(f"{self._name} returned an empty path")
        refuse_credentials(self.source)
        return super()._open_source()

    def _datasets(self) -> tuple[DatasetName | None, DatasetName | None]:
        source, target = super()._datasets()
        return None if self.source == self._name else source, target

    def _returned(self) -> Any:
        try:
            return self._call()
        except (AirflowException, CapeError) as error:
            raise error from None  # what it was raised from may quote values
        except Exception as error:  # noqa: BLE001 - the function has the data in hand, and so may its errors
            failure = self._without_values(error)
        raise failure

    def _without_values(self, error: Exception) -> AirflowException:
        """Return what may be shown of an error of the function: its class, and the line of the function's own file."""
        file = inspect.getsourcefile(self.python_callable)
        frames = extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == file] or frames
        return AirflowException(
            f"{self._name} raised {type(error).__name__} at {own[-1].filename}:{own[-1].lineno}. Its message is "
            "withheld, since it may hold values of the data; catch it in the function to say what may be said."
        )


def cape_transform_task(
    python_callable: Callable[..., Any] | None = None, *, target: str | None = None, **kwargs: Any
) -> TaskDecorator:
    """Make a function a task: a policy is applied to what it returns, and only the result is written, to `target`.

    Args:
        python_callable: as of `CapeTransformDecoratedOperator`.
        target: path or URL of the output (templated; ``{{ task.op_kwargs['day'] }}`` is an argument of the call).
        kwargs: as of `CapeTransformOperator`, but for its source.

    Raises:
        ValueError: there is no target.
    """
    if target is None:
        raise ValueError(
            "@task.cape_transform needs a target, where what the function returns is written once it is de-identified: "
            "frames, raw or de-identified, do not belong in XCom"
        )
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=CapeTransformDecoratedOperator,
        target=target,
        **kwargs,
    )
