"""The protocol log."""
import csv
import glob
import os
import re

from table import AS, BEYOND, DEVIATES, Row, Section
from rows_parameters import ANON
from world import BASIC, BOB
from support.util import message, wait_for

SECRET = "Pw-log-marker 55%x"
FIELDS = "date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context"


def files(w):
    return sorted(glob.glob(w.hub.state + "/log/**/RECV*.log", recursive=True))


def text(w):
    out = ""
    for f in files(w):
        with open(f, encoding="utf-8", errors="replace", newline="") as h:
            out += h.read()
    return out


def rows_of(w, c):
    """The rows of one connector, in the order of the file, as dicts."""
    out = []
    for line in text(w).splitlines():
        if line and not line.startswith("#"):
            r = dict(zip(FIELDS.split(","), next(csv.reader([line]))))
            if r["connector-id"].endswith("\\" + c.name):
                out.append(r)
    return out


def session(w, talk=None, extra=ANON, login=False):
    """The rows of a whole session on a Verbose connector of its own."""
    c = w.connector(extra + " -ProtocolLoggingLevel Verbose")
    with (c.login() if login else c.session()) as s:
        if talk:
            talk(s)
        s.cmd("QUIT")
        s.closed()
    wait_for("the session's last row", lambda: any(r["event"] == "-" for r in rows_of(w, c)), 3)
    return c, rows_of(w, c)


def switch(w):
    c = w.connector(ANON)
    with c.session() as s:
        s.cmd("QUIT")
    other, rows = session(w)
    assert rows and not rows_of(w, c), "a connector without Verbose writes nothing"


def folder(w):
    session(w)
    assert files(w) and all("SmtpReceive" in f for f in files(w)), files(w)


def file_name(w):
    session(w)
    assert all(re.match(r"RECV\d{8}-\d+\.log$", os.path.basename(f)) for f in files(w)), files(w)


def header(w):
    session(w)
    head = [x for x in text(w).splitlines()[:5]]
    assert [x.split(":")[0] for x in head] == ["#Software", "#Version", "#Log-type", "#Date", "#Fields"], head
    assert head[2] == "#Log-type: SMTP Receive Protocol Log" and head[3].endswith("Z")


def field_names(w):
    session(w)
    assert "#Fields: " + FIELDS in text(w)


def events(w):
    _, rows = session(w)
    assert rows[0]["event"] == "+" and rows[-1]["event"] == "-" and {r["event"] for r in rows} == set("+-<>*")
    assert "EHLO client.test" in [r["data"] for r in rows if r["event"] == "<"]
    assert any(r["data"].startswith("220 mail.example.com") for r in rows if r["event"] == ">")


def connector_id(w):
    c, rows = session(w)
    assert {r["connector-id"].lower() for r in rows} == {"mail.example.com\\" + c.name.lower()}


def session_id(w):
    _, rows = session(w)
    assert len({r["session-id"] for r in rows}) == 1 and re.match("[0-9A-F]{16}$", rows[0]["session-id"])
    assert [int(r["sequence-number"]) for r in rows] == list(range(len(rows)))


def endpoints(w):
    c, rows = session(w)
    assert rows[0]["local-endpoint"] == "127.0.0.1:%d" % w.hub.smtp and rows[0]["remote-endpoint"].startswith(c.ip + ":")


def disconnect(w):
    _, rows = session(w)
    assert rows[-1]["context"] == "Local", rows[-1]
    c = w.connector(ANON + "-ProtocolLoggingLevel Verbose")
    with c.session():
        pass
    wait_for("the last row", lambda: any(r["event"] == "-" for r in rows_of(w, c)), 3)
    assert rows_of(w, c)[-1]["context"].startswith("Remote")


ANON_RIGHTS = "SMTPSubmit SMTPAcceptAnySender SMTPAcceptAuthoritativeDomainSender AcceptRoutingHeaders"


def permissions(w):
    _, rows = session(w)
    said = [r for r in rows if r["event"] == "*" and r["context"] == "Set Session Permissions"]
    assert said and said[0]["data"] == ANON_RIGHTS, said
    assert rows.index(said[0]) == 1, "before the banner"


def permissions_after_auth(w):
    _, rows = session(w, extra=BASIC, login=True)
    said = [r["data"] for r in rows if r["context"] == "Set Session Permissions"]
    assert len(said) >= 2 and set(said[-1].split()) == {"SMTPSubmit", "SMTPAcceptAnyRecipient", "BypassAntiSpam", "AcceptRoutingHeaders"}, said


def tarpit(w):
    def talk(s):
        s.mail("x@outside.test")
        s.rcpt("far@elsewhere.test")
    _, rows = session(w, talk, ANON + "-TarpitInterval 00:00:01")
    assert any(r["event"] == "*" and "Tarpit for '0.00:00:01'" in r["data"] + r["context"] for r in rows)


def receiving(w):
    _, rows = session(w, lambda s: s.send_mail("x@outside.test", BOB, message(w.marker(), "x@outside.test", BOB)))
    assert any(r["event"] == "*" and r["context"] == "receiving message" for r in rows)


def certificate(w):
    c = w.connector(ANON + "-ProtocolLoggingLevel Verbose")
    with c.session(tls=True) as s:
        s.cmd("QUIT")
        s.closed()
    wait_for("the last row", lambda: any(r["event"] == "-" for r in rows_of(w, c)), 3)
    said = [(r["context"], r["data"]) for r in rows_of(w, c) if r["event"] == "*"]
    at = said.index(("Sending certificate", ""))
    assert said[at + 1][0] == "Certificate thumbprint" and said[at + 1][1] in [x["Sha256Thumbprint"] for x in w.hub.json("Get-ExchangeCertificate")], said
    assert said[at + 2][0].startswith("TLS protocol TLSv1.3 negotiation succeeded using bulk encryption algorithm "), said


def no_secret(w):
    import base64
    w.hub.mailbox("logged@example.com", SECRET)
    c = w.connector(BASIC.replace(",BasicAuthRequireTLS", "") + " -ProtocolLoggingLevel Verbose")
    for step in ("auth_plain", "auth_login"):
        for password in (SECRET, SECRET + "wrong"):
            with c.session() as s:
                getattr(s, step)("logged@example.com", password)
                s.cmd("QUIT")
    forms = {SECRET.encode(), base64.b64encode(SECRET.encode()).rstrip(b"="), base64.b64encode(b"\0logged@example.com\0" + SECRET.encode())[:-4]}
    wait_for("the sessions' end", lambda: w.hub.log_text().count("event=session-end") > 0)
    for d, _, names in os.walk(w.hub.dir):
        for n in names:
            try:
                with open(os.path.join(d, n), "rb") as f:
                    raw = f.read()
            except OSError:
                continue
            assert not [x for x in forms if x in raw], "a password stands in " + n
    assert "AUTH" in text(w), "the verb is logged"


LOG = Section("13.1", "Protocol log", (
    Row("Switch", "per connector, Verbose; one set of files for all receive connectors", AS, switch),
    Row("Folder", "...\\ProtocolLog\\SmtpReceive", AS, folder, "log/ProtocolLog/SmtpReceive below the state folder."),
    Row("File", "RECVyyyymmdd-nnnn.log", AS, file_name),
    Row("Header lines", "#Software, #Version, #Log-type, #Date, #Fields", AS, header, "#Software says Mailreeve."),
    Row("Fields", FIELDS.replace(",", ", "), AS, field_names),
    Row("Event", "+ - > < *", AS, events),
    Row("connector-id", "SERVER\\Connector name", DEVIATES, connector_id, "The server's full name before the backslash."),
    Row("session-id", "16 hex digits; the sequence counts from 0", AS, session_id),
    Row("endpoints", "address:port of both sides", AS, endpoints),
    Row("Disconnect context", "Local, Remote, Remote(ConnectionReset)", AS, disconnect),
    Row("Set Session Permissions", "the tokens of the anonymous rights, before the banner", AS, permissions),
    Row("Set Session Permissions after logon", "again, with the user's", AS, permissions_after_auth),
    Row("Tarpit", "Tarpit for '0.00:00:05'", AS, tarpit),
    Row("receiving message", "a row a message", AS, receiving),
    Row("Certificate rows", "thumbprint; TLS protocol negotiated", AS, certificate, "Of the certificate that was sent, and of the client's where one is asked for; by SHA-256. A resumed session sends none."),
    Row("Secrets", "what Exchange logs of a logon is not known", AS, no_secret, "The verb of a logon is logged, nothing of what it carries; no password stands in any file below the state folder."),
))

SECTIONS = [LOG]
