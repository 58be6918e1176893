"""`parley check`: what would keep a server with these settings from working, found without starting it."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from parley.app import data_folder
from parley.app.certificates import covers, expires_at, is_for_clients, is_self_signed, is_valid_yet
from parley.app.data_folder import is_open_to_others
from parley.app.listening import obstacle
from parley.app.wiring import web_folder
from parley.base.config import ListenAddress, Settings, unused_settings
from parley.base.errors import ConfigError
from parley.base.net.server_tls import ServerTls
from parley.base.net.tls import TlsCredentials
from parley.storage.errors import StorageError
from parley.storage.sqlite import database
from parley.storage.sqlite.migrate import check_version

_WARN_BEFORE: Final = timedelta(days=21)
_OTHER_FILES: Final = 200
"""Open files beside the clients' connections: database, uploads, listeners."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, or with `is_warning` something to think about.

    `code` is kebab-case and stable, `subject` names the setting or the file.
    """

    code: str
    subject: str
    message: str
    is_warning: bool = False


def check(settings: Settings, now: datetime, *, is_running: bool) -> list[Finding]:
    """Look at everything.

    Args:
        settings: that were read without an error.
        now: the time, with its zone.
        is_running: whether a server with these settings runs already; then its ports are taken by it.
    """
    found = [
        *_check_settings(settings),
        *_check_exposure(settings),
        *_check_certificate(settings, now),
        *_check_data_folder(settings.data_dir),
        *_check_database(settings.database_path),
        *_check_room(settings),
        *_check_files(settings),
    ]
    return found if is_running else [*found, *_check_ports(settings)]


def listening(settings: Settings) -> Iterator[tuple[str, ListenAddress]]:
    """Every address at which a server listens, with its setting."""
    for setting, addresses in (
        ("http.listen", settings.http.listen),
        ("http.listen_tls", settings.http.listen_tls),
        ("xmpp.c2s", settings.xmpp.c2s),
        ("xmpp.c2s_tls", settings.xmpp.c2s_tls),
        ("xmpp.s2s", settings.xmpp.s2s),
        ("xmpp.s2s_tls", settings.xmpp.s2s_tls),
    ):
        for address in addresses:
            yield setting, address


def _check_settings(settings: Settings) -> Iterator[Finding]:
    for path in unused_settings(settings):
        yield Finding("setting-unused", path, "has no effect in this release", is_warning=True)
    if not (web_folder(settings) / "index.html").is_file():
        message = f"there is no built web app in {web_folder(settings)}: run `make web`"
        yield Finding("web-app-missing", "http.web_dir", message, is_warning=True)


def _check_exposure(settings: Settings) -> Iterator[Finding]:
    for address in settings.http.listen:
        if not address.is_loopback:
            message = (
                f"{address} serves plain HTTP to other machines, and lets none but http.trusted_proxies sign in there:"
                " use http.listen_tls or a reverse proxy"
                if settings.xmpp.require_tls
                else f"{address} serves plain HTTP and sign-in to other machines: use http.listen_tls or a proxy"
            )
            yield Finding("http-exposed", "http.listen", message, is_warning=True)
    url = urlsplit(settings.http.public_url)
    if url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
        message = f"{settings.http.public_url} is not HTTPS: browsers refuse the microphone and encryption there"
        yield Finding("url-insecure", "http.public_url", message, is_warning=True)
    if not settings.xmpp.require_tls:
        yield Finding("tls-optional", "xmpp.require_tls", "clients may sign in without TLS", is_warning=True)


def _check_ports(settings: Settings) -> Iterator[Finding]:
    seen: dict[ListenAddress, str] = {}
    for setting, address in listening(settings):
        if address.port and address in seen:
            yield Finding("port-twice", setting, f"{address} is in {seen[address]} already")
            continue
        seen[address] = setting
        reason = obstacle(address)
        if reason:
            yield Finding("port-unusable", setting, f"cannot listen at {address}: {reason}")


def _check_certificate(settings: Settings, now: datetime) -> Iterator[Finding]:
    path, key = settings.tls.certificate, settings.tls.private_key
    try:
        TlsCredentials(path, key)
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ConfigError as error:
        yield Finding("certificate-unusable", error.path, _certificate_problem(error, path, key))
        return
    subject = "tls.certificate"
    expiry = expires_at(certificate)
    if expiry <= now:
        yield Finding("certificate-expired", subject, f"{path} expired on {expiry:%Y-%m-%d}")
    elif expiry - now < _WARN_BEFORE:
        yield Finding("certificate-expires", subject, f"{path} expires on {expiry:%Y-%m-%d}", is_warning=True)
    if not is_valid_yet(certificate, now):
        yield Finding("certificate-too-new", subject, f"{path} is not valid yet")
    for domain in settings.domains:
        if not covers(certificate, domain):
            yield Finding("certificate-name", subject, f"{path} is not for {domain}")
    host = urlsplit(settings.http.public_url).hostname or ""
    if settings.http.listen_tls and not covers(certificate, host):
        yield Finding("certificate-name", subject, f"{path} is not for {host}, the host of http.public_url")
    if settings.is_federated:
        yield from _check_for_servers(settings, certificate)
    if is_self_signed(certificate):
        yield Finding("certificate-self-signed", subject, f"{path} is self-signed: clients ask", is_warning=True)
    if key.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        yield Finding("key-readable", "tls.private_key", f"every user of this machine may read {key}: chmod o= {key}")


def _check_for_servers(settings: Settings, certificate: x509.Certificate) -> Iterator[Finding]:
    path, subject = settings.tls.certificate, "tls.certificate"
    for label in (settings.services.rooms, settings.services.pubsub, settings.services.push):
        for domain in settings.domains:
            if label and not covers(certificate, f"{label}.{domain}"):
                message = f"{path} is not for {label}.{domain}: other servers do not reach it"
                yield Finding("certificate-service", subject, message, is_warning=True)
    if not is_for_clients(certificate):
        message = f"{path} is for servers only: other servers may have to ask us by dialback who we are"
        yield Finding("certificate-purpose", subject, message, is_warning=True)
    if is_self_signed(certificate):
        yield Finding(
            "certificate-untrusted", subject, f"{path} is self-signed: other servers refuse it", is_warning=True
        )
    ca_file = settings.federation.ca_file
    if ca_file is not None:
        try:
            ServerTls(path, settings.tls.private_key, ca_file)
        except ConfigError as error:
            yield Finding("authorities-unusable", error.path, str(error))


def _certificate_problem(error: ConfigError, certificate: Path, key: Path) -> str:
    for path in (certificate, key):
        if not path.exists():
            return f"there is no file {path}"
        if not os.access(path, os.R_OK):
            return f"{path} cannot be read by this user"
    if "KEY_VALUES_MISMATCH" in error.message or "key values mismatch" in error.message:
        return f"the private key {key} does not belong to {certificate}"
    return error.message.partition(": ")[2]


def _check_data_folder(folder: Path) -> Iterator[Finding]:
    subject = "data_dir"
    if not folder.exists():
        parent = next(above for above in folder.parents if above.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            yield Finding("data-unusable", subject, f"{folder} does not exist and cannot be made")
        return
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("data-unusable", subject, f"{folder} is not a folder that this user may write to")
        return
    private: list[tuple[Path, Callable[[Path], bool]]] = [(folder, Path.is_dir)]
    private += [(folder / name, Path.is_file) for name in (data_folder.KEY, "parley.db")]
    for path, is_there in private:
        if is_there(path) and is_open_to_others(path):
            yield Finding(
                "data-readable", subject, f"other users of this machine may enter or read {path}: chmod go= {path}"
            )
    key = folder / data_folder.KEY
    if key.is_file() and key.stat().st_size != data_folder.SECRET_BYTES:
        yield Finding("secret-malformed", subject, f"{key} is not {data_folder.SECRET_BYTES} bytes long")


def _check_database(path: Path) -> Iterator[Finding]:
    if not path.is_file():
        return
    try:
        connection = database.open_reader(path)
        try:
            check_version(connection, path)
        finally:
            connection.close()
    except StorageError as error:
        yield Finding(error.code, "data_dir", error.message)


def _check_room(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    place = folder if folder.is_dir() else next(above for above in folder.parents if above.is_dir())
    free_bytes, least = shutil.disk_usage(place).free, settings.upload.min_free_bytes
    if free_bytes < least:
        message = f"{free_bytes} bytes are free, uploads are refused below {least} (upload.min_free_bytes)"
        yield Finding("disk-full", "data_dir", message)
    elif free_bytes < 2 * least:
        yield Finding("disk-filling", "data_dir", f"only {free_bytes} bytes are free", is_warning=True)


def _check_files(settings: Settings) -> Iterator[Finding]:
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.limits.max_connections + _OTHER_FILES
    if allowed not in (resource.RLIM_INFINITY, -1) and allowed < wanted:
        message = f"this process may open {allowed} files, {wanted} are needed: raise its limit (LimitNOFILE)"
        yield Finding("files-limited", "limits.max_connections", message, is_warning=True)
