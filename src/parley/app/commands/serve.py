"""`parley serve`."""

from __future__ import annotations

import click

from parley.app.commands.frame import Command, Invocation, pass_invocation
from parley.app.serving import serve as run


@click.command(cls=Command)
@pass_invocation
def serve(invocation: Invocation) -> None:
    """Run the server in the foreground.

    It is ready when /health/ready answers 200. SIGTERM or SIGINT ends it within ten seconds: clients are told and all
    is stored. SIGHUP reloads certificates and the settings that are marked as reloadable. Logs go to standard error.
    """
    run(invocation.source())
