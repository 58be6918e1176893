"""The base of the state machines: each runs over one storage, which is opened for every example."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine

from parley.storage.sqlite.store import StorageOptions

from ..people import AnyStorage, open_storage

T = TypeVar("T")

MEMORY = settings(max_examples=60, stateful_step_count=40)
SQLITE = settings(max_examples=15, stateful_step_count=40)


class StorageMachine(RuleBasedStateMachine):
    kind: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._runner = asyncio.Runner()
        opened = open_storage(self.kind, Path(self._folder.name), StorageOptions(is_checked=False))
        self.storage: AnyStorage = self.run(opened.__aenter__())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def teardown(self) -> None:
        self.run(self.storage.__aexit__(None, None, None))
        self._runner.close()
        self._folder.cleanup()
