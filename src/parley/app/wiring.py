"""The composition root: builds a server out of its parts, opens them in order and closes them in reverse.

Nothing else knows which class stands behind a port. The order matters: what is opened first is closed last, so the data
folder stays locked until the database is closed, the database is open for as long as any task runs, and HTTP, whose
`/health/ready` says that the server is ready, comes last.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import parley
from parley.app.administration import Administrators
from parley.app.backup.creating import remove_stale_staging
from parley.app.contents import Contents, open_contents
from parley.app.data_folder import CLOCK, SOCKET, DataFolder
from parley.app.database import open_storage
from parley.app.errors import PortTaken
from parley.app.federating import Federating
from parley.app.live import LiveServer
from parley.app.operations import Operations
from parley.app.requests import Document, decode
from parley.app.text_index import TextFollower
from parley.app.upkeep import Upkeep
from parley.app.wall_clock import Boot, WallClock
from parley.base import log as logs
from parley.base.clock import Clock, SystemClock
from parley.base.config import Settings, apply_reload
from parley.base.errors import ConfigError
from parley.base.ids import Uuid7
from parley.base.net.tls import TlsCredentials
from parley.base.supervise import Supervisor
from parley.domain.errors import StorageUnavailable
from parley.edges.admin.server import AdminServer
from parley.edges.http.app import App, Routes
from parley.edges.http.connections import ConnectionLimits
from parley.edges.http.discovery import Discovery
from parley.edges.http.downloads import DownloadRoutes
from parley.edges.http.operations import Operations as OperationRoutes
from parley.edges.http.server import Certificate, HttpServer, Listener, ServerLimits
from parley.edges.http.slots import Slots
from parley.edges.http.uploads import UploadRoutes
from parley.edges.http.webapp import WebApp
from parley.edges.http.websocket import WebSocketRoute
from parley.edges.xmpp import extensions
from parley.edges.xmpp.components import Components
from parley.edges.xmpp.delivery.archives import text_of
from parley.edges.xmpp.host import Host, Stores
from parley.edges.xmpp.server import XmppServer, build_host
from parley.identity.directory import Directory
from parley.identity.sign_in import SignIn
from parley.identity.tokens import Tokens
from parley.ops.health import Health
from parley.ops.metrics import Metrics
from parley.storage.journal import FileJournal

if TYPE_CHECKING:
    from parley.app.source import SettingsSource
    from parley.storage.sqlite.store import SqliteStorage
    from parley.storage.sqlite.work import CommitReport

log = logs.get(__name__)

_FILE_THREADS: Final = 4
_TASKS_STOP_S: Final = 1.0


class Server:
    """A server. An async context manager: entered, it is ready; left, everything is stored and closed.

    Args:
        source: where its settings come from, at the start and at each reload.
        clock: the time for all parts.

    Raises:
        ConfigError: on entering, when the settings or the certificate cannot be used.
        PortTaken: on entering, when another process listens where this one should.
        DataInUse, DataUnusable, StorageError: on entering, see there.
    """

    storage: SqliteStorage
    contents: Contents
    supervisor: Supervisor
    credentials: TlsCredentials
    directory: Directory
    sign_in: SignIn
    host: Host
    xmpp: XmppServer
    federating: Federating
    http: HttpServer
    operation_routes: OperationRoutes
    websocket_route: WebSocketRoute
    download_routes: DownloadRoutes

    def __init__(self, source: SettingsSource, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._http_stack = AsyncExitStack()
        self.settings = source.load()
        self.metrics = Metrics()
        self.health = Health()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        log.info("server is ready", version=parley.__version__, domains=",".join(self.settings.domains))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def drain(self) -> None:
        """Take in nothing more, end what there is, and store everything. What is left is to leave the context."""
        self.health.drain()
        # Together: WebSockets are HTTP's requests and XMPP's streams, and the time is limited.
        async with asyncio.TaskGroup() as group:
            group.create_task(self.xmpp.drain())
            group.create_task(self.federating.drain())
            group.create_task(self._http_stack.aclose())
        try:
            await self.storage.flush()
        except StorageUnavailable as error:
            # Nobody was told that it is safe; what is left is to end.
            log.error("not everything could be stored", code=error.code)

    async def reload(self) -> None:
        """Read settings and certificates again and take over what a running server can; errors change nothing."""
        try:
            read = self._source.load()
            self.credentials.reload(read.tls.certificate, read.tls.private_key)
            self.federating.reload_files(read)
            await self.http.reload_certificates(Certificate(read.tls.certificate, read.tls.private_key))
        except ConfigError as error:
            log.error("nothing was reloaded", reason=str(error))
            return
        self.settings, needs_restart = apply_reload(self.settings, read)
        self.xmpp.reload(self._effective())
        self.federating.configure()
        self.http.configure(_connection_limits(self.settings))
        self.sign_in.configure(self.settings.login)
        self.contents.reload(self.settings.upload)
        self.download_routes.max_ranges = self.settings.http.max_ranges
        self.websocket_route.origins = self.settings.http.allowed_origins
        self.operation_routes.metrics_allow = self.settings.metrics.allow
        set_up_logs(self.settings)
        log.info("settings and certificates were reloaded")
        for path in needs_restart:
            log.warning("this change needs a restart", setting=path)

    async def _open(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        folder = stack.enter_context(DataFolder(settings.data_dir))
        remove_stale_staging(settings.data_dir, self._clock.now_us() / 1_000_000)
        self.credentials = TlsCredentials(settings.tls.certificate, settings.tls.private_key)
        self.storage = await stack.enter_async_context(open_storage(settings, self._clock, self._committed))
        pool = stack.enter_context(ThreadPoolExecutor(_FILE_THREADS, "files"))
        self.contents = open_contents(settings, self.storage.uploads, pool, self._clock, self.metrics)
        self.supervisor = await stack.enter_async_context(Supervisor(self._clock, _TASKS_STOP_S))
        self.directory = Directory(self.storage.accounts)
        secret = folder.secret()
        tokens = Tokens(self.storage.tokens, settings.login, secret, self._clock.now_us, secrets.token_bytes)
        self.sign_in = SignIn(
            self.storage.accounts,
            self.storage.devices,
            tokens,
            settings.login,
            secret=secret,
            monotonic=self._clock.monotonic,
        )
        self.host = self._build_host()
        boot, path = Boot(), settings.data_dir / CLOCK
        self._wall_clock = WallClock(path, self._clock, boot.since_s, boot.id, lambda: self.settings.limits)
        self.federating = Federating(
            self.host,
            self.storage.partners,
            self.storage.outgoing,
            secret=secret,
            is_time_believed=self._wall_clock.is_believed,
        )
        operations = self._build_operations()
        self.xmpp = XmppServer(self.host, self.sign_in, self.credentials)
        self._watch()
        async with _listening():
            await stack.enter_async_context(self.xmpp)
            await stack.enter_async_context(self.federating)
            await stack.enter_async_context(Components(self.host))
        await stack.enter_async_context(self._build_admin(operations))
        async with _listening():
            self.http = await self._http_stack.enter_async_context(self._build_http())
        stack.push_async_callback(self._http_stack.aclose)

    def _build_host(self) -> Host:
        storage, settings = self.storage, self._effective()
        slots = Slots(
            storage.uploads,
            self.contents.partials,
            public_url=settings.http.public_url,
            limits=self.contents.limits,
            clock=self._clock,
        )
        stores = Stores(
            storage.devices,
            storage.rosters,
            storage.messages,
            storage.conversations,
            storage.nodes,
            self.directory,
            slots,
            storage.blocks,
            storage.personal,
            storage.rooms,
            storage.preferences,
            storage.inbox,
            storage.push,
            storage.push_targets,
        )
        return build_host(
            settings,
            self._clock,
            self.supervisor,
            self.metrics,
            stores=stores,
            extensions=extensions.load(settings),
            new_id=Uuid7(self._clock).text,
            rules={},
            journal=self._session_journal(),
        )

    def _session_journal(self) -> FileJournal | None:
        size_bytes = self.settings.limits.session_journal_bytes
        return FileJournal(self.settings.data_dir, Boot().id, self._clock.now_us, size_bytes) if size_bytes else None

    def _build_operations(self) -> Operations:
        live = LiveServer(self.host, self.directory, self.contents, self.federating)
        operations = Operations(self.storage, self._clock, self.settings.domains, live)
        self.host.administration = Administrators(operations, self.storage, lambda: self.settings, self._clock)
        return operations

    def _build_admin(self, operations: Operations) -> AdminServer:
        async def answer(line: bytes) -> Document:
            return await operations.answer(decode(line))

        return AdminServer(self.settings.data_dir / SOCKET, answer, self.supervisor)

    def _build_http(self) -> HttpServer:
        settings, contents = self.settings.http, self.contents
        rows = self.storage.uploads
        webapp = WebApp(web_folder(self.settings), settings.public_url)
        if not webapp.is_built:
            log.warning("there is no web app", folder=web_folder(self.settings))
        self.operation_routes = OperationRoutes(self.health, self.metrics, self.settings.metrics.allow)
        self.download_routes = DownloadRoutes(
            rows, contents.blobs, self._clock, self.metrics, max_ranges=settings.max_ranges
        )
        self.websocket_route = WebSocketRoute(
            self.xmpp.websocket,
            settings.public_url,
            self.metrics,
            settings.allowed_origins,
            is_tls_required=self.settings.xmpp.require_tls,
        )
        routes = Routes(
            webapp=webapp,
            websocket=self.websocket_route,
            discovery=Discovery(settings.public_url, self.settings.domains),
            uploads=UploadRoutes(contents.uploads, contents.limits, settings.public_url),
            downloads=self.download_routes,
            operations=self.operation_routes,
        )
        limits = ServerLimits(
            max_header_bytes=settings.max_header_bytes,
            header_timeout_s=settings.header_timeout_s,
            max_connections=self.settings.limits.max_connections,
            drain_timeout_s=self.settings.limits.drain_timeout_s,
            connections=_connection_limits(self.settings),
        )
        app = App(routes, self.metrics, settings.body_timeout_s, settings.min_body_bytes_per_s)
        return HttpServer(app, _listeners(self.settings), self.supervisor, limits, self.metrics.refused)

    def _effective(self) -> Settings:
        """The settings without what this machine cannot do."""
        archive = self.settings.archive
        if not archive.full_text or self.storage.text_index.is_available:
            return self.settings
        return self.settings.model_copy(update={"archive": archive.model_copy(update={"full_text": False})})

    def _watch(self) -> None:
        upkeep = Upkeep(
            lambda: self.settings,
            self._clock,
            self.storage.messages,
            self.storage.rooms,
            self.contents,
            self._wall_clock,
        )
        self.supervisor.service("sweep of uploads", upkeep.sweep_uploads)
        self.supervisor.service("sweep of messages", upkeep.sweep_messages)
        if self.storage.text_index.is_available:
            follower = TextFollower(self.storage.text_index, text_of, self._clock)
            self.supervisor.service("index of words", follower.run)
        self.health.add("storage", self._storage_problem)
        self.health.add("xmpp", self._xmpp_problem)
        self.metrics.watch_queue("storage", lambda: self.storage.stats.queued)
        self.metrics.watch_queue("storage-reads", lambda: self.storage.stats.reading)
        self.metrics.watch_queue("tasks", lambda: self.supervisor.running)

    def _committed(self, report: CommitReport) -> None:
        if not report.error:
            self.metrics.committed(report.messages + report.changes, report.duration_s)

    async def _storage_problem(self) -> str | None:
        return self.storage.trouble or None

    async def _xmpp_problem(self) -> str | None:
        return "draining" if self.host.is_draining else None


def set_up_logs(settings: Settings) -> None:
    """Write logs as the settings say."""
    logs.setup(settings.log.level, settings.log.format, drop_pii=settings.log.drop_personal_data)


def web_folder(settings: Settings) -> Path:
    """Where the web app lies: the folder of the settings, beside the package, or in the repository's build."""
    if settings.http.web_dir is not None:
        return settings.http.web_dir
    package = Path(parley.__file__).resolve().parent
    packaged = package / "web"
    return packaged if packaged.is_dir() else package.parent.parent / "web" / "dist"


def _connection_limits(settings: Settings) -> ConnectionLimits:
    # What a message's frames and the TLS records around them add to a stanza, with much to spare.
    largest_bytes = 2 * settings.limits.max_stanza_bytes + 65536
    return ConnectionLimits(settings.http.max_connections_per_address, largest_bytes, settings.http.trusted_proxies)


def _listeners(settings: Settings) -> list[Listener]:
    certificate = Certificate(settings.tls.certificate, settings.tls.private_key)
    plain = [Listener(address) for address in settings.http.listen]
    return plain + [Listener(address, certificate, "http.listen_tls") for address in settings.http.listen_tls]


@asynccontextmanager
async def _listening() -> AsyncIterator[None]:
    try:
        yield
    except ConfigError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
            raise PortTaken(error.message) from error
        raise
