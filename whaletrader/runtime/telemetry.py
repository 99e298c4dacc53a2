"""Metrics and traces of the shell.

Prometheus metrics are always there. Spans are exported when OTEL_EXPORTER_OTLP_ENDPOINT is
set. The trace id is the chain's correlation id and the span id comes from the event's id, so
the spans of all agents join into one trace without any of them knowing the others.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from google.protobuf.message import Message
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from whaletrader.runtime.clock import monotonic_s
from whaletrader.runtime.codec import meta_of, type_name
from whaletrader.runtime.core import Inline, Input, Step
from whaletrader.runtime.topics import DEAD_LETTERS

_TRACE_ID_MAX: Final = (1 << 128) - 1
_COMMIT_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


class Telemetry:
    """One instance a process."""

    def __init__(self, agent: str, exporter: SpanExporter | None = None) -> None:
        self.registry = CollectorRegistry()
        labels = ("agent",)
        self._inputs = Counter(
            "whaletrader_inputs_total", "Inputs decided", labels, registry=self.registry
        )
        self._events = Counter(
            "whaletrader_events_total",
            "Events said, by topic",
            ("agent", "topic"),
            registry=self.registry,
        )
        self._commits = Histogram(
            "whaletrader_commit_seconds",
            "Decide and commit of one batch",
            labels,
            buckets=_COMMIT_BUCKETS_S,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "whaletrader_effects_in_flight", "Effects under way", labels, registry=self.registry
        )
        self._dead = Counter(
            "whaletrader_dead_letters_total",
            "Messages that could not be handled",
            labels,
            registry=self.registry,
        )
        self._spans = _SpanWriter(agent, exporter or _configured_exporter())

    @contextmanager
    def commit(self, agent: str, inputs: int) -> Iterator[None]:
        """Time one commit; a commit that raises is not counted."""
        started_s = monotonic_s()
        yield
        self._commits.labels(agent).observe(monotonic_s() - started_s)
        self._inputs.labels(agent).inc(inputs)

    def stepped(self, agent: str, inputs: Sequence[Input], step: Step) -> None:
        """Count what the commit said and write its spans."""
        for item in inputs:
            # What did not come from the log has no other span: without it chains had gaps.
            if isinstance(item, Inline) and not _was_said(item):
                self._spans.write(item.message)
        for _, topic, event in step.events:
            if topic:
                self._events.labels(agent, topic).inc()
            if topic == DEAD_LETTERS:
                self._dead.labels(agent).inc()
            self._spans.write(event)

    def watch_effects(self, agent: str, in_flight: Callable[[], float]) -> None:
        """Ask for the number of effects under way whenever metrics are read."""
        self._in_flight.labels(agent).set_function(in_flight)

    def close(self) -> None:
        self._spans.close()


class _GivenIds(IdGenerator):
    """Hands out the ids that the events carry."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _SpanWriter:
    """A span an event: child of the event that caused it."""

    def __init__(self, agent: str, exporter: SpanExporter | None) -> None:
        self._ids = _GivenIds()
        self._provider: TracerProvider | None = None
        if exporter is not None:
            resource = Resource.create({"service.name": f"whaletrader-{agent}"})
            self._provider = TracerProvider(resource=resource, id_generator=self._ids)
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
            self._tracer = self._provider.get_tracer("whaletrader")

    def write(self, event: Message) -> None:
        if self._provider is None:
            return
        try:
            meta = meta_of(event)
            correlation = int(meta.correlation or meta.id, 16) & _TRACE_ID_MAX
            span_id = int(meta.id[:16], 16)
            parent_id = int(meta.cause[:16], 16) if meta.cause else 0
        except ValueError:
            # Ids that others chose and that are none: no trace is worth a stopped agent.
            return
        self._ids.trace_id = correlation
        self._ids.span_id = span_id
        context = None
        if parent_id:
            parent = SpanContext(correlation, parent_id, True, TraceFlags(TraceFlags.SAMPLED))
            context = trace.set_span_in_context(NonRecordingSpan(parent))
        span = self._tracer.start_span(type_name(event), context)
        span.set_attribute("whaletrader.event_id", meta.id)
        span.end()

    def close(self) -> None:
        if self._provider is not None:
            self._provider.shutdown()


def _was_said(item: Inline) -> bool:
    """Whether the input is another agent's event, which has its span there: an answer."""
    return bool(item.effect_id and getattr(getattr(item.message, "meta", None), "source", ""))


def _configured_exporter() -> SpanExporter | None:
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    # Imported only when it is used: it doubles the time that a process needs to start.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
