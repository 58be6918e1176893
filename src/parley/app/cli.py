"""The command `parley`: what there is. Each command is in `commands/`."""

from __future__ import annotations

import click

from parley import __version__
from parley.app.commands.backup import backup
from parley.app.commands.check import check
from parley.app.commands.demo import demo
from parley.app.commands.device import device
from parley.app.commands.frame import Group, Invocation
from parley.app.commands.init import init
from parley.app.commands.invite import invite
from parley.app.commands.migrate import migrate
from parley.app.commands.partner import partner
from parley.app.commands.push import push
from parley.app.commands.report import report
from parley.app.commands.room import room
from parley.app.commands.serve import serve
from parley.app.commands.user import user


def _show_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).answer({"version": __version__}, f"parley {__version__}")
        context.exit()


@click.group(cls=Group)
@click.option("--version", is_flag=True, expose_value=False, callback=_show_version, help="Show the version and exit.")
def main() -> None:
    """Run and administer a Parley server: secure messages and voice messages over open protocols.

    Commands read their settings from the file given with --config or named by PARLEY_CONFIG. Results go to standard
    output, messages to standard error. Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration.
    """


for command in (init, check, serve, user, device, invite, room, report, partner, push, backup, migrate, demo):
    main.add_command(command)
