"""The protocol log of receive and send connectors: rows, fields, rotation, and never a secret."""
import base64
import csv
import glob
import hashlib
import os
import re
import socket
import ssl

import pytest

from support import pki
from support.server import FAST_RETRY, settle
from support.sink import Sink
from support.smtp import SMTP
from support.util import message, program, run, wait_for

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


def files(server, kind="SmtpReceive/RECV"):
    return sorted(glob.glob(os.path.join(server.state, "log/ProtocolLog/%s*.log" % kind)))


def rows(server, kind="SmtpReceive/RECV"):
    out = []
    for path in files(server, kind):
        with open(path, newline="", encoding="utf-8") as f:
            out += [dict(zip(FIELDS, r)) for r in csv.reader(l for l in f if not l.startswith("#"))]
    return out


class Loud(SMTP):
    """A session on the connector that is logged, whose rows are found again by its EHLO name."""
    count = 0

    def __init__(self, server, **kw):
        super().__init__(server.smtp, source=LOUD, **kw)
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


def test_certificates(server):
    """Ours is sent to everybody; a client's is received where one is asked for: one session without, one with it."""
    server.shell("Set-TransportConfig -TLSReceiveDomainSecureList partner.test; "
                 "Set-ReceiveConnector loud -AuthMechanism Tls -PermissionGroups AnonymousUsers -DomainSecureEnabled $true")
    settle()
    authority = pki.Authority()
    try:
        sent = [x["Sha256Thumbprint"] for x in server.json("Get-ExchangeCertificate")]
        crt, key = authority.issue("mx.partner.test")
        der = run(["openssl", "x509", "-in", crt, "-outform", "DER"]).stdout
        for cert, received in ((None, []), ((crt, key), [("Received certificate", ""), ("Certificate thumbprint", hashlib.sha256(der).hexdigest())])):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if cert:
                context.load_cert_chain(*cert)
            with Loud(server, context=context) as c:
                c.starttls()
                c.cmd("QUIT")
            said = [(r["context"], r["data"]) for r in c.rows() if r["event"] == "*"]
            at = said.index(("Sending certificate", ""))
            assert said[at + 1][0] == "Certificate thumbprint" and said[at + 1][1] in sent, said
            assert said[at + 2:at + 2 + len(received)] == received, said
            assert said[at + 2 + len(received)][0].startswith("TLS protocol TLSv1.3 negotiation succeeded"), said
    finally:
        authority.close()
        server.shell("Set-ReceiveConnector loud -DomainSecureEnabled $false -PermissionGroups AnonymousUsers,ExchangeUsers "
                     "-AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS; Set-TransportConfig -TLSReceiveDomainSecureList $null")
        settle()


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


# ---- send connectors

SMART = "Marker-Smart-8y"


@pytest.fixture(scope="module")
def next_hop(tmp_path_factory):
    """A smart host with TLS and AUTH, which takes LOGIN or PLAIN as its `extensions` say, and refuses one sender."""
    folder = tmp_path_factory.mktemp("hop")
    run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=sink.test",
         "-days", "2", "-keyout", str(folder / "key"), "-out", str(folder / "cert")])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(folder / "cert"), str(folder / "key"))
    login = iter(())

    def rules(step, info):
        nonlocal login
        if step == "auth" and hop.deny:
            return "535 5.7.8 what is %s?" % SMART
        if step == "auth":
            login = iter(("334 UGFzc3dvcmQ6", "235 2.7.0 welcome"))
            return "235 2.7.0 welcome" if "AUTH PLAIN" in hop.extensions else "334 VXNlcm5hbWU6"
        if step == "rcpt" and info["rcpt"].startswith("refused"):
            return "550 5.1.1 nobody, says the sink"
        if step in ("connect", "ehlo", "starttls", "mail", "rcpt", "data", "dot", "quit"):
            return None
        return next(login, None)
    hop = Sink(rules=rules, tls=context)
    plain, hop.deny = hop.extensions, False
    hop.offer = lambda auth: setattr(hop, "extensions", plain + ((auth,) if auth else ()))
    yield hop
    hop.close()


def socket_that_is_silent():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(16)
    return s


def sent_session(server, text, complete=True):
    """The rows of the one session in which a row has this text as its data."""
    def look():
        got = rows(server, "SmtpSend/SEND")
        ids = {r["session-id"] for r in got if text in r["data"]}
        mine = [r for r in got if r["session-id"] in ids]
        return mine if mine and (not complete or mine[-1]["event"] == "-") else None
    got = wait_for("the rows of the session with " + text, look)
    assert len({r["session-id"] for r in got}) == 1
    assert [int(r["sequence-number"]) for r in got] == list(range(len(got)))
    return got


def send(server, marker, to):
    with server.login("logged@example.com", PASSWORD) as c:
        r = c.send_mail("logged@example.com", to, message(marker, "logged@example.com", to))
        assert r == 250
        return re.search(r"InternalId=(\d+)", r.text).group(1)


@pytest.fixture(scope="module")
def out(server, next_hop):
    server.shell(FAST_RETRY)
    server.smart_host(next_hop.port, "smart.test", "'Out Log'", "-ProtocolLoggingLevel Verbose -SmartHostAuthMechanism BasicAuth "
                      "-AuthenticationUserName relay@smart.test -AuthenticationPassword %s" % SMART)
    server.smart_host(next_hop.port, "silent.test", "Silent")
    settle()


@pytest.mark.parametrize("auth", ["AUTH PLAIN", "AUTH LOGIN"])
def test_send_rows(server, next_hop, out, marker, auth):
    next_hop.offer(auth)
    number = send(server, marker, "x-%s@smart.test" % marker)
    wait_for("the message to arrive", lambda: next_hop.got(marker))
    got = sent_session(server, "x-%s@smart.test" % marker)
    assert {r["connector-id"] for r in got} == {"Out Log"}, "the plain name"
    assert all(re.fullmatch(r"[0-9A-F]{16}", r["session-id"]) for r in got)
    assert {r["remote-endpoint"] for r in got} == {"127.0.0.1:%d" % next_hop.port}
    assert (got[0]["event"], got[0]["context"], got[0]["local-endpoint"]) == ("*", "attempting to connect", "")
    assert got[1]["event"] == "+"
    assert all(r["local-endpoint"].startswith("127.0.0.1:") for r in got[1:])
    assert (got[2]["event"], got[2]["data"]) == ("<", "220 sink.test ESMTP")
    said = [r["data"] for r in got if r["event"] == ">"]
    hidden = ["AUTH PLAIN (initial response not shown)"] if auth == "AUTH PLAIN" else ["AUTH LOGIN"] + 2 * ["(authentication response not shown)"]
    assert said[:3 + len(hidden)] == ["EHLO mail.example.com", "STARTTLS", "EHLO mail.example.com"] + hidden
    assert said[3 + len(hidden)].startswith("MAIL FROM:<logged@example.com>")
    assert said[-2:] == ["DATA", "QUIT"]
    heard = [r["data"] for r in got if r["event"] == "<"]
    assert "250-PIPELINING" in heard and "235 2.7.0 welcome" in heard and "354 go" in heard and heard[-1] == "221 bye"
    information = [(r["data"], r["context"]) for r in got if r["event"] == "*"]
    assert ("", "Received certificate") in information
    assert any(re.fullmatch(r"[0-9a-f]{64}", d) and c == "Certificate thumbprint" for d, c in information)
    assert any(c.startswith("TLS protocol TLSv1.3 negotiation succeeded using bulk encryption algorithm TLS_") for _, c in information)
    assert (number, "sending message") in information
    assert (got[-1]["event"], got[-1]["context"]) == ("-", "Local")
    assert not any(marker in r["data"] for r in got if "x-" + marker not in r["data"]), "content is never in it"


def test_send_head(server, out):
    path = wait_for("a file", lambda: files(server, "SmtpSend/SEND"))[-1]
    assert re.fullmatch(r"SEND\d{8}-\d{4}\.log", os.path.basename(path))
    with open(path, encoding="utf-8") as f:
        head = [next(f).rstrip("\n") for _ in range(5)]
    assert head[2] == "#Log-type: SMTP Send Protocol Log"
    assert head[4] == "#Fields: " + ",".join(FIELDS)


def test_send_refused_and_quiet(server, next_hop, out, marker):
    """What the other side says stands in the log; of a connector without one nothing does."""
    next_hop.offer("AUTH PLAIN")
    send(server, marker, "quiet-%s@silent.test" % marker)
    wait_for("the message to arrive", lambda: next_hop.got(marker))
    send(server, marker, "refused-%s@smart.test" % marker)
    got = sent_session(server, "refused-%s@smart.test" % marker)
    assert any(r["event"] == "<" and r["data"] == "550 5.1.1 nobody, says the sink" for r in got)
    assert not any("quiet-" in r["data"] or r["connector-id"] == "Silent" for r in rows(server, "SmtpSend/SEND"))


def test_send_silence(server, out, marker):
    """ConnectionInactivityTimeOut: a next hop that falls silent is given up in time, and said so."""
    quiet = socket_that_is_silent()
    try:
        server.smart_host(quiet.getsockname()[1], "slow.test", "Slow", "-ProtocolLoggingLevel Verbose -ConnectionInactivityTimeOut 00:00:02")
        settle()
        send(server, marker, "slow-%s@slow.test" % marker)
        def given_up():
            got = [r for r in rows(server, "SmtpSend/SEND") if r["connector-id"] == "Slow"]
            return got if any(r["context"] == "timed out while waiting for the server" for r in got) else None
        got = wait_for("the silence to be noticed", given_up, 20)
        first = [r for r in got if r["session-id"] == got[0]["session-id"]]
        assert [r["event"] for r in first[:3]] == ["*", "+", "*"]
        t = [float(r["date-time"][17:23]) for r in first]
        assert 1.5 < (t[2] - t[1]) % 60 < 8
        error = wait_for("the queue to say why", lambda: [q for q in server.json("Get-Queue") if "timed out" in (q["LastError"] or "")])
        assert error
    finally:
        quiet.close()


def test_no_smart_host_password_anywhere(server, next_hop, out, marker):
    """Also when the smart host refuses it and repeats it. Only policy.db has it, which nobody else may read."""
    next_hop.offer("AUTH PLAIN")
    next_hop.deny = True
    send(server, marker, "x-%s@smart.test" % marker)
    assert wait_for("the queue to say why", lambda: [q for q in server.json("Get-Queue") if "has the password in it" in (q["LastError"] or "")])
    wait_for("the log to have it", lambda: any(r["data"] == "535 (text not shown)" for r in rows(server, "SmtpSend/SEND")))
    b64 = base64.b64encode(SMART.encode()).rstrip(b"=")[:-1]
    plain = base64.b64encode(b"\0relay@smart.test\0" + SMART.encode()).rstrip(b"=")[:-1]
    needles = [SMART.encode(), b64, plain]
    files_seen = 0
    for folder, _, names in os.walk(server.state):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.isfile(path):
                continue
            files_seen += 1
            with open(path, "rb") as f:
                data = f.read()
            if name.startswith("policy.db"):
                assert os.stat(path).st_mode & 0o077 == 0
            else:
                assert not any(n in data for n in needles), path
    assert files_seen > 5
    assert not any(n in server.log_text().encode() for n in needles)
