"""The settings' file: TOML, named by CAPE_CONFIG. What the environment says comes before what the file says.

Secrets are not written into the file: a setting that is one says ``file:/path``, and holds what that file holds.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings, InitSettingsSource

from cape_airflow.errors import CoordinatorError, did_you_mean

VARIABLE = "CAPE_CONFIG"
_REFERENCE = "file:"


def file_source(settings: type[BaseSettings]) -> InitSettingsSource:
    """Return what the file of CAPE_CONFIG says; nothing where the variable is not set.

    Raises:
        CoordinatorError: the file cannot be read, is not TOML, names what is no setting, or holds a secret in clear.
    """
    name = os.environ.get(VARIABLE)
    return InitSettingsSource(settings, _checked(settings, _read(Path(name).expanduser())) if name else {})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CoordinatorError(f"{VARIABLE}: the file {path} cannot be read ({type(error).__name__})") from None
    except tomllib.TOMLDecodeError as error:
        # Its message names the place and the character that is wrong there, never a value.
        raise CoordinatorError(f"{VARIABLE}: the file {path} is not TOML: {error}") from None


def _checked(settings: type[BaseSettings], data: dict[str, Any]) -> dict[str, Any]:
    for name in data:
        if name not in settings.model_fields:
            hint = did_you_mean(name, settings.model_fields)
            raise CoordinatorError(f"{VARIABLE}: `{name}` is not a setting{hint}")
    return {name: _with_secrets(settings.model_fields[name].annotation, value, name) for name, value in data.items()}


def _with_secrets(annotation: Any, value: Any, place: str) -> Any:
    """Return the value with its secrets read from the files that it names, in tables and lists of tables too."""
    kinds = set(_kinds(annotation))
    if SecretStr in kinds:
        return _secret(value, place)
    if isinstance(value, list):
        return [_with_secrets(annotation, item, f"{place}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, dict):
        fields = {
            name: field.annotation
            for kind in kinds
            if issubclass(kind, BaseModel)
            for name, field in kind.model_fields.items()
        }
        return {
            name: _with_secrets(fields.get(name, annotation), item, f"{place}.{name}") for name, item in value.items()
        }
    return value


def _kinds(annotation: Any) -> Iterator[type]:
    """Yield the classes that an annotation is made of."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _secret(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.startswith(_REFERENCE):
        raise CoordinatorError(
            f'{VARIABLE}: {place} is a secret, which does not belong into this file; write {place} = "file:/path/to/it"'
        )
    path = Path(value.removeprefix(_REFERENCE)).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CoordinatorError(f"{VARIABLE}: {place}: {path} cannot be read ({type(error).__name__})") from None
