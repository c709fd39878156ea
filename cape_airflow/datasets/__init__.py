"""Where batches come from and go to: files, folders and tables, written all or nothing."""

from cape_airflow.datasets.base import Sink, Source
from cape_airflow.datasets.sink import open_sink
from cape_airflow.datasets.source import open_source

__all__ = ["Sink", "Source", "open_sink", "open_source"]
