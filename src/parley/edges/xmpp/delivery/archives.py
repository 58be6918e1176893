"""What every archive on this server shares (XEP-0313): how a query is read, how its results and its end are written.

Nothing here knows whose archive it is. Who keeps one parses the `<query/>`, looks the page up in a store of its own and
renders what it found:

    query = parse_query(request.tree, limit=250)
    page = ...                                       # of the store, oldest message first
    for each in query.in_order(page.messages):
        found = archived(query.query_id, each.id, each.received_at, by, each.content)
        origin.answer(result(by, to, found))
    ids = [each.id for each in page.messages]
    return fin(page_of(ids, query, index=page.index, total=page.total), is_complete=page.is_complete)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from parley.edges.xmpp.delivery.decoration import delay, forwarded
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.datetimes import format_datetime, parse_datetime
from parley.protocols.xmpp.element import Element, xml
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_CLIENT, NS_DATA, NS_MAM
from parley.protocols.xmpp.rsm import Page, parse_page_request

if TYPE_CHECKING:
    from lxml.etree import _Element

T = TypeVar("T")

FEATURES: Final = (NS_MAM, f"{NS_MAM}#extended")
"""What an archive that answers all of this says of itself in service discovery (XEP-0313 §7)."""

FULL_TEXT: Final = "{urn:xmpp:fulltext:0}fulltext"
"""The field of XEP-0431, for archives that have an index of words."""

GROUPCHAT: Final = "include-groupchat"
"""The field that asks for messages of rooms in the archive of an account (XEP-0313 §4.1.4)."""

COUNTED: Final = 5_000
"""Messages that are counted beside a page. XEP-0059 §2.2 lets the count and the index be absent."""

_FIELDS: Final = MappingProxyType(
    {
        "with": "jid-single",
        "start": "text-single",
        "end": "text-single",
        "before-id": "text-single",
        "after-id": "text-single",
        "ids": "list-multi",
    }
)
_EXTRA_FIELDS: Final = MappingProxyType({GROUPCHAT: "boolean", FULL_TEXT: "text-single"})
# XEP-0122: the list is open, not every id is an option.
_OPEN: Final = xml(
    "validate", {"xmlns": "http://jabber.org/protocol/xdata-validate", "datatype": "xs:string"}, xml("open")
)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A query as its sender meant it.

    Attributes:
        peer: who the messages are to be with, bare or full as it was given; None for everybody.
        start: the earliest time, inclusive, in microseconds since the epoch; None for none.
        end: the latest one.
        newer_than: only messages behind the one of this id match (`after-id`); None for all.
        older_than: only messages before that one match (`before-id`).
        ids: these messages alone match, each once; None where the query names none.
        after_id: of what matches, the page is behind this id (RSM's `after`); None for none.
        before_id: of what matches, the page is in front of this id (RSM's `before`).
        is_backward: the page is the last one of what matches and is before `before_id`, not the first one.
        index: the page starts with the message of this number among all that match; None for wherever it is.
        limit: most messages of the page, never above what the server allows; 0 asks for the count alone.
        counted: how far to count what matches; None for all of it.
        is_flipped: the page is sent last message first.
        query_id: what the results are marked with; None for nothing.
        extra: the values of further fields that the archive understands, by name.
    """

    limit: int
    peer: JID | None = None
    start: int | None = None
    end: int | None = None
    newer_than: str | None = None
    older_than: str | None = None
    ids: tuple[str, ...] | None = None
    after_id: str | None = None
    before_id: str | None = None
    is_backward: bool = False
    index: int | None = None
    counted: int | None = COUNTED
    is_flipped: bool = False
    query_id: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def in_order(self, messages: Sequence[T]) -> Sequence[T]:
        """The page, which is in the archive's order, in the order in which it is sent (§4.3.4)."""
        return messages[::-1] if self.is_flipped else messages


def parse_query(tree: _Element, *, limit: int, extra: Sequence[str] = ()) -> PageQuery:
    """What a `<query/>` of type set asks for.

    Args:
        tree: the element.
        limit: most messages of a page; asking for more gives so many, naming more ids is refused.
        extra: further fields that this archive understands, such as `FULL_TEXT`.

    Raises:
        PayloadError: a form, a time or a number that is none; JIDError: a `with` that is no address.
        StanzaError: feature-not-implemented for a field that the archive does not know (§4.1.5), resource-constraint
            for too many ids.
    """
    form = find_form(tree) or Form("submit")
    page = parse_page_request(tree)
    _check(form, extra)
    return PageQuery(
        limit=limit if page.max is None else min(page.max, limit),
        peer=_jid(form.value("with")),
        start=_time(form.value("start")),
        end=_time(form.value("end")),
        newer_than=form.value("after-id") or None,
        older_than=form.value("before-id") or None,
        ids=_ids(form, limit),
        after_id=page.after,
        before_id=page.before or None,
        is_backward=page.before is not None,
        index=page.index,
        # XEP-0059 §2.7: a page of no items asks for the count, whatever it costs.
        counted=None if page.max == 0 else COUNTED,
        is_flipped=tree.find(f"{{{NS_MAM}}}flip-page") is not None,
        query_id=tree.get("queryid"),
        extra={name: value for name in extra if (value := form.value(name))},
    )


def _check(form: Form, extra: Sequence[str]) -> None:
    if form.type != "submit" or form.form_type not in ("", NS_MAM):
        raise PayloadError("not a form for the archive")
    for each in form.fields:
        if each.type == "fixed" or each.var == "FORM_TYPE":
            continue
        if each.var not in _FIELDS and each.var not in extra:
            # §4.1.5: an unknown field MUST be refused.
            raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, f"unknown field {each.var}")
    if GROUPCHAT in extra:
        form.flag(GROUPCHAT)


def _jid(text: str | None) -> JID | None:
    return JID.parse(text) if text else None


def _time(text: str | None) -> int | None:
    return parse_datetime(text) if text else None


def _ids(form: Form, limit: int) -> tuple[str, ...] | None:
    ids = form.field("ids")
    if ids is None or not ids.values:
        return None
    if len(ids.values) > limit:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, f"at most {limit} messages are asked for at once")
    return tuple(dict.fromkeys(ids.values))


def query_form(extra: Sequence[str] = ()) -> bytes:
    """The answer to a `<query/>` of type get (§4.1.5): the fields that a query may have."""
    fields = [Field("FORM_TYPE", (NS_MAM,), "hidden").to_bytes()]
    known = {**_FIELDS, **{name: _EXTRA_FIELDS.get(name, "text-single") for name in extra}}
    for var, kind in known.items():
        fields.append(xml("field", {"var": var, "type": kind}, _OPEN if var == "ids" else b""))
    return xml("query", {"xmlns": NS_MAM}, xml("x", {"xmlns": NS_DATA, "type": "form"}, *fields))


def archived(query_id: str | None, message_id: str, received_at: int, by: str, stanza: bytes) -> bytes:
    """The `<result/>` that holds a message (§4.2).

    Args:
        query_id: what the query was marked with.
        message_id: the message's id in the archive.
        received_at: microseconds since the epoch.
        by: who received it then: a domain, or the room.
        stanza: the message as it was, in canonical outer form.
    """
    content = forwarded(stanza, delay(by, received_at))
    return xml("result", {"xmlns": NS_MAM, "queryid": query_id, "id": message_id}, content)


def result(from_: str, to: str, content: bytes) -> bytes:
    """The message that brings a `<result/>` of the archive at `from_` to the full address `to`."""
    return xml("message", {"from": from_, "to": to}, content)


def fin(page: Page, *, is_complete: bool, is_stable: bool = True) -> bytes:
    """What the iq that ends the results holds (§4.3).

    Args:
        page: the ids of the first and the last message in the archive's order, however they were sent; index and count.
        is_complete: nothing behind (backward: before) the page matches.
        is_stable: the same query will find the same messages.
    """
    attrs = {
        "xmlns": NS_MAM,
        "complete": "true" if is_complete else None,
        "stable": None if is_stable else "false",
    }
    return xml("fin", attrs, page.to_bytes())


def metadata(ends: tuple[tuple[str, int], tuple[str, int]] | None) -> bytes:
    """The answer to `<metadata/>` (§5): id and time of the first and of the last message, None for an empty archive."""
    names = () if ends is None else zip(("start", "end"), ends, strict=True)
    edges = [xml(name, {"id": id_, "timestamp": format_datetime(at)}) for name, (id_, at) in names]
    return xml("metadata", {"xmlns": NS_MAM}, *edges)


def text_of(stanza: bytes) -> str:
    """What a message says in words that the server can read: the texts of its bodies, "" for none."""
    try:
        element = Element.from_bytes(stanza)
        if element.child(NS_CLIENT, "body") is None:
            return ""
        bodies = element.tree().iterchildren(f"{{{NS_CLIENT}}}body")
        return "\n".join(body.text for body in bodies if body.text)
    except PayloadError:
        # It was passed on without a look inside.
        return ""


def page_of(ids: Sequence[str], query: PageQuery, *, index: int | None, total: int | None) -> Page:
    """What the `<set/>` of an answer says, of the ids on the page in the archive's order."""
    if not ids:
        return Page(count=total)
    # XEP-0059 §2.6 leaves the index to us. slixmpp, whichever way it pages, takes a page that ends at the count for
    # the last one, and so would stop after the first page of a backward query.
    return Page(ids[0], ids[-1], None if query.is_backward else index, total)
