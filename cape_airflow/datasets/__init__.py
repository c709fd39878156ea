"""Where batches come from and go to: files and folders, here or behind any fsspec URL, written all or nothing."""

from cape_airflow.datasets.sink import Sink, open_sink
from cape_airflow.datasets.source import Source, open_source

__all__ = ["Sink", "Source", "open_sink", "open_source"]
