"""Against a real KMS API over HTTP: moto's server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import select, text

from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.bootstrap import initialise
from cape_airflow.coordinator.root_key_rotation import rotate_root_key
from cape_airflow.coordinator.root_keys import CONTEXT, aws_kms
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.store import Store
from cape_airflow.coordinator.store.models import ServedRootKey
from cape_airflow.errors import KeyUnavailable
from cape_airflow.keys import Secret

REGION = "eu-central-1"
NOBODY = f"arn:aws:kms:{REGION}:123456789012:key/00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where boto3 looks: this server, and credentials that it does not check."""
    for name, value in {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def kms() -> Any:
    return boto3.client("kms", region_name=REGION)


@pytest.fixture
def arn(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


def served(home: Path, arn: str) -> Settings:
    return Settings(home=home, root_key_uri=f"aws-kms://{arn}")


def test_a_secret_comes_back_with_its_context_and_with_no_other(arn: str) -> None:
    service = aws_kms.open_service(arn)
    wrapped = service.wrap(Secret(b"material"), CONTEXT)
    assert b"material" not in wrapped
    assert service.unwrap(wrapped, CONTEXT).reveal() == b"material"
    with pytest.raises(KeyUnavailable, match="InvalidCiphertext"):
        service.unwrap(wrapped, {"application": "another"})


def test_a_key_that_is_not_there_is_said_without_the_secret() -> None:
    with pytest.raises(KeyUnavailable, match="NotFoundException") as refused:
        aws_kms.open_service(NOBODY).wrap(Secret(b"material"), CONTEXT)
    assert refused.value.__context__ is None
    assert "material" not in str(refused.value)


def test_a_service_that_does_not_answer_is_said(arn: str, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port}")
    with pytest.raises(KeyUnavailable, match="EndpointConnectionError"):
        aws_kms.open_service(arn).wrap(Secret(b"x"), CONTEXT)


@pytest.mark.parametrize("address", ["", "key/1", "arn:aws:s3:::bucket", "arn:aws:kms::1:key/1", "arn:aws:kms:r:1:"])
def test_what_is_no_arn_of_kms_is_refused(address: str) -> None:
    with pytest.raises(KeyUnavailable, match="arn:aws:kms"):
        aws_kms.open_service(address)


def test_a_coordinator_starts_again_with_the_root_key_that_kms_unwraps(tmp_path: Path, arn: str) -> None:
    initialise(served(tmp_path, arn), "admin@example.com", "Ada")
    coordinator = create_app(served(tmp_path, arn)).state.coordinator
    with coordinator.store.read() as session:
        [row] = session.scalars(select(ServedRootKey))
        wrapped = row.wrapped
    coordinator.store.close()
    assert not (tmp_path / "root.key").exists()
    stored = aws_kms.open_service(arn).unwrap(wrapped, CONTEXT)
    assert stored.reveal() not in (tmp_path / "coordinator.db").read_bytes()


def test_without_its_key_in_kms_nothing_starts(tmp_path: Path, arn: str) -> None:
    initialise(served(tmp_path, arn), "admin@example.com", "Ada")
    with pytest.raises(KeyUnavailable, match="NotFoundException"):
        create_app(served(tmp_path, f"{arn.rpartition('/')[0]}/00000000-0000-0000-0000-000000000000"))


def test_another_key_of_kms_does_not_unwrap_the_root_key(tmp_path: Path, arn: str, kms: Any) -> None:
    initialise(served(tmp_path, arn), "admin@example.com", "Ada")
    other = kms.create_key()["KeyMetadata"]["Arn"]
    with pytest.raises(KeyUnavailable, match="AWS KMS"):
        create_app(served(tmp_path, other))


def test_a_database_under_a_file_is_moved_to_kms_and_back(tmp_path: Path, arn: str) -> None:
    before = Settings(home=tmp_path)
    initialise(before, "admin@example.com", "Ada")
    with pytest.raises(KeyUnavailable, match="rotate-root-key"):
        create_app(served(tmp_path, arn))
    rotate_root_key(before, f"aws-kms://{arn}")
    with pytest.raises(KeyUnavailable, match="not of this root key"):
        create_app(before)
    create_app(served(tmp_path, arn)).state.coordinator.store.close()
    rotate_root_key(served(tmp_path, arn), str(tmp_path / "back.key"))
    create_app(Settings(home=tmp_path, root_key_file=tmp_path / "back.key")).state.coordinator.store.close()
    store = Store(before)
    with store.read() as session:
        assert session.execute(text("SELECT count(*) FROM served_root_keys")).scalar() == 0
    store.close()


def test_a_new_root_key_under_the_same_key_of_kms_needs_no_other_settings(tmp_path: Path, arn: str) -> None:
    settings = served(tmp_path, arn)
    initialise(settings, "admin@example.com", "Ada")
    first = create_app(settings).state.coordinator
    rotate_root_key(settings, f"aws-kms://{arn}")
    second = create_app(settings).state.coordinator
    assert first.root_key.derive("x") != second.root_key.derive("x")
    for coordinator in (first, second):
        coordinator.store.close()
