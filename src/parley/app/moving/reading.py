"""Reads XEP-0227, one account in memory at a time: from one file, or from several by XInclude (§5).

No entity is resolved and no address fetched: an included file lies beside or below the one that names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lxml import etree

from parley.app.errors import Unwilling
from parley.app.moving import elements
from parley.app.moving.records import AccountRecord, ArchivedRecord
from parley.protocols.xmpp.builder import serialise, split_tag
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_CLIENT, NS_MAM, NS_PUBSUB, NS_PUBSUB_OWNER, NS_ROSTER, NS_VCARD

if TYPE_CHECKING:
    from lxml.etree import _Element

NS_PIE: Final = "urn:xmpp:pie:0"
NS_SCRAM: Final = "urn:xmpp:pie:0#scram"
NS_ARCHIVE: Final = "urn:xmpp:pie:0#mam"
NS_PRIVATE: Final = "jabber:iq:private"
_NAMESPACES: Final = (NS_PIE, "http://www.xmpp.org/extensions/xep-0227.html#ns")
_INCLUDE: Final = "{http://www.w3.org/2001/XInclude}include"
_ARCHIVE: Final = f"{{{NS_ARCHIVE}}}archive"
_RESULT: Final = f"{{{NS_MAM}}}result"
_DEEPEST: Final = 3
_READERS: Final = MappingProxyType(
    {
        (elements.NS_PRIVACY, "query"): elements.read_privacy,
        (NS_PUBSUB, "pubsub"): elements.read_items,
        (NS_PUBSUB_OWNER, "pubsub"): elements.read_configurations,
    }
)
MALFORMED: Final = "import-malformed"


def read_portable(path: Path) -> Iterator[AccountRecord]:
    """The accounts in a file, in its order.

    Raises:
        Unwilling: it cannot be read, or is not XEP-0227; accounts in front of the fault have been yielded.
    """
    yield from _accounts(path, path.parent.resolve(), "", 0)


def _accounts(path: Path, folder: Path, domain: str, depth: int) -> Iterator[AccountRecord]:
    try:
        with path.open("rb") as file:
            events = etree.iterparse(
                file,
                events=("start", "end"),
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
                huge_tree=False,
                remove_comments=True,
                remove_pis=True,
            )
            yield from _walk(events, path, folder, domain, depth)
    except OSError as error:
        raise Unwilling("file-unusable", f"{path}: {error.strerror or error}") from error
    except etree.XMLSyntaxError as error:
        raise Unwilling(MALFORMED, f"{path}: {error.msg}") from error


def _walk(
    events: Iterator[tuple[str, _Element]], path: Path, folder: Path, domain: str, depth: int
) -> Iterator[AccountRecord]:
    inside = False
    archive: list[ArchivedRecord] = []
    faults: list[str] = []
    for event, element in events:
        namespace, name = split_tag(str(element.tag))
        is_ours = namespace in _NAMESPACES
        parent = element.getparent()
        if event == "start":
            if parent is None:
                _check_root(element, path, is_ours)
            if is_ours and name == "host":
                domain = element.get("jid", "")
            inside = inside or (is_ours and name == "user")
            continue
        if is_ours and name == "user":
            inside = False
            record = _account(element, domain)
            record.archive, record.remarks = archive, record.remarks + faults
            archive, faults = [], []
            yield record
            _drop(element)
        elif inside and element.tag == _RESULT and parent is not None and parent.tag == _ARCHIVE:
            # An archive may be larger than all else: it does not stay as elements.
            try:
                archive.append(elements.read_archived(element, _owner(parent, domain)))
            except elements.FAULTS as error:
                faults.append(f"archive: {error}")
            _drop(element)
        elif element.tag == _INCLUDE and not inside:
            yield from _included(element, path, folder, domain, depth)
            _drop(element)


def _owner(archive: _Element, domain: str) -> str:
    user = archive.getparent()
    return f"{'' if user is None else user.get('name', '')}@{domain}"


def _check_root(element: _Element, path: Path, is_ours: bool) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise Unwilling(MALFORMED, f"{path}: document type declarations are not read")
    if not is_ours and element.tag != _INCLUDE:
        raise Unwilling(MALFORMED, f"{path}: this is not a file of XEP-0227")


def _included(element: _Element, path: Path, folder: Path, domain: str, depth: int) -> Iterator[AccountRecord]:
    wanted = (path.parent / element.get("href", "")).resolve()
    if depth >= _DEEPEST or not wanted.is_relative_to(folder) or element.get("parse") or element.get("xpointer"):
        raise Unwilling(MALFORMED, f"{path}: {element.get('href')!r} is not included")
    yield from _accounts(wanted, folder, domain, depth + 1)


def _drop(element: _Element) -> None:
    parent = element.getparent()
    element.clear()
    if parent is not None:
        parent.remove(element)


def _account(user: _Element, domain: str) -> AccountRecord:
    record = AccountRecord(user.get("name", ""), domain, user.get("password") or "")
    for child in user:
        try:
            _take(child, record)
        except elements.FAULTS as error:
            record.remarks.append(f"{split_tag(str(child.tag))[1]}: {error}")
    return record


def _take(child: _Element, record: AccountRecord) -> None:
    namespace, name = split_tag(str(child.tag))
    if (namespace, name) == (NS_ROSTER, "query"):
        for item in child:
            _each(record, "contact", lambda item=item: record.contacts.append(elements.read_contact(item)))
    elif (namespace, name) == (NS_CLIENT, "presence") and child.get("type") == "subscribe":
        elements.add_request(record, str(JID.parse(child.get("from", "")).bare), serialise(child))
    elif namespace in _NAMESPACES and name == "offline-messages":
        for message in child:
            _each(record, "message", lambda m=message: record.messages.append(elements.read_message(m)))
    elif (namespace, name) == (NS_ARCHIVE, "archive"):
        pass  # its messages have been read one by one
    elif (namespace, name) == (NS_SCRAM, "scram-credentials"):
        record.credentials.append(elements.read_credential(child))
    elif (namespace, name) == (NS_PRIVATE, "query"):
        record.private += elements.read_private(child)
    elif (namespace, name) == (NS_VCARD, "vCard"):
        record.card = serialise(child)
    elif (namespace, name) in _READERS:
        _READERS[namespace, name](child, record)
    else:
        # §4: what is not understood is ignored, and the operator told.
        record.remarks.append(f"{name} in {namespace or 'no namespace'} was left out")


def _each(record: AccountRecord, what: str, read: object) -> None:
    """One of many: a faulty one is left out, the others stay."""
    try:
        read()  # type: ignore[operator]
    except elements.FAULTS as error:
        record.remarks.append(f"{what}: {error}")
