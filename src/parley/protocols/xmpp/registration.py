"""In-band registration (XEP-0077) and what opens it with an invitation (XEP-0445): payloads and stream features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.dataforms import Field, Form, find_form
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_REGISTER

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.protocols.xmpp.element import Element

NS_REGISTER_FEATURE: Final = "http://jabber.org/features/iq-register"
NS_IBR_TOKEN: Final = "urn:xmpp:ibr-token:0"  # noqa: S105 - a namespace; XEP-0445
NS_INVITE: Final = "urn:xmpp:invite"  # XEP-0401, and the feature's name before XEP-0445
NS_PARS: Final = "urn:xmpp:pars:0"  # XEP-0379

OFFER: Final = xml("register", {"xmlns": NS_REGISTER_FEATURE})
"""The stream feature of a server at which anybody may register."""

INVITED_OFFER: Final = xml("register", {"xmlns": NS_IBR_TOKEN}) + xml("register", {"xmlns": NS_INVITE})
"""The stream feature of a server that takes invitations, by its two names."""

_REGISTERED: Final = "You have an account here. Send its name and a new password to change the password."
_Q: Final = f"{{{NS_REGISTER}}}"


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client sent to register, or to change its password; None for a field that is missing."""

    username: str | None
    password: str | None
    is_removal: bool = False


def is_registration(element: Element) -> bool:
    """Whether a stanza is one of those that may come before a client has signed in."""
    if element.name != "iq" or element.type not in ("get", "set") or len(element.children) != 1:
        return False
    child = element.children[0]
    return (child.namespace, child.name) in ((NS_REGISTER, "query"), (NS_PARS, "preauth"))


def parse_submission(query: _Element) -> Submission:
    """What `<query/>` holds, in its form where it has one (§4: the form takes precedence).

    Raises:
        PayloadError: it is malformed, or a removal with further elements (§3.2).
    """
    if query.find(f"{_Q}remove") is not None:
        if len(query) != 1:
            raise PayloadError("a removal stands alone")
        return Submission(None, None, is_removal=True)
    form = find_form(query)
    if form is None:
        return Submission(query.findtext(f"{_Q}username"), query.findtext(f"{_Q}password"))
    if form.type != "submit" or form.form_type not in ("", NS_REGISTER):
        raise PayloadError("not a form to register with")
    return Submission(form.value("username"), form.value("password"))


def fields(instructions: str, username: str = "") -> bytes:
    """The `<query/>` that asks for a name and a password, as plain fields and as a form; `username` fixes the name."""
    form = Form(
        "form",
        (
            Field("FORM_TYPE", (NS_REGISTER,), "hidden"),
            Field("username", (username,) if username else (), "text-single", "Name", is_required=True),
            Field("password", (), "text-private", "Password", is_required=True),
        ),
        title="New account",
        instructions=(instructions,),
    )
    return xml(
        "query",
        {"xmlns": NS_REGISTER},
        xml("instructions", None, instructions),
        xml("username", None, username),
        xml("password"),
        form.to_bytes(),
    )


def registered(username: str) -> bytes:
    """The `<query/>` for who is registered already (§3.1)."""
    said = xml("instructions", None, _REGISTERED), xml("username", None, username), xml("password")
    return xml("query", {"xmlns": NS_REGISTER}, xml("registered"), *said)


def token_of(preauth: _Element) -> str:
    """The token of a `<preauth/>`, "" when there is none."""
    return preauth.get("token", "")


def account_uri(address: str, token: str) -> str:
    """The invitation to open an account: `address` is an account's or, for any name, a domain (XEP-0445 §2)."""
    return f"xmpp:{_escaped(address)}?register;preauth={token}"


def contact_uri(address: str, token: str, *, is_account: bool) -> str:
    """The invitation to become a contact of `address` (XEP-0379 §3.2); with `is_account` it opens an account too."""
    return f"xmpp:{_escaped(address)}?roster;preauth={token}{';ibr=y' if is_account else ''}"


def _escaped(address: str) -> str:
    # RFC 5122 §2.2: of what addresses may hold, these stand for themselves; all else is percent-encoded UTF-8.
    return "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or byte in b"-._~@!$*()+[]:") else f"%{byte:02X}"
        for byte in address.encode()
    )
