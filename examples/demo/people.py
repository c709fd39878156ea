"""Invents customers: the same ones every time, and none of them real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MAIL_DOMAIN = "mail.example"  # RFC 2606: nobody's
FIRST_NAMES = _words("""
    Amara Anselm Astrid Beatriz Bjorn Callum Camila Chiara Damian Davide Elif Emeka Esther Farid Freya Gareth Greta
    Hamza Hanna Hiroshi Ingrid Isabel Jamila Jorge Katarina Kenji Lamar Leila Lorenzo Lucia Magnus Mariam Mateo
    Mirela Nadia Niamh Nikolai Olga Omar Paloma Petra Quentin Rania Rasmus Rosalind Samir Saoirse Selma Stefan
    Tamsin Thandiwe Tomasz Ursula Viktor Wanjiru Xavier Yasmin Yusuf Zofia Zuzana
""")
LAST_NAMES = _words("""
    Abernathy Aguilar Andersson Bakker Bianchi Brzezinski Castellano Chukwu Dimitrov Duarte Eriksen Espinoza
    Fairbanks Ferreira Gallagher Goldstein Grigorescu Haddad Hargreaves Hashimoto Horvath Ibrahimovic Jankowski
    Jorgensen Kamau Karlsson Keller Kowalczyk Lindqvist Lombardi MacAllister Mahlangu Marchetti Meszaros Mwangi
    Nakagawa Novotny Obradovic Okonkwo Ozturk Papadakis Pellegrini Petersen Quintero Rasmussen Reinhardt Rodrigues
    Santangelo Sepulveda Silvestri Sorensen Takahashi Thorvaldsen Ulloa Vandenberg Villanueva Wachowski Whitfield
    Yilmaz Zielinski
""")
COUNTRIES = ("BR", "DE", "ES", "GB", "IE", "IT", "JP", "KE", "NG", "PL", "SE", "TR", "US", "ZA")
REMARKS = ("asked about the new tariff", "wants to be called back", "moved house", "is happy with the service")


def write_customers(path: Path, rows: int) -> None:
    """Write `rows` customers as CSV: twelve columns, nulls in some, a few without consent."""
    csv.write_csv(customers(rows), path)


def customers(rows: int) -> pa.Table:
    """Return `rows` customers."""
    random = np.random.default_rng(20_261_121)
    first = random.choice(FIRST_NAMES, rows)
    last = random.choice(LAST_NAMES, rows)
    number = np.arange(rows)
    remark = random.choice(REMARKS, rows)
    return pa.table(
        {
            "customer_id": number + 100_000,
            "first_name": first,
            "last_name": last,
            "email": [f"{a}.{b}.{i}@{MAIL_DOMAIN}".lower() for a, b, i in zip(first, last, number, strict=True)],
            "phone": _sometimes_null(random, [f"+44 7700 {digits:06}" for digits in random.integers(0, 10**6, rows)]),
            "national_id": [f"QQ{digits:06}C" for digits in random.integers(0, 10**6, rows)],
            "birth_date": _days(random, "1940-01-01", 24_000, rows),
            "salary": random.gamma(9.0, 5_000.0, rows).round(2),
            "country": random.choice(COUNTRIES, rows),
            "signup_at": _days(random, "2019-01-01", 2_500, rows).astype("datetime64[s]")
            + random.integers(0, 86_400, rows),
            "notes": _sometimes_null(random, [f"{a} {b} {c}" for a, b, c in zip(first, last, remark, strict=True)]),
            "consent": random.random(rows) < 0.97,
        }
    )


def _days(random: np.random.Generator, start: str, span: int, rows: int) -> np.ndarray:
    return np.datetime64(start, "D") + random.integers(0, span, rows)


def _sometimes_null(random: np.random.Generator, values: list[str]) -> pa.Array:
    return pa.array(values, mask=random.random(len(values)) < 0.05)
