"""Other people's de-identification, each in its own environment and with input as it likes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contenders.columns import values

KEY = "0123456789abcdef0123456789abcdef"  # invented, and so are the data
Pass = Callable[[], object]


def polars_hmac(source: str, column: str, rows: int) -> Pass:
    """polars-hash: HMAC-SHA-256 of a polars column, to hexadecimal text."""
    import polars as pl
    import polars_hash

    frame = pl.scan_ipc(source).select(column).head(rows).collect()
    token = polars_hash.col(column).chash.hmac_sha256(key=KEY)
    return lambda: frame.select(token).height


def ff3(source: str, column: str, rows: int) -> Pass:
    """ff3: FF3-1 with AES-256, digit strings."""
    from ff3 import FF3Cipher

    cipher = FF3Cipher(KEY.encode().hex(), "D8E7920AFA330A")
    cards = values(source, column, rows)
    return lambda: len([cipher.encrypt(card) for card in cards])


def presidio(source: str, column: str, rows: int, operator: str) -> Pass:
    """presidio-structured on a pandas column: its salted SHA-256 or its AES-CBC."""
    import pandas as pd
    from presidio_anonymizer.entities import OperatorConfig
    from presidio_structured import PandasDataProcessor, StructuredAnalysis, StructuredEngine

    frame = pd.DataFrame({column: values(source, column, rows)})
    parameters = {"hash": {"hash_type": "sha256", "salt": KEY}, "encrypt": {"key": KEY}}
    engine = StructuredEngine(data_processor=PandasDataProcessor())
    analysis = StructuredAnalysis(entity_mapping={column: "VALUE"})
    operators = {"VALUE": OperatorConfig(operator, parameters[operator])}
    return lambda: len(engine.anonymize(frame.copy(), analysis, operators))  # it writes into the frame


def cape(source: str, column: str, rows: int, transformation: str) -> Pass:
    """cape-dataframes: one of its transformations on a pandas column."""
    import pandas as pd
    from cape_dataframes.pandas import transformations

    series = pd.Series(values(source, column, rows))
    transform = getattr(transformations, transformation)(key=KEY)
    return lambda: len(transform(series))


def cape_job(source: str, target: str, rows: int) -> Pass:
    """cape-dataframes: the first rows through a policy of what it can do; its tokenizers take no nulls."""
    import cape_dataframes
    import pandas as pd
    import pyarrow.parquet as pq

    def job() -> int:
        batches = pq.ParquetFile(source).iter_batches(batch_size=rows)
        frame = next(batches).to_pandas()
        frame = frame.fillna({"email": "", "card": ""})
        result = cape_dataframes.apply_policy(cape_dataframes.parse_policy(_cape_policy()), frame)
        pd.DataFrame(result).to_parquet(target, compression="snappy")
        return len(result)

    return job


def _cape_policy() -> dict[str, Any]:
    """Return the policy anew: it is changed by being used."""
    transforms: dict[str, dict[str, Any]] = {
        "email": {"type": "tokenizer", "key": KEY},
        "card": {"type": "reversible-tokenizer", "key": KEY},
        "salary": {"type": "numeric-rounding", "dtype": "Double", "precision": -3},
        "seen": {"type": "date-truncation", "frequency": "MONTH"},
        "note": {"type": "column-redact", "columns": ["phone", "note", "ssn"]},
    }
    rules = [{"match": {"name": name}, "actions": [{"transform": spec}]} for name, spec in transforms.items()]
    return {"label": "benchmark", "version": 1, "rules": rules}
