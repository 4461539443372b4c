"""The protocol log of receive connectors: rows, fields, rotation, and never a secret."""
import csv
import glob
import os
import re

import pytest

from support.server import settle
from support.smtp import SMTP
from support.util import wait_for

LOUD = "127.0.0.21"
PASSWORD = "Marker-Passw0rd-7x"
FIELDS = ["date-time", "connector-id", "session-id", "sequence-number", "local-endpoint", "remote-endpoint", "event", "data", "context"]


@pytest.fixture(scope="module", autouse=True)
def set_up(server):
    server.mailbox("logged@example.com", PASSWORD)
    server.connector("loud", LOUD, groups="AnonymousUsers,ExchangeUsers")
    server.shell("Set-ReceiveConnector loud -ProtocolLoggingLevel Verbose -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS -TarpitInterval 00:00:01 -AuthTarpitInterval 00:00:00")
    server.connector("quiet", "127.0.0.22")
    settle()


def files(server):
    return sorted(glob.glob(os.path.join(server.state, "log/ProtocolLog/SmtpReceive/RECV*.log")))


def rows(server):
    out = []
    for path in files(server):
        with open(path, newline="", encoding="utf-8") as f:
            out += [dict(zip(FIELDS, r)) for r in csv.reader(l for l in f if not l.startswith("#"))]
    return out


class Loud(SMTP):
    """A session on the connector that is logged, whose rows are found again by its EHLO name."""
    count = 0

    def __init__(self, server):
        super().__init__(server.smtp, source=LOUD)
        Loud.count += 1
        self.server, self.name = server, "client%d.test" % Loud.count
        assert self.ehlo(self.name) == 250

    def rows(self):
        """Once the session has ended."""
        def complete():
            all_rows = rows(self.server)
            ids = {r["session-id"] for r in all_rows if r["data"] == "EHLO " + self.name}
            mine = [r for r in all_rows if r["session-id"] in ids]
            return mine if mine and mine[-1]["event"] == "-" else None
        return wait_for("a session's rows to be complete", complete)


def test_rows(server, marker):
    with Loud(server) as c:
        assert c.mail("a@outside.test") == 250
        assert c.rcpt("x@elsewhere.test") == "550 5.7.1"
        assert c.rcpt("alice@example.com") == 250
        assert c.cmd("DATA") == 354
        c.send(b"Subject: x\r\n\r\n%s not in the log\r\n.\r\n" % marker.encode())
        assert c.reply() == 250
        assert c.cmd("QUIT") == 221
    got = c.rows()
    assert [int(r["sequence-number"]) for r in got] == list(range(len(got)))
    assert {r["connector-id"] for r in got} == {"mail.example.com\\loud"}
    assert all(re.fullmatch(r"[0-9A-F]{16}", r["session-id"]) for r in got)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r["date-time"]) for r in got)
    assert {r["local-endpoint"] for r in got} == {"127.0.0.1:%d" % server.smtp}
    assert all(r["remote-endpoint"].startswith(LOUD + ":") for r in got)
    assert (got[0]["event"], got[0]["data"]) == ("+", "")
    assert (got[1]["event"], got[1]["data"], got[1]["context"]) == (
        "*", "SMTPSubmit SMTPAcceptAnySender SMTPAcceptAuthoritativeDomainSender AcceptRoutingHeaders", "Set Session Permissions")
    said = [(r["event"], r["data"]) for r in got[2:]]
    assert said[0][0] == ">" and said[0][1].startswith("220 mail.example.com ")
    commands = [d for e, d in said if e == "<"]
    assert commands == ["EHLO " + c.name, "MAIL FROM:<a@outside.test>", "RCPT TO:<x@elsewhere.test>", "RCPT TO:<alice@example.com>", "DATA", "QUIT"]
    replies = [d for e, d in said if e == ">"]
    assert "250-SIZE 10485760" in replies and "250 2.1.0 Sender OK" in replies, "each line of EHLO's answer is a row"
    assert any(d.startswith("550 5.7.1 Unable to relay") for d in replies)
    assert ("*", "Tarpit for '0.00:00:01'") in said
    assert any(r["context"] == "receiving message" and re.fullmatch(r"[0-9A-F]{16};[^;]+;1", r["data"]) for r in got)
    assert (got[-1]["event"], got[-1]["context"]) == ("-", "Local")
    assert not any(marker in r["data"] for r in got)


def test_head(server):
    with Loud(server) as c:
        pass
    c.rows()
    with open(files(server)[-1], encoding="utf-8") as f:
        head = [next(f).rstrip("\n") for _ in range(5)]
    assert head[0] == "#Software: Mailreeve"
    assert head[1].startswith("#Version: ")
    assert head[2] == "#Log-type: SMTP Receive Protocol Log"
    assert re.fullmatch(r"#Date: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", head[3])
    assert head[4] == "#Fields: " + ",".join(FIELDS)
    assert re.fullmatch(r"RECV\d{8}-\d{4}\.log", os.path.basename(files(server)[-1]))


def test_logon(server):
    with Loud(server) as c:
        c.starttls()
        assert c.auth_plain("logged@example.com", PASSWORD) == 235
        c.cmd("QUIT")
    got = c.rows()
    assert any(r["context"].startswith("TLS protocol TLSv1.") for r in got)
    assert any(r["data"] == "AUTH PLAIN (initial response not shown)" for r in got)
    assert any((r["data"], r["context"]) == ("logged@example.com", "authenticated") for r in got)
    permissions = [r["data"] for r in got if r["context"] == "Set Session Permissions"]
    assert len(permissions) == 3, "at the start, behind STARTTLS, behind AUTH"
    assert permissions[2] == "SMTPSubmit SMTPAcceptAnyRecipient AcceptRoutingHeaders BypassAntiSpam"


def test_remote_ends(server):
    with Loud(server) as c:
        pass
    assert c.rows()[-1]["context"].startswith("Remote")


def test_quiet_connector(server):
    before = len(rows(server))
    with server.session(source="127.0.0.22") as c:
        c.cmd("QUIT")
    with Loud(server) as c:
        c.cmd("QUIT")
    c.rows()
    assert {r["connector-id"] for r in rows(server)[before:]} == {"mail.example.com\\loud"}


def test_no_secret_anywhere(server):
    """A password that is given in each wrong and right way stands in no file below the state folder, in no form."""
    import base64
    b64 = base64.b64encode(PASSWORD.encode())
    plain = base64.b64encode(b"\0logged@example.com\0" + PASSWORD.encode())
    with Loud(server) as c:
        c.cmd("AUTH PLAIN " + plain.decode())
        c.cmd("AUTH LOGIN")
        c.cmd(b64.decode())
        c.cmd(PASSWORD)
        c.cmd("AUTH " + PASSWORD)
        c.starttls()
        c.cmd("AUTH LOGIN " + base64.b64encode(b"logged@example.com").decode())
        assert c.cmd(b64.decode()) == 235
    with Loud(server) as c:
        c.starttls()
        assert c.cmd("AUTH LOGIN") == 334
        assert c.cmd("*") == 501
        assert c.cmd("AUTH PLAIN " + base64.b64encode(b"\0logged@example.com\0wrong" + PASSWORD.encode()).decode()) == 535
        c.cmd("QUIT")
    c.rows()
    needles = [PASSWORD.encode(), b64.rstrip(b"=")[:-1], plain]
    for folder, _, names in os.walk(server.state):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    data = f.read()
                assert not any(n in data for n in needles), path
    assert not any(n in server.log_text().encode() for n in needles)


def test_rotation(server):
    server.shell("Set-TransportServer -ReceiveProtocolLogMaxFileSize 2KB -ReceiveProtocolLogMaxDirectorySize 8KB")
    try:
        for _ in range(12):
            with Loud(server) as c:
                c.cmd("QUIT")
            c.rows()
        found = files(server)
        assert 2 <= len(found) <= 8
        assert all(os.path.getsize(f) < 8192 for f in found[1:])
        assert int(found[-1][-8:-4]) > len(found), "the oldest were deleted"
        assert sum(map(os.path.getsize, found)) < 16384
    finally:
        server.shell("Set-TransportServer -ReceiveProtocolLogMaxFileSize 10MB -ReceiveProtocolLogMaxDirectorySize 250MB")
