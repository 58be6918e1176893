"""Elements that a client stores for itself; bookmarks among them are those of the account's node (XEP-0402)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.people.personal import PrivateElement
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions.profile.bookmarks import (
    NS_STORAGE,
    as_storage,
    from_storage,
    publish_storage,
)
from parley.protocols.xmpp.builder import serialise, split_tag
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from lxml.etree import _Element

_NS_PRIVATE: Final = "jabber:iq:private"
_BOOKMARKS: Final = (NS_STORAGE, "storage")
_RESERVED: Final = ("jabber:", "http://jabber.org/", "vcard-temp")


async def _get(request: IqRequest) -> bytes:
    asked = list(request.tree)
    if len(asked) != 1:
        # §2.3: nothing asked for is a bad format, and more than one MUST NOT be.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "one element is asked for")
    namespace, name = _checked(asked[0])
    if (namespace, name) == _BOOKMARKS:
        return xml("query", {"xmlns": _NS_PRIVATE}, await as_storage(request.host, request.session.account))
    stored = await request.host.stores.personal.private(request.session.account.id, namespace, name)
    return xml("query", {"xmlns": _NS_PRIVATE}, stored or xml(name, {"xmlns": namespace}))


async def _set(request: IqRequest) -> bytes:
    host, account = request.host, request.session.account
    elements: dict[tuple[str, str], bytes] = {}
    bookmarks: _Element | None = None
    for child in request.tree:
        key = _checked(child)
        if key == _BOOKMARKS:
            bookmarks = child
            continue
        # §2.3: there may be several of one name; they are asked for together.
        elements[key] = elements.get(key, b"") + _content(child)
    if not elements and bookmarks is None:
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "there is nothing to store")
    limits = host.settings.personal
    await host.stores.personal.put_private(
        account.id,
        [PrivateElement(*key, content) for key, content in elements.items()],
        max_elements=limits.max_private_elements,
        max_bytes=limits.max_private_bytes,
    )
    if bookmarks is not None:
        await from_storage(host, account, bookmarks)
        await publish_storage(host, account)
    return b""


def _checked(element: _Element) -> tuple[str, str]:
    namespace, name = split_tag(str(element.tag))
    if not namespace or namespace.startswith(_RESERVED):
        raise StanzaError(StanzaCondition.NOT_ACCEPTABLE, "the namespace is reserved")
    return namespace, name


def _content(element: _Element) -> bytes:
    # An empty element is what the answer is when there is none.
    is_empty = not len(element) and not element.attrib and not (element.text or "").strip()
    return b"" if is_empty else serialise(element, default_namespace=_NS_PRIVATE)


async def _forbidden(_request: IqRequest) -> bytes:
    raise StanzaError(StanzaCondition.FORBIDDEN)


_ACCOUNT: Final = frozenset({Target.ACCOUNT})
_CONTACT: Final = frozenset({Target.CONTACT})

EXTENSION = Extension(
    spec="XEP-0049",
    name="Private XML Storage",
    version="1.2",
    server_features=(_NS_PRIVATE,),
    account_features=(_NS_PRIVATE,),
    iq=(
        IqHandler("get", _NS_PRIVATE, "query", _ACCOUNT, _get),
        IqHandler("set", _NS_PRIVATE, "query", _ACCOUNT, _set),
        IqHandler("get", _NS_PRIVATE, "query", _CONTACT, _forbidden, for_strangers=True),
        IqHandler("set", _NS_PRIVATE, "query", _CONTACT, _forbidden, for_strangers=True),
    ),
)
