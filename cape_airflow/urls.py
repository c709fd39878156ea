"""What URLs must not hold, since arguments of tasks and reports of jobs are stored and shown: credentials.

Secrets may hold `/`, `?` and `::`, so that no part of a URL is trusted to end where a standard (RFC 3986) says it does.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_AUTHORITY = re.compile(r"(?=://([^/?#\\]*))")  # looks ahead, since one may reach into the next: zip://x::s3://
_PARAMETER = re.compile(r"[?&;#]([^=&;#/]+)=")
_SECRET = re.compile(r"(^|[^a-z])sig($|[^a-z])|signature|token|key|credential|passw|secret", re.IGNORECASE)


def holds_credentials(url: str) -> bool:
    """Return whether a URL, or one in a chain (``simplecache::s3://...``), has a user, a password or a signature.

    Where that is not certain, it is taken to have one. Paths have none.
    """
    return "://" in url and (_holds_user(url) or any(map(sounds_secret, map(unquote, _PARAMETER.findall(url)))))


def sounds_secret(name: str) -> bool:
    """Return whether an option or a parameter of a query is called like one whose value is secret."""
    return bool(_SECRET.search(name))


def _holds_user(url: str) -> bool:
    """Whether one of the chained parts has an `@` where its authority may still go on."""
    return any(
        "@" in found[1] or (":" in found[1].partition("::")[0] and "@" in url[found.end(1) :])
        for found in _AUTHORITY.finditer(url)
    )
