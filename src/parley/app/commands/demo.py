"""`parley demo`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from parley.app.commands.frame import Command, Invocation, pass_invocation
from parley.app.demonstration import prepare_people, prepare_settings
from parley.app.serving import serve
from parley.app.wiring import Server


@click.command(cls=Command)
@click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where the demonstration's settings and data are; made when missing, else reused.",
)
@click.option(
    "--web",
    "web_dir",
    metavar="DIST",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder with the built web app, instead of the one that comes with Parley.",
)
@pass_invocation
def demo(invocation: Invocation, folder: Path, web_dir: Path | None) -> None:
    """Serve a demonstration on loopback with two people, alice and bob, who know each other.

    Prints what to open and how to sign in. Ports that are taken are replaced by free ones. A second call reuses what
    the first one made. Ctrl-C stops it.
    """
    overrides = invocation.overrides
    if web_dir is not None:
        overrides += (f"http.web_dir={web_dir.absolute()}",)
    source, moved = prepare_settings(folder, overrides)
    for port, other in moved.items():
        invocation.say(f"Port {port} is taken by another program: using {other} instead.")
    passwords = asyncio.run(prepare_people(folder, source.load()))

    async def tell(server: Server) -> None:
        document = _document(server, passwords)
        invocation.answer(document, _text(document, folder))

    serve(source, tell)


def _document(server: Server, passwords: dict[str, str]) -> dict[str, Any]:
    settings = server.settings
    return {
        "url": settings.http.public_url,
        "accounts": [{"address": address, "password": password} for address, password in passwords.items()],
        "c2s": [str(address) for address in settings.xmpp.c2s],
        "c2s_tls": [str(address) for address in settings.xmpp.c2s_tls],
    }


def _text(document: dict[str, Any], folder: Path) -> str:
    people = [
        f"    {each['address']:<18} {each['password'] or 'the password that you set'}" for each in document["accounts"]
    ]
    ports = [f"{place} (STARTTLS)" for place in document["c2s"]] + [f"{place} (TLS)" for place in document["c2s_tls"]]
    return "\n".join(
        [
            "",
            f"  Parley is running. Open {document['url']} in two browser windows and sign in as",
            "",
            *people,
            "",
            f"  Other XMPP clients: the same accounts at {', '.join(ports)}, self-signed certificate.",
            f"  Everything is in {folder}. Ctrl-C stops the server.",
            "",
        ]
    )
