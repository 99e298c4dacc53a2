"""Composition root of the notifier: plugs the configured channels in."""

from whaletrader.runtime.run import Pace, run
from whaletrader.runtime.service import Edge, Policy, Service
from whaletrader.schemas import agent_pb2
from whaletrader.services.notifier.agent import Channel, NotifierAgent
from whaletrader.services.notifier.channels import Messenger
from whaletrader.services.notifier.config import NS_PER_S, NotifierSettings
from whaletrader.services.notifier.notice import Urgency

# A page may come late, but it must come.
NOTIFY_POLICY = Policy(deadline_s=600.0, attempts_max=100, backoff_s=0.5, circuit_open_s=10.0)


def make_agent() -> NotifierAgent:
    """Return the agent as this process's environment configures it."""
    settings = NotifierSettings()
    return NotifierAgent(channels_of(settings), settings.repeat_s * NS_PER_S)


def channels_of(settings: NotifierSettings) -> tuple[Channel, ...]:
    """Return the channels that have their secrets, and the log."""
    channels = [Channel("log", Urgency.INFO)]
    if settings.pagerduty_routing_key.get_secret_value():
        channels.append(Channel("pagerduty", settings.pagerduty_urgency_min))
    if settings.slack_webhook_url.get_secret_value():
        channels.append(Channel("slack", settings.slack_urgency_min))
    return tuple(channels)


def main() -> None:
    messenger = Messenger(NotifierSettings())
    run(
        Service(
            make_agent=make_agent,
            edges={agent_pb2.NotifyPerson: Edge(messenger, NOTIFY_POLICY)},
            after=messenger.close,
        ),
        # People are not part of the tape's time.
        Pace.FREE,
    )


if __name__ == "__main__":
    main()
