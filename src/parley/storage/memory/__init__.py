"""The ports in memory, for tests and experiments: `MemoryStorage` has the stores of `SqliteStorage` and its answers.

Nothing survives the process. The contract suite in `tests/storage/contract` holds both to the same behaviour.
"""

from parley.storage.memory.store import MemoryStorage

__all__ = ["MemoryStorage"]
