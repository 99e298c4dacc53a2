"""Metrics say what is, and spans of all agents join into one trace."""

import asyncio

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest

from tests.unit.runtime.counting import CountingAgent, trade, trade_record
from tests.unit.runtime.stage import AGENT, Stage, until
from tests.unit.runtime.test_core import stored
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Agent, Decision, Effect
from whaletrader.runtime.core import Core, Inline
from whaletrader.runtime.effects import stamp_outcome
from whaletrader.runtime.log import Stored
from whaletrader.runtime.service import Edge, Service
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.schemas import agent_pb2, anomaly_pb2, signal_pb2


class Listener(Agent):  # type: ignore[type-arg]
    """Raises an alert for each signal of the counting agent."""

    name = "intelligence"
    reads = ("signal.raised",)

    def __init__(self) -> None:
        base = CountingAgent()
        super().__init__(base.state, base.views)
        self.decides = {
            signal_pb2.SignalRaised: lambda signal: Decision().emit(
                "anomaly.alert", anomaly_pb2.AnomalyRaised(condition_id=signal.condition_id)
            )
        }


def test_one_trace_runs_through_two_agents() -> None:
    exporters = InMemorySpanExporter(), InMemorySpanExporter()
    first, second = (Telemetry(AGENT, exporter) for exporter in exporters)
    source = stored(trade_record(1), 0)
    said = Core(CountingAgent()).step([source], 5)
    first.stepped(AGENT, [source], said)
    record = said.records[0]
    heard = Stored(record.topic, 0, 0, record.key, record.value, record.headers, 0)
    answered = Core(Listener()).step([heard], 6)
    second.stepped("intelligence", [heard], answered)
    first.close()
    second.close()
    spans = {
        span.name.rpartition(".")[2]: span for it in exporters for span in it.get_finished_spans()
    }
    signal, alert = spans["SignalRaised"], spans["AnomalyRaised"]
    cause = trade(1).meta
    assert signal.context.trace_id == alert.context.trace_id == int(cause.correlation, 16)
    assert alert.parent is not None
    assert alert.parent.span_id == signal.context.span_id
    assert signal.parent is not None
    assert signal.parent.span_id == int(cause.id[:16], 16)
    # What travels between processes is the record's header.
    trace_id, span_id = record.headers["traceparent"].split("-")[1:3]
    assert int(trace_id, 16) == signal.context.trace_id
    assert int(span_id, 16) == signal.context.span_id


def test_a_request_and_an_outcome_are_spans_of_their_chain() -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(AGENT, exporter)
    core = Core(CountingAgent())
    request = Inline(trade(1, size_micro=5))
    step = core.step([request], 5)
    telemetry.stepped(AGENT, [request], step)
    (effect,) = step.effects
    outcome = Inline(stamp_outcome(effect, agent_pb2.PersonNotified(), 6), effect.id)
    telemetry.stepped(AGENT, [outcome], core.step([outcome], 7))
    telemetry.close()
    spans = exporter.get_finished_spans()
    ids = {span.context.span_id for span in spans}
    assert len({span.context.trace_id for span in spans}) == 1
    roots = [s for s in spans if s.parent is None or s.parent.span_id not in ids]
    assert [span.name.rpartition(".")[2] for span in roots] == ["WalletTraded"]


def test_an_answer_has_its_span_where_it_was_given_and_no_second_one() -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(AGENT, exporter)
    answer = signal_pb2.SignalRaised()
    answer.meta.id = answer.meta.correlation = derived_id("answer")
    answer.meta.source = "risk"
    core = Core(CountingAgent())
    core.pending["e"] = Effect(agent_pb2.NotifyPerson(), "", "e")
    item = Inline(answer, "e")
    telemetry.stepped(AGENT, [item], core.step([item], 5))
    telemetry.close()
    assert exporter.get_finished_spans() == ()


def test_ids_that_are_none_stop_nobody() -> None:
    telemetry = Telemetry(AGENT, InMemorySpanExporter())
    message = trade(1)
    message.meta.correlation = "the operator's own words"
    item = Inline(message)
    telemetry.stepped(AGENT, [item], Core(CountingAgent()).step([item], 5))
    telemetry.close()


async def test_metrics_count_inputs_events_dead_letters_and_effects_under_way() -> None:
    release = asyncio.Event()

    async def wait(effect: Effect, again: bool) -> agent_pb2.PersonNotified:
        await release.wait()
        return agent_pb2.PersonNotified(delivered=True)

    service = Service(CountingAgent, edges={agent_pb2.NotifyPerson: Edge(wait)})
    stage = await Stage(service).open()
    await stage.log.append([trade_record(n, size_micro=size) for n, size in enumerate((1, 5, 13))])
    worker = await stage.worker()
    stopping = asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    await until(lambda: worker.runner.in_flight == 1)
    page = generate_latest(stage.telemetry.registry).decode()
    assert 'whaletrader_inputs_total{agent="discovery"} 3.0' in page
    assert 'whaletrader_events_total{agent="discovery",topic="signal.raised"} 2.0' in page
    assert 'whaletrader_dead_letters_total{agent="discovery"} 1.0' in page
    assert 'whaletrader_effects_in_flight{agent="discovery"} 1.0' in page
    release.set()
    await until(lambda: worker.agent.state.told == 1)
    page = generate_latest(stage.telemetry.registry).decode()
    assert 'whaletrader_effects_in_flight{agent="discovery"} 0.0' in page
    stopping.set()
    worker.wake.set()
    await asyncio.wait_for(task, 5)
    await worker.stop()
