"""`parley user …`: accounts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from parley.app.addresses import parse_new_address
from parley.app.asking import ask
from parley.app.commands.frame import Group, Invocation, address_argument, pass_invocation
from parley.app.commands.moving import export, import_prosody, import_xep0227
from parley.app.commands.progress import Progress
from parley.app.errors import Unwilling
from parley.app.passwords import generate_password, hash_passwords
from parley.app.people import NewPerson, complain, read_people
from parley.app.requests import (
    AddUsers,
    EndSessions,
    FindTaken,
    ListUsers,
    Person,
    RemoveUser,
    SetPassword,
    SetSuspended,
    ShowUser,
)
from parley.base.config import Settings
from parley.domain.accounts import Credential
from parley.protocols.xmpp.errors import PayloadError

_PASSWORD_STDIN = click.option(
    "--password-stdin", "is_from_stdin", is_flag=True, help="Read the password from the first line of standard input."
)


@click.group(cls=Group)
def user() -> None:
    """Create, list, change and remove accounts.

    Works while the server runs and while it does not.
    """


@user.command()
@address_argument
@_PASSWORD_STDIN
@pass_invocation
def add(invocation: Invocation, address: str, is_from_stdin: bool) -> None:
    """Create the account ADDRESS (name@domain).

    A password is generated and printed once, unless one is given on standard input. Fails if the account exists.
    """
    settings = invocation.settings()
    address = parse_new_address(address, settings.domains)
    password = _read_password() if is_from_stdin else generate_password()
    ask(settings, AddUsers((Person(address, _hashed(password, settings)),)))
    document = {"address": address} if is_from_stdin else {"address": address, "password": password}
    invocation.answer(document, "" if is_from_stdin else password)
    invocation.say(f"Created {address}." if is_from_stdin else f"Created {address} with the password above.")


@user.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, exists=True))
@pass_invocation
def import_(invocation: Invocation, file: Path) -> None:
    """Create many accounts from the CSV file FILE, all or none.

    Each line is `address,password`; `-` reads standard input. A first line that names the columns is skipped.
    """
    settings = invocation.settings()
    newcomers = _read_list(file, settings)
    _refuse_taken(settings, newcomers)
    with Progress("hashing passwords") as progress:
        passwords = [person.password for person in newcomers]
        hashed = hash_passwords(passwords, settings.login.scram_iterations, progress.update)
    people = tuple(Person(who.address, each) for who, each in zip(newcomers, hashed, strict=True))
    ask(settings, AddUsers(people))
    invocation.answer({"added": len(people)})
    invocation.say(f"Created {len(people)} accounts.")


@user.command("list")
@click.option("--domain", default="", metavar="DOMAIN", help="Only the accounts of this domain.")
@pass_invocation
def list_(invocation: Invocation, domain: str) -> None:
    """List all accounts."""
    document = ask(invocation.settings(), ListUsers(domain))
    invocation.answer(document, "\n".join(_line(account) for account in document["accounts"]))


@user.command()
@address_argument
@pass_invocation
def show(invocation: Invocation, address: str) -> None:
    """Show what is known of an account."""
    found = ask(invocation.settings(), ShowUser(address))
    lines = [
        f"address    {found['address']}",
        f"created    {found['created_at']}",
        f"state      {'suspended' if found['is_suspended'] else 'active'}",
        f"sessions   {found['sessions']}",
        f"contacts   {found['contacts']}",
        f"files      {found['uploads_bytes']} bytes",
        f"signs in   {', '.join(found['mechanisms']) or 'not by password'}",
        f"devices    {len(found['devices'])}",
    ]
    invocation.answer(found, "\n".join(lines))


@user.command()
@address_argument
@_PASSWORD_STDIN
@click.option("--sign-out", "is_signing_out", is_flag=True, help="Also end all sessions of the account.")
@pass_invocation
def password(invocation: Invocation, address: str, is_from_stdin: bool, is_signing_out: bool) -> None:
    """Set a new password.

    It is generated and printed once, unless one is given on standard input. Sessions go on unless --sign-out is given;
    devices with a credential of their own keep it (see `parley device revoke`).
    """
    settings = invocation.settings()
    new = _read_password() if is_from_stdin else generate_password()
    document = ask(settings, SetPassword(address, _hashed(new, settings), is_signing_out))
    if not is_from_stdin:
        document["password"] = new
    invocation.answer(document, "" if is_from_stdin else new)
    invocation.say(f"The password of {address} was changed{_ended(document)}.")


@user.command()
@address_argument
@pass_invocation
def suspend(invocation: Invocation, address: str) -> None:
    """End an account's sessions and refuse its sign-ins; everything it has is kept."""
    document = ask(invocation.settings(), SetSuspended(address, is_suspended=True))
    invocation.answer(document)
    invocation.say(f"{address} is suspended{_ended(document)}.")


@user.command()
@address_argument
@pass_invocation
def disconnect(invocation: Invocation, address: str) -> None:
    """End an account's sessions. Its devices may sign in again: see `suspend`, and `parley device revoke`."""
    document = ask(invocation.settings(), EndSessions(address, None))
    invocation.answer(document)
    invocation.say(f"{address} is disconnected{_ended(document)}.")


@user.command()
@address_argument
@pass_invocation
def resume(invocation: Invocation, address: str) -> None:
    """Let a suspended account sign in again."""
    invocation.answer(ask(invocation.settings(), SetSuspended(address, is_suspended=False)))
    invocation.say(f"{address} may sign in.")


@user.command()
@address_argument
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@pass_invocation
def remove(invocation: Invocation, address: str, is_sure: bool) -> None:
    """Remove an account with its contacts, archive, devices and files.

    Asks first, unless --yes is given. What others received from the account stays with them.
    """
    settings = invocation.settings()
    if not is_sure:
        found = ask(settings, ShowUser(address))
        click.confirm(f"Remove {found['address']} and all that belongs to it, for good?", abort=True, err=True)
    document = ask(settings, RemoveUser(address))
    invocation.answer(document)
    invocation.say(f"{address} was removed{_ended(document)}.")


for command in (export, import_xep0227, import_prosody):
    user.add_command(command)


def _read_password() -> str:
    line = sys.stdin.readline()
    password = line.removesuffix("\n").removesuffix("\r")
    if not password:
        raise click.UsageError("There is no password on the first line of standard input.")
    return password


def _hashed(password: str, settings: Settings) -> tuple[Credential, ...]:
    try:
        return hash_passwords([password], settings.login.scram_iterations, lambda done, total: None)[0]
    except PayloadError as error:
        raise Unwilling("password-unusable", f"this password cannot be used: {error}") from error


def _read_list(file: Path, settings: Settings) -> list[NewPerson]:
    try:
        with click.open_file(str(file), encoding="utf-8") as lines:
            return read_people(lines, settings.domains)
    except OSError as error:
        raise Unwilling("file-unusable", f"{file}: {error.strerror or error}") from error


def _refuse_taken(settings: Settings, newcomers: list[NewPerson]) -> None:
    taken = set(ask(settings, FindTaken(tuple(person.address for person in newcomers)))["taken"])
    complaints = [f"line {who.line}: there is an account {who.address}" for who in newcomers if who.address in taken]
    if complaints:
        raise Unwilling("account-exists", complain(complaints))


def _line(account: dict[str, Any]) -> str:
    notes = ["suspended"] if account["is_suspended"] else []
    if account["sessions"]:
        notes.append(f"{account['sessions']} connected")
    return "  ".join([account["address"], *notes])


def _ended(document: dict[str, Any]) -> str:
    count = document["sessions_ended"]
    return f"; {count} session{'s' if count != 1 else ''} ended" if count else ""
