"""The recorder's settings and what it records."""

import pytest
from pydantic import ValidationError

from whaletrader.runtime.topics import TOPICS
from whaletrader.services.recorder.config import RecorderSettings
from whaletrader.services.recorder.hot import VIEWS
from whaletrader.services.recorder.recorder import RECORDED_TOPICS, SHARD_TOPIC
from whaletrader.store.projections import PROJECTIONS, TABLES


def test_every_topic_but_the_snapshots_is_recorded() -> None:
    assert set(RECORDED_TOPICS) == {topic.name for topic in TOPICS} - {"agent.snapshot"}


def test_one_member_records_everything() -> None:
    partitions = {topic.name: topic.partitions for topic in TOPICS}
    assert partitions[SHARD_TOPIC] == 1


def test_views_follow_tables_that_exist_by_keys_that_their_rows_have() -> None:
    tables = {table.name: table for table in TABLES}
    for view in VIEWS:
        assert view.tables <= tables.keys()


def test_projections_are_of_messages_that_some_topic_carries() -> None:
    carried = {message for topic in TOPICS for message in topic.messages}
    assert set(PROJECTIONS) <= carried


@pytest.mark.parametrize("setting", [{"batch_max": 0}, {"poll_s": 0}, {"unknown": 1}])
def test_what_is_out_of_bounds_or_unknown_is_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        RecorderSettings(**setting)  # type: ignore[arg-type]
