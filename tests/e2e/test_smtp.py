"""The protocol on the wire: sequences, limits, smuggling, BDAT, tickets; one server with an anonymous connector."""
import os
import socket
import ssl
import time

import pytest

from support.server import settle, wait_logged
from support.smtp import SMTP, tls_context
from support.util import fields, message

APP = "127.0.0.2"


@pytest.fixture(scope="module", autouse=True)
def set_up(server):
    server.connector("app", APP)
    server.connector("small", "127.0.0.5", extra="-MaxMessageSize 64KB -MaxRecipientsPerMessage 2 -MaxHeaderSize 4KB -MaxHopCount 3")
    settle()


@pytest.fixture
def c(server):
    with server.session(source=APP) as s:
        yield s


def test_all_extensions(c):
    assert {"PIPELINING", "SIZE", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS"} <= set(c.ext)


@pytest.mark.parametrize("line,want", [("NOOP", 250), ("NOOP x", 250), ("RSET", 250), ("VRFY alice", 252), ("HELP", 214), ("EXPN x", 502), ("WIZ", "500 5.3.3"),
                                       ("RCPT TO:<a@b.c>", "503 5.5.2"), ("DATA", "503 5.5.2"), ("MAIL FROM:<a@b", "501 5.1.7"), ("MAIL", "501 5.5.4"),
                                       ("MAIL FROM:<a@b.c> FOO=1", "555 5.5.4"), ("EHLO foo<bar", "501 5.5.4"), ("QUIT", "221 2.0.0")])
def test_commands(c, line, want):
    assert c.cmd(line) == want


def test_hello_first(server):
    with SMTP(server.smtp, source=APP) as s:
        assert s.mail("a@outside.test") == "503 5.5.2"


def test_pipelining(c):
    c.send(b"MAIL FROM:<a@outside.test>\r\nRCPT TO:<nobody@nowhere.test>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n")
    assert [c.reply().code for _ in range(4)] == [250, 550, 250, 354]
    c.send(b"Subject: x\r\n\r\nx\r\n.\r\nNOOP\r\n")
    assert c.reply() == "250 2.6.0"
    assert c.reply() == 250


@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r.\r\n", b"\r\n\0.\r\n"])
def test_smuggling(server, c, marker, ending):
    """Nothing but CRLF.CRLF ends the data; such a message is refused and what hides in it is not run."""
    assert c.mail("a@outside.test") == 250
    assert c.rcpt("alice@example.com") == 250
    assert c.cmd("DATA") == 354
    c.send(b"Subject: x\r\nX-Marker: %s\r\n\r\nx" % marker.encode() + ending + b"MAIL FROM:<evil@outside.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
           b"X-Marker: %s\r\n\r\nsmuggled\r\n.\r\n" % marker.encode())
    assert c.reply() == "550 5.6.0"
    assert c.cmd("NOOP") == 250
    assert not server.mail("bob@example.com", marker)


def test_plaintext_behind_starttls_is_discarded(server):
    with SMTP(server.smtp, source=APP) as s:
        s.ehlo()
        s.send(b"STARTTLS\r\nMAIL FROM:<evil@outside.test>\r\n")
        assert s.reply() == "220 2.0.0"
        s.sock = s.context.wrap_socket(s.sock)
        assert s.cmd("RCPT TO:<alice@example.com>") == "503 5.5.2", "neither hello nor MAIL from before counts"


def test_size_declared_and_counted(server):
    with server.session(source="127.0.0.5") as s:
        assert s.ext["SIZE"] == ["65536"]
        assert s.mail("a@outside.test", "SIZE=65537") == "552 5.3.4"
        assert s.mail("a@outside.test", "SIZE=65536") == 250
        assert s.rcpt("alice@example.com") == 250
        assert s.data(b"Subject: x\r\n\r\n" + b"y" * 70 * 1000) == "552 5.3.4"
        assert s.send_mail("a@outside.test", "alice@example.com", b"Subject: x\r\n\r\nsmall\r\n") == "250 2.6.0"


def test_too_many_recipients(server, marker):
    with server.session(source="127.0.0.5") as s:
        s.mail("a@outside.test")
        assert s.rcpt("alice@example.com") == 250
        assert s.rcpt("bob@example.com") == 250
        assert s.rcpt("alice@example.com") == "452 4.5.3"
        assert s.data(message(marker, "a@outside.test", "alice@example.com")) == "250 2.6.0"
    server.wait_mail("bob@example.com", marker)


def test_hops_and_header_size(server):
    with server.session(source="127.0.0.5") as s:
        hops = b"Received: from a by b; Mon, 01 Jan 2024 09:00:00 +0000\r\n"
        assert s.send_mail("a@outside.test", "alice@example.com", hops * 3 + b"\r\nx\r\n") == "250 2.6.0"
        assert s.send_mail("a@outside.test", "alice@example.com", hops * 4 + b"\r\nx\r\n") == "554 5.4.6"
        assert s.send_mail("a@outside.test", "alice@example.com", b"X-Big: " + b"y" * 900 + b"\r\n" + b" z" * 2000 + b"\r\n\r\nx\r\n").code == 552


@pytest.mark.parametrize("cut", [1, 7, 4096, 1 << 20])
def test_bdat(server, c, marker, cut):
    content = message(marker, "a@outside.test", "alice@example.com", b".\r\n..\r\nbody \xe9\r\n" * 200)
    if cut == 1:
        content = content[:400]
    c.mail("a@outside.test", "BODY=8BITMIME")
    c.rcpt("alice@example.com")
    for at in range(0, len(content), cut):
        assert c.bdat(content[at:at + cut], last=False) == 250
    assert c.bdat(b"", last=True) == "250 2.6.0"
    raw = server.wait_mail("alice@example.com", marker)[0]
    assert raw.replace(b"\r\n", b"\n").endswith(content.replace(b"\r\n", b"\n").partition(b"\n\n")[2])


def test_sender_of_own_domain_needs_the_right(server, c):
    assert c.mail("alice@example.com") == 250, "granted to anonymous by default, as Exchange does"
    server.shell("Get-ReceiveConnector app | Get-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' | "
                 "where {$_.ExtendedRights -like 'ms-exch-smtp-accept-authoritative-domain-sender'} | Remove-ADPermission -Confirm:$false")
    settle()
    with server.session(source=APP) as s:
        r = s.mail("alice@example.com")
        assert r == "550 5.7.1" and "send as this sender" in r.text
        assert s.mail("x@outside.test") == 250
    server.shell("Set-ReceiveConnector app -PermissionGroups AnonymousUsers")
    settle()


def test_unknown_recipient_is_told_at_rcpt(c):
    c.mail("x@outside.test")
    assert c.rcpt("nobody@example.com") == "550 5.1.1"


def test_a_session_keeps_its_policy(server):
    with server.session(source=APP) as s:
        server.shell("Set-ReceiveConnector app -PermissionGroups None")
        settle()
        assert s.mail("x@outside.test") == 250, "under way: the policy it began with"
        with server.session(source=APP) as t:
            assert t.mail("x@outside.test") == "530 5.7.1"
        server.shell("Set-ReceiveConnector app -PermissionGroups AnonymousUsers")
        settle()


def test_tls_versions_and_tickets(server):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls_context(minimum_version=version, maximum_version=version)
        session = None
        for turn in range(4):
            raw = socket.create_connection(("127.0.0.1", server.submissions))
            with context.wrap_socket(raw, session=session) as s:
                assert s.recv(100).startswith(b"220 ")
                if turn:
                    assert s.session_reused, "tickets are shared by all receive processes"
                s.sendall(b"QUIT\r\n")
                s.recv(100)
                session = s.session
    old = tls_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(socket.create_connection(("127.0.0.1", server.submissions)))


def test_garbage_does_not_hurt(server):
    for junk in (os.urandom(5000), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500), b"A" * 200000, b"\0" * 4096, b"EHLO \xff\xfe\r\n" * 50):
        for port in (server.smtp, server.submission, server.submissions):
            s = socket.create_connection(("127.0.0.1", port))
            s.settimeout(5)
            try:
                s.sendall(junk)
                s.recv(1000)
            except OSError:
                pass
            s.close()
    with server.session(source=APP) as c:
        assert c.cmd("NOOP") == 250
    assert len(server.role_pids("receive")) >= 1


def test_received_names_the_client(server, c, marker):
    c.send_mail("a@outside.test", "alice@example.com", message(marker, "a@outside.test", "alice@example.com"))
    r = fields(server.wait_mail("alice@example.com", marker)[0], "Received")[0]
    assert "client.test" in r and APP in r and "with ESMTP" in r


# -- clients that end their side first

GROUP = b"EHLO client.test\r\nMAIL FROM:<a@outside.test>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n"
GROUP_CODES = [250, 250, 250, 354, 250]


def ended_at_once(s):
    """The server closes without waiting for anything."""
    began = time.monotonic()
    s.sock.settimeout(10)
    return s.closed() and time.monotonic() - began < 5


def test_half_close_gets_its_replies(server, marker):
    with SMTP(server.smtp, source=APP) as s:
        s.send(GROUP + message(marker, "a@outside.test", "alice@example.com") + b".\r\n")
        s.sock.shutdown(socket.SHUT_WR)
        assert [s.reply().code for _ in GROUP_CODES] == GROUP_CODES
        assert ended_at_once(s)
    server.wait_mail("alice@example.com", marker)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("tcp_too", [False, True])
def test_close_notify_gets_its_replies(server, marker, version, tcp_too):
    """An SSLObject, since a socket's unwrap() takes no data behind its own close_notify."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context(minimum_version=version, maximum_version=version).wrap_bio(incoming, outgoing)
    with SMTP(server.smtp, source=APP) as s:
        def drive(step):
            """The step's result, once all that it waits for has come; None when the server has ended TCP."""
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        s.send(outgoing.read())
                    got = s.sock.recv(65536)
                    if not got:
                        return None
                    incoming.write(got)

        s.ehlo()
        assert s.cmd("STARTTLS") == "220 2.0.0"
        drive(tls.do_handshake)
        tls.write(GROUP + message(marker, "a@outside.test", "alice@example.com") + b".\r\n")
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        s.send(outgoing.read())
        if tcp_too:
            s.sock.shutdown(socket.SHUT_WR)
        text = b""
        with pytest.raises(ssl.SSLZeroReturnError):
            while True:
                got = drive(lambda: tls.read(65536))
                assert got, "no close_notify from the server; before: %r" % text
                text += got
        assert [int(line[:3]) for line in text.splitlines() if line[3:4] == b" "] == GROUP_CODES
        assert ended_at_once(s)
    server.wait_mail("alice@example.com", marker)


@pytest.mark.parametrize("said", [b"", b"MAIL FR", b"MAIL FROM:<a@outside.test>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\nSubject: half\r\n"])
def test_half_close_with_nothing_due(server, said):
    with server.session(source=APP) as s:
        s.send(said)
        s.sock.shutdown(socket.SHUT_WR)
        for _ in range(said.count(b"\r\n") and 3):
            s.reply()
        assert ended_at_once(s)


def test_half_close_waits_for_a_tarpit(server):
    server.connector("slow", "127.0.0.6")
    server.shell("Set-ReceiveConnector slow -TarpitInterval 00:00:01")
    settle()
    with server.session(source="127.0.0.6") as s:
        s.send(b"MAIL FROM:<a@outside.test>\r\nRCPT TO:<nobody@nowhere.test>\r\n")
        s.sock.shutdown(socket.SHUT_WR)
        assert [s.reply().code for _ in range(2)] == [250, 550]
        assert ended_at_once(s)


def test_stop_does_not_wait_for_handshakes(fresh_server):
    with socket.create_connection(("127.0.0.1", fresh_server.submissions)) as implicit, fresh_server.session(fresh_server.submission) as explicit:
        assert explicit.cmd("STARTTLS") == "220 2.0.0"
        wait_logged(fresh_server, r"event=session-start[^\n]* local=\S*:%d\b" % fresh_server.submissions)
        assert fresh_server.stop(timeout=8) == 0
        implicit.settimeout(5)
        assert implicit.recv(1) == b""
        assert explicit.closed()


# -- what is added

BARE = b"From: <a@outside.test>\r\nTo: <alice@example.com>\r\nBcc: <bob@example.com>\r\nX-Marker: %s\r\n\r\nx\r\n"


def queued_id(reply):
    return reply.text.partition("2.6.0 ")[2].partition(" ")[0]


def test_message_id_is_the_one_that_is_told(server, c, marker):
    reply = c.send_mail("a@outside.test", "alice@example.com", BARE % marker.encode())
    raw = server.wait_mail("alice@example.com", marker)[0]
    assert fields(raw, "Message-ID") == [queued_id(reply)]
    assert not fields(raw, "Date") and fields(raw, "Bcc"), "no submission: nothing else is completed"


def test_own_message_id_stays(server, c, marker):
    own = "<%s@outside.test>" % marker
    reply = c.send_mail("a@outside.test", "alice@example.com", b"Message-ID: %s\r\n" % own.encode() + BARE % marker.encode())
    assert queued_id(reply) == own
    assert fields(server.wait_mail("alice@example.com", marker)[0], "Message-ID") == [own]


def test_anonymous_submission_is_completed(server, marker):
    """Printers and web applications: who may send to anybody without logging on."""
    server.connector("printers", "127.0.0.7")
    server.shell("Get-ReceiveConnector printers | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient")
    settle()
    with server.session(source="127.0.0.7") as s:
        reply = s.send_mail("a@outside.test", "alice@example.com", BARE % marker.encode())
    raw = server.wait_mail("alice@example.com", marker)[0]
    assert fields(raw, "Message-ID") == [queued_id(reply)]
    assert len(fields(raw, "Date")) == 1 and not fields(raw, "Bcc")


def test_message_that_grows_large_with_its_last_octets(server, c, marker):
    """64 KB make it a file, which is asked for while the message's end is here already."""
    content = message(marker, "a@outside.test", "alice@example.com", (b"y" * 98 + b"\r\n") * 660)
    c.mail("a@outside.test")
    c.rcpt("alice@example.com")
    assert c.bdat(content[:60000], last=False) == 250
    assert c.bdat(content[60000:], last=True) == "250 2.6.0"
    raw = server.wait_mail("alice@example.com", marker)[0]
    assert raw.replace(b"\r\n", b"\n").endswith(content.replace(b"\r\n", b"\n").partition(b"\n\n")[2])
