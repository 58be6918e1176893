"""The doors of the domain: what storage and the other adapters offer, and nothing of how.

All methods that are `async` return when the change is committed and synced. Every one may raise
`StorageUnavailable` (`StorageFull` when there is no room): then nothing was stored. Those that change something of an
account that does not exist raise NotFound("account-not-found"); those that read find nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Protocol

from parley.domain.accounts import Account, Credential
from parley.domain.contacts import Contact, Roster, RosterChange, RosterEdit
from parley.domain.devices import Device
from parley.domain.errors import StorageUnavailable
from parley.domain.messages import (
    Appended,
    ArchivePage,
    ArchiveQuery,
    Confidentiality,
    NewMessage,
    StoredMessage,
)
from parley.domain.uploads import Slot, Upload, UploadState

AppendDone = Callable[[Appended | StorageUnavailable], None]


class AccountStore(Protocol):
    """Accounts and their password credentials."""

    async def add(self, address: str, credentials: Sequence[Credential], now: int) -> Account:
        """Create an account; raises Conflict("account-exists")."""
        ...

    async def add_many(self, people: Sequence[tuple[str, Sequence[Credential]]], now: int) -> list[Account]:
        """Create all or none; raises Conflict("account-exists") with the address in its message."""
        ...

    async def find(self, address: str) -> Account | None:
        """The account of that address."""
        ...

    async def all(self, domain: str | None = None) -> list[Account]:
        """All accounts, by address."""
        ...

    async def credentials(self, address: str) -> list[Credential]:
        """The password's credentials; empty for an unknown address."""
        ...

    async def iterations(self) -> dict[int, int]:
        """The numbers of rounds in use by passwords' credentials, each with how many credentials have it."""
        ...

    async def set_credentials(self, account_id: int, credentials: Sequence[Credential]) -> None:
        """Replace the password. Tokens that were given for the old one are forgotten."""
        ...

    async def add_credential(self, account_id: int, credential: Credential) -> bool:
        """Keep the password's credential for one more mechanism; False when there is one, which stays."""
        ...

    async def set_suspended(self, account_id: int, is_suspended: bool) -> None:
        """Suspend or resume."""
        ...

    async def remove(self, account_id: int) -> None:
        """Delete the account and all that belongs to it (roster, nodes, devices, mailbox entries, uploads' rows).

        The account's id is never used again. Messages that no mailbox holds any longer go with it.
        """
        ...


class DeviceStore(Protocol):
    """Devices and their own credentials."""

    async def seen(
        self,
        account_id: int,
        resource: str,
        name: str,
        address: str,
        now: int,
        *,
        software: str = "",
        client: bytes = b"",
        keep: int = 100,
        is_refusing: bool = False,
    ) -> None:
        """Record that the device signed in; an empty name, software or client keeps the known one.

        An installation is one device: what is known of it under another resource moves to this one, but for a device
        with a credential of its own. Of the account's devices the `keep` last seen stay; older ones are forgotten with
        their credentials and tokens.
        With `is_refusing` raises LimitReached("too-many-devices") instead, when the device is not among them.
        """
        ...

    async def all(self, account_id: int) -> list[Device]:
        """All devices of an account, the last seen first."""
        ...

    async def set_credential(self, account_id: int, resource: str, credential: Credential, name: str, now: int) -> None:
        """Let the device sign in with a secret of its own; replaces an earlier one."""
        ...

    async def credential(self, address: str, resource: str) -> Credential | None:
        """The device's own credential."""
        ...

    async def revoke(self, account_id: int, resource: str) -> bool:
        """Forget the device, its credential and its installation's tokens; False if there was none."""
        ...

    async def revoke_all(self, account_id: int) -> list[str]:
        """Forget all devices, credentials and tokens of the account; returns the devices' resources."""
        ...


class RosterStore(Protocol):
    """Contacts."""

    async def load(self, account_id: int) -> Roster:
        """The roster with its version (0 for a fresh account), unlisted contacts included."""
        ...

    async def put(self, account_id: int, contact: Contact, limit: int) -> int:
        """Add or change a contact; returns the new version; raises LimitReached("roster-full").

        `limit` bounds listed and unlisted contacts each for themselves: requests of strangers never fill the roster.
        """
        ...

    async def remove(self, account_id: int, address: str) -> int:
        """Remove a contact and remember that it was removed if it was listed; returns the new version.

        For an address that is no contact nothing changes, the version neither.
        """
        ...

    async def edit(self, edits: Sequence[RosterEdit], limit: int) -> list[int]:
        """Change contacts of several accounts, all or none; returns the new version of each edit's roster.

        Each edit is a `put` or a `remove`, and raises as they do.
        """
        ...

    async def changes(self, account_id: int, since: int) -> list[RosterChange] | None:
        """The last change of each contact behind version `since`, in order; None if not known any more.

        Contacts that are not listed are left out, but for those that were: to who sees the listed ones they are gone.
        """
        ...

    async def watchers(self, address: str) -> list[int]:
        """Ids of the accounts whose roster holds `address`."""
        ...


class MessageLog(Protocol):
    """The log of messages with the mailboxes that hold them. It is the truth; everything else follows it."""

    def append(self, message: NewMessage, done: AppendDone) -> None:
        """Write one message with its mailbox entries.

        Never blocks. `done` is called on the event loop, in the order of the calls, when the transaction that holds
        the message has been committed and synced, or with the error when nothing was stored. Entries of accounts that
        do not exist any longer are left out. The class of its conversation is raised with it, and never lowered,
        whatever order the calls come in. Raises ValueError for an id that is not a UUID.
        """
        ...

    async def page(self, query: ArchiveQuery) -> ArchivePage:
        """One page of an archive; raises NotFound("item-not-found") for an unknown after_id, before_id or ids.

        With a limit of 0 the page is empty and counts. The index of an empty page is where its first message would be.
        """
        ...

    async def bounds(self, account_id: int) -> tuple[StoredMessage, StoredMessage] | None:
        """The first and the last archived message (contents may be empty)."""
        ...

    async def pending(self, account_id: int, after: int, limit: int) -> list[StoredMessage]:
        """Messages with `is_mailed` that came in behind the delivery cursor and behind `after`, in log order."""
        ...

    async def sent_since(self, seq: int, limit: int) -> list[tuple[str, bytes]]:
        """Sender (full address) and content of the first `limit` messages behind a place of the log, in its order."""
        ...

    async def last_seq(self) -> int:
        """The place of the newest message that the log ever had; 0 for a log that had none."""
        ...

    def delivered(self, account_id: int, seq: int) -> None:
        """Move the account's delivery cursor forward to `seq`; written with the next group commit. Never blocks."""
        ...

    async def has_written(self, account_id: int, peer: str) -> bool:
        """Whether an account's archive has a message to `peer`, looked for among the latest ones of the two."""
        ...

    async def purge(self, account_id: int | None, before: int) -> int:
        """Delete messages received before `before` (of one account or of all); returns how many entries went."""
        ...

    async def sweep_delivered(self, limit: int, before: int | None = None) -> int:
        """Delete entries that are delivered and not archived, and messages no mailbox holds; returns how many.

        `before` spares what was received at that time or later: a message that is deleted is not recognised when it
        is sent again.
        """
        ...


class ConversationStore(Protocol):
    """What is known of a conversation beside its messages; it is written with them."""

    async def confidentiality(self, a: str, b: str) -> Confidentiality | None:
        """The class of the conversation between two addresses (in any order)."""
        ...


class Journal(Protocol):
    """What outlives a crash of the process, though not one of the machine. Its methods do not wait for a disk.

    Those that write raise OSError: then nothing more can be written.
    """

    def read(self, newer_than: int) -> list[bytes]:
        """What an earlier process wrote, in order; nothing when it wrote last before `newer_than` (microseconds)."""
        ...

    def begin(self, payloads: Sequence[bytes]) -> None:
        """Forget everything, and start with these."""
        ...

    def write(self, payload: bytes) -> bool:
        """Add a payload. False, and nothing written, when there is no room: `begin` makes some."""
        ...

    def close(self) -> None:
        """Stop writing; what was written stays."""
        ...

    def remove(self) -> None:
        """Stop writing, and forget everything."""
        ...


class UploadStore(Protocol):
    """The rows of uploads; their bytes are in a `BlobStore`."""

    async def add(self, upload: Upload, quota_bytes: int, max_open: int) -> None:
        """Promise a slot.

        Raises LimitReached("quota-exceeded") when the account's sizes would pass `quota_bytes`, and
        LimitReached("too-many-uploads") when it has `max_open` open uploads already.
        """
        ...

    async def find(self, upload_id: str) -> Upload | None:
        """One upload by its id."""
        ...

    async def advance(self, upload_id: str, offset_bytes: int, expires_at: int) -> None:
        """Record that bytes up to `offset_bytes` are synced, and how long the rest may take.

        The offset goes back to 0 when a client starts over. Raises NotFound("upload-not-found") for an upload that is
        gone or complete.
        """
        ...

    async def complete(self, upload_id: str, digest: bytes, expires_at: int) -> None:
        """The content lies in the blob store under `digest`; the offset becomes the size. Again is fine.

        Raises NotFound("upload-not-found").
        """
        ...

    async def remove(self, upload_id: str) -> None:
        """Forget the slot."""
        ...

    async def used_bytes(self, account_id: int) -> int:
        """Sum of the sizes of the account's uploads, open ones included."""
        ...

    async def expired(self, now: int, limit: int) -> list[Upload]:
        """Uploads of any state whose time is over."""
        ...

    async def references(self, digest: bytes) -> int:
        """How many uploads share a content."""
        ...

    async def count(self, state: UploadState) -> int:
        """How many uploads are in a state."""
        ...


class BlobStore(Protocol):
    """Immutable contents under their SHA-256, created if absent, on a local disk or an object store."""

    async def put_file(self, digest: bytes, path: str) -> None:
        """Store the file's bytes durably under `digest`; does nothing when they are there already."""
        ...

    async def size(self, digest: bytes) -> int | None:
        """Size in bytes, or None if absent."""
        ...

    def read(self, digest: bytes, start: int, end: int) -> AsyncGenerator[bytes]:
        """Bytes [start, end) in pieces; raises NotFound("blob-not-found"). To be closed when left early."""
        ...

    async def delete(self, digest: bytes) -> None:
        """Delete; absent is fine."""
        ...

    async def digests(self, before: int) -> Iterable[bytes]:
        """All digests held that were last put before `before`, for the sweep of orphans."""
        ...


class UploadSlots(Protocol):
    """Promises places to upload to. The XMPP edge asks, the HTTP edge answers."""

    async def request(self, account_id: int, filename: str, content_type: str, size_bytes: int) -> Slot:
        """Promise a slot for exactly `size_bytes`; an empty content type means any.

        Raises Refused("bad-upload-request") for a size below 1, LimitReached("file-too-large"),
        LimitReached("quota-exceeded"), LimitReached("too-many-uploads") and StorageUnavailable.
        """
        ...


class AccountDirectory(Protocol):
    """Fast, cached look-up of local accounts for the hot path."""

    def cached(self, address: str) -> Account | None:
        """The account if it is known without asking the storage."""
        ...

    async def find(self, address: str) -> Account | None:
        """The account, from the cache or the storage."""
        ...

    def forget(self, address: str) -> None:
        """Drop it from the cache after a change."""
        ...
