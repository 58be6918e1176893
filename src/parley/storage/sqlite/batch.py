"""One transaction for everything that waited: each change in a savepoint of its own, messages in runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import groupby

from parley.domain.errors import StorageUnavailable
from parley.storage.sqlite import failures
from parley.storage.sqlite.addresses import AddressBook
from parley.storage.sqlite.append import append_run
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.work import Append, Change, Failed, Item, Operation, Refused, Result

_MOVE_CURSOR = sql("messages.move_cursor")


class BatchRunner:
    """Runs batches on the writer's connection; belongs to the writer's thread.

    Args:
        connection: with no transaction open.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.addresses = AddressBook()

    def run(self, items: Sequence[Item], cursors: Mapping[int, int]) -> list[Result]:
        """Do everything and commit; when this returns, all of it is synced.

        Args:
            items: in the order of their calls.
            cursors: delivery cursors to move forward, account id to position.

        Returns:
            One result for each item, in order.

        Raises:
            StorageUnavailable: nothing of the batch was stored.
        """
        try:
            return self._commit(items, cursors)
        except sqlite3.Error as error:
            self._roll_back()
            raise failures.unavailable(error) from error
        except BaseException:
            self._roll_back()
            raise

    def _commit(self, items: Sequence[Item], cursors: Mapping[int, int]) -> list[Result]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        self.addresses.begin(connection)
        results: list[Result] = []
        for kind, run in groupby(items, type):
            if kind is Append:
                appends = [item for item in run if isinstance(item, Append)]
                results += append_run(connection, self.addresses, appends)
            else:
                results += [self._change(item) for item in run]
        if cursors:
            connection.executemany(_MOVE_CURSOR, list(cursors.items()))
        connection.execute("COMMIT")
        return results

    def _change(self, item: Item) -> Result:
        if isinstance(item, Refused):
            return item.error
        assert isinstance(item, Change)  # noqa: S101 - the third kind there is
        return self._guarded(item.operation)

    def _guarded(self, operation: Operation) -> Result:
        connection = self._connection
        connection.execute("SAVEPOINT change")
        try:
            result: Result = operation(connection)
        except sqlite3.Error as error:
            if failures.fatal_code(error):
                raise
            result = Failed(_meaning(error))
            connection.execute("ROLLBACK TO change")
        except Exception as error:
            # The edge between the writer and its callers: whatever it is, it concerns this caller alone.
            result = Failed(error)
            connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        return result

    def _roll_back(self) -> None:
        self.addresses.rolled_back()
        # Some failures end the transaction themselves.
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise StorageUnavailable("storage-io-error", f"rollback failed: {error}") from error


def _meaning(error: sqlite3.Error) -> BaseException:
    if isinstance(error, sqlite3.IntegrityError):
        return failures.refusal(error) or error
    return error
