"""The figures of one process, in its own registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LATENCIES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STANZAS = ("message", "presence", "iq")
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class _Stanzas(Collector):
    """Counts without the lock that the library's counters have: all stanzas pass the event loop's one thread."""

    def __init__(self) -> None:
        self.came_in = dict.fromkeys(_STANZAS, 0)
        self.went_out = dict.fromkeys(_STANZAS, 0)

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        family = CounterMetricFamily(
            "parley_stanzas", "Stanzas from (in) and to (out) clients.", labels=["direction", "kind"]
        )
        for direction, counts in (("in", self.came_in), ("out", self.went_out)):
            for kind, count in counts.items():
                family.add_metric([direction, kind], count)
        yield family


class Metrics:
    """Counts and measures. Cheap enough for the hot path: label children are looked up in plain dictionaries.

    Labels take only words from a fixed set (transports, kinds, error codes), never anything that a peer chose: each new
    value is a new time series for ever.
    """

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        ProcessCollector(registry=registry)
        self._connections = Gauge("parley_connections", "Open connections.", ["transport"], registry=registry)
        self._sessions = Gauge("parley_sessions", "Signed-in sessions, detached ones included.", registry=registry)
        self._stanzas = _Stanzas()
        registry.register(self._stanzas)
        self._commits = Counter("parley_commits", "Transactions committed and synced.", registry=registry)
        self._batches = Histogram(
            "parley_commit_batch_size", "Writes in one transaction.", buckets=_BATCHES, registry=registry
        )
        self._commit_times = Histogram(
            "parley_commit_seconds", "Time of one transaction with its sync.", buckets=_LATENCIES_S, registry=registry
        )
        self._deliveries = Histogram(
            "parley_delivery_seconds",
            "From the arrival of a message to handing it to a recipient's connection.",
            buckets=_LATENCIES_S,
            registry=registry,
        )
        self._queues = Gauge("parley_queue_depth", "Entries that wait in a queue.", ["queue"], registry=registry)
        self._uploaded = Counter("parley_uploaded_bytes", "Bytes of content received and synced.", registry=registry)
        self._downloaded = Counter("parley_downloaded_bytes", "Bytes of content sent.", registry=registry)
        self._server_connections = Gauge(
            "parley_server_connections",
            "Open connections with other servers, by who opened them.",
            ["direction"],
            registry=registry,
        )
        self._server_stanzas = Counter(
            "parley_server_stanzas",
            "Stanzas from (in) and to (out) other servers.",
            ["direction", "kind"],
            registry=registry,
        )
        self._bounces = Counter(
            "parley_bounces",
            "Stanzas that other servers did not get, by what their senders were told.",
            ["code"],
            registry=registry,
        )
        self._pushes = Counter(
            "parley_pushes",
            "Times that the push service was to wake a device, by its kind.",
            ["kind"],
            registry=registry,
        )
        self._logins = Counter("parley_logins", "Attempts to sign in.", ["result"], registry=registry)
        self._refusals = Counter("parley_refused", "Requests refused, by error code.", ["code"], registry=registry)

    def connected(self, transport: str) -> None:
        """A connection was opened; `transport` is tcp, tls or websocket."""
        self._connections.labels(transport).inc()

    def disconnected(self, transport: str) -> None:
        """A connection of that transport ended."""
        self._connections.labels(transport).dec()

    def session_opened(self) -> None:
        """A client has signed in and bound a resource."""
        self._sessions.inc()

    def session_closed(self) -> None:
        """A session is over for good."""
        self._sessions.dec()

    def stanza_in(self, kind: str) -> None:
        """A stanza came from a client; `kind` is message, presence or iq."""
        self._stanzas.came_in[kind] += 1

    def stanza_out(self, kind: str) -> None:
        """A stanza was written to a client; `kind` is message, presence or iq."""
        self._stanzas.went_out[kind] += 1

    def committed(self, batch_size: int, duration_s: float) -> None:
        """A transaction of `batch_size` writes was committed and synced in `duration_s` seconds."""
        self._commits.inc()
        self._batches.observe(batch_size)
        self._commit_times.observe(duration_s)

    def delivered(self, duration_s: float) -> None:
        """A message reached a recipient's connection `duration_s` seconds after it had arrived."""
        self._deliveries.observe(duration_s)

    def watch_queue(self, name: str, depth: Callable[[], float]) -> None:
        """Report the depth of a queue; `depth` is called whenever the figures are read, and must be quick."""
        self._queues.labels(name).set_function(depth)

    def uploaded(self, size_bytes: int) -> None:
        """Bytes of an upload were received and synced."""
        self._uploaded.inc(size_bytes)

    def downloaded(self, size_bytes: int) -> None:
        """Bytes of a content were sent."""
        self._downloaded.inc(size_bytes)

    def server_connected(self, direction: str) -> None:
        """A connection with another server is up; `direction` is in or out: who opened it."""
        self._server_connections.labels(direction).inc()

    def server_disconnected(self, direction: str) -> None:
        """It ended."""
        self._server_connections.labels(direction).dec()

    def server_stanza(self, direction: str, kind: str) -> None:
        """A stanza came from (in) or went to (out) another server; `kind` is message, presence or iq."""
        self._server_stanzas.labels(direction, kind).inc()

    def bounced(self, code: str) -> None:
        """A stanza did not reach another server; its sender was told so, with that condition."""
        self._bounces.labels(code).inc()

    def pushed(self, kind: str) -> None:
        """The push service was to wake a device of that kind, which is one of those that apps can register."""
        self._pushes.labels(kind).inc()

    def login(self, result: str) -> None:
        """Somebody tried to sign in; `result` is accepted, rejected or throttled."""
        self._logins.labels(result).inc()

    def refused(self, code: str) -> None:
        """A request was refused with that stable error code."""
        self._refusals.labels(code).inc()

    def value(self, name: str, **labels: str) -> float | None:
        """Return one figure by its exposed name, for instance `parley_commits_total`; None when it has no value yet."""
        return self._registry.get_sample_value(name, labels)

    def render(self) -> bytes:
        """Return all figures in the Prometheus text format, to be served as `CONTENT_TYPE`."""
        return generate_latest(self._registry)
