"""`parley user export`, `import-xep0227`, `import-prosody`: accounts that move, with all that belongs to them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parley.app.addresses import parse_address
from parley.app.commands.frame import Command, Invocation, pass_invocation
from parley.app.commands.progress import Progress
from parley.app.data_folder import DataFolder
from parley.app.database import open_storage
from parley.app.errors import Unwilling
from parley.app.moving.prosody import read_prosody
from parley.app.moving.reading import read_portable
from parley.app.moving.storing import Report, Storing
from parley.app.moving.writing import write_portable
from parley.base.clock import SystemClock
from parley.base.ids import Uuid7
from parley.domain.errors import NotFound

if TYPE_CHECKING:
    from parley.app.moving.records import AccountRecord
    from parley.base.config import Settings
    from parley.domain.accounts import Account


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("addresses", metavar="[ADDRESS]...", nargs=-1)
@pass_invocation
def export(invocation: Invocation, file: Path, addresses: tuple[str, ...]) -> None:
    """Write accounts (all, or those named) to FILE as XEP-0227, readable by this user only.

    With what SCRAM keeps of their passwords, contacts, waiting messages, personal nodes, private data and card; without
    archive and files. The server has to be stopped.
    """
    settings = invocation.settings()
    wanted = [parse_address(address) for address in addresses]
    count = asyncio.run(_export(settings, file, wanted))
    invocation.answer({"exported": count, "file": str(file)})
    invocation.say(f"Wrote {count} accounts to {file}. Keep it as safe as the data itself.")


@click.command("import-xep0227", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@pass_invocation
def import_xep0227(invocation: Invocation, file: Path) -> None:
    """Import accounts from FILE, which another server wrote as XEP-0227 (ejabberd: `export_piefxis`).

    Each account comes whole or not at all; what was left out is told. The server has to be stopped.
    """
    _import(invocation, read_portable(file))


@click.command("import-prosody", cls=Command)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@pass_invocation
def import_prosody(invocation: Invocation, folder: Path) -> None:
    """Import accounts from the data FOLDER of a Prosody server with its internal storage.

    Each account comes whole or not at all; what was left out is told. Both servers have to be stopped.
    """
    _import(invocation, read_prosody(folder))


def _import(invocation: Invocation, records: Iterable[AccountRecord]) -> None:
    settings = invocation.settings()
    with Progress("importing accounts") as progress:
        report = asyncio.run(_store(settings, records, lambda count: progress.update(count, count + 1)))
    for address, reason in report.left_out:
        invocation.say(f"{address} was not imported: {reason}")
    for address, remark in report.remarks:
        invocation.say(f"{address}: {remark}")
    document: dict[str, Any] = {
        "imported": report.imported,
        "left_out": [{"address": address, "reason": reason} for address, reason in report.left_out],
        "remarks": [{"address": address, "remark": remark} for address, remark in report.remarks],
    }
    if report.left_out:
        invocation.answer(document)
        raise Unwilling("import-incomplete", f"{len(report.imported)} imported, {len(report.left_out)} left out")
    invocation.answer(document)
    invocation.say(f"Imported {len(report.imported)} accounts.")


async def _store(settings: Settings, records: Iterable[AccountRecord], progress: Callable[[int], None]) -> Report:
    clock = SystemClock()
    with DataFolder(settings.data_dir):
        async with open_storage(settings, clock) as storage:
            return await Storing(storage, settings, clock, Uuid7(clock).text).store(records, progress)


async def _export(settings: Settings, file: Path, wanted: list[str]) -> int:
    with DataFolder(settings.data_dir):
        async with open_storage(settings, SystemClock()) as storage:
            accounts = _chosen(await storage.accounts.all(), wanted)
            try:
                # Credentials are in it: nobody else may read it, and none of another is overwritten.
                target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(target, "wb") as output:
                    async for piece in write_portable(storage, accounts):
                        output.write(piece)
            except OSError as error:
                raise Unwilling("file-unusable", f"{file}: {error.strerror or error}") from error
    return len(accounts)


def _chosen(accounts: list[Account], wanted: list[str]) -> list[Account]:
    if not wanted:
        return accounts
    known = {account.address: account for account in accounts}
    for address in wanted:
        if address not in known:
            raise NotFound("account-not-found", f"there is no account {address}")
    return [known[address] for address in dict.fromkeys(wanted)]
