"""slixmpp clients for tests: a second author's view of the server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP
from slixmpp.stanza import Message, Presence
from tests.support.limits import until
from tests.support.server import ParleyServer, Person

Transport = Literal["starttls", "tls", "plain"]

NS_UPLOAD = "urn:xmpp:http:upload:0"

PLUGINS = (
    *("xep_0030", "xep_0059", "xep_0060", "xep_0085", "xep_0092", "xep_0115", "xep_0163", "xep_0184", "xep_0198"),
    *("xep_0199", "xep_0203", "xep_0280", "xep_0297", "xep_0313", "xep_0333", "xep_0334", "xep_0359"),
)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where to put a file, with which headers, and where it is then."""

    put: str
    get: str
    headers: dict[str, str]


class SlixClient(ClientXMPP):
    """A client that remembers what came in."""

    def __init__(
        self,
        person: Person,
        resource: str = "slix",
        *,
        transport: Transport = "starttls",
        mechanism: str | None = None,
        plugins: Iterable[str] = PLUGINS,
    ) -> None:
        super().__init__(f"{person.address}/{resource}", person.password, sasl_mech=mechanism)
        self.person = person
        self.enable_direct_tls = transport == "tls"
        self.enable_starttls = transport == "starttls"
        self.enable_plaintext = transport == "plain"
        if transport == "plain":
            self.plugin["feature_mechanisms"].unencrypted_scram = True
        self.messages: list[Message] = []
        self.presences: list[Presence] = []
        self.failures: list[str] = []
        for plugin in plugins:
            self.register_plugin(plugin)
        self.add_event_handler("message", self.messages.append)
        self.add_event_handler("message_error", self.messages.append)
        self.add_event_handler("presence", self.presences.append)
        self.add_event_handler("failed_all_auth", lambda _: self.failures.append("failed_all_auth"))
        self.add_event_handler("stream_error", lambda error: self.failures.append(error["condition"]))

    async def sign_in(self, server: ParleyServer, *, is_available: bool = True) -> Self:
        """Connect, sign in, fetch the roster and become available."""
        port = server.tls_port if self.enable_direct_tls else server.c2s_port
        started = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", lambda _: started.done() or started.set_result(None), disposable=True)
        self.add_event_handler(
            "failed_all_auth",
            lambda _: started.done() or started.set_exception(PermissionError(self.person.address)),
            disposable=True,
        )
        self.connect("127.0.0.1", port)
        await asyncio.wait_for(started, 30)
        await self.get_roster()
        if is_available:
            self.send_presence()
            await until(lambda: any(presence["from"] == self.boundjid for presence in self.presences))
        return self

    def get_ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    async def leave(self) -> None:
        """Say what was received (XEP-0198 §7), close the stream and wait until it is closed."""
        if self.transport is not None:
            if self.plugin["xep_0198"].enabled_in:
                self.plugin["xep_0198"].send_ack()
            await self.disconnect(wait=1.0)

    async def upload_slot(self, filename: str, size_bytes: int, content_type: str) -> Slot:
        """A slot of the server's upload service. Raises IqError; slixmpp's own plug-in needs a second HTTP library."""
        items = await self.plugin["xep_0030"].get_items(self.boundjid.domain)
        for address, *_ in items["disco_items"]["items"]:
            info = await self.plugin["xep_0030"].get_info(address)
            if NS_UPLOAD in info["disco_info"]["features"]:
                break
        else:
            raise LookupError(NS_UPLOAD)
        request = self.make_iq_get(ito=address)
        asked = {"filename": filename, "size": str(size_bytes), "content-type": content_type}
        request.append(ET.Element(f"{{{NS_UPLOAD}}}request", asked))
        slot = (await request.send()).xml.find(f"{{{NS_UPLOAD}}}slot")
        put, get = slot.find(f"{{{NS_UPLOAD}}}put"), slot.find(f"{{{NS_UPLOAD}}}get")
        return Slot(put.get("url"), get.get("url"), {header.get("name"): header.text for header in put})

    @property
    def bodies(self) -> list[str]:
        """The texts received, in order."""
        return [message["body"] for message in self.messages if message["body"]]

    async def receive(self, is_wanted: Callable[[Message], Any], timeout_s: float = 30.0) -> Message:
        """The first message, received already or to come, that fits."""
        await until(lambda: any(is_wanted(message) for message in self.messages), timeout_s)
        return next(message for message in self.messages if is_wanted(message))

    async def receive_body(self, body: str, timeout_s: float = 30.0) -> Message:
        """The message with that text."""
        return await self.receive(lambda message: message["body"] == body, timeout_s)


@asynccontextmanager
async def signed_in(server: ParleyServer, *clients: SlixClient) -> AsyncIterator[None]:
    """Sign clients in, and out at the end whatever happens."""
    try:
        for client in clients:
            await client.sign_in(server)
        yield
    finally:
        for client in clients:
            await client.leave()


async def befriend(one: SlixClient, other: SlixClient) -> None:
    """Make two clients that are signed in subscribe to each other."""
    one.auto_authorize = other.auto_authorize = True
    one.auto_subscribe = other.auto_subscribe = True
    one.send_presence_subscription(pto=other.boundjid.bare)
    await until(lambda: _is_mutual(one, other) and _is_mutual(other, one))


def _is_mutual(one: SlixClient, other: SlixClient) -> bool:
    return bool(one.client_roster[other.boundjid.bare]["subscription"] == "both")
