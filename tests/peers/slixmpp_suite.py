"""Runs slixmpp's own integration tests, unmodified, against a Parley of their own, inside namespaces of their own.

`unshare -n -m python -m tests.peers.slixmpp_suite SOURCES REPORTS`: the names and ports that the tests insist on are
theirs alone there. Each file of tests is a process with a time limit: a missing answer would hang for ever.
"""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

DOMAIN = "prosody"
NAMES = ("prosody", "muc.prosody", "upload.prosody", "slixmpp.prosody")
FILE_S = 120
START_S = 60
STATUS_PORT = 5281
SETTINGS = f"""
domains = ["{DOMAIN}"]
[http]
listen = ["127.0.0.1:8080"]
listen_tls = ["127.0.0.1:8443"]
public_url = "https://{DOMAIN}:8443"
[tls]
certificate = "certs/fullchain.pem"
private_key = "certs/key.pem"
[xmpp]
c2s = ["127.0.0.1:5222"]
c2s_tls = ["127.0.0.1:5223"]
component = ["127.0.0.1:5347"]
[services]
rooms = "muc"
[contact]
outage_urls = ["https://{DOMAIN}:{STATUS_PORT}/status.json"]
[login]
scram_iterations = 4096
[[components]]
name = "slixmpp.{DOMAIN}"
secret = "secret"
"""


def main(sources: Path, reports: Path) -> int:
    """Run everything; the reports tell what failed."""
    with tempfile.TemporaryDirectory(prefix="parley-slixmpp-") as scratch:
        folder = Path(scratch)
        own_network(folder)
        home = folder / "home"
        program = Path(sys.executable).with_name("parley")
        subprocess.run([program, "init", home, "--domain", DOMAIN], check=True, stdout=subprocess.DEVNULL)
        config = home / "parley.toml"
        config.write_text(SETTINGS)
        for name in ("test1", "test2"):
            add = [program, "user", "add", f"{name}@{DOMAIN}", "--password-stdin", "--config", config]
            subprocess.run(add, check=True, input=b"secret", stdout=subprocess.DEVNULL)
        certificate = home / "certs" / "fullchain.pem"
        with (reports / "server.log").open("wb") as log:
            server = subprocess.Popen([program, "serve", "--config", config], stdout=log, stderr=log)
            try:
                wait_until_ready(server)
                serve_status(home / "certs")
                run_files(sources, reports, certificate)
            finally:
                server.terminate()
                server.wait(30)
    return 0


def own_network(folder: Path) -> None:
    """Bring up the loopback, and let the names of the tests mean it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    files = {"/etc/hosts": f"127.0.0.1 localhost {' '.join(NAMES)}\n", "/etc/resolv.conf": "nameserver 127.0.0.53\n"}
    for number, (path, text) in enumerate(files.items()):
        replacement = folder / str(number)
        replacement.write_text(text)
        subprocess.run(["mount", "--bind", replacement, path], check=True)


def wait_until_ready(server: subprocess.Popen[bytes]) -> None:
    """Wait for the server; raises RuntimeError when it does not come up."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen("http://127.0.0.1:8080/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not come up")


class Status(http.server.BaseHTTPRequestHandler):
    """The page that tells of outages, of which there is none."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def serve_status(certificates: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "fullchain.pem", certificates / "key.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", STATUS_PORT), Status)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def run_files(sources: Path, reports: Path, certificate: Path) -> None:
    """Run each file of tests, with a report in JUnit's format; a file that hangs has none."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "PYTEST"))},
        # One test asks for this very word.
        "CI": "woodpecker",
        "CI_ACCOUNT1": f"test1@{DOMAIN}",
        "CI_ACCOUNT1_PASSWORD": "secret",
        "CI_ACCOUNT2": f"test2@{DOMAIN}",
        "CI_ACCOUNT2_PASSWORD": "secret",
        "CI_MUC_SERVER": f"muc.{DOMAIN}",
        "SSL_CERT_FILE": str(certificate),
        "PYTHONPATH": str(sources),
    }
    for tests in sorted(sources.glob("itests/test_*.py")):
        report = reports / f"{tests.stem}.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-c", os.devnull]
        command += ["--rootdir", str(sources), f"--junitxml={report}", str(tests)]
        with (reports / f"{tests.stem}.txt").open("wb") as output:
            try:
                subprocess.run(
                    command, check=False, cwd=sources, env=environment, stdout=output, stderr=output, timeout=FILE_S
                )
            except subprocess.TimeoutExpired:
                output.write(b"\ntook too long\n")


if __name__ == "__main__":
    socket.setdefaulttimeout(30)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
