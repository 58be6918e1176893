"""Avatars published as events (XEP-0084) come onto the card, pictures on the card are published: both show the same."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import NodeConfig
from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.extensions.profile.cards import Cards, Photo, decoded
from parley.edges.xmpp.extensions.pubsub.own import own_items, publish_own
from parley.protocols.xmpp.element import Element, xml

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.accounts import Account
    from parley.domain.pubsub.nodes import Node, NodeItem
    from parley.edges.xmpp.host import Host

_NS_DATA: Final = "urn:xmpp:avatar:data"
_NS_METADATA: Final = "urn:xmpp:avatar:metadata"
_NS_CONVERSION: Final = "urn:xmpp:pep-vcard-conversion:0"
_INFO: Final = f"{{{_NS_METADATA}}}info"


async def card_changed(host: Host, account: Account, before: str, photo: Photo | None) -> None:
    """§4.2: the user put a card in place whose picture is `photo`; `before` is the hash of the one there was."""
    now = "" if photo is None else photo.hash
    if now == before:
        return
    config = NodeConfig()
    if photo is None:
        # XEP-0084 §4.2.4: no avatar any more.
        metadata = ("current", xml("metadata", {"xmlns": _NS_METADATA}))
    else:
        data = xml("data", {"xmlns": _NS_DATA}, base64.b64encode(photo.data).decode())
        await publish_own(host, account, _NS_DATA, (photo.hash, data), config)
        info = xml("info", {"bytes": str(len(photo.data)), "id": photo.hash, "type": photo.type})
        metadata = (photo.hash, xml("metadata", {"xmlns": _NS_METADATA}, info))
    await publish_own(host, account, _NS_METADATA, metadata, config)
    await _tell(host, account)


async def _published(host: Host, account: Account, node: Node, item: NodeItem) -> None:
    """§4.1: what the newest metadata name is put on the card."""
    if node.name != _NS_METADATA:
        return
    metadata = Element.from_bytes(item.payload).tree()
    info = next((each for each in metadata.iterchildren(_INFO) if not each.get("url")), None)
    photo = None if info is None else await _photo(host, account, info)
    if info is not None and photo is None:
        return  # its data are not there, or are not what the metadata say
    cards = host.memory(Cards)
    if await cards.photo_hash(account.id) == ("" if photo is None else photo.hash):
        return
    await cards.put_photo(account.id, photo)
    await _tell(host, account)


async def _photo(host: Host, account: Account, info: _Element) -> Photo | None:
    for item in await own_items(host, account, _NS_DATA, info.get("id", "")):
        photo = Photo(decoded(Element.from_bytes(item.payload).tree().text or ""), info.get("type", "image/png"))
        # §4.1: the hash SHOULD be verified.
        if photo.data and photo.hash == info.get("id", "").lower():
            return photo
    return None


async def _tell(host: Host, account: Account) -> None:
    """XEP-0153 §4: the presence that contacts see names the picture there is."""
    for session in list(host.router.available(account.address)):
        await host.presences.again(session)


EXTENSION = Extension(
    spec="XEP-0398",
    name="User Avatar to vCard-Based Avatars Conversion",
    version="1.0.1",
    account_features=(_NS_CONVERSION,),
    on_published=_published,
)
