from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.settings import Settings
from cape_airflow.errors import KeyUnavailable

ARN = "arn:aws:kms:eu-central-1:123456789012:key/1"


@pytest.mark.parametrize("uri", ["gcp-kms://projects/p", "aws_kms://" + ARN, "os://path", "aws-kms://", "../x://y"])
def test_a_uri_of_no_known_service_is_refused_and_the_known_are_named(tmp_path: Path, uri: str) -> None:
    with pytest.raises(KeyUnavailable, match=r"known: aws-kms://"):
        create_app(Settings(home=tmp_path, root_key_uri=uri))


def test_a_service_beside_another_root_key_is_refused(tmp_path: Path) -> None:
    for more in ({"root_key": SecretStr("A" * 43)}, {"root_key_file": tmp_path / "root.key"}):
        with pytest.raises(KeyUnavailable, match="set only one"):
            create_app(Settings(home=tmp_path, root_key_uri=f"aws-kms://{ARN}", **more))
