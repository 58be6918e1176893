"""Bookmarks in their three places: one item each (XEP-0402), which is what counts; all in one item of another node, and
in private storage (XEP-0048), which are made from those and change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extensions.pubsub.own import own_items, private_config, publish_own, retract_own
from parley.protocols.xmpp.builder import serialise
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import JIDError, PayloadError
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

    from parley.domain.accounts import Account
    from parley.edges.xmpp.host import Host

NS_BOOKMARKS: Final = "urn:xmpp:bookmarks:1"
NS_STORAGE: Final = "storage:bookmarks"
_NO_NAMESPACE: Final = "no namespace is the default one"


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A bookmarked room; `extensions` is the XML of an element that the older forms do not have."""

    name: str | None = None
    is_joined: bool = False
    nick: str | None = None
    password: str | None = None
    extensions: bytes = b""

    def item(self) -> bytes:
        """The payload of its item (XEP-0402 §2)."""
        attrs = {"xmlns": NS_BOOKMARKS, "autojoin": "true" if self.is_joined else None, "name": self.name}
        return xml("conference", attrs, *self._children(), self.extensions)

    def conference(self, address: str) -> bytes:
        """The element in a list of the older form (XEP-0048 §3.1)."""
        autojoin = "true" if self.is_joined else "false"
        return xml("conference", {"jid": address, "name": self.name, "autojoin": autojoin}, *self._children())

    def _children(self) -> list[bytes]:
        texts = (("nick", self.nick), ("password", self.password))
        return [xml(name, None, text) for name, text in texts if text is not None]


def _read(element: _Element, namespace: str) -> Bookmark:
    extensions = element.find(f"{{{NS_BOOKMARKS}}}extensions")
    return Bookmark(
        element.get("name"),
        element.get("autojoin") in ("1", "true"),
        element.findtext(f"{{{namespace}}}nick"),
        element.findtext(f"{{{namespace}}}password"),
        b"" if extensions is None else serialise(extensions, default_namespace=NS_BOOKMARKS),
    )


async def _known(host: Host, account: Account) -> dict[str, Bookmark]:
    known = {}
    for item in await own_items(host, account, NS_BOOKMARKS):
        try:
            known[item.id] = _read(Element.from_bytes(item.payload).tree(), NS_BOOKMARKS)
        except PayloadError:
            continue  # what a client published is no bookmark
    return known


async def as_storage(host: Host, account: Account) -> bytes:
    """All bookmarks in the older form."""
    known = await _known(host, account)
    return xml("storage", {"xmlns": NS_STORAGE}, *(bookmark.conference(jid) for jid, bookmark in known.items()))


async def from_storage(host: Host, account: Account, storage: _Element) -> None:
    """Make the bookmarks those of a list in the older form; what did not change is not published again (§5.3.2)."""
    known, wanted = await _known(host, account), _listed(storage)
    for jid in known.keys() - wanted.keys():
        await retract_own(host, account, NS_BOOKMARKS, jid)
    for jid, bookmark in wanted.items():
        old = known.get(jid)
        new = bookmark if old is None else _with_extensions(bookmark, old.extensions)
        if new != old:
            await publish_own(host, account, NS_BOOKMARKS, (jid, new.item()), private_config(host))


def _with_extensions(bookmark: Bookmark, extensions: bytes) -> Bookmark:
    return Bookmark(bookmark.name, bookmark.is_joined, bookmark.nick, bookmark.password, extensions)


def _listed(storage: _Element) -> Mapping[str, Bookmark]:
    found = {}
    for element in storage.iterchildren(f"{{{NS_STORAGE}}}conference"):
        try:
            found[str(JID.parse(element.get("jid", "")).bare)] = _read(element, NS_STORAGE)
        except JIDError:
            continue  # nobody could enter such a room
    return found


async def publish_storage(host: Host, account: Account) -> None:
    """Publish all bookmarks in the older form, for clients that look at that node."""
    config = private_config(host)
    await publish_own(host, account, NS_STORAGE, ("current", await as_storage(host, account)), config)
