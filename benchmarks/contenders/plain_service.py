"""What one would write without us: FastAPI and SQLAlchemy as their tutorials show them, with the same routes.

Tokens are looked up, policies read, jobs and a row of an audit log written, each request in a transaction of its own.
It has no roles, seals, chain or record of reads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import JSON, Text, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["PLAIN_DB_URL"])


class Base(DeclarativeBase):
    """Tables."""

    seq: Mapped[int] = mapped_column(primary_key=True)


class Token(Base):
    """Who may ask."""

    __tablename__ = "tokens"
    digest: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str]


class Policy(Base):
    """An approved policy."""

    __tablename__ = "policies"
    project: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str] = mapped_column(index=True)
    policy: Mapped[str] = mapped_column(Text)


class Job(Base):
    """A run."""

    __tablename__ = "jobs"
    job_id: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class Audit(Base):
    """Who did what."""

    __tablename__ = "audit"
    time: Mapped[datetime]
    email: Mapped[str]
    event: Mapped[str]
    target: Mapped[str]


class Start(BaseModel):
    """The start of a job."""

    job_id: str
    policy_digest: str
    engine: str
    kernels: str
    source: str
    target: str
    started_at: datetime


class Finish(BaseModel):
    """Its end."""

    state: str
    progress: dict[str, int]
    finished_at: datetime


if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")


app = FastAPI()


def session() -> Iterator[Session]:
    """Give a session for a request."""
    with Session(engine) as opened:
        yield opened


Database = Annotated[Session, Depends(session)]


def caller(database: Database, authorization: Annotated[str, Header()]) -> str:
    """Return who asks."""
    digest = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    token = database.scalar(select(Token).where(Token.digest == digest))
    if token is None:
        raise HTTPException(401)
    return token.email


Caller = Annotated[str, Depends(caller)]


@app.get("/v1/projects/{label}/policies/{digest}")
def policy(label: str, digest: str, database: Database, _email: Caller) -> dict[str, str]:
    """Return a policy."""
    found = database.scalar(select(Policy).where(Policy.project == label, Policy.digest == digest))
    if found is None:
        raise HTTPException(404)
    return {"project": label, "digest": digest, "policy": found.policy}


@app.put("/v1/projects/{label}/jobs/{job_id}", status_code=201)
def start(job_id: str, body: Start, database: Database, email: Caller) -> dict[str, str]:
    """Note the start of a job."""
    database.add(Job(job_id=job_id, state="running", document=body.model_dump(mode="json")))
    return _record(database, email, "start-job", job_id)


@app.post("/v1/projects/{label}/jobs/{job_id}/heartbeat")
def heartbeat(job_id: str, body: dict[str, int], database: Database, _email: Caller) -> dict[str, str]:
    """Note how far it is."""
    job = _find(database, job_id)
    job.document = job.document | body
    database.commit()
    return {"job_id": job_id}


@app.post("/v1/projects/{label}/jobs/{job_id}/finish")
def finish(job_id: str, body: Finish, database: Database, email: Caller) -> dict[str, str]:
    """Note its end."""
    job = _find(database, job_id)
    job.state, job.document = body.state, job.document | body.model_dump(mode="json")
    return _record(database, email, "finish-job", job_id)


def _find(database: Session, job_id: str) -> Job:
    job = database.scalar(select(Job).where(Job.job_id == job_id))
    if job is None:
        raise HTTPException(404)
    return job


def _record(database: Session, email: str, event_name: str, job_id: str) -> dict[str, str]:
    database.add(Audit(time=datetime.now(UTC), email=email, event=event_name, target=job_id))
    database.commit()
    return {"job_id": job_id}


def prepare(token: str, label: str, digest: str, text: str) -> None:
    """Make the tables, one token and one policy."""
    Base.metadata.create_all(engine)
    with Session(engine) as opened:
        opened.add(Token(digest=hashlib.sha256(token.encode()).hexdigest(), email="worker@example.com"))
        opened.add(Policy(project=label, digest=digest, policy=text))
        opened.commit()
