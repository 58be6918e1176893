"""Bob with two devices of another author: slixmpp with slixmpp-omemo, `phone` and `tablet`.

Wishes (see `others_wishes.py`; `device` is the name of one):
    knows DEVICE COUNT      waits until it knows so many devices of Alice
    send DEVICE TEXT        sends a sealed text with a request for a receipt; answers with its id
    fetch URL FILE          downloads what an aesgcm: URL names and writes it, decrypted, to a file
    share DEVICE FILE NAME  uploads a file, encrypted, under a name, and sends its aesgcm: URL; answers as `send` does
News: `opened` with `device`, `text` and `from` (bare address); `receipt` with `device` and the id it is for; `trouble`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from slixmpp.stanza import Message
from tests.support.omemo import OmemoClient
from tests.support.server import Person
from tests.web.e2e.others_wishes import fulfil, tell

ALICE = "alice@localhost"
BOB = Person("bob@localhost", "secret")
# XEP-0454 §3: an IV of 12 bytes and a key of 32, in hexadecimal digits.
ADDRESS = re.compile(r"aesgcm://([^#]+)#([0-9a-f]{24})([0-9a-f]{64})")


class Device(OmemoClient):
    """Tells what it opens, and which receipts come."""

    def __init__(self, name: str) -> None:
        super().__init__(BOB, name)
        self.name = name
        self.plugin["xep_0184"].auto_request = True
        self.add_event_handler(
            "receipt_received", lambda message: tell(receipt=message["receipt"], device=name, by=message["from"].bare)
        )

    async def _opened(self, message: Message) -> None:
        await super()._opened(message)
        for trouble in self.trouble:
            tell(trouble=f"{self.name}: {trouble!r}")

    async def open(self, message: Message) -> str | None:
        text = await super().open(message)
        if text:
            tell(opened=text, device=self.name, **{"from": message["from"].bare})
        return text


class Bob:
    """Does what a scenario wishes."""

    def __init__(self, *devices: Device) -> None:
        self._devices = {device.name: device for device in devices}

    async def knows(self, device: str, count: int) -> None:
        await self._devices[device].knows(ALICE, count)

    async def send(self, device: str, text: str) -> str:
        return str((await self._devices[device].send_sealed(ALICE, text))["id"])

    async def fetch(self, url: str, file: str) -> None:
        found = ADDRESS.fullmatch(url)
        assert found, url
        address, iv, key = found[1], bytes.fromhex(found[2]), bytes.fromhex(found[3])
        async with httpx.AsyncClient() as http:
            # This server, on this machine only, is the one without TLS.
            answer = await http.get(f"http://{address}")
        answer.raise_for_status()
        Path(file).write_bytes(AESGCM(key).decrypt(iv, answer.content, None))

    async def share(self, device: str, file: str, name: str) -> str:
        iv, key = os.urandom(12), os.urandom(32)
        sealed = AESGCM(key).encrypt(iv, Path(file).read_bytes(), None)
        slot = await self._devices[device].upload_slot(name, len(sealed), "application/octet-stream")
        async with httpx.AsyncClient() as http:
            answer = await http.put(slot.put, content=sealed, headers=slot.headers)
        answer.raise_for_status()
        return await self.send(device, f"aesgcm://{slot.get.partition('://')[2]}#{iv.hex()}{key.hex()}")


async def main() -> None:
    server: Any = SimpleNamespace(c2s_port=int(sys.argv[1]))
    phone, tablet = Device("phone"), Device("tablet")
    for device in (phone, tablet):
        await device.sign_in(server)
    await phone.knows(BOB.address, 2)
    bob = Bob(phone, tablet)
    tell(ready=True)
    await fulfil({"knows": bob.knows, "send": bob.send, "fetch": bob.fetch, "share": bob.share})
    for device in (phone, tablet):
        await device.leave()


asyncio.run(main())
