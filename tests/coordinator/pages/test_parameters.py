from __future__ import annotations

import pytest

from cape_airflow.coordinator.pages.parameters import entered, parameters
from cape_airflow.transformations import create, techniques
from cape_airflow.transformations.registry import BUILT_IN


@pytest.mark.parametrize("name", [kind.type for kind in BUILT_IN])
def test_every_parameter_of_every_technique_has_a_field_with_a_hint(name: str) -> None:
    fields = list(parameters(techniques()[name]))
    assert {field.name for field in fields} == set(techniques()[name].model_fields)
    assert all(field.hint for field in fields)
    assert [field.required for field in fields] == sorted((field.required for field in fields), reverse=True)


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("keyed-hash", {"key": "k", "encoding": "hex", "lossy": ""}, {"key": {"ref": "k"}}),
        (
            "keyed-hash",
            {"key": "k", "length": "40", "lossy": "yes"},
            {"key": {"ref": "k"}, "length": 40, "lossy": True},
        ),
        ("round", {"precision": " -3 "}, {"precision": -3}),
        ("date-truncate", {"unit": "month"}, {"unit": "month"}),
        ("add-noise", {"min": "-0.5", "max": "1e3"}, {"min": -0.5, "max": 1000.0}),
        ("suppress-value", {"replacement": "withheld"}, {"replacement": "withheld"}),
        ("suppress-attribute", {"columns": "a, b ,"}, {"columns": ["a", "b"]}),
    ],
)
def test_what_is_filled_in_is_what_a_policy_would_say(
    name: str, given: dict[str, str], read: dict[str, object]
) -> None:
    assert entered(techniques()[name], given) == read
    create({"type": name, **read})


def test_what_is_no_number_stays_text_for_the_technique_to_refuse() -> None:
    assert entered(techniques()["round"], {"precision": "few"}) == {"precision": "few"}
