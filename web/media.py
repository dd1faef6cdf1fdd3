"""The ringing tone that a caller hears while a ring group is called."""

from __future__ import annotations

import array
import io
import math
import sys
import wave
from functools import cache

from flask import Blueprint, Response

_RATE = 8000
"""Samples per second, as on a telephone line."""
_ON, _OFF = 2, 4
"""Seconds of tone and of silence (the North American ringback tone: 440 + 480 Hz)."""
_LEVEL = 5000


def blueprint() -> Blueprint:
    """Return the route of the tone; it holds nothing private, and the platform fetches it bare."""
    routes = Blueprint("media", __name__)

    @routes.get("/media/ringing.wav")
    def ringing() -> Response:
        return Response(_tone(), mimetype="audio/wav", headers={"Cache-Control": "max-age=86400"})

    return routes


@cache
def _tone() -> bytes:
    samples = array.array("h", (_sample(number) for number in range(_RATE * _ON)))
    samples.extend([0] * (_RATE * _OFF))
    if sys.byteorder == "big":
        samples.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def _sample(number: int) -> int:
    turns = 2 * math.pi * number / _RATE
    return round(_LEVEL * (math.sin(440 * turns) + math.sin(480 * turns)) / 2)
