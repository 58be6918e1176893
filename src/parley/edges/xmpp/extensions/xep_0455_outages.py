"""Where the state of the service can be looked up while it is down: the addresses of `contact.outage_urls`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.dataforms import Field, Form

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host

_NS_SOS: Final = "urn:xmpp:sos:0"


def _form(host: Host) -> Form | None:
    urls = host.settings.contact.outage_urls
    if not urls:
        return None
    hidden = Field("FORM_TYPE", (_NS_SOS,), "hidden")
    return Form("result", (hidden, Field("external-status-addresses", urls, "list-multi")))


EXTENSION = Extension(
    spec="XEP-0455",
    name="Service Outage Status",
    version="0.3.0",
    status="complete; the page itself is served elsewhere, as it has to be",
    server_forms=(_form,),
)
