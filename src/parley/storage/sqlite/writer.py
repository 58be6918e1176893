"""The one thread that writes, and group commit: one sync serves everything that waited for it.

Calls are made on the event loop. What one turn of the loop asks for is handed to the thread at the end of that turn;
the thread takes all that waits (up to `batch_items`), runs it in one transaction, and reports back with a single
`call_soon_threadsafe`. While it syncs, the next batch gathers.

The queue is bounded by items and bytes. When it is full, a message is refused with `storage-overloaded`: its callback
waits in line without its content, so the order of the callbacks holds; any other change raises that error at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.domain.messages import Appended, NewMessage
from parley.domain.ports import AppendDone
from parley.storage.sqlite import failures
from parley.storage.sqlite.addresses import AddressBook
from parley.storage.sqlite.batch import BatchRunner
from parley.storage.sqlite.checkpoints import Checkpoints
from parley.storage.sqlite.give_way import GiveWay
from parley.storage.sqlite.inbox import Batch, Inbox, WriterLimits
from parley.storage.sqlite.rows import id_to_blob
from parley.storage.sqlite.work import Append, Change, CommitReport, Failed, Item, Refused, Result

T = TypeVar("T")
log = logs.get(__name__)

_ITEM_OVERHEAD_BYTES = 512


class Writer:
    """The writer's side that lives on the event loop. `start` once, then any calls, then `close`.

    Args:
        connection: from `database.open_writer`; closed by `close`.
        limits: see `WriterLimits`.
        checkpoints: started and closed with the writer.
        on_commit: called on the loop after every transaction, before its callers hear of it.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        limits: WriterLimits,
        checkpoints: Checkpoints,
        on_commit: Callable[[CommitReport], None],
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._checkpoints = checkpoints
        self._on_commit = on_commit
        self._runner = BatchRunner(connection)
        self._inbox = Inbox(limits)
        self._give_way = GiveWay()
        self._thread = threading.Thread(target=self._run, name="storage-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._staged: list[Item] = []
        self._staged_cursors: dict[int, int] = {}
        self._is_staged = False
        self._is_closed = False
        self._delivered: dict[int, int] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._queued_bytes = 0
        self.queued = 0
        self.trouble = ""

    @property
    def addresses(self) -> AddressBook:
        """The cache of interned addresses; only for operations, on the writer's thread."""
        return self._runner.addresses

    def start(self) -> None:
        """Start the thread; callbacks will run on the loop that is running now."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._checkpoints.start()

    def append(self, message: NewMessage, done: AppendDone) -> None:
        """Queue a message. Never blocks; `done` is called on the loop, in the order of the calls.

        Raises:
            ValueError: the message's id is not a UUID.
        """
        size_bytes = len(message.content) + _ITEM_OVERHEAD_BYTES
        error = self._refusal(size_bytes)
        if error is None:
            self._queued_bytes += size_bytes
            self.queued += 1
            self._stage(Append(message, id_to_blob(message.id), done, size_bytes))
        elif self._is_closed:
            self._running_loop().call_soon(done, error)
        else:
            self._stage(Refused(done, error))

    async def run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run a change inside the next transaction and return its value when that is synced.

        Args:
            operation: called on the writer's thread, alone in a savepoint; what it raises undoes it, not its
                neighbours. It must not commit.

        Raises:
            StorageUnavailable: nothing was stored.
            Exception: whatever `operation` raised.
        """
        error = self._refusal(_ITEM_OVERHEAD_BYTES)
        if error is not None:
            raise error
        future: asyncio.Future[T] = self._running_loop().create_future()

        def settle(value: Any, failure: BaseException | None) -> None:
            if future.done():
                return
            if failure is None:
                future.set_result(value)
            else:
                future.set_exception(failure)

        self._change(Change(operation, settle, _ITEM_OVERHEAD_BYTES))
        return await future

    def submit(
        self,
        operation: Callable[[sqlite3.Connection], T],
        done: Callable[[T | StorageUnavailable], None],
        size_bytes: int,
    ) -> None:
        """Queue a change as `append` queues a message: never blocks, `done` is called in the order of the calls.

        Args:
            operation: as for `run`, but it raises nothing but sqlite3.Error.
            done: called on the loop.
            size_bytes: what it keeps in memory while it waits.
        """
        size_bytes += _ITEM_OVERHEAD_BYTES

        def settle(value: Any, failure: BaseException | None) -> None:
            if failure is None:
                done(value)
            else:
                done(failure if isinstance(failure, StorageUnavailable) else StorageUnavailable("storage-defect"))

        error = self._refusal(size_bytes)
        if error is None:
            self._change(Change(operation, settle, size_bytes))
        elif self._is_closed:
            self._running_loop().call_soon(done, error)
        else:
            self._stage(Refused(lambda answer: settle(None, _error_of(answer)), error))

    def delivered(self, account_id: int, seq: int) -> None:
        """Move a delivery cursor forward in memory; it is written with the next commit, at the latest in a second."""
        if self._is_closed or seq <= self._delivered.get(account_id, 0):
            return
        self._delivered[account_id] = seq
        self._staged_cursors[account_id] = seq
        self._schedule()

    def cursor(self, account_id: int) -> int:
        """The delivery cursor as far as it is not committed yet; 0 if it is."""
        return self._delivered.get(account_id, 0)

    async def flush(self) -> None:
        """Wait until everything asked for before, delivery cursors included, is committed. Raises as `run`."""
        await self.run(_nothing)

    async def close(self) -> None:
        """Commit what waits, stop the thread and close the connection. What comes later is refused."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._retry is not None:
            self._retry.cancel()
        self._hand_over()
        self._inbox.close()
        self._give_way.close()
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._checkpoints.close)
        await asyncio.to_thread(self._connection.close)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the writer was not started")
        return self._loop

    def _refusal(self, size_bytes: int) -> StorageUnavailable | None:
        if self._is_closed:
            return StorageUnavailable("storage-closed", "the storage is closed")
        if self.trouble == failures.CORRUPT:
            # What is written into a damaged file may be lost with it, so it must not be acknowledged.
            return StorageUnavailable(failures.CORRUPT, "the database is damaged; restore a backup")
        if self.queued >= self._limits.queued_items or self._queued_bytes + size_bytes > self._limits.queued_bytes:
            return StorageUnavailable("storage-overloaded", "too much waits to be written")
        return None

    def _change(self, change: Change) -> None:
        self._queued_bytes += change.size_bytes
        self.queued += 1
        self._stage(change)

    def _stage(self, item: Item) -> None:
        self._staged.append(item)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_staged:
            self._is_staged = True
            self._running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._is_staged = False
        if self._staged or self._staged_cursors:
            if self._staged:
                self._give_way.work_waits()
            self._inbox.put(self._staged, self._staged_cursors)
            self._staged = []
            self._staged_cursors = {}

    def _run(self) -> None:
        """The thread."""
        loop = self._running_loop()
        while (batch := self._inbox.take()) is not None:
            started = time.perf_counter()
            outcome: list[Result] | StorageUnavailable
            try:
                outcome = self._runner.run(batch.items, batch.cursors)
            except StorageUnavailable as error:
                outcome = error
            except Exception as error:
                # The edge of the thread: a defect must fail this batch, never end the writer.
                log.defect("writing a batch failed", error)
                outcome = StorageUnavailable("storage-defect", repr(error))
            duration_s = time.perf_counter() - started
            try:
                loop.call_soon_threadsafe(self._resolve, batch, outcome, duration_s)
            except RuntimeError:
                # The loop was closed without closing the storage; nobody is left to hear of it.
                return
            self._give_way.progress()
            self._checkpoints.committed(self._connection, len(batch.items))

    def _resolve(self, batch: Batch, outcome: list[Result] | StorageUnavailable, duration_s: float) -> None:
        """Tell everyone of a batch, on the loop."""
        appends = changes = 0
        for item in batch.items:
            if isinstance(item, Append):
                appends += 1
                self._queued_bytes -= item.size_bytes
            elif isinstance(item, Change):
                changes += 1
                self._queued_bytes -= item.size_bytes
        self.queued -= appends + changes
        self._give_way.batch_resolved(is_more=self.queued > 0)
        self._note_outcome(batch, outcome)
        code = outcome.code if isinstance(outcome, StorageUnavailable) else ""
        self._on_commit(CommitReport(duration_s, appends, changes, self.queued, code))
        for place, item in enumerate(batch.items):
            result = Failed(outcome) if isinstance(outcome, StorageUnavailable) else outcome[place]
            _tell(item, result)

    def _note_outcome(self, batch: Batch, outcome: list[Result] | StorageUnavailable) -> None:
        if isinstance(outcome, StorageUnavailable):
            # What is tried again every second fills no log, least of all on a full disk.
            if outcome.code != self.trouble or not all(map(_is_retry, batch.items)):
                log.error("commit failed", code=outcome.code, detail=str(outcome), items=len(batch.items))
            self._set_trouble(outcome.code)
            if not self._is_closed:
                self._inbox.put([], batch.cursors)
                self._try_again_later()
            return
        self._set_trouble("")
        for account_id, seq in batch.cursors.items():
            if self._delivered.get(account_id) == seq:
                del self._delivered[account_id]

    def _try_again_later(self) -> None:
        # Who asks whether the server is ready sends nobody here while it is not: without this it would never hear
        # that the disk has room again.
        if self._retry is None and self.trouble != failures.CORRUPT:
            self._retry = self._running_loop().call_later(self._limits.retry_interval_s, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        if not self.trouble:
            return
        if self._refusal(_ITEM_OVERHEAD_BYTES) is None:
            self._change(Change(_touch, _unheard, _ITEM_OVERHEAD_BYTES))
        else:
            # What waits will show.
            self._try_again_later()

    def _set_trouble(self, code: str) -> None:
        # A damaged file does not heal: that word stays until the process ends.
        if self.trouble != failures.CORRUPT:
            self.trouble = code

    def report_corrupt(self) -> None:
        """Note that a reader found the file damaged."""
        self._set_trouble(failures.CORRUPT)


def _tell(item: Item, result: Result) -> None:
    try:
        if isinstance(item, Change):
            _settle(item, result)
        else:
            item.done(_append_answer(result))
    except Exception as error:
        # The edge to the callers: one whose callback fails must not keep the others from hearing.
        log.defect("a callback of the storage failed", error)


def _append_answer(result: Result) -> Appended | StorageUnavailable:
    if isinstance(result, Failed):
        error = result.error
        return failures.again(error) if isinstance(error, StorageUnavailable) else StorageUnavailable("storage-defect")
    answer: Appended | StorageUnavailable = result
    return answer


def _error_of(answer: Appended | StorageUnavailable) -> StorageUnavailable:
    # Who is refused hears of nothing but its error.
    return answer if isinstance(answer, StorageUnavailable) else StorageUnavailable("storage-defect")


def _settle(item: Change, result: Result) -> None:
    if not isinstance(result, Failed):
        item.settle(result, None)
    elif isinstance(result.error, StorageUnavailable):
        item.settle(None, failures.again(result.error))
    else:
        item.settle(None, result.error)


def _touch(connection: sqlite3.Connection) -> None:
    """The change that changes nothing, and yet writes a page of the file: to commit it proves that one can be."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


def _is_retry(item: Item) -> bool:
    return isinstance(item, Change) and item.operation is _touch


def _unheard(_value: Any, _failure: BaseException | None) -> None:
    """Nobody waits for it."""


def _nothing(_: sqlite3.Connection) -> None:
    """The change that only waits for its turn."""
