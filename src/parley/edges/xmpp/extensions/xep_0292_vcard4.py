"""The newer form of cards: at a node of the account, by request, or made from the older card where that is all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.pubsub.nodes import NodeConfig
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions.profile.cards import Cards
from parley.edges.xmpp.extensions.pubsub.access import check_readable
from parley.edges.xmpp.extensions.pubsub.asked import service_of
from parley.edges.xmpp.extensions.pubsub.nodes import Nodes
from parley.edges.xmpp.extensions.pubsub.own import own_items, publish_own
from parley.protocols.xmpp.builder import serialise
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_VCARD

if TYPE_CHECKING:
    from lxml.etree import _Element

_NS_VCARD4: Final = "urn:ietf:params:xml:ns:vcard-4.0"
_NODE: Final = "urn:xmpp:vcard4"
_ITEM: Final = "current"
_NO_NAMESPACE: Final = "no namespace is the default one"
# Where a text of the older card goes: names in it, in the newer one, and of the element around the text.
_TEXTS: Final = (
    ("FN", "fn", "text"),
    ("NICKNAME", "nickname", "text"),
    ("BDAY", "bday", "date"),
    ("TITLE", "title", "text"),
    ("ROLE", "role", "text"),
    ("ORG/ORGNAME", "org", "text"),
    ("URL", "url", "uri"),
    ("EMAIL/USERID", "email", "text"),
    ("TEL/NUMBER", "tel", "text"),
    ("DESC", "note", "text"),
)


async def _get(request: IqRequest) -> bytes:
    host, account = request.host, request.account
    if account is None:
        raise StanzaError(StanzaCondition.SERVICE_UNAVAILABLE)
    node = await host.memory(Nodes).find(service_of(account), _NODE)
    if node is not None:
        await check_readable(host, node, str(request.asker))
        items = await own_items(host, account, _NODE)
        if items:
            return items[-1].payload
    card = await host.memory(Cards).tree(account.id)
    # §3.1.1: without a card the result MUST be an empty one.
    return xml("vcard", {"xmlns": _NS_VCARD4}, *([] if card is None else _converted(card)))


def _converted(card: _Element) -> list[bytes]:
    """The texts of an older card in the newer form (§7)."""
    found = []
    for path, name, kind in _TEXTS:
        qualified = "/".join(f"{{{NS_VCARD}}}{step}" for step in path.split("/"))
        texts = [(element.text or "").strip() for element in card.findall(qualified)]
        found += [xml(name, None, xml(kind, None, text)) for text in texts if text]
    return found


async def _set(request: IqRequest) -> bytes:
    payload = serialise(request.tree, default_namespace=_NO_NAMESPACE)
    if len(payload) > request.host.settings.pep.max_item_bytes:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the card is too big")
    await publish_own(request.host, request.session.account, _NODE, (_ITEM, payload), NodeConfig())
    return b""


async def _forbidden(_request: IqRequest) -> bytes:
    raise StanzaError(StanzaCondition.FORBIDDEN)


_ACCOUNT: Final = frozenset({Target.ACCOUNT})
_CONTACT: Final = frozenset({Target.CONTACT})

EXTENSION = Extension(
    spec="XEP-0292",
    name="vCard4 Over XMPP",
    version="0.11",
    status="complete; an older card is shown in the newer form where there is no newer one, not the other way",
    account_features=(_NS_VCARD4,),
    iq=(
        IqHandler("get", _NS_VCARD4, "vcard", _ACCOUNT | _CONTACT, _get, for_strangers=True),
        IqHandler("set", _NS_VCARD4, "vcard", _ACCOUNT, _set),
        IqHandler("set", _NS_VCARD4, "vcard", _CONTACT, _forbidden, for_strangers=True),
    ),
)
