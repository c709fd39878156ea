"""A new table in place of an old one, in one transaction, with all that the old one was: see `existing` for the rest.

The new table is made like the old one, filled, and indexed while the old one is in use; only the swap locks that out.
"""

from __future__ import annotations

from cape_airflow.datasets.sql.postgres.existing import Existing, Index, existing_table, indexes
from cape_airflow.datasets.sql.postgres.session import Session, quoted
from cape_airflow.errors import DatasetError

LOCK_SECONDS = 60
"""How long the swap waits until those who read the old table have ended their transactions."""

_GRANTS = """
SELECT format('%s %s%s ON %s TO %s%s', 'GRANT', acl.privilege_type,
    CASE WHEN part.attname IS NULL THEN '' ELSE format(' (%I)', part.attname) END, $2::text,
    CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
    CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM (
    SELECT NULL::name, relacl FROM pg_class WHERE oid = $1::oid
    UNION ALL SELECT attname, attacl FROM pg_attribute WHERE attrelid = $1::oid AND NOT attisdropped
) AS part (attname, acl), aclexplode(part.acl) AS acl"""

_REVOKES = """
SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', $2::text,
    CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END)
FROM pg_class c, aclexplode(c.relacl) AS acl
WHERE c.oid = $2::regclass AND (acl.grantee <> c.relowner OR EXISTS
    (SELECT FROM pg_class old WHERE old.oid = $1::oid AND old.relacl IS NOT NULL))"""

_OWNER = "SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = $1::oid"

_SEQUENCES = """
SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', d.objid::regclass, $2::text, a.attname)
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.refobjid = $1::oid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'"""

_OPTIONS = """
SELECT format('ALTER TABLE %s SET (%s = %L)', $1::text, split_part($2, '=', 1), substr($2, 1 + strpos($2, '=')))"""


class Swap:
    """Puts `new` in the place of `old`.

    Args:
        session: whose transaction does it all.
        schema: of both.
        old: name of the table to replace.
        new: name of the table that takes its place.
        existing: the old table as it was when the run began.
    """

    def __init__(self, session: Session, schema: str, old: str, new: str, existing: Existing) -> None:
        self._session = session
        self._schema = schema
        self._old = quoted(schema, old)
        self._new = quoted(schema, new)
        self._names = (old, new)
        self._existing = existing
        self._indexes: list[tuple[str, Index]] = []

    def create(self) -> None:
        """Make the new table, without indexes."""
        self._session.execute(
            f"CREATE {self._existing.persistence} TABLE {self._new} (LIKE {self._old} INCLUDING ALL EXCLUDING INDEXES)"
        )
        for option in self._existing.options:
            self._session.execute(self._session.value(_OPTIONS, self._new, option))

    def index(self) -> None:
        """Give the filled table the indexes of the old one, under names of their own as yet."""
        for number, index in enumerate(indexes(self._session, self._existing)):
            name = f"{self._names[1]}_{number}"
            self._indexes.append((name, index))
            if index.constraint:
                self._session.execute(f"ALTER TABLE {self._new} ADD CONSTRAINT {quoted(name)} {index.constraint}")
            else:
                self._session.execute(f"CREATE {index.unique}INDEX {quoted(name)} ON {self._new}{index.method}")
        self._session.execute(f"ANALYZE {self._new}")

    def __call__(self) -> None:
        """Take the place of the old table; others see it when the transaction is committed.

        Raises:
            DatasetError: the old table was altered meanwhile.
        """
        self._session.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        self._session.execute(f"LOCK TABLE {self._old} IN ACCESS EXCLUSIVE MODE")
        if existing_table(self._session, self._schema, self._names[0]) != self._existing or self._are_others():
            raise DatasetError("somebody altered or replaced the table meanwhile; run it again")
        self._take_over()
        self._session.execute(f"DROP TABLE {self._old}")
        self._session.execute(f"ALTER TABLE {self._new} RENAME TO {quoted(self._names[0])}")
        for name, index in self._indexes:
            self._session.execute(f"ALTER INDEX {quoted(self._schema, name)} RENAME TO {quoted(index.name)}")

    def _are_others(self) -> bool:
        return indexes(self._session, self._existing) != [index for _, index in self._indexes]

    def _take_over(self) -> None:
        """Give the new table the owner, privileges and sequences of the old one, and no privileges besides."""
        oid = str(self._existing.oid)
        for name, index in self._indexes:
            if index.comment:
                comment = self._session.value("SELECT quote_literal($1::text)", index.comment)
                self._session.execute(f"COMMENT ON INDEX {quoted(self._schema, name)} IS {comment}")
        for sql in (_OWNER, _SEQUENCES, _REVOKES, _GRANTS):
            parameters = (oid,) if sql is _OWNER else (oid, self._new)
            for (found,) in self._session.rows(sql, *parameters):
                self._session.execute(f"ALTER TABLE {self._new} OWNER TO {found}" if sql is _OWNER else found)
