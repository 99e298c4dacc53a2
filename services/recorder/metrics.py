"""What the recorder counts, for /metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BATCH_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class RecorderMetrics:
    """One instance a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter(
            "whaletrader_recorded_events_total", "Events recorded", registry=self.registry
        )
        self.repeated = Counter(
            "whaletrader_recorded_repeated_total",
            "Records that were recorded before and dropped",
            registry=self.registry,
        )
        self.batches = Histogram(
            "whaletrader_recorded_batch_seconds",
            "One transaction of the event store",
            buckets=_BATCH_BUCKETS_S,
            registry=self.registry,
        )
        self.age = Gauge(
            "whaletrader_recorded_age_seconds",
            "Between the log's append of the newest event and its record",
            registry=self.registry,
        )
        self.hot = Gauge(
            "whaletrader_hot_state_up", "1 while Redis follows", registry=self.registry
        )
