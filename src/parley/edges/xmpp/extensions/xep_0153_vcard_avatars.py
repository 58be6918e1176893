"""The hash of the picture on the account's card in the presence of clients that do not tell it themselves.

XEP-0398 §5 has the rules: a client that says there is no picture, or names one, is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.extensions.profile.cards import Cards
from parley.protocols.xmpp.element import Element, insert_children, xml

if TYPE_CHECKING:
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host

NS_UPDATE: Final = "vcard-temp:x:update"


async def _decorate(host: Host, session: Session, element: Element) -> Element:
    name = await host.memory(Cards).photo_hash(session.account.id)
    told = element.child(NS_UPDATE, "x")
    raw = element.raw
    if told is not None:
        photo = element.child_tree(told).find(f"{{{NS_UPDATE}}}photo")
        if photo is not None and photo.text != session.photo_hash:
            return element
        # §5: one without a photo MUST be overwritten; what was added before is not what the client says.
        raw = raw[: told.start] + raw[told.end :]
    if not name and told is None:
        return element
    session.photo_hash = name
    content = xml("x", {"xmlns": NS_UPDATE}, xml("photo", None, name))
    return Element.from_bytes(insert_children(raw, content))


EXTENSION = Extension(
    spec="XEP-0153",
    name="vCard-Based Avatars",
    version="1.1",
    decorate_presence=_decorate,
)
