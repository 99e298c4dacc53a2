"""The JSON Schema of `evidence.json`: `python -m whaletrader.lab.evidence.schema` prints it.

Made from the types, so that it cannot say anything else than what is written; the printed copy is
docs/evidence.schema.json, which a test holds to it. Called by nobody else.
"""

import json
import sys
from typing import Any, Final

import msgspec

from whaletrader.lab.evidence.evidence import SCHEMA_VERSION, Evidence

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the schema. Every number may be null: what is not defined is."""
    (reference,), named = msgspec.json.schema_components([Evidence], ref_template="#/$defs/{name}")
    return {
        "$schema": DIALECT,
        "title": f"evidence.json, version {SCHEMA_VERSION}",
        **reference,
        "$defs": {name: _nullable(named[name]) for name in sorted(named)},
    }


def _nullable(part: Any) -> Any:
    if isinstance(part, list):
        return [_nullable(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {key: _nullable(value) for key, value in part.items()}
    if found.get("type") == "number":
        found["type"] = ["number", "null"]
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n")
