"""The default engine: one machine, streaming, in order, bounded memory, all or nothing.

One thread reads, workers run the plan, and the caller's thread writes what comes out, in the order in which it was
read. At most a few batches are under way, whatever the size of the data.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from cape_airflow.datasets import Sink, Source
from cape_airflow.engines.bound import BoundPlan
from cape_airflow.engines.counting import count_rows
from cape_airflow.engines.guarantees import Guarantees
from cape_airflow.errors import CapeError
from cape_airflow.jobs import JobFinish, JobState, Progress
from cape_airflow.keys import KeyRing
from cape_airflow.policy import Plan

BATCH_ROWS = 131_072
"""As many as the sinks write at once: where no rows are suppressed, none are copied to make up a group."""

POLICY_DIGEST, JOB_ID = b"cape.policy_digest", b"cape.job_id"
"""What Parquet and Arrow files name the policy and the job by that made them, in the metadata of their schema."""

REPORT_SECONDS = 1.0
MOST_WORKERS = 8

Report = Callable[[Progress], None]


@dataclass(frozen=True)
class _Done:
    """What a worker made of one batch."""

    rows_in: int
    batch: pa.RecordBatch


def run_local(
    plan: Plan,
    keys: KeyRing,
    source: Source,
    sink: Sink,
    *,
    job_id: str,
    workers: int | None = None,
    batch_rows: int = BATCH_ROWS,
    on_progress: Report | None = None,
    before_commit: Callable[[], None] | None = None,
) -> JobFinish:
    """Run a plan over a source into a sink. The rows keep their order; the output appears whole or not at all.

    Args:
        plan: compiled against the schema of the source.
        keys: where its key references resolve.
        source: what is read.
        sink: where the output goes; this run opens, commits or aborts it.
        job_id: 32 lower-case hex digits, written into the metadata of Parquet and Arrow output.
        workers: threads for the techniques; None for one a core, at most 8. A plan that is `ordered` gets one.
        batch_rows: rows in a batch. The workers and two batches are under way at most: memory follows both.
        on_progress: called about once a second and when all is written, from the caller's thread.
        before_commit: called when all is written and nothing is shown; what it raises keeps the output from appearing.

    Raises:
        CapeError: the first thing that went wrong, in the order of the rows; the target is then as it was.
    """
    started = time.monotonic()
    sink.check_source(source)
    plan.check_keys(keys)  # before anything is read: counting the rows may take a while
    counts = count_rows(plan, keys, source.row_count, lambda: source.batches(plan.read_columns, batch_rows))
    bound = BoundPlan(plan, keys, counts)
    guarantees = Guarantees(plan)
    ticker = _Ticker(source, sink, started, on_progress)
    with sink:
        sink.open(_with_provenance(plan, job_id))
        with _steady_memory(), _pipeline(bound, source, _workers(plan, workers), batch_rows) as results:
            for done in _in_time(results, ticker):
                ticker.rows_in += done.rows_in
                guarantees.update(done.batch)
                sink.write(done.batch)
        guarantees.check()
        sink.finish()
        progress = ticker.report()
        if before_commit is not None:
            before_commit()
        sink.commit()
    return JobFinish(
        state=JobState.SUCCEEDED,
        progress=progress,
        columns=bound.columns(),
        warnings=plan.warnings,
        finished_at=datetime.now(UTC),
    )


def failed(progress: Progress, error: BaseException) -> JobFinish:
    """Return the report of a run that failed: the words of our own errors, which hold no values, and no others.

    Args:
        progress: the last that was told.
        error: what the run raised.
    """
    words = f": {error}" if isinstance(error, CapeError) else ""
    return JobFinish(
        state=JobState.FAILED,
        progress=progress,
        error=f"{type(error).__name__}{words}",
        finished_at=datetime.now(UTC),
    )


def _workers(plan: Plan, workers: int | None) -> int:
    return 1 if plan.ordered else workers or min(os.cpu_count() or 1, MOST_WORKERS)


def _with_provenance(plan: Plan, job_id: str) -> pa.Schema:
    metadata = dict(plan.output_schema.metadata or {})
    provenance = {POLICY_DIGEST: plan.policy_digest.encode(), JOB_ID: job_id.encode()}
    return plan.output_schema.with_metadata(metadata | provenance)


@contextmanager
def _steady_memory() -> Iterator[None]:
    """Take Arrow's memory from the C library: Arrow's own pools return pages to the system that the next batch needs.

    Measured on Linux with glibc: a fifth less system time, a tenth less memory. A pool that the environment asks for
    stays.
    """
    before = pa.default_memory_pool()
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


@contextmanager
def _pipeline(
    bound: BoundPlan, source: Source, workers: int, batch_rows: int
) -> Iterator[Iterator[Future[_Done | None]]]:
    """Read and transform in threads of their own; they are gone when the context ends, however it ends."""
    reader = ThreadPoolExecutor(1, "cape-read")
    pool = ThreadPoolExecutor(workers, "cape-transform")
    with closing(source.batches(bound.plan.read_columns, batch_rows)) as batches:
        try:
            yield _in_flight(bound, batches, reader, pool, depth=workers + 2)
        finally:
            reader.shutdown(wait=True, cancel_futures=True)
            pool.shutdown(wait=True, cancel_futures=True)


def _in_flight(
    bound: BoundPlan,
    batches: Iterator[pa.RecordBatch],
    reader: ThreadPoolExecutor,
    pool: ThreadPoolExecutor,
    depth: int,
) -> Iterator[Future[_Done | None]]:
    """Yield results in order, `depth` of them under way; after the last row comes None."""

    def transform(read: Future[pa.RecordBatch | None]) -> _Done | None:
        batch = read.result()
        return None if batch is None else _Done(batch.num_rows, bound.run(batch))

    under_way: deque[Future[_Done | None]] = deque()
    while True:
        while len(under_way) < depth:
            # One thread reads, so that the reads happen in the order in which they are asked for.
            under_way.append(pool.submit(transform, reader.submit(next, batches, None)))
        yield under_way.popleft()


def _in_time(results: Iterator[Future[_Done | None]], ticker: _Ticker) -> Iterator[_Done]:
    """Yield finished results, and report while waiting for them."""
    for result in results:
        while not result.done():
            wait([result], timeout=ticker.seconds_left())
            ticker.tick()
        if (done := result.result()) is None:
            return
        yield done
        ticker.tick()


class _Ticker:
    """Reports progress about once a second."""

    def __init__(self, source: Source, sink: Sink, started: float, on_progress: Report | None) -> None:
        self.rows_in = 0
        self._source = source
        self._sink = sink
        self._started = started
        self._on_progress = on_progress
        self._next = started + REPORT_SECONDS

    def seconds_left(self) -> float:
        return max(self._next - time.monotonic(), 0.0)

    def tick(self) -> None:
        if time.monotonic() >= self._next:
            self.report()

    def report(self) -> Progress:
        now = time.monotonic()
        self._next = now + REPORT_SECONDS
        progress = Progress(
            rows_in=self.rows_in,
            rows_out=self._sink.rows_written,
            bytes_in=self._source.bytes_read,
            bytes_out=self._sink.bytes_written,
            rows_total=self._source.row_count,
            seconds=now - self._started,
        )
        if self._on_progress is not None:
            self._on_progress(progress)
        return progress
