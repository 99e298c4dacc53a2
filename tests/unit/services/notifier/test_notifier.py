"""The notifier tells people once an incident, on the channels that take its urgency."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import msgspec
import pytest
from pydantic import SecretStr

from whaletrader.runtime.agent import Effect
from whaletrader.runtime.core import Core, Inline
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import agent_pb2, control_pb2, order_pb2, risk_pb2
from whaletrader.services.notifier.__main__ import channels_of
from whaletrader.services.notifier.agent import Channel, NotifierAgent
from whaletrader.services.notifier.channels import ChannelRefused, Messenger
from whaletrader.services.notifier.config import NotifierSettings
from whaletrader.services.notifier.notice import Urgency

HOUR_NS = 3_600 * 10**9
CHANNELS = (Channel("log", Urgency.INFO), Channel("pagerduty", Urgency.CRITICAL))


def alert(number: int, severity: risk_pb2.Severity, at_ns: int = 0) -> risk_pb2.RiskAlerted:
    message = risk_pb2.RiskAlerted(portfolio="main", severity=severity, rule="day_loss")
    message.meta.id = f"{number:032x}"
    message.meta.event_time_ns = at_ns
    return message


def asked(core: Core, message: object, now_ns: int = 0) -> list[str]:
    step = core.step([Inline(message)], now_ns)  # type: ignore[arg-type]
    return [effect.message.channel for effect in step.effects]  # type: ignore[attr-defined]


def notifier() -> Core:
    return Core(NotifierAgent(CHANNELS, HOUR_NS))


def test_a_critical_alert_goes_to_every_channel() -> None:
    assert asked(notifier(), alert(1, risk_pb2.SEVERITY_CRITICAL)) == ["log", "pagerduty"]


def test_a_warning_does_not_page() -> None:
    assert asked(notifier(), alert(1, risk_pb2.SEVERITY_WARNING)) == ["log"]


def test_a_storm_of_one_alert_is_one_page() -> None:
    core = notifier()
    storm = [Inline(alert(n, risk_pb2.SEVERITY_CRITICAL)) for n in range(1, 50)]
    assert len(core.step(storm, 0).effects) == len(CHANNELS)


def test_the_same_incident_is_told_again_after_the_interval() -> None:
    core = notifier()
    asked(core, alert(1, risk_pb2.SEVERITY_WARNING), 0)
    assert asked(core, alert(2, risk_pb2.SEVERITY_WARNING), HOUR_NS - 1) == []
    assert asked(core, alert(3, risk_pb2.SEVERITY_WARNING, HOUR_NS), HOUR_NS) == ["log"]


def test_a_refused_approval_pages_somebody() -> None:
    refused = order_pb2.ApprovalRefused(approval_id="a1")
    refused.meta.id = f"{9:032x}"
    assert "pagerduty" in asked(notifier(), refused)


def test_ordinary_order_events_are_nobodys_business() -> None:
    closed = order_pb2.OrderClosed()
    closed.meta.id = f"{9:032x}"
    assert asked(notifier(), closed) == []


def state_changed(
    number: int, state: risk_pb2.DeskState, rule: str = "day-loss", at_ns: int = 0
) -> risk_pb2.TradingStateChanged:
    message = risk_pb2.TradingStateChanged(portfolio="main", state=state, rule=rule)
    message.meta.id = f"{number:032x}"
    message.meta.event_time_ns = at_ns
    return message


def test_a_stop_by_a_rule_and_its_alert_are_one_page() -> None:
    core = notifier()
    assert "pagerduty" in asked(core, state_changed(1, risk_pb2.DESK_STATE_HALT))
    told = alert(2, risk_pb2.SEVERITY_CRITICAL)
    told.rule = "day-loss"
    assert asked(core, told) == []


def test_a_second_stop_pages_again_however_soon_it_comes() -> None:
    core = notifier()
    asked(core, state_changed(1, risk_pb2.DESK_STATE_HALT))
    asked(core, state_changed(2, risk_pb2.DESK_STATE_NORMAL, "operator-resume"))
    assert "pagerduty" in asked(core, state_changed(3, risk_pb2.DESK_STATE_HALT, at_ns=1), 1)


@pytest.mark.parametrize("state", [risk_pb2.DESK_STATE_DELEVERAGE, risk_pb2.DESK_STATE_FLATTEN])
def test_every_state_that_stops_or_sells_pages(state: risk_pb2.DeskState) -> None:
    assert "pagerduty" in asked(notifier(), state_changed(1, state))


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        (risk_pb2.DESK_STATE_REDUCE, "drawdown-reduce"),
        (risk_pb2.DESK_STATE_NORMAL, "day-over"),
        # A person did it, and the control order was told.
        (risk_pb2.DESK_STATE_HALT, "operator-halt"),
        (risk_pb2.DESK_STATE_FLATTEN, "operator-flatten"),
    ],
)
def test_milder_states_and_orders_of_a_person_are_left_to_their_alerts(
    state: risk_pb2.DeskState, rule: str
) -> None:
    assert asked(notifier(), state_changed(1, state, rule)) == []


def differed(number: int, *, halted: bool) -> order_pb2.ReconciliationFailed:
    message = order_pb2.ReconciliationFailed(wallet="0xw", halted=halted, looks=1 + halted)
    message.meta.id = f"{number:032x}"
    return message


def test_a_difference_with_the_venue_pages_once_it_halts() -> None:
    core = notifier()
    assert asked(core, differed(1, halted=False)) == ["log"]
    assert asked(core, differed(2, halted=True)) == ["log", "pagerduty"]
    assert asked(core, differed(3, halted=True)) == []


def test_the_page_of_a_difference_names_the_order_that_explains_it() -> None:
    message = differed(1, halted=True)
    message.reasons.add(rule="holdings.shares", value=2, limit=1, detail="explained by 0xabc")
    (page, *_) = notifier().step([Inline(message)], 0).effects
    assert isinstance(page.message, agent_pb2.NotifyPerson)
    assert "explained by 0xabc" in page.message.detail
    assert "halted" in page.message.summary


def test_each_control_order_is_told() -> None:
    core = notifier()
    for number in (1, 2):
        halt = control_pb2.ControlOrdered(
            portfolio="main", action=control_pb2.CONTROL_ACTION_HALT, operator="ann"
        )
        halt.meta.id = f"{number:032x}"
        assert asked(core, halt) == ["log"]


def test_an_undeliverable_notice_is_counted() -> None:
    core = notifier()
    step = core.step([Inline(alert(1, risk_pb2.SEVERITY_WARNING))], 0)
    failed = agent_pb2.EffectFailed(effect_id=step.effects[0].id, error="answered 500")
    failed.meta.id = f"{7:032x}"
    core.step([Inline(failed, step.effects[0].id)], 1)
    assert core.agent.state.undelivered == 1


def test_only_channels_with_a_secret_are_used() -> None:
    assert [c.name for c in channels_of(NotifierSettings())] == ["log"]
    settings = NotifierSettings(
        pagerduty_routing_key=SecretStr("k"), slack_webhook_url=SecretStr("http://x")
    )
    assert [c.name for c in channels_of(settings)] == ["log", "pagerduty", "slack"]


def test_secrets_are_not_printed() -> None:
    assert "very-secret" not in repr(
        NotifierSettings(pagerduty_routing_key=SecretStr("very-secret"))
    )


class Receiver:
    """A real HTTP server that answers with a given status and keeps what it got."""

    def __init__(self) -> None:
        self.status = 202
        self.bodies: list[dict[str, object]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                outer.bodies.append(msgspec.json.decode(self.rfile.read(length)))
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = Thread(target=receiver.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def messenger_to(receiver: Receiver) -> Messenger:
    return Messenger(
        NotifierSettings(
            pagerduty_url=receiver.url,
            pagerduty_routing_key=SecretStr("routing"),
            slack_webhook_url=SecretStr(receiver.url),
        )
    )


def page(channel: str) -> Effect:
    return Effect(
        agent_pb2.NotifyPerson(
            dedup_key="risk/main/day_loss",
            severity="critical",
            summary="Risk alert",
            detail="day_loss",
            channel=channel,
        )
    )


async def test_pagerduty_gets_an_events_v2_trigger(receiver: Receiver) -> None:
    messenger = messenger_to(receiver)
    outcome = await messenger(page("pagerduty"), False)
    assert isinstance(outcome, agent_pb2.PersonNotified)
    assert outcome.delivered
    (body,) = receiver.bodies
    assert body["event_action"] == "trigger"
    assert body["routing_key"] == "routing"
    assert body["dedup_key"] == "risk/main/day_loss"
    assert body["payload"]["severity"] == "critical"  # type: ignore[index]
    await messenger.close()


async def test_slack_gets_the_text(receiver: Receiver) -> None:
    messenger = messenger_to(receiver)
    await messenger(page("slack"), False)
    assert "Risk alert" in str(receiver.bodies[0]["text"])
    await messenger.close()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_channel_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.status = status
    messenger = messenger_to(receiver)
    with pytest.raises(EffectRetry):
        await messenger(page("pagerduty"), False)
    await messenger.close()


async def test_a_channel_that_refuses_is_not_tried_again(receiver: Receiver) -> None:
    receiver.status = 400
    messenger = messenger_to(receiver)
    with pytest.raises(ChannelRefused):
        await messenger(page("pagerduty"), False)
    await messenger.close()


async def test_a_channel_that_is_down_is_tried_again(receiver: Receiver) -> None:
    receiver.server.server_close()
    messenger = messenger_to(receiver)
    with pytest.raises(EffectRetry):
        await messenger(page("slack"), False)
    await messenger.close()
