"""Behind a real HAProxy the connector is selected by the client's own address; nobody else may say whose that is."""
import glob
import re
import socket
import struct
import time

import pytest

from support.haproxy import HAProxy
from support.server import RELAXED, settle, wait_logged
from support.smtp import SMTP
from support.util import fields, message, wait_for

PROXY = "127.0.0.9"       # HAProxy's own address
OTHER_PROXY = "127.0.0.10"  # is served by the same connector, but not on its list
CLIENT = "127.0.0.77"
STRANGER = "127.0.0.78"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.fixture(scope="module", autouse=True)
def set_up(server):
    """The gate for the proxies; a connector for one client, one for the others, and an implicit TLS one for both."""
    ranges = "%s,%s" % (PROXY, OTHER_PROXY)
    for name, remote, groups, extra in (
            ("gate", ranges, "None", "-ProxyProtocol V1,V2 -ProxyProtocolSources %s -Banner '220 gate'" % PROXY),
            ("client", CLIENT, "AnonymousUsers", "-Banner '220 client'"),
            ("stranger", STRANGER, "None", "-Banner '220 stranger'")):
        server.connector(name, remote, groups, extra)
    for name, remote, extra in (("tls gate", ranges, "-ProxyProtocol V2 -ProxyProtocolSources %s" % PROXY), ("tls client", CLIENT, "-Banner '220 tls client'")):
        server.shell("New-ReceiveConnector -Name '%s' -Usage Custom -Bindings 0.0.0.0:%d -RemoteIPRanges %s; "
                     "Set-ReceiveConnector '%s' -PermissionGroups AnonymousUsers -AuthMechanism Tls -ImplicitTls $true %s %s"
                     % (name, server.submissions, remote, name, RELAXED, extra))
    settle()


@pytest.fixture(scope="module")
def haproxy(server):
    h = HAProxy(PROXY, {"v1": (server.smtp, "send-proxy"), "v2": (server.smtp, "send-proxy-v2 proxy-v2-options crc32c,unique-id"),
                        "tls": (server.submissions, "send-proxy-v2"),
                        "checked": (server.smtp, "send-proxy-v2 check check-send-proxy inter 200ms"),
                        "bare": (server.smtp, "")})
    yield h
    h.close()


def direct(server, first=b"", source=PROXY, port=None):
    """A connection that begins with these octets; nothing is read from it."""
    s = SMTP(port or server.smtp, source=source, greet=False)
    if first:
        s.send(first)
    return s


def closed_unspoken(s):
    """The server closes without a word."""
    try:
        return s.sock.recv(100) == b""
    except ConnectionResetError:
        return True


def greeting(server, first, source=PROXY):
    with direct(server, first, source) as s:
        return s.reply().lines[0]


def v2(command, family, rest):
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(rest)) + rest


def v1(source):
    return b"PROXY TCP4 %s 198.51.100.1 4711 25\r\n" % source.encode()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_connector_by_the_clients_address(server, haproxy, version, marker):
    with SMTP(haproxy.port[version], source=STRANGER) as s:
        assert s.greeting.lines == ["stranger"]
    with SMTP(haproxy.port[version], source=CLIENT) as s:
        assert s.greeting.lines == ["client"]
        port = s.sock.getsockname()[1]
        assert s.ehlo().lines[0].endswith("[%s]" % CLIENT)
        s.starttls()
        assert s.send_mail("a@outside.test", "alice@example.com", message(marker, "a@outside.test", "alice@example.com")) == "250 2.6.0"
    raw = server.wait_mail("alice@example.com", marker)[0]
    assert any("[%s]" % CLIENT in f or "(%s)" % CLIENT in f for f in fields(raw, "Received")), fields(raw, "Received")
    assert PROXY not in raw.decode(), "the proxy is not the client"
    wait_logged(server, r"event=session-start .*remote=%s:%d .*proxy=%s:\d+ published=127\.0\.0\.1:%d connector=client" %
                (re.escape(CLIENT), port, re.escape(PROXY), haproxy.port[version]))


def test_implicit_tls_behind_the_header(server, haproxy, marker):
    with SMTP(haproxy.port["tls"], source=CLIENT, tls=True) as s:
        assert s.greeting.lines == ["tls client"]
        s.ehlo()
        assert s.send_mail("a@outside.test", "alice@example.com", message(marker, "a@outside.test", "alice@example.com")) == "250 2.6.0"
    server.wait_mail("alice@example.com", marker)


def test_health_check(server, haproxy):
    """A check says LOCAL, and is served by the connector of the proxy's own address."""
    wait_for("the check", lambda: haproxy.state("checked") == ("UP", "L4OK"))
    wait_logged(server, r"event=session-start .*remote=%s:\d+ local=\S+ proxy=%s:\d+ connector=gate" % (re.escape(PROXY), re.escape(PROXY)))
    assert greeting(server, v2(0x20, 0, b"")) == "gate"
    assert greeting(server, b"PROXY UNKNOWN\r\n") == "gate"
    with direct(server, v2(0x20, 0, b"")) as s:
        s.reply()
        assert s.cmd("EHLO x").code == 250
        assert s.mail("a@outside.test") == "530 5.7.1", "the proxy itself may nothing"


def test_nothing_is_said_before_the_header(server):
    with direct(server) as s:
        s.sock.settimeout(0.3)
        with pytest.raises(socket.timeout):
            s.sock.recv(1)
        s.sock.settimeout(30)
        for octet in v1(CLIENT):
            s.send(bytes([octet]))
        assert s.reply().lines == ["client"]
        assert s.cmd("NOOP") == 250


def test_commands_right_behind_the_header(server):
    with direct(server, v1(CLIENT) + b"EHLO x\r\nNOOP\r\n") as s:
        assert s.reply().lines == ["client"]
        assert s.reply().code == 250
        assert s.reply().code == 250


def test_no_header_from_others(server):
    """Neither an address that the gate serves, nor one that it does not, may say for whom it speaks."""
    for source, first in ((OTHER_PROXY, v1(CLIENT)), (STRANGER, v1(CLIENT)), (CLIENT, v2(0x21, 0x11, b"\x7f\0\0\x4d" * 2 + b"\0\1\0\2"))):
        with direct(server, first, source) as s:
            assert s.reply().code == 220, "greeted as itself"
            assert s.reply() == "554 5.7.1"
            assert closed_unspoken(s)
        wait_logged(server, r"level=warning .*event=proxy-header-uninvited .*remote=%s:.*ProxyProtocolSources" % re.escape(source))


def test_haproxy_without_header(server, haproxy):
    """No header is sent where one must come; the client gets nowhere, least of all with the proxy's rights."""
    with SMTP(haproxy.port["bare"], source=CLIENT, greet=False) as s:
        s.send(b"EHLO client.test\r\n")
        assert closed_unspoken(s)
    wait_logged(server, r"event=proxy-header-refused .*remote=%s:.*connector=gate reason=\"what came is not a PROXY header\"" % re.escape(PROXY))


def test_one_header_only(server):
    with direct(server, v1(CLIENT) + v1(STRANGER)) as s:
        assert s.reply().lines == ["client"]
        assert s.reply() == "554 5.7.1"
        assert closed_unspoken(s)
    assert greeting(server, v1(PROXY)) == "gate", "the gate's own address leads to it, and asks for no second header"


@pytest.mark.parametrize("first,reason", [(b"PROXY TCP4 x y 1 2\r\n", "an address or port is not one"), (b"PROXY UNKNOWN" + b"x" * 200, "longer than 107"),
                                          (v2(0x21, 0x31, b"x" * 216), "neither TCP over IPv4"), (v2(0x20, 0, b"x" * 5000), "length cannot be")])
def test_bad_headers(server, first, reason):
    with direct(server, first) as s:
        assert closed_unspoken(s)
    wait_logged(server, r"event=proxy-header-refused .*connector=gate reason=\"[^\"]*%s[^\"]*\" refused=\d" % reason)


def test_protocol_log(server):
    server.connector("logged", "127.0.0.79", extra="-ProtocolLoggingLevel Verbose")
    settle()
    with direct(server, v1("127.0.0.79") + v1(CLIENT)) as s:
        assert s.reply().code == 220
        assert s.reply() == "554 5.7.1"

    def rows():
        text = "".join(open(f, encoding="utf-8").read() for f in glob.glob(server.state + "/log/ProtocolLog/SmtpReceive/RECV*.log"))
        return [line for line in text.splitlines() if "\\logged," in line and "127.0.0.79:4711" in line]
    got = wait_for("the rows", lambda: rows() if rows() and ",-," in rows()[-1] else None)
    assert any(re.search(r",\*,%s:\d+,Received PROXY header" % re.escape(PROXY), r) for r in got), got
    assert [r for r in got if ",<,PROXY" in r] and [r for r in got if ",>,554 5.7.1" in r], got


def test_version_that_is_not_enabled(server):
    with direct(server, v1(CLIENT), port=server.submissions) as s:
        assert closed_unspoken(s)
    wait_logged(server, r"event=proxy-header-refused .*connector=\"tls gate\" reason=\"ProxyProtocol of the connector does not list its version\"")


def test_slow_header(server):
    with direct(server, b"PROXY ") as s:
        begun = time.monotonic()
        assert closed_unspoken(s)
        assert 9 < time.monotonic() - begun < 20
    wait_logged(server, r"event=proxy-header-refused .*reason=\"it was not complete within 10 s\"")


def test_properties(server):
    c = server.one("Get-ReceiveConnector gate")
    assert c["ProxyProtocol"] == ["V1", "V2"] and c["ProxyProtocolSources"] == [PROXY]
    assert server.one("Get-ReceiveConnector client")["ProxyProtocol"] == ["None"]
    error = server.shell_error("Set-ReceiveConnector gate -ProxyProtocolSources 0.0.0.0/0")
    assert "ProxyProtocolSources" in error and "load balancers" in error
    assert "RemoteIPRanges" in server.shell_error("Set-ReceiveConnector gate -ProxyProtocolSources 127.0.0.200")
    assert "-ProxyProtocolSources" in server.shell_error("Set-ReceiveConnector client -ProxyProtocol V2")
    server.shell("New-ReceiveConnector -Name both -Usage Custom -Bindings 0.0.0.0:%d -RemoteIPRanges 127.0.1.0/24 -ProxyProtocol v2 -ProxyProtocolSources 127.0.1.1; "
                 "Set-ReceiveConnector both -ProxyProtocol @{Add='V1'} -ProxyProtocolSources @{Add='127.0.1.2'}" % server.smtp)
    both = server.one("Get-ReceiveConnector both")
    assert both["ProxyProtocol"] == ["V1", "V2"] and both["ProxyProtocolSources"] == ["127.0.1.1", "127.0.1.2"]


def test_one_connector_for_both(server):
    """Takes a header from its proxy and serves others directly."""
    server.connector("mixed", "127.0.2.0/24", extra="-ProxyProtocol V1 -ProxyProtocolSources 127.0.2.9 -Banner '220 mixed'")
    settle()
    assert greeting(server, b"", "127.0.2.7") == "mixed"
    assert greeting(server, v1("127.0.2.7"), "127.0.2.9") == "mixed"
    assert greeting(server, v1(CLIENT), "127.0.2.9") == "client"


@pytest.mark.parametrize("first", [b"", b"PROXY ", v1(CLIENT), v1(CLIENT) + b"QUIT\r\n"])
@pytest.mark.parametrize("reset", [False, True])
def test_abandoned(server, first, reset):
    """A peer that goes away at any point leaves nothing behind: the server goes on, and its stop waits for nobody."""
    before = server.log_text().count("event=session-end")
    s = direct(server, first)
    if reset:
        s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    wait_for("the end", lambda: server.log_text().count("event=session-end") > before)
    assert greeting(server, v1(CLIENT)) == "client"


def test_stopping_does_not_wait_for_a_header(fresh_server):
    fresh_server.connector("gate", PROXY, extra="-ProxyProtocol V1 -ProxyProtocolSources %s" % PROXY)
    settle()
    with direct(fresh_server, b"PROXY ") as s:
        begun = time.monotonic()
        assert fresh_server.stop() == 0
        assert time.monotonic() - begun < 8
        assert closed_unspoken(s)
