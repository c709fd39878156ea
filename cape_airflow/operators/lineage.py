"""What operators tell OpenLineage. Airflow's provider for it calls these methods; where there is none, nobody does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cape_airflow.hooks.failure import unexpected

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from airflow.providers.openlineage.extractors import OperatorLineage

    from cape_airflow.jobs import JobFinish, JobStart
    from cape_airflow.lineage import DatasetName, Lineage
    from cape_airflow.lineage.run import Failure
    from cape_airflow.policy import Plan


class TracesLineage:
    """Mix-in of operators that run a plan: its lineage, from what they know when they are asked."""

    project: str | None
    told_of: JobStart | None
    _planned: Plan | dict[str, Any] | None = None
    _outcome: JobFinish | None = None
    _failure: Failure | None = None

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return what is known before anything is read: the names of what is read and written, and the project."""
        return self._openlineage()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return all: schemas, column lineage, tags, statistics, and our facet of the run."""
        return self._openlineage()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return how far it came, and the class of the error."""
        return self._openlineage()

    def _datasets(self) -> tuple[DatasetName | None, DatasetName | None]:
        """Return the names of what is read and written; None for what has none that may be told."""
        from cape_airflow.lineage import dataset_name

        places = (getattr(self, "source", None), getattr(self, "target", None))
        source, target = (dataset_name(place) if isinstance(place, str) and place else None for place in places)
        return source, target

    def _writes_what_was_planned(self) -> bool:
        """Whether the output has the columns of the plan's output."""
        return True

    def _note_failure(self, error: BaseException) -> None:
        from cape_airflow.lineage.run import Failure

        self._failure = Failure.of(error)

    def _lineage(self) -> Lineage | None:
        from cape_airflow.lineage import Lineage

        if self._planned is None:
            return None
        if isinstance(self._planned, dict):
            return Lineage.model_validate(self._planned)
        from cape_airflow.lineage.trace import trace

        return trace(self._planned)

    def _lineage_data(self) -> dict[str, Any] | None:
        """Return the lineage as `_planned` takes it after a deferral, when the plan is gone."""
        lineage = self._lineage()
        return None if lineage is None else lineage.model_dump(mode="json")

    def _openlineage(self) -> OperatorLineage[Any, Any]:
        try:
            return self._facets()
        except Exception as error:  # noqa: BLE001 - Airflow logs its message
            raise unexpected(error) from None

    def _facets(self) -> OperatorLineage[Any, Any]:
        from airflow.providers.openlineage.extractors import OperatorLineage

        from cape_airflow.lineage import PolicyRun, openlineage

        source, target = self._datasets()
        lineage, finish = self._lineage(), self._outcome
        progress = finish.progress if finish else None
        written = lineage if self._writes_what_was_planned() else None
        run = PolicyRun.of(self.project, self.told_of, lineage, finish, self._failure)
        return OperatorLineage(
            inputs=[openlineage.input_dataset(source, lineage, progress)] if source else [],
            outputs=[openlineage.output_dataset(target, source, written, progress)] if target else [],
            run_facets=openlineage.run_facets(run),
        )
