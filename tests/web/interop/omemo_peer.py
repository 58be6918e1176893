"""An OMEMO device on Python's oldmemo and twomemo, spoken to in JSON lines, as the other side of the web app's core.

Reads one request per line on standard input and answers each with one line: ``{"ok": …}``, or ``{"error": NAME}`` with
the name of the exception's class. Byte strings are base64. Requests have an ``op`` and a ``format`` (``legacy`` or
``omemo2``):

``bundle``
    Answers with this device's bundle in the format's wire encoding.
``start``
    ``device``, ``bundle``, ``plaintext`` (or null): builds a session from the bundle, answers with a message.
``encrypt``
    ``device``, ``plaintext`` (or null): answers with a message in the existing session.
``decrypt``
    ``device``, ``data``, ``preKey``, ``iv``, ``payload`` (or null), ``hasSign``: answers with the plaintext or null.

A message is ``{"data", "preKey", "iv", "payload"}``. The process ends with its input.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import oldmemo.oldmemo as legacy
import twomemo.twomemo as omemo2
import x3dh
import xeddsa
from omemo.session import Initiation
from omemo.storage import Just, Maybe, Nothing, Storage
from omemo.types import JSONType

JID = "python@localhost"
PEER_JID = "web@localhost"
SIGN_BIT = 0x80

Json = dict[str, Any]


class MemoryStorage(Storage):
    """Storage that lives as long as the process."""

    def __init__(self) -> None:
        super().__init__(disable_cache=True)
        self._values: dict[str, JSONType] = {}

    async def _load(self, key: str) -> Maybe[JSONType]:
        return Just(self._values[key]) if key in self._values else Nothing()

    async def _store(self, key: str, value: JSONType) -> None:
        self._values[key] = value

    async def _delete(self, key: str) -> None:
        self._values.pop(key, None)


def to_text(data: bytes) -> str:
    """Encode bytes for JSON."""
    return base64.b64encode(data).decode("ascii")


def to_bytes(text: str) -> bytes:
    """Read bytes from JSON."""
    return base64.b64decode(text, validate=True)


@dataclass(frozen=True, slots=True)
class LegacyWire:
    """What of ``eu.siacs.conversations.axolotl`` stands outside the backend: encodings of keys and messages."""

    backend: Any
    module: Any = legacy

    def bundle_to_json(self, bundle: Any) -> Json:
        """Encode a bundle; the sign of the identity key goes into the signature's top bit."""
        keys = bundle.bundle
        signature = bytearray(keys.signed_pre_key_sig)
        signature[63] |= keys.identity_key[31] & SIGN_BIT
        serialize = legacy.StateImpl.serialize_public_key
        return {
            "identityKey": to_text(serialize(xeddsa.ed25519_pub_to_curve25519_pub(keys.identity_key))),
            "signedPreKeyId": bundle.signed_pre_key_id,
            "signedPreKey": to_text(serialize(keys.signed_pre_key)),
            "signedPreKeySignature": to_text(bytes(signature)),
            "preKeys": [{"id": i, "key": to_text(serialize(k))} for k, i in bundle.pre_key_ids.items()],
        }

    def bundle_from_json(self, device: int, value: Json) -> Any:
        """Read a bundle."""
        parse = legacy.StateImpl.parse_public_key
        signature = bytearray(to_bytes(value["signedPreKeySignature"]))
        has_sign = bool(signature[63] & SIGN_BIT)
        signature[63] &= ~SIGN_BIT & 0xFF
        pre_keys = {parse(to_bytes(entry["key"])): entry["id"] for entry in value["preKeys"]}
        identity = xeddsa.curve25519_pub_to_ed25519_pub(parse(to_bytes(value["identityKey"])), has_sign)
        keys = x3dh.Bundle(identity, parse(to_bytes(value["signedPreKey"])), bytes(signature), frozenset(pre_keys))
        return legacy.BundleImpl(PEER_JID, device, keys, value["signedPreKeyId"], pre_keys)

    def exchange_to_bytes(self, exchange: Any, message: bytes) -> bytes:
        """Put the key exchange around a message."""
        serialized, _has_sign = exchange.serialize(message)
        return bytes(serialized)

    def exchange_from_bytes(self, data: bytes, *, has_sign: bool) -> tuple[Any, bytes]:
        """Take a key exchange and its message apart."""
        exchange, message = legacy.KeyExchangeImpl.parse(data, has_sign)
        return exchange, message

    def content(self, iv: bytes, payload: bytes) -> Any:
        """Build the payload part of a message."""
        return legacy.ContentImpl(payload, iv)

    def iv_of(self, content: Any) -> bytes:
        """Return the IV of a payload."""
        return bytes(content.initialization_vector)


@dataclass(frozen=True, slots=True)
class Omemo2Wire:
    """What of ``urn:xmpp:omemo:2`` stands outside the backend."""

    backend: Any
    module: Any = omemo2

    def bundle_to_json(self, bundle: Any) -> Json:
        """Encode a bundle."""
        keys = bundle.bundle
        return {
            "identityKey": to_text(keys.identity_key),
            "signedPreKeyId": bundle.signed_pre_key_id,
            "signedPreKey": to_text(keys.signed_pre_key),
            "signedPreKeySignature": to_text(keys.signed_pre_key_sig),
            "preKeys": [{"id": i, "key": to_text(k)} for k, i in bundle.pre_key_ids.items()],
        }

    def bundle_from_json(self, device: int, value: Json) -> Any:
        """Read a bundle."""
        pre_keys = {to_bytes(entry["key"]): entry["id"] for entry in value["preKeys"]}
        keys = x3dh.Bundle(
            to_bytes(value["identityKey"]),
            to_bytes(value["signedPreKey"]),
            to_bytes(value["signedPreKeySignature"]),
            frozenset(pre_keys),
        )
        return omemo2.BundleImpl(PEER_JID, device, keys, value["signedPreKeyId"], pre_keys)

    def exchange_to_bytes(self, exchange: Any, message: bytes) -> bytes:
        """Put the key exchange around a message."""
        return bytes(exchange.serialize(message))

    def exchange_from_bytes(self, data: bytes, *, has_sign: bool) -> tuple[Any, bytes]:
        """Take a key exchange and its message apart."""
        exchange, message = omemo2.KeyExchangeImpl.parse(data)
        return exchange, message

    def content(self, iv: bytes, payload: bytes) -> Any:
        """Build the payload part of a message."""
        return omemo2.ContentImpl(payload)

    def iv_of(self, content: Any) -> bytes:
        """Return no IV: the format derives it."""
        return b""


class Peer:
    """One device in both formats, with the session rules of python-omemo's session manager."""

    def __init__(self) -> None:
        storage = MemoryStorage()
        self._wires: dict[str, LegacyWire | Omemo2Wire] = {
            "legacy": LegacyWire(legacy.Oldmemo(storage)),
            "omemo2": Omemo2Wire(omemo2.Twomemo(storage)),
        }
        self._operations: dict[str, Callable[[Any, Json], Awaitable[Any]]] = {
            "bundle": self._bundle,
            "start": self._start,
            "encrypt": self._encrypt,
            "decrypt": self._decrypt,
        }

    async def handle(self, request: Json) -> Json:
        """Answer one request."""
        try:
            return {"ok": await self._operations[request["op"]](self._wires[request["format"]], request)}
        except Exception as error:  # the peer of a test reports whatever goes wrong
            return {"error": type(error).__name__, "text": repr(error.__cause__ or error)}

    async def _bundle(self, wire: Any, _request: Json) -> Json:
        missing = 100 - await wire.backend.get_num_visible_pre_keys()
        if missing > 0:
            await wire.backend.generate_pre_keys(missing)
        return dict(wire.bundle_to_json(await wire.backend.get_bundle(JID, 1)))

    async def _start(self, wire: Any, request: Json) -> Json:
        bundle = wire.bundle_from_json(request["device"], request["bundle"])
        content, material = await self._seal(wire, request["plaintext"])
        session, encrypted = await wire.backend.build_session_active(PEER_JID, request["device"], bundle, material)
        await wire.backend.store_session(session)
        return self._message(wire, session, content, encrypted)

    async def _encrypt(self, wire: Any, request: Json) -> Json:
        session = await wire.backend.load_session(PEER_JID, request["device"])
        content, material = await self._seal(wire, request["plaintext"])
        encrypted = await wire.backend.encrypt_key_material(session, material)
        await wire.backend.store_session(session)
        return self._message(wire, session, content, encrypted)

    async def _seal(self, wire: Any, plaintext: str | None) -> tuple[Any, Any]:
        if plaintext is None:
            return tuple(await wire.backend.encrypt_empty())
        return tuple(await wire.backend.encrypt_plaintext(to_bytes(plaintext)))

    def _message(self, wire: Any, session: Any, content: Any, encrypted: Any) -> Json:
        is_exchange = session.initiation is Initiation.ACTIVE and not session.confirmed
        data = encrypted.serialize()
        if is_exchange:
            data = wire.exchange_to_bytes(session.key_exchange, data)
        return {
            "data": to_text(data),
            "preKey": is_exchange,
            "iv": to_text(wire.iv_of(content)),
            "payload": None if content.empty else to_text(content.ciphertext),
        }

    async def _decrypt(self, wire: Any, request: Json) -> str | None:
        device, data, exchange = request["device"], to_bytes(request["data"]), None
        if request["preKey"]:
            exchange, data = wire.exchange_from_bytes(data, has_sign=request["hasSign"])
        encrypted = wire.module.EncryptedKeyMaterialImpl.parse(data, PEER_JID, device)
        session = await wire.backend.load_session(PEER_JID, device)
        if exchange is not None and not self._is_built_by(session, exchange):
            session, material = await wire.backend.build_session_passive(PEER_JID, device, exchange, encrypted)
            await wire.backend.delete_pre_key(session)
        else:
            material = await wire.backend.decrypt_key_material(session, encrypted)
        plaintext = None
        if request["payload"] is not None:
            content = wire.content(to_bytes(request["iv"]), to_bytes(request["payload"]))
            plaintext = to_text(await wire.backend.decrypt_plaintext(content, material))
        await wire.backend.store_session(session)
        return plaintext

    @staticmethod
    def _is_built_by(session: Any, exchange: Any) -> bool:
        return (
            session is not None
            and session.initiation is Initiation.PASSIVE
            and session.key_exchange.builds_same_session(exchange)
        )


async def main() -> None:
    """Serve until the input ends."""
    peer = Peer()
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await peer.handle(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
