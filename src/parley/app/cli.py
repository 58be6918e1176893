"""The command `parley`: what there is. Each command is in `commands/`."""

from __future__ import annotations

import importlib
from typing import Final

import click

from parley import __version__
from parley.app.commands.frame import Group, Invocation

_COMMANDS: Final = frozenset(
    {
        "backup",
        "check",
        "demo",
        "device",
        "init",
        "invite",
        "migrate",
        "partner",
        "push",
        "report",
        "room",
        "serve",
        "user",
    }
)


class _Commands(Group):
    """All commands. The module of one, `commands/NAME.py`, is imported when it is used: all of them take a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"parley.app.commands.{cmd_name}"), cmd_name)
        return command


def _show_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).answer({"version": __version__}, f"parley {__version__}")
        context.exit()


@click.group(cls=_Commands)
@click.option("--version", is_flag=True, expose_value=False, callback=_show_version, help="Show the version and exit.")
def main() -> None:
    """Run and administer a Parley server: secure messages and voice messages over open protocols.

    Commands read their settings from the file given with --config or named by PARLEY_CONFIG. Results go to standard
    output, messages to standard error. Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration.
    """
