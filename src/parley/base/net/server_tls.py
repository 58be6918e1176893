"""TLS between servers: each shows the other its certificate (RFC 6120 §13.7.2)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from parley.base.errors import ConfigError

_ALPN: Final = ["xmpp-server"]


class ServerTls:
    """Contexts for connections from and to other servers, renewed by `reload`.

    Attributes:
        accepting: asks for a certificate and refuses one that no trusted authority has signed or that is out of date.
        accepting_anybody: asks for none, for servers whose certificate was refused.
        connecting: takes trusted certificates only; for whom they speak is still to be asked (`identities.py`).
        connecting_anywhere: takes any certificate.

    Raises:
        ConfigError: a file cannot be used; also from `reload`, which then changes nothing.
    """

    accepting: ssl.SSLContext
    accepting_anybody: ssl.SSLContext
    connecting: ssl.SSLContext
    connecting_anywhere: ssl.SSLContext

    def __init__(self, certificate: Path, private_key: Path, ca_file: Path | None) -> None:
        self._authorities: tuple[bytes, ...] = ()
        self.reload(certificate, private_key, ca_file)

    def reload(self, certificate: Path, private_key: Path, ca_file: Path | None) -> None:
        """Read the files again, or others, for connections to come."""
        self._files = (certificate, private_key, ca_file)
        self._renew()

    def trust(self, authorities: Sequence[bytes]) -> None:
        """Take certificates of these authorities (DER) as well, in place of those of the last call.

        Raises:
            ConfigError: one of them is none.
        """
        if tuple(authorities) != self._authorities:
            self._authorities = tuple(authorities)
            self._renew()

    def _renew(self) -> None:
        accepting = self._context(ssl.PROTOCOL_TLS_SERVER)
        accepting.verify_mode = ssl.CERT_OPTIONAL
        connecting = self._context(ssl.PROTOCOL_TLS_CLIENT)
        connecting.check_hostname = False
        connecting.verify_mode = ssl.CERT_REQUIRED
        for context in (accepting, connecting):
            self._load_authorities(context)
        anybody = self._context(ssl.PROTOCOL_TLS_SERVER)
        anybody.verify_mode = ssl.CERT_NONE
        anywhere = self._context(ssl.PROTOCOL_TLS_CLIENT)
        anywhere.check_hostname = False
        anywhere.verify_mode = ssl.CERT_NONE
        self.accepting, self.accepting_anybody = accepting, anybody
        self.connecting, self.connecting_anywhere = connecting, anywhere

    def _context(self, protocol: int) -> ssl.SSLContext:
        certificate, private_key, _ca_file = self._files
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        # A partner's own certificate may be what is trusted.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.set_alpn_protocols(_ALPN)
        try:
            context.load_cert_chain(certificate, private_key)
        except (OSError, ValueError) as error:
            raise ConfigError("tls.certificate", f"certificate or key cannot be used: {error}") from error
        return context

    def _load_authorities(self, context: ssl.SSLContext) -> None:
        ca_file = self._files[2]
        context.load_default_certs(
            ssl.Purpose.SERVER_AUTH if context.protocol is ssl.PROTOCOL_TLS_CLIENT else ssl.Purpose.CLIENT_AUTH
        )
        try:
            if ca_file is not None:
                context.load_verify_locations(ca_file)
        except (OSError, ValueError) as error:
            raise ConfigError("federation.ca_file", f"cannot be used: {error}") from error
        try:
            for authority in self._authorities:
                context.load_verify_locations(cadata=authority)
        except (OSError, ValueError) as error:
            raise ConfigError("federation", f"an agreement's authority cannot be used: {error}") from error


def verified_chain(connection: ssl.SSLObject | ssl.SSLSocket) -> tuple[bytes, ...]:
    """The peer's certificate and those that vouch for it, DER, up to the trusted one; empty when there is none.

    Where nothing was verified it is what the peer sent.
    """
    own = connection.getpeercert(binary_form=True)
    if own is None:
        return ()
    # Public since Python 3.13; before, the object below has it in another form.
    public: Callable[[], Sequence[bytes]] | None = getattr(connection, "get_verified_chain", None)
    if public is not None:
        return tuple(public()) or (own,)
    inner = getattr(connection, "_sslobj", None)
    find = getattr(inner, "get_verified_chain", None)
    chain = find() if find is not None else None
    return tuple(_der(certificate) for certificate in chain) if chain else (own,)


def _der(certificate: object) -> bytes:
    # `public_bytes` gives PEM unless told otherwise, by a number of its own.
    pem = certificate.public_bytes()  # type: ignore[attr-defined]
    return ssl.PEM_cert_to_DER_cert(pem)
