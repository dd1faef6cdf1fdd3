"""Runs the emulator alone: ``python -m emulator --port 8055 --callback-url URL``."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from emulator.errors import ControlError
from emulator.server import Emulator


def _switch_values(pairs: tuple[str, ...]) -> dict[str, Any]:
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not name=value", param_hint="--switch")
        values[name] = value
    return values


@click.command("emulator")
@click.option("--callback-url", required=True, help="Where the events of inbound calls go.")
@click.option("--port", default=8055, show_default=True, help="0 picks a free one.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--user-id", default="u-emulator", show_default=True)
@click.option("--token", default="t-emulator", show_default=True)
@click.option("--secret", default="s-emulator", show_default=True)
@click.option("--number", "numbers", multiple=True, help="A number of the account; repeatable.")
@click.option("--fallback-url", help="Where events go if the callback URL does not take them.")
@click.option(
    "--callback-method",
    type=click.Choice(["POST", "GET"], case_sensitive=False),
    default="POST",
    show_default=True,
)
@click.option("--auto-answer/--no-auto-answer", default=True, show_default=True)
@click.option("--switch", "switches", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
def emulator_command(switches: tuple[str, ...], **settings: Any) -> None:
    """Serve the platform's API and send callbacks, until interrupted."""
    try:
        phone_company = Emulator(switches=_switch_values(switches), **settings)
    except ControlError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"cannot listen there: {error.strerror}") from None
    click.echo(f"emulator: {phone_company.url}")
    with contextlib.suppress(KeyboardInterrupt):
        phone_company.serve()


if __name__ == "__main__":
    emulator_command()
