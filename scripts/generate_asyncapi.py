"""Writes asyncapi.yaml from the topic table, the subjects and the Protobuf sources.

    python scripts/generate_asyncapi.py            write it
    python scripts/generate_asyncapi.py --check    exit 1 if it is not what would be written

The three can therefore not disagree. Retention, partitions and keys come from
whaletrader/runtime/topics.py; a message's payload is its definition in schemas/.
"""

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.message import Message

from whaletrader import __version__
from whaletrader.runtime.subjects import SUBJECTS, Subject
from whaletrader.runtime.topics import FOREVER, TOPICS, Topic

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "asyncapi.yaml"
HEADER = (
    "# Written by scripts/generate_asyncapi.py; change the topic table or the schemas instead.\n"
)
PROTOBUF = "application/vnd.google.protobuf;version=3"
MS_PER_S = 1_000
CLOUD_EVENT_HEADERS = {
    "ce_specversion": "CloudEvents version",
    "ce_id": "The event's id: 32 hex digits derived from its cause",
    "ce_type": "Full Protobuf name of the message",
    "ce_source": "The agent that said it",
    "ce_time": "Event time, UTC epoch nanoseconds",
    "traceparent": "W3C trace context; the trace id is the chain's correlation id",
}


def main(arguments: list[str]) -> int:
    """Write the document, or check it. Returns the exit code."""
    text = HEADER + yaml.safe_dump(document(), sort_keys=False, width=100, allow_unicode=True)
    if "--check" not in arguments:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("asyncapi.yaml is out of date: run `make schemas`\n")
    return 1


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    messages = {m for topic in TOPICS for m in topic.messages}
    for subject in SUBJECTS:
        messages |= {subject.request, *subject.replies}
    ordered = sorted(messages, key=lambda m: m.DESCRIPTOR.full_name)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Whale Trader",
            "version": __version__,
            "description": "What the agents say to each other: events over Kafka, "
            "approvals over NATS.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/x-protobuf",
        "servers": {
            "log": {"host": "kafka:9092", "protocol": "kafka"},
            "nats": {"host": "nats:4222", "protocol": "nats"},
        },
        "channels": {
            **{topic.name: _topic_channel(topic) for topic in TOPICS},
            **{subject.name: _subject_channel(subject) for subject in SUBJECTS},
            **{f"{subject.name}.reply": _reply_channel(subject) for subject in SUBJECTS},
        },
        "operations": {
            **{f"read {topic.name}": _read(topic) for topic in TOPICS},
            **{f"ask {subject.name}": _ask(subject) for subject in SUBJECTS},
        },
        "components": {
            "messages": {m.DESCRIPTOR.name: _message(m) for m in ordered},
            "messageTraits": {
                "cloudEvent": {
                    "headers": {
                        "type": "object",
                        "properties": {
                            name: {"type": "string", "description": text}
                            for name, text in CLOUD_EVENT_HEADERS.items()
                        },
                    }
                }
            },
        },
    }


def _topic_channel(topic: Topic) -> dict[str, Any]:
    retention = FOREVER if topic.retention_s == FOREVER else topic.retention_s * MS_PER_S
    return {
        "address": topic.name,
        "description": f"{topic.summary or topic.name}. Keyed by {topic.key}.",
        "servers": [{"$ref": "#/servers/log"}],
        "messages": _references(topic.messages),
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if topic.compacted else "delete"],
                    "retention.ms": retention,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _subject_channel(subject: Subject) -> dict[str, Any]:
    return {
        "address": f"{subject.name}.{{{subject.parameter}}}",
        "description": f"{subject.summary} Deadline {subject.deadline_s} s.",
        "servers": [{"$ref": "#/servers/nats"}],
        "parameters": {subject.parameter: {"description": "What the request is about"}},
        "messages": _references((subject.request,)),
    }


def _reply_channel(subject: Subject) -> dict[str, Any]:
    return {
        "address": None,
        "description": f"Replies to {subject.name}, on the asker's inbox.",
        "servers": [{"$ref": "#/servers/nats"}],
        "messages": _references(subject.replies),
    }


def _read(topic: Topic) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.summary or topic.name,
    }


def _ask(subject: Subject) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{subject.name}"},
        "summary": subject.summary,
        "reply": {"channel": {"$ref": f"#/channels/{subject.name}.reply"}},
    }


def _references(messages: tuple[type[Message], ...]) -> dict[str, Any]:
    return {
        m.DESCRIPTOR.name: {"$ref": f"#/components/messages/{m.DESCRIPTOR.name}"} for m in messages
    }


def _message(message: type[Message]) -> dict[str, Any]:
    source = ROOT / "schemas" / message.DESCRIPTOR.file.name
    comment, definition = _definition(source.read_text(encoding="utf-8"), message.DESCRIPTOR.name)
    return {
        "name": message.DESCRIPTOR.full_name,
        "title": message.DESCRIPTOR.name,
        "summary": comment or message.DESCRIPTOR.name,
        "contentType": "application/x-protobuf",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"schemaFormat": PROTOBUF, "schema": definition},
    }


def _definition(source: str, name: str) -> tuple[str, str]:
    """Return the comment above a message and its definition."""
    found = re.search(rf"((?:^//.*\n)*)^message {name} {{\n(?:.*\n)*?^}}\n", source, re.MULTILINE)
    if found is None:
        raise LookupError(f"message {name} is not in its file")
    comment = " ".join(line.removeprefix("//").strip() for line in found[1].splitlines())
    return comment, found[0].removeprefix(found[1])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
