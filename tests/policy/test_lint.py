from __future__ import annotations

import pytest

from cape_airflow.policy import lint, load_policy
from cape_airflow.policy.lint import _guessable
from cape_airflow.transformations import Family, Technique, create


def test_an_inline_key_is_an_error_in_review() -> None:
    text = "rules: [{match: {name: a}, actions: [{transform: {type: tokenizer, key: my secret}}]}]"
    errors = [finding for finding in lint(load_policy(text)) if finding.level == "error"]
    assert len(errors) == 1
    assert "{ref: NAME}" in errors[0].message
    assert errors[0].location is not None
    assert "my secret" not in str(errors[0])


def test_a_tokenizer_without_key_is_a_warning() -> None:
    findings = lint(load_policy("rules: [{match: {name: a}, actions: [{transform: {type: tokenizer}}]}]"))
    assert any(finding.level == "warning" and "tokenizer" in finding.message for finding in findings)


def test_a_negated_condition_that_forgets_missing_values_is_a_warning() -> None:
    text = "version: 2\nrules: [{where: WHERE, actions: [suppress-record]}]"
    for forgets in ("consent != 'yes'", "not (consent = 'yes')", "a = 1 or consent not in ('yes')"):
        [finding] = lint(load_policy(text.replace("WHERE", f'"{forgets}"')))
        assert "or consent is null" in finding.message
    for remembers in ("consent != 'yes' or consent is null", "consent = 'no'", "consent is not null"):
        assert lint(load_policy(text.replace("WHERE", f'"{remembers}"'))) == []


def test_what_noise_by_subject_shows_is_told_to_the_reviewer() -> None:
    noise = "{type: add-noise, min: 0, max: 9, consistent: true, key: {ref: k}, subject: person}"
    findings = lint(load_policy(f"version: 2\nrules: [{{match: {{name: a}}, actions: [{{transform: {noise}}}]}}]"))
    assert any("learns one true value knows all of that subject" in finding.message for finding in findings)


def test_a_policy_that_covers_everything_has_no_finding() -> None:
    assert lint(load_policy("version: 2\nrules: [{match: {name: a}, actions: [drop]}]")) == []


def notes_on(transform: str) -> str:
    rule = f"version: 2\nrules: [{{match: {{name: a}}, actions: [{{transform: {{{transform}}}}}]}}]"
    return "\n".join(finding.message for finding in lint(load_policy(rule)))


def test_short_tokens_come_with_the_odds_that_they_are_shared() -> None:
    keyed = "type: keyed-hash, key: {ref: k}, lossy: true, length: 8"
    assert "of 1,000,000 different values, about 1.2e+02 pairs" in notes_on(keyed)
    assert "of 1,000,000 different values, about 1.2e+02 pairs" in notes_on("type: tokenizer, max_token_len: 8")
    assert "pairs" not in notes_on("type: keyed-hash, key: {ref: k}")


@pytest.mark.parametrize(("alphabet", "least"), [("digits", 6), ("lower", 5), ("alphanumeric", 4)])
def test_format_preserving_encryption_says_which_values_are_too_short(alphabet: str, least: int) -> None:
    spec = f"type: format-preserving-encryption, alphabet: {alphabet}, key: {{ref: k}}, version: 1"
    assert f"fewer than {least} characters" in notes_on(spec)


@pytest.mark.parametrize(
    ("spec", "none"),
    [
        ("type: add-noise, min: -0.4, max: 0.6", True),
        ("type: add-noise, min: 0, max: 1", False),
        ("type: add-noise, distribution: gaussian, scale: 1", False),
        ("type: numeric-perturbation, dtype: Integer, min: -1, max: 1", True),
        ("type: numeric-perturbation, dtype: Integer, min: -1, max: 1.5", False),
        ("type: numeric-perturbation, dtype: Double, min: -1, max: 1", False),
        ("type: numeric-perturbation, dtype: Double, min: 1, max: 1", True),
        ("type: date-perturbation, frequency: day, min: 0, max: 1", True),
        ("type: date-perturbation, frequency: day, min: 0, max: 2", False),
    ],
)
def test_a_range_that_leaves_no_choice_is_no_noise(spec: str, none: bool) -> None:
    assert ("no noise is added to" in notes_on(spec)) is none


def test_a_hash_that_takes_no_key_is_a_warning() -> None:
    class Plain(Technique):
        type = "plain-hash"
        family = Family.PSEUDONYMIZATION

    assert _guessable(Plain())
    assert not _guessable(create({"type": "tokenizer"}))
    assert not _guessable(create({"type": "keyed-hash", "key": {"ref": "k"}}))
