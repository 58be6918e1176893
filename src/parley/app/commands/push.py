"""`parley push …`: whether devices that are not connected are woken."""

from __future__ import annotations

from typing import Any

import click

from parley.app.asking import ask
from parley.app.commands.frame import Group, Invocation, address_argument, pass_invocation
from parley.app.errors import Unwilling
from parley.app.requests import ListPush, TestPush


@click.group(cls=Group)
def push() -> None:
    """Look at and test push notifications of an account (XEP-0357)."""


@push.command("list")
@address_argument
@pass_invocation
def list_(invocation: Invocation, address: str) -> None:
    """List the push registrations of an account, the oldest first.

    Works while the server runs and while it does not.
    """
    document = ask(invocation.settings(), ListPush(address))
    invocation.answer(document, "\n".join(_line(each) for each in document["registrations"]))


@push.command()
@address_argument
@pass_invocation
def test(invocation: Invocation, address: str) -> None:
    """Wake all devices of an account now, and say how far each notification came.

    The chain is: the device registered, the push service is reached, the service takes the notification. What the
    service does with it shows on the device. The server has to run.
    """
    document = ask(invocation.settings(), TestPush(address))
    if not document["is_served"]:
        raise Unwilling("server-not-running", "the server does not run, so nothing was sent")
    invocation.answer(document, "\n".join(_outcome(each) for each in document["notifications"]))
    if not document["registrations"]:
        invocation.say("No device of this account has registered for push notifications.")
    failed = [each for each in document["notifications"] if each["problem"]]
    if failed:
        raise Unwilling("push-failed", f"{len(failed)} of {document['registrations']} were not taken")


def _line(registration: dict[str, Any]) -> str:
    parts = [
        registration["device"],
        f"by {registration['service']}",
        f"registered {registration['created_at']}",
        f"last taken {registration['last_ok_at'] or 'never'}",
    ]
    if registration["last_error"]:
        parts.append(f"last problem: {registration['last_error']}")
    if registration["is_resting"]:
        parts.append("rests until the device registers again")
    return "  ".join(parts)


def _outcome(notification: dict[str, Any]) -> str:
    outcome = f"not taken: {notification['problem']}" if notification["problem"] else "taken"
    return f"{notification['device']}  registered  {notification['service']} {outcome} ({notification['took_s']} s)"
