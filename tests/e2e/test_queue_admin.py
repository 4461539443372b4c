"""An administrator at the queues: suspend, resume, retry, remove, export, against a next hop that a test decides about."""
import os
import threading

import pytest

from support.server import Server, settle
from support.sink import Sink
from support.util import message, wait_for

APP = "127.0.0.2"
RELAY = "-User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"
HOUR = ("Set-TransportServer -MessageRetryInterval 01:00:00 -QueueGlitchRetryInterval 00:30:00 "
        "-TransientFailureRetryInterval 01:00:00 -OutboundConnectionFailureRetryInterval 01:00:00")


@pytest.fixture(scope="module")
def hub():
    s = Server()
    s.relax()
    s.mailbox("alice@example.com", "Pw-alice 7%x")
    s.connector("app", APP)
    s.shell("Get-ReceiveConnector app | Add-ADPermission " + RELAY)
    s.shell(HOUR)
    yield s
    s.close()


@pytest.fixture
def hop(hub):
    """A next hop for *.script.test."""
    s = Sink()
    hub.smart_host(s.port, "script.test", "script")
    settle()
    yield s
    for q in queues(hub, "Suspended"):
        hub.shell("Resume-Queue '%s'" % q["Identity"])
    hub.shell("Get-Message | Remove-Message -WithNDR $false -Confirm:$false")
    hub.shell("Remove-SendConnector script -Confirm:$false")
    s.close()


def send(server, marker, to="x@script.test"):
    with server.session(source=APP) as c:
        assert c.send_mail("alice@example.com", to, message(marker, "alice@example.com", to)) == "250 2.6.0"


def queues(hub, status=None):
    return [q for q in hub.json("Get-Queue") if q["NextHopConnector"] in ("script", None) and status in (None, q["Status"])]


def messages(hub, marker):
    return [m for m in hub.json("Get-Message") if marker in (m["Subject"] or "")]


def refusing(hub, hop, marker):
    """A message that waits an hour for its next attempt."""
    hop.rules = lambda step, info: "451 4.3.0 later" if step == "rcpt" else None
    send(hub, marker)
    return wait_for("Retry", lambda: [m for m in messages(hub, marker) if m["Status"] == "Retry"])[0]


def test_retry_queue_does_not_wait_for_the_hour(hub, hop, marker):
    refusing(hub, hop, marker)
    hop.rules = None
    hub.shell("Get-Queue -Filter \"NextHopDomain -eq '127.0.0.1'\" | Retry-Queue")
    wait_for("delivery", lambda: hop.got(marker))


def test_suspended_queue_keeps_its_mail_over_a_restart(hub, hop, marker):
    send(hub, marker)
    wait_for("delivery", lambda: hop.got(marker))
    hub.shell("Suspend-Queue smtp:script")
    assert [q["Identity"].split("\\")[1] for q in queues(hub, "Suspended")] == ["smtp:script"]
    later = marker + "-later"
    send(hub, later)
    wait_for("the message to be kept", lambda: [q for q in queues(hub, "Suspended") if q["DeferredMessageCount"] == 1])
    hub.restart()
    assert queues(hub, "Suspended")[0]["MessageCount"] == 1 and not hop.got(later)
    refused = hub.shell_run("Retry-Queue smtp:script")
    assert refused.returncode != 0 and "Resume-Queue" in refused.stderr.decode()
    hub.shell("Resume-Queue smtp:script")
    wait_for("delivery", lambda: hop.got(later))
    assert not queues(hub, "Suspended")


def test_message_is_held_exported_and_let_go(hub, hop, marker, tmp_path):
    m = refusing(hub, hop, marker)
    file = str(tmp_path / "one.eml")
    early = hub.shell_run("Export-Message '%s' -Path '%s'" % (m["Identity"], file))
    assert early.returncode != 0 and "Suspend-Message" in early.stderr.decode() and not os.path.exists(file)
    hub.shell("Suspend-Message '%s'" % m["Identity"])
    assert messages(hub, marker)[0]["Status"] == "Suspended"
    hop.rules = None
    hub.shell("Retry-Queue smtp:script")
    hub.shell("Export-Message '%s' -Path '%s'" % (m["Identity"], file))
    text = open(file, "rb").read()
    assert text.startswith(b"X-Sender: <alice@example.com> BODY=") and b"\r\nX-Receiver: <x@script.test>\r\n" in text
    envelope, _, content = text.partition(b"X-EndOfInjectedXHeaders:\r\n")
    assert content.startswith(b"Received: ") and marker.encode() in content
    again = hub.shell_run("Export-Message '%s' -Path '%s'" % (m["Identity"], file))
    assert again.returncode != 0 and "File exists" in again.stderr.decode()
    assert not hop.got(marker)
    hub.shell("Resume-Message '%s'" % m["Identity"])
    wait_for("delivery", lambda: hop.got(marker))
    kept = [x for x in content.splitlines(True) if not x.startswith(b"X-MS-Exchange-")]  # which the firewall takes off
    assert hop.got(marker)[0]["data"].splitlines(True) == kept


def test_large_message_is_exported_whole(hub, hop, marker, tmp_path):
    hop.rules = lambda step, info: "451 4.3.0 later" if step == "rcpt" else None
    with hub.session(source=APP) as c:
        body = message(marker, "alice@example.com", "x@script.test") + b"0123456789abcdef" * 4 + b"\r\n"
        body += (b"line of the large message, with its end\r\n" * 60000)
        assert c.send_mail("alice@example.com", "x@script.test", body) == "250 2.6.0"
    m = wait_for("Retry", lambda: [m for m in messages(hub, marker) if m["Status"] in ("Retry", "Ready")])[0]
    hub.shell("Suspend-Message '%s'" % m["Identity"])
    file = str(tmp_path / "large.eml")
    wait_for("the file", lambda: hub.shell_run("Export-Message '%s' -Path '%s'" % (m["Identity"], file)).returncode == 0)
    text = open(file, "rb").read()
    assert text.count(b"line of the large message") == 60000 and text.endswith(b"with its end\r\n")


def test_removed_message_is_reported_unless_told_not_to(hub, hop, marker):
    m = refusing(hub, hop, marker)
    hub.shell("Remove-Message '%s' -Confirm:$false" % m["Identity"])
    assert not messages(hub, marker) or messages(hub, marker)[0]["MessageSourceName"] == "DSN"
    report = hub.wait_mail("alice@example.com", marker)[0]
    assert b"Status: 4.3.2" in report and b"message deleted by administrative action" in report
    quiet = marker + "-quiet"
    m = refusing(hub, hop, quiet)
    hub.shell("Remove-Message %s -WithNDR $false -Confirm:$false" % m["Identity"].split("\\")[-1])
    assert not messages(hub, quiet)
    assert not hub.mail("alice@example.com", quiet)


def test_removal_asks_first(hub, hop, marker):
    m = refusing(hub, hop, marker)
    r = hub.shell_run("Remove-Message '%s'" % m["Identity"])
    assert r.returncode != 0 and "-Confirm:$false" in r.stderr.decode()
    r = hub.shell_run("Remove-Message '%s' -WhatIf" % m["Identity"])
    assert r.returncode == 0 and "What if" in r.stderr.decode()
    assert messages(hub, marker)


def test_hundreds_are_removed_at_once(hub, hop, marker):
    hop.rules = lambda step, info: "451 4.3.0 later" if step == "rcpt" else None
    with hub.session(source=APP) as c:
        for i in range(300):
            assert c.send_mail("alice@example.com", "x@script.test", message("%s-%d" % (marker, i), "alice@example.com", "x@script.test")) == "250 2.6.0"
    wait_for("all to wait", lambda: [q for q in queues(hub) if q["MessageCount"] >= 300])
    hub.shell("Remove-Message -Filter \"Subject -like '*%s*'\" -WithNDR $false -Confirm:$false" % marker)
    wait_for("none to be left", lambda: not messages(hub, marker))


def test_poison_message_is_set_aside(hub, hop, marker):
    """Deliver dies by a fault while it has the message in hand, twice; killed from outside it would not count."""
    entered, free = threading.Semaphore(0), threading.Event()

    def hold(step, info):
        if step == "rcpt" and not free.is_set():
            entered.release()
            free.wait(20)
        return None
    hop.rules = hold
    send(hub, marker)
    for end in (hub.kill9, hub.fault, hub.fault):
        assert entered.acquire(timeout=20)
        end("deliver")
    m = wait_for("the poison queue", lambda: [m for m in messages(hub, marker) if m["Queue"].endswith("\\poison")])[0]
    assert m["Status"] == "Suspended" and "Resume-Message" in m["LastError"]
    other = marker[::-1]
    free.set()
    send(hub, other)
    wait_for("another one to be delivered", lambda: hop.got(other))
    assert not hop.got(marker)
    hub.shell("Resume-Message '%s'" % m["Identity"])
    wait_for("delivery", lambda: hop.got(marker))
