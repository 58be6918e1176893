"""Fuzz target: whatever is asked of an archive is refused with a documented error, or answered by a page that fits."""

import sqlite3
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from parley.domain.archive.inbox import InboxQuery
from parley.domain.errors import NotFound
from parley.domain.messages import ArchivePage, ArchiveQuery
from parley.edges.xmpp.delivery import archives
from parley.edges.xmpp.extensions.xep_0441_archive_preferences import parse_preferences
from parley.protocols.xmpp.errors import RemoteProtocolError
from parley.protocols.xmpp.framing import ElementReceived, Framer, FramingLimits
from parley.protocols.xmpp.rsm import parse_page_request
from parley.storage.sqlite.archive import read_inbox
from parley.storage.sqlite.migrate import migrate
from parley.storage.sqlite.pages import read_page
from parley.storage.sqlite.search import prepare
from parley.storage.sqlite.times import note_times

LIMITS = FramingLimits(max_stanza_bytes=16_384, max_depth=16, max_attributes=16, max_children=64)
LENGTH = 30
EXTRA = (archives.GROUPCHAT, archives.FULL_TEXT)


def _id(number: int) -> str:
    return str(uuid.UUID(int=number))


def _field(name: str, *values: str) -> str:
    return f"<field var='{name}'>{''.join(f'<value>{value}</value>' for value in values)}</field>"


def _query(fields: str, page: str = "", more: str = "") -> bytes:
    return (
        f"<query xmlns='urn:xmpp:mam:2' queryid='q'><x xmlns='jabber:x:data' type='submit'>"
        f"{_field('FORM_TYPE', 'urn:xmpp:mam:2')}{fields}</x>"
        f"<set xmlns='http://jabber.org/protocol/rsm'>{page}</set>{more}</query>"
    ).encode()


SEEDS = [
    _query("", "<max>3</max>"),
    _query(_field("with", "p1@example.org"), "<max>2</max><before/>", "<flip-page/>"),
    _query(_field("with", "p1@example.org/desk"), f"<after>{_id(3)}</after>"),
    _query(_field("start", "1970-01-01T00:00:00.000005Z") + _field("end", "9999-12-31T23:59:59Z"), "<max>0</max>"),
    _query(_field("start", "0001-01-01T00:00:00Z"), "<index>7</index>"),
    _query(_field("after-id", _id(4)) + _field("before-id", _id(20)), f"<max>5</max><before>{_id(12)}</before>"),
    _query(_field("ids", _id(1), _id(9), _id(1)) + _field("include-groupchat", "true")),
    _query(_field("{urn:xmpp:fulltext:0}fulltext", "rain &quot;7 OR"), "<max>4</max><before/>"),
    b"<inbox xmlns='urn:xmpp:inbox:1' unread-only='true'><set xmlns='http://jabber.org/protocol/rsm'><max>2</max>"
    b"</set></inbox>",
    b"<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>a@b/c</jid></always><never><jid>d</jid></never>"
    b"</prefs>",
]


def _database() -> sqlite3.Connection:
    """An archive of thirty messages with three peers."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    migrate(connection, Path(":memory:"), 1)
    prepare(connection, is_wanted=True)
    connection.execute("INSERT INTO account (address, created_at) VALUES ('alice@example.org', 1)")
    peers = [(number + 1, f"p{number}@example.org") for number in range(3)]
    connection.executemany("INSERT INTO address (id, text) VALUES (?, ?)", peers)
    for seq in range(1, LENGTH + 1):
        peer, text = seq % 3 + 1, f"rain {seq}"
        connection.execute(
            "INSERT INTO message (id, received_at, sender, recipient, confidentiality, holders, content)"
            " VALUES (?, ?, ?, ?, 0, 1, ?)",
            (seq.to_bytes(16, "big"), seq // 2, peer, peer, text.encode()),
        )
        connection.execute("INSERT INTO mailbox VALUES (1, ?, ?, 0, 1, 1, ?, 1)", (seq, peer, seq // 2))
        connection.execute("INSERT INTO text_index (rowid, text, owners) VALUES (?, ?, 'a1')", (seq, text))
    note_times(connection, [(seq, seq // 2) for seq in range(1, LENGTH + 1)])
    return connection


DATABASE = _database()


def target(data: bytes) -> None:
    """Ask the archive, the inbox and the preferences for each element that is in `data`."""
    for event in Framer("frame", LIMITS).feed(data):
        if isinstance(event, ElementReceived):
            with suppress(RemoteProtocolError):
                for element in event.element.tree().iter():
                    _ask(element)


def _ask(element: Any) -> None:
    with suppress(RemoteProtocolError):
        _page(archives.parse_query(element, limit=10, extra=EXTRA))
    with suppress(RemoteProtocolError):
        _inbox(element)
    with suppress(RemoteProtocolError):
        chosen = parse_preferences(element)
        assert chosen.keeps("p1@example.org", "desk", lambda: True) in (True, False)


def _page(asked: archives.PageQuery) -> None:
    assert 0 <= asked.limit <= 10
    peer = asked.peer
    query = ArchiveQuery(
        1,
        None if peer is None else str(peer.bare),
        asked.start,
        asked.end,
        asked.after_id,
        asked.before_id,
        asked.ids or (),
        asked.is_backward,
        asked.limit,
        asked.counted,
        str(peer) if peer is not None and peer.is_full else "",
        asked.newer_than,
        asked.older_than,
        asked.extra.get(archives.FULL_TEXT, "").strip(),
        asked.index,
    )
    with suppress(NotFound):
        page = read_page(DATABASE, query)
        _check(page, query)
        ids = [message.id for message in page.messages]
        told = archives.page_of(ids, asked, index=page.index, total=page.total)
        assert archives.fin(told, is_complete=page.is_complete)
        assert [message.id for message in asked.in_order(page.messages)] in (ids, ids[::-1])


def _check(page: ArchivePage, query: ArchiveQuery) -> None:
    seqs = [message.seq for message in page.messages]
    assert seqs == sorted(set(seqs))
    assert len(seqs) <= query.limit
    assert page.total is not None
    assert page.index is not None
    assert page.index + len(seqs) <= page.total <= LENGTH
    assert page.is_complete or query.limit == len(seqs)
    for message in page.messages:
        assert query.peer in (None, message.peer)
        assert not query.ids or message.id in query.ids
        assert query.start is None or query.start <= message.received_at
        assert query.end is None or message.received_at <= query.end


def _inbox(element: Any) -> None:
    asked = parse_page_request(element)
    limit = min(asked.max or 0, 10)
    query = InboxQuery(
        1,
        "alice@example.org",
        is_unread_only=element.get("unread-only") == "true",
        after_id=asked.after,
        before_id=asked.before or None,
        is_backward=asked.before is not None,
        index=asked.index,
        limit=limit,
    )
    with suppress(NotFound):
        page = read_inbox(DATABASE, query)
        assert (page.conversations, page.unread_messages) == (3, LENGTH)
        assert len(page.entries) <= limit
        assert page.index + len(page.entries) <= page.listed


if __name__ == "__main__":
    from driver import run

    run(target, SEEDS)
