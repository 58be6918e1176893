"""The vCard of a room, which holds its picture (XEP-0486)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lxml import etree

from parley.edges.xmpp.rooms.names import CONFIG_CHANGED
from parley.protocols.xmpp.builder import serialise
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_VCARD

if TYPE_CHECKING:
    from parley.edges.xmpp.rooms.requests import Asked

_EMPTY: Final = xml("vCard", {"xmlns": NS_VCARD})


async def get_card(asked: Asked) -> bytes:
    """The room's vCard; an empty one where there is none."""
    return asked.live.room.avatar or _EMPTY


async def set_card(asked: Asked) -> bytes | None:
    """An owner sets it, or removes it with an empty one. Raises StanzaError, RoomRefused, StorageUnavailable."""
    live, room, tree = asked.live, asked.live.room, asked.tree
    room.check_owner(asked.address)
    card = serialise(tree) if len(tree) else b""
    most = live.host.settings.pep.max_item_bytes
    if len(card) > most:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, f"at most {most} bytes")
    await live.host.stores.rooms.save(replace(room.state(), avatar=card))
    room.avatar = card
    asked.answer()
    live.say(CONFIG_CHANGED)
    return None


@lru_cache(maxsize=1024)
def avatar_hashes(card: bytes) -> tuple[str, ...]:
    """The hashes of the pictures in a vCard (XEP-0153 §3.1)."""
    if not card:
        return ()
    hashes = []
    for text in etree.fromstring(card).iterfind(f".//{{{NS_VCARD}}}PHOTO/{{{NS_VCARD}}}BINVAL"):
        try:
            picture = base64.b64decode("".join((text.text or "").split()), validate=True)
        except binascii.Error:
            continue
        # The format has no other hash; it protects nothing.
        hashes.append(hashlib.sha1(picture, usedforsecurity=False).hexdigest())
    return tuple(hashes)
