"""The command line, under `flask`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.calls import calls
from commands.demo import demo
from commands.emulator import emulator_command
from commands.rules import rules
from commands.runtime import override, presence
from commands.timeline import timeline_command

if TYPE_CHECKING:
    from flask import Flask


def register_commands(app: Flask) -> None:
    """Add every command to `flask`."""
    rules.add_command(timeline_command)
    for command in (rules, calls, override, presence, demo, emulator_command):
        app.cli.add_command(command)
