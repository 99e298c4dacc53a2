"""Edges to people: PagerDuty Events API v2, a Slack webhook, the process's own log.

Telling twice is harmless: PagerDuty folds one dedup key into one incident.
"""

import logging
from typing import Any

import httpx
from google.protobuf.message import Message

from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import EffectRetry
from whaletrader.schemas import agent_pb2
from whaletrader.services.notifier.config import NotifierSettings

_LOG = logging.getLogger(__name__)

TIMEOUT_S = 10.0
# PagerDuty cuts a summary at this many characters.
SUMMARY_MAX = 1024


class ChannelRefused(RuntimeError):
    """The service does not accept the notification; trying again will not help."""


class Messenger:
    """Performer of NotifyPerson: sends it to the channel that it names."""

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S)

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - folded by key
        notice = effect.message
        if not isinstance(notice, agent_pb2.NotifyPerson):
            raise TypeError(f"{type(notice).__name__} is not NotifyPerson")
        if notice.channel == "pagerduty":
            await self._post(self._settings.pagerduty_url, self._pagerduty_event(notice))
        elif notice.channel == "slack":
            url = self._settings.slack_webhook_url.get_secret_value()
            await self._post(
                url, {"text": f"[{notice.severity}] {notice.summary}\n{notice.detail}"}
            )
        else:
            _LOG.warning("%s: %s (%s)", notice.severity, notice.summary, notice.detail)
        return agent_pb2.PersonNotified(
            dedup_key=notice.dedup_key, channel=notice.channel, delivered=True
        )

    async def close(self) -> None:
        await self._client.aclose()

    def _pagerduty_event(self, notice: agent_pb2.NotifyPerson) -> dict[str, Any]:
        return {
            "routing_key": self._settings.pagerduty_routing_key.get_secret_value(),
            "event_action": "trigger",
            "dedup_key": notice.dedup_key,
            "payload": {
                "summary": notice.summary[:SUMMARY_MAX],
                "source": "whaletrader",
                "severity": notice.severity,
                "custom_details": {"detail": notice.detail},
            },
        }

    async def _post(self, url: str, body: dict[str, Any]) -> None:
        try:
            response = await self._client.post(url, json=body)
        except httpx.TransportError as error:
            raise EffectRetry(f"cannot be reached: {type(error).__name__}") from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            raise EffectRetry(f"answered {response.status_code}")
        if response.is_error:
            # The URL of a webhook is a secret: it stays out of the message.
            raise ChannelRefused(f"answered {response.status_code}: {response.text[:200]}")
