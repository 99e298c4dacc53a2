"""What the notifier is told: whom to tell, where, how often."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from whaletrader.services.notifier.notice import Urgency

NS_PER_S = 1_000_000_000


class NotifierSettings(BaseSettings):
    """Frozen; unknown fields are refused. Environment prefix WHALETRADER_NOTIFIER_.

    A channel is used when its secret is set; the log is always used.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="WHALETRADER_NOTIFIER_"
    )

    pagerduty_routing_key: SecretStr = SecretStr("")
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"
    pagerduty_urgency_min: Urgency = Urgency.CRITICAL
    slack_webhook_url: SecretStr = SecretStr("")
    slack_urgency_min: Urgency = Urgency.WARNING
    # The same incident is told again on a channel after this long at the earliest.
    repeat_s: Annotated[int, Field(ge=0)] = 3_600
