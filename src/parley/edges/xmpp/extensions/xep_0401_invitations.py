"""Invitations by commands: to become a contact, or to open an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.administration import Issued, Wish
from parley.edges.xmpp.commands import reading
from parley.edges.xmpp.commands.command import Caller, Command, Outcome, Stage, is_administrator
from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.dataforms import Field, Form
from parley.protocols.xmpp.datetimes import format_datetime
from parley.protocols.xmpp.errors import JIDError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.registration import NS_INVITE, account_uri, contact_uri

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

_TYPE: Final = f"{NS_INVITE}#invitation"


def _may_invite(host: Host, asker: JID) -> bool:
    if not host.router.is_account(asker):
        return False
    return host.settings.invitations.inviters == "everybody" or is_administrator(host, asker)


def _may_create(host: Host, asker: JID) -> bool:
    return host.settings.xmpp.registration != "closed" and is_administrator(host, asker)


async def _invite(caller: Caller) -> Outcome:
    # §5.1: at once, without a form.
    is_account = caller.host.settings.xmpp.registration != "closed"
    wish = Wish(caller.sender.domain, _lifetime_s(caller), inviter=caller.address, is_account=is_account)
    issued = await caller.host.administration.invite(wish, caller.address)
    return _result(contact_uri(caller.address, issued.token, is_account=is_account), issued)


async def _create_account(_caller: Caller) -> Stage:
    return Stage(_FORM, _created)


async def _created(caller: Caller, form: Form) -> Outcome:
    name = form.value("username") or ""
    address = ""
    if name:
        try:
            address = str(JID.parse(f"{name}@{caller.domain}"))
        except JIDError as error:
            raise reading.unusable(f"username: {error}") from error
    inviter = caller.address if reading.flag(form, "roster-subscription", default=False) else ""
    wish = Wish(caller.domain, _lifetime_s(caller), address=address, inviter=inviter)
    issued = await caller.host.administration.invite(wish, caller.address)
    return _result(account_uri(address or caller.domain, issued.token), issued)


def _lifetime_s(caller: Caller) -> int:
    return caller.host.settings.invitations.lifetime_hours * 3600


def _result(uri: str, issued: Issued) -> Outcome:
    return Outcome(
        Form(
            "result",
            (
                Field("FORM_TYPE", (_TYPE,), "hidden"),
                Field("uri", (uri,), "text-single", "Invitation"),
                Field("expire", (format_datetime(issued.invitation.expires_at),), "text-single", "Until"),
            ),
        )
    )


_FORM: Final = Form(
    "form",
    (
        Field("username", (), "text-single", "Name of the account; empty lets the guest choose"),
        Field("roster-subscription", ("0",), "boolean", "You and the new account see each other's presence"),
    ),
    "Invite to open an account",
)

EXTENSION = Extension(
    spec="XEP-0401",
    name="Ad-hoc Account Invitation Generation",
    version="0.6.0",
    status="without a landing page",
    commands=(
        Command(f"{NS_INVITE}#invite", "Invite a contact", _invite, _may_invite),
        Command(f"{NS_INVITE}#create-account", "Invite to open an account", _create_account, _may_create),
    ),
)
