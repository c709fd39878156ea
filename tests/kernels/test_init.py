from __future__ import annotations

from cape_airflow import kernels


def test_the_implementation_is_named_for_reports() -> None:
    assert kernels.implementation() == "python"


def test_every_public_name_is_there() -> None:
    assert all(callable(getattr(kernels, name)) for name in kernels.__all__)
