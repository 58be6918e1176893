import pytest
from prometheus_client.parser import text_string_to_metric_families

from parley.ops.metrics import Metrics


def test_two_processes_in_one_do_not_share_figures():
    first, second = Metrics(), Metrics()
    first.committed(1, 0.001)
    assert first.value("parley_commits_total") == 1
    assert second.value("parley_commits_total") == 0


@pytest.mark.parametrize(
    ("act", "name", "labels", "value"),
    [
        (lambda m: m.connected("websocket"), "parley_connections", {"transport": "websocket"}, 1),
        (lambda m: m.disconnected("tcp"), "parley_connections", {"transport": "tcp"}, -1),
        (lambda m: m.session_opened(), "parley_sessions", {}, 1),
        (lambda m: m.session_closed(), "parley_sessions", {}, -1),
        (lambda m: m.stanza_in("iq"), "parley_stanzas_total", {"direction": "in", "kind": "iq"}, 1),
        (lambda m: m.stanza_out("message"), "parley_stanzas_total", {"direction": "out", "kind": "message"}, 1),
        (lambda m: m.committed(7, 0.5), "parley_commit_batch_size_sum", {}, 7),
        (lambda m: m.committed(7, 0.5), "parley_commit_seconds_sum", {}, 0.5),
        (lambda m: m.delivered(0.003), "parley_delivery_seconds_bucket", {"le": "0.005"}, 1),
        (lambda m: m.watch_queue("writer", lambda: 42), "parley_queue_depth", {"queue": "writer"}, 42),
        (lambda m: m.uploaded(10), "parley_uploaded_bytes_total", {}, 10),
        (lambda m: m.downloaded(11), "parley_downloaded_bytes_total", {}, 11),
        (lambda m: m.login("throttled"), "parley_logins_total", {"result": "throttled"}, 1),
        (lambda m: m.refused("not-found"), "parley_refused_total", {"code": "not-found"}, 1),
    ],
)
def test_each_figure(act, name: str, labels: dict[str, str], value: float):
    metrics = Metrics()
    act(metrics)
    assert metrics.value(name, **labels) == value


def test_the_text_can_be_read_by_prometheus():
    metrics = Metrics()
    metrics.stanza_in("message")
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}
    assert families["parley_stanzas"].type == "counter"
    assert families["parley_delivery_seconds"].type == "histogram"
    assert all(family.documentation for family in families.values())
