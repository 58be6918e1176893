"""HTTPS with curl: versions, reloaded certificates, unusable ones."""

from __future__ import annotations

import asyncio
import datetime
import shutil
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parley.base.clock import SystemClock
from parley.base.config.values import ListenAddress
from parley.base.errors import ConfigError
from parley.base.supervise import Supervisor
from parley.edges.http.asgi import Receive, Scope, Send
from parley.edges.http.server import Certificate, HttpServer, Listener, ServerLimits

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


def write_certificate(folder: Path, name: str) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    chain, private_key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Certificate(chain, private_key)


async def curl(*arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sk", "--max-time", "10", *arguments, stdout=asyncio.subprocess.PIPE
    )
    return (await process.communicate())[0]


async def common_name(port: int) -> str:
    text = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
    name = x509.load_pem_x509_certificate(text.encode()).subject
    return str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


async def test_https(tmp_path: Path):
    first = write_certificate(tmp_path, "first")
    listener = Listener(ListenAddress("127.0.0.1", 0), first, "http.listen_tls")
    limits = ServerLimits(drain_timeout_s=0.5)
    async with Supervisor(SystemClock()) as supervisor:
        async with HttpServer(application, [listener], supervisor, limits) as server:
            ((_, port),) = server.addresses
            url = f"https://127.0.0.1:{port}/"
            assert await curl("--http2", "-w", " %{http_version}", url) == b"https 1.1"
            assert await curl("--tls-max", "1.1", url) == b""
            assert await common_name(port) == "first"
            write_certificate(tmp_path, "second")
            await server.reload_certificates(first)
            assert {await common_name(port) for _ in range(5)} == {"second"}
            assert await curl(url) == b"https"
            (tmp_path / "key.pem").write_text("broken")
            with pytest.raises(ConfigError) as refusal:
                await server.reload_certificates(first)
            assert refusal.value.path == "tls.certificate"
            assert await common_name(port) == "second"
            elsewhere = tmp_path / "elsewhere"
            elsewhere.mkdir()
            await server.reload_certificates(write_certificate(elsewhere, "third"))
            assert await common_name(port) == "third"
        assert supervisor.running == 0


async def test_a_certificate_that_is_missing_is_told_before_anything_listens(tmp_path: Path):
    certificate = Certificate(tmp_path / "chain.pem", tmp_path / "key.pem")
    async with Supervisor(SystemClock()) as supervisor:
        with pytest.raises(ConfigError, match=r"tls\.certificate: cannot be used for HTTPS"):
            async with HttpServer(application, [Listener(ListenAddress("127.0.0.1", 0), certificate)], supervisor):
                pass
        assert supervisor.running == 0
