"""Keys in a file that only its owner may read."""

from __future__ import annotations

import secrets
from functools import cached_property
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cape_airflow.errors import CapeError, KeyUnavailable
from cape_airflow.keys.material import Key, Secret
from cape_airflow.keys.private_file import alone_in, read_private, write_private
from cape_airflow.keys.written import SHORTEST, WrittenKey

_KEYS = TypeAdapter(dict[str, WrittenKey])


class FileKeys:
    """The keys of a JSON file: ``{"NAME": {"primary": 1, "versions": {"1": base64url}}}``.

    The file is read once, when the first key is asked for.

    Args:
        path: a file that neither its group nor others may read.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    @cached_property
    def _keys(self) -> dict[str, WrittenKey]:
        return _read(self._path)

    def get(self, name: str) -> Key | None:
        """Return the key, or None where the file has none of that name.

        Raises:
            KeyUnavailable: the file cannot be read, others may read it, or it is not of the form above.
        """
        written = self._keys.get(name)
        return written.key(name) if written else None

    def names(self) -> tuple[str, ...]:
        """Return the names of the keys in the file."""
        return tuple(self._keys)

    def __repr__(self) -> str:
        return f"FileKeys({str(self._path)!r})"


def add_key(path: Path, name: str, size: int = 32, *, rotate: bool = False) -> int:
    """Add a new random key to a key file, and make the file where there is none.

    Args:
        size: bytes; deterministic encryption takes 64.
        rotate: the key is there already, and gets a new primary version.

    Returns:
        The version that was made.

    Raises:
        KeyUnavailable: the key is there already and `rotate` is not set, or the other way round; the file cannot be
            read or written; the size is less than 16.
    """
    if size < SHORTEST:
        raise KeyUnavailable(f"a key must have at least {SHORTEST} bytes")
    with alone_in(path.parent):
        keys = _read(path) if path.exists() else {}
        if (name in keys) != rotate:
            way_out = "rotate it, or choose another name" if name in keys else "make it first"
            raise KeyUnavailable(f"key `{name}` is {'' if name in keys else 'not '}in {path}; {way_out}")
        versions = dict(keys[name].versions) if rotate else {}
        version = max(versions, default=0) + 1
        keys[name] = WrittenKey(primary=version, versions=versions | {version: Secret(secrets.token_bytes(size))})
        write_private(path, _KEYS.dump_json(keys, indent=2, exclude_defaults=True))
    return version


def _read(path: Path) -> dict[str, WrittenKey]:
    try:
        return _KEYS.validate_json(read_private(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = " > ".join(str(part) for part in first["loc"])
        complaint = f"{path} is not a key file: {first['msg']}{f' at {place}' if place else ''}"
    except CapeError as error:
        complaint = str(error)
    # Outside of the handler: pydantic's error shows the input, and must not be the context of ours.
    raise KeyUnavailable(complaint)
