"""Processes: one duty each, restarted, reloaded, drained; secrets nowhere."""
import os
import re
import signal
import ssl
import time

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


def test_roles_may_open_as_many_files_as_the_system_allows(hub):
    for role in Server.ROLES:
        for pid in hub.role_pids(role):
            with open("/proc/%d/limits" % pid, encoding="ascii") as f:
                soft, hard = next(line for line in f if line.startswith("Max open files")).split()[3:5]
            assert soft == hard


def test_receive_keeps_a_descriptor_in_reserve(hub):
    """libuv's, for accept without descriptors; in the sandbox nothing could open it."""
    if os.geteuid() != 0:
        return  # another user's descriptors are not to be seen
    for pid in hub.role_pids("receive"):
        folder = "/proc/%d/fd" % pid
        assert any(os.readlink(folder + "/" + fd) == "/dev/null" for fd in os.listdir(folder) if int(fd) > 2)


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


def test_the_log_leads_from_the_session_to_the_mailbox(hub, marker):
    with hub.login("alice@example.com", "Secret-marker-7%x") as c:
        c.send_mail("alice@example.com", "bob@example.com", message(marker, "alice@example.com", "bob@example.com"))
    hub.wait_mail("bob@example.com", marker)
    session = re.findall(r"event=auth session=(\w+) user=alice@example.com", hub.log_text())[-1]
    stored = wait_logged(hub, r"event=message session=%s outcome=stored message=(\d+)" % session)
    wait_logged(hub, r"role=queue event=delivered message=%s .*recipient=bob@example.com" % stored.group(1))


def test_sighup_reloads_certificates(hub):
    before = ssl.get_server_certificate(("127.0.0.1", hub.submissions))
    self_signed(hub.state + "/certs/" + hub.host, hub.host)
    with hub.session(hub.submission) as under_way:
        hub.proc.send_signal(signal.SIGHUP)
        wait_logged(hub, "event=reloaded")
        wait_for("the new certificate", lambda: ssl.get_server_certificate(("127.0.0.1", hub.submissions)) != before)
        under_way.starttls()
        assert under_way.auth_plain("alice@example.com", "Secret-marker-7%x") == 235


def test_broken_certificate_keeps_the_server_up(hub):
    """A pair that cannot be used changes nothing, and the log names its file; the next good set is taken over."""
    path, own = hub.state + "/certs/broken", hub.state + "/certs/" + hub.host
    before = ssl.get_server_certificate(("127.0.0.1", hub.submissions))
    for suffix in (".crt", ".key"):
        with open(path + suffix, "w", encoding="ascii") as f:
            f.write("not PEM\n")
    self_signed(own, hub.host)
    hub.proc.send_signal(signal.SIGHUP)
    wait_logged(hub, "event=reload-failed.*broken.crt.*no certificate")
    with hub.session(hub.submission) as c:
        assert "STARTTLS" in c.ext
        c.starttls()
    assert ssl.get_server_certificate(("127.0.0.1", hub.submissions)) == before
    os.unlink(path + ".crt")
    os.unlink(path + ".key")
    hub.proc.send_signal(signal.SIGHUP)
    wait_for("the new certificate", lambda: ssl.get_server_certificate(("127.0.0.1", hub.submissions)) != before)


def test_own_certificate_broken_at_reload(hub):
    """The only certificate is damaged: TLS is offered as before, not switched off."""
    path = hub.state + "/certs/" + hub.host
    before = ssl.get_server_certificate(("127.0.0.1", hub.submissions))
    with open(path + ".key", "rb") as f:
        key = f.read()
    with open(path + ".key", "wb") as f:
        f.write(key[:60])
    hub.proc.send_signal(signal.SIGHUP)
    wait_logged(hub, "event=reload-failed.*%s.key.*no private key" % hub.host)
    assert ssl.get_server_certificate(("127.0.0.1", hub.submissions)) == before
    with hub.session(hub.submission) as c:
        c.starttls()
    with open(path + ".key", "wb") as f:
        f.write(key)


def test_a_change_applies_within_a_second(hub):
    def applied():
        """The shell has returned; how long until each process works by the new policy."""
        start = time.monotonic()
        settle()
        return time.monotonic() - start
    hub.connector("quick", "127.0.0.8")
    assert applied() < 1
    with hub.session(source="127.0.0.8") as c:
        assert c.mail("a@outside.test") == 250
    hub.shell("Remove-ReceiveConnector quick -Confirm:$false")
    assert applied() < 1
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


def self_signed(path, host):
    run([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path + ".key", "-out", path + ".crt", "-days", "9",
         "-subj", "/CN=" + host, "-addext", "subjectAltName=DNS:" + host])


def serve(state):
    """A `serve` that must end by itself."""
    from support.server import BINARY
    return run([BINARY, "serve", "--state", state], check=False, timeout=30)


def is_open(port):
    import socket
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def stopped():
    """A server on a fresh state that is not started yet."""
    s = Server(start=False)
    yield s
    s.close()


def test_unusable_certificate_at_start(stopped):
    with open(stopped.state + "/certs/extra.crt", "w", encoding="ascii") as f:
        f.write("not PEM\n")
    p = serve(stopped.state)
    assert p.returncode == 1 and b"extra.key" in p.stderr and b"ready" not in p.stdout
    os.unlink(stopped.state + "/certs/extra.crt")
    stopped.start()


@pytest.mark.parametrize("name", ["policy.db", "directory.db", "queue.db"])
def test_missing_database_at_start(stopped, name):
    path = stopped.state + "/" + name
    os.rename(path, path + ".away")
    p = serve(stopped.state)
    assert p.returncode == 1 and name.encode() + b" is missing" in p.stderr and b"incomplete" in p.stderr
    assert not os.path.exists(path)
    os.rename(path + ".away", path)
    stopped.start()


def test_two_servers_on_the_same_ports(hub, stopped):
    """The second refuses, and the first goes on with all connections to itself."""
    stopped.offset, stopped.state = hub.offset, stopped.dir + "/second"
    stopped.init()
    p = serve(stopped.state)
    assert p.returncode == 1 and b"ready" not in p.stdout
    assert b"another process listens there" in p.stderr and b"event=listen " not in p.stderr
    for _ in range(8):
        with hub.session() as c:
            assert c.cmd("NOOP").code == 250


def test_a_taken_port_is_said_and_opened_later(stopped):
    """One of three addresses is taken: ready says so, and it is opened when it is free."""
    import socket
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", stopped.submission))
        other.listen()
        stopped.start()
        with open(stopped.dir + "/ready", encoding="ascii") as f:
            assert f.read() == "ready: 2 of 3 listening addresses\n"
        wait_logged(stopped, 'event=ready text="2 of 3 listening addresses')
        with stopped.session():
            pass
    wait_for("the port to be opened", lambda: is_open(stopped.submission), 15)
    with stopped.session(stopped.submission) as c:
        assert "STARTTLS" in c.ext
    assert len(re.findall("cannot listen on", stopped.log_text())) == 1


def test_all_ports_taken_at_start(stopped):
    import socket
    others = []
    try:
        for port in (stopped.smtp, stopped.submission, stopped.submissions):
            others.append(socket.socket())
            others[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            others[-1].bind(("0.0.0.0", port))
            others[-1].listen()
        p = serve(stopped.state)
        assert p.returncode == 1 and b"none of the 3 addresses" in p.stderr and b"ready" not in p.stdout
    finally:
        for s in others:
            s.close()


def test_listening_begins_when_every_role_is_up(stopped):
    """A queue that cannot open its database yet: no port is open, so that no client is told to come back later."""
    import subprocess
    from support.server import BINARY
    path = stopped.state + "/queue.db"
    os.rename(path, path + ".away")
    os.mkdir(path)
    with open(stopped.log, "ab") as log:
        stopped.proc = subprocess.Popen([BINARY, "serve", "--state", stopped.state], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    wait_for("receive to have its policy", lambda: stopped.log_text().count("role=receive event=policy ") >= os.cpu_count())
    wait_for("queue to have failed", lambda: stopped.log_text().count("role=queue event=role-failed") >= 3)
    assert "event=listen " not in stopped.log_text()
    assert not any(is_open(p) for p in (stopped.smtp, stopped.submission, stopped.submissions))
    os.rmdir(path)
    os.rename(path + ".away", path)
    assert stopped.proc.stdout.readline() == b"ready\n"
    stopped.proc.stdout.close()
    with stopped.session() as c:
        assert c.cmd("NOOP").code == 250


def test_a_hanging_receive_process_at_stop(stopped):
    """It is killed when its time is over; the others end by themselves, and the log says what happened."""
    stopped.start()
    hanging = stopped.role_pids("receive")[0]
    os.kill(hanging, signal.SIGSTOP)
    stopped.proc.terminate()
    assert stopped.proc.wait(50) == 0
    log = stopped.log_text()
    assert re.search(r'event=stopped text="after processes that did not end were killed"', log)
    ended = re.findall(r"event=role-ended ended=(\w+) index=\d+ status=(\d+) signal=(\d+)", log)
    assert [e for e in ended if e[2] != "0"] == [("receive", "0", "9")]
    assert {e[0] for e in ended if e[1:] == ("0", "0")} >= {"directory", "queue", "deliver", "manage"}
    stopped.proc = None


def test_an_orderly_stop_says_so(stopped):
    stopped.start()
    assert stopped.stop() == 0
    assert "event=stopped text=orderly" in stopped.log_text()
