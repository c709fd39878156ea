from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cape_airflow.errors import PolicyError
from cape_airflow.transformations import (
    KeyReference,
    SuppressAttribute,
    SuppressRecord,
    Technique,
    create,
    registry,
    techniques,
)

FORMAT = {"type": "format-preserving-encryption", "key": {"ref": "k"}, "version": 1}
CAPES_NINE = (
    "tokenizer",
    "reversible-tokenizer",
    "token-reverser",
    "numeric-rounding",
    "numeric-perturbation",
    "date-truncation",
    "date-perturbation",
    "column-redact",
    "row-redact",
)
VERSION_2 = (
    "keyed-hash",
    "deterministic-encryption",
    "format-preserving-encryption",
    "reveal",
    "round",
    "date-truncate",
    "add-noise",
    "character-mask",
    "suppress-value",
    "suppress-attribute",
    "suppress-record",
)


def test_every_technique_of_both_versions_is_known() -> None:
    names = {name for kind in techniques().values() for name in (kind.type, *kind.aliases)}
    assert names == {*CAPES_NINE, *VERSION_2, "numeric-pertubation", "date-pertubation"}


def test_techniques_are_listed_once_under_their_canonical_name() -> None:
    assert all(name == kind.type for name, kind in techniques().items())
    assert techniques()["suppress-attribute"] is SuppressAttribute
    assert "column-redact" not in techniques()


def test_cape_names_of_suppression_mean_the_new_ones() -> None:
    assert create({"type": "column-redact", "columns": ["a", "b"]}) == SuppressAttribute(columns=("a", "b"))
    assert create({"type": "column-redact", "columns": "a"}) == SuppressAttribute(columns=("a",))
    assert create({"type": "row-redact", "condition": "a > 1"}) == SuppressRecord(condition="a > 1")


@pytest.mark.parametrize("key", [{"ref": "customer-id"}, KeyReference(ref="customer-id")])
def test_a_key_is_a_reference_written_or_built(key: object) -> None:
    technique = create({"type": "keyed-hash", "key": key})
    assert [reference.ref for reference in technique.key_references()] == ["customer-id"]


def test_what_create_makes_survives_the_way_through_json() -> None:
    for spec in (
        {"type": "date-perturbation", "frequency": ["YEAR", "DAY"], "min": [-1, -2], "max": [1, 2], "seed": 3},
        {"type": "tokenizer", "key": {"ref": "k"}, "max_token_len": 5},
        {"type": "column-redact", "columns": ["a"]},
    ):
        technique = create(spec)
        dumped = technique.model_dump(mode="json", exclude_unset=True)
        assert create({"type": technique.type, **dumped}) == technique


def test_integers_stand_for_floats_but_booleans_for_no_number() -> None:
    assert create({"type": "add-noise", "min": -3, "max": 3}).model_dump()["max"] == 3.0
    with pytest.raises(PolicyError, match=r"`max_token_len`: Input should be a valid integer"):
        create({"type": "tokenizer", "max_token_len": True})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "needs a `type`"),
        ({"type": 3}, "needs a `type`"),
        ({"type": "tokeniser"}, r"no technique `tokeniser`; did you mean `tokenizer`\? \(known: keyed-hash, "),
        ({"type": "round", "precison": 1}, r"no parameter `precison`; did you mean `precision`\? \(known: precision\)"),
        ({"type": "round"}, "`round`: needs the parameter `precision`"),
        ({"type": "round", "precision": "1"}, "`precision`: Input should be a valid integer"),
        ({"type": "keyed-hash", "key": {"ref": "k"}, "length": 10}, "`length` is at least 32, or say `lossy: true`"),
        ({"type": "keyed-hash", "key": {"ref": "k"}, "length": 4, "lossy": True}, "`length`: .* greater than or equal"),
        ({"type": "character-mask", "pattern": "(?<=a)b"}, "`pattern`: is no regular expression of RE2 .*invalid perl"),
        ({"type": "character-mask", "pattern": "[0-9]*"}, "`pattern`: matches where there is no character"),
        ({"type": "character-mask", "pattern": r"\b"}, "`pattern`: matches where there is no character"),
        ({"type": "character-mask", "pattern": "a", "keep_last": 1}, "goes with neither `keep_first` nor `keep_last`"),
        ({"type": "character-mask", "mask": "**"}, "`mask`: String should have at most 1 character"),
        ({"type": "add-noise", "min": 1}, "uniform noise needs `min` and `max`, and no `scale`"),
        ({"type": "add-noise", "min": 2, "max": 2}, "`min` is less than `max`"),
        ({"type": "add-noise", "distribution": "laplace", "min": 1, "max": 2}, "laplace noise needs `scale`"),
        ({"type": "add-noise", "min": float("nan"), "max": 2}, "`min`: Input should be a finite number"),
        ({"type": "date-truncate", "unit": "decade"}, "`unit`: Input should be 'year', 'quarter'"),
        ({"type": "date-truncation", "frequency": "WEEK"}, "`frequency`: Input should be 'year', 'month'"),
        ({"type": "date-perturbation", "frequency": ["DAY", "YEAR"], "min": 1, "max": 2}, "lists of the same length"),
        (
            {"type": "date-perturbation", "frequency": "DAY", "min": 1.5, "max": 2},
            "`min.0`: Input should be a valid int",
        ),
        ({"type": "date-perturbation", "frequency": "DAY", "min": 2, "max": 2}, "`min` is below `max`"),
        ({"type": "numeric-rounding", "dtype": "Int", "precision": 0}, "`dtype`: Input should be 'Float', 'Double'"),
        ({"type": "numeric-perturbation", "dtype": "Byte", "min": 0, "max": 300}, "fit the `dtype` Byte"),
        ({"type": "numeric-perturbation", "dtype": "Long", "min": 1, "max": 0}, "`min` is not above `max`"),
        ({"type": "reversible-tokenizer", "key": {"ref": "k"}, "encoding": "hex"}, "no text encoding of that name"),
        ({"type": "reveal", "key": {"ref": "k"}, "to": "float64"}, "no type that can be read back"),
        ({"type": "reveal", "key": {"ref": "k"}, "to": "decimal128(99, 2)"}, "`to`: precision should be between"),
        (FORMAT | {"version": 0}, "`version`: Input should be greater than or equal to 1"),
        ({"type": FORMAT["type"], "key": {"ref": "k"}}, "needs the parameter `version`"),
        (FORMAT | {"width": 5}, "`width`: Input should be greater than or equal to 6"),
        (FORMAT | {"alphabet": "0120"}, "an alphabet has 2 to 65,536 distinct characters, none of which is kept"),
        (FORMAT | {"keep": "-0"}, "an alphabet has 2 to 65,536 distinct characters, none of which is kept"),
        (FORMAT | {"keep": "\ud800"}, "`keep`: half a surrogate pair is no character"),
        ({"type": "reveal", "key": {"ref": "k"}, "keep": "-"}, "`keep` belongs to `of: format-preserving-encryption`"),
        ({"type": "reveal", "key": {"ref": "k"}, "of": FORMAT["type"]}, "needs the `version` that it was given"),
        (FORMAT | {"type": "reveal", "of": FORMAT["type"], "to": "int64"}, "and no `to`"),
        (FORMAT | {"type": "reveal", "of": FORMAT["type"], "alphabet": "00"}, "an alphabet has 2 to 65,536 distinct"),
        ({"type": "column-redact", "columns": {"a": 1}}, "`columns.0`: Input should be a valid string"),
    ],
)
def test_a_wrong_transform_is_refused_with_the_way_out(spec: dict[str, object], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        create(spec)


def test_a_key_in_place_of_its_name_is_refused_and_not_shown() -> None:
    for key in ("s3cret-CANARY", {"value": "s3cret-CANARY"}, {"ref": "", "value": "s3cret-CANARY"}, b"s3cret-CANARY"):
        with pytest.raises(PolicyError) as refusal:
            create({"type": "tokenizer", "key": key})
        assert "CANARY" not in str(refusal.value)


PLUGIN = """
from typing import ClassVar
from cape_airflow.transformations import Family, Technique

class Mine(Technique):
    '''A technique of a user.'''
    type: ClassVar[str] = {name!r}
    family: ClassVar[Family] = Family.SUPPRESSION
"""


def _install(folder: Path, name: str) -> None:
    (folder / "plugin_of_a_user.py").write_text(PLUGIN.format(name=name))
    metadata = folder / "plugin_of_a_user-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-a-user\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[cape_airflow.transformations]\nmine = plugin_of_a_user:Mine\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """A package with one technique, of the name that the test gives, found by its entry point."""
    _install(tmp_path, request.param)
    monkeypatch.syspath_prepend(tmp_path)
    _forget()
    yield
    _forget()


def _forget() -> None:
    sys.modules.pop("plugin_of_a_user", None)
    registry.techniques.cache_clear()
    registry._names.cache_clear()


@pytest.mark.parametrize("installed", ["users-own"], indirect=True)
@pytest.mark.usefixtures("installed")
def test_a_package_adds_techniques_by_entry_point() -> None:
    assert isinstance(create({"type": "users-own"}), Technique)
    assert "users-own" in techniques()


@pytest.mark.parametrize("installed", ["round", "row-redact"], indirect=True)
@pytest.mark.usefixtures("installed")
def test_two_techniques_of_one_name_are_an_error() -> None:
    with pytest.raises(PolicyError, match=r"two techniques go by the name `(round|row-redact)`"):
        techniques()
