"""The elements of an account's data, the same in XEP-0227 as over the wire: read and checked one by one."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parley.app.moving.records import AccountRecord, ArchivedRecord, NodeRecord
from parley.domain.accounts import Credential
from parley.domain.contacts import Contact
from parley.domain.people.personal import PrivateElement
from parley.domain.pubsub.nodes import NodeItem
from parley.domain.subscriptions import SubscriptionState
from parley.protocols.xmpp.builder import serialise, split_tag
from parley.protocols.xmpp.dataforms import find_form
from parley.protocols.xmpp.datetimes import parse_datetime
from parley.protocols.xmpp.errors import JIDError, PayloadError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import (
    NS_CLIENT,
    NS_DELAY,
    NS_FORWARD,
    NS_PUBSUB,
    NS_PUBSUB_OWNER,
    NS_ROSTER,
    NS_STANZA_IDS,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

HASH_BYTES: Final = {"SHA-1": 20, "SHA-256": 32, "SHA-512": 64}
NS_PRIVACY: Final = "jabber:iq:privacy"
_MOST_ROUNDS: Final = 10_000_000
_TO: Final = frozenset({"to", "both"})
_FROM: Final = frozenset({"from", "both"})


def read_credential(element: _Element) -> Credential:
    """`<scram-credentials/>` (XEP-0227 §4.3); raises PayloadError."""
    mechanism = (element.get("mechanism") or "").removeprefix("SCRAM-")
    texts = {split_tag(str(child.tag))[1]: (child.text or "").strip() for child in element}
    if mechanism not in HASH_BYTES:
        raise PayloadError(f"credentials for {mechanism or 'no mechanism'} cannot be used")
    rounds = texts.get("iter-count", "")
    if not (rounds.isascii() and rounds.isdigit() and len(rounds) <= len(str(_MOST_ROUNDS))):
        raise PayloadError("credentials have a wrong number of rounds")
    salt, stored, server = (_decoded(texts.get(name, "")) for name in ("salt", "stored-key", "server-key"))
    if len(stored) != HASH_BYTES[mechanism]:
        # ejabberd keeps them as base64 and encodes that once more when it writes them out.
        salt, stored, server = (_decoded(each.decode("latin-1")) for each in (salt, stored, server))
    return checked_credential(Credential(mechanism, salt, int(rounds), stored, server))


def checked_credential(credential: Credential) -> Credential:
    """The credential; raises PayloadError when its keys are not of its mechanism, or its rounds too many to compute."""
    # Whoever signs in by PLAIN has the server do them all.
    if not 1 <= credential.iterations <= _MOST_ROUNDS:
        raise PayloadError("credentials have a wrong number of rounds")
    size = HASH_BYTES[credential.mechanism]
    if not credential.salt or len(credential.stored_key) != size or len(credential.server_key) != size:
        raise PayloadError("credentials have keys of a wrong length")
    return credential


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PayloadError("credentials are not base64") from error


def read_contact(item: _Element) -> Contact:
    """An item of a roster (RFC 6121 §2.1.2); raises PayloadError or JIDError."""
    groups = tuple(dict.fromkeys(child.text or "" for child in item if child.tag == f"{{{NS_ROSTER}}}group"))
    address = str(JID.parse(item.get("jid", "")).bare)
    state = subscription(item.get("subscription"), item.get("ask"))
    is_approved = item.get("approved") in ("true", "1") and not state.from_
    return Contact(address, item.get("name") or "", groups, replace(state, approved=is_approved))


def subscription(word: str | None, ask: str | None) -> SubscriptionState:
    """A subscription by the words of a roster."""
    is_to = word in _TO
    return SubscriptionState(to=is_to, from_=word in _FROM, pending_out=ask == "subscribe" and not is_to)


def add_request(record: AccountRecord, address: str, stanza: bytes) -> None:
    """Somebody's request for a subscription waits for the account."""
    for index, contact in enumerate(record.contacts):
        if contact.address == address:
            state = replace(contact.state, pending_in=True)
            record.contacts[index] = Contact(
                address, contact.name, contact.groups, state, is_listed=True, request=stanza
            )
            return
    state = SubscriptionState(pending_in=True)
    record.contacts.append(Contact(address, state=state, is_listed=False, request=stanza))


def read_privacy(query: _Element, record: AccountRecord) -> None:
    """Whom the default privacy list keeps out altogether (XEP-0191 §5): that much of XEP-0016 is a list of the blocked.

    Raises JIDError.
    """
    default = query.find(f"{{{NS_PRIVACY}}}default")
    name = None if default is None else default.get("name")
    left_out = 0
    for each in query.iterchildren(f"{{{NS_PRIVACY}}}list"):
        for item in each.iterchildren(f"{{{NS_PRIVACY}}}item"):
            is_block = item.get("type") == "jid" and item.get("action") == "deny" and len(item) == 0
            if is_block and name is not None and each.get("name") == name:
                record.blocked.append(str(JID.parse(item.get("value", ""))))
            else:
                left_out += 1
    if left_out:
        record.remarks.append(f"{left_out} rules of privacy lists were left out")


def read_message(message: _Element) -> tuple[bytes, int]:
    """A message that waits, and when it came; raises PayloadError or JIDError."""
    if message.tag != f"{{{NS_CLIENT}}}message":
        raise PayloadError("not a message")
    JID.parse(message.get("from", ""))
    delay = message.find(f"{{{NS_DELAY}}}delay")
    at = 0 if delay is None else parse_datetime(delay.get("stamp", ""))
    if delay is not None:
        # Handing it out writes the same again.
        message.remove(delay)
    return serialise(message), at


def read_archived(result: _Element, owner: str) -> ArchivedRecord:
    """A `<result/>` of the archive of `owner` (XEP-0313 §4.2); raises PayloadError."""
    forwarded = result.find(f"{{{NS_FORWARD}}}forwarded")
    message = None if forwarded is None else forwarded.find(f"{{{NS_CLIENT}}}message")
    delay = None if forwarded is None else forwarded.find(f"{{{NS_DELAY}}}delay")
    if message is None or delay is None:
        raise PayloadError("a result without a message or its time")
    return archived(message, parse_datetime(delay.get("stamp", "")), result.get("id", ""), owner)


def archived(message: _Element, at: int, message_id: str, owner: str) -> ArchivedRecord:
    """A message of the archive of `owner`, without the ids that this archive gave it: here it gets others."""
    if message.tag != f"{{{NS_CLIENT}}}message":
        raise PayloadError("not a message")
    for child in message.findall(f"{{{NS_STANZA_IDS}}}stanza-id"):
        if _is_same(child.get("by", ""), owner):
            message.remove(child)
    return ArchivedRecord(serialise(message), at, message_id)


def _is_same(address: str, other: str) -> bool:
    try:
        return JID.parse(address) == JID.parse(other)
    except JIDError:
        return address == other


def read_private(query: _Element) -> list[PrivateElement]:
    """The elements in private storage (XEP-0049)."""
    return [PrivateElement(*split_tag(str(child.tag)), serialise(child)) for child in query]


def read_items(pubsub: _Element, record: AccountRecord) -> None:
    """Items of personal nodes."""
    for items in pubsub.iterchildren(f"{{{NS_PUBSUB}}}items"):
        node = node_of(record, items.get("node", ""))
        for item in items.iterchildren(f"{{{NS_PUBSUB}}}item"):
            if len(item) == 1 and item.get("id"):
                payload = serialise(item[0], default_namespace="")
                node.items.append(NodeItem(item.get("id", ""), record.source, 0, payload))


def read_configurations(pubsub: _Element, record: AccountRecord) -> None:
    """Options of personal nodes, as far as they say who may read and how much is kept; raises PayloadError."""
    for configure in pubsub.iterchildren(f"{{{NS_PUBSUB_OWNER}}}configure"):
        node, form = node_of(record, configure.get("node", "")), find_form(configure)
        if form is not None:
            node.access_model = form.value("pubsub#access_model") or ""
            wanted = form.value("pubsub#max_items") or "1"
            node.max_items = int(wanted) if wanted.isascii() and wanted.isdigit() else 10_000


def node_of(record: AccountRecord, name: str) -> NodeRecord:
    """The node of this name; raises PayloadError for none."""
    if not name:
        raise PayloadError("a node without a name")
    for node in record.nodes:
        if node.name == name:
            return node
    record.nodes.append(NodeRecord(name))
    return record.nodes[-1]


FAULTS: Final = (PayloadError, JIDError)
"""What reading an element may raise."""
