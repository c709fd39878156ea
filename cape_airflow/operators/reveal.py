"""The operator that turns tokens back: for a purpose, for so many rows at most, and on the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cape_airflow.errors import CapeError
from cape_airflow.operators.transform import CapeTransformOperator

if TYPE_CHECKING:  # DAG files are parsed often: what only a running task needs is imported when it runs
    from cape_airflow.datasets import Source
    from cape_airflow.jobs import Progress
    from cape_airflow.keys import KeyRing
    from cape_airflow.operators.reporting import Reporter
    from cape_airflow.policy import Plan, Policy

_LONGEST_PURPOSE = 200


class CapeRevealOperator(CapeTransformOperator):
    """Applies an approved policy that reveals tokens (`reveal`, `token-reverser`) to a tokenised dataset.

    An owner of the project must let the worker of the connection do so (`cape keys grant-reveal`). The coordinator's
    audit log has purpose, row limit and worker before it hands over a key. A policy that would reveal more rows than
    `row_limit` fails before anything is written, and before a key is fetched unless the policy drops rows by what was
    revealed. All of the output appears, or nothing.

    Args:
        project: label of the project whose approved policy is applied (templated).
        source: path or URL of the tokenised dataset (templated).
        target: path or URL of the output (templated).
        purpose: what it is for, one line of at most 200 characters (templated).
        row_limit: the most rows that may come out.
        arguments: as for `CapeTransformOperator`; neither a policy file alone nor a key file will do.

    Returns (XCom): as `CapeTransformOperator`.
    """

    ui_color = "#f1ddd3"
    template_fields: Sequence[str] = (*CapeTransformOperator.template_fields, "purpose")

    def __init__(
        self, *, project: str, source: str, target: str, purpose: str, row_limit: int, **arguments: Any
    ) -> None:
        super().__init__(project=project, source=source, target=target, **arguments)
        if isinstance(row_limit, bool) or not isinstance(row_limit, int) or row_limit < 1:
            raise ValueError("row_limit must be a whole number of rows, at least 1")
        if project is None or not purpose:
            raise ValueError("give a project, whose coordinator keeps the record, and a purpose")
        self.purpose = purpose
        self.row_limit = row_limit
        self._given = (*self._given, "purpose")

    def _check_run(self, plan: Plan, source: Source, keys: KeyRing) -> None:
        """Refuse what reveals nothing, and more rows than the limit.

        Raises:
            CapeError: says how many rows there would be.
        """
        from cape_airflow.engines.counting import rows_left
        from cape_airflow.policy import Transform

        if all(step.transformation.masks for step in plan.steps if isinstance(step, Transform)):
            raise CapeError("this policy reveals nothing; apply it by CapeTransformOperator, which needs no purpose")
        self._refuse_more_rows(rows_left(plan, keys, source, self._stop_if_killed))

    def _keys(self, policy: Policy) -> KeyRing:
        from cape_airflow.client import Disclosure

        purpose = self.purpose.strip()
        if not purpose or len(purpose) > _LONGEST_PURPOSE or not purpose.isprintable():
            raise CapeError(f"purpose must be one line of at most {_LONGEST_PURPOSE} characters")
        disclosure = Disclosure(purpose, self.row_limit)
        return self.hook.get_keys(str(self.project), policy.inline_keys(), disclosure=disclosure)

    def _on_progress(self, reporter: Reporter, progress: Progress) -> None:
        self._refuse_more_rows(progress.rows_out)  # the source may have grown since it was counted
        super()._on_progress(reporter, progress)

    def _refuse_more_rows(self, rows: int) -> None:
        if rows > self.row_limit:
            raise CapeError(
                f"{rows:,} rows would be revealed, and row_limit is {self.row_limit:,}; nothing was written"
            )
