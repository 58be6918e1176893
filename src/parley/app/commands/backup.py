"""`parley backup …`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from parley.app.backup import creating, restoring
from parley.app.backup.restoring import Verified
from parley.app.commands.frame import Group, Invocation, pass_invocation
from parley.app.commands.progress import Progress

_EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(cls=Group)
def backup() -> None:
    """Create, verify and restore backups.

    A backup is one file with the database, the files, the server's secret and the settings. It is as confidential as
    the server itself.
    """


@backup.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_invocation
def create(invocation: Invocation, file: Path) -> None:
    """Write a backup to FILE, consistent while the server runs. An existing file is not overwritten."""
    source = invocation.source()
    with Progress("bytes saved") as progress:
        created = creating.create(source.load(), source.path, file.absolute(), progress.update)
    invocation.answer({**dataclasses.asdict(created), "path": str(created.path)})
    for name in created.missing:
        invocation.say(f"Warning: the content {name} is not on the disk and not in the backup.")
    for name in created.damaged:
        invocation.say(f"Warning: the content {name} is damaged on the disk, and so it is in the backup.")
    invocation.say(f"Wrote {file}: {created.size_bytes} bytes, {created.contents} files.")


@backup.command()
@click.argument("file", type=_EXISTING)
@pass_invocation
def verify(invocation: Invocation, file: Path) -> None:
    """Read the backup FILE completely and say whether it is sound."""
    with Progress("bytes read") as progress:
        verified = restoring.verify(file.absolute(), progress.update)
    invocation.answer(_document(verified))
    invocation.say(f"{file} is sound: {_summary(verified)}.")


@backup.command()
@click.argument("file", type=_EXISTING)
@click.option(
    "--into",
    "data_dir",
    metavar="DATA",
    type=click.Path(path_type=Path, file_okay=False),
    help="The data folder to restore into; without it, that of the settings.",
)
@click.option("--force", "is_forced", is_flag=True, help="Set data that are there aside.")
@pass_invocation
def restore(invocation: Invocation, file: Path, data_dir: Path | None, is_forced: bool) -> None:
    """Verify the backup FILE and put it in place. The server must not be running."""
    data_dir = (data_dir or invocation.settings().data_dir).absolute()
    with Progress("bytes read") as progress:
        restored = restoring.restore(file.absolute(), data_dir, progress.update, is_forced=is_forced)
    aside = str(restored.set_aside) if restored.set_aside is not None else None
    invocation.answer({**_document(restored.verified), "data_dir": str(data_dir), "set_aside": aside})
    invocation.say(f"Restored {_summary(restored.verified)} into {data_dir}.")
    if aside is not None:
        invocation.say(f"The former data are in {aside}.")


def _document(verified: Verified) -> dict[str, Any]:
    return {
        "created_at": verified.manifest.created_at,
        "parley": verified.manifest.parley,
        "domains": list(verified.manifest.domains),
        "schema_version": verified.database.schema_version,
        "accounts": verified.database.accounts,
        "messages": verified.database.messages,
        "contents": verified.contents,
        "missing": list(verified.manifest.missing),
        "damaged": list(verified.manifest.damaged),
        "size_bytes": verified.size_bytes,
    }


def _summary(verified: Verified) -> str:
    database = verified.database
    return f"{database.accounts} accounts, {database.messages} messages, {verified.contents} files"
