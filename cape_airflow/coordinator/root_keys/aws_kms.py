"""AWS Key Management Service: ``aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID``, or the ARN of an alias.

Credentials and endpoint come from where boto3 finds them: the role of the machine, ``AWS_*`` variables. The role needs
``kms:Decrypt`` on that key, and ``kms:Encrypt`` when a root key is made; a condition on the encryption context can
allow it nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cape_airflow.errors import KeyUnavailable, MissingExtra
from cape_airflow.keys import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 5
_TRIES = 3
_ARN_PARTS = 6


class AwsKms:
    """A symmetric key of AWS KMS.

    Args:
        arn: of the key or of an alias.
        client: boto3's, of the region in the ARN.
    """

    def __init__(self, arn: str, client: Any) -> None:
        self._arn = arn
        self._client = client

    def wrap(self, secret: Secret, context: Mapping[str, str]) -> bytes:
        """Return `secret` as ``kms:Encrypt`` encrypts it, bound to `context`.

        Raises:
            KeyUnavailable: KMS refuses, or does not answer.
        """
        answer = self._ask(self._client.encrypt, Plaintext=secret.reveal(), EncryptionContext=dict(context))
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> Secret:
        """Return what ``kms:Decrypt`` makes of `wrapped`.

        Raises:
            KeyUnavailable: KMS refuses, or does not answer.
        """
        answer = self._ask(self._client.decrypt, CiphertextBlob=wrapped, EncryptionContext=dict(context))
        return Secret(answer["Plaintext"])

    def _ask(self, operation: Callable[..., dict[str, Any]], **parameters: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return operation(KeyId=self._arn, **parameters)
        except ClientError as error:
            reason = str(error.response["Error"]["Code"])
        except BotoCoreError as error:
            reason = type(error).__name__
        # Outside of the handler: what it caught knows the request, and must not be the context of ours.
        raise KeyUnavailable(f"AWS KMS does not give the root key: {reason}; look at its key policy and at {self._arn}")


def open_service(address: str) -> AwsKms:
    """Return the key with that ARN.

    Raises:
        KeyUnavailable: it is not an ARN of KMS.
        MissingExtra: boto3 is not installed.
    """
    parts = address.split(":", _ARN_PARTS - 1)
    if len(parts) != _ARN_PARTS or parts[0] != "arn" or parts[2] != "kms" or not all(parts[3:]):
        raise KeyUnavailable("write CAPE_ROOT_KEY_URI as aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID")
    try:
        import boto3
        from botocore.config import Config
    except ModuleNotFoundError:
        raise MissingExtra("boto3", "aws") from None
    patience = Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": _TRIES})
    return AwsKms(address, boto3.client("kms", region_name=parts[3], config=patience))
