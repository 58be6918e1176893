"""`MemoryStorage`: the stores on dictionaries."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from parley.storage.memory.archive import MemoryInbox, MemoryPreferences, MemoryTextIndex
from parley.storage.memory.blocks import MemoryBlocks
from parley.storage.memory.invitations import MemoryInvitations
from parley.storage.memory.messages import MemoryMessages
from parley.storage.memory.nodes import MemoryNodes
from parley.storage.memory.partners import MemoryOutgoing, MemoryPartners
from parley.storage.memory.people import MemoryAccounts, MemoryConversations, MemoryDevices, MemoryRosters
from parley.storage.memory.personal import MemoryPersonal
from parley.storage.memory.push import MemoryPush
from parley.storage.memory.push_targets import MemoryPushTargets
from parley.storage.memory.rooms import MemoryRooms
from parley.storage.memory.state import Tables
from parley.storage.memory.tokens import MemoryTokens
from parley.storage.memory.uploads import MemoryUploads


class MemoryStorage:
    """All stores in memory. An async context manager, as `SqliteStorage` is; usable without entering it, too."""

    healthy = True
    trouble = ""

    def __init__(self) -> None:
        tables = Tables()
        self.accounts = MemoryAccounts(tables)
        self.devices = MemoryDevices(tables)
        self.rosters = MemoryRosters(tables)
        self.messages = MemoryMessages(tables)
        self.conversations = MemoryConversations(tables)
        self.inbox = MemoryInbox(tables)
        self.preferences = MemoryPreferences(tables)
        self.text_index = MemoryTextIndex(tables)
        self.nodes = MemoryNodes(tables)
        self.tokens = MemoryTokens(tables)
        self.uploads = MemoryUploads(tables)
        self.rooms = MemoryRooms()
        self.blocks = MemoryBlocks(tables)
        self.personal = MemoryPersonal(tables)
        self.invitations = MemoryInvitations(tables)
        self.push = MemoryPush(tables)
        self.push_targets = MemoryPushTargets()
        self.partners = MemoryPartners()
        self.outgoing = MemoryOutgoing(tables)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def flush(self) -> None:
        """All is done already."""
