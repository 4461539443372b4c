"""Refusals: the code in the reply, the ring behind it, Get-Denial and `mailreeve explain CODE`."""
import json
import os
import re
import subprocess

import pytest

from support.server import BINARY, Server, settle, wait_logged
from support.util import message, wait_for

PLAIN, LIMITED = "127.0.0.41", "127.0.0.42"
CODE = re.compile(r" \[(mr-[0-9a-z]{8})\]$")


@pytest.fixture(scope="module", autouse=True)
def set_up(server):
    server.mailbox("denied@example.com", "correct horse")
    server.connector("plain", PLAIN)
    server.connector("limited", LIMITED, extra="-MaxRecipientsPerMessage 1 -MessageRateLimit 1000 -MaxMessageSize 64KB")
    settle()


def code_of(reply):
    m = CODE.search(reply.text)
    assert m, "no code in %s" % reply
    return m.group(1)


def denial(server, code):
    """Once manage has it."""
    def known():
        p = server.shell_run("Get-Denial %s | ConvertTo-Json" % code)
        return json.loads(p.stdout) if p.returncode == 0 else None
    return wait_for("the denial " + code, known)


def test_rcpt(server):
    with server.session(source=PLAIN) as c:
        assert c.mail("a@outside.test") == 250
        r = c.rcpt("far@elsewhere.test")
        assert r == "550 5.7.1" and r.text.startswith("5.7.1 Unable to relay [mr-")
        code = code_of(r)
    d = denial(server, code)
    assert (d["Question"], d["Connector"], d["Sender"], d["Recipient"]) == ("Rcpt", "plain", "a@outside.test", "far@elsewhere.test")
    assert d["Reply"] == "550 5.7.1 Unable to relay"
    assert d["RemoteEndpoint"].startswith(PLAIN + ":") and d["HeloName"] == "client.test"
    assert "no accepted domain" in d["Trace"] and "ms-Exch-SMTP-Accept-Any-Recipient" in d["Trace"]
    wait_logged(server, "event=rcpt-refused .*denial=%s" % code)


def test_each_has_a_code_of_its_own(server):
    with server.session(source=PLAIN) as c:
        assert c.mail("a@outside.test") == 250
        codes = {code_of(c.rcpt("far%d@elsewhere.test" % i)) for i in range(50)}
    assert len(codes) == 50
    for code in codes:
        denial(server, code)


def test_unknown_recipient(server):
    with server.session(source=PLAIN) as c:
        c.mail("a@outside.test")
        r = c.rcpt("nobody-here@example.com")
        assert r == "550 5.1.1"
    d = denial(server, code_of(r))
    assert "the directory knows no such recipient" in d["Trace"] and d["Recipient"] == "nobody-here@example.com"


def test_limit(server):
    with server.session(source=LIMITED) as c:
        c.mail("a@outside.test")
        assert c.rcpt("denied@example.com") == 250
        r = c.rcpt("alice@example.com")
        assert r == "452 4.5.3"
    d = denial(server, code_of(r))
    assert "MaxRecipientsPerMessage 1" in d["Limit"] and "limited" in d["Limit"]
    assert "MaxRecipientsPerMessage" in d["Trace"]


def test_logon(server):
    with server.session(port=server.submission) as c:
        r = c.cmd("AUTH LOGIN")
        assert r == "504 5.7.4"
        assert "BasicAuthRequireTLS" in denial(server, code_of(r))["Trace"]
        c.starttls()
        r = c.auth_plain("denied@example.com", "wrong")
        assert r == "535 5.7.3"
    d = denial(server, code_of(r))
    assert d["User"] == "" and "wrong" in d["Trace"] and d["TlsVersion"].startswith("TLSv1.")
    assert "denied@example.com" not in json.dumps(d), "whoever was meant: it could be a password in the wrong place"


def test_sender_of_a_user(server, marker):
    with server.login("denied@example.com", "correct horse") as c:
        r = c.mail("alice@example.com")
        assert r == "550 5.7.1"
        d = denial(server, code_of(r))
        assert (d["User"], d["Sender"], d["Question"]) == ("denied@example.com", "alice@example.com", "Mail")
        r = c.send_mail("denied@example.com", "denied@example.com", message(marker, "alice@example.com", "denied@example.com"))
        assert r == "550 5.7.1"
        d = denial(server, code_of(r))
        assert d["Question"] == "HeaderSender" and d["Sender"] == "alice@example.com"


def test_what_is_no_refusal_has_no_code(server):
    with server.session(source=PLAIN) as c:
        for line in ("WIZ", "RCPT TO:<a@b.test>", "MAIL FROM:<a@b", "STARTTLS x"):
            assert "[mr-" not in c.cmd(line).text


def explain(server, *args):
    return subprocess.run([BINARY, "explain", "--state", server.state, *args], capture_output=True, timeout=30, check=False)


def test_explain_code(server):
    with server.session(source=PLAIN) as c:
        c.mail("it's@outside.test")
        code = code_of(c.rcpt("far@elsewhere.test"))
    denial(server, code)
    for form in (code, "[%s]" % code.upper()):
        p = explain(server, form)
        text = p.stdout.decode()
        assert p.returncode == 0, p.stderr
        assert "550 5.7.1 Unable to relay" in text and "plain" in text and "far@elsewhere.test" in text
        assert "ms-Exch-SMTP-Accept-Any-Recipient" in text
    again = [l for l in text.splitlines() if l.strip().startswith("mailreeve explain ")][0].strip()
    assert "--remote 127.0.0.41 " in again and "--from 'it'\\''s@outside.test'" in again
    p = subprocess.run(again.replace("mailreeve explain", "%s explain --state %s" % (BINARY, server.state), 1), shell=True,
                       capture_output=True, timeout=30, check=False)
    assert p.returncode == 1, "the present policy says the same: %s" % (p.stdout + p.stderr)
    assert b"550 5.7.1 Unable to relay" in p.stdout
    p = explain(server, code, "--json")
    assert json.loads(p.stdout)["Code"] == code
    p = explain(server, "mr-zzzzzzzz")
    assert p.returncode == 1 and b"not among the last 10000 refusals" in p.stderr
    p = explain(server, "mr-1")
    assert p.returncode == 2 and b"ends the reply" in p.stderr


def test_survives_a_restart_and_a_stop():
    s = Server()
    try:
        with s.session() as c:
            code = code_of(c.mail("a@outside.test"))
        denial(s, code)
        s.restart()
        assert denial(s, code)["Reply"] == "530 5.7.1 Client was not authenticated"
        s.stop()
        assert s.one("Get-Denial " + code)["Code"] == code
        assert explain(s, code).returncode == 0
        assert os.stat(s.state + "/log/denials.ring").st_mode & 0o777 == 0o600
    finally:
        s.close()
