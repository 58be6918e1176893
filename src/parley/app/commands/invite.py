"""`parley invite …`: invitations to open an account, or to become somebody's contact."""

from __future__ import annotations

from typing import Any

import click

from parley.app.addresses import parse_address, parse_new_address
from parley.app.asking import ask
from parley.app.commands.frame import Group, Invocation, pass_invocation
from parley.app.errors import Unwilling
from parley.app.requests import CreateInvitation, ListInvitations, RevokeInvitation


@click.group(cls=Group)
def invite() -> None:
    """Create, list and revoke invitations.

    Works while the server runs and while it does not. Whoever has an invitation's address can open an account with it
    (`xmpp.registration` has to be "invite" or "open"), from any client that knows invitations (XEP-0401, XEP-0445).
    """


@invite.command()
@click.option("--address", default="", metavar="ADDRESS", help="For this account only; its name is kept until then.")
@click.option("--domain", default="", metavar="DOMAIN", help="Where the account is to be; else the primary domain.")
@click.option(
    "--contact",
    default="",
    metavar="ADDRESS",
    help="An account here that invites: it and the new one see each other's presence.",
)
@click.option("--contact-only", "is_contact_only", is_flag=True, help="It opens no account; see --contact.")
@click.option("--uses", default=1, show_default=True, type=click.IntRange(1, 10_000), help="How often it can be used.")
@click.option("--hours", default=168, show_default=True, type=click.IntRange(1, 8760), help="How long.")
@pass_invocation
def create(
    invocation: Invocation, *, address: str, domain: str, contact: str, is_contact_only: bool, uses: int, hours: int
) -> None:
    """Make an invitation and print its address, which cannot be shown again."""
    settings = invocation.settings()
    if address and uses > 1:
        raise click.UsageError("One account is opened once: leave out --uses.")
    if is_contact_only and not contact:
        raise click.UsageError("Say with --contact whose contact it makes.")
    if address:
        address = parse_new_address(address, settings.domains)
        domain = domain or address.rpartition("@")[2]
    contact = contact and parse_address(contact)
    if not is_contact_only and settings.xmpp.registration == "closed":
        raise Unwilling("registration-closed", 'nobody could use it: xmpp.registration is "closed"')
    wanted = domain or (contact.rpartition("@")[2] if contact else settings.primary_domain)
    request = CreateInvitation(wanted, address, contact, not is_contact_only, uses, hours * 3600)
    document = ask(settings, request)
    invocation.answer(document, document["uri"])
    invocation.say(f"Invitation {document['id']}, until {document['expires_at']}.")


@invite.command("list")
@pass_invocation
def list_(invocation: Invocation) -> None:
    """List the invitations that can be taken up still."""
    document = ask(invocation.settings(), ListInvitations())
    invocation.answer(document, "\n".join(_line(each) for each in document["invitations"]))


@invite.command()
@click.argument("invitation", metavar="ID")
@pass_invocation
def revoke(invocation: Invocation, invitation: str) -> None:
    """Forget the invitation ID, as `parley invite list` prints it."""
    invocation.answer(ask(invocation.settings(), RevokeInvitation(invitation)))
    invocation.say(f"Invitation {invitation} was revoked.")


def _line(invitation: dict[str, Any]) -> str:
    parts = [invitation["id"], invitation["address"] or invitation["domain"], f"until {invitation['expires_at']}"]
    if invitation["inviter"]:
        parts.append(f"from {invitation['inviter']}")
    if not invitation["opens_account"]:
        parts.append("contact only")
    if invitation["uses_left"] > 1:
        parts.append(f"{invitation['uses_left']} uses left")
    return "  ".join(parts)
