"""De-identify data under reviewed, approved policies. Start with `load_policy`, `compile_plan` and `apply`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cape_airflow.engines import apply, spark
    from cape_airflow.errors import CapeError
    from cape_airflow.keys import KeyRing
    from cape_airflow.policy import Plan, Policy, compile_plan, load_policy

__version__ = "0.1.0"

__all__ = ["CapeError", "KeyRing", "Plan", "Policy", "__version__", "apply", "compile_plan", "load_policy", "spark"]

_HOMES = {
    "CapeError": "errors",
    "KeyRing": "keys",
    "Plan": "policy",
    "Policy": "policy",
    "apply": "engines",
    "compile_plan": "policy",
    "load_policy": "policy",
    "spark": "engines",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: Airflow imports this package only to learn what it provides."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = f"{__name__}.{_HOMES[name]}"
    return import_module(f"{home}.spark") if name == "spark" else getattr(import_module(home), name)
