"""The server's certificate: loaded once, again on demand, and ready for every listener."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from parley.base.errors import ConfigError


class TlsCredentials:
    """A certificate with its key, in one `ssl.SSLContext` that `reload` renews.

    Raises:
        ConfigError: the files cannot be read or do not belong together; also from `reload`, which then changes nothing.
    """

    def __init__(self, certificate: Path, private_key: Path) -> None:
        self._certificate = certificate
        self._private_key = private_key
        self.context = _new_context()
        self.server_end_point = b""
        self.reload()

    def reload(self, certificate: Path | None = None, private_key: Path | None = None) -> None:
        """Read the files again, or others, for connections to come; those that exist keep what they have."""
        certificate = certificate or self._certificate
        private_key = private_key or self._private_key
        try:
            # On a context of its own first: a pair that does not fit must not spoil the one in use.
            _new_context().load_cert_chain(certificate, private_key)
            end_point = server_end_point(certificate.read_bytes())
            self.context.load_cert_chain(certificate, private_key)
        except (OSError, ValueError) as error:
            raise ConfigError("tls.certificate", f"certificate or key cannot be used: {error}") from error
        self._certificate, self._private_key = certificate, private_key
        self.server_end_point = end_point


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["xmpp-client"])
    return context


def server_end_point(certificate_pem: bytes) -> bytes:
    """The `tls-server-end-point` channel binding data of a certificate (RFC 5929 §4.1).

    The hash is that of the certificate's signature, SHA-256 in place of MD5 and SHA-1, and where there is none.
    """
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    algorithm = certificate.signature_hash_algorithm
    name = algorithm.name if algorithm is not None else "sha256"
    if name in ("md5", "sha1"):
        name = "sha256"
    return hashlib.new(name, certificate.public_bytes(Encoding.DER)).digest()
