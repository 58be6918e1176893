"""`parley migrate`."""

from __future__ import annotations

import asyncio

import click

from parley.app.commands.frame import Command, Invocation, pass_invocation
from parley.app.data_folder import DataFolder
from parley.base.clock import SystemClock
from parley.base.config import Settings
from parley.storage.sqlite.store import SqliteStorage, StorageOptions


@click.command(cls=Command)
@pass_invocation
def migrate(invocation: Invocation) -> None:
    """Bring the database's schema up to date. The server must not be running; make a backup first."""
    settings = invocation.settings()
    version = asyncio.run(migrate_database(settings))
    invocation.answer({"schema_version": version})
    invocation.say(f"The schema is up to date: version {version}.")


async def migrate_database(settings: Settings) -> int:
    """Bring the schema up to date and return its version.

    Raises:
        DataInUse: a server runs.
        StorageError: the database cannot be used, or is newer than this Parley.
    """
    with DataFolder(settings.data_dir):
        async with SqliteStorage(settings.database_path, SystemClock(), StorageOptions(is_migrated=True)):
            pass
        return (await SqliteStorage.verify(settings.database_path)).schema_version
