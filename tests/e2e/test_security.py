"""The patterns that have hurt other mail servers, each by its name. What is not here stands in test_smtp.py (line ends in DATA, octets
before STARTTLS), test_relay.py and test_durability.py."""
import base64
import os
import re
import socket
import ssl
import time

import pytest

from support.server import FAST_RETRY, Server, settle, wait_logged
from support.sink import Sink
from support.smtp import SMTP, tls_context
from support.util import fields, message, wait_for

APP, RELAY = "127.0.0.2", "-User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"
ALICE, PASSWORD = "alice@example.com", "Pw-alice 7%x"


@pytest.fixture(scope="module")
def hub():
    s = Server()
    s.relax()
    s.mailbox(ALICE, PASSWORD)
    s.connector("app", APP)
    s.shell("Get-ReceiveConnector | Set-ReceiveConnector -AuthTarpitInterval 00:00:00; Get-ReceiveConnector app | Add-ADPermission %s; %s" % (RELAY, FAST_RETRY))
    settle()
    yield s
    s.close()


def alive(hub):
    with hub.session(source=APP) as c:
        assert c.send_mail("x@outside.test", ALICE, b"Subject: alive\r\n\r\nx\r\n") == "250 2.6.0"


# ---- octets in the wrong place

def test_octets_before_starttls_are_discarded_and_logged(hub, marker):
    with SMTP(hub.smtp, source=APP) as c:
        c.ehlo()
        c.send(b"STARTTLS\r\nMAIL FROM:<%s@outside.test>\r\nRSET\r\n" % marker.encode())
        assert c.reply() == "220 2.0.0"
        c.sock = c.context.wrap_socket(c.sock)
        assert c.cmd("NOOP") == 250, "this is the first reply: nothing before it was run"
    wait_logged(hub, "event=plaintext-discarded")
    assert marker not in hub.log_text(), "what it was is not ours to write down"


@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n\0\r\n.\n"])
@pytest.mark.parametrize("where", ["header", "body"])
def test_line_ends_that_end_the_data_elsewhere(hub, marker, ending, where):
    with hub.session(source=APP) as c:
        c.mail("x@outside.test")
        c.rcpt(ALICE)
        assert c.cmd("DATA") == 354
        c.send((b"Subject: x" if where == "header" else b"Subject: x\r\n\r\nx") + ending + b"MAIL FROM:<evil@outside.test>\r\nRCPT TO:<%s>\r\nDATA\r\nX-Marker: %s\r\n\r\nx\r\n.\r\n"
               % (ALICE.encode(), marker.encode()))
        assert c.reply() == "550 5.6.0"
        assert c.cmd("NOOP") == 250
    assert not hub.mail(ALICE, marker)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("phase", ["DATA", "BDAT", "command"])
@pytest.mark.parametrize("clear", [b"", b"\0", b"RSET\r\nMAIL FROM:<evil@outside.test>\r\n"], ids=["nothing", "one octet", "commands"])
def test_close_notify_then_clear_text(hub, marker, version, phase, clear):
    """The client ends TLS in the middle and goes on in clear: the session ends, nothing is stored, nobody dies."""
    before = hub.role_pids("receive")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context(minimum_version=version, maximum_version=version).wrap_bio(incoming, outgoing)
    with SMTP(hub.smtp, source=APP, timeout=10) as c:
        def drive(step):
            while True:
                try:
                    r = step()
                    if outgoing.pending:
                        c.send(outgoing.read())
                    return r
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        c.send(outgoing.read())
                    got = c.sock.recv(65536)
                    assert got, "closed too early"
                    incoming.write(got)

        c.ehlo()
        assert c.cmd("STARTTLS") == "220 2.0.0"
        drive(tls.do_handshake)
        said = b"EHLO client.test\r\nMAIL FROM:<x@outside.test>\r\nRCPT TO:<alice@example.com>\r\n"
        said += {"DATA": b"DATA\r\nX-Marker: %s\r\n\r\nhalf" % marker.encode(), "BDAT": b"BDAT 5000\r\nX-Marker: %s\r\n\r\nhalf" % marker.encode(), "command": b"NO"}[phase]
        drive(lambda: tls.write(said))
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        c.send(outgoing.read() + clear)
        deadline = time.monotonic() + 10
        try:
            while c.sock.recv(65536):
                assert time.monotonic() < deadline
        except ConnectionResetError:
            pass
    assert hub.role_pids("receive") == before
    assert not hub.mail(ALICE, marker)
    alive(hub)


# ---- addresses and parameters

@pytest.mark.parametrize("path", [b"<", b"<@", b"<@>", b"<x@>", b"<x@ >", b"<@a", b"<@a:", b"<@a:>", b"<@a,@b:>", b"<@a,@b:x>", b"<@a,@b", b"<\"", b"<\"\\", b"<\"x\"", b"<\"\"@>",
                                  b"<;sleep 9;@>", b"<$(reboot)@>", b"<x@[", b"<x@[]>", b"<x@[IPv6:]>", b"<.@b.c>", b"", b" ", b">", b"<x@" + b"a." * 200 + b"b>",
                                  b"<" + b"x" * 400 + b"@b.c>", b"<@" + b"a," * 200 + b":x@b.c>"], ids=lambda p: repr(p[:24]))
def test_sender_with_an_empty_or_broken_part(hub, path):
    with hub.session(source=APP) as c:
        c.send(b"MAIL FROM:" + path + b"\r\n")
        r = c.reply()
        assert r.code in (501, 553), r
        assert c.cmd("NOOP") == 250


@pytest.mark.parametrize("text", [b"=", b"=1", b" =1", b"SIZE", b"SIZE=", b"SIZE=-1", b"SIZE=1 SIZE=1", b"SIZE=99999999999999999999", b"SIZE==1", b"BODY", b"BODY=", b"BODY=9BIT", b"RET=",
                                  b"ENVID=", b"ENVID=+", b"ENVID=+0", b"ENVID=+0A", b"ENVID=" + b"x" * 200, b"AUTH", b"AUTH=<", b"AUTH=+", b"AUTH=+00", b"SMTPUTF8=1", b"X" * 490, b"==", b"= =",
                                  b"\x7f=1", b"SIZE=1\t", b"A" * 60 + b"=" + b"B" * 300], ids=lambda p: repr(p[:20]))
def test_parameters_that_begin_nowhere(hub, text):
    """NAME=VALUE where the name, the value or both are missing, doubled, or too long: one reply, and the session goes on."""
    with hub.session(source=APP) as c:
        c.send(b"MAIL FROM:<x@outside.test> " + text + b"\r\n")
        r = c.reply()
        assert r.code in (250, 500, 501, 552, 555), r
        assert r.code != 250 or text in (b"SIZE=1\t",), "taken: %r" % text
        c.send(b"RSET\r\nMAIL FROM:<x@outside.test>\r\nRCPT TO:<alice@example.com> " + text + b"\r\n")
        assert (c.reply(), c.reply()) == (250, 250)
        assert c.reply().code in (500, 501, 555)
        assert c.cmd("NOOP") == 250
    assert len(hub.role_pids("receive")) >= 1


# ---- what helpers say

@pytest.fixture(scope="module")
def hop(hub):
    """A next hop whose replies a test decides; what waits for it in the end is taken."""
    s = Sink()
    hub.smart_host(s.port, spaces="hop.test", name="hop")
    settle()
    yield s
    s.close()


@pytest.mark.parametrize("said", ["550", "550 ", "550 5.7.2", "550 5.7.2 ", "5", "55", "", " ", "abc", "9999 no", "000 x", "550\t5.7.2", "250", "2", "550 5.", "550 5.7.", "550 9.9.9",
                                  "550 5.7.99999999999", "550 " + "x" * 5000, "550 \x00\x01\xff", "354", "550-x\r\n250 y", "550-x\r\n550"], ids=lambda s: repr(s[:14]))
@pytest.mark.parametrize("step", ["rcpt", "dot"])
def test_next_hop_replies_that_are_cut_short(hub, hop, marker, step, said):
    """A reply without text, without code, or with another one inside is an answer or a broken connection: the message is delivered,
    reported, or waits."""
    to = marker + "@hop.test"

    def rules(now, info):
        mine = info.get("rcpt") == to if now == "rcpt" else to in [a for a, _ in info["rcpts"]]
        return said if now == step and mine else None
    hop.rules = rules
    pids = hub.role_pids("deliver")
    with hub.session(source=APP) as c:
        assert c.send_mail(ALICE, to, message(marker, ALICE, to)) == "250 2.6.0"
    wait_for("an outcome", lambda: hop.got(marker) or hub.mail(ALICE, to) or [m for m in hub.json("Get-Message") if marker in m["Subject"] and m["LastError"]])
    assert hub.role_pids("deliver") == pids


INJECTIONS = ["a\nb", "a\r\nRCPT TO:<x@victim.test>", "a\0b", "a' OR '1'='1", "a'; DROP TABLE recipient; --", "a\"; --", "%s%n%x", "../../etc/passwd", "a\x1b[2J", "-oQ/tmp", "$(id)", "`id`", "a|b",
              "\u202e", "__proto__", "NULL", "\\", "'"]


@pytest.mark.parametrize("name", INJECTIONS, ids=repr)
def test_user_names_that_would_reach_a_helper(hub, name):
    """A logon's name goes to the directory and the log: it finds nobody, and stays one line."""
    with hub.session(hub.submission) as c:
        c.starttls()
        token = base64.b64encode(name.encode() + b"\0" + name.encode() + b"\0x").decode()
        assert c.cmd("AUTH PLAIN " + token).code in (501, 535)
        assert c.cmd("AUTH PLAIN " + base64.b64encode(b"\0" + name.encode() + b"\0" + name.encode()).decode()).code in (501, 535)
        r = c.auth_plain(ALICE, PASSWORD)
        assert r == "235 2.7.0", r
    for line in hub.log_text().splitlines():
        assert line.startswith("time=") or "level=" in line or "event=" in line, "a line of its own: %r" % line


@pytest.mark.parametrize("name", [n for n in INJECTIONS if not set(n) & set("\0\r\n")], ids=repr)
def test_addresses_that_would_reach_a_database_or_a_path(hub, marker, name):
    """Quoted local parts with everything that another language takes for its own; and the shell with the same."""
    local = '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"')
    with hub.session(source=APP) as c:
        c.send(b"MAIL FROM:<" + (local + "@outside.test").encode() + b"> SMTPUTF8\r\n")
        r = c.reply()
        assert r.code in (250, 501, 553), r
        if r.code == 250:
            c.send(b"RCPT TO:<" + (local + "@example.com").encode() + b">\r\n")
            assert c.reply().code in (250, 501, 550, 553)
    quoted = "'" + name.replace("'", "''") + "'"
    for line in ("Get-Mailbox %s", "Get-ReceiveConnector %s", "Get-Message -Filter \"FromAddress -eq %s\""):
        p = hub.shell_run(line % (quoted if "Filter" not in line else quoted.replace("`", "``").replace('"', '`"').replace("$", "`$")))
        assert p.returncode in (0, 1) and b"SQL" not in p.stderr.upper() and b"syntax error" not in p.stderr, p.stderr
    alive(hub)
    assert not os.path.exists(hub.state + "/mail/passwd") and sorted(os.listdir(hub.state + "/mail")) == [ALICE]


# ---- content

HOSTILE = {
    "__proto__": b"__proto__: x\r\nconstructor: y\r\nprototype: z\r\nhasOwnProperty: 1\r\n\r\nx\r\n",
    "field without name": b": x\r\n\r\nx\r\n",
    "name of 2000 octets": b"X" * 990 + b": x\r\n\r\nx\r\n",
    "folded 5000 times": b"Subject: x\r\n" + b" y\r\n" * 5000 + b"\r\nx\r\n",
    "5000 fields": b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\nx\r\n",
    "From of 3000 groups": b"From: " + b"a:b@c.d;,\r\n " * 3000 + b"a@b.c\r\n\r\nx\r\n",
    "From of 2000 comments": b"From: " + b"(" * 900 + b"\r\n " + b"(" * 900 + b" a@b.c\r\n\r\nx\r\n",
    "nesting of 10000": b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=0\r\n\r\n"
                        + b"".join(b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (i, i + 1) for i in range(10000)),
    "message/rfc822 in itself": b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n" * 5000 + b"x\r\n",
    "empty": b"",
    "no header": b"\r\nx\r\n",
    "only colons": b":\r\n:\r\n:\r\n",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_content_that_has_no_end(hub, content):
    """Taken or refused in time that its size explains, by a process that goes on."""
    before = hub.role_pids("receive")
    began = time.monotonic()
    with hub.session(source=APP) as c:
        r = c.send_mail("x@outside.test", ALICE, content)
        assert r.code in (250, 550, 552, 554), r
        assert time.monotonic() - began < 5
    assert hub.role_pids("receive") == before


def test_reports_of_hostile_content(hub, marker):
    """The same, where the queue has to quote it in a report."""
    for name, content in HOSTILE.items():
        with hub.session(source=APP) as c:
            c.send_mail(ALICE, "nobody-%s@example.com" % marker, content)
    wait_for("the queues to be empty", lambda: not hub.json("Get-Message"), 30)
    alive(hub)


# ---- memory, descriptors, processes

def memory(pids):
    total = 0
    for p in pids:
        with open("/proc/%d/status" % p) as f:
            total += sum(int(x.split()[1]) for x in f if x.startswith(("RssAnon", "RssShmem")))
    return total


@pytest.mark.parametrize("flood", [b"x", b"NOOP ", b"MAIL FROM:<", b"AUTH PLAIN "], ids=["a line without end", "NOOP", "MAIL", "AUTH"])
def test_memory_is_limited_by_default(hub, flood):
    """Fifty clients that send a megabyte each without ever ending their line cost less than a tenth of it."""
    pids = hub.role_pids("receive")
    before = memory(pids)
    clients = [SMTP(hub.smtp, source=APP) for _ in range(50)]
    try:
        for c in clients:
            c.ehlo()
        for c in clients:
            c.sock.settimeout(0.5)
            try:
                c.send(flood + b"A" * (1 << 20))
            except OSError:
                pass
        grown = memory(pids) - before
        assert grown < 5 * 1024, "%d KB for 50 MB" % grown
    finally:
        for c in clients:
            c.close()
    alive(hub)


def test_pipelined_flood_has_bounded_replies(hub):
    """Who never reads is not read from any more: replies do not pile up."""
    pids = hub.role_pids("receive")
    before = memory(pids)
    clients = [SMTP(hub.smtp, source=APP) for _ in range(4)]
    try:
        for c in clients:
            c.sock.settimeout(1)
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                while True:
                    c.send(b"HELP\r\n" * 20000)
            except OSError:
                pass
        assert memory(pids) - before < 8 * 1024
    finally:
        for c in clients:
            c.close()
    alive(hub)


def cpu(pids):
    out = 0
    for p in pids:
        with open("/proc/%d/stat" % p) as f:
            out += sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13])
    return out / os.sysconf("SC_CLK_TCK")


def test_no_descriptors_left():
    """Out of descriptors a receive process neither spins nor dies, and takes connections again when there are some."""
    server = Server(start=False)
    held = []
    try:
        server.start(under=["prlimit", "--nofile=64:64"])
        pids = server.role_pids("receive")
        sessions = [server.session() for _ in range(4)]
        held += [s.sock for s in sessions]
        for _ in range(70 * len(pids)):
            held.append(socket.create_connection(("127.0.0.1", server.smtp), timeout=5))
        wait_logged(server, "event=accept-failed")
        for s in sessions:
            s.sock.settimeout(5)
            assert s.cmd("NOOP") == 250, "who is there already is served"
        began = cpu(pids)
        time.sleep(2)  # the measure, not a wait
        assert cpu(pids) - began < 0.4, "it spins"
        assert server.role_pids("receive") == pids
        for s in held:
            s.close()

        def served():
            with socket.create_connection(("127.0.0.1", server.smtp), timeout=3) as s:
                s.settimeout(3)
                try:
                    return s.recv(100).startswith(b"220")
                except OSError:
                    return False
        wait_for("new connections", served)
    finally:
        for s in held:
            s.close()
        server.close()


@pytest.mark.parametrize("role", ["directory", "queue", "deliver", "manage"])
def test_death_of_a_helper_keeps_no_lock(hub, marker, role):
    """Each helper is killed while it is asked, three times: what was asked is answered, and all works afterwards."""
    for turn in range(3):
        pids = hub.role_pids(role)
        with hub.session(source=APP) as c, hub.session(hub.submission) as d:
            d.starttls()
            c.mail("x@outside.test")
            c.send(b"RCPT TO:<alice@example.com>\r\n")
            d.send(b"AUTH PLAIN " + base64.b64encode(b"\0" + ALICE.encode() + b"\0" + PASSWORD.encode()) + b"\r\n")
            hub.kill9(role)
            assert c.reply().code in (250, 451)
            assert d.reply().code in (235, 454)
        wait_for("another %s process" % role, lambda: set(hub.role_pids(role)) - set(pids))

    def works():
        m = "%s-%d" % (marker, turn)
        with hub.session(source=APP) as c:
            return c.send_mail("x@outside.test", ALICE, message(m, "x@outside.test", ALICE)).code == 250 and m
    m = wait_for("mail to be taken", works)
    hub.wait_mail(ALICE, m)
    with hub.login(ALICE, PASSWORD):
        pass
    wait_for("the shell", lambda: hub.shell_run("Set-ReceiveConnector app -Comment %s; Get-Queue" % marker).returncode == 0)


# ---- secrets and timing

def test_wrong_password_and_unknown_user_look_the_same(hub):
    def answer(user, password):
        with hub.session(hub.submission) as c:
            c.starttls()
            began = time.monotonic()
            r = c.auth_plain(user, password)
            return str(r), time.monotonic() - began
    turns = [(answer(ALICE, "wrong %d" % i), answer("nobody%d@example.com" % i, "wrong")) for i in range(5)]
    # Each refusal has a code of its own behind its text.
    assert len({re.sub(r" \[mr-\w+\]$", "", r) for turn in turns for r, _ in turn}) == 1, turns
    a, b = (sorted(turn[side][1] for turn in turns)[2] for side in (0, 1))
    assert max(a, b) < 3 * min(a, b) + 0.01, "medians: %.4f and %.4f s" % (a, b)


def test_nothing_crashed(hub):
    assert "signal=" not in "".join(x for x in hub.log_text().splitlines() if "role-ended" in x and "signal=9" not in x)
    assert fields(hub.mail(ALICE)[-1], "Received")
