"""The command line, under `flask`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from flask.cli import AppGroup

if TYPE_CHECKING:
    import click

_PLACES = {
    "calls": "commands.calls:calls",
    "demo": "commands.demo:demo",
    "emulator": "commands.emulator:emulator_command",
    "override": "commands.runtime:override",
    "presence": "commands.runtime:presence",
    "rules": "commands.rules:rules",
}


class Commands(AppGroup):
    """Every command of ours. One is imported when it is asked for: serving calls needs none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted({*super().list_commands(ctx), *_PLACES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None if there is none of that name."""
        if cmd_name not in _PLACES:
            return super().get_command(ctx, cmd_name)
        module, _, name = _PLACES[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command
