"""`SqliteStorage`: opens the database, migrates it, runs the writer and the readers, and holds the stores."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from parley.base import log as logs
from parley.base.clock import Clock
from parley.domain.errors import StorageUnavailable
from parley.storage.errors import DatabaseUnusable
from parley.storage.sqlite import database
from parley.storage.sqlite.accounts import SqliteAccounts
from parley.storage.sqlite.archive import SqliteInbox, SqlitePreferences
from parley.storage.sqlite.backup import VerifyReport, create_backup, verify_database
from parley.storage.sqlite.blocks import SqliteBlocks
from parley.storage.sqlite.checkpoints import CheckpointLimits, Checkpoints
from parley.storage.sqlite.conversations import SqliteConversations
from parley.storage.sqlite.devices import SqliteDevices
from parley.storage.sqlite.inbox import WriterLimits
from parley.storage.sqlite.invitations import SqliteInvitations
from parley.storage.sqlite.messages import SqliteMessages
from parley.storage.sqlite.migrate import check_version, migrate
from parley.storage.sqlite.nodes import SqliteNodes
from parley.storage.sqlite.outgoing import SqliteOutgoing
from parley.storage.sqlite.partners import SqlitePartners
from parley.storage.sqlite.personal import SqlitePersonal
from parley.storage.sqlite.push import SqlitePush
from parley.storage.sqlite.push_targets import SqlitePushTargets
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rooms import SqliteRooms
from parley.storage.sqlite.rosters import SqliteRosters
from parley.storage.sqlite.search import SqliteTextIndex, prepare
from parley.storage.sqlite.tokens import SqliteTokens
from parley.storage.sqlite.uploads import SqliteUploads
from parley.storage.sqlite.work import CommitReport
from parley.storage.sqlite.writer import Writer

log = logs.get(__name__)

CommitObserver = Callable[[CommitReport], None]


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """How the database is opened.

    Attributes:
        is_checked: read the whole file at the start and check its structure (about a second per GiB).
        is_migrated: bring an older schema up to date; otherwise `SchemaOutdated` is raised for one.
        has_text_index: whether there is to be an index of the words that the server may read, as far as this SQLite can
            make one; None leaves it as it is.
        readers: reading threads.
        queued_reads: reads that may run and wait at once; more fail with `storage-overloaded`.
        writer: bounds of the writer.
        checkpoints: when pages move from the log to the database.
    """

    is_checked: bool = True
    is_migrated: bool = True
    has_text_index: bool | None = None
    readers: int = 2
    queued_reads: int = 2_000
    writer: WriterLimits = field(default_factory=WriterLimits)
    checkpoints: CheckpointLimits = field(default_factory=CheckpointLimits)


@dataclass(slots=True)
class StorageStats:
    """Counts since the start. `queued` is what waits for the writer now, `last` the last transaction."""

    commits: int = 0
    failures: int = 0
    messages: int = 0
    changes: int = 0
    queued: int = 0
    reading: int = 0
    last: CommitReport | None = None


class SqliteStorage:
    """All stores on one database file. An async context manager; the stores exist while it is open.

    Args:
        path: the database file, created if absent (mode 0600); its directory must exist.
        clock: dates the migrations.
        options: see `StorageOptions`.
        on_commit: called on the loop after each transaction, successful or not.

    Raises:
        DatabaseCorrupt, DatabaseUnusable, SchemaTooNew, SchemaOutdated: on entering.
    """

    accounts: SqliteAccounts
    devices: SqliteDevices
    rosters: SqliteRosters
    messages: SqliteMessages
    conversations: SqliteConversations
    inbox: SqliteInbox
    preferences: SqlitePreferences
    text_index: SqliteTextIndex
    nodes: SqliteNodes
    tokens: SqliteTokens
    uploads: SqliteUploads
    rooms: SqliteRooms
    blocks: SqliteBlocks
    personal: SqlitePersonal
    invitations: SqliteInvitations
    push: SqlitePush
    push_targets: SqlitePushTargets
    partners: SqlitePartners
    outgoing: SqliteOutgoing

    def __init__(
        self,
        path: Path,
        clock: Clock,
        options: StorageOptions | None = None,
        on_commit: CommitObserver | None = None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._options = options or StorageOptions()
        self._on_commit = on_commit
        self._stats = StorageStats()
        self._has_text_index = False
        self._writer: Writer
        self._readers: Readers

    async def __aenter__(self) -> Self:
        connection = await asyncio.to_thread(self._open)
        checkpoints = Checkpoints(self._path, self._options.checkpoints)
        self._writer = Writer(connection, self._options.writer, checkpoints, self._observe)
        self._readers = Readers(
            self._path, self._options.readers, self._options.queued_reads, self._writer.report_corrupt
        )
        self._writer.start()
        self.accounts = SqliteAccounts(self._writer, self._readers)
        self.devices = SqliteDevices(self._writer, self._readers)
        self.rosters = SqliteRosters(self._writer, self._readers)
        self.messages = SqliteMessages(self._writer, self._readers)
        self.conversations = SqliteConversations(self._readers)
        self.inbox = SqliteInbox(self._readers)
        self.preferences = SqlitePreferences(self._writer, self._readers)
        self.text_index = SqliteTextIndex(self._writer, self._readers, is_available=self._has_text_index)
        self.nodes = SqliteNodes(self._writer, self._readers)
        self.tokens = SqliteTokens(self._writer, self._readers)
        self.uploads = SqliteUploads(self._writer, self._readers)
        self.rooms = SqliteRooms(self._writer, self._readers)
        self.blocks = SqliteBlocks(self._writer, self._readers)
        self.personal = SqlitePersonal(self._writer, self._readers)
        self.invitations = SqliteInvitations(self._writer, self._readers)
        self.push = SqlitePush(self._writer, self._readers)
        self.push_targets = SqlitePushTargets(self._writer, self._readers)
        self.partners = SqlitePartners(self._writer, self._readers)
        self.outgoing = SqliteOutgoing(self._writer, self._readers)
        try:
            finished = await self.accounts.finish_removals()
        except StorageUnavailable as error:
            # A full disk must not keep the server from starting; the next start tries again.
            log.warning("interrupted removals of accounts stay", code=error.code)
        else:
            if finished:
                log.info("finished interrupted removals of accounts", accounts=finished)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The last connection to close folds the log into the database; only the writer may write.
        await self._readers.close()
        await self._writer.close()

    @property
    def healthy(self) -> bool:
        """Whether the last transaction succeeded and the file was never found damaged."""
        return not self._writer.trouble

    @property
    def trouble(self) -> str:
        """The code of what is wrong, for instance `storage-full`; empty when healthy."""
        return self._writer.trouble

    @property
    def stats(self) -> StorageStats:
        """Counts since the start."""
        self._stats.queued = self._writer.queued
        self._stats.reading = self._readers.active
        return self._stats

    async def flush(self) -> None:
        """Wait until all that was asked for is committed, delivery cursors included. Raises StorageUnavailable."""
        await self._writer.flush()

    async def backup(self, path: Path) -> None:
        """Write a consistent copy while everything runs; see `create_backup` for what it raises."""

        def create() -> None:
            connection = database.open_reader(self._path)
            try:
                create_backup(connection, path)
            except sqlite3.Error as error:
                raise DatabaseUnusable(str(path), str(error)) from error
            finally:
                connection.close()

        await asyncio.to_thread(create)

    @staticmethod
    async def verify(path: Path) -> VerifyReport:
        """Check a database file or a backup completely; see `verify_database`."""
        return await asyncio.to_thread(verify_database, path)

    def _open(self) -> sqlite3.Connection:
        connection = database.open_writer(self._path, is_checked=self._options.is_checked)
        with database.closed_on_failure(connection, self._path):
            if self._options.is_migrated:
                for version in migrate(connection, self._path, self._clock.now_us()):
                    log.info("migrated the database", version=version)
            else:
                check_version(connection, self._path)
            self._has_text_index = prepare(connection, is_wanted=self._options.has_text_index)
        return connection

    def _observe(self, report: CommitReport) -> None:
        stats = self._stats
        if report.error:
            stats.failures += 1
        else:
            stats.commits += 1
            stats.messages += report.messages
            stats.changes += report.changes
        stats.last = report
        if self._on_commit is not None:
            self._on_commit(report)
