"""Metrics for Prometheus on the console's port: what is counted, who may ask, and that nothing is in its way."""
import http.client
import re
import socket
import subprocess
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.server import BINARY, FAST_RETRY, Server, settle
from support.sink import Sink
from support.util import free_offset, message, wait_for

APP = "127.0.0.32"
PASSWORD = "Marker-Metr1cs-7k"


def free_port():
    """Below those that the kernel gives to connections, which come and go."""
    return 80 + free_offset()


def ask(port, method="GET", path="/metrics"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        c.request(method, path)
        r = c.getresponse()
        return r, r.read()
    finally:
        c.close()


def scrape(port):
    """{name: {labels as a tuple: value}} of a scrape, read by Prometheus' own parser."""
    r, body = ask(port)
    assert r.status == 200 and r.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    out = {}
    for family in text_string_to_metric_families(body.decode()):
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
        for s in family.samples:
            out.setdefault(s.name, {})[tuple(sorted(s.labels.items()))] = s.value
    return out


class Changes:
    """What has been added to a sample since the beginning."""

    def __init__(self, port):
        self.port, self.before = port, scrape(port)

    def __call__(self, name, **labels):
        key = tuple(sorted(labels.items()))
        return scrape(self.port)["mailreeve_" + name][key] - self.before["mailreeve_" + name][key]


@pytest.fixture(scope="module")
def sink():
    s = Sink()
    yield s
    s.close()


@pytest.fixture(scope="module")
def hub(sink):
    s = Server(start=False)
    s.port = free_port()
    try:
        s.start(options=["--console", str(s.port)])
        s.relax()
        s.mailbox("alice@example.com", PASSWORD)
        s.mailbox("bob@example.com", PASSWORD)
        s.connector("app", APP)
        s.shell(FAST_RETRY)
        s.smart_host(sink.port)
        settle()
        yield s
    finally:
        s.close()


def test_what_a_message_counts(hub, sink, marker):
    since = Changes(hub.port)
    with hub.login("alice@example.com", PASSWORD) as c:
        for i in range(3):
            body = message("%s%d" % (marker, i), "alice@example.com", "x@far.test")
            assert c.send_mail("alice@example.com", ["alice@example.com", "x@far.test"], body) == "250 2.6.0"
        inside = since("sessions_open")
    wait_for("the deliveries", lambda: since("recipient_outcomes_total", outcome="delivered") == 3 and
             since("recipient_outcomes_total", outcome="sent") == 3)
    assert inside == 1 and since("sessions_total") == 1
    wait_for("the session to end", lambda: since("sessions_open") == 0)
    assert since("messages_accepted_total") == 3 and since("recipients_accepted_total") == 6
    assert since("messages_accepted_bytes_total") > 3 * 100
    assert since("session_tls_total", version="TLSv1.3") == 1 and since("session_tls_total", version="TLSv1.2") == 0
    assert since("accept_seconds_count") == 3 == since("accept_seconds_bucket", le="+Inf")
    assert since("delivery_seconds_count") == 6 and since("delivery_seconds_sum") >= 0
    assert since("delivery_tls_total", version="none") >= 1
    flushes = since("flushes_total", store="queue")
    assert 3 <= flushes <= 30, "one for each message, which came one after the other, and some for outcomes"
    wait_for("its entries in the tracking log", lambda: since("tracking_entries_total") == 3 + 3 + 3)
    assert since("events_lost_total") == 0


def test_refusals_by_reason(hub, marker):
    since = Changes(hub.port)
    with hub.session() as c:
        assert c.cmd("MAIL FROM:<x@outside.test>").code == 530
    assert (since("refusals_total", reason="sender"), since("refusals_total", reason="recipient")) == (1, 0)
    hub.shell("Set-ReceiveConnector app -MaxRecipientsPerMessage 2")
    settle()
    with hub.session(source=APP) as c:
        assert c.cmd("MAIL FROM:<x@outside.test>").code == 250
        assert c.cmd("RCPT TO:<y@elsewhere.test>").code == 550
        assert c.cmd("RCPT TO:<alice@example.com>").code == 250
        assert c.cmd("RCPT TO:<bob@example.com>").code == 250
        assert c.cmd("RCPT TO:<carol@example.com>").code == 452
    assert (since("refusals_total", reason="recipient"), since("refusals_total", reason="limit")) == (1, 1)
    assert since("refusals_total", reason="auth") == 0
    assert since("messages_accepted_total") == 0


def test_the_queue_is_measured(hub, sink, marker):
    sink.rules = lambda step, info: "451 4.3.0 later" if step == "mail" else None
    try:
        with hub.login("alice@example.com", PASSWORD) as c:
            body = message(marker, "alice@example.com", "x@far.test")
            assert c.send_mail("alice@example.com", ["x@far.test", "y@far.test"], body) == "250 2.6.0"

        def waits():
            now = scrape(hub.port)
            return now["mailreeve_queue_messages"][()] == 1 and now["mailreeve_queue_recipients"][()] == 2 and now
        now = wait_for("the message to be counted", waits, timeout=30)
        assert now["mailreeve_queue_oldest_seconds"][()] > 0 and now["mailreeve_queue_bytes"][()] > 100
        assert now["mailreeve_recipient_outcomes_total"][(("outcome", "deferred"),)] >= 2
    finally:
        sink.rules = None
    wait_for("an empty queue", lambda: scrape(hub.port)["mailreeve_queue_messages"][()] == 0, timeout=60)
    assert scrape(hub.port)["mailreeve_queue_oldest_seconds"][()] == 0


def test_a_process_that_dies_goes_on_counting(hub, marker):
    with hub.login("alice@example.com", PASSWORD) as c:
        body = message(marker, "alice@example.com", "alice@example.com")
        assert c.send_mail("alice@example.com", ["alice@example.com"], body) == "250 2.6.0"
    hub.wait_mail("alice@example.com", marker)
    before = scrape(hub.port)
    for role in ("receive", "queue", "manage"):
        hub.kill9(role)
    key = (("role", "queue"),)
    after = wait_for("the console to answer again", lambda: answers(hub.port), timeout=30)
    wait_for("the queue's start to be counted", lambda: scrape(hub.port)["mailreeve_process_starts_total"][key] ==
             before["mailreeve_process_starts_total"][key] + 1, timeout=30)
    for name, samples in before.items():
        if name.endswith(("_total", "_count", "_bucket", "_sum")):
            for labels, value in samples.items():
                assert after[name][labels] >= value, (name, labels)
    assert after["mailreeve_sessions_open"][()] == 0


def answers(port):
    try:
        return scrape(port)
    except (OSError, http.client.HTTPException):
        return None


def test_only_metrics_are_served(hub):
    r, body = ask(hub.port, "HEAD")
    assert r.status == 200 and body == b"" and int(r.getheader("Content-Length")) > 1000
    for path in ("/", "/metrics/", "/../metrics", "/%2e%2e/etc/passwd"):
        assert ask(hub.port, path=path)[0].status == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        r, _ = ask(hub.port, method)
        assert (r.status, r.getheader("Allow")) == (405, "GET, HEAD"), method


def test_who_holds_connections_holds_nobody_up(hub, marker):
    """More silent and endless clients than it takes: shells, mail and the next scrape go on; they are let go of."""
    held = [socket.create_connection(("127.0.0.1", hub.port)) for _ in range(64)]
    try:
        for s in held[::2]:
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 1000)
        t = time.monotonic()
        hub.shell("Get-TransportServer")
        with hub.session() as c:
            assert c.cmd("NOOP").code == 250
        assert time.monotonic() - t < 8
        assert wait_for("a scrape when their time is over", lambda: answers(hub.port), timeout=40)
    finally:
        for s in held:
            s.close()
    big = socket.create_connection(("127.0.0.1", hub.port))
    with big:
        try:
            big.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 100000)
            got = big.recv(100)
        except ConnectionError:
            got = b""
        assert re.match(rb"HTTP/1\.1 4(13|31)|$", got), got
    assert answers(hub.port)


def listening(port):
    """The addresses of IPv4 and IPv6 that something listens on at this port."""
    out = subprocess.run(["ss", "-ltnH", "sport = :%d" % port], capture_output=True, text=True, check=True).stdout
    return {line.split()[3].rsplit(":", 1)[0] for line in out.splitlines()}


def test_where_it_listens(hub, marker):
    assert listening(hub.port) == {"127.0.0.1"}, "a port alone is this machine's"
    s = Server(start=False)
    port = free_port()
    try:
        s.start()
        assert listening(port) == set(), "without --console there is none"
        s.stop()
        s.start(options=["--console", "0.0.0.0:%d" % port])
        assert listening(port) == {"0.0.0.0"}
        assert "level=warning role=supervisor event=console endpoint=0.0.0.0:%d" % port in s.log_text()
        assert answers(port)
        s.stop()
        p = subprocess.run([BINARY, "serve", "--state", s.state, "--console", str(hub.port)], capture_output=True, timeout=30, check=False)
        assert p.returncode == 1 and b"--console: cannot listen on 127.0.0.1:%d" % hub.port in p.stderr, p.stderr
        p = subprocess.run([BINARY, "serve", "--state", s.state, "--console", "70000"], capture_output=True, timeout=30, check=False)
        assert p.returncode == 2 and b"--console 70000" in p.stderr
    finally:
        s.close()
