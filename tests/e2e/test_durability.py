"""What got its 250 arrives: ten thousand messages, and SIGKILL in mid-load to one role and to the whole server."""
import collections
import os
import threading
import time

import pytest

from support.server import Server, settle
from support.smtp import SMTP
from support.util import wait_for

TO = "bob@example.com"


@pytest.fixture
def hub():
    s = Server()
    s.relax()
    s.mailbox(TO, "pw-Bob1")
    s.connector("load", "127.0.0.2")
    settle()
    yield s
    s.close()


def content(n):
    return b"Subject: load\r\nX-Marker: n%d.\r\n\r\n%s\r\n" % (n, b"payload %d " % n * 40)


class Load:
    """Threads that send numbered messages over many sessions; `acknowledged` holds those that got their 250."""

    def __init__(self, server, threads, each, per_session, total=None):
        self.server, self.per_session, self.each = server, per_session, each
        self.acknowledged, self.lock, self.stopping = set(), threading.Lock(), False
        self.errors = collections.Counter()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(threads)]
        for t in self.threads:
            t.start()

    def run(self, worker):
        todo = list(range(worker * self.each, (worker + 1) * self.each))
        while todo and not self.stopping:
            try:
                with SMTP(self.server.smtp, source="127.0.0.2", timeout=30) as c:
                    c.ehlo()
                    for _ in range(self.per_session):
                        if not todo or self.stopping:
                            return
                        r = c.send_mail("load@outside.test", TO, content(todo[0]))
                        if r.code == 250:
                            with self.lock:
                                self.acknowledged.add(todo[0])
                            todo.pop(0)
                        else:
                            self.errors[str(r)] += 1
                            time.sleep(0.02)  # and so where it is refused for a while
            except (OSError, EOFError) as e:
                self.errors[type(e).__name__] += 1
                time.sleep(0.02)  # the server is down: try again like any client

    def join(self, timeout):
        end = time.monotonic() + timeout
        for t in self.threads:
            t.join(max(0.1, end - time.monotonic()))
        assert not any(t.is_alive() for t in self.threads), "the load did not end: %s" % self.errors

    def wait_acknowledged(self, n):
        wait_for("%d acknowledged messages; %s" % (n, self.errors), lambda: len(self.acknowledged) >= n, 60)


def numbers(server):
    """Counter of message numbers in the mailbox, with each body checked."""
    out = collections.Counter()
    for path in server.mail_files(TO):
        with open(path, "rb") as f:
            raw = f.read()
        n = int(raw.split(b"X-Marker: n")[1].split(b".")[0])
        assert b"payload %d " % n * 40 in raw, "a damaged body"
        out[n] += 1
    return out


def assert_all_arrive(server, acknowledged, timeout):
    """Polls file names only; the contents are read once, at the end."""
    wait_for("%d messages in the mailbox; %s" % (len(acknowledged), server.log_text()[-800:]),
             lambda: len(server.mail_files(TO)) >= len(acknowledged), timeout, every=0.2)
    wait_for("an empty queue", lambda: sum(q["MessageCount"] for q in server.json("Get-Queue")) == 0, 60, every=0.3)
    got = numbers(server)
    assert not acknowledged - set(got), "lost: %s" % sorted(acknowledged - set(got))[:10]
    return got


def test_ten_thousand_over_fifty_sessions(hub):
    load = Load(hub, 50, 200, 50)
    load.join(240)
    assert len(load.acknowledged) == 10000, load.errors
    got = assert_all_arrive(hub, load.acknowledged, 240)
    assert set(got.values()) == {1} and len(got) == 10000


@pytest.mark.parametrize("role", ["queue", "deliver", "directory", "manage", "receive"])
def test_sigkill_of_a_role_in_mid_load(hub, role):
    load = Load(hub, 8, 60, 6)
    for n in (60, 200):
        load.wait_acknowledged(n)
        pids = hub.kill9(role)
        wait_for("%s to be started anew" % role, lambda: hub.role_pids(role) and not set(pids) & set(hub.role_pids(role)), 20)
    load.join(120)
    assert len(load.acknowledged) == 480, load.errors
    got = assert_all_arrive(hub, load.acknowledged, 60)
    assert sum(got.values()) - len(got) <= 40, "duplicates beyond what was in flight"


def test_sigkill_of_the_server_in_mid_load(hub):
    load = Load(hub, 8, 100, 10)
    for n in (50, 300):
        load.wait_acknowledged(n)
        hub.kill9()
        hub.start()
    load.join(120)
    assert_all_arrive(hub, load.acknowledged, 60)


def test_restart_keeps_the_queue(hub):
    """Mail for a next hop that is down survives an orderly restart and a kill."""
    from support.sink import Sink
    from support.util import free_port
    port = free_port()
    hub.smart_host(port)
    hub.shell("Get-ReceiveConnector load | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient; "
              "Set-TransportServer -TransientFailureRetryInterval 00:00:01 -QueueGlitchRetryInterval 00:00:01 -OutboundConnectionFailureRetryInterval 00:00:01")
    settle()
    big = os.urandom(3 << 20).hex().encode()
    big = b"\r\n".join(big[i:i + 76] for i in range(0, len(big), 76)) + b"\r\n"
    with hub.session(source="127.0.0.2") as c:
        assert c.send_mail("a@outside.test", "x@far.test", content(1)) == "250 2.6.0"
        assert c.send_mail("a@outside.test", "x@far.test", b"Subject: big\r\nX-Marker: n2.\r\n\r\n" + big) == "250 2.6.0"
    hub.restart()
    hub.kill9()
    hub.start()
    sink = Sink(port=port)
    try:
        wait_for("both", lambda: len(sink.got("X-Marker")) == 2, 40)
        assert sink.got("n2.")[0]["data"].endswith(big)
    finally:
        sink.close()
