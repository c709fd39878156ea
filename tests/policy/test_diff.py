from __future__ import annotations

import pyarrow as pa

from cape_airflow.policy import Change, diff, load_policy

OLD = load_policy(
    "version: 2\ndefault: keep\nrules:\n"
    "  - {match: {name: email}, actions: [{transform: {type: suppress-value}}]}\n"
    "  - {match: {name: age}, actions: [{transform: {type: round, precision: -1}}]}\n"
)
NEW = load_policy(
    "version: 2\ndefault: keep\ndomain: x\nrules:\n"
    "  - {match: {name: email}, actions: [drop]}\n"
    "  - {match: {name: age}, actions: [{transform: {type: round, precision: -1}}]}\n"
    "  - {where: age > 90, actions: [suppress-record]}\n"
)


def test_without_a_schema_rules_are_compared_by_what_they_are_about() -> None:
    assert diff(OLD, NEW) == [
        Change("domain", "", "x"),
        Change("column email", "suppress-value", "suppress-attribute"),
        Change("rows", "", "dropped where age > 90"),
    ]


def test_with_a_schema_the_effect_on_each_column_is_compared() -> None:
    schema = pa.schema({"email": pa.string(), "age": pa.int64(), "zip": pa.string()})
    assert diff(OLD, NEW, schema) == [
        Change("domain", "", "x"),
        Change("column email", "suppress-value -> string", "dropped"),
        Change("rows", "", "dropped where age > 90"),
    ]


def test_another_subject_is_another_effect() -> None:
    noise = "{type: add-noise, min: 0, max: 9, consistent: true, key: {ref: k}, subject: SUBJECT}"
    text = f"version: 2\ndefault: keep\nrules: [{{match: {{name: age}}, actions: [{{transform: {noise}}}]}}]"
    before, after = (load_policy(text.replace("SUBJECT", subject)) for subject in ("person", "household"))
    schema = pa.schema({"age": pa.int64(), "person": pa.string(), "household": pa.string()})
    for known in (None, schema):
        [change] = diff(before, after, known)
        assert 'subject="person"' in change.before
        assert 'subject="household"' in change.after


def test_a_policy_does_not_differ_from_itself() -> None:
    assert diff(NEW, NEW) == []
