"""`callrouter-rules check FILE…`: rules alone, without the service, as pre-commit and CI need it.

The commands are those of `flask rules`; here they take several files and need no settings.
"""

from __future__ import annotations

import sys

import click

from commands.rules import rules


@click.group()
def main() -> None:
    """Check and test files of routing rules."""


@main.command("check")
@click.argument("files", nargs=-1, required=True)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
def check_files(files: tuple[str, ...], strict: bool) -> None:
    """Say everything that is wrong with each file, and whether its expectations hold."""
    _each("check", files, ["--strict"] if strict else [])


@main.command("test")
@click.argument("files", nargs=-1, required=True)
def test_files(files: tuple[str, ...]) -> None:
    """Judge each `expect` of each file."""
    _each("test", files, [])


def _each(name: str, files: tuple[str, ...], options: list[str]) -> None:
    """Run a command for every file, whatever the others are like, and exit with the worst code."""
    command = rules.commands[name]
    codes = [_code(command, [*options, "--", file]) for file in files]
    sys.exit(max(codes))


def _code(command: click.Command, arguments: list[str]) -> int:
    try:
        code: int | None = command.main(arguments, prog_name=command.name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return code or 0
