"""Every parameter of New- and Set-ReceiveConnector: its default, its range, and that it is obeyed."""
import time

from table import AS, BEYOND, DEVIATES, Row, Section
from world import ALICE, BASIC, BOB, PASSWORD, Connector, expect, say, words
from support.server import quote
from support.smtp import SMTP
from support.util import fields, message, wait_for

ANON = "-PermissionGroups AnonymousUsers "
HOP = b"Received: from a.test by b.test; Mon, 01 Jan 2024 09:00:00 +0000\r\n"


def param(prop, default, good=(), bad=(), wire=None):
    """Default of a Custom connector; values that Set takes, and (value, words of the error) that it does not; then `wire`."""
    def check(w):
        name = w.cold_connector()
        s = w.cold

        def get():
            return s.one("Get-ReceiveConnector " + quote(name))[prop]
        assert _same(get(), default), "the default is %s, not %s" % (get(), default)
        for g in good:
            value, shown = g if isinstance(g, tuple) else (g, g)
            s.shell("Set-ReceiveConnector %s -%s %s" % (quote(name), prop, value))
            assert _same(get(), shown), "%s was set and %s is shown" % (value, get())
        before = get()
        for b in bad:
            w.refused("Set-ReceiveConnector %s -%s %s" % (quote(name), prop, b), prop)
        assert get() == before
        if wire:
            wire(w)
    return check


def _same(got, want):
    return set(got) == set(want) if isinstance(want, (list, tuple, set)) else got == want or str(got) == str(want)


def refuses(prop, value, *says):
    return lambda w: w.refused("Set-ReceiveConnector %s -%s %s" % (quote(w.cold_connector()), prop, value), prop, *says)


# -- who it is

def identity(w):
    name = w.cold_connector()
    c = w.cold.one("Get-ReceiveConnector " + quote(name))
    assert c["Identity"] == "mail\\" + name
    for form in (c["Identity"], c["Guid"], name.upper()):
        assert w.cold.one("Get-ReceiveConnector " + quote(form))["Guid"] == c["Guid"], form


def name(w):
    n = w.cold_connector()
    w.refused("New-ReceiveConnector -Name %s -Bindings 0.0.0.0:25 -RemoteIPRanges %s" % (quote(n), w.ip()), n)
    w.cold.shell("Set-ReceiveConnector %s -Name '%s'" % (quote(n), "n" * 60 + n[-4:]))
    w.refused("Set-ReceiveConnector '%s' -Name '%s'" % ("n" * 60 + n[-4:], "n" * 65), "Name")


def server(w):
    n = w.name()
    w.cold.shell("New-ReceiveConnector -Name '%s' -Server mail -Bindings 0.0.0.0:25 -RemoteIPRanges %s" % (n, w.ip()))
    assert w.cold.one("Get-ReceiveConnector '%s'" % n)["Server"] == "mail.example.com"
    assert len(w.cold.json("Get-ReceiveConnector -Server mail")) >= 3


def usage(w):
    w.refused("New-ReceiveConnector -Name x -Usage Relay -Bindings 0.0.0.0:25 -RemoteIPRanges 127.1.1.1", "Usage", "Client", "Partner")
    w.refused("New-ReceiveConnector -Name x -Custom -Internet -Bindings 0.0.0.0:25 -RemoteIPRanges 127.1.1.1", "usage")


def template(w):
    n = w.cold_connector("-MaxHopCount 7 -Comment 'to copy'")
    m = w.name()
    w.cold.shell("New-ReceiveConnector -Name '%s' -Custom -TemplateInstance (Get-ReceiveConnector '%s') -Bindings 0.0.0.0:25 -RemoteIPRanges %s" % (m, n, w.ip()))
    c = w.cold.one("Get-ReceiveConnector '%s'" % m)
    assert c["MaxHopCount"] == 7 and c["Comment"] == "to copy"


def lists(prop, first, add, remove):
    def check(w):
        n = w.cold_connector()
        s = w.cold
        s.shell("Set-ReceiveConnector %s -%s %s; Set-ReceiveConnector %s -%s @{Add='%s';Remove='%s'}" % (quote(n), prop, first, quote(n), prop, add, remove))
        got = s.one("Get-ReceiveConnector " + quote(n))[prop]
        assert add in got and remove not in got, got
        w.refused("Set-ReceiveConnector %s -%s $null" % (quote(n), prop), prop)
    return check


def mechanisms(w):
    n = w.cold_connector()
    w.cold.shell("Set-ReceiveConnector %s -AuthMechanism @{Add='BasicAuth','BasicAuthRequireTLS'}" % quote(n))
    assert set(w.cold.one("Get-ReceiveConnector " + quote(n))["AuthMechanism"]) == {"Tls", "BasicAuth", "BasicAuthRequireTLS"}
    w.refused("Set-ReceiveConnector %s -AuthMechanism Tls,Digest" % quote(n), "AuthMechanism", "Digest", "BasicAuth")


def groups(w):
    n = w.cold_connector("-PermissionGroups AnonymousUsers,Partners")
    s = w.cold
    s.shell("Set-ReceiveConnector %s -PermissionGroups ExchangeUsers" % quote(n))
    assert s.one("Get-ReceiveConnector " + quote(n))["PermissionGroups"] == ["ExchangeUsers"]
    s.shell("Set-ReceiveConnector %s -PermissionGroups @{Add='AnonymousUsers'}" % quote(n))
    assert set(s.one("Get-ReceiveConnector " + quote(n))["PermissionGroups"]) == {"ExchangeUsers", "AnonymousUsers"}
    w.refused("Set-ReceiveConnector %s -PermissionGroups Users" % quote(n), "PermissionGroups", "Users", "ExchangeUsers")


# -- over the wire

def banner(w):
    c = w.connector(ANON + "-Banner '220 welcome'")
    with c.connect() as s:
        assert (s.greeting.code, s.greeting.lines) == (220, ["welcome"])
    with c.set("-Banner $null").connect() as s:
        assert s.greeting.lines[0].startswith("mail.example.com ")


def fqdn(w):
    c = w.connector(ANON + "-Fqdn smtp.other.test")
    with c.connect() as s:
        assert s.greeting.lines[0].startswith("smtp.other.test ")
        assert s.ehlo().lines[0].startswith("smtp.other.test Hello")
        assert "STARTTLS" not in s.ext, "no certificate names it"
        assert "by smtp.other.test " in " ".join(fields(w.delivered(s), "Received")[0].split())


def default_domain(w):
    c = w.connector(ANON)
    with c.session() as s:
        assert s.mail("alice").code in (501, 550, 553)
    with c.set("-DefaultDomain example.com").session() as s:
        assert s.mail("alice") == 250 and s.rcpt("bob") == 250
        marker = w.marker()
        assert s.data(message(marker, "alice", BOB)) == "250 2.6.0"
    raw = w.hub.wait_mail(BOB, marker)[0]
    assert fields(raw, "Return-Path") == ["<alice@example.com>"] and fields(raw, "From") == ["<alice@example.com>"]
    with c.revoke("ms-Exch-SMTP-Accept-Authoritative-Domain-Sender").session() as s:
        expect(s.send_mail("x@outside.test", BOB, message(w.marker(), "ceo", BOB)), "550 5.7.1")


def max_message(w):
    with w.connector(ANON + "-MaxMessageSize 64KB").session() as s:
        assert words(s, "SIZE") == ["65536"]
        assert s.mail("x@outside.test", "SIZE=65537") == "552 5.3.4"
        assert s.mail("x@outside.test", "SIZE=65536") == 250 and s.rcpt(BOB) == 250
        assert s.data(b"\r\n" + (b"y" * 98 + b"\r\n") * 700) == "552 5.3.4"


def max_header(w):
    with w.connector(ANON + "-MaxHeaderSize 2KB").session() as s:
        assert s.send_mail("x@outside.test", BOB, b"X-Big: " + b" y\r\n" * 1000 + b"\r\nx\r\n").code == 552
        assert s.send_mail("x@outside.test", BOB, b"X-Small: y\r\n\r\n" + b"y\r\n" * 2000) == "250 2.6.0"


def max_recipients(w):
    with w.connector(ANON + "-MaxRecipientsPerMessage 1").session() as s:
        s.mail("x@outside.test")
        assert [s.rcpt(BOB).code, s.rcpt(ALICE).code] == [250, 452]
        assert s.data(b"\r\nx\r\n") == "250 2.6.0"


def max_hops(w):
    with w.connector(ANON + "-MaxHopCount 2").session() as s:
        assert s.send_mail("x@outside.test", BOB, HOP * 2 + b"\r\nx\r\n") == "250 2.6.0"
        assert s.send_mail("x@outside.test", BOB, HOP * 3 + b"\r\nx\r\n") == "554 5.4.6"


def max_local_hops(w):
    local = HOP.replace(b"b.test", b"mail.example.com")
    c = w.connector(ANON + "-MaxLocalHopCount 2")
    with c.session() as s:
        assert s.send_mail("x@outside.test", BOB, local + HOP * 5 + b"\r\nx\r\n") == "250 2.6.0"
        assert s.send_mail("x@outside.test", BOB, local * 3 + b"\r\nx\r\n") == "554 5.4.6"
    with c.set("-MaxLocalHopCount 0").session() as s:
        assert s.send_mail("x@outside.test", BOB, local * 9 + b"\r\nx\r\n") == "250 2.6.0"


def one_too_many(c, count, sources=None):
    """So many sessions fit, the next one is told so and closed; a place that is left is free again."""
    sources = sources or [c.ip]
    held = [SMTP(c.server.smtp, source=sources[i % len(sources)]) for i in range(count)]
    try:
        with c.connect(greet=False) as s:
            expect(s.reply(), "421 4.3.2")
            assert s.closed()
        held.pop().close()
        from support.util import wait_for

        def again():
            with c.connect(greet=False) as s:
                return s.reply().code == 220
        wait_for("the place to be free again", again)
    finally:
        for h in held:
            h.close()


def max_connections(w):
    a, b = w.ip(), w.ip()
    c = w.connector(ANON + "-MaxInboundConnection 3", ip=a + "," + b)
    one_too_many(Connector(c.server, c.name, a), 3, [a, b])


def max_per_source(w):
    c = w.connector(ANON + "-MaxInboundConnectionPerSource 2")
    one_too_many(c, 2)


def percentage(w):
    """Of ten places one address gets a fifth of what is still free."""
    a, b = w.ip(), w.ip()
    w.connector(ANON + "-MaxInboundConnection 10 -MaxInboundConnectionPercentagePerSource 20", ip=a + "," + b)
    held, codes = [], []
    try:
        for _ in range(4):
            held.append(SMTP(w.hub.smtp, source=a, greet=False))
            codes.append(held[-1].reply().code)
        assert codes == [220, 220, 421, 421], codes
        with SMTP(w.hub.smtp, source=b, greet=False) as s:
            assert s.reply().code == 220, "another address"
    finally:
        for h in held:
            h.close()


def max_errors(w):
    with w.connector(ANON + "-MaxProtocolErrors 2").session() as s:
        assert [s.cmd("WIZ").code for _ in range(3)] + [s.reply().code] == [500, 500, 500, 421]
        assert s.closed()
    with w.connector(ANON + "-MaxProtocolErrors unlimited").session() as s:
        assert {s.cmd("WIZ").code for _ in range(20)} == {500}


def max_logon_failures(w):
    c = w.connector(BASIC + " -MaxLogonFailures 2 -AuthTarpitInterval 00:00:00")
    with c.session(tls=True) as s:
        assert s.auth_plain(ALICE, "wrong") == "535 5.7.3"
        assert s.auth_plain(ALICE, "wrong") == "535 5.7.3"
        expect(s.reply(), "421 4.7.0")
        assert s.closed()
    with c.set("-MaxLogonFailures 0").session(tls=True) as s:
        for _ in range(5):
            assert s.auth_plain(ALICE, "wrong") == "535 5.7.3"


def _submit(s, sender="x@outside.test"):
    """The reply that a message gets, wherever the refusal comes."""
    r = s.mail(sender)
    r = r if r.code != 250 else s.rcpt(BOB)
    return r if r.code != 250 else s.data(b"\r\nx\r\n")


def message_rate(w):
    a, b = w.ip(), w.ip()
    w.connector(ANON + "-MessageRateLimit 2", ip=a + "," + b)
    with w.hub.session(source=a) as s:
        assert [_submit(s).code for _ in range(2)] == [250, 250]
        expect(_submit(s), "421 4.4.2")
    with w.hub.session(source=a) as s:
        expect(_submit(s), "421 4.4.2")
    with w.hub.session(source=b) as s:
        assert _submit(s).code == 250, "another address"


def rate_source(w):
    c = w.connector(BASIC + " -MessageRateLimit 1 -MessageRateSource User")
    for user, password in ((ALICE, PASSWORD), (BOB, "Pw-bob#8\"y")):
        with c.login(user, password) as s:
            assert _submit(s, user).code == 250
            expect(_submit(s, user), "421 4.4.2")


def connection_timeout(w):
    c = w.connector(ANON + "-ConnectionInactivityTimeout 00:00:01 -ConnectionTimeout 00:00:02")
    began = time.monotonic()
    with c.session() as s:
        while True:
            try:
                r = s.cmd("NOOP")
            except (EOFError, OSError):
                break
            if r.code == 421:
                assert r == "421 4.4.1", r
                break
            assert time.monotonic() - began < 6, "still open"
            time.sleep(0.1)
    assert 1.8 <= time.monotonic() - began < 6


def inactivity(w):
    began = time.monotonic()
    with w.connector(ANON + "-ConnectionInactivityTimeout 00:00:01").session() as s:
        expect(s.reply(), "421 4.4.1")
    assert 0.9 <= time.monotonic() - began < 5


def tarpit(w):
    c = w.connector(BASIC.replace("ExchangeUsers", "AnonymousUsers,ExchangeUsers") + " -TarpitInterval 00:00:01")
    with c.session() as s:
        s.mail("x@outside.test")
        began = time.monotonic()
        assert s.rcpt("far@elsewhere.test") == "550 5.7.1"
        assert time.monotonic() - began >= 0.95
    with c.login() as s:
        began = time.monotonic()
        assert s.mail(BOB) == "550 5.7.1"
        assert time.monotonic() - began < 0.9, "not for who has logged on"


def auth_tarpit(w):
    with w.connector(BASIC + " -AuthTarpitInterval 00:00:01").session(tls=True) as s:
        began = time.monotonic()
        assert s.auth_plain(ALICE, "wrong") == "535 5.7.3"
        assert time.monotonic() - began >= 0.95


def size_enabled(w):
    c = w.connector(ANON + "-SizeEnabled EnabledWithoutValue")
    with c.session() as s:
        assert s.ext["SIZE"] == []
    with c.set("-SizeEnabled Disabled").session() as s:
        assert "SIZE" not in s.ext
    with c.set("-SizeEnabled Enabled").session() as s:
        assert s.ext["SIZE"] == ["10485760"]


def switch(prop, keyword, refused=(), extra=""):
    """The keyword goes with the property, and then the command or parameter is refused."""
    def wire(w):
        c = w.connector(ANON)
        with c.session() as s:
            assert keyword in s.ext
        with c.set("-%s $false %s" % (prop, extra)).session() as s:
            assert keyword not in s.ext
            for command, want in refused:
                if "RCPT" in command or "BDAT" in command:
                    s.mail("x@outside.test")
                s.send(command.encode() + b"\r\n" + (b"x" if "BDAT" in command else b""))
                expect(s.reply(), want)
    return wire


def enhanced(w):
    with w.connector(ANON + "-EnhancedStatusCodesEnabled $false").session() as s:
        assert "ENHANCEDSTATUSCODES" not in s.ext
        r = s.mail("x@outside.test")
        assert r.code == 250 and r.enhanced is None, r
        assert s.cmd("WIZ").enhanced is None


def require_tls(w):
    with w.connector(ANON + "-RequireTLS $true").session() as s:
        expect(s.mail("x@outside.test"), "530 5.7.0 Must issue a STARTTLS command first")
        s.starttls()
        assert s.mail("x@outside.test") == 250


def promise(w):
    c = w.connector(ANON)
    with c.session() as s:
        assert "REQUIRETLS" not in s.ext
        expect(s.cmd("MAIL FROM:<x@outside.test> REQUIRETLS"), "555 5.5.4")
        s.starttls()
        assert "REQUIRETLS" in s.ext
        assert s.cmd("MAIL FROM:<x@outside.test> REQUIRETLS") == 250
    with c.set("-RequireTlsExtensionEnabled $false").session() as s:
        s.starttls()
        assert "REQUIRETLS" not in s.ext
        expect(s.cmd("MAIL FROM:<x@outside.test> REQUIRETLS"), "555 5.5.4")


def require_ehlo(w):
    c = w.connector(ANON)
    with c.connect() as s:
        say(s, ("EHLO", 250), ("HELO", 250))
    with c.set("-RequireEHLODomain $true").connect() as s:
        expect(s.cmd("EHLO"), "501 5.5.4 Invalid domain name")
        expect(s.cmd("HELO"), "501 5.5.4 Invalid domain name")
        expect(s.mail("x@outside.test"), "503 5.5.2")


def xorar(w):
    with w.connector(ANON + "-OrarEnabled $true").session() as s:
        assert "XORAR" in s.ext


def xlongaddr(w):
    with w.connector(ANON + "-LongAddressesEnabled $true").session() as s:
        assert "XLONGADDR" in s.ext


def gssapi(w):
    assert w.kdc
    c = w.connector("-AuthMechanism Tls,Integrated -EnableAuthGSSAPI $true")

    def known():
        with c.session() as s:
            return words(s, "AUTH") == ["GSSAPI"]
    wait_for("the keytab to be in use", known)
    c.set("-EnableAuthGSSAPI $false")
    with c.session() as s:
        assert "AUTH" not in s.ext


def domain_secure(w):
    w.shell("Set-TransportConfig -TLSReceiveDomainSecureList secure.test")
    try:
        with w.connector(ANON + "-DomainSecureEnabled $true").session(tls=True) as s:
            assert s.mail("x@secure.test").code != 250, "a listed domain without its certificate"
    finally:
        w.shell("Set-TransportConfig -TLSReceiveDomainSecureList $null")


def enabled(w):
    c = w.connector(ANON)
    with c.set("-Enabled $false").session() as s:
        assert s.mail("x@outside.test") == "530 5.7.1", "Default serves its clients"
    with c.set("-Enabled $true").session() as s:
        assert s.mail("x@outside.test") == 250


def logging(w):
    import glob
    c = w.connector(ANON + "-ProtocolLoggingLevel Verbose")
    with c.session() as s:
        s.cmd("QUIT")
    from support.util import wait_for
    wait_for("rows of the connector", lambda: any(c.name in open(f, encoding="utf-8", errors="replace").read()
                                                  for f in glob.glob(w.hub.state + "/log/**/RECV*", recursive=True)), 2)


def bare_lf(w):
    content = b"Subject: x\r\n\r\nbare\nline\n.\r\nmore\r\n"
    c = w.connector(ANON)
    with c.session() as s:
        assert s.send_mail("x@outside.test", BOB, content) == "550 5.6.0"
    with c.set("-BareLinefeedRejectionEnabled $false").session() as s:
        marker = w.marker()
        assert s.send_mail("x@outside.test", BOB, b"X-Marker: %s\r\n" % marker.encode() + content) == "250 2.6.0"
    assert w.hub.wait_mail(BOB, marker)[0].replace(b"\r\n", b"\n").endswith(b"bare\nline\n.\nmore\n"), "the dot ended nothing"


def unknown(prop, value="x"):
    return lambda w: w.refused("Set-ReceiveConnector %s -%s %s" % (quote(w.cold_connector()), prop, value), prop)


def what_if(w):
    n = w.cold_connector()
    p = w.cold.shell_run("Set-ReceiveConnector %s -MaxHopCount 9 -WhatIf; Remove-ReceiveConnector %s -WhatIf" % (quote(n), quote(n)))
    assert p.returncode == 0 and (p.stdout + p.stderr).count(b"What if") == 2
    assert w.cold.one("Get-ReceiveConnector " + quote(n))["MaxHopCount"] == 30
    w.cold.shell("Set-ReceiveConnector %s -MaxHopCount 9 -DomainController dc.example.com -Confirm:$false" % quote(n))


def removal(w):
    n = w.cold_connector()
    p = w.cold.shell_run("Remove-ReceiveConnector " + quote(n))
    assert p.returncode == 1 and b"Confirm" in p.stderr, p.stderr
    w.cold.shell("Remove-ReceiveConnector %s -Confirm:$false" % quote(n))
    w.refused("Get-ReceiveConnector " + quote(n), n)


def columns(w):
    out = w.cold.shell("Get-ReceiveConnector")
    assert out.split("\n")[1].split()[:3] == ["Name", "Bindings", "Enabled"] or out.split()[:3] == ["Name", "Bindings", "Enabled"], out[:200]


def implicit(w):
    with w.hub.session(w.hub.submissions, tls=True) as s:
        assert "STARTTLS" not in s.ext and "AUTH" in s.ext


def tls_minimum(w):
    import ssl
    from support.smtp import tls_context
    c = w.connector(ANON + "-TlsMinimumVersion Tls13")
    with c.connect(context=tls_context(maximum_version=ssl.TLSVersion.TLSv1_2)) as s:
        s.ehlo()
        try:
            s.starttls()
        except (ssl.SSLError, OSError, EOFError):
            return
    raise AssertionError("TLS 1.2 was spoken")


INT32, N, Y = 2147483647, "False", "True"


def boolean(prop, default, wire):
    return param(prop, default, good=[("$false", N), ("$true", Y)] if default == Y else [("$true", Y), ("$false", N)], bad=["maybe"], wire=wire)


NOT_2007 = "Not in 2007. Refused, naming the parameter."
P = Section("6.1", "Parameters of receive connectors", (
    Row("Identity", "name, Server\\Name or GUID", AS, identity, "There is no directory, so no DN."),
    Row("Name", "unique, at most 64 characters", AS, name),
    Row("Server", "where the connector lives", AS, server),
    Row("Usage", "a preset, at creation only", AS, usage),
    Row("TemplateInstance", "copies the settings of another", AS, template),
    Row("Bindings", "a list of IP:port", AS, lists("Bindings", "127.0.0.1:25,127.0.0.1:26", "127.0.0.1:27", "127.0.0.1:25")),
    Row("RemoteIPRanges", "a list of ranges", AS, lists("RemoteIPRanges", "127.8.0.1,127.8.0.2", "127.8.0.3", "127.8.0.1")),
    Row("AuthMechanism", "flags", AS, mechanisms, "Takes @{Add=;Remove=} as well."),
    Row("PermissionGroups", "flags; assignment replaces the whole set", AS, groups, "Takes @{Add=;Remove=} as well."),
    Row("Enabled", "$true", AS, boolean("Enabled", Y, enabled), "A disabled connector's clients reach the next best one."),
    Row("Comment", "a note", AS, param("Comment", "", good=[("'a note'", "a note")])),
    Row("Banner", "the whole greeting, beginning with 220; $null: the standard one", AS,
        param("Banner", None, good=[("'220 hello'", "220 hello"), ("$null", None)], bad=["'hello'", "'221 hello'", "'220'"], wire=banner)),
    Row("Fqdn", "in the banner, EHLO, Received and the choice of the certificate", AS,
        param("Fqdn", "mail.example.com", good=["a.example.com", ("$null", None)], bad=["'not a name'", "'a..b'"], wire=fqdn)),
    Row("DefaultDomain", "completes senders and recipients without a domain (recalled)", AS,
        param("DefaultDomain", None, good=["example.com", ("$null", None)], bad=["'a b'"], wire=default_domain), "Where it is $null such addresses are refused, but for <postmaster>. From and Sender are completed as well."),
    Row("ProtocolLoggingLevel", "None or Verbose", AS, param("ProtocolLoggingLevel", "None", good=["Verbose"], bad=["Full"], wire=logging)),
    Row("MaxMessageSize", "10 MB; 64 KB to 2 GB", AS,
        param("MaxMessageSize", 10 << 20, good=[65536, ("25MB", 25 << 20)], bad=["65535", "2GB", "big"], wire=max_message)),
    Row("MaxHeaderSize", "64 KB; 1 to 2 GB", AS, param("MaxHeaderSize", 64 << 10, good=[("256KB", 256 << 10), 1], bad=["0", "2GB"], wire=max_header)),
    Row("MaxRecipientsPerMessage", "200; 1 to 512000; those too many get 452", AS,
        param("MaxRecipientsPerMessage", 200, good=[1, 512000], bad=["0", "512001", "many"], wire=max_recipients)),
    Row("MaxHopCount", "30; 1 to 500; counts Received fields", AS, param("MaxHopCount", 30, good=[1, 500], bad=["0", "501", "x"], wire=max_hops)),
    Row("MaxLocalHopCount", "8 in 2013, 3 recalled for 2007; 0 to 50; 0: never", AS,
        param("MaxLocalHopCount", 8, good=[0, 50], bad=["-1", "51"], wire=max_local_hops), "8. Counts fields whose by is the host's name or the connector's Fqdn, before any is removed."),
    Row("MaxInboundConnection", "5000 or unlimited; from 1", AS,
        param("MaxInboundConnection", 5000, good=[1, INT32, ("unlimited", "Unlimited")], bad=["0", str(INT32 + 1)], wire=max_connections), "Counted over all receive processes. Two clients that take the last place at the same moment may both be refused; never are both let in."),
    Row("MaxInboundConnectionPerSource", "20; 1 to 10000 or unlimited", AS,
        param("MaxInboundConnectionPerSource", 20, good=[1, 10000, ("unlimited", "Unlimited")], bad=["0", "10001"], wire=max_per_source), "A source is an IPv4 address, or the /64 of an IPv6 address: whoever has one address there has all of them."),
    Row("MaxInboundConnectionPercentagePerSource", "2; 1 to 100, of the connections still free", AS,
        param("MaxInboundConnectionPercentagePerSource", 2, good=[1, 100], bad=["0", "101"], wire=percentage), "Of those that all other sources leave free, rounded up: the first connection is never refused by it, and 100 is no limit."),
    Row("MaxProtocolErrors", "5; then the session is closed; from 0, or unlimited", AS,
        param("MaxProtocolErrors", 5, good=[0, INT32, ("unlimited", "Unlimited")], bad=["-1"], wire=max_errors), "So many errors are answered and forgiven; the next one ends the session."),
    Row("MaxLogonFailures", "3; 0 to 10; 0: never closed", AS, param("MaxLogonFailures", 3, good=[0, 10], bad=["-1", "11"], wire=max_logon_failures)),
    Row("MessageRateLimit", "unlimited on a Hub, 600 on Edge; messages a minute and address", AS,
        param("MessageRateLimit", "Unlimited", good=[1, INT32, ("unlimited", "Unlimited")], bad=["0"], wire=message_rate), "Counts senders accepted at MAIL, over all receive processes, in any 60 seconds up to now; MAIL over it is refused and does not count."),
    Row("MessageRateSource", "2010: None, IPAddress, User, All", AS,
        param("MessageRateSource", "IPAddress", good=["None", "User", "All"], bad=["Host"], wire=rate_source), "User counts a client that has not logged on by its address; All wants both within the limit. User on Client, IPAddress elsewhere."),
    Row("ConnectionTimeout", "10 minutes; 1 second to 1 day; also when busy", AS,
        param("ConnectionTimeout", "00:10:00", good=["00:20:00", "1.00:00:00"], bad=["00:00:00", "1.00:00:01", "soon"], wire=connection_timeout)),
    Row("ConnectionInactivityTimeout", "5 minutes; 1 second to 1 day, less than ConnectionTimeout", AS,
        param("ConnectionInactivityTimeout", "00:05:00", good=["00:00:01", "00:09:59"], bad=["00:00:00", "1.00:00:01"], wire=inactivity)),
    Row("TarpitInterval", "5 seconds; 0: off; refusals of clients that have not logged on", AS,
        param("TarpitInterval", "00:00:05", good=["00:00:00", "00:10:00"], bad=["00:10:01", "-1"], wire=tarpit), "At most 10 minutes, as recalled."),
    Row("SizeEnabled", "Enabled, Disabled, EnabledWithoutValue", AS, param("SizeEnabled", "Enabled", good=["Disabled", "EnabledWithoutValue"], bad=["On"], wire=size_enabled)),
    Row("PipeliningEnabled", "$true: PIPELINING", AS, boolean("PipeliningEnabled", Y, switch("PipeliningEnabled", "PIPELINING"))),
    Row("ChunkingEnabled", "$true: CHUNKING", AS,
        param("ChunkingEnabled", Y, bad=["maybe"], wire=switch("ChunkingEnabled", "CHUNKING", [("BDAT 1 LAST", 502)], "-BinaryMimeEnabled $false"))),
    Row("BinaryMimeEnabled", "$true: BINARYMIME", AS,
        boolean("BinaryMimeEnabled", Y, switch("BinaryMimeEnabled", "BINARYMIME", [("MAIL FROM:<x@outside.test> BODY=BINARYMIME", 5)]))),
    Row("EightBitMimeEnabled", "$true: 8BITMIME", AS,
        boolean("EightBitMimeEnabled", Y, switch("EightBitMimeEnabled", "8BITMIME", [("MAIL FROM:<x@outside.test> BODY=8BITMIME", 5)]))),
    Row("DeliveryStatusNotificationEnabled", "$true: DSN", AS,
        boolean("DeliveryStatusNotificationEnabled", Y, switch("DeliveryStatusNotificationEnabled", "DSN", [("RCPT TO:<bob@example.com> NOTIFY=NEVER", 555)]))),
    Row("EnhancedStatusCodesEnabled", "$true: ENHANCEDSTATUSCODES", AS, boolean("EnhancedStatusCodesEnabled", Y, enhanced), "$false takes them out of the replies too."),
    Row("DomainSecureEnabled", "$false; mutual TLS", AS, param("DomainSecureEnabled", N, wire=domain_secure)),
    Row("RequireTLS", "$false; needs Tls", AS, boolean("RequireTLS", N, require_tls)),
    Row("RequireEHLODomain", "$false; EHLO must give a name, or the session is closed", DEVIATES, boolean("RequireEHLODomain", N, require_ehlo),
        "The client is told 501 and may try again; the session is not closed for it."),
    Row("EnableAuthGSSAPI", "AUTH GSSAPI beside NTLM", DEVIATES, boolean("EnableAuthGSSAPI", N, gssapi), "AUTH GSSAPI alone, given a keytab with a key of smtp/HOST; without one `GssapiKeytab`, explain, the audit and the log say why not."),
    Row("LongAddressesEnabled", "XLONGADDR: addresses up to 1860 characters", AS, boolean("LongAddressesEnabled", N, xlongaddr), "$false: 571 characters, 315 of them before the @; longer ones are 501 5.1.7 at MAIL, 501 5.1.3 at RCPT."),
    Row("OrarEnabled", "XORAR: alternate recipients", DEVIATES, boolean("OrarEnabled", N, xorar), "XORAR is listed and ORAR= is checked, but the message goes nowhere else: who may not relay could relay by it. What cannot be delivered is reported."),
    Row("SuppressXAnonymousTls", "2010: hides X-ANONYMOUSTLS", AS, refuses("SuppressXAnonymousTls", "$true", "UseDowngradedExchangeServerAuth"),
        "Kept for scripts; X-ANONYMOUSTLS is never offered."),
    Row("AdvertiseClientSettings", "2010", DEVIATES, unknown("AdvertiseClientSettings", "$true"), NOT_2007),
    Row("LiveCredentialEnabled", "2010, reserved", DEVIATES, unknown("LiveCredentialEnabled", "$true"), NOT_2007),
    Row("MaxAcknowledgementDelay", "2010, shadow redundancy", DEVIATES, unknown("MaxAcknowledgementDelay", "00:00:30"), NOT_2007),
    Row("ExtendedProtectionPolicy", "2010, Windows authentication", DEVIATES, unknown("ExtendedProtectionPolicy", "None"), NOT_2007),
    Row("TlsDomainCapabilities", "2010", DEVIATES, unknown("TlsDomainCapabilities"), NOT_2007),
    Row("ServiceDiscoveryFqdn", "2010", DEVIATES, unknown("ServiceDiscoveryFqdn"), NOT_2007),
    Row("TransportRole", "2013: front end and hub", DEVIATES, unknown("TransportRole", "HubTransport"), NOT_2007),
    Row("RejectReservedTopLevelRecipientDomains", "2016", DEVIATES, unknown("RejectReservedTopLevelRecipientDomains", "$true"), NOT_2007),
    Row("RejectSingleLabelRecipientDomains", "2016", DEVIATES, unknown("RejectSingleLabelRecipientDomains", "$true"), NOT_2007),
    Row("BareLinefeedRejectionEnabled", "2016: refuses a bare LF where set", AS, param("BareLinefeedRejectionEnabled", Y, wire=bare_lf), "$true by default. $false: each bare LF becomes CRLF on its way in; it ends neither the message nor a command. A bare CR and a NUL are refused always."),
    Row("AuthTarpitInterval", "2013: delays the answer to a failed logon", AS, param("AuthTarpitInterval", "00:00:05", good=["00:00:00"], bad=["01:00:00"], wire=auth_tarpit)),
    Row("SmtpUtf8Enabled", "2016: SMTPUTF8", AS, boolean("SmtpUtf8Enabled", Y, switch("SmtpUtf8Enabled", "SMTPUTF8", [("MAIL FROM:<x@outside.test> SMTPUTF8", 555)]))),
    Row("Confirm, WhatIf, DomainController", "common parameters", AS, what_if),
    Row("Remove-ReceiveConnector", "asks for confirmation", AS, removal),
    Row("Get-ReceiveConnector", "columns Identity, Bindings, Enabled", AS, columns, "Name instead of Identity, and the ranges and groups behind them."),
    Row("RequireTlsExtensionEnabled", "does not exist", BEYOND, boolean("RequireTlsExtensionEnabled", Y, promise), "REQUIRETLS (RFC 8689), offered under TLS."),
    Row("ImplicitTls", "does not exist", BEYOND, param("ImplicitTls", N, good=[("$true", Y)], wire=implicit), "TLS from the first byte, as on port 465."),
    Row("TlsMinimumVersion", "does not exist", BEYOND, param("TlsMinimumVersion", "Tls12", good=["Tls13"], bad=["Ssl3"], wire=tls_minimum),
        "Per connector, so that one old device does not weaken the rest."),
))

SECTIONS = [P]
