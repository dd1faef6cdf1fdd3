"""The JSON Schema of the rules file, made of the shapes that read it; for editors.

It refuses nothing that the reader takes. The reader refuses more: unknown names, numbers that
cannot be, and whatever else takes the whole file to see. `python -m routing.reading.schema`
prints it.
"""

from __future__ import annotations

import json
from typing import Any

from routing.reader import DIALING, TRANSFER
from routing.reading.actions import DESTINATION, DialedParty, action_shape
from routing.reading.calendars import DATES
from routing.reading.callers import CALLERS
from routing.reading.expectations import EXPECT
from routing.reading.lines import LINE
from routing.reading.rotations import ROTATION
from routing.reading.shapes import Schema, map_schema
from routing.reading.times import SCHEDULE
from routing.reading.zones import ZONE
from routing.words import EMERGENCY

_DRAFT = "http://json-schema.org/draft-07/schema#"
"""The newest draft that the YAML language server of most editors reads."""


def schema() -> Schema:
    """Return the schema of a whole rules file."""
    defined: dict[str, Schema] = {}
    sections = _sections(defined)
    return {
        "$schema": _DRAFT,
        "title": "Rules of the call router",
        "description": "Who takes the calls of each of our numbers.",
        "type": "object",
        "properties": sections,
        "required": ["lines", EMERGENCY],
        "additionalProperties": False,
        "definitions": dict(sorted(defined.items())),
    }


def _sections(defined: dict[str, Schema]) -> dict[str, Schema]:
    destination = {"anyOf": [DialedParty().schema(defined), DESTINATION.schema(defined)]}
    hours = {"anyOf": [{"required": ["hours"]}, {"required": ["except"]}]}
    emergency = action_shape(EMERGENCY).schema(defined)
    return {
        "version": _told("always 1", {"enum": [1, "1"]}),
        "timezone": _told("IANA name of the zone in which times are meant", ZONE.schema(defined)),
        "transfer": _told("defaults for every transfer", TRANSFER.schema(defined)),
        "dialing": _told("what may be dialed at all", DIALING.schema(defined)),
        "destinations": _told("where calls can go, by name", map_schema(destination)),
        "rotations": _told(
            "names that stand for the destination whose turn it is",
            map_schema(ROTATION.schema(defined)),
        ),
        "callers": _told("named lists of who is calling", CALLERS.schema(defined)),
        "calendars": _told("named sets of days", map_schema(DATES.schema(defined))),
        "schedules": _told("named sets of times", map_schema(SCHEDULE.schema(defined) | hours)),
        "lines": _told("the numbers people call, by name", map_schema(LINE.schema(defined))),
        "emergency": _told(
            "the action for a number on no line, and when nothing else worked",
            {"allOf": [emergency]},
        ),
        "expect": _told("calls and what must come of them", EXPECT.schema(defined)),
    }


def _told(doc: str, section: Schema) -> dict[str, Any]:
    return {"description": doc, **section}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2, ensure_ascii=False))
