from __future__ import annotations

from cape_airflow import kernels


def test_the_implementation_is_named_for_reports() -> None:
    name, _, instruction_set = kernels.implementation().partition("-")
    assert (name == "python") is (instruction_set == "")
    assert name in {"python", "native"}


def test_every_public_name_is_there() -> None:
    assert all(callable(getattr(kernels, name)) for name in kernels.__all__)
