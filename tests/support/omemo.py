"""OMEMO for slixmpp clients: slixmpp-omemo with its storage in memory and blind trust before verification."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, NoReturn

from omemo.session_manager import MessageNotForUs
from omemo.storage import Just, Maybe, Nothing, Storage
from omemo.types import JSONType
from slixmpp.jid import JID
from slixmpp.plugins.base import register_plugin
from slixmpp.stanza import Message
from slixmpp_omemo import XEP_0384
from tests.support.limits import until
from tests.support.server import ParleyServer, Person
from tests.support.slix import PLUGINS, SlixClient, Transport

LEGACY = "eu.siacs.conversations.axolotl"
DEVICE_LIST = f"{LEGACY}.devicelist"


class MemoryStorage(Storage):
    """Keys and sessions of one device; given to a second client, that is the same device signing in again."""

    def __init__(self) -> None:
        super().__init__(disable_cache=True)
        self._values: dict[str, JSONType] = {}

    async def _load(self, key: str) -> Maybe[JSONType]:
        return Just(self._values[key]) if key in self._values else Nothing()

    async def _store(self, key: str, value: JSONType) -> None:
        self._values[key] = value

    async def _delete(self, key: str) -> None:
        self._values.pop(key, None)


class TrustingOmemo(XEP_0384):  # type: ignore[misc]
    """The plug-in as applications must complete it."""

    default_config: ClassVar[dict[str, Any]] = {**XEP_0384.default_config, "memory": None}

    @property
    def storage(self) -> Storage:
        return self.memory

    @property
    def _btbv_enabled(self) -> bool:
        return True

    async def _prompt_manual_trust(self, manually_trusted: Any, identifier: str | None) -> NoReturn:
        raise AssertionError(f"asked to trust by hand: {manually_trusted}")


# slixmpp finds plug-ins in one table of its own.
register_plugin(TrustingOmemo)


class OmemoClient(SlixClient):
    """A client that encrypts what it sends and decrypts what comes."""

    def __init__(
        self,
        person: Person,
        resource: str = "slix",
        *,
        memory: MemoryStorage | None = None,
        transport: Transport = "starttls",
    ) -> None:
        super().__init__(person, resource, transport=transport, plugins=PLUGINS)
        self.memory = memory or MemoryStorage()
        self.plain: list[str] = []
        self.sealed: list[Message] = []
        self.trouble: list[BaseException] = []
        self._is_initialized = asyncio.Event()
        self._lock = asyncio.Lock()
        self.register_plugin("xep_0384", {"memory": self.memory})
        self.add_event_handler("omemo_initialized", lambda _: self._is_initialized.set())
        self.add_event_handler("message", self._opened)
        self.add_event_handler("carbon_received", self._copy_received)
        self.add_event_handler("carbon_sent", self._copy_sent)

    async def sign_in(self, server: ParleyServer, *, is_available: bool = True) -> OmemoClient:
        """Sign in, turn carbons on and publish this device."""
        await super().sign_in(server, is_available=is_available)
        await self.plugin["xep_0280"].enable()
        await asyncio.wait_for(self._is_initialized.wait(), 20)
        return self

    async def send_sealed(self, to: str, text: str) -> Message:
        """Encrypt for all devices of `to` and all others of one's own, and send."""
        message = self.make_message(to, text, mtype="chat")
        sealed, errors = await self.plugin["xep_0384"].encrypt_message(message, {JID(to)})
        assert not errors, errors
        assert sealed is not None
        sealed.enable("store")
        sealed.send()
        return sealed

    async def open(self, message: Message) -> str | None:
        """The text of a sealed message, None for one that holds keys only."""
        opened, _ = await self.plugin["xep_0384"].decrypt_message(message)
        return opened["body"] or None

    async def devices(self, address: str) -> set[int]:
        """The ids in the device list of an account."""
        manager = await self.plugin["xep_0384"].get_session_manager()
        own, others = await manager.get_own_device_information(), frozenset()
        if address != self.boundjid.bare:
            others = await manager.get_device_information(address)
            return {device.device_id for device in others if LEGACY in device.namespaces}
        return {own[0].device_id, *(device.device_id for device in own[1])}

    async def knows(self, address: str, count: int) -> None:
        """Wait until so many devices of an account are known here."""
        async with asyncio.timeout(30):
            while True:
                await self.plugin["xep_0384"].refresh_device_lists({JID(address)})
                if len(await self.devices(address)) == count:
                    return
                await asyncio.sleep(0.1)

    async def receive_sealed(self, text: str) -> None:
        """Wait until a sealed message with that text was opened."""
        await until(lambda: text in self.plain or self.trouble, 30)
        assert not self.trouble, self.trouble

    async def _copy_received(self, message: Message) -> None:
        await self._opened(message["carbon_received"])

    async def _copy_sent(self, message: Message) -> None:
        await self._opened(message["carbon_sent"])

    async def _opened(self, message: Message) -> None:
        # One after the other, in the order in which they came: the ratchet turns with each.
        async with self._lock:
            if LEGACY not in self.plugin["xep_0384"].is_encrypted(message):
                return
            self.sealed.append(message)
            try:
                text = await self.open(message)
            except MessageNotForUs:
                # A copy of what completes a session with another device.
                return
            except Exception as error:
                self.trouble.append(error)
                return
            if text:
                self.plain.append(text)
