"""What must be so before a coordinator serves: folder, schema, root key, signing key. One process at a time."""

from __future__ import annotations

from contextlib import closing

from sqlalchemy.orm import Session

from cape_airflow.coordinator.call import Coordinator
from cape_airflow.coordinator.clock import Clock
from cape_airflow.coordinator.project_keys import SEALED_SINCE, seal_all_keys
from cape_airflow.coordinator.root_keys import find_root_key
from cape_airflow.coordinator.seals import Seals
from cape_airflow.coordinator.settings import Settings
from cape_airflow.coordinator.signing import Signer, generate_signing_key, signing_keys
from cape_airflow.coordinator.store import Store
from cape_airflow.coordinator.store.migrate import exclusive, upgrade
from cape_airflow.coordinator.store.roles import limit
from cape_airflow.coordinator.throttle import Throttle


def start(settings: Settings, clock: Clock) -> Coordinator:
    """Bring everything into being that is missing, check the rest, and return the running coordinator.

    Raises:
        KeyUnavailable: there is no root key, or it is not the one that the database was made with.
        CoordinatorError: the database is of a newer version.
    """
    store = Store(settings)
    with closing(store), exclusive(store) as connection:  # a server that forks now takes no open connection with it
        before = upgrade(connection)
        if settings.db_role is not None:
            limit(connection, settings.db_role)
        with Session(connection) as session:
            keys = list(signing_keys(session))
            root_key = find_root_key(settings, session, fresh=not keys, now=clock())
            if not keys:
                keys.append(generate_signing_key(root_key, clock()))
                session.add_all(keys)
            signer = Signer(keys, root_key)
            seals = Seals(root_key)
            if before is not None and before < SEALED_SINCE:
                seal_all_keys(session, seals)
            session.flush()
    return Coordinator(settings, store, root_key, signer, seals, clock, Throttle(settings.failures_per_minute))
