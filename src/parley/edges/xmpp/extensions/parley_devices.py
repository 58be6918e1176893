"""Parley's own: the devices of an account, each with a credential of its own, signed out one by one or all at once.

    <credential xmlns="urn:parley:devices:0" resource="phone" name="Alice's phone" mechanism="SHA-256"
                salt="…" iterations="4096" stored-key="…" server-key="…"/>
    <devices xmlns="urn:parley:devices:0"/>
    <revoke xmlns="urn:parley:devices:0" resource="phone"/>
    <revoke-all xmlns="urn:parley:devices:0"/>

Each `<device/>` of the list has `resource`, `name` and `software` where they are known, `created` (when it signed in
first), `last-seen`, and as true or false `online`, `this`, `has-credential` and `has-token` (XEP-0484).

A client keeps a secret that it made up instead of the password; the server gets what SCRAM needs to check it (RFC 5802
§3), in base64. To sign in with it, the client puts the resource behind its name: `alice/phone`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.domain.accounts import Credential
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError, StreamCondition

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.devices import Device
    from parley.edges.xmpp.clients.session import Session

NS_DEVICES: Final = "urn:parley:devices:0"

_HASHES: Final = MappingProxyType({"SHA-1": hashlib.sha1, "SHA-256": hashlib.sha256, "SHA-512": hashlib.sha512})
_MIN_SALT_BYTES: Final = 16
_MAX_SALT_BYTES: Final = 64
_MIN_ITERATIONS: Final = 4096
# A secret that was made up needs no stretching, and PLAIN makes the server count the rounds.
_MAX_ITERATIONS: Final = 100_000
_MAX_NAME_CHARS: Final = 100


async def _set_credential(request: IqRequest) -> bytes:
    asked, session = request.tree, request.session
    if asked.get("resource") != session.jid.resource:
        raise StanzaError(StanzaCondition.FORBIDDEN, "a device sets its own credential only")
    name = asked.get("name", "")
    if len(name) > _MAX_NAME_CHARS:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a name has at most {_MAX_NAME_CHARS} characters")
    now = request.host.clock.now_us()
    await request.host.stores.devices.set_credential(
        session.account.id, session.jid.resource, _credential(asked), name, now
    )
    return b""


def _credential(asked: _Element) -> Credential:
    mechanism = asked.get("mechanism", "SHA-256")
    if mechanism not in _HASHES:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "unknown mechanism")
    text = asked.get("iterations", "")
    iterations = int(text) if text.isascii() and text.isdigit() and len(text) <= 8 else 0
    if not _MIN_ITERATIONS <= iterations <= _MAX_ITERATIONS:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"iterations are {_MIN_ITERATIONS} to {_MAX_ITERATIONS}")
    salt = _decoded(asked, "salt")
    if not _MIN_SALT_BYTES <= len(salt) <= _MAX_SALT_BYTES:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a salt has {_MIN_SALT_BYTES} to {_MAX_SALT_BYTES} bytes")
    stored_key, server_key = _decoded(asked, "stored-key"), _decoded(asked, "server-key")
    size = _HASHES[mechanism]().digest_size
    if len(stored_key) != size or len(server_key) != size:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"a key of {mechanism} has {size} bytes")
    return Credential(mechanism, salt, iterations, stored_key, server_key)


def _decoded(asked: _Element, name: str) -> bytes:
    try:
        return base64.b64decode(asked.get(name, ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise StanzaError(StanzaCondition.BAD_REQUEST, f"{name} is not base64") from error


async def _list(request: IqRequest) -> bytes:
    devices = await request.host.stores.devices.all(request.session.account.id)
    return xml("devices", {"xmlns": NS_DEVICES}, *(_device(request, device) for device in devices))


def _device(request: IqRequest, device: Device) -> bytes:
    session = request.host.router.of(request.session.account.address).get(device.resource)
    flags = {
        "online": session is not None and session.connection is not None,
        "has-credential": device.has_credential,
        "has-token": device.has_token,
        "this": session is request.session,
    }
    attrs = {
        "resource": device.resource,
        "name": device.name or None,
        "software": device.software or None,
        "created": format_datetime(device.first_seen),
        "last-seen": format_datetime(device.last_seen),
        **{name: "true" if value else "false" for name, value in flags.items()},
    }
    return xml("device", attrs)


async def _revoke(request: IqRequest) -> None:
    resource = request.tree.get("resource", "")
    if not resource:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "which device?")
    account = request.session.account
    was_known = await request.host.stores.devices.revoke(account.id, resource)
    session = request.host.router.of(account.address).get(resource)
    if not was_known and session is None:
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    request.answer()
    _sign_out([] if session is None else [session])


async def _revoke_all(request: IqRequest) -> None:
    account = request.session.account
    await request.host.stores.devices.revoke_all(account.id)
    sessions = list(request.host.router.of(account.address).values())
    request.answer()
    _sign_out(sessions)


def _sign_out(sessions: list[Session]) -> None:
    for session in sessions:
        session.close(StreamCondition.NOT_AUTHORIZED, "signed out")


_ACCOUNT: Final = frozenset({Target.ACCOUNT})

EXTENSION = Extension(
    spec="Parley",
    name="Devices with credentials of their own",
    version="0",
    account_features=(NS_DEVICES,),
    secret_namespaces=(NS_DEVICES,),
    iq=(
        IqHandler("set", NS_DEVICES, "credential", _ACCOUNT, _set_credential),
        IqHandler("get", NS_DEVICES, "devices", _ACCOUNT, _list),
        IqHandler("set", NS_DEVICES, "revoke", _ACCOUNT, _revoke),
        IqHandler("set", NS_DEVICES, "revoke-all", _ACCOUNT, _revoke_all),
    ),
)
