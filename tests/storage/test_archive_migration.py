"""Archives from before conversations were counted: what is there is read, and receipts are no messages."""

from __future__ import annotations

from pathlib import Path

from parley.domain.archive.inbox import InboxQuery
from parley.domain.messages import ArchiveQuery
from parley.storage.sqlite import database
from parley.storage.sqlite.migrate import migrate, migrations

from .people import ALICE, BOB, CAROL, append, entry, message
from .sqlite_files import opened

CONTENTS = (
    (b"<message><body>one</body></message>", 2),
    (b"<message><received xmlns='urn:xmpp:receipts' id='1'/></message>", 2),
    (b"<message><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>", 3),
    (b"<message><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>", 3),
)


async def test_an_archive_from_before(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    connection = database.open_writer(path, is_checked=False)
    migrate(connection, path, 1, migrations()[:6])
    connection.execute("INSERT INTO account (address, created_at) VALUES (?, 1)", (ALICE,))
    connection.executemany("INSERT INTO address (id, text) VALUES (?, ?)", [(1, ALICE), (2, BOB), (3, CAROL)])
    for seq, (content, peer) in enumerate(CONTENTS, 1):
        connection.execute(
            "INSERT INTO message (id, received_at, sender, recipient, confidentiality, holders, content)"
            " VALUES (?, ?, ?, 1, 0, 1, ?)",
            (seq.to_bytes(16, "big"), seq, peer, content),
        )
        connection.execute("INSERT INTO mailbox VALUES (1, ?, ?, 0, 1, 1, ?)", (seq, peer, seq))
    connection.close()
    async with opened(path, has_text_index=True) as storage:
        page = await storage.inbox.inbox(InboxQuery(1, ALICE))
        assert [(each.peer, each.unread, each.latest.seq) for each in page.entries] == [(CAROL, 0, 3), (BOB, 0, 1)]
        await append(storage, message(entry(1, BOB), sender=BOB, recipient=ALICE))
        page = await storage.inbox.inbox(InboxQuery(1, ALICE))
        assert [(each.peer, each.unread) for each in page.entries] == [(BOB, 1), (CAROL, 0)]
        assert [found.seq for found in (await storage.messages.page(ArchiveQuery(1, peer=BOB))).messages] == [1, 2, 5]
        while await storage.text_index.follow(bytes.decode):
            pass
        assert (await storage.messages.page(ArchiveQuery(1, words="one", limit=0))).is_stable
