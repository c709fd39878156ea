"""What one column of an output is promised to look like, and whether it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.engines.common_values import CommonValues
from cape_airflow.engines.failures import attempt
from cape_airflow.jobs import Outcome, Verdict
from cape_airflow.kernels.text import is_text, written
from cape_airflow.policy import Plan, Transform
from cape_airflow.transformations.grammar import VERSION, Grammar

_ESCAPED = r"\A'([=+\-@\t\r])"  # as CSV is written, lest a spreadsheet runs it


class ColumnPromise:
    """The promise of the last technique of a column, held against the values that come by.

    Args:
        step: the last that changes the column.
        grammar: of its results.
        kind: type of the results in the plan, not a dictionary.
        in_csv: whether the output is CSV, whose text may be escaped.
    """

    def __init__(self, step: Transform, grammar: Grammar, kind: pa.DataType, *, in_csv: bool) -> None:
        self.name = step.column
        self._step = step
        self._grammar = grammar
        self._kind = kind
        self._in_csv = in_csv
        self._common = CommonValues(grammar)
        self._foreign = 0
        self._versions: Counter[int] = Counter()

    def went_in(self, array: pa.Array) -> None:
        """Take values of the source, before the first of the output.

        Raises:
            DataError: they cannot be read as text.
        """
        self._common.went_in(attempt(lambda: written(plain(array)), self._step.rule, f"column `{self.name}`"))

    def came_out(self, array: pa.Array) -> None:
        """Look at values of the output, of whatever type they are.

        Raises:
            DataError: they cannot be read as text.
        """
        if pa.types.is_nested(array.type):  # which no technique gives that has a grammar
            self._foreign += len(array) - array.null_count
            return
        text = attempt(lambda: self._text(plain(array)), self._step.rule, f"column `{self.name}`").drop_null()
        found = pc.extract_regex(text, rf"\A(?P<whole>{self._grammar.pattern})\z")
        self._foreign += found.null_count
        if self._grammar.has_version:
            for each in pc.value_counts(pc.struct_field(found.drop_null(), VERSION)).to_pylist():
                self._versions[int(each["values"])] += each["counts"]
        self._common.came_out(text)

    def verdicts(self, rows: int, versions: Mapping[str, frozenset[int]]) -> Iterator[Verdict]:
        """Yield what was found.

        Args:
            rows: of the output.
            versions: of each key, those that may have made these tokens.
        """
        foreign = f"not of the form of `{self._step.transformation.type}`" if self._foreign else ""
        yield self._verdict("token-grammar", self._foreign, foreign)
        if self._grammar.has_version:
            yield self._version_verdict(versions)
        outcome, common = self._common.found(rows)
        why = {Outcome.BROKEN: "values of the source came out", Outcome.UNCHECKED: "results may equal values by chance"}
        yield self._verdict("values-in-common", common, why.get(outcome, ""), outcome)

    def _version_verdict(self, versions: Mapping[str, frozenset[int]]) -> Verdict:
        [key] = self._step.transformation.key_references()
        if key.ref not in versions:
            why = f"which versions of key `{key.ref}` count is not known"
            return self._verdict("key-version", 0, why, Outcome.UNCHECKED)
        right = max((self._versions[version] for version in versions[key.ref]), default=0)
        wrong = self._versions.total() - right
        wanted = " or ".join(map(str, sorted(versions[key.ref])))
        return self._verdict("key-version", wrong, f"not of version {wanted} of key `{key.ref}`" if wrong else "")

    def _verdict(self, check: str, rows: int, why: str, outcome: Outcome | None = None) -> Verdict:
        found = outcome or (Outcome.BROKEN if rows else Outcome.KEPT)
        return Verdict(check=check, column=self.name, rule=self._step.rule, outcome=found, rows=rows, why=why)

    def _text(self, array: pa.Array) -> pa.Array:
        text = written(array if array.type == self._kind else _cast(array, self._kind))
        return pc.replace_substring_regex(text, _ESCAPED, r"\1") if self._in_csv and is_text(text.type) else text


def promises_of(plan: Plan, output: pa.Schema, *, in_csv: bool) -> list[ColumnPromise]:
    """Return the promises of the columns that are in an output and have one."""
    last = {step.column: step for step in plan.steps if isinstance(step, Transform)}
    found = []
    for name in (each for each in plan.output_schema.names if each in last and each in output.names):
        kind = plain_type(plan.output_schema.field(name).type)
        grammar = last[name].transformation.grammar(kind)
        if grammar is not None:
            found.append(ColumnPromise(last[name], grammar, kind, in_csv=in_csv))
    return found


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a dictionary, and any other type as it is."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain(array: pa.Array) -> pa.Array:
    """Return the values of a dictionary one by one, and any other array as it is."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array of the type that was planned where it can be; what cannot be shows in its text."""
    try:
        return array.cast(kind)
    except pa.ArrowException:
        return array
