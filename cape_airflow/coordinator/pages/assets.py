"""Style sheet, scripts and icon. Their addresses hold a digest of the content, so that browsers keep them for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

from fastapi import APIRouter, Response

from cape_airflow.coordinator.guard import GuardedRoute
from cape_airflow.coordinator.problems import missing

router = APIRouter(prefix="/static", route_class=GuardedRoute, include_in_schema=False)

_MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A file that pages are made with."""

    content: bytes
    media_type: str
    digest: str


def _load() -> Mapping[str, Asset]:
    assets = {}
    for file in resources.files("cape_airflow.coordinator.pages").joinpath("static").iterdir():
        content = file.read_bytes()
        media_type = _MEDIA_TYPES[file.name.rpartition(".")[2]]
        assets[file.name] = Asset(content, media_type, hashlib.sha256(content).hexdigest()[:16])
    return MappingProxyType(assets)


ASSETS: Mapping[str, Asset] = _load()


@router.get("/{digest}/{name}", name="page:asset")
async def asset(digest: str, name: str) -> Response:
    """Return a file; only the content that the address promises, since caches keep it."""
    found = ASSETS.get(name)
    if found is None or found.digest != digest:
        raise missing("file")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.media_type, headers=headers)
