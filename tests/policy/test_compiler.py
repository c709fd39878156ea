from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import PolicyError, SchemaMismatch
from cape_airflow.policy import Plan, SuppressAttributes, SuppressRecords, Transform, compile_plan, load_policy

SCHEMA = pa.schema({"email": pa.string(), "age": pa.int64(), "country": pa.string(), "notes": pa.string()})


def _plan(text: str, schema: pa.Schema = SCHEMA) -> Plan:
    return compile_plan(load_policy(text), schema)


def _version_2(*rules: str, head: str = "") -> str:
    return f"version: 2\n{head}\nrules:\n" + "\n".join(f"  - {rule}" for rule in rules)


COVERED = _version_2(
    "{match: {name: age}, actions: [{transform: {type: round, precision: -1}}]}",
    "{where: age < 18, actions: [suppress-record]}",
    "{match: {name: email}, actions: [{transform: {type: keyed-hash, key: {ref: k}}}]}",
    "{match: {name: notes}, actions: [drop]}",
    "{match: {name: country}, keep: {reason: coarse}}",
)


def test_every_column_gets_an_outcome() -> None:
    plan = _plan(COVERED)
    outcomes = {column.name: (column.decision, column.output_type, column.techniques) for column in plan.columns}
    assert outcomes == {
        "email": ("transformed", "string", ("keyed-hash",)),
        "age": ("transformed", "int64", ("round",)),
        "country": ("kept", "string", ()),
        "notes": ("dropped", None, ("suppress-attribute",)),
    }
    assert plan.output_schema.names == ["email", "age", "country"]
    assert plan.key_names == ("k",)
    assert plan.columns[2].reason == "coarse"


@pytest.mark.parametrize(("more", "linkable"), [("", False), (", consistent: true, key: {ref: k}", True)])
def test_a_column_with_noise_is_linkable_only_if_equal_values_stay_equal(more: str, linkable: bool) -> None:
    noise = "{match: {name: age}, actions: [{transform: {type: add-noise, min: -5, max: 5" + more + "}}]}"
    [column] = _plan(_version_2(noise), pa.schema({"age": pa.int64()})).columns
    assert column.linkable is linkable


def _shifted(subject: str, **types: pa.DataType) -> Plan:
    shift = f"{{type: add-noise, min: -9, max: 9, unit: day, consistent: true, key: {{ref: k}}, subject: {subject}}}"
    rules = ("{match: {name: [patient, notes], optional: true}, actions: [drop]}",)
    rules += (f"{{match: {{pattern: '*_date'}}, actions: [{{transform: {shift}}}]}}",)
    schema = {"notes": pa.string(), "patient": pa.string(), "visit_date": pa.date32(), "birth_date": pa.date32()}
    return _plan(_version_2(*rules), pa.schema({**schema, **types}))


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.decimal128(9, 2), pa.bool_(), pa.date32(), pa.dictionary(pa.int8(), pa.large_string())]
)
def test_the_subject_of_noise_is_read_also_where_it_is_dropped(kind: pa.DataType) -> None:
    plan = _shifted("patient", patient=kind)
    assert plan.other_columns == ("patient",)
    assert plan.read_columns == ("patient", "visit_date", "birth_date")
    assert plan.output_schema.names == ["visit_date", "birth_date"]
    assert any("column `birth_date`: noise by `patient`" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("subject", "types", "words"),
    [
        ("pateint", {}, "`subject: pateint` is no column of the data; did you mean `patient`?"),
        ("birth_date", {}, "column `birth_date`: `subject: birth_date` is the column itself; leave out `subject`"),
        ("patient", {"patient": pa.float64()}, "`subject: patient` is double; it takes text, integers, dates"),
        ("patient", {"patient": pa.dictionary(pa.int8(), pa.float32())}, "`subject: patient` is dictionary<"),
        ("patient", {"patient": pa.list_(pa.string())}, "`subject: patient` is list; it takes text"),
    ],
)
def test_c6_a_subject_that_cannot_be_one_is_refused(subject: str, types: dict[str, pa.DataType], words: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        _shifted(subject, **types)
    assert words in str(caught.value)
    assert str(caught.value).startswith("policy:5:")


def test_every_policy_in_the_documentation_is_one(repository: Path) -> None:
    page = (repository / "docs" / "policy.md").read_text(encoding="utf-8")
    policies = [load_policy(text) for text in re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]
    assert len(policies) == 3
    dates = pa.schema({"patient_id": pa.int64(), "birth_date": pa.date32(), "admitted_at": pa.timestamp("us")})
    with pytest.raises(SchemaMismatch, match="`discharged_at`"):
        compile_plan(policies[-1], dates)
    assert compile_plan(policies[-1], dates.append(pa.field("discharged_at", pa.date32()))).other_columns == (
        "patient_id",
    )


def test_version_2_suppresses_rows_by_their_input_values_first() -> None:
    assert [type(step) for step in _plan(COVERED).steps] == [
        SuppressRecords,
        Transform,
        Transform,
        SuppressAttributes,
    ]


def test_version_1_keeps_the_order_of_the_rules() -> None:
    plan = _plan(
        "rules:\n"
        "  - {match: {name: age}, actions: [{transform: {type: numeric-rounding, dtype: Long, precision: -1}}]}\n"
        "  - {match: {name: age}, actions: [{transform: {type: row-redact, condition: age > 20}}]}\n"
        "  - {match: {name: x}, actions: [{transform: {type: column-redact, columns: [notes, email]}}]}\n"
    )
    assert [type(step) for step in plan.steps] == [Transform, SuppressRecords, SuppressAttributes]
    assert plan.output_schema.names == ["age", "country"]


def test_version_1_keeps_what_no_rule_is_about_and_says_so() -> None:
    plan = _plan("rules: [{match: {name: email}, actions: [drop]}]")
    assert any("age, country, notes" in warning for warning in plan.warnings)
    assert plan.columns[1].reason == "no rule is about it"


def test_columns_that_are_only_dropped_are_not_read() -> None:
    assert _plan(COVERED).read_columns == ("email", "age", "country")
    filtered = COVERED.replace("age < 18", "notes is null")
    assert _plan(filtered).read_columns == ("email", "age", "country", "notes")


def test_c6_an_uncovered_column_is_refused_with_a_rule_to_paste() -> None:
    with pytest.raises(SchemaMismatch, match="`phone`") as caught:
        _plan(COVERED, SCHEMA.append(pa.field("phone", pa.string())))
    assert "- match: {name: phone}\n    actions: [drop]" in str(caught.value)


def test_default_drop_and_keep_cover_the_rest() -> None:
    wider = SCHEMA.append(pa.field("phone", pa.string()))
    dropped = _plan(COVERED.replace("version: 2", "version: 2\ndefault: drop"), wider)
    assert "phone" not in dropped.output_schema.names
    kept = _plan(COVERED.replace("version: 2", "version: 2\ndefault: keep"), wider)
    assert kept.columns[-1].reason == "default: keep"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [{match: {name: emial}, actions: [drop]}]", "did you mean `email`"),
        ("rules: [{match: {name: Email}, actions: [drop]}]", "did you mean `email`"),
        ("rules: [{match: {name: a}, actions: [{transform: {type: column-redact, columns: [age, nope]}}]}]", "`nope`"),
        ("rules: [{match: {name: email}, actions: [drop, {transform: {type: tokenizer}}]}]", "no column matches"),
        ("rules: [{match: {name: a}, actions: [{transform: {type: row-redact, condition: agee > 1}}]}]", "`age`"),
        ("rules: [{match: {name: age}, actions: [{transform: {type: tokenizer}}]}]", "column `age`: `tokenizer` takes"),
        (
            "rules: [{match: {name: email}, actions: [drop]}, {match: {name: age}, actions: [drop]},"
            " {match: {name: country}, actions: [drop]}, {match: {name: notes}, actions: [drop]}]",
            "drops every column",
        ),
        (COVERED + "\nguarantees: [{type: k-anonymity, k: 2, quasi_identifiers: [notes]}]", "`notes` is no column"),
    ],
)
def test_c6_what_does_not_fit_the_data_is_refused(text: str, words: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        _plan(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("{match: {name: age}, actions: [drop, suppress-value]}", "nothing can follow"),
        ("{match: {name: age}, actions: [suppress-record]}", "rule with `where`"),
        ("{match: {name: age}, actions: [{transform: {type: suppress-attribute, columns: [email]}}]}", "in `match`"),
    ],
)
def test_version_2_actions_that_make_no_sense_are_refused(rule: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        _plan(_version_2(rule, head="default: keep"))


def test_a_column_that_is_there_twice_is_refused() -> None:
    schema = pa.schema([pa.field("email", pa.string()), pa.field("email", pa.string())])
    with pytest.raises(SchemaMismatch, match="more than one column `email`"):
        _plan("rules: [{match: {name: email}, actions: [drop]}]", schema)


def test_optional_rules_of_version_1_may_miss_their_column() -> None:
    plan = _plan("rules: [{match: {name: phone, optional: true}, actions: [drop]}]")
    assert plan.output_schema.names == SCHEMA.names


def test_a_transformed_column_loses_the_metadata_that_described_its_values() -> None:
    schema = pa.schema(
        [pa.field("email", pa.string(), metadata={"cape.tags": "user.contact.email"}), *list(SCHEMA)[1:]]
    )
    plan = _plan(COVERED, schema)
    assert plan.output_schema.field("email").metadata is None


def test_of_a_kept_columns_metadata_only_the_tags_go_on() -> None:
    metadata = {"cape.tags": "user.location", "_PL_ENUM_VALUES2": "5;Alice"}
    schema = pa.schema([*list(SCHEMA)[:2], pa.field("country", pa.string(), metadata=metadata), SCHEMA.field("notes")])
    plan = _plan(COVERED, schema)
    assert plan.output_schema.field("country").metadata == {b"cape.tags": b"user.location"}
    assert plan.input_schema.field("country").metadata is None


@pytest.mark.parametrize(
    ("techniques", "left"),
    [
        (["deterministic-encryption"], {b"cape.tags": b"pii"}),
        (["reveal"], {b"cape.tags": b"pii"}),
        (["reveal", "deterministic-encryption"], {b"cape.tags": b"pii"}),
        (["deterministic-encryption", "keyed-hash"], None),
    ],
)
def test_a_tag_goes_on_past_reversible_steps_and_ends_at_a_one_way_step(
    techniques: list[str], left: dict[bytes, bytes] | None
) -> None:
    actions = ", ".join(f"{{transform: {{type: {each}, key: {{ref: k}}}}}}" for each in techniques)
    schema = pa.schema([pa.field("email", pa.string(), metadata={"cape.tags": "pii"})])
    plan = _plan(_version_2(f"{{match: {{name: email}}, actions: [{actions}]}}"), schema)
    assert plan.output_schema.field("email").metadata == left
    assert plan.columns[0].tags == ("pii",)
    assert Plan.from_dict(plan.to_dict()) == plan


def test_names_of_nested_fields_are_not_shown_for_they_may_be_values() -> None:
    schema = pa.schema({"by": pa.struct({"alice@example.com": pa.int64()}), "age": pa.int64()})
    plan = _plan(_version_2("{match: {name: age}, actions: [drop]}", "{match: {name: by}, keep: {reason: x}}"), schema)
    assert "alice" not in str(plan)
    with pytest.raises(SchemaMismatch) as caught:
        _plan(_version_2("{match: {name: by}, actions: [suppress-value]}", head="default: keep"), schema)
    assert "alice" not in str(caught.value)


@pytest.mark.parametrize("columns", ["[c]", "[age, age]"])
def test_quasi_identifiers_are_plain_columns_each_named_once(columns: str) -> None:
    text = "version: 2\ndefault: keep\nrules: [{where: age < 5, actions: [suppress-record]}]\n"
    guarantee = f"guarantees: [{{type: k-anonymity, k: 2, quasi_identifiers: {columns}}}]"
    with pytest.raises((SchemaMismatch, PolicyError)):
        _plan(text + guarantee, pa.schema({"age": pa.int64(), "c": pa.list_(pa.int64())}))


_names = st.sampled_from(["email", "Email", "e_mail", "age", "AGE", "ssn", "notes"])


@given(st.sets(_names, min_size=1), st.sets(_names, min_size=1))
def test_c6_no_column_leaves_unchanged_unless_the_policy_keeps_it(ruled: set[str], present: set[str]) -> None:
    rules = [f"{{match: {{name: {name}}}, actions: [suppress-value]}}" for name in sorted(ruled)]
    schema = pa.schema([(name, pa.string()) for name in sorted(present)])
    try:
        plan = _plan(_version_2(*rules), schema)
    except SchemaMismatch:
        assert ruled != present
    else:
        assert ruled == present
        assert all(column.decision == "transformed" for column in plan.columns)
