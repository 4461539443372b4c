"""What clients do, kept and shown: Get-ClientInventory, with the server running and stopped, and the file behind it."""
import os
import sqlite3
import ssl
import time

import pytest

from support.server import settle
from support.smtp import SMTP, tls_context
from support.util import wait_for

OPEN, SMALL, HOSTILE, OLD = "127.0.0.31", "127.0.0.32", "127.0.0.33", "127.0.0.34"
PASSWORD = "Pw-carla 5&x"


@pytest.fixture(scope="module", autouse=True)
def set_up(server):
    server.mailbox("carla@example.com", PASSWORD)
    server.connector("open", OPEN)
    server.connector("small", SMALL, extra="-MaxMessageSize 64KB")
    server.connector("hostile", HOSTILE)
    settle()


def clients(server, args=""):
    return server.json("Get-ClientInventory " + args)


def wait_client(server, args, good):
    """The one client that fits, once `good` holds for it: what sessions do is told a second later."""
    def look():
        rows = clients(server, args)
        assert len(rows) < 2, rows
        return rows[0] if rows and good(rows[0]) else None
    return wait_for("Get-ClientInventory " + args, look)


def rows(server, where="1"):
    db = sqlite3.connect("file:%s/facts.db?mode=ro" % server.state, uri=True)
    db.row_factory = sqlite3.Row
    try:
        return db.execute("SELECT * FROM fact WHERE " + where).fetchall()
    finally:
        db.close()


QUESTIONS = ["Session", "Auth", "Mail", "Rcpt", "Message"]


def test_user(server, marker):
    with server.session(server.submission) as c:
        c.starttls(ehlo=False)
        c.ehlo("laptop.test")
        assert c.auth_plain("carla@example.com", PASSWORD) == 235
        assert c.send_mail("carla@example.com", "alice@example.com", b"Subject: x\r\n\r\n" + marker.encode()) == "250 2.6.0"
        c.cmd("QUIT")
    r = wait_client(server, "-User carla@example.com", lambda r: r["MessagesAccepted"] == 1 and r["Sessions"] == 1)
    assert r["RemoteIP"] == "127.0.0.1"
    assert r["Connector"] == ["Client mail"]
    assert r["HeloName"] == "laptop.test"
    assert (r["TlsWeakest"], r["TlsNewest"]) == ("TLSv1.3", "TLSv1.3")
    assert r["TlsCipher"].startswith("TLS_")
    assert r["AuthMechanism"] == ["PLAIN"]
    assert (r["MessagesRefused"], r["RecipientsRefused"], r["LogonsFailed"], r["Mistake"]) == (0, 0, 0, [])
    assert r["FirstSeen"] <= r["LastSeen"]
    assert abs(time.mktime(time.strptime(r["LastSeen"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - time.time()) < 60


def test_weakest_and_newest(server):
    old = tls_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    for context in (None, old):
        with SMTP(server.submission, context=context) as c:
            c.ehlo()
            c.starttls()
            assert c.auth_login("carla@example.com", PASSWORD) == 235
            c.cmd("QUIT")
    r = wait_client(server, "-User carla@example.com", lambda r: r["Sessions"] == 3)
    assert (r["TlsWeakest"], r["TlsNewest"]) == ("TLSv1.2", "TLSv1.3")
    assert sorted(r["AuthMechanism"]) == ["LOGIN", "PLAIN"]


def test_anonymous(server, marker):
    """Verdicts, and which messages count as refused."""
    content = b"Subject: x\r\n\r\n" + marker.encode()
    with server.session(source=OPEN) as c:
        assert c.send_mail("a@outside.test", "alice@example.com", content) == "250 2.6.0"
        assert c.mail("a@outside.test") == 250
        assert c.rcpt("x@far.test") == 550
        assert c.rcpt("alice@example.com") == 250
        assert c.data(content) == "250 2.6.0"
        assert c.mail("b@outside.test") == 250, "all of its recipients are refused: it counts as refused"
        assert c.rcpt("x@far.test") == 550
        assert c.rcpt("nobody@example.com") == 550
        assert c.cmd("RSET") == 250
        assert c.mail("c@outside.test") == 250, "given up by the client: it counts as nothing"
        assert c.rcpt("alice@example.com") == 250
        assert c.cmd("RSET") == 250
        assert c.mail("d@outside.test") == 250, "its content is refused"
        assert c.rcpt("alice@example.com") == 250
        assert c.cmd("DATA") == 354
        c.send(b"Subject: x\r\n\r\nNUL \0 here\r\n.\r\n")
        assert c.reply().code == 550
        assert c.mail("e@outside.test") == 250, "the last one of a session"
        assert c.rcpt("x@far.test") == 550
        c.cmd("QUIT")
    r = wait_client(server, OPEN, lambda r: r["Sessions"] == 1)
    assert r["User"] == "" and r["AuthMechanism"] == [] and r["Connector"] == ["open"]
    assert (r["TlsWeakest"], r["TlsNewest"]) == ("None", "None")
    assert (r["MessagesAccepted"], r["MessagesRefused"], r["RecipientsRefused"]) == (2, 3, 4)

    def kept():
        got = {(QUESTIONS[f["question"]], f["code"], f["sender"], f["recipient"]): f["count"] for f in rows(server, "remote = '%s'" % OPEN)}
        return got if ("Session", 0, "", "") in got else None
    assert wait_for("the facts to be committed", kept) == {
        ("Session", 0, "", ""): 1,
        ("Rcpt", 250, "a@outside.test", "alice@example.com"): 2,
        ("Rcpt", 550, "a@outside.test", "x@far.test"): 1,
        ("Rcpt", 550, "b@outside.test", "x@far.test"): 1,
        ("Rcpt", 550, "b@outside.test", "nobody@example.com"): 1,
        ("Rcpt", 250, "c@outside.test", "alice@example.com"): 1,
        ("Rcpt", 250, "d@outside.test", "alice@example.com"): 1,
        ("Rcpt", 550, "e@outside.test", "x@far.test"): 1,
        ("Message", 250, "a@outside.test", ""): 2,
        ("Message", 550, "b@outside.test", ""): 1,
        ("Message", 550, "d@outside.test", ""): 1,
        ("Message", 550, "e@outside.test", ""): 1,
    }
    f = rows(server, "remote = '%s' LIMIT 1" % OPEN)[0]
    assert (f["connector"], f["local"], f["helo"], f["tls"], f["user"]) == ("open", "127.0.0.1:%d" % server.smtp, "client.test", "", "")


def test_refused_by_the_machine(server):
    """Sizes, which no policy is asked about, and a sender."""
    with server.session(source=SMALL) as c:
        assert c.mail("a@outside.test") == 250
        assert c.rcpt("alice@example.com") == 250
        assert c.data(b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 1000) == 552
        c.cmd("QUIT")
    r = wait_client(server, SMALL, lambda r: r["Sessions"] == 1)
    assert (r["MessagesAccepted"], r["MessagesRefused"]) == (0, 1)
    server.shell("Get-ReceiveConnector small | Remove-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' "
                 "-ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender -Confirm:$false")
    settle()
    with server.session(source=SMALL) as c:
        assert c.mail("a@example.com").code >= 500
        c.cmd("QUIT")
    r = wait_client(server, SMALL, lambda r: r["Sessions"] == 2)
    assert (r["MessagesAccepted"], r["MessagesRefused"]) == (0, 2)


def test_failed_logon(server):
    """It is counted; under which name it was tried is nowhere, since it may be a password."""
    name = "S3cret-typed-as-name"
    with server.session(server.submission, source=OLD) as c:
        c.starttls()
        assert c.auth_plain(name, "x") == 535
        c.cmd("QUIT")
    r = wait_client(server, OLD, lambda r: r["LogonsFailed"] == 1)
    assert r["User"] == "" and r["AuthMechanism"] == ["PLAIN"]
    for file in os.listdir(server.state):
        if file.startswith("facts.db"):
            with open(os.path.join(server.state, file), "rb") as f:
                assert name.encode() not in f.read()


def test_no_handshake(server):
    import socket
    s = socket.socket()
    s.bind(("127.0.0.35", 0))
    s.connect(("127.0.0.1", server.submissions))
    s.close()
    r = wait_client(server, "127.0.0.35", lambda r: r["Sessions"])
    assert r["Mistake"] and r["TlsWeakest"] in ("", None)


def test_turned_away(server):
    server.connector("full", "127.0.0.37", extra="-MaxInboundConnection 1")
    settle()
    with server.session(source="127.0.0.37") as first:
        with SMTP(server.smtp, source="127.0.0.37") as c:
            assert c.greeting == 421
        first.cmd("QUIT")
    r = wait_client(server, "127.0.0.37", lambda r: r["Sessions"])
    assert (r["Sessions"], r["SessionsRefused"]) == (1, 1)


def test_hostile_client(server):
    """One that never says the same twice ends in few rows, and nothing of it is lost."""
    n = 0
    for _ in range(4):
        with SMTP(server.smtp, source=HOSTILE) as c:
            for _ in range(150):
                n += 1
                c.send(b"EHLO h%d.test\r\nRSET\r\nMAIL FROM:<a@s%d.test>\r\nRCPT TO:<b@r%d.test>\r\n" % (n, n, n))
                for want in (250, 250, 250, 550):
                    assert c.reply().code == want
            c.cmd("QUIT")
    r = wait_client(server, HOSTILE, lambda r: r["Sessions"] == 4)
    assert (r["RecipientsRefused"], r["MessagesRefused"]) == (600, 600)
    wait_for("the facts to be committed", lambda: sum(f["count"] for f in rows(server, "remote = '%s'" % HOSTILE)) == 1204)
    assert len(rows(server, "remote = '%s'" % HOSTILE)) <= 32 + 32 + 64


def test_picking(server):
    assert {r["RemoteIP"] for r in clients(server, "127.0.0.0/8")} >= {OPEN, SMALL, HOSTILE}
    assert {r["RemoteIP"] for r in clients(server, "-RemoteIP 127.0.0.3?")} >= {OPEN, SMALL, HOSTILE}
    assert {r["User"] for r in clients(server, "-User ''")} == {""}
    assert {r["RemoteIP"] for r in clients(server, "-Connector open")} == {OPEN}
    assert len(clients(server, "-ResultSize 2")) == 2
    seen = [r["LastSeen"] for r in clients(server)]
    assert seen == sorted(seen, reverse=True)
    assert "ResultSize" in server.shell_error("Get-ClientInventory -ResultSize 0")


def test_table_and_help(server):
    table = server.shell("Get-ClientInventory " + OPEN).strip().splitlines()
    assert table[0].split()[:4] == ["RemoteIP", "User", "HeloName", "Connector"]
    assert table[2].split()[:3] == [OPEN, "client.test", "{open}"]
    text = server.shell("Get-Help Get-ClientInventory")
    for word in ("RemoteIP", "User", "Connector", "ResultSize", "30 days"):
        assert word in text


def test_stopped_and_started_again(server):
    before = {(r["RemoteIP"], r["User"]): r for r in clients(server, "-ResultSize Unlimited")}
    assert server.stop() == 0
    stopped = {(r["RemoteIP"], r["User"]): r for r in clients(server, "-ResultSize Unlimited")}
    assert stopped == before
    server.start()
    with server.session(source=OPEN) as c:
        c.cmd("QUIT")
    r = wait_client(server, OPEN, lambda r: r["Sessions"] == 2)
    assert r["MessagesAccepted"] == 2
    assert r["FirstSeen"] == before[(OPEN, "")]["FirstSeen"]


def test_manage_dies(server):
    """Sessions go on, and so does the inventory when manage is back."""
    old = server.role_pids("manage")
    server.kill9("manage")
    with server.session(source=OPEN) as c:
        assert c.mail("a@outside.test") == 250
        c.cmd("QUIT")
    wait_for("another manage", lambda: [p for p in server.role_pids("manage") if p not in old])

    def again():
        with server.session(source="127.0.0.36") as c:
            c.cmd("QUIT")
        return server.shell_run("Get-ClientInventory 127.0.0.36 | fl").stdout
    wait_for("new facts", again)
