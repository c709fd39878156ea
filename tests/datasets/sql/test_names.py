from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets.sql import Query, Table, is_reference, reference
from cape_airflow.errors import DatasetError


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("table:customers", Table("customers")),
        ("table:public.Customers", Table("Customers", "public")),
        ('table:"my schema"."a.b"', Table("a.b", "my schema")),
        ('table:"say ""hi"""', Table('say "hi"')),
        ("table:x;drop", Table("x;drop")),
        ("query:select 1", Query("select 1")),
    ],
)
def test_names_are_literal(text: str, named: Table | Query) -> None:
    assert is_reference(text)
    assert reference(text) == named


@pytest.mark.parametrize(
    "text", ["table:", "table:.", "table:a.b.c", "table:a b", 'table:"a', "query:", "query:  ", "file.csv"]
)
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(DatasetError, match="a table is named"):
        reference(text)


@given(st.text(min_size=1).filter(lambda name: "\x00" not in name), st.none() | st.text(min_size=1))
def test_every_name_can_be_written_in_quotes(name: str, schema: str | None) -> None:
    parts = [part for part in (schema, name) if part is not None]
    written = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    assert reference(f"table:{written}") == Table(name, schema)


def test_a_query_is_shown_by_its_digest_since_it_may_hold_values() -> None:
    shown = str(Query("select * from pay where ssn = '078-05-1120'"))
    assert shown.startswith("query ")
    assert "078" not in shown
    assert shown != str(Query("select * from pay where ssn = '078-05-1121'"))


def test_a_comment_at_the_end_of_a_query_ends_with_its_line() -> None:
    assert Query("select 1; \n").body == "select 1\n"
    assert Query("select 1 -- all").body.endswith("all\n")
