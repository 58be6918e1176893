"""`DeviceStore` on SQLite."""

from __future__ import annotations

import sqlite3

from parley.domain.accounts import Credential
from parley.domain.devices import Device
from parley.domain.errors import LimitReached
from parley.storage.sqlite.readers import Readers
from parley.storage.sqlite.rows import Row, credential_from, credential_row
from parley.storage.sqlite.sql import sql
from parley.storage.sqlite.writer import Writer

_SEEN = sql("devices.seen")
_IS_ONE_TOO_MANY = sql("devices.is_one_too_many")
_FORGET_EARLIER_PLACES = sql("devices.forget_earlier_places")
_FORGET = sql("devices.forget")
_FORGET_TOKENS_OF_NO_DEVICE = sql("tokens.forget_of_no_device")
_FORGET_TOKENS_OF_DEVICE = sql("tokens.forget_of_device")
_FORGET_TOKENS = sql("tokens.forget_all")
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

    async def seen(
        self,
        account_id: int,
        resource: str,
        name: str,
        address: str,
        now: int,
        *,
        software: str = "",
        client: bytes = b"",
        keep: int = 100,
        is_refusing: bool = False,
    ) -> None:
        """Record that the device signed in; see the port."""
        values = {
            "account": account_id,
            "resource": resource,
            "name": name,
            "address": address,
            "now": now,
            "software": software,
            "client": client,
            "keep": keep,
        }

        def change(connection: sqlite3.Connection) -> None:
            if is_refusing and connection.execute(_IS_ONE_TOO_MANY, values).fetchone()[0]:
                raise LimitReached("too-many-devices")
            connection.execute(_SEEN, values)
            connection.execute(_FORGET_EARLIER_PLACES, values)
            connection.execute(_FORGET, values)
            connection.execute(_FORGET_TOKENS_OF_NO_DEVICE, values)

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
        """Forget the device, its credential and its installation's tokens; False if there was none."""

        def change(connection: sqlite3.Connection) -> bool:
            connection.execute(_FORGET_TOKENS_OF_DEVICE, {"account": account_id, "resource": resource})
            return connection.execute(_DELETE, (account_id, resource)).rowcount > 0

        return await self._writer.run(change)

    async def revoke_all(self, account_id: int) -> list[str]:
        """Forget all devices, credentials and tokens of the account; returns the devices' resources, sorted."""

        def change(connection: sqlite3.Connection) -> list[str]:
            resources = [row[0] for row in connection.execute(_RESOURCES, (account_id,)).fetchall()]
            connection.execute(_DELETE_ALL, (account_id,))
            connection.execute(_FORGET_TOKENS, (account_id,))
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
        has_token=bool(row[7]),
        software=row[8],
        client=row[9],
    )


def _execute(connection: sqlite3.Connection, statement: str, values: dict[str, object]) -> None:
    connection.execute(statement, values)
