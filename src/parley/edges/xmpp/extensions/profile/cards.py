"""The card of an account (XEP-0054) and the picture on it (XEP-0153)."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree

from parley.domain.people.personal import Card
from parley.protocols.xmpp.builder import serialise
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.namespaces import NS_VCARD

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.edges.xmpp.host import Host

_KEPT: Final = 100_000
_PHOTO: Final = f"{{{NS_VCARD}}}PHOTO"
_TYPE: Final = f"{{{NS_VCARD}}}TYPE"
_BINVAL: Final = f"{{{NS_VCARD}}}BINVAL"
_EMPTY: Final = b"<vCard xmlns='vcard-temp'/>"


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture: its bytes and media type."""

    data: bytes
    type: str

    @property
    def hash(self) -> str:
        """What names it (XEP-0153 §3.1): SHA-1, hexadecimal."""
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()


class Cards:
    """The cards of accounts; the hashes of their pictures are kept in mind, for every presence asks for one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._hashes: OrderedDict[int, str] = OrderedDict()

    async def photo_hash(self, account_id: int) -> str:
        """The hash of the picture, "" without one."""
        known = self._hashes.get(account_id)
        if known is None:
            card = await self._host.stores.personal.card(account_id)
            known = self._remember(account_id, "" if card is None else card.photo_hash)
        return known

    def forget(self, account_id: int) -> None:
        """The account is gone, or its card was changed from outside."""
        self._hashes.pop(account_id, None)

    async def tree(self, account_id: int) -> _Element | None:
        """The card, not to be changed."""
        card = await self._host.stores.personal.card(account_id)
        return None if card is None else Element.from_bytes(card.content).tree()

    async def put(self, account_id: int, card: _Element) -> None:
        """Store a card."""
        photo = photo_of(card)
        name = "" if photo is None else photo.hash
        await self._host.stores.personal.put_card(account_id, Card(serialise(card), name))
        self._remember(account_id, name)

    async def put_photo(self, account_id: int, photo: Photo | None) -> None:
        """Put a picture on the card, in place of any that is there; None takes it off."""
        known = await self.tree(account_id)
        if known is None and photo is None:
            return
        card = copy.deepcopy(Element.from_bytes(_EMPTY).tree() if known is None else known)
        for old in card.findall(_PHOTO):
            card.remove(old)
        if photo is not None:
            element = etree.SubElement(card, _PHOTO)
            etree.SubElement(element, _TYPE).text = photo.type
            etree.SubElement(element, _BINVAL).text = base64.b64encode(photo.data).decode()
        await self.put(account_id, card)

    def _remember(self, account_id: int, name: str) -> str:
        self._hashes[account_id] = name
        while len(self._hashes) > _KEPT:
            self._hashes.popitem(last=False)
        return name


def photo_of(card: _Element) -> Photo | None:
    """The picture that is on a card itself, not elsewhere; None for none, or one that is not Base64."""
    data = decoded(card.findtext(f"{_PHOTO}/{_BINVAL}") or "")
    return Photo(data, (card.findtext(f"{_PHOTO}/{_TYPE}") or "image/png").strip()) if data else None


def decoded(text: str) -> bytes:
    """The bytes behind Base64 with any white space in it; empty for what is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
