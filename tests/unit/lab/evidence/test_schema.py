"""The published schema is that of the types, and what is written is what it says."""

import json
from pathlib import Path
from typing import Any

from tests.unit.lab.evidence.folder import universe
from whaletrader.lab.evidence import StudyOptions
from whaletrader.lab.evidence.layout import read_inputs
from whaletrader.lab.evidence.run import encoded, study
from whaletrader.lab.evidence.schema import schema

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "evidence.schema.json"
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def faults(value: Any, rule: dict[str, Any], whole: dict[str, Any], place: str = "$") -> list[str]:
    """What a value has that the rule does not allow; knows what our schema is made of."""
    if "$ref" in rule:
        rule = whole["$defs"][rule["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in rule:
        tried = [faults(value, one, whole, place) for one in rule["anyOf"]]
        return [] if [] in tried else tried[0]
    kinds = rule.get("type", [])
    allowed = tuple(
        t for kind in ([kinds] if isinstance(kinds, str) else kinds) for t in TYPES[kind]
    )
    if allowed and not isinstance(value, allowed):
        return [f"{place}: {value!r} is no {kinds}"]
    if isinstance(value, list):
        return [
            fault
            for number, one in enumerate(value)
            for fault in faults(one, rule.get("items", {}), whole, f"{place}[{number}]")
        ]
    if not isinstance(value, dict) or "properties" not in rule:
        return []
    known = rule["properties"]
    found = [f"{place}.{name}: unknown" for name in value if name not in known]
    found += [f"{place}.{name}: missing" for name in rule.get("required", []) if name not in value]
    for name in value.keys() & known.keys():
        found += faults(value[name], known[name], whole, f"{place}.{name}")
    return found


def test_the_document_is_made_from_the_types() -> None:
    told = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    hint = "python -m whaletrader.lab.evidence.schema > docs/evidence.schema.json"
    assert told == json.loads(json.dumps(schema())), hint


def test_what_is_written_is_what_the_schema_says(tmp_path: Path) -> None:
    whole = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    options = StudyOptions(draws=100)
    for number, (wallets, markets) in enumerate(((12, 24), (1, 2))):
        data = universe(wallets=wallets, markets=markets, skill=0.0).write(tmp_path / f"in{number}")
        found = study(read_inputs(data), options, lambda _stage, _done, _of: None)
        written = json.loads(encoded(found))
        assert faults(written, whole, whole) == []
        written["verdict"]["answer"] = 1
        del written["span"]
        assert faults(written, whole, whole) == [
            "$.span: missing",
            "$.verdict.answer: 1 is no string",
        ]
