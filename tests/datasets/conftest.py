"""Datasets written and read in one line, and a real S3 server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyarrow as pa
import pytest

from cape_airflow.datasets import open_sink, open_source
from cape_airflow.errors import CapeError, DatasetError

JOB = "0123456789abcdef" * 2
SECRET = "S3CRET"


@pytest.fixture
def write() -> Callable[..., None]:
    """Return a function that writes a table through a sink, and commits."""

    def write(url: str, table: pa.Table, **kwargs: Any) -> None:
        with open_sink(url, **{"job_id": JOB, **kwargs}) as sink:
            sink.open(table.schema)
            for batch in table.to_batches():
                sink.write(batch)
            sink.commit()

    return write


@pytest.fixture
def read() -> Callable[..., pa.Table]:
    """Return a function that reads a whole source."""

    def read(url: str, columns: list[str] | None = None, batch_rows: int = 65536, **kwargs: Any) -> pa.Table:
        source = open_source(url, **kwargs)
        names = source.schema.names if columns is None else columns
        schema = pa.schema([source.schema.field(name) for name in names])
        return pa.Table.from_batches(source.batches(columns, batch_rows), schema)

    return read


@pytest.fixture
def refused() -> Callable[..., AbstractContextManager[None]]:
    """Return a check: an error of ours is raised, says `words`, and shows `SECRET` nowhere, chained errors included."""

    @contextmanager
    def refused(words: str, kind: type[CapeError] = DatasetError) -> Iterator[None]:
        with pytest.raises(kind, match=words) as caught:
            yield
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None

    return refused


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, Any]]:
    """Yield the storage options of a real S3 server with the bucket ``bucket``."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {"key": "test", "secret": "test", "endpoint_url": f"http://{host}:{port}"}
    client = boto3.client(
        "s3",
        endpoint_url=options["endpoint_url"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="bucket")
    yield options
    client.close()
    server.stop()
