"""`parley room …`: rooms, whoever made them."""

from __future__ import annotations

from typing import Any

import click

from parley.app.asking import ask
from parley.app.commands.frame import Group, Invocation, pass_invocation
from parley.app.requests import DestroyRoom, ListRooms, ShowRoom

_room_argument = click.argument("address", metavar="ROOM")


@click.group(cls=Group)
def room() -> None:
    """List, show and destroy rooms.

    Works while the server runs and while it does not. Nothing here shows what was said.
    """


@room.command("list")
@click.option("--service", "domain", default="", metavar="DOMAIN", help="Those of one service only.")
@pass_invocation
def list_(invocation: Invocation, domain: str) -> None:
    """List all rooms, hidden ones included."""
    document = ask(invocation.settings(), ListRooms(domain.lower()))
    invocation.answer(document, "\n".join(map(_line, document["rooms"])))


@room.command()
@_room_argument
@pass_invocation
def show(invocation: Invocation, address: str) -> None:
    """Show options, owners, admins, members and occupants of ROOM."""
    document = ask(invocation.settings(), ShowRoom(address))
    lines = [f"{key}: {_text(value)}" for key, value in document.items() if key != "people"]
    lines += [f"{affiliation}: {_text(people)}" for affiliation, people in document["people"].items() if people]
    invocation.answer(document, "\n".join(lines))


@room.command()
@_room_argument
@click.option("--reason", default="", help="Told to those inside.")
@click.option("--yes", "is_certain", is_flag=True, help="Do not ask.")
@pass_invocation
def destroy(invocation: Invocation, address: str, reason: str, is_certain: bool) -> None:
    """Put everybody out of ROOM and delete it with its archive."""
    if not is_certain:
        click.confirm(f"Delete {address} and all that was said in it?", abort=True, err=True)
    invocation.answer(ask(invocation.settings(), DestroyRoom(address, reason)))
    invocation.say(f"{address} is gone.")


def _line(one: dict[str, Any]) -> str:
    words = [one["address"], f"{one['occupants']} inside", f"made by {one['creator']} {one['created_at']}"]
    words += ["stays"] if one["is_persistent"] else []
    words += [] if one["is_public"] else ["hidden"]
    words += [one["name"]] if one["name"] else []
    return "  ".join(words)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "nobody"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "") else str(value)
