"""Code, Protobuf and AsyncAPI say the same of every topic."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from google.protobuf.descriptor import FieldDescriptor

from whaletrader.runtime.codec import decode, encode, key_of, type_name
from whaletrader.runtime.subjects import SUBJECTS
from whaletrader.runtime.topics import TOPICS, Topic

ROOT = Path(__file__).resolve().parents[3]
KEYED_BY_HAND = {"shard", "agent/shard"}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_every_message_of_a_topic_has_the_topics_key(topic: Topic) -> None:
    if topic.key in KEYED_BY_HAND:
        return
    for message in topic.messages:
        assert key_of(topic.name, message()) == ""


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_every_event_carries_meta(topic: Topic) -> None:
    if topic.key in KEYED_BY_HAND:
        return
    for message in topic.messages:
        assert "meta" in message.DESCRIPTOR.fields_by_name, message


def test_no_message_carries_a_float() -> None:
    floats = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}
    for topic in TOPICS:
        for message in topic.messages:
            for field in message.DESCRIPTOR.fields:
                assert field.type not in floats, f"{type_name(message)}.{field.name}"


def test_every_message_of_a_topic_can_be_decoded_by_its_name() -> None:
    for topic in TOPICS:
        for message in topic.messages:
            assert decode(type_name(message), encode(message())) == message()


def test_asyncapi_is_what_the_table_says() -> None:
    script = ROOT / "scripts" / "generate_asyncapi.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_asyncapi_names_every_topic_and_subject() -> None:
    channels = yaml.safe_load((ROOT / "asyncapi.yaml").read_text())["channels"]
    assert {topic.name for topic in TOPICS} <= channels.keys()
    assert {subject.name for subject in SUBJECTS} <= channels.keys()
