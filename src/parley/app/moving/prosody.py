"""Reads the data folder of a Prosody server with its internal storage: accounts, rosters, waiting messages, nodes.

DATA/example%2eorg/accounts/juliet.dat      …/roster/juliet.dat     …/offline/juliet.list
DATA/example%2eorg/vcard/juliet.dat         …/private/juliet.dat    …/pep/juliet.dat, …/pep_NODE/juliet.list
DATA/example%2eorg/archive/juliet.list      …/blocklist/juliet.dat
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from lxml import etree

from parley.app.errors import Unwilling
from parley.app.moving import elements
from parley.app.moving.lua_tables import Value, read_list, read_table
from parley.app.moving.records import AccountRecord, NodeRecord
from parley.domain.accounts import Credential
from parley.domain.contacts import Contact
from parley.domain.people.personal import PrivateElement
from parley.domain.pubsub.nodes import NodeItem
from parley.protocols.xmpp.builder import serialise, split_tag, xml
from parley.protocols.xmpp.datetimes import parse_datetime
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_CLIENT

_HASHES: Final = {20: "SHA-1", 32: "SHA-256", 64: "SHA-512"}
_PEP: Final = "pep_"
_LATEST_S: Final = 253_402_300_799
"""The end of the year 9999, in seconds since the epoch."""


def read_prosody(data: Path) -> Iterator[AccountRecord]:
    """The accounts in a data folder, by host and name; raises Unwilling when there are none or the folder is none."""
    try:
        folders = sorted(folder for folder in data.iterdir() if (folder / "accounts").is_dir())
    except OSError as error:
        raise Unwilling("file-unusable", f"{data}: {error.strerror or error}") from error
    if not folders:
        raise Unwilling("import-malformed", f"{data}: there are no accounts in this folder")
    for folder in folders:
        for file in sorted((folder / "accounts").glob("*.dat")):
            yield _account(folder, file)


def _account(folder: Path, file: Path) -> AccountRecord:
    record = AccountRecord(unquote(file.stem), unquote(folder.name))
    _read(record, "account", lambda: _secrets(record, read_table(file.read_bytes())))
    stem = file.stem
    stores = {"roster": _roster, "blocklist": _blocked, "vcard": _card, "private": _private, "pep": _nodes}
    for store, take in stores.items():
        path = folder / store / f"{stem}.dat"
        if path.is_file():
            _read(record, store, lambda path=path, take=take: take(record, read_table(path.read_bytes())))
    waiting = folder / "offline" / f"{stem}.list"
    if waiting.is_file():
        _read(record, "offline", lambda: _messages(record, read_list(waiting.read_bytes())))
    archive = folder / "archive" / f"{stem}.list"
    if archive.is_file():
        _read(record, "archive", lambda: _archive(record, read_list(archive.read_bytes())))
    for items in sorted(folder.glob(f"{_PEP}*/{stem}.list")):
        node = unquote(items.parent.name.removeprefix(_PEP))
        _read(record, node, lambda items=items, node=node: _items(record, node, read_list(items.read_bytes())))
    return record


def _read(record: AccountRecord, what: str, read: object) -> None:
    """Read a file of the account; one that cannot be read leaves a remark."""
    try:
        read()  # type: ignore[operator]
    except (Unwilling, OSError, *elements.FAULTS) as error:
        record.remarks.append(f"{what}: {error}")


def _secrets(record: AccountRecord, table: dict[object, Value]) -> None:
    password = table.get("password")
    if isinstance(password, str):
        record.password = password
        return
    stored, server, salt = (str(table.get(key, "")) for key in ("stored_key", "server_key", "salt"))
    rounds = table.get("iteration_count")
    try:
        stored_key, server_key = bytes.fromhex(stored), bytes.fromhex(server)
    except ValueError as error:
        raise PayloadError("the keys are not hexadecimal") from error
    if not isinstance(rounds, int) or len(stored_key) not in _HASHES:
        raise PayloadError("there is neither a password nor what SCRAM keeps of one")
    credential = Credential(_HASHES[len(stored_key)], _bytes(salt), rounds, stored_key, server_key)
    record.credentials.append(elements.checked_credential(credential))


def _bytes(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        # What is no text came as one character for each byte.
        return text.encode("latin-1", "replace")


def _roster(record: AccountRecord, table: dict[object, Value]) -> None:
    for address, item in table.items():
        if isinstance(address, str) and isinstance(item, dict) and address != "pending":
            _read(record, "contact", lambda a=address, i=item: record.contacts.append(_contact(a, i)))
    meta = table.get(False)
    pending = meta.get("pending") if isinstance(meta, dict) else table.get("pending")
    for address in pending if isinstance(pending, dict) else ():
        stanza = xml("presence", {"from": str(address), "to": record.source, "type": "subscribe"})
        _read(
            record, "request", lambda a=str(address), s=stanza: elements.add_request(record, str(JID.parse(a).bare), s)
        )


def _contact(address: str, item: dict[object, Value]) -> Contact:
    groups = item.get("groups")
    names = tuple(sorted(str(group) for group in groups)) if isinstance(groups, dict) else ()
    state = elements.subscription(str(item.get("subscription")), str(item.get("ask")))
    return Contact(str(JID.parse(address).bare), str(item.get("name") or ""), names, state)


def _blocked(record: AccountRecord, table: dict[object, Value]) -> None:
    # Under `false` stands when the list was made.
    record.blocked += [str(JID.parse(address)) for address in table if isinstance(address, str)]


def _card(record: AccountRecord, table: dict[object, Value]) -> None:
    record.card = serialise(_stanza(table))


def _private(record: AccountRecord, table: dict[object, Value]) -> None:
    for value in table.values():
        if isinstance(value, dict):
            element = _stanza(value)
            record.private.append(PrivateElement(*split_tag(str(element.tag)), serialise(element)))


def _messages(record: AccountRecord, tables: list[dict[object, Value]]) -> None:
    for table in tables:
        stamp = _stamp(table)
        stanza, at = elements.read_message(_stanza(table))
        record.messages.append((stanza, at or stamp))


def _stamp(table: dict[object, Value]) -> int:
    """When a message came, taken out of its attributes; 0 for unknown."""
    attrs = table.get("attr")
    if not isinstance(attrs, dict):
        return 0
    attrs.pop("stamp_legacy", None)
    stamp = str(attrs.pop("stamp", ""))
    return _at(table.get("when")) or (parse_datetime(stamp) if stamp else 0)


def _at(when: Value) -> int:
    # A time that is beyond all counting is as good as none.
    return int(when * 1_000_000) if isinstance(when, int | float) and 0 <= when <= _LATEST_S else 0


def _archive(record: AccountRecord, tables: list[dict[object, Value]]) -> None:
    for table in tables:
        stamp, key = _stamp(table), table.get("key")
        try:
            message = elements.archived(_stanza(table), stamp, key if isinstance(key, str) else "", record.source)
        except elements.FAULTS as error:
            record.remarks.append(f"archive: {error}")
        else:
            record.archive.append(message)


def _nodes(record: AccountRecord, table: dict[object, Value]) -> None:
    for name, node in table.items():
        if not isinstance(name, str) or node is None:
            continue
        known = elements.node_of(record, name)
        config = node.get("config") if isinstance(node, dict) else None
        if isinstance(config, dict):
            known.access_model = str(config.get("access_model") or "")
            most = config.get("max_items")
            known.max_items = most if isinstance(most, int) and most > 0 else 10_000 if most else 1


def _items(record: AccountRecord, name: str, tables: list[dict[object, Value]]) -> None:
    node: NodeRecord = elements.node_of(record, name)
    for table in tables:
        element, key = _stanza(table), table.get("key")
        if len(element) == 1 and isinstance(key, str):
            payload = serialise(element[0], default_namespace="")
            node.items.append(NodeItem(key, record.source, _at(table.get("when")), payload))


def _stanza(table: dict[object, Value], namespace: str = NS_CLIENT, depth: int = 0) -> etree._Element:
    """A stanza as Prosody keeps it: `name`, `attr`, and its content by number; raises PayloadError."""
    name, attrs = table.get("name"), table.get("attr")
    given = attrs if isinstance(attrs, dict) else {}
    namespace = str(given.get("xmlns") or namespace)
    try:
        element = etree.Element(f"{{{namespace}}}{name}")
        for key, value in given.items():
            if key != "xmlns" and isinstance(key, str):
                element.set(_attribute(key), str(value))
        for number in sorted(key for key in table if isinstance(key, int) and not isinstance(key, bool)):
            _append(element, table[number], namespace, depth)
    except ValueError as error:
        raise PayloadError(f"not a stanza: {error}") from error
    return element


def _attribute(key: str) -> str:
    if key.startswith("xml:"):
        return f"{{http://www.w3.org/XML/1998/namespace}}{key[4:]}"
    namespace, separator, local = key.partition("\x01")
    return f"{{{namespace}}}{local}" if separator else key


def _append(element: etree._Element, value: Value, namespace: str, depth: int) -> None:
    if isinstance(value, dict):
        element.append(_stanza(value, namespace, depth + 1))
    elif isinstance(value, str):
        if len(element):
            element[-1].tail = (element[-1].tail or "") + value
        else:
            element.text = (element.text or "") + value
