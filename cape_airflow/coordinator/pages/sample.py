"""Sample data for the first steps: people who do not exist, and a policy for their columns to begin with."""

from __future__ import annotations

from cape_airflow.coordinator.pages.drafting import KEEP, ColumnDraft, Draft

ROWS: tuple[tuple[str, ...], ...] = (
    ("customer_id", "name", "email", "phone", "birth_date", "country", "salary"),
    ("1001", "Ada Moreau", "ada@example.com", "+33 1 5550 0101", "1984-07-23", "FR", "52300"),
    ("1002", "Ben Okafor", "ben@example.com", "+44 20 5550 0102", "1979-02-11", "GB", "48731"),
    ("1003", "Chloe Ito", "chloe@example.com", "+81 3 5550 0103", "1991-11-30", "JP", "61250"),
    ("1004", "Dan Silva", "dan@example.com", "+351 21 555 0104", "1968-05-02", "PT", "39900"),
    ("1005", "Eva Novak", "eva@example.com", "+420 2 5550 0105", "1995-09-17", "CZ", "44100"),
)
"""A table of customers; the first row holds the names of the columns."""

KEY = "customer-token"
"""The key that the sample's policy names."""

SAMPLE = Draft(
    label="customers",
    domain="analytics",
    columns=(
        ColumnDraft("customer_id", "keyed-hash", given={"key": KEY}),
        ColumnDraft("name", "suppress-attribute"),
        ColumnDraft("email", "keyed-hash", given={"key": KEY}),
        ColumnDraft("phone", "character-mask", given={"keep_first": "4"}),
        ColumnDraft("birth_date", "date-truncate", given={"unit": "year"}),
        ColumnDraft("country", KEEP, "a country alone points at nobody"),
        ColumnDraft("salary", "round", given={"precision": "-3"}),
    ),
)
"""What could be done with these columns."""


def as_csv() -> str:
    """Return the sample data as a CSV file."""
    return "".join(",".join(row) + "\n" for row in ROWS)
