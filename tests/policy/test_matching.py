from __future__ import annotations

import pyarrow as pa
import pytest

from cape_airflow.errors import PolicyError, SchemaMismatch
from cape_airflow.policy import load_policy
from cape_airflow.policy.matching import assign

SCHEMA = pa.schema(
    [
        pa.field("email", pa.string(), metadata={"cape.tags": "user.contact.email, user.contact"}),
        pa.field("tax_ssn", pa.string()),
        pa.field("home_ssn", pa.large_string()),
        pa.field("age", pa.int16()),
        pa.field("born", pa.timestamp("us", "UTC")),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string())),
    ]
)


def _assign(*matches: str) -> dict[str, str]:
    rules = "\n".join(f"  - match: {match}\n    actions: [drop]" for match in matches)
    policy = load_policy(f"version: 2\nrules:\n{rules}")
    return {name: rule.location.rule for name, rule in assign(policy.rules, SCHEMA).items()}


def test_a_more_exact_match_wins_whatever_the_order() -> None:
    assigned = _assign("{dtype: string}", "{tag: user.contact}", "{pattern: '*_ssn'}", "{name: home_ssn}")
    assert assigned == {
        "email": "rules[1]",
        "tax_ssn": "rules[2]",
        "home_ssn": "rules[3]",
        "kind": "rules[0]",
    }


@pytest.mark.parametrize(
    ("dtype", "columns"),
    [("integer", {"age"}), ("int16", {"age"}), ("timestamp", {"born"}), ("timestamp[us, tz=UTC]", {"born"})],
)
def test_a_dtype_is_a_family_or_an_arrow_type(dtype: str, columns: set[str]) -> None:
    assert set(_assign(f"{{dtype: '{dtype}'}}")) == columns


def test_every_type_falls_in_one_family_however_it_is_wrapped() -> None:
    families = {
        "string": [
            pa.string_view(),
            pa.dictionary(pa.int8(), pa.large_string()),
            pa.run_end_encoded(pa.int32(), pa.string()),
        ],
        "binary": [pa.binary(8), pa.binary_view(), pa.large_binary(), pa.uuid()],
        "duration": [pa.duration("s"), pa.month_day_nano_interval()],
        "nested": [pa.struct({"a": pa.int8()}), pa.list_(pa.int8()), pa.map_(pa.string(), pa.int8())],
    }
    for family, kinds in families.items():
        schema = pa.schema([pa.field(str(place), kind) for place, kind in enumerate(kinds)])
        policy = load_policy(f"version: 2\nrules: [{{match: {{dtype: {family}}}, actions: [drop]}}]")
        assert set(assign(policy.rules, schema)) == set(schema.names)


def test_two_rules_of_the_same_exactness_on_one_column_are_an_error() -> None:
    with pytest.raises(PolicyError, match=r"`home_ssn` by pattern: rules\[0\] \(line 3\)") as caught:
        _assign("{pattern: '*_ssn'}", "{pattern: 'home*'}")
    assert caught.value.location is not None
    assert caught.value.location.line == 5


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ("{name: emial}", "did you mean `email`"),
        ("{name: Email}", "did you mean `email`"),
        ("{name: [email, phone]}", "name `phone`"),
        ("{pattern: '*_phone'}", "pattern"),
        ("{tag: user.name}", "tag"),
        ("{dtype: decimal}", "dtype"),
        ("{dtype: int64}", "dtype"),
    ],
)
def test_c6_a_rule_that_matches_nothing_is_an_error(match: str, words: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        _assign(match)
    assert words in str(caught.value)
    assert "optional: true" in str(caught.value)


def test_an_optional_rule_may_match_nothing() -> None:
    assert _assign("{name: phone, optional: true}", "{name: email}") == {"email": "rules[1]"}


def test_an_unknown_dtype_is_an_error() -> None:
    with pytest.raises(PolicyError, match="`dtype` is one of"):
        _assign("{dtype: varchar}")
