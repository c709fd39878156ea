from __future__ import annotations

from cape_airflow.policy import lint, load_policy


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
