"""What a policy guarantees of the output, measured on the output before anybody sees it."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from cape_airflow.disclosure import KAnonymity
from cape_airflow.engines.failures import attempt
from cape_airflow.policy import Plan


class Guarantees:
    """The guarantees of a plan, measured while the batches of the output pass.

    Args:
        plan: as compiled.
    """

    def __init__(self, plan: Plan) -> None:
        self._measures = [KAnonymity(each.k, each.quasi_identifiers) for each in plan.guarantees]

    def update(self, batch: pa.RecordBatch) -> None:
        """Measure the next batch of the output.

        Raises:
            DataError: a column is of a type that cannot be grouped.
        """
        for measure in self._measures:
            attempt(partial(measure.update, batch), "guarantees", measure.name)

    def check(self) -> None:
        """Refuse the output where a guarantee does not hold.

        Raises:
            GuaranteeBroken: says which, and for how many rows.
        """
        for measure in self._measures:
            measure.check()
