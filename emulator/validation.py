"""Reads the body of an API request, property by property, and refuses what the platform refuses.

Source of the refusals: Catapult "Errors" and the parameter tables of each method. Booleans and
integers may come as strings, null means absent, unknown properties are ignored.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from emulator.errors import ApiError

if TYPE_CHECKING:
    from emulator.messages import Request

_NUMBER = re.compile(r"\+[1-9][0-9]{1,14}")
_SIP = re.compile(r"sip:[^@\s]+@[^\s]+", re.IGNORECASE)


def is_number(text: str) -> bool:
    """Whether this is an E.164 number."""
    return _NUMBER.fullmatch(text) is not None


def is_destination(text: str) -> bool:
    """Whether this can be called: an E.164 number or a SIP URI (``sips:`` is not supported)."""
    return is_number(text) or _SIP.fullmatch(text) is not None


class Body:
    """The properties of ``resource``; each reader returns None for one that is absent."""

    def __init__(self, values: dict[str, Any], resource: str) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._resource = resource

    @classmethod
    def of(cls, request: Request, resource: str) -> Body:
        """Read the body of a request; an empty one has no properties. Raises ApiError."""
        if not request.body.strip():
            return cls({}, resource)
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            raise ApiError("validation-error", "Content-Type must be application/json.")
        try:
            values = request.json()
        except ValueError:
            raise ApiError("validation-error", "Request body is not valid JSON.") from None
        if not isinstance(values, dict):
            raise ApiError("validation-error", "Request body is not a JSON object.")
        return cls(values, resource)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def refuse(self, name: str, why: str) -> ApiError:
        """Make the error for a property that is ``why``."""
        return ApiError("validation-error", f"Property {name} of resource {self._resource} {why}.")

    def require(self, name: str) -> None:
        """Raise ApiError ``missing-property`` unless the property is there."""
        if self._values.get(name) in (None, ""):
            raise ApiError(
                "missing-property", f"Property {name} of resource {self._resource} is required."
            )

    def text(self, name: str, most: int | None = None) -> str | None:
        """Read a string of at most ``most`` characters."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise self.refuse(name, "is not a string")
        if value is not None and most is not None and len(value) > most:
            raise self.refuse(name, f"is longer than {most}")
        return value

    def boolean(self, name: str) -> bool | None:
        """Read true or false, also as a string."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        raise self.refuse(name, "is not a boolean")

    def number(self, name: str, least: float, most: float) -> float | None:
        """Read a number between two limits, also as a string."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise self.refuse(name, "is not a number")
        if number > most:
            raise self.refuse(name, f"is above {most:g}")
        if number < least:
            raise self.refuse(name, f"is below {least:g}")
        return number

    def integer(self, name: str, least: int, most: int) -> int | None:
        """Read a whole number between two limits, also as a string."""
        number = self.number(name, least, most)
        if number is not None and number != int(number):
            raise self.refuse(name, "is not a whole number")
        return None if number is None else int(number)

    def choice(self, name: str, values: tuple[str, ...]) -> str | None:
        """Read one of ``values``, in any letter case; returned as it stands there."""
        value = self.text(name)
        if value is None:
            return None
        for allowed in values:
            if value.lower() == allowed.lower():
                return allowed
        raise self.refuse(name, "has a value outside the allowed list")

    def destination(self, name: str) -> str | None:
        """Read an E.164 number or a SIP URI."""
        value = self.text(name)
        if value is not None and not is_destination(value):
            raise ApiError("validation-error", "Not a phone number.")
        return value

    def url(self, name: str) -> str | None:
        """Read an http or https URL. Catapult: ``callback-invalid-url``."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not _is_url(value):
            raise ApiError("callback-invalid-url")
        return value

    def part(self, name: str) -> Body | None:
        """Read an object with properties of its own."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.refuse(name, "is not an object")
        return Body(value, name)

    def ids(self, name: str) -> list[str] | None:
        """Read a list of ids."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.refuse(name, "is not a list of ids")
        return value

    def pairs(self, name: str) -> dict[str, str]:
        """Read an object of strings."""
        value = self._values.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise self.refuse(name, "is not an object of strings")
        return value


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0  # reading the port checks it
    except ValueError:
        return False
    return named and parts.scheme in {"http", "https"} and not re.search(r"\s", text)
