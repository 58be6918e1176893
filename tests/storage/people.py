"""What the storage tests share: opening each storage, and making messages, contacts and uploads."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from parley.base.clock import SystemClock
from parley.base.ids import Uuid7
from parley.domain.accounts import Credential
from parley.domain.errors import StorageUnavailable
from parley.domain.messages import Appended, Confidentiality, Direction, MailboxEntry, NewMessage
from parley.domain.uploads import Upload, UploadState
from parley.storage.memory import MemoryStorage
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

AnyStorage = MemoryStorage | SqliteStorage
ALICE = "alice@example.org"
BOB = "bob@example.org"
CAROL = "carol@example.org"

_ids = Uuid7(SystemClock())


def open_storage(kind: str, folder: Path, options: StorageOptions | None = None) -> AnyStorage:
    """A storage of that kind, to be entered."""
    if kind == "memory":
        return MemoryStorage()
    return SqliteStorage(folder / "parley.db", SystemClock(), options)


def credential(mechanism: str = "SHA-256", salt: bytes = b"salt") -> Credential:
    return Credential(mechanism, salt, 4096, b"stored" + salt, b"server" + salt)


def upload(upload_id: str, account_id: int, size_bytes: int = 10, expires_at: int = 1000) -> Upload:
    return Upload(
        id=upload_id,
        account_id=account_id,
        put_digest=b"p" * 32,
        get_digest=b"g" * 32,
        filename="voice.ogg",
        content_type="audio/ogg",
        size_bytes=size_bytes,
        offset_bytes=0,
        state=UploadState.OPEN,
        digest=b"",
        created_at=1,
        expires_at=expires_at,
    )


def entry(
    account_id: int,
    peer: str,
    direction: Direction = Direction.IN,
    is_archived: bool = True,
    is_mailed: bool | None = None,
) -> MailboxEntry:
    mailed = direction is Direction.IN if is_mailed is None else is_mailed
    return MailboxEntry(account_id, peer, direction, is_archived, mailed)


def message(
    *entries: MailboxEntry,
    at: int = 1,
    content: bytes = b"<message/>",
    dedup_key: bytes | None = None,
    sender: str = ALICE,
    recipient: str = BOB,
    confidentiality: Confidentiality = Confidentiality.SEALED,
) -> NewMessage:
    return NewMessage(_ids.text(), at, sender, recipient, confidentiality, content, entries, dedup_key)


def between(sender_id: int, recipient_id: int, at: int = 1, **others: object) -> NewMessage:
    """From alice to bob, in both mailboxes."""
    made = message(entry(sender_id, BOB, Direction.OUT), entry(recipient_id, ALICE), at=at)
    return replace(made, **others) if others else made  # type: ignore[arg-type]


async def answer(storage: AnyStorage, new: NewMessage) -> Appended | StorageUnavailable:
    """Append and wait for the answer."""
    future: asyncio.Future[Appended | StorageUnavailable] = asyncio.get_running_loop().create_future()
    storage.messages.append(new, future.set_result)
    return await future


async def append(storage: AnyStorage, *messages: NewMessage) -> list[Appended]:
    """Append all at once and wait for the answers, which must be good."""
    answers = await asyncio.gather(*[answer(storage, new) for new in messages])
    for result in answers:
        assert isinstance(result, Appended), result
    return [result for result in answers if isinstance(result, Appended)]


async def two_people(storage: AnyStorage) -> tuple[int, int]:
    """The ids of alice and bob."""
    alice, bob = await storage.accounts.add_many([(ALICE, [credential()]), (BOB, [credential()])], 5)
    return alice.id, bob.id
