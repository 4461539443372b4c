"""The limits of a receive connector, each at it and one past it: what is refused, how the refusal names the limit, and that all receive processes count together."""
import csv
import glob
import os
import re
import select
import signal
import socket
import ssl
import time

import pytest

from support.server import Server, settle, wait_logged
from support.sink import Sink
from support.smtp import SMTP
from support.util import message, wait_for

CONNECTIONS = "The maximum number of concurrent connections has exceeded a limit, closing transmission channel"


class Greeted(SMTP):
    """A connection and whatever it is greeted with: 220, or the refusal and the end."""

    def __init__(self, port, source):
        super().__init__(port, source=source)
        self.admitted = self.greeting.code == 220


def refused(greeting, limit, value, connector):
    assert greeting == "421 4.3.2", greeting
    assert said(greeting) == '4.3.2 %s (%s %s of "%s")' % (CONNECTIONS, limit, value, connector)
    return True


def fill(server, count, source, port=None):
    """So many connections, all admitted."""
    out = [Greeted(port or server.smtp, source) for _ in range(count)]
    assert [c.greeting.code for c in out] == [220] * count
    return out


def close(connections):
    for c in connections:
        c.close()


def wait_admitted(server, source, port=None):
    """The server learns of a client's end a moment after the client does."""
    def one():
        with Greeted(port or server.smtp, source) as c:
            return c.admitted
    wait_for("a free place for " + source, one)


def set_up(server, name, address, extra):
    server.connector(name, address)
    if extra:
        server.shell("Set-ReceiveConnector %s %s" % (name, extra))
    settle()
    return name


def said(reply):
    """The text without the code of the refusal, where it bears one."""
    return re.sub(r" \[mr-[^]]*\]$", "", reply.text)


def named(reply, limit, value, connector):
    return '(%s %s of "%s")' % (limit, value, connector) in reply.text


def logged(server, event, limit, value, connector):
    return wait_logged(server, r'event=%s [^\n]*detail="%s %s of \\"%s\\""' % (event, limit, re.escape(value), connector))


# -- connections

def test_connections_of_a_source(server):
    set_up(server, "persource", "127.0.0.10-127.0.0.11", "-MaxInboundConnectionPerSource 3")
    held = fill(server, 3, "127.0.0.10")
    with Greeted(server.smtp, "127.0.0.10") as c:
        assert refused(c.greeting, "MaxInboundConnectionPerSource", "3", "persource")
        assert c.closed()
    wait_logged(server, r"event=connection-refused limit=MaxInboundConnectionPerSource value=3 connector=persource remote=127.0.0.10\n")
    close(fill(server, 3, "127.0.0.11"))
    held.pop().close()
    wait_admitted(server, "127.0.0.10")
    close(held)


def test_connections_of_a_connector(server):
    set_up(server, "four", "127.0.0.12-127.0.0.19", "-MaxInboundConnection 4")
    held = [c for n in range(12, 16) for c in fill(server, 1, "127.0.0.%d" % n)]
    with Greeted(server.smtp, "127.0.0.16") as c:
        assert refused(c.greeting, "MaxInboundConnection", "4", "four")
    with server.session(source="127.0.0.20") as other:
        assert other.cmd("NOOP") == 250, "another connector is not concerned"
    held.pop().close()
    wait_admitted(server, "127.0.0.16")
    close(held)


def test_percentage_of_what_is_free(server):
    set_up(server, "percent", "127.0.0.21-127.0.0.22", "-MaxInboundConnection 20 -MaxInboundConnectionPercentagePerSource 50")
    held = fill(server, 10, "127.0.0.21")
    with Greeted(server.smtp, "127.0.0.21") as c:
        assert refused(c.greeting, "MaxInboundConnectionPercentagePerSource", "50", "percent")
    held += fill(server, 5, "127.0.0.22")
    with Greeted(server.smtp, "127.0.0.22") as c:
        assert refused(c.greeting, "MaxInboundConnectionPercentagePerSource", "50", "percent"), "half of what the first leaves"
    close(held)


def test_a_limit_that_is_lowered_counts_who_is_there(server):
    set_up(server, "lowered", "127.0.0.23", "")
    held = fill(server, 3, "127.0.0.23")
    server.shell("Set-ReceiveConnector lowered -Name renamed -MaxInboundConnection 3")
    settle()
    with Greeted(server.smtp, "127.0.0.23") as c:
        assert refused(c.greeting, "MaxInboundConnection", "3", "renamed")
    assert held[0].cmd("NOOP") == 250
    close(held)


def test_implicit_tls_is_closed_without_a_word(server):
    name = "Client Implicit TLS mail"
    server.shell("Set-ReceiveConnector '%s' -MaxInboundConnectionPerSource 2" % name)
    settle()
    held = [SMTP(server.submissions, source="127.0.0.24", tls=True) for _ in range(2)]
    with socket.create_connection(("127.0.0.1", server.submissions), source_address=("127.0.0.24", 0), timeout=10) as s:
        assert s.recv(100) == b""
    wait_logged(server, 'event=connection-refused limit=MaxInboundConnectionPerSource value=2 connector="%s"' % name)
    with pytest.raises((ssl.SSLError, OSError)):
        SMTP(server.submissions, source="127.0.0.24", tls=True)
    close(held)
    server.shell("Set-ReceiveConnector '%s' -MaxInboundConnectionPerSource unlimited" % name)
    settle()


def test_a_refused_connection_in_the_protocol_log(server):
    set_up(server, "loud", "127.0.0.26", "-MaxInboundConnectionPerSource 1 -ProtocolLoggingLevel Verbose")
    held = fill(server, 1, "127.0.0.26")
    with Greeted(server.smtp, "127.0.0.26") as c:
        assert c.greeting.code == 421
        port = c.sock.getsockname()[1]

    def rows():
        out = []
        for path in glob.glob(server.state + "/log/ProtocolLog/SmtpReceive/RECV*.log"):
            with open(path, newline="", encoding="utf-8") as f:
                out += [r for r in csv.reader(f) if len(r) > 7 and r[5] == "127.0.0.26:%d" % port]
        return out if out and out[-1][6] == "-" else None
    got = wait_for("the rows of the connection", rows)
    assert [r[6] for r in got] == ["+", ">", "-"] and got[1][7].startswith("421 4.3.2 " + CONNECTIONS) and got[2][8] == "Local"
    close(held)


def test_a_flood_of_refused_connections_does_not_flood_the_log(server):
    set_up(server, "flood", "127.0.0.25", "-MaxInboundConnectionPerSource 1")
    held = fill(server, 1, "127.0.0.25")
    processes = len(server.role_pids("receive"))
    flood = 200 * processes
    before, began = len(server.log_text().splitlines()), time.monotonic()
    for _ in range(flood):
        with Greeted(server.smtp, "127.0.0.25") as c:
            assert c.greeting.code == 421
    spans = 2 + int((time.monotonic() - began) / 10)
    lines = server.log_text().splitlines()[before:]
    assert len(lines) <= 10 * spans * processes < flood, lines[:50]
    close(held)

    def accounted():
        """Every one of them has its line or is in the number of those that have none, once a process is asked for another connection."""
        with Greeted(server.smtp, "127.0.0.27"):
            new = "\n".join(server.log_text().splitlines()[before:])
        return len(re.findall("event=connection-refused ", new)) + sum(int(n) for n in re.findall(r"not-logged-before=(\d+)", new)) >= flood
    wait_for("all refused connections to be accounted for", accounted, timeout=30, every=0.2)


def test_default_connectors_limit_a_source():
    """What init makes, not relaxed: Default takes what comes, Client 20 from one address."""
    s = Server()
    try:
        held = fill(s, 30, "127.0.0.1") + fill(s, 20, "127.0.0.1", s.submission)
        with Greeted(s.submission, "127.0.0.1") as c:
            assert refused(c.greeting, "MaxInboundConnectionPerSource", "20", "Client mail")
        close(fill(s, 1, "127.0.0.2", s.submission))
        close(held)
    finally:
        s.close()


# -- all receive processes together

def ended(connections):
    """Those that the server has closed."""
    readable = set(select.select([c.sock for c in connections], [], [], 0)[0])
    return [c for c in connections if c.sock in readable and c.closed()]


@pytest.fixture
def three():
    """A server with three receive processes, on however many cores."""
    s = Server(start=False)
    with open(s.state + "/node.conf", "a", encoding="ascii") as f:
        f.write("receivers = 3\n")
    s.start()
    s.relax()
    yield s
    s.close()


def test_all_receive_processes_count_together(three):
    limit = 24
    set_up(three, "all", "127.0.0.30", "-MaxInboundConnectionPerSource %d" % limit)
    pids = three.role_pids("receive")
    assert len(pids) == 3
    held = fill(three, limit, "127.0.0.30")
    for _ in range(9):  # whichever process they come to
        with Greeted(three.smtp, "127.0.0.30") as c:
            assert refused(c.greeting, "MaxInboundConnectionPerSource", limit, "all")

    os.kill(pids[0], signal.SIGKILL)
    wait_for("the process to be started anew", lambda: len(three.role_pids("receive")) == 3 and pids[0] not in three.role_pids("receive"))
    gone = wait_for("the connections of the dead process", lambda: ended(held))
    kept = [c for c in held if c not in gone]
    assert kept, "24 connections on one of three processes"
    assert all(c.cmd("NOOP") == 250 for c in kept)

    again = fill(three, len(gone), "127.0.0.30")
    for _ in range(9):
        with Greeted(three.smtp, "127.0.0.30") as c:
            assert refused(c.greeting, "MaxInboundConnectionPerSource", limit, "all")
    close(kept + again)
    wait_admitted(three, "127.0.0.30")


def test_rate_over_all_receive_processes(three):
    set_up(three, "rate", "127.0.0.31", "-MessageRateLimit 6")
    replies = []
    for _ in range(12):
        with three.session(source="127.0.0.31") as c:
            replies.append(c.mail("a@outside.test").code)
    assert replies == [250] * 6 + [421] * 6


# -- messages a minute

RATE = "Message submission rate for this client has exceeded the configured limit"


def test_rate_of_an_address(server, marker):
    set_up(server, "slowly", "127.0.0.40-127.0.0.41", "-MessageRateLimit 3")
    with server.session(source="127.0.0.40") as c:
        for _ in range(3):
            assert c.send_mail("a@outside.test", "alice@example.com", message(marker, "a@outside.test", "alice@example.com")) == "250 2.6.0"
        r = c.mail("a@outside.test")
        assert r == "421 4.4.2" and said(r) == '4.4.2 %s (MessageRateLimit 3 of "slowly")' % RATE
        assert c.closed()
    logged(server, "limit", "MessageRateLimit", "3", "slowly")
    with server.session(source="127.0.0.41") as c:
        assert c.mail("a@outside.test") == 250, "another address"
    assert len(server.wait_mail("alice@example.com", marker, 3)) == 3


def test_refused_senders_do_not_count(server):
    set_up(server, "picky", "127.0.0.42", "-MessageRateLimit 2")
    server.shell("Get-ReceiveConnector picky | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -Deny "
                 "-ExtendedRights ms-exch-smtp-accept-authoritative-domain-sender")
    settle()
    with server.session(source="127.0.0.42") as c:
        for _ in range(4):
            assert c.mail("alice@example.com") == "550 5.7.1"
        for _ in range(2):
            assert c.mail("a@outside.test") == 250
            assert c.cmd("RSET") == 250
        assert c.mail("a@outside.test") == "421 4.4.2"


def test_rate_of_a_user(server):
    server.shell("Set-ReceiveConnector 'Client mail' -MessageRateLimit 2 -MessageRateSource User")
    settle()
    try:
        for turn in range(3):
            with server.login("alice@example.com", "Pw-alice 7%x") as c:
                r = c.mail("alice@example.com")
                assert r == (250 if turn < 2 else "421 4.4.2")
                assert turn < 2 or named(r, "MessageRateLimit", 2, "Client mail")
        with server.login("bob@example.com", "Pw-bob#8\"y") as c:
            assert c.mail("bob@example.com") == 250, "another user from the same address"
    finally:
        server.shell("Set-ReceiveConnector 'Client mail' -MessageRateLimit unlimited")
        settle()


# -- loops

def hop(by):
    return b"Received: from somewhere (by nobody)\r\n\tby %s (comment) with SMTP;\r\n\tMon, 01 Jan 2024 09:00:00 +0000\r\n" % by


@pytest.mark.parametrize("host", [b"mail.example.com", b"Loop.Example.test"])
def test_hops_through_this_server(server, host):
    set_up(server, "loop", "127.0.0.43", "-MaxLocalHopCount 2 -Fqdn loop.example.test")
    try:
        with server.session(source="127.0.0.43") as c:
            others = hop(b"other.test") * 5
            assert c.send_mail("a@outside.test", "alice@example.com", others + hop(host) * 2 + b"\r\nx\r\n") == "250 2.6.0"
            r = c.send_mail("a@outside.test", "alice@example.com", hop(host) + others + hop(host) * 2 + b"\r\nx\r\n")
            assert r == "554 5.4.6" and said(r) == '5.4.6 Hop count exceeded - possible mail loop (MaxLocalHopCount 2 of "loop")'
        logged(server, "limit", "MaxLocalHopCount", "2", "loop")
        server.shell("Set-ReceiveConnector loop -MaxLocalHopCount 0")
        settle()
        with server.session(source="127.0.0.43") as c:
            assert c.send_mail("a@outside.test", "alice@example.com", hop(host) * 20 + b"\r\nx\r\n") == "250 2.6.0", "0: never"
    finally:
        server.shell("Remove-ReceiveConnector loop -Confirm:$false")
        settle()


def test_a_message_that_comes_back_is_stopped(marker):
    """A smart host that is this server itself: the loop ends by MaxLocalHopCount, and the sender hears of it."""
    s = Server()
    try:
        s.relax()
        s.mailbox("alice@example.com", "Pw-alice1")
        set_up(s, "app", "127.0.0.0/8", "-MaxLocalHopCount 3")
        s.shell("Get-ReceiveConnector app | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient")
        s.smart_host(s.smtp)
        settle()
        with s.session(source="127.0.0.2") as c:
            assert c.send_mail("alice@example.com", "x@far.test", message(marker, "alice@example.com", "x@far.test")) == "250 2.6.0"
        report = s.wait_mail("alice@example.com", marker)[0]
        assert b"Hop count exceeded - possible mail loop" in report and b"MaxLocalHopCount 3" in report
    finally:
        s.close()


# -- recipients, sizes, headers: whose limit it is

def test_recipients_of_connector_and_organisation(server):
    set_up(server, "few", "127.0.0.44", "-MaxRecipientsPerMessage 2")

    def third():
        with server.session(source="127.0.0.44") as c:
            c.mail("a@outside.test")
            replies = [c.rcpt("alice@example.com") for _ in range(3)]
            assert replies[0] == 250
            return replies
    r = third()
    assert r[1] == 250 and r[2] == "452 4.5.3" and said(r[2]) == '4.5.3 Too many recipients (MaxRecipientsPerMessage 2 of "few")'
    logged(server, "limit", "MaxRecipientsPerMessage", "2", "few")
    server.shell("Set-TransportConfig -MaxRecipientEnvelopeLimit 1")
    settle()
    try:
        r = third()
        assert r[1] == "452 4.5.3" and said(r[1]) == "4.5.3 Too many recipients (MaxRecipientEnvelopeLimit 1 of the organisation)"
        wait_logged(server, r'event=limit [^\n]*detail="MaxRecipientEnvelopeLimit 1 of the organisation"')
    finally:
        server.shell("Set-TransportConfig -MaxRecipientEnvelopeLimit 5000")
        settle()


SIZE = "5.3.4 Message size exceeds fixed maximum message size "


def test_sizes_of_connector_and_organisation(server):
    set_up(server, "sized", "127.0.0.45", "-MaxMessageSize 100KB")
    big = b"Subject: x\r\n\r\n" + (b"y" * 98 + b"\r\n") * 720
    with server.session(source="127.0.0.45") as c:
        assert c.ext["SIZE"] == ["102400"]
        assert said(c.mail("a@outside.test", "SIZE=102401")) == SIZE + '(MaxMessageSize 100KB of "sized")'
        assert c.send_mail("a@outside.test", "alice@example.com", big) == "250 2.6.0"
    logged(server, "limit", "MaxMessageSize", "100KB", "sized")
    server.shell("Set-TransportConfig -MaxReceiveSize 64KB -MaxSendSize 80KB")
    settle()
    try:
        with server.session(source="127.0.0.45") as c:
            assert c.ext["SIZE"] == ["81920"], "what nobody may exceed"
            assert said(c.mail("a@outside.test", "SIZE=65537")) == SIZE + "(MaxReceiveSize 64KB of the organisation)"
            assert c.mail("a@outside.test", "SIZE=65536") == 250
            c.rcpt("alice@example.com")
            r = c.data(big)
            assert r == "552 5.3.4" and said(r) == SIZE + "(MaxReceiveSize 64KB of the organisation)"
        with server.login("alice@example.com", "Pw-alice 7%x") as c:
            assert c.mail("alice@example.com", "SIZE=65537") == 250, "a user's recipients may be others'"
    finally:
        server.shell("Set-TransportConfig -MaxReceiveSize unlimited -MaxSendSize unlimited")
        settle()


def test_header_and_hops(server):
    set_up(server, "headers", "127.0.0.46", "-MaxHeaderSize 2KB -MaxHopCount 3 -MaxLocalHopCount 0")
    with server.session(source="127.0.0.46") as c:
        r = c.send_mail("a@outside.test", "alice@example.com", b"X: " + b"y" * 900 + b"\r\n" + b" z" * 700 + b"\r\n\r\nx\r\n")
        assert r == "552 5.3.4" and said(r) == '5.3.4 Header size exceeds fixed maximum size (MaxHeaderSize 2KB of "headers")'
        r = c.send_mail("a@outside.test", "alice@example.com", hop(b"x.test") * 4 + b"\r\nx\r\n")
        assert r == "554 5.4.6" and said(r) == '5.4.6 Hop count exceeded - possible mail loop (MaxHopCount 3 of "headers")'
    logged(server, "limit", "MaxHeaderSize", "2KB", "headers")
    logged(server, "limit", "MaxHopCount", "3", "headers")


# -- what ends a session

def test_errors(server):
    set_up(server, "errors", "127.0.0.47", "-MaxProtocolErrors 1")
    with server.session(source="127.0.0.47") as c:
        assert c.cmd("WIZ") == 500
        assert c.cmd("NOOP") == 250
        assert c.cmd("WIZ") == 500
        r = c.reply()
        assert r == "421 4.7.0" and named(r, "MaxProtocolErrors", 1, "errors") and r.text.startswith("4.7.0 Too many errors on this connection, closing")
        assert c.closed()
    logged(server, "too-many-errors", "MaxProtocolErrors", "1", "errors")


def test_logon_failures(server):
    server.shell("Set-ReceiveConnector 'Client mail' -MaxLogonFailures 2 -AuthTarpitInterval 00:00:00")
    settle()
    try:
        with server.session(server.submission) as c:
            c.starttls()
            assert c.auth_plain("alice@example.com", "wrong") == "535 5.7.3"
            assert c.auth_plain("alice@example.com", "wrong") == "535 5.7.3"
            r = c.reply()
            assert r == "421 4.7.0" and named(r, "MaxLogonFailures", 2, "Client mail")
            assert c.closed()
        logged(server, "too-many-logon-failures", "MaxLogonFailures", "2", "Client mail")
    finally:
        server.shell("Set-ReceiveConnector 'Client mail' -MaxLogonFailures 0")
        settle()


def test_timeouts(server):
    set_up(server, "hasty", "127.0.0.48", "-ConnectionInactivityTimeout 00:00:01 -ConnectionTimeout 00:00:02")
    idle, busy = server.session(source="127.0.0.48"), server.session(source="127.0.0.48")
    began = time.monotonic()
    replies = []
    while time.monotonic() < began + 8 and not (replies and replies[-1].code == 421):
        if select.select([busy.sock], [], [], 0.3)[0]:
            replies.append(busy.reply())
        else:
            busy.send(b"NOOP\r\n")
    r = idle.reply()
    assert r == "421 4.4.1" and said(r) == '4.4.1 Connection timed out (ConnectionInactivityTimeout 00:00:01 of "hasty")'
    assert said(replies[-1]) == '4.4.1 Connection timed out (ConnectionTimeout 00:00:02 of "hasty")'
    assert idle.closed() and busy.closed()
    logged(server, "timeout", "ConnectionInactivityTimeout", "00:00:01", "hasty")
    logged(server, "timeout", "ConnectionTimeout", "00:00:02", "hasty")


# -- keywords that are off by default

def test_long_addresses(server, sink, marker):
    set_up(server, "long", "127.0.0.49", "")
    server.shell("Get-ReceiveConnector long | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient")
    server.smart_host(sink.port, spaces="far.test")
    settle()
    address = "x" * (1860 - len("@far.test")) + "@far.test"
    with server.session(source="127.0.0.49") as c:
        assert "XLONGADDR" not in c.ext
        r = c.mail(address)
        assert r == "501 5.1.7" and named(r, "LongAddressesEnabled", "False", "long")
        c.mail("a@outside.test")
        r = c.rcpt(address)
        assert r == "501 5.1.3" and named(r, "LongAddressesEnabled", "False", "long")
    server.shell("Set-ReceiveConnector long -LongAddressesEnabled $true")
    settle()
    with server.session(source="127.0.0.49") as c:
        assert "XLONGADDR" in c.ext
        assert c.mail("y" + address) == "501 5.1.7"
        assert c.send_mail(address, address, message(marker, "a@outside.test", "b@far.test")) == "250 2.6.0"
        assert c.mail("a@outside.test") == 250
        assert c.rcpt(address.replace("far.test", "example.com")) == "501 5.1.3", "longer by three"
        assert c.rcpt(address[3:].replace("far.test", "example.com")) == 250, "it may relay: the report says that there is nobody"
        assert c.cmd("NOOP " + "x" * 7993) == 250
        assert c.cmd("NOOP " + "x" * 7994) == "500 5.5.2"
    set_up(server, "longer", "127.0.0.52", "-LongAddressesEnabled $true")
    with server.session(source="127.0.0.52") as c:
        assert c.mail("a@outside.test") == 250
        assert c.rcpt(address[3:].replace("far.test", "example.com")) == "550 5.1.1"
    got = wait_for("the message at the next hop", lambda: sink.got(marker))[0]
    assert got["from"] == address and got["rcpts"][0][0] == address


def test_orar(server):
    set_up(server, "orar", "127.0.0.50", "")
    with server.session(source="127.0.0.50") as c:
        c.mail("a@outside.test")
        assert "XORAR" not in c.ext and c.rcpt("alice@example.com", "ORAR=rfc822;bob@example.com") == "555 5.5.4"
    server.shell("Set-ReceiveConnector orar -OrarEnabled $true")
    settle()
    with server.session(source="127.0.0.50") as c:
        c.mail("a@outside.test")
        assert "XORAR" in c.ext and c.rcpt("alice@example.com", "ORAR=rfc822;bob@example.com") == 250
        assert c.rcpt("alice@example.com", "ORAR=bob") == "501 5.5.4"


# -- bare LF

LINES = b"Subject: x\nX-Marker: %s\r\n\r\nx\n.\nMAIL FROM:<evil@outside.test>\n.\r\nRCPT TO:<bob@example.com>\r\nDATA\n\r\n..\ny\r\n"
CLEAN = b"x\r\n.\r\nMAIL FROM:<evil@outside.test>\r\n.\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n\r\n.\r\ny\r\n"


def test_bare_line_feeds_become_clean(server, marker):
    """Taken only where the administrator says so; nothing in it is run, and what goes on to a next hop is CRLF with its dots stuffed."""
    set_up(server, "unix", "127.0.0.51", "")
    sink = Sink()
    server.shell("Get-ReceiveConnector unix | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient")
    server.smart_host(sink.port, spaces="unix.test", name="unix")
    settle()
    content = LINES % marker.encode()

    def send():
        with server.session(source="127.0.0.51") as c:
            assert c.mail("a@outside.test") == 250 and c.rcpt("x@unix.test") == 250 and c.cmd("DATA") == 354
            c.send(content + b".\r\n")
            reply = c.reply()
            assert c.cmd("NOOP") == 250, "one message, one reply"
            return reply
    r = send()
    assert r == "550 5.6.0" and "bare LF" in r.text, "by default"
    server.shell("Set-ReceiveConnector unix -BareLinefeedRejectionEnabled $false")
    settle()
    assert send() == "250 2.6.0"
    got = wait_for("the message at the next hop", lambda: sink.got(marker))
    assert len(got) == 1 and got[0]["data"].endswith(CLEAN)
    head = got[0]["data"].partition(b"\r\n\r\n")[0]
    assert b"\r\nSubject: x\r\nX-Marker: " + marker.encode() in head and b"\n" not in got[0]["data"].replace(b"\r\n", b"")
    assert not server.mail("bob@example.com", marker)
    with server.session(source="127.0.0.51") as c:
        c.send(b"NOOP\nNOOP\r\n")
        assert c.reply() == "500 5.5.2" and c.reply() == "500 5.5.2", "in commands never"
    sink.close()
