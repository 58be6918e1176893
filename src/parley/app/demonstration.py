"""The demonstration: a server on loopback with two people who know each other."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from parley.app.data_folder import DataFolder
from parley.app.errors import DataUnusable, Unwilling
from parley.app.listening import is_free
from parley.app.passwords import generate_password
from parley.app.setting_up import SETTINGS_FILE, set_up
from parley.app.source import SettingsSource
from parley.base.clock import SystemClock
from parley.base.config import ListenAddress, Settings
from parley.domain.accounts import Account
from parley.domain.contacts import Contact
from parley.domain.subscriptions import SubscriptionState
from parley.identity.sign_in import credentials_for, fits
from parley.storage.sqlite.store import SqliteStorage, StorageOptions

DOMAIN: Final = "localhost"
PEOPLE: Final = {"alice": "Alice", "bob": "Bob"}

_HOST: Final = "127.0.0.1"
_PASSWORDS: Final = "passwords.json"
_FRIENDS: Final = SubscriptionState(to=True, from_=True)
_TRIES: Final = 50
_DEFAULTS: Final = {
    "http.listen": [f"{_HOST}:8080"],
    "http.public_url": "http://localhost:8080",
    # What is printed is what to open and how to sign in; the day's events would hide it.
    "log.level": "warning",
}


def prepare_settings(folder: Path, overrides: tuple[str, ...]) -> tuple[SettingsSource, dict[int, int]]:
    """Write the settings unless they are there, and move away from ports that are taken.

    Args:
        folder: where everything of the demonstration lies.
        overrides: of the command line.

    Returns:
        The settings to serve with, and the taken ports with those used instead.

    Raises:
        Unwilling: the settings would open the demonstration, whose passwords lie about, to other machines.
        ConfigError, DataUnusable: the settings cannot be used or written.
    """
    if not (folder / SETTINGS_FILE).exists():
        set_up(folder, [DOMAIN], _DEFAULTS)
    source = SettingsSource(folder / SETTINGS_FILE, overrides)
    settings = source.load()
    _check_loopback(settings)
    more, moved = _move(settings)
    return SettingsSource(source.path, (*overrides, *more)), moved


async def prepare_people(folder: Path, settings: Settings) -> dict[str, str]:
    """Make the two accounts unless they are there, and each a contact of the other.

    Returns:
        The password of each address, "" for one that was changed since.

    Raises:
        DataInUse, DataUnusable, StorageError, StorageUnavailable: see there.
    """
    clock = SystemClock()
    passwords = _passwords(folder / _PASSWORDS)
    with DataFolder(settings.data_dir):
        async with SqliteStorage(settings.database_path, clock, StorageOptions(is_migrated=True)) as storage:
            accounts = []
            for name, password in passwords.items():
                address = f"{name}@{settings.primary_domain}"
                account = await storage.accounts.find(address)
                if account is None:
                    hashed = credentials_for(password, settings.login.scram_iterations, secrets.token_bytes)
                    account = await storage.accounts.add(address, hashed, clock.now_us())
                accounts.append(account)
            await _befriend(storage, accounts, settings.limits.max_roster_items)
            return {
                account.address: password if await _is_current(storage, account, password) else ""
                for account, password in zip(accounts, passwords.values(), strict=True)
            }


async def _befriend(storage: SqliteStorage, accounts: list[Account], limit: int) -> None:
    for account in accounts:
        known = (await storage.rosters.load(account.id)).contacts
        for other in accounts:
            if other.id != account.id and other.address not in known:
                name = PEOPLE[other.address.partition("@")[0]]
                await storage.rosters.put(account.id, Contact(other.address, name, state=_FRIENDS), limit)


async def _is_current(storage: SqliteStorage, account: Account, password: str) -> bool:
    kept = await storage.accounts.credentials(account.address)
    return bool(kept) and fits(password, kept[0])


def _passwords(path: Path) -> dict[str, str]:
    """The two people's passwords, made once and kept."""
    try:
        if not path.exists():
            made = {name: generate_password() for name in PEOPLE}
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(made, file, indent=2)
        found = json.loads(path.read_text())
        return {name: str(found[name]) for name in PEOPLE}
    except OSError as error:
        raise DataUnusable(str(path), error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataUnusable(str(path), "is not what the demonstration wrote: delete it") from error


def _check_loopback(settings: Settings) -> None:
    every = (*settings.http.listen, *settings.http.listen_tls, *settings.xmpp.c2s, *settings.xmpp.c2s_tls)
    for address in every:
        if not address.is_loopback:
            raise Unwilling("not-loopback", f"the demonstration listens on loopback only, not at {address}")


def _move(settings: Settings) -> tuple[list[str], dict[int, int]]:
    """Overrides that replace taken ports by free ones, and which they are."""
    moved: dict[int, int] = {}
    overrides: list[str] = []
    listening = {
        "http.listen": settings.http.listen,
        "http.listen_tls": settings.http.listen_tls,
        "xmpp.c2s": settings.xmpp.c2s,
        "xmpp.c2s_tls": settings.xmpp.c2s_tls,
    }
    for setting, addresses in listening.items():
        replaced = [_free(address, moved) for address in addresses]
        if tuple(replaced) != addresses:
            overrides.append(f"{setting}={json.dumps([str(address) for address in replaced])}")
    port = settings.http.listen[0].port if settings.http.listen else 0
    if port in moved and settings.http.public_url == f"http://localhost:{port}":
        overrides.append(f"http.public_url=http://localhost:{moved[port]}")
    return overrides, moved


def _free(address: ListenAddress, moved: dict[int, int]) -> ListenAddress:
    if address.port == 0 or is_free(address):
        return address
    for candidate in _candidates(address.port):
        other = ListenAddress(address.host, candidate)
        if candidate not in moved.values() and is_free(other):
            moved[address.port] = candidate
            return other
    raise Unwilling("port-taken", f"neither {address} nor any port near it is free")


def _candidates(port: int) -> Iterable[int]:
    # Ports that people recognise: 8080 becomes 18080, 5222 becomes 15222, then one by one.
    start = port + 10000 if port < 50000 else port - 10000
    return range(start, start + _TRIES)
