from __future__ import annotations

import pyarrow as pa

from cape_airflow.datasets.sql.provenance import Provenance, provenance

ORIGIN = Provenance("ab" * 32, "0a" * 16)


def test_the_schema_of_an_output_says_which_policy_made_it() -> None:
    schema = pa.schema([("a", pa.int64())], metadata={"cape.policy_digest": "ab" * 32})
    assert provenance(schema, "0a" * 16) == ORIGIN


def test_a_comment_keeps_its_text_and_gets_one_line_about_the_last_job() -> None:
    line = f"cape: policy {'ab' * 32}, job {'0a' * 16}"
    assert ORIGIN.comment(None) == line
    assert ORIGIN.comment("Pay, by month") == f"Pay, by month\n{line}"
    later = Provenance("cd" * 32, "0b" * 16)
    assert later.comment(ORIGIN.comment("Pay, by month")) == later.comment("Pay, by month")
    assert later.comment(ORIGIN.comment(None)) == later.comment(None)
