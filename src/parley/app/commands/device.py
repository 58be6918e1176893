"""`parley device …`: the installations through which people use their accounts."""

from __future__ import annotations

from typing import Any

import click

from parley.app.asking import ask
from parley.app.commands.frame import Group, Invocation, address_argument, pass_invocation
from parley.app.requests import ListDevices, RevokeDevices


@click.group(cls=Group)
def device() -> None:
    """List and revoke the devices of an account.

    Works while the server runs and while it does not.
    """


@device.command("list")
@address_argument
@pass_invocation
def list_(invocation: Invocation, address: str) -> None:
    """List the devices of an account, the last seen first."""
    document = ask(invocation.settings(), ListDevices(address))
    invocation.answer(document, "\n".join(_line(each) for each in document["devices"]))


@device.command()
@address_argument
@click.argument("resources", metavar="DEVICE...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="All devices of the account.")
@pass_invocation
def revoke(invocation: Invocation, address: str, resources: tuple[str, ...], is_all: bool) -> None:
    """Forget devices with their credentials and tokens, and end their sessions at once.

    DEVICE is a name as `parley device list` prints it. A device that knows the account's password can sign in again:
    change that too (see `parley user password`).
    """
    if bool(resources) == is_all:
        raise click.UsageError("Name the devices, or pass --all.")
    document = ask(invocation.settings(), RevokeDevices(address, None if is_all else resources))
    invocation.answer(document)
    invocation.say(
        f"Revoked: {', '.join(document['revoked']) or 'nothing'}. Sessions ended: {document['sessions_ended']}."
    )


def _line(device: dict[str, Any]) -> str:
    parts = [
        device["resource"],
        f"signed in {device['first_seen']}",
        f"seen {device['last_seen']} from {device['last_address']}",
    ]
    parts += [device[key] for key in ("name", "software") if device[key]]
    if device["has_credential"]:
        parts.append("own credential")
    if device["has_token"]:
        parts.append("token")
    if device["is_connected"]:
        parts.append("connected")
    return "  ".join(parts)
