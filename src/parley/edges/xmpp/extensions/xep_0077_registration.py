"""In-band registration: for who has signed in, a new password and the end of the account.

Before signing in it is a matter of the stream: see `edges/xmpp/clients/registering.py`.
"""

from __future__ import annotations

from typing import Final

from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.errors import JIDError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_REGISTER
from parley.protocols.xmpp.registration import NS_PARS, parse_submission, registered

_TARGETS: Final = frozenset({Target.SERVER, Target.ACCOUNT})


async def _get(request: IqRequest) -> bytes:
    # §3.1.1: whoever can ask here is registered.
    return registered(request.session.jid.local)


async def _set(request: IqRequest) -> bytes | None:
    session, administration = request.session, request.host.administration
    submission = parse_submission(request.tree)
    address = session.account.address
    if submission.is_removal:
        if not request.host.settings.xmpp.account_removal:
            raise StanzaError(StanzaCondition.NOT_ALLOWED, "accounts are removed by the people who run this server")
        # §3.2: the answer comes before the stream ends with the account.
        request.answer()
        await administration.remove_account(address, address)
        return None
    if not submission.username or not submission.password:
        # §3.3: the fields are incomplete.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "a name and a password are needed")
    try:
        named = str(JID.parse(f"{submission.username}@{session.account.domain}"))
    except JIDError as error:
        raise StanzaError(StanzaCondition.BAD_REQUEST, "this is no name") from error
    if named != address:
        raise StanzaError(StanzaCondition.NOT_ALLOWED, "one changes one's own password")
    await administration.set_password(address, submission.password, address, is_signing_out=False)
    return b""


EXTENSION = Extension(
    spec="XEP-0077",
    name="In-Band Registration",
    version="2.4",
    status="accounts are opened where `xmpp.registration` says so, and removed where `xmpp.account_removal` does",
    server_features=(NS_REGISTER,),
    secret_namespaces=(NS_REGISTER, NS_PARS),
    iq=(
        IqHandler("get", NS_REGISTER, "query", _TARGETS, _get),
        IqHandler("set", NS_REGISTER, "query", _TARGETS, _set),
    ),
)
