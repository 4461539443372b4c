"""Connector selection: by local address, local port and remote address; the most specific range wins, and nothing falls through."""
from table import AS, DEVIATES, Row, Section
from support.server import quote, settle
from support.smtp import SMTP


def banner(server, source, port=None, host="127.0.0.1"):
    with SMTP(port or server.smtp, host=host, source=source) as s:
        return s.greeting.lines[0].split()[-1]


def make(w, ranges, bindings=None, extra=""):
    """A connector whose greeting ends with its own number; that number."""
    n = str(w.number())
    w.hub.shell("New-ReceiveConnector -Name 'sel %s' -Bindings %s -RemoteIPRanges %s -Banner '220 mail.example.com %s' %s"
                % (n, bindings or "0.0.0.0:%d" % w.hub.smtp, ranges, n, extra))
    settle()
    return n


def example(w):
    """The documents' example, with loopback addresses: everybody, a net, one address."""
    a, b, c = make(w, "127.4.0.0-127.4.255.255"), make(w, "127.4.1.0-127.4.1.255"), make(w, "127.4.1.75")
    assert [banner(w.hub, ip) for ip in ("127.4.1.75", "127.4.1.100", "127.4.2.1")] == [c, b, a]


def inputs(w):
    a = make(w, "127.4.10.1")
    with SMTP(w.hub.smtp, source="127.4.10.1") as s:
        assert s.greeting.lines[0].endswith(" " + a), "decided before the client has said anything"


def candidates(w):
    a, b = make(w, "127.4.11.0/24"), make(w, "127.4.11.1")
    assert banner(w.hub, "127.4.11.1") == b
    w.shell("Set-ReceiveConnector 'sel %s' -Enabled $false" % b)
    assert banner(w.hub, "127.4.11.1") == a
    w.shell("Set-ReceiveConnector 'sel %s' -Enabled $true -Bindings 0.0.0.0:%d" % (b, w.hub.submission))
    assert banner(w.hub, "127.4.11.1") == a, "another port"
    assert banner(w.hub, "127.4.11.1", port=w.hub.submission) == b


def winner(w):
    wide, narrow = make(w, "127.4.12.0-127.4.12.99"), make(w, "127.4.12.0/28")
    assert (banner(w.hub, "127.4.12.3"), banner(w.hub, "127.4.12.60")) == (narrow, wide)


def overlap(w):
    """Not one inside the other: the smaller range wins where both hold."""
    a, b = make(w, "127.4.13.0-127.4.13.100"), make(w, "127.4.13.50-127.4.13.200")
    assert (banner(w.hub, "127.4.13.60"), banner(w.hub, "127.4.13.150")) == (a, b)


def uniqueness(w):
    name = w.cold_connector()
    ranges = w.cold.one("Get-ReceiveConnector " + quote(name))["RemoteIPRanges"][0]
    w.refused("New-ReceiveConnector -Name other -Bindings 0.0.0.0:25 -RemoteIPRanges 127.9.9.9,%s" % ranges, name)
    w.cold.shell("New-ReceiveConnector -Name 'port %d' -Bindings 0.0.0.0:2525 -RemoteIPRanges %s" % (w.number(), ranges))


def conflict(w):
    name = w.cold_connector()
    c = w.cold.one("Get-ReceiveConnector " + quote(name))
    error = w.refused("New-ReceiveConnector -Name other -Bindings 0.0.0.0:25 -RemoteIPRanges %s" % c["RemoteIPRanges"][0],
                      "The values that you specified for the Bindings and RemoteIPRanges parameters conflict with the settings on Receive connector \"%s\"" % name)
    assert "0.0.0.0:25" in error and c["RemoteIPRanges"][0] in error and "unique combination" in error


def no_match(w):
    n = make(w, "127.4.14.1", bindings="127.0.0.1:%d" % (w.hub.smtp + 1))
    from support.util import wait_for
    wait_for("the new port", lambda: _connects(w.hub.smtp + 1))
    assert banner(w.hub, "127.4.14.1", port=w.hub.smtp + 1) == n
    s = SMTP(w.hub.smtp + 1, source="127.4.14.2", greet=False)
    assert s.closed()
    s.close()
    from support.server import wait_logged
    wait_logged(w.hub, r"event=no-connector[^\n]*127\.4\.14\.2")


def _connects(port):
    import socket
    try:
        socket.create_connection(("127.0.0.1", port), source_address=("127.4.14.1", 0)).close()
        return True
    except OSError:
        return False


def bad_local(w):
    """An address that is not this machine's: told at once, and the server goes on."""
    p = w.hub.shell_run("New-ReceiveConnector -Name 'far %d' -Bindings 192.0.2.77:2525 -RemoteIPRanges 127.4.15.1" % w.number())
    with w.hub.session() as s:
        assert s.cmd("NOOP") == 250
    from support.server import wait_logged
    if p.returncode == 0:
        wait_logged(w.hub, r"192\.0\.2\.77")


def no_fall_through(w):
    make(w, "127.4.16.0/24", extra="-PermissionGroups AnonymousUsers")
    make(w, "127.4.16.1", extra="-PermissionGroups None -TarpitInterval 00:00:00")
    with SMTP(w.hub.smtp, source="127.4.16.1") as s:
        s.ehlo()
        assert s.mail("x@outside.test") == "530 5.7.1"


def ranges_syntax(w):
    name = w.cold_connector()
    w.cold.shell("Set-ReceiveConnector %s -RemoteIPRanges 127.5.0.1,127.5.1.1-127.5.1.9,127.5.2.0/24,2001:db8::1,2001:db8::/48,fe80::1" % quote(name))
    assert len(w.cold.one("Get-ReceiveConnector " + quote(name))["RemoteIPRanges"]) == 6
    for bad in ("127.5.0.300", "127.5.0.9-127.5.0.1", "127.5.0.0/33", "example.com", "127.5.0.1-2001:db8::1"):
        w.refused("Set-ReceiveConnector %s -RemoteIPRanges %s" % (quote(name), bad), "RemoteIPRanges", bad.split("-")[0])


def bindings_syntax(w):
    name = w.cold_connector()
    w.cold.shell("Set-ReceiveConnector %s -Bindings 127.0.0.1:25,0.0.0.0:2525,'[::]:25','[::1]:26'" % quote(name))
    assert len(w.cold.one("Get-ReceiveConnector " + quote(name))["Bindings"]) == 4
    for bad in ("25", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "mail.example.com:25", ":::25"):
        w.refused("Set-ReceiveConnector %s -Bindings '%s'" % (quote(name), bad), "Bindings", bad)


def specific_binding(w):
    everywhere, here = make(w, "127.4.17.1"), make(w, "127.4.17.1", bindings="127.0.0.9:%d" % w.hub.smtp)
    from support.util import wait_for
    assert banner(w.hub, "127.4.17.1") == everywhere
    wait_for("the specific binding", lambda: banner(w.hub, "127.4.17.1", host="127.0.0.9") == here)


SELECTION = Section("5", "Connector selection", (
    Row("Inputs", "local address, local port, remote address, and nothing that the client says", AS, inputs),
    Row("Candidates", "enabled connectors whose bindings and ranges fit", AS, candidates),
    Row("Winner", "the most specific remote range", AS, winner),
    Row("Overlap", "allowed when one range lies inside the other", DEVIATES, overlap, "Any overlap is allowed but an equal range; the smaller range wins."),
    Row("Example", "everybody, a net, one address: the client gets the narrowest", AS, example),
    Row("Uniqueness", "no two connectors with the same binding and the same range", AS, uniqueness),
    Row("Conflict error", "names the other connector; the documented sentence", AS, conflict, "It also says which binding and which range."),
    Row("No match", "the connection is refused or closed; the text is unconfirmed", AS, no_match, "Closed without a greeting, and logged as no-connector."),
    Row("Bad local address", "may keep the service from starting", DEVIATES, bad_local, "The server goes on and says in its log which binding failed."),
    Row("No fall-through", "the chosen connector refuses: no wider one is tried", AS, no_fall_through),
    Row("Ranges syntax", "address, first-last, CIDR, IPv6", AS, ranges_syntax, "Zone ids are not taken."),
    Row("Bindings syntax", "IP:port, [IPv6]:port", AS, bindings_syntax),
    Row("Specific local address", "wins over 0.0.0.0 with the same range (unconfirmed)", AS, specific_binding, "As an administrator expects."),
))

SECTIONS = [SELECTION]
