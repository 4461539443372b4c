"""Programs that people send with: what they send arrives octet for octet, over STARTTLS and over implicit TLS."""
import base64
import os
import re
import smtplib
import subprocess

import pytest

from support.postfix import Postfix
from support.util import fields, message, program, run, split_message, wait_for

USER, PASSWORD, TO = "alice@example.com", "Pw-alice 7%x", "bob@example.com"
BODIES = {
    "plain": b"hello\r\nworld\r\n",
    "dots": b".\r\n..\r\n.leading\r\nends with a dot.\r\n.\r\n",
    "8-bit": "Gr\u00fc\u00dfe \u65e5\u672c\r\n".encode() + b"latin-1 \xe9\r\n",
    "long lines": b"x" * 998 + b"\r\nshort\r\n",
    "blank lines": b"\r\n\r\na\r\n\r\n\r\nb  \r\n\t\r\n",
}
MODES = ["starttls", "implicit"]


def endpoint(server, mode):
    return server.submission if mode == "starttls" else server.submissions


def by_smtplib(server, mode, content, tmp_path):
    from support.smtp import tls_context
    port = endpoint(server, mode)
    c = smtplib.SMTP("127.0.0.1", port, timeout=60) if mode == "starttls" else smtplib.SMTP_SSL("127.0.0.1", port, timeout=60, context=tls_context())
    if mode == "starttls":
        c.starttls(context=tls_context())
    c.login(USER, PASSWORD)
    c.sendmail(USER, [TO], content, mail_options=["BODY=8BITMIME"])
    c.quit()


def by_curl(server, mode, content, tmp_path):
    f = tmp_path / "m.eml"
    f.write_bytes(content)
    run([program("curl"), "-sS", "-k", "--ssl-reqd", "--url", "%s://127.0.0.1:%d/client.test" % ("smtp" if mode == "starttls" else "smtps", endpoint(server, mode)),
         "--user", USER + ":" + PASSWORD, "--mail-from", USER, "--mail-rcpt", TO, "-T", str(f), "--max-time", "60"])


def by_swaks(server, mode, content, tmp_path):
    f = tmp_path / "m.eml"
    f.write_bytes(content.replace(b"\r\n", b"\n")[:-1])  # swaks ends the data with a newline of its own
    run([program("swaks"), "--server", "127.0.0.1", "--port", str(endpoint(server, mode)), "--tls" if mode == "starttls" else "--tls-on-connect", "--auth", "PLAIN",
         "--auth-user", USER, "--auth-password", PASSWORD, "--from", USER, "--to", TO, "--data", "@%s" % f, "--suppress-data"])


def by_msmtp(server, mode, content, tmp_path):
    run([program("msmtp"), "--host=127.0.0.1", "--port=%d" % endpoint(server, mode), "--tls=on", "--tls-certcheck=off",
         "--tls-starttls=%s" % ("on" if mode == "starttls" else "off"), "--auth=login", "--user=" + USER, "--passwordeval=printf %s '" + PASSWORD + "'",
         "--from=" + USER, TO], input=content.replace(b"\r\n", b"\n"))


CLIENTS = {"smtplib": by_smtplib, "curl": by_curl, "swaks": by_swaks, "msmtp": by_msmtp}


def assert_arrived(server, marker, content):
    raw = server.wait_mail(TO, marker)
    assert len(raw) == 1
    got, want = split_message(raw[0]), split_message(content)
    assert got[1] == want[1], "the body differs"
    for name, value in want[0]:
        assert value in fields(raw[0], name), "header %s is missing or changed" % name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_octet_for_octet(server, tmp_path, client, mode):
    import uuid
    for name, body in BODIES.items():
        if (client, name) == ("swaks", "dots"):  # swaks takes a lone dot at the end for its own terminator
            continue
        marker = "m" + uuid.uuid4().hex
        content = message(marker, USER, TO, body, b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")
        CLIENTS[client](server, mode, content, tmp_path)
        assert_arrived(server, marker, content)


@pytest.mark.parametrize("client", ["smtplib", "curl", "msmtp"])
def test_large_attachment(server, marker, tmp_path, client):
    """6 MiB of base64: larger than anything that travels in one frame; it goes through the spool."""
    server.shell("Set-ReceiveConnector 'Client mail' -MaxMessageSize 40MB")
    from support.server import settle
    settle()
    blob = base64.encodebytes(os.urandom(4 << 20)).replace(b"\n", b"\r\n")
    content = message(marker, USER, TO, blob)
    CLIENTS[client](server, "starttls", content, tmp_path)
    assert_arrived(server, marker, content)
    for f in server.mail_files(TO):
        if os.path.getsize(f) > 1 << 20:
            os.unlink(f)


def test_s_nail(server, marker):
    from urllib.parse import quote
    run([program("s-nail"), "-:/", "-Sv15-compat", "-Stls-verify=ignore", "-Sttycharset=utf-8", "-Ssmtp-auth=plain", "-Ssmtp-use-starttls",
         "-S", "mta=smtp://%s:%s@127.0.0.1:%d" % (quote(USER, safe=""), quote(PASSWORD, safe=""), server.submission), "-Sfrom=" + USER, "-Ssendwait",
         "-C", "X-Marker: " + marker, "-s", "nail", TO], input=b"Gr\xc3\xbc\xc3\x9fe\n.dot\n", env=dict(os.environ, LC_ALL="C.UTF-8"))
    server.wait_mail(TO, marker)


def test_openssl_s_client(server, marker):
    """As a person would type it."""
    token = base64.b64encode(("\0%s\0%s" % (USER, PASSWORD)).encode()).decode()
    p = subprocess.Popen([program("openssl"), "s_client", "-quiet", "-crlf", "-connect", "127.0.0.1:%d" % server.submission, "-starttls", "smtp"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = b""

    def expect(code):
        nonlocal said
        while True:
            line = p.stdout.readline()
            assert line, "the session ended: %r" % said
            said += line
            if line[:4] == code + b" ":
                return

    try:
        for text, code in (("EHLO client.test", b"250"), ("AUTH PLAIN " + token, b"235"), ("MAIL FROM:<%s>" % USER, b"250"), ("rcpt to:<%s>" % TO, b"250"),
                           ("DATA", b"354"), (message(marker, USER, TO).decode().replace("\r\n", "\n") + ".", b"250"), ("quit", b"221")):
            p.stdin.write(text.encode() + b"\n")
            p.stdin.flush()
            expect(code)
    finally:
        p.kill()
        p.wait()
    server.wait_mail(TO, marker)


def test_postfix_as_client(server, marker):
    p = Postfix("""relayhost = [127.0.0.1]:%d
smtp_tls_security_level = encrypt
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = static:{{%s:%s}}
smtp_sasl_security_options = noanonymous
""" % (server.submission, USER, PASSWORD))
    try:
        content = message(marker, USER, TO, BODIES["dots"] + BODIES["8-bit"])
        p.submit(USER, TO, content)
        wait_for(lambda: "Postfix to hand the message over: " + p.log()[-2000:], lambda: server.mail(TO, marker), 30)
        assert_arrived(server, marker, content)
    finally:
        p.close()


def test_submission_is_completed(server, marker):
    """RFC 6409 section 8: Message-ID and Date are added; Bcc is removed; Received says how it came."""
    m = ("From: <%s>\r\nTo: <%s>\r\nBcc: <hidden@example.com>\r\nX-Marker: %s\r\n\r\nx\r\n" % (USER, TO, marker)).encode()
    with server.login(USER, PASSWORD) as c:
        assert c.send_mail(USER, TO, m) == "250 2.6.0"
    raw = server.wait_mail(TO, marker)[0]
    assert fields(raw, "Message-ID") and fields(raw, "Date") and not fields(raw, "Bcc")
    assert fields(raw, "Return-Path") == ["<%s>" % USER]
    received = fields(raw, "Received")[0]
    assert "127.0.0.1" in received and "client.test" in received and "mail.example.com" in received
    assert re.search(r"with ESMTPSA\b", received)
