from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

CANARY = "c4n4ry"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What a real SDK gets, as the operator of a coordinator would set it up."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def test_a_request_is_a_span_of_its_route_and_carries_no_value(spans: InMemorySpanExporter, deployment: Any) -> None:
    deployment.ask("GET", f"/v1/projects/{CANARY}?{CANARY}={CANARY}", deployment.admin, headers={"X-C": CANARY})
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("GET /v1/projects/{label}", SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/v1/projects/{label}",
        "http.response.status_code": 404,
    }
    assert CANARY not in span.to_json()


def test_a_span_continues_the_trace_of_the_caller(spans: InMemorySpanExporter, deployment: Any) -> None:
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    deployment.ask("GET", "/v1/me", deployment.admin, headers={"traceparent": parent})
    (span,) = spans.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == "ab" * 16
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "cd" * 8


def test_a_failure_of_ours_marks_the_span_and_leaves_out_what_failed(
    spans: InMemorySpanExporter, deployment: Any
) -> None:
    store = deployment.app.state.coordinator.store
    store.read = lambda: (_ for _ in ()).throw(RuntimeError(CANARY))
    assert deployment.ask("GET", "/v1/me", deployment.admin).status_code == 500
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert CANARY not in span.to_json()
