"""The HTTP server: granian embedded in the event loop, on sockets that are bound here.

granian's own sockets share a taken port silently (`SO_REUSEPORT`) and do not tell which free port they got; so the
sockets are made here and handed over by the one method that makes them. It speaks HTTP/1.1 and WebSocket only, installs
no signal handlers, and logs nothing by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from parley.base import log as logs
from parley.base.config.values import ListenAddress
from parley.base.errors import ConfigError
from parley.base.net.binding import bind
from parley.base.supervise import ESSENTIAL, Supervisor
from parley.edges.http.asgi import Application, Receive, Scope, Send
from parley.edges.http.connections import ConnectionLimits, Connections
from parley.edges.http.errors import RETRY_AFTER_S
from parley.edges.http.websocket import PROTECTED
from parley.protocols.http.forwarding import client_of, is_protected

_BACKLOG = 1024
_START_S = 10.0
# For requests that were cut off to be answered, for connections to end behind that, and for what is left to be dropped.
_ANSWER_S = 1.0
_CLOSE_S = 0.5
_DROP_S = 0.5
# Without `incremental`, setting up granian's logger would close every handler of the process.
_QUIET: dict[str, Any] = {"incremental": True, "formatters": {}, "handlers": {}, "loggers": {"_granian": {}}}

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files for TLS: the certificate with its chain, and its private key without a password."""

    chain: Path
    private_key: Path


@dataclass(frozen=True, slots=True)
class Listener:
    """One address to serve: HTTPS with a certificate, else plain HTTP. `setting` names it in errors."""

    address: ListenAddress
    certificate: Certificate | None = None
    setting: str = "http.listen"


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of the server.

    Attributes:
        max_header_bytes: of a request's head; more is answered with 431.
        header_timeout_s: for a head to arrive, and for a kept connection to stay idle; then it is closed.
        max_connections: for each address to listen at; more wait to be accepted.
        drain_timeout_s: what requests get to finish when the server stops.
        connections: of one client, and of proxies.
    """

    max_header_bytes: int = 32768
    header_timeout_s: float = 20.0
    max_connections: int = 10_000
    drain_timeout_s: float = 5.0
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)


class HttpServer:
    """Serves an ASGI application. An async context manager: entered, it accepts connections; left, it has drained.

    Args:
        application: gets every request and WebSocket.
        listeners: where to serve.
        supervisor: keeps the servers; one that ends by itself ends the process.
        limits: bounds.
        refused: is told a code for each connection that is cut.

    Raises:
        ConfigError: on entering, when an address cannot be bound or a certificate cannot be used.
    """

    def __init__(
        self,
        application: Application,
        listeners: Sequence[Listener],
        supervisor: Supervisor,
        limits: ServerLimits | None = None,
        refused: Callable[[str], None] = lambda _code: None,
    ) -> None:
        self._application = application
        self._listeners = listeners
        self._supervisor = supervisor
        self._limits = limits or ServerLimits()
        self._connections = Connections(self._limits.connections, refused)
        self._watch: asyncio.Task[None] | None = None
        self._bound: list[_Bound] = []
        self._is_draining = False

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The bound addresses with their real ports, in the order of the listeners."""
        return [bound.socket.getsockname()[:2] for bound in self._bound]

    async def __aenter__(self) -> Self:
        try:
            for listener in self._listeners:
                self._bound += [_Bound(listener, bound) for bound in _bind(listener)]
            self._connections.listen(self.addresses)
            for bound in self._bound:
                await self._start(bound)
            self._watch = self._supervisor.service("http connections", self._connections.run)
        except BaseException:
            await self._stop(drain_s=0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop(self._limits.drain_timeout_s)

    def configure(self, limits: ConnectionLimits) -> None:
        """Go on with other bounds of connections."""
        self._connections.limits = limits

    async def reload_certificates(self, certificate: Certificate) -> None:
        """Serve new TLS connections with a certificate, as it is on disk now.

        Requests that run get `drain_timeout_s` to finish. WebSockets over TLS are cut: their clients come back and
        resume their streams.

        Args:
            certificate: for all listeners that have one.

        Raises:
            ConfigError: it cannot be used; then its address goes on with the old one.
        """
        for bound in self._bound:
            old, before = bound.running, bound.listener
            if before.certificate is None or old is None:
                continue
            bound.listener = replace(before, certificate=certificate)
            try:
                await self._start(bound)
            except BaseException:
                bound.listener = before
                raise
            old.server.finish()
            await _end(old, self._limits.drain_timeout_s)

    async def _start(self, bound: _Bound) -> None:
        requests: set[asyncio.Task[Any]] = set()
        server = _embed(partial(self._serve, requests), bound, self._limits)
        task = self._supervisor.service(f"http {bound.listener.address.host}", server.run, ESSENTIAL)
        bound.running = _Running(server, task, requests)
        async with asyncio.timeout(_START_S):
            await server.is_started.wait()

    async def _serve(self, requests: set[asyncio.Task[Any]], scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        if self._is_draining or task is None:
            await _turn_away(scope, send, 503)
            return
        # granian looks at its bound between two reads, so that a somewhat longer head gets through.
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self._limits.max_header_bytes:
            await _turn_away(scope, send, 431)
            return
        requests.add(task)
        try:
            if scope["type"] == "websocket":
                peer, port = scope["client"]
                with self._connections.websocket((peer, int(port))) as messages:
                    await self._application(self._seen_through(scope), messages.counted(receive), send)
            else:
                await self._application(self._seen_through(scope), receive, send)
        finally:
            requests.discard(task)

    def _seen_through(self, scope: Scope) -> Scope:
        """The scope with the client behind trusted proxies in their place, and with what `PROTECTED` names."""
        trusted = self._connections.limits.trusted
        peer, port = scope["client"]
        scope[PROTECTED] = is_protected(scope["scheme"], peer, _joined(scope, b"x-forwarded-proto"), trusted)
        if trusted:
            scope["client"] = (client_of(peer, _joined(scope, b"x-forwarded-for"), trusted), port)
        return scope

    async def _stop(self, drain_s: float) -> None:
        # granian drops its WebSockets as soon as it is told to stop: so it is told last, and what comes until then is
        # turned away.
        self._is_draining = True
        if self._watch is not None:
            self._watch.cancel()
        running = [bound.running for bound in self._bound if bound.running is not None]
        requests = [task for each in running for task in each.requests]
        if requests and drain_s:
            await asyncio.wait(requests, timeout=drain_s)
        for each in running:
            each.server.finish()
        async with asyncio.TaskGroup() as group:
            for each in running:
                group.create_task(_end(each, 0))
        for bound in self._bound:
            bound.socket.close()
        self._bound.clear()


@dataclass(frozen=True, slots=True)
class _Running:
    server: _Embedded
    task: asyncio.Task[None]
    requests: set[asyncio.Task[Any]]


@dataclass(slots=True)
class _Bound:
    listener: Listener
    socket: socket.socket
    running: _Running | None = None


async def _end(running: _Running, drain_s: float) -> None:
    """Wait for a server that was told to finish; cut off what has not ended after `drain_s` seconds.

    It takes two seconds more at most.
    """
    if drain_s:
        await asyncio.wait([running.task], timeout=drain_s)
    if running.requests:
        log.info("requests cut off", count=len(running.requests))
        for task in running.requests:
            task.cancel()
        await asyncio.wait(running.requests, timeout=_ANSWER_S)
        # They have had their answer, and only read on so that it is not lost to a client that still writes.
        for task in running.requests:
            task.cancel()
    # What is left are connections without a request, and clients that do not take their reply.
    await asyncio.wait([running.task], timeout=_CLOSE_S)
    running.task.cancel()
    await asyncio.wait([running.task], timeout=_DROP_S)


def _joined(scope: Scope, header: bytes) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == header)


async def _turn_away(scope: Scope, send: Send, status: int) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1001})
        return
    headers = [(b"server", b"parley"), (b"connection", b"close"), (b"content-length", b"0")]
    if status == 503:
        headers.append((b"retry-after", RETRY_AFTER_S.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class _Embedded(Server):
    """granian's server on a socket that is already bound."""

    def __init__(self, bound: socket.socket, **settings: Any) -> None:
        super().__init__(**settings)
        self._bound = bound
        self._is_finishing = False
        self.is_started = asyncio.Event()

    def _init_shared_socket(self) -> None:
        # The holder owns its descriptor and closes it at the end.
        holder: Any = SocketHolder
        self._shd = holder(os.dup(self._bound.fileno()), False, self.backlog)

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        super()._spawn_workers(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        self.is_started.set()

    async def _stop_workers(self) -> None:
        for worker in self.wrks:
            worker.terminate()  # type: ignore[no-untyped-call]
        # Shielded: granian's thread reports to the worker's task when its last connection has ended, even late.
        for worker in self.wrks:
            await asyncio.shield(worker.join())  # type: ignore[no-untyped-call]

    async def run(self) -> None:
        """Serve until `finish`; raises RuntimeError when granian stops by itself."""
        try:
            await self.serve()
        finally:
            for worker in self.wrks:
                if not worker.interrupt_by_parent:
                    worker.terminate()  # type: ignore[no-untyped-call]
        if not self._is_finishing:
            raise RuntimeError("the HTTP server stopped by itself")

    def finish(self) -> None:
        """Accept nothing more and end when the open connections have ended."""
        self._is_finishing = True
        self.stop()  # type: ignore[no-untyped-call]


def _embed(application: Application, bound: _Bound, limits: ServerLimits) -> _Embedded:
    certificate = bound.listener.certificate
    try:
        return _Embedded(
            bound.socket,
            target=application,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=True,
            backlog=_BACKLOG,
            # granian's name for how many connections are open at once.
            backpressure=limits.max_connections,
            http1_settings=HTTP1Settings(
                header_read_timeout=round(limits.header_timeout_s * 1000), max_buffer_size=limits.max_header_bytes
            ),
            log_level=LogLevels.critical,
            log_dictconfig=_QUIET,
            log_access=False,
            ssl_cert=certificate.chain if certificate else None,
            ssl_key=certificate.private_key if certificate else None,
            ssl_protocol_min=SSLProtocols.tls12,
        )
    except OSError as error:
        # ssl.SSLError is one: the files are missing, unreadable, or do not belong together.
        raise ConfigError("tls.certificate", f"cannot be used for HTTPS: {error}") from error


def _bind(listener: Listener) -> list[socket.socket]:
    host, port = listener.address.host, listener.address.port
    try:
        return bind(host, port, _BACKLOG)
    except OSError as error:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise ConfigError(listener.setting, f"cannot listen on {place}: {error.strerror}") from error
