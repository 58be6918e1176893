"""`parley report …`: what people say about those they block."""

from __future__ import annotations

from typing import Any

import click

from parley.app.asking import ask
from parley.app.commands.frame import Group, Invocation, pass_invocation
from parley.app.requests import DismissReport, ListReports


@click.group(cls=Group)
def report() -> None:
    """Read reports of spam and abuse, and put them away.

    Works while the server runs and while it does not.
    """


@report.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Most reports to list.")
@click.option("--before", type=click.IntRange(1), help="Those with lower numbers than this one.")
@pass_invocation
def list_(invocation: Invocation, limit: int, before: int | None) -> None:
    """List reports, the newest first."""
    document = ask(invocation.settings(), ListReports(limit, before or 0))
    invocation.answer(document, "\n".join(_line(each) for each in document["reports"]))


@report.command()
@click.argument("number", type=click.IntRange(1))
@pass_invocation
def dismiss(invocation: Invocation, number: int) -> None:
    """Put a report away: NUMBER is what `parley report list` prints first."""
    invocation.answer(ask(invocation.settings(), DismissReport(number)))
    invocation.say(f"Dismissed report {number}.")


def _line(each: dict[str, Any]) -> str:
    reporter = each["reporter"] or "an account that is gone"
    parts = [str(each["id"]), each["reported_at"], f"{each['address']}: {each['reason']}", f"from {reporter}"]
    if each["message_ids"]:
        parts.append(f"{len(each['message_ids'])} messages")
    if each["text"]:
        parts.append(" ".join(each["text"].split()))
    return "  ".join(parts)
