"""The commands of XEP-0133 that the command line has too: the same operations, for those whom the settings name.

Passwords are never shown, nor what people say or to whom; so some of the specification's commands are not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.edges.xmpp.commands import reading
from parley.edges.xmpp.commands.command import Caller, Command, Outcome, Stage, is_administrator
from parley.protocols.xmpp.commands import Note
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from parley.domain.administration import AccountSummary, Administration
    from parley.protocols.xmpp.jid import JID

log = logs.get(__name__)

NS_ADMIN: Final = "http://jabber.org/protocol/admin"

_MOST_ADDRESSES: Final = 100
_LIST_LIMITS: Final = ("25", "50", "75", "100", "150", "200", "none")
_LONGEST_LIST: Final = 5000
_TYPE: Final = Field("FORM_TYPE", (NS_ADMIN,), "hidden")
_ACCOUNT: Final = Field("accountjid", (), "jid-single", "Address of the account", is_required=True)
_ACCOUNTS: Final = Field("accountjids", (), "jid-multi", "Addresses of the accounts", is_required=True)
_PASSWORD: Final = Field("password", (), "text-private", "Password", is_required=True)
_AGAIN: Final = Field("password-verify", (), "text-private", "Password, once more")

_Submit = Callable[[Caller, Form], Awaitable[Stage | Outcome]]
_OnEach = Callable[["Administration", Caller, "JID"], Awaitable[object]]


def _command(node: str, name: str, begin: Callable[[Caller], Awaitable[Stage | Outcome]]) -> Command:
    return Command(f"{NS_ADMIN}#{node}", name, begin, is_administrator)


def _with_form(node: str, name: str, fields: Sequence[Field], submit: _Submit) -> Command:
    """A command that asks once and is done."""
    form = Form("form", (_TYPE, *fields), name)

    async def checked(caller: Caller, filled: Form) -> Stage | Outcome:
        reading.check_type(filled, NS_ADMIN)
        return await submit(caller, filled)

    async def begin(_caller: Caller) -> Stage | Outcome:
        return Stage(form, checked)

    return _command(node, name, begin)


def _on_each(node: str, name: str, act: _OnEach, *, is_for_oneself: bool = False) -> Command:
    """A command for several accounts: all are looked up before any is changed."""

    async def submit(caller: Caller, form: Form) -> Outcome:
        found = reading.addresses(form, "accountjids", _MOST_ADDRESSES)
        if not is_for_oneself and caller.sender.bare in {each.bare for each in found}:
            raise StanzaError(StanzaCondition.NOT_ALLOWED, "not to one's own account")
        administration = caller.host.administration
        for each in found:
            await administration.report(str(each.bare))
        for each in found:
            await act(administration, caller, each)
        return Outcome(notes=(Note(f"Done for {', '.join(map(str, found))}."),))

    return _with_form(node, name, (_ACCOUNTS,), submit)


def _result(*fields: Field) -> Outcome:
    return Outcome(Form("result", (_TYPE, *fields)))


async def _add(caller: Caller, form: Form) -> Outcome:
    address, password = reading.address(form, "accountjid"), reading.text(form, "password")
    if form.value("password-verify") not in (None, password):
        raise reading.unusable("the passwords differ")
    if address.resource:
        raise reading.unusable("an account has no resource")
    await caller.host.administration.add_account(str(address), password, caller.address)
    return Outcome(notes=(Note(f"Created {address}."),))


async def _change_password(caller: Caller, form: Form) -> Outcome:
    address, password = reading.address(form, "accountjid").bare, reading.text(form, "password")
    is_signing_out = address != caller.sender.bare
    await caller.host.administration.set_password(str(address), password, caller.address, is_signing_out=is_signing_out)
    return Outcome(notes=(Note(f"The password of {address} was changed."),))


async def _last_login(caller: Caller, form: Form) -> Outcome:
    report = await caller.host.administration.report(str(reading.address(form, "accountjid").bare))
    seen = "never" if report.last_seen is None else format_datetime(report.last_seen)
    return _result(
        Field("accountjid", (report.address,), "jid-single", "Address of the account"),
        Field("lastlogin", (seen,), "text-single", "Last sign-in"),
    )


async def _statistics(caller: Caller, form: Form) -> Outcome:
    report = await caller.host.administration.report(str(reading.address(form, "accountjid").bare))
    return _result(
        Field("accountjid", (report.address,), "jid-single", "Address of the account"),
        Field("rostersize", (str(report.contacts),), "text-single", "Contacts"),
        Field("onlineresources", report.sessions, "text-multi", "Connected devices"),
    )


def _disabled(account: AccountSummary) -> bool:
    return account.is_suspended


def _online(account: AccountSummary) -> bool:
    return account.sessions > 0


def _anybody(_account: AccountSummary) -> bool:
    return True


def _number(node: str, name: str, var: str, is_meant: Callable[[AccountSummary], bool]) -> Command:
    async def begin(caller: Caller) -> Outcome:
        accounts = await caller.host.administration.accounts(caller.domain)
        return _result(Field(var, (str(sum(map(is_meant, accounts))),), "text-single", name))

    return _command(node, name, begin)


def _list(node: str, name: str, var: str, is_meant: Callable[[AccountSummary], bool]) -> Command:
    limits = Field("max_items", ("25",), "list-single", "Most to show", tuple((limit, limit) for limit in _LIST_LIMITS))

    async def submit(caller: Caller, form: Form) -> Outcome:
        wanted = form.value("max_items") or "none"
        if wanted not in _LIST_LIMITS:
            raise reading.unusable("max_items is none of those offered")
        most = _LONGEST_LIST if wanted == "none" else int(wanted)
        accounts = [each for each in await caller.host.administration.accounts(caller.domain) if is_meant(each)]
        shown = Field(var, tuple(each.address for each in accounts[:most]), "jid-multi", name)
        rest = len(accounts) - most
        notes = (Note(f"And {rest} more."),) if rest > 0 else ()
        return Outcome(Form("result", (_TYPE, shown)), notes)

    return _with_form(node, name, (limits,), submit)


async def _announce(caller: Caller, form: Form) -> Outcome:
    field = form.field("announcement")
    body = "\n".join(field.values).strip() if field is not None else ""
    if not body:
        raise reading.unusable("announcement is missing")
    router, count = caller.host.router, 0
    for session in router:
        if session.presence is not None and session.account.domain == caller.domain:
            attrs = {"type": "headline", "from": caller.domain, "to": str(session.jid)}
            session.send(xml("message", attrs, xml("body", None, body)))
            count += 1
    log.info("administration", operation="announce", sessions=count, pii={"by": caller.address})
    return Outcome(notes=(Note(f"Sent to {count} devices."),))


async def _delete(administration: Administration, caller: Caller, account: JID) -> None:
    await administration.remove_account(str(account.bare), caller.address)


async def _disable(administration: Administration, caller: Caller, account: JID) -> None:
    await administration.set_suspended(str(account.bare), True, caller.address)


async def _reenable(administration: Administration, caller: Caller, account: JID) -> None:
    await administration.set_suspended(str(account.bare), False, caller.address)


async def _end_session(administration: Administration, caller: Caller, account: JID) -> None:
    await administration.end_sessions(str(account.bare), account.resource or None, caller.address)


COMMANDS: Final = (
    _with_form("add-user", "Add a user", (_ACCOUNT, _PASSWORD, _AGAIN), _add),
    _on_each("delete-user", "Delete users", _delete),
    _on_each("disable-user", "Disable users", _disable),
    _on_each("reenable-user", "Re-enable users", _reenable),
    _on_each("end-user-session", "End sessions of users", _end_session, is_for_oneself=True),
    _with_form("change-user-password", "Change a user's password", (_ACCOUNT, _PASSWORD), _change_password),
    _with_form("get-user-lastlogin", "Last sign-in of a user", (_ACCOUNT,), _last_login),
    _with_form("user-stats", "Statistics of a user", (_ACCOUNT,), _statistics),
    _number("get-registered-users-num", "Number of registered users", "registeredusersnum", _anybody),
    _number("get-disabled-users-num", "Number of disabled users", "disabledusersnum", _disabled),
    _number("get-online-users-num", "Number of online users", "onlineusersnum", _online),
    _list("get-registered-users-list", "List of registered users", "registereduserjids", _anybody),
    _list("get-disabled-users-list", "List of disabled users", "disableduserjids", _disabled),
    _list("get-online-users-list", "List of online users", "onlineuserjids", _online),
    _with_form(
        "announce",
        "Send an announcement to online users",
        (Field("announcement", (), "text-multi", "Announcement", is_required=True),),
        _announce,
    ),
)
