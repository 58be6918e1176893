"""Bob's other app, a third party's: opens and sends sealed messages, and is installed again on request.

Reads a wish a line from standard input, tells what happened on standard output:
    send TEXT   sends a sealed message to Alice
    reinstall   begins again with new keys under the old device number, as a restored or an intruder's app does
    add         signs in on another device beside
    opened TEXT says that a message could be opened, `also opened TEXT` that it could on the other device
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from types import SimpleNamespace
from typing import Any

from slixmpp.xmlstream import ET
from tests.support.omemo import DEVICE_LIST, LEGACY, OmemoClient
from tests.support.server import Person
from tests.support.slix import SlixClient

ALICE = "alice@localhost"
BOB = Person("bob@localhost", "secret")
EMPTY_LISTS = {DEVICE_LIST: f"{{{LEGACY}}}list", "urn:xmpp:omemo:2:devices": "{urn:xmpp:omemo:2}devices"}


class Installation(OmemoClient):
    """Says what it opens."""

    verb = "opened"

    async def _opened(self, message: Any) -> None:
        before = len(self.plain)
        await super()._opened(message)
        for text in self.plain[before:]:
            print(self.verb, text, flush=True)


class Another(Installation):
    """A second device."""

    verb = "also opened"


async def own_number(app: OmemoClient) -> int:
    (number,) = await app.devices(BOB.address)
    return number


async def reinstalled(app: OmemoClient, server: Any) -> OmemoClient:
    """A new installation with the device number of the old one, whose entry in the list is gone."""
    number = await own_number(app)
    await app.leave()
    # By a client without the library, which would put its device back.
    operator = await SlixClient(BOB, "operator").sign_in(server, is_available=False)
    for node, name in EMPTY_LISTS.items():
        await operator.plugin["xep_0060"].publish(None, node, id="current", payload=ET.Element(name))
    await operator.leave()
    draw = secrets.randbelow
    # The library draws its number from here, from 1 upwards.
    secrets.randbelow = lambda limit: number - 1 if limit > 2**30 else draw(limit)
    try:
        fresh = await Installation(BOB, "reinstalled").sign_in(server)
    finally:
        secrets.randbelow = draw
    assert await own_number(fresh) == number
    return fresh


async def main() -> None:
    server: Any = SimpleNamespace(c2s_port=int(sys.argv[1]))
    app: OmemoClient = await Installation(BOB, "other-app").sign_in(server)
    others: list[OmemoClient] = []
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        wish, _, text = line.strip().partition(" ")
        if wish == "send":
            await app.send_sealed(ALICE, text)
        elif wish == "reinstall":
            app = await reinstalled(app, server)
        elif wish == "add":
            others.append(await Another(BOB, "another-app").sign_in(server))
        print("done", flush=True)
    for each in (app, *others):
        await each.leave()


asyncio.run(main())
