"""A process for the durability tests: appends messages and notes each acknowledgement in a file.

Arguments: database, file of acknowledgements, and how many messages to append (for ever without it).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from parley.base.clock import SystemClock
from parley.base.ids import Uuid7
from parley.domain.errors import StorageUnavailable
from parley.domain.messages import Appended, Confidentiality, Direction, MailboxEntry, NewMessage
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

ALICE = "alice@example.org"
BURST = 40


async def main(path: Path, acks: int, count: int | None) -> None:
    ids = Uuid7(SystemClock())
    async with SqliteStorage(path, SystemClock(), StorageOptions(is_checked=False)) as storage:
        account = await storage.accounts.find(ALICE) or await storage.accounts.add(ALICE, [], 1)
        entries = (MailboxEntry(account.id, "bob@example.org", Direction.OUT, is_archived=True, is_mailed=False),)
        number = 0
        while count is None or number < count:
            finished = asyncio.get_running_loop().create_future()
            for place in range(BURST):
                marker = f"ack-{number:06}"

                def done(
                    result: Appended | StorageUnavailable, place: int = place, marker: str = marker, finished=finished
                ) -> None:
                    assert isinstance(result, Appended), result
                    os.write(acks, f"{result.id if count is None else marker}\n".encode())
                    if place == BURST - 1:
                        finished.set_result(None)

                content = marker.encode() * 60
                new = NewMessage(ids.text(), number, ALICE, "bob@example.org", Confidentiality.SEALED, content, entries)
                storage.messages.append(new, done)
                number += 1
            await finished


if __name__ == "__main__":
    descriptor = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    asyncio.run(main(Path(sys.argv[1]), descriptor, int(sys.argv[3]) if len(sys.argv) > 3 else None))
