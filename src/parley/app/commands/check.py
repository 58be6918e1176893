"""`parley check`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from parley.app import checking, data_folder
from parley.app.checking import Finding
from parley.app.commands.frame import FAILED, WRONG_USAGE, Command, Invocation, pass_invocation
from parley.base.config import Settings
from parley.base.errors import ConfigError
from parley.edges.admin.client import AdminClient
from parley.edges.admin.errors import AdminError


@click.command(cls=Command)
@pass_invocation
def check(invocation: Invocation) -> int:
    """Say what is wrong with the settings and this machine, without starting anything.

    Looks at the settings file, ports, certificate, permissions, schema and free disk. Exit status: 0 when nothing is
    wrong (there may be warnings), 1 when something is, 2 when the settings cannot be read.
    """
    source = invocation.source()
    try:
        settings = source.load()
    except ConfigError as error:
        # One line for each wrong setting, which it names.
        wrong = [line.partition(": ") for line in error.message.splitlines()]
        return _tell(invocation, [Finding(error.code, path, text) for path, _, text in wrong], WRONG_USAGE)
    found = checking.check(settings, datetime.now(UTC), is_running=_is_running(settings))
    return _tell(invocation, found, FAILED)


def _tell(invocation: Invocation, found: list[Finding], status: int) -> int:
    problems = [each for each in found if not each.is_warning]
    warnings = [each for each in found if each.is_warning]
    document = {"problems": [_entry(each) for each in problems], "warnings": [_entry(each) for each in warnings]}
    lines = [f"problem  {each.subject}: {each.message}" for each in problems]
    lines += [f"warning  {each.subject}: {each.message}" for each in warnings]
    invocation.answer(document, "\n".join(lines))
    counts = f"{_count(len(problems), 'problem')}, {_count(len(warnings), 'warning')}"
    invocation.say(f"{counts}." if found else "Nothing is wrong.")
    return status if problems else 0


def _entry(finding: Finding) -> dict[str, Any]:
    return {"code": finding.code, "subject": finding.subject, "message": finding.message}


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _is_running(settings: Settings) -> bool:
    try:
        with AdminClient(settings.data_dir / data_folder.SOCKET):
            return True
    except AdminError:
        return False
