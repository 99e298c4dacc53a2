"""Settings of the recorder, read once at start from WHALETRADER_RECORDER_*.

Where the log, PostgreSQL and Redis are is in the runtime's settings, as for every process.
"""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RecorderSettings(BaseSettings):
    """Out of bounds and unknown fields are refused."""

    model_config = SettingsConfigDict(
        env_prefix="WHALETRADER_RECORDER_", frozen=True, extra="forbid"
    )

    # Records in one transaction at most. A journal entry may have 100 kB: this bounds memory.
    batch_max: int = Field(default=5_000, gt=0, le=50_000)
    # How long an idle recorder waits for records.
    poll_s: float = Field(default=0.2, gt=0, le=10)
    # How often the group's positions on the log follow the store's. They are for lag monitors
    # only: the recorder itself starts from the store's.
    positions_interval_s: float = Field(default=1.0, gt=0, le=60)
    # How long one statement may take before the connection counts as lost.
    statement_timeout_s: float = Field(default=60.0, gt=0, le=3_600)
    connect_timeout_s: float = Field(default=5.0, gt=0, le=60)
    # Pause before the log or PostgreSQL is tried again: doubled from the first to the last.
    retry_first_s: float = Field(default=0.1, gt=0, le=10)
    retry_max_s: float = Field(default=5.0, gt=0, le=60)
    # Redis follows the read models this often, and is tried again this often while it is gone.
    hot_interval_s: float = Field(default=0.2, gt=0, le=60)
    hot_retry_s: float = Field(default=1.0, gt=0, le=60)
    # Rows of each list that dashboards read hot.
    hot_rows: int = Field(default=50, gt=0, le=1_000)
