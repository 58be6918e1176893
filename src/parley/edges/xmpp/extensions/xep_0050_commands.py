"""Ad-hoc commands: what there is, and one step after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.commands.running import Commands
from parley.edges.xmpp.extension import Extension, IqHandler, Target
from parley.protocols.xmpp.commands import NS_COMMANDS

if TYPE_CHECKING:
    from parley.edges.xmpp.extension import IqRequest


async def _step(request: IqRequest) -> bytes:
    return await request.host.memory(Commands).answer(request)


EXTENSION = Extension(
    spec="XEP-0050",
    name="Ad-Hoc Commands",
    version="1.3.0",
    server_features=(NS_COMMANDS,),
    # Passwords are set by commands, and invitations come out of them.
    secret_namespaces=(NS_COMMANDS,),
    iq=(IqHandler("set", NS_COMMANDS, "command", frozenset({Target.SERVER}), _step),),
)
