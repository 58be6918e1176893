"""Whom to turn to: the addresses of `[contact]` in what the server says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.dataforms import Field, Form

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

_NS_SERVER_INFO: Final = "http://jabber.org/network/serverinfo"


def _form(host: Host) -> Form | None:
    contact = host.settings.contact
    addresses = {
        "abuse": contact.abuse,
        "admin": contact.admin,
        "feedback": contact.feedback,
        "sales": contact.sales,
        "security": contact.security,
        "status": contact.status,
        "support": contact.support,
    }
    fields = [Field(f"{kind}-addresses", values, "list-multi") for kind, values in addresses.items()]
    told = [field for field in fields if field.values]
    return Form("result", (Field("FORM_TYPE", (_NS_SERVER_INFO,), "hidden"), *told)) if told else None


EXTENSION = Extension(
    spec="XEP-0157",
    name="Contact Addresses for XMPP Services",
    version="1.1.1",
    server_forms=(_form,),
)
