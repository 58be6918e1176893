"""`DeviceStore` on SQLite."""

from __future__ import annotations

import sqlite3

from parley.domain.accounts import Credential
from parley.domain.devices import Device
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row, credential_from, credential_row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_SEEN = sql("devices.seen")
_FORGET = sql("devices.forget")
_ALL = sql("devices.all")
_ENROL = sql("devices.enrol")
_SET_CREDENTIAL = sql("devices.set_credential")
_CREDENTIAL = sql("devices.credential")
_DELETE = sql("devices.delete")
_RESOURCES = sql("devices.resources")
_DELETE_ALL = sql("devices.delete_all")


class SqliteDevices:
    """Devices and their own credentials. Methods that name an unknown account raise NotFound("account-not-found")."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def seen(self, account_id: int, resource: str, name: str, address: str, now: int, *, keep: int = 100) -> None:
        """Record that the device signed in; forget all but the `keep` last seen. An empty name keeps the known one."""
        values = {"account": account_id, "resource": resource, "name": name, "address": address, "now": now}

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_SEEN, values)
            connection.execute(_FORGET, {"account": account_id, "keep": keep})

        await self._writer.run(change)

    async def all(self, account_id: int) -> list[Device]:
        """All devices of an account, the last seen first."""
        rows = await self._readers.run(lambda connection: connection.execute(_ALL, (account_id,)).fetchall())
        return [_device_from(row) for row in rows]

    async def set_credential(self, account_id: int, resource: str, credential: Credential, name: str, now: int) -> None:
        """Let the device sign in with a secret of its own; an unknown device becomes known, seen `now`."""

        def change(connection: sqlite3.Connection) -> None:
            values = {"account": account_id, "resource": resource, "name": name, "now": now}
            connection.execute(_ENROL, values)
            connection.execute(_SET_CREDENTIAL, (account_id, resource, *credential_row(credential)))

        await self._writer.run(change)

    async def credential(self, address: str, resource: str) -> Credential | None:
        """The device's own credential."""
        row = await self._readers.run(
            lambda connection: connection.execute(_CREDENTIAL, (address, resource)).fetchone()
        )
        return None if row is None else credential_from(row)

    async def revoke(self, account_id: int, resource: str) -> bool:
        """Forget the device and its credential; False if there was none."""
        return await self._writer.run(
            lambda connection: connection.execute(_DELETE, (account_id, resource)).rowcount > 0
        )

    async def revoke_all(self, account_id: int) -> list[str]:
        """Forget all devices and credentials of the account; returns their resources, sorted."""

        def change(connection: sqlite3.Connection) -> list[str]:
            resources = [row[0] for row in connection.execute(_RESOURCES, (account_id,)).fetchall()]
            connection.execute(_DELETE_ALL, (account_id,))
            return resources

        return await self._writer.run(change)


def _device_from(row: Row) -> Device:
    return Device(
        account_id=row[0],
        resource=row[1],
        name=row[2],
        first_seen=row[3],
        last_seen=row[4],
        last_address=row[5],
        has_credential=bool(row[6]),
    )


def _execute(connection: sqlite3.Connection, statement: str, values: dict[str, object]) -> None:
    connection.execute(statement, values)
