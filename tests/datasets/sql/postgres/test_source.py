from __future__ import annotations

import traceback
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from cape_airflow.datasets.sql import Postgres, open_sql_source, reference
from cape_airflow.datasets.sql.postgres.source import PostgresSource
from cape_airflow.errors import DatasetError, SchemaMismatch
from tests.datasets.sql.conftest import Databank

pytestmark = pytest.mark.integration

VALUES = {
    "bool": ("true", True, pa.bool_()),
    "int2": ("-32768", -32768, pa.int16()),
    "int4": ("2147483647", 2147483647, pa.int32()),
    "int8": ("-9223372036854775808", -(2**63), pa.int64()),
    "float4": ("1.5", 1.5, pa.float32()),
    "float8": ("'Infinity'", float("inf"), pa.float64()),
    "numeric(10, 2)": ("-12345678.90", Decimal("-12345678.90"), pa.decimal128(10, 2)),
    "numeric(76, 0)": ("9" * 76, Decimal("9" * 76), pa.decimal256(76, 0)),
    "text": ("'Zoë'", "Zoë", pa.string()),
    "varchar(9)": ("''", "", pa.string()),
    "char(3)": ("'abc'", "abc", pa.string()),
    "bytea": (r"'\x00ff'", b"\x00\xff", pa.binary()),
    "date": ("'1969-12-31'", date(1969, 12, 31), pa.date32()),
    "time": ("'23:59:59.999999'", time(23, 59, 59, 999999), pa.time64("us")),
    "timestamp": ("'1999-12-31 23:59:59.5'", datetime(1999, 12, 31, 23, 59, 59, 500000), pa.timestamp("us")),
    "timestamptz": ("'2026-11-21 12:00+01'", "2026-11-21 11:00:00+00:00", pa.timestamp("us", "UTC")),
    "uuid": ("'{6682c09b-73b8-4344-8c0a-8a54f8b51ae7}'", UUID("6682c09b-73b8-4344-8c0a-8a54f8b51ae7"), pa.uuid()),
    "json": ("""'{"b": 1,"a":2}'""", '{"b": 1,"a":2}', pa.json_()),
    "jsonb": ("""'{"b":1}'""", '{"b": 1}', pa.json_()),
    "int4[]": ("'{1,NULL}'", [1, None], pa.list_(pa.int32())),
    "text[]": ("""'{a,"b,c"}'""", ["a", "b,c"], pa.list_(pa.string())),
}


def opened(databank: Databank, text: str) -> PostgresSource:
    source = open_sql_source(databank.server, reference(text))
    assert isinstance(source, PostgresSource)
    return source


def test_every_type_comes_as_its_counterpart_in_arrow_and_goes_back_unchanged(databank: Databank) -> None:
    names = [f"c{number}" for number in range(len(VALUES))]
    kinds = ", ".join(f"{name} {kind}" for name, kind in zip(names, VALUES, strict=True))
    databank.sql.execute(f"CREATE TABLE wide (id int, {kinds})")
    databank.sql.execute(f"INSERT INTO wide VALUES (1, {', '.join(text for text, _, _ in VALUES.values())})")
    databank.sql.execute("INSERT INTO wide (id) VALUES (2)")
    source = opened(databank, "table:wide")
    table = pa.Table.from_batches(source.batches())
    source.close()
    assert table.schema.types[1:] == [kind for _, _, kind in VALUES.values()]
    for name, (_, value, _) in zip(names, VALUES.values(), strict=True):
        first, second = table.column(name).to_pylist()
        assert (first if not isinstance(value, str) else str(first)) == value, name
        assert second is None

    for target in ("out", "like_it"):  # one that is new, one that has the types of the source
        databank.sql.execute("CREATE TABLE IF NOT EXISTS like_it (LIKE wide)")
        databank.run("table:wide", f"table:{target}")
        text = ", ".join(f"{name}::text" for name in names)
        lost = databank.rows(f"SELECT count(*) FROM (SELECT {text} FROM wide EXCEPT SELECT {text} FROM {target}) AS q")
        assert lost == [(0,)], target


@pytest.mark.parametrize(
    "expression",
    [
        *("1::numeric", "1::numeric(80, 2)", "array[1.5]", "1::money", "1::oid", "'1.2.3.4'::inet", "now()::timetz"),
        *("'1 day'::interval", "'<a/>'::xml", "'[1,2)'::int4range", "row(1, 2)"),
    ],
)
def test_a_type_that_cannot_be_carried_exactly_is_refused_with_the_way_out(databank: Databank, expression: str) -> None:
    with pytest.raises(DatasetError, match=r"column `odd` is of type .*, which cannot be carried exactly; .*::"):
        opened(databank, f"query:select 1 as id, {expression} as odd")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("'NaN'::numeric(5, 2)", "NaN or infinite"),
        ("'infinity'::timestamp", "infinite"),
        ("'-infinity'::timestamptz", "infinite"),
        ("'infinity'::date", "infinite"),
        ("'-infinity'::date", "infinite"),
        ("'24:00'::time", "24:00"),
        ("array['infinity'::timestamp]", "infinite"),
    ],
)
def test_values_that_arrow_cannot_say_stop_the_run_instead_of_becoming_others(
    databank: Databank, value: str, said: str
) -> None:
    source = opened(databank, f"query:select {value} as odd")
    with pytest.raises(DatasetError, match=f"column `odd`.*{said}"):
        list(source.batches())
    source.close()


def test_the_earliest_and_latest_times_are_no_infinities(databank: Databank) -> None:
    source = opened(databank, "query:select '4713-01-01 BC'::date a, '294246-12-31'::timestamp b")
    assert sum(batch.num_rows for batch in source.batches()) == 1
    source.close()


def test_an_array_of_two_dimensions_is_refused_since_it_would_come_as_one(databank: Databank) -> None:
    with pytest.raises(DatasetError, match="column `odd` has arrays of more than one dimension"):
        opened(databank, "query:select array[[1, 2], [3, 4]] as odd")


def test_what_others_change_meanwhile_is_not_seen(databank: Databank) -> None:
    source = opened(databank, "table:people")
    databank.sql.execute("DELETE FROM people WHERE id > 10")
    databank.sql.execute("INSERT INTO people VALUES (0, 'new', 1)")
    assert [sum(batch.num_rows for batch in source.batches()) for _ in range(2)] == [1000, 1000]
    source.close()


def test_only_the_wanted_columns_are_read_in_the_wanted_order_and_in_small_batches(databank: Databank) -> None:
    source = opened(databank, "table:public.people")
    batches = list(source.batches(["salary", "id"], 300))
    assert [batch.num_rows for batch in batches] == [300, 300, 300, 100]
    assert batches[0].schema.names == ["salary", "id"]
    assert pa.Table.from_batches(batches).column("id").to_pylist() == list(range(1, 1001))
    with pytest.raises(SchemaMismatch, match="did you mean `salary`"):
        source.batches(["salry"])
    source.close()


def test_a_query_may_end_with_a_comment_and_semicolons(databank: Databank) -> None:
    source = opened(databank, "query:select id from people where id < 3 order by id desc -- all;\n ;")
    assert pa.Table.from_batches(source.batches()).column("id").to_pylist() == [2, 1]
    source.close()


@pytest.mark.parametrize(
    "query",
    ["delete from people returning id", "select 1 a) q; drop table people; --", "select nextval('numbers') a"],
)
def test_a_query_cannot_change_the_database(databank: Databank, query: str) -> None:
    databank.sql.execute("CREATE SEQUENCE numbers")
    with pytest.raises(DatasetError, match=r"SQLSTATE|allows reading only"):
        databank.run(f"query:{query}")
    assert databank.rows("SELECT count(*), (SELECT last_value FROM numbers) FROM people") == [(1000, 1)]


def test_two_columns_of_one_name_are_refused(databank: Databank) -> None:
    with pytest.raises(DatasetError, match="more than one column `a`"):
        opened(databank, "query:select 1 a, 2 a")


def test_a_name_is_no_sql(databank: Databank) -> None:
    with pytest.raises(DatasetError, match="no such table"):
        opened(databank, 'table:"people; DROP TABLE people"')
    with pytest.raises(DatasetError, match="no such table"):
        opened(databank, "table:People")  # literal, hence not `people`


def test_a_failure_in_the_middle_shows_no_value(databank: Databank) -> None:
    source = opened(databank, "query:select email::int as number from people")
    with pytest.raises(DatasetError) as failure:
        list(source.batches())
    assert str(failure.value).endswith("a value does not fit its column")
    assert '"p1"' not in "".join(traceback.format_exception(failure.value))
    source.close()


def test_a_refused_log_in_shows_neither_user_nor_password() -> None:
    server = Postgres("postgresql://?host=127.0.0.1&port=1&user=hunter&password=hunter2", "warehouse")
    with pytest.raises(DatasetError, match="cannot connect to warehouse") as failure:
        open_sql_source(server, reference("table:x"))
    assert "hunter" not in "".join(traceback.format_exception(failure.value))
    assert "hunter" not in repr(server)


def test_options_are_refused(databank: Databank) -> None:
    with pytest.raises(DatasetError, match="give no source_options"):
        open_sql_source(databank.server, reference("table:people"), options={"column_types": {}})
