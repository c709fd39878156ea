"""What the masker of Airflow's logs is told: every key that a task holds, however a library may spell it.

Nothing of ours writes a secret to a log. The masker is there for what others write: a traceback with locals, a client
at level debug, a task that prints. Airflow hands what is masked to the task's supervisor, which filters the log.
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING

from airflow.sdk.log import mask_secret

from cape_airflow.keys import Key, KeyRing

if TYPE_CHECKING:
    from cape_airflow.keys import Secret


class MaskedKeyRing(KeyRing):
    """A key ring of a task: what it hands over is masked in the task's log from then on."""

    def _find(self, name: str) -> Key:
        key = super()._find(name)
        for secret in key.versions.values():
            mask_secret(list(spellings(secret)))
        return key


def spellings(secret: Secret) -> tuple[str, ...]:
    """Return how key material may be written: base64 and base64url without padding, hexadecimal, and as bytes."""
    material = secret.reveal()
    encoded = b64encode(material), urlsafe_b64encode(material)
    return *(each.decode().rstrip("=") for each in encoded), material.hex(), repr(material)[2:-1]
