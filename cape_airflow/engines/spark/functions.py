"""The user's own functions on their way to the driver: by import path, or pickled where the DAG file holds them."""

from __future__ import annotations

import base64
import pickle
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from cape_airflow.errors import CapeError

_PICKLED = "pickle "


def written_function(function: Callable[..., Any] | str | None) -> str | None:
    """Return a function as text: its import path ``module:name``, or its pickle.

    A function is pickled with the code of its module's other functions that it calls, since a driver cannot import DAG
    files; what it imports must be there for the driver.

    Raises:
        CapeError: it is neither importable text nor can it be pickled.
    """
    if function is None or isinstance(function, str):
        return function
    from pyspark import cloudpickle

    module = sys.modules.get(function.__module__)
    try:
        if module is not None:
            cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
        pickled = cloudpickle.dumps(function)  # type: ignore[no-untyped-call]
    except (pickle.PicklingError, TypeError, ValueError):
        raise CapeError(
            f"the function {function.__qualname__} cannot be sent to Spark's driver; give its import path module:name"
        ) from None
    finally:
        if module is not None:
            cloudpickle.unregister_pickle_by_value(module)  # type: ignore[no-untyped-call]
    return _PICKLED + base64.b64encode(pickled).decode("ascii")


def user_function(written: str) -> Callable[[Any], Any]:
    """Return the function that `written_function` wrote down.

    Raises:
        CapeError: the path leads to nothing.
    """
    if written.startswith(_PICKLED):
        loaded: Callable[[Any], Any] = pickle.loads(base64.b64decode(written.removeprefix(_PICKLED)))  # noqa: S301 - from the operator, by our pipe
        return loaded
    module, _, name = written.partition(":")
    try:
        found: Callable[[Any], Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise CapeError(
            f"there is no function `{written}`; write it as module:name, importable by the driver"
        ) from None
    return found


def name_of(function: Callable[..., Any] | str) -> str:
    """Return what people call a function."""
    return function if isinstance(function, str) else f"{function.__module__}:{function.__qualname__}"
