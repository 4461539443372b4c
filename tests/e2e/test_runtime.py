"""Processes: one duty each, restarted, reloaded, drained; secrets nowhere."""
import os
import signal
import ssl

import pytest

from support.server import Server, settle, wait_logged
from support.util import message, program, run, wait_for


@pytest.fixture(scope="module")
def hub():
    s = Server()
    s.relax()
    s.mailbox("alice@example.com", "Secret-marker-7%x")
    s.mailbox("bob@example.com", "pw-Bob1")
    settle()
    yield s
    s.close()


def test_every_role_is_a_process(hub):
    for role in Server.ROLES:
        assert len(hub.role_pids(role)) == (os.cpu_count() if role == "receive" else 1)


def test_privileges_are_dropped(hub):
    if os.geteuid() != 0:
        return  # nothing to drop: all runs as whoever started it
    import pwd
    uid = pwd.getpwnam("mailreeve").pw_uid
    for role in Server.ROLES:
        for pid in hub.role_pids(role):
            status = dict(line.split(":\t", 1) for line in open("/proc/%d/status" % pid, encoding="ascii").read().splitlines() if ":\t" in line)
            assert set(status["Uid"].split()) == {str(uid)}, role
            assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_no_secret_in_any_file(hub, marker):
    """The password of a login that worked and of ones that did not, in every form it travels in."""
    import base64
    with hub.login("alice@example.com", "Secret-marker-7%x") as c:
        c.send_mail("alice@example.com", "bob@example.com", message(marker, "alice@example.com", "bob@example.com"))
    with hub.session(hub.submission) as c:
        c.starttls()
        assert c.auth_login("alice@example.com", "Secret-marker-wrong") == "535 5.7.3"
        c.cmd("AUTH PLAIN Secret-marker-raw")
    needles = [b"Secret-marker", base64.b64encode(b"Secret-marker-7%x"), base64.b64encode(b"Secret-marker-wrong"),
               base64.b64encode(b"\0alice@example.com\0Secret-marker-7%x")]
    hub.wait_mail("bob@example.com", marker)
    for folder, _, names in os.walk(hub.dir):
        for n in (n for n in names if os.path.isfile(os.path.join(folder, n))):
            with open(os.path.join(folder, n), "rb") as f:
                raw = f.read()
            for needle in needles:
                assert needle not in raw, "%s holds a password" % n


def test_log_lines_are_key_value(hub):
    for line in hub.log_text().splitlines():
        assert line.startswith("time=") and " level=" in line and " role=" in line and " event=" in line, line
    assert "session=" in hub.log_text()


def test_sighup_reloads_certificates(hub):
    before = ssl.get_server_certificate(("127.0.0.1", hub.submissions))
    path = hub.state + "/certs/" + hub.host
    run([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path + ".key", "-out", path + ".crt", "-days", "9",
         "-subj", "/CN=" + hub.host, "-addext", "subjectAltName=DNS:" + hub.host])
    with hub.session(hub.submission) as under_way:
        hub.proc.send_signal(signal.SIGHUP)
        wait_logged(hub, "event=reloaded")
        wait_for("the new certificate", lambda: ssl.get_server_certificate(("127.0.0.1", hub.submissions)) != before)
        under_way.starttls()
        assert under_way.auth_plain("alice@example.com", "Secret-marker-7%x") == 235


def test_broken_certificate_keeps_the_server_up(hub):
    path = hub.state + "/certs/broken"
    for suffix in (".crt", ".key"):
        with open(path + suffix, "w", encoding="ascii") as f:
            f.write("not PEM\n")
    hub.proc.send_signal(signal.SIGHUP)
    wait_logged(hub, "event=certificate-unusable.*broken|certificate-unusable")
    with hub.session(hub.submission) as c:
        assert "STARTTLS" in c.ext
    os.unlink(path + ".crt")
    os.unlink(path + ".key")


def test_a_change_applies_within_a_second(hub):
    hub.connector("quick", "127.0.0.8")
    settle()
    with hub.session(source="127.0.0.8") as c:
        assert c.mail("a@outside.test") == 250
    hub.shell("Remove-ReceiveConnector quick -Confirm:$false")
    settle()
    with hub.session(source="127.0.0.8") as c:
        assert c.mail("a@outside.test") == "530 5.7.1"


def test_a_new_port_is_listened_on(hub):
    from support.util import free_port
    port = free_port()
    hub.shell("New-ReceiveConnector -Name extra -Usage Internet -Bindings 127.0.0.1:%d" % port)
    settle()
    with hub.session(port) as c:
        assert c.mail("a@outside.test") == 250
    hub.shell("Remove-ReceiveConnector extra -Confirm:$false")
    import socket
    wait_for("the port to be closed", lambda: socket.socket().connect_ex(("127.0.0.1", port)) != 0)


def test_sigterm_lets_a_session_finish(marker):
    s = Server()
    try:
        s.relax()
        s.mailbox("bob@example.com", "pw-Bob1")
        s.connector("app", "127.0.0.2")
        settle()
        busy, idle = s.session(source="127.0.0.2"), s.session(source="127.0.0.2")
        assert busy.mail("a@outside.test") == 250 and busy.rcpt("bob@example.com") == 250
        assert busy.cmd("DATA") == 354
        s.proc.terminate()
        assert idle.reply() == "421 4.3.2"
        assert idle.closed()
        busy.send(message(marker, "a@outside.test", "bob@example.com") + b".\r\n")
        assert busy.reply() == "250 2.6.0"
        assert s.proc.wait(30) == 0
        s.proc = None
        s.start()
        s.wait_mail("bob@example.com", marker)
    finally:
        s.close()


def test_two_servers_on_one_state(hub):
    from support.server import BINARY
    p = run([BINARY, "serve", "--state", hub.state], check=False)
    assert p.returncode == 1 and b"another mailreeve" in p.stderr
