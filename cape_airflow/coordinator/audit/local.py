"""What an auditor does on the coordinator's machine, or with files from there: verify, export, follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event as Signal

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cape_airflow.client.trust import TrustedKeys, trusted_keys
from cape_airflow.coordinator.audit.checkpoints import Checkpoint, CheckpointFile
from cape_airflow.coordinator.audit.events import Event
from cape_airflow.coordinator.audit.export import Format, lines_of, parse_lines
from cape_airflow.coordinator.audit.following import followers_of, following
from cape_airflow.coordinator.audit.log import entries, last_seq
from cape_airflow.coordinator.audit.verification import Report, verify
from cape_airflow.coordinator.clock import system_clock
from cape_airflow.coordinator.root_keys import find_root_key
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.signing import Signer, signing_keys
from cape_airflow.coordinator.startup import start
from cape_airflow.coordinator.store import Store
from cape_airflow.coordinator.store.models import AuditRow
from cape_airflow.errors import CoordinatorError


def verify_stored(settings: Settings, files: Sequence[Path], pins: Sequence[str]) -> Report:
    """Verify the log in the database, which is not written to.

    Args:
        files: of checkpoints; that of the settings where it is empty.
        pins: public keys that checkpoints may be signed with, base64url; those of the database, as far as the root key
            vouches for them, where it is empty.

    Raises:
        CoordinatorError: the log or a checkpoint cannot be read, or a checkpoint is not genuine.
        KeyUnavailable: without `pins`, the root key is not there, or a signing key is not of it.
    """
    with _opened(settings) as store:
        with store.read() as session:
            keys = trusted_keys(pins) if pins else _own_keys(settings, session)
            end = last_seq(session)
        return verify(entries(store.read, 0, end), read_checkpoints(files or [settings.checkpoints], keys))


def verify_export(lines: Iterable[str], name: str, files: Sequence[Path], pins: Sequence[str]) -> Report:
    """Verify a log that was exported as lines of JSON.

    Raises:
        CoordinatorError: a line is not JSON, a checkpoint cannot be read or is not genuine.
    """
    return verify(parse_lines(lines, name), read_checkpoints(files, trusted_keys(pins)))


def read_checkpoints(files: Iterable[Path], keys: TrustedKeys) -> list[Checkpoint]:
    """Return the checkpoints of files.

    Raises:
        CoordinatorError: a file cannot be read, or one of its checkpoints is signed by none of the keys.
    """
    found = []
    for file in files:
        for number, signed in enumerate(CheckpointFile(file).read(), 1):
            if not signed.genuine(keys):
                raise CoordinatorError(f"line {number} of {file}: no trusted key signed this checkpoint")
            found.append(signed.checkpoint)
    return found


def export_stored(settings: Settings, form: Format) -> Iterator[str]:
    """Yield the lines of a file of the whole log; that it was exported on this machine is recorded.

    Raises:
        CoordinatorError: the log cannot be read.
    """
    with _opened(settings) as store:
        with store.read() as session:
            end = last_seq(session)
            event, note = Event.EXPORT_AUDIT.value, "everything, on the coordinator's machine"
            row = AuditRow(time=system_clock(), event=event, target_type="audit", target_id="log", target_label=note)
            session.add(row)
            session.commit()
        yield from lines_of(entries(store.read, 0, end), form)


def follow(settings: Settings, stop: Signal) -> None:
    """Make checkpoints and serve sinks until told to stop, without serving requests."""
    coordinator = start(settings, system_clock)
    with closing(coordinator.store), following(coordinator, followers_of(coordinator)):
        stop.wait()


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    """Open the database as it is: nothing is made or migrated."""
    url = settings.database
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise CoordinatorError(f"there is no database at {url.database}")
    store = Store(settings)
    with closing(store):
        try:
            yield store
        except SQLAlchemyError as error:
            trouble = type(getattr(error, "orig", None) or error).__name__
            raise CoordinatorError(
                f"the audit log cannot be read ({trouble}); an older database: cape coordinator migrate"
            ) from None


def _own_keys(settings: Settings, session: Session) -> TrustedKeys:
    root_key = find_root_key(settings, session, fresh=False, now=system_clock())
    return trusted_keys(Signer(signing_keys(session), root_key).public_keys.values())
