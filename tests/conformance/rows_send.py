"""Parameters of New- and Set-SendConnector, and the choice among send connectors."""
import ssl
import subprocess
import tempfile

from table import AS, BEYOND, DEVIATES, Row, Section
from rows_rights import RELAY
from world import ALICE
from support.server import quote, settle
from support.sink import Sink
from support.util import message, wait_for


def param(prop, default, good=(), bad=(), extra="", wire=None):
    def check(w):
        s, name = w.cold, w.name("send").replace(" ", "-")
        s.shell("New-SendConnector -Name %s -AddressSpaces %d.test %s" % (quote(name), w.number(), extra))

        def get():
            return s.one("Get-SendConnector " + quote(name))[prop]
        assert get() == default or str(get()) == str(default), "the default is %s" % get()
        for g in good:
            value, shown = g if isinstance(g, tuple) else (g, g)
            s.shell("Set-SendConnector %s -%s %s" % (quote(name), prop, value))
            assert get() == shown or str(get()) == str(shown), "%s was set and %s is shown" % (value, get())
        for b in bad:
            w.refused("Set-SendConnector %s -%s %s" % (quote(name), prop, b), prop)
        if wire:
            wire(w)
    return check


def refused(args, *says):
    return lambda w: w.refused("New-SendConnector -Name %s %s" % (quote(w.name("send").replace(" ", "-")), args), *says)


class Hop:
    """A next hop with a connector and a domain of its own, and a client that may relay."""

    def __init__(self, w, extra="", sink=None, **kw):
        self.w, self.sink = w, sink or Sink(**kw)
        self.name, self.domain = w.name("send").replace(" ", "-"), "d%d.test" % w.number()
        w.hub.smart_host(self.sink.port, spaces=self.domain, name=self.name, extra=extra)
        settle()
        self.client = w.connector().grant(RELAY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.w.shell("Remove-SendConnector %s -Confirm:$false" % quote(self.name))
        self.sink.close()

    def send(self, to=None, body=b"x\r\n", sender=ALICE):
        marker = self.w.marker()
        with self.client.session() as s:
            r = s.send_mail(sender, to or "far@" + self.domain, message(marker, sender, "far@" + self.domain, body))
            assert r == "250 2.6.0", r
        return marker

    def arrives(self, marker):
        return wait_for("the message at the next hop", lambda: self.sink.got(marker))[0]


def spaces(w):
    s = w.cold
    for n, good in enumerate(("'*'", "'*.com'", "'*.contoso.com'", "'SMTP:contoso.com;1'", "'contoso.com;100'", "'a.test','b.test;5'")):
        s.shell("New-SendConnector -Name 'space %d' -AddressSpaces %s" % (n, good))
    for bad in ("'*contoso.com'", "'contoso.com;0'", "'contoso.com;101'", "'X400:c=de'", "'a b'"):
        w.refused("New-SendConnector -Name bad -AddressSpaces " + bad, "AddressSpaces")
    w.refused("New-SendConnector -Name bad", "AddressSpaces")


def dns_routing(w):
    w.refused("New-SendConnector -Name x -AddressSpaces x.test -SmartHosts relay.test", "DNSRoutingEnabled", "SmartHosts")
    w.refused("New-SendConnector -Name x -AddressSpaces x.test -DNSRoutingEnabled $false", "DNSRoutingEnabled", "SmartHosts")


def smart_hosts(w):
    with Hop(w) as h:
        h.arrives(h.send())


def auth_rules(w):
    w.refused("New-SendConnector -Name x -AddressSpaces x.test -DNSRoutingEnabled $false -SmartHosts a.test -SmartHostAuthMechanism BasicAuth",
              "SmartHostAuthMechanism", "AuthenticationPassword")
    w.refused("New-SendConnector -Name x -AddressSpaces x.test -SmartHostAuthMechanism ExternalAuthoritative", "SmartHostAuthMechanism", "SmartHosts")
    w.refused("New-SendConnector -Name x -AddressSpaces x.test -SmartHostAuthMechanism Digest", "SmartHostAuthMechanism", "BasicAuth")
    w.cold.shell("New-SendConnector -Name 'auth %d' -AddressSpaces x.test -DNSRoutingEnabled $false -SmartHosts a.test -SmartHostAuthMechanism BasicAuthRequireTLS "
                 "-AuthenticationUserName u -AuthenticationPassword 'secret word'" % w.number())
    assert "secret word" not in w.cold.shell("Get-SendConnector | fl; Get-SendConnector | ConvertTo-Json")


def size(w):
    with Hop(w, "-MaxMessageSize 20KB") as h:
        h.arrives(h.send())
        h.send(body=(b"y" * 98 + b"\r\n") * 300)
        report = wait_for("the report", lambda: [m for m in w.hub.mail(ALICE, "far@" + h.domain) if b"5.3.4" in m and b"multipart/report" in m])
        assert b"ROUTING.SizeLimit" in report[0]


def tls_context(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=sink.test",
                    "-keyout", folder + "/k", "-out", folder + "/c"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(folder + "/c", folder + "/k")
    return c


def require_tls(w):
    w.refused("New-SendConnector -Name x -AddressSpaces x.test -RequireTLS $true -IgnoreSTARTTLS $true", "RequireTLS", "IgnoreSTARTTLS")
    with tempfile.TemporaryDirectory() as folder, Hop(w, "-RequireTLS $true", tls=tls_context(folder)) as h:
        assert h.arrives(h.send())["tls"]
    with Hop(w, "-RequireTLS $true") as h:
        marker = h.send()
        wait_for("the queue's reason", lambda: any(q["NextHopConnector"] == h.name and q["LastError"] for q in w.hub.json("Get-Queue")))
        assert not h.sink.got(marker), "not in clear"


def ignore_starttls(w):
    with tempfile.TemporaryDirectory() as folder, Hop(w, "-IgnoreSTARTTLS $true", tls=tls_context(folder)) as h:
        assert not h.arrives(h.send())["tls"]


def force_helo(w):
    said = []
    with Hop(w, "-ForceHELO $true", rules=lambda step, info: said.append(step) if step in ("ehlo",) else None) as h:
        h.arrives(h.send())
    w.refused("New-SendConnector -Name x -AddressSpaces x.test -ForceHELO $true -RequireTLS $true", "ForceHELO", "RequireTLS")


def fqdn(w):
    with Hop(w, "-Fqdn helo.example.com") as h:
        import support.sink as sink
        lines, plain = [], sink.Session.line

        def line(self):
            text = plain(self)
            if self.sink is h.sink:
                lines.append(text)
            return text
        sink.Session.line = line
        try:
            h.arrives(h.send())
        finally:
            sink.Session.line = plain
        assert "EHLO helo.example.com" in lines, lines


def enabled(w):
    with Hop(w, "-Enabled $false") as h:
        marker = h.send()
        wait_for("the message by the next best connector", lambda: w.outside.got(marker))
        assert not h.sink.got(marker)


def port(w):
    with Hop(w) as h:
        assert w.hub.one("Get-SendConnector " + quote(h.name))["Port"] == h.sink.port


def idle(w):
    import time
    with Hop(w, "-ConnectionInactivityTimeOut 00:00:01", rules=lambda step, info: time.sleep(4) if step == "data" else None) as h:
        h.send()
        wait_for("the connection to be given up", lambda: any(q["NextHopConnector"] == h.name and q["LastError"] for q in w.hub.json("Get-Queue")), 3)


def logging(w):
    import glob
    with Hop(w, "-ProtocolLoggingLevel Verbose") as h:
        h.arrives(h.send())
        wait_for("rows of the connector", lambda: any(h.name in open(f, encoding="utf-8", errors="replace").read()
                                                      for f in glob.glob(w.hub.state + "/log/**/SEND*", recursive=True)), 2)


def no_parameter(prop, value):
    return refused("-AddressSpaces x.test -%s %s" % (prop, value), prop)


def domain_secure(w):
    """Who is listed gets nothing from a server that offers no TLS, and the queue says why; anybody else does. (Mutual TLS itself: tests/e2e/test_outside.py.)"""
    new = "New-SendConnector -Name x -AddressSpaces x.test -DomainSecureEnabled $true "
    w.refused(new + "-DNSRoutingEnabled $false -SmartHosts a.test", "DomainSecureEnabled", "DNSRoutingEnabled")
    w.refused(new + "-IgnoreSTARTTLS $true", "DomainSecureEnabled", "IgnoreSTARTTLS")
    sink, client = Sink(), w.connector().grant(RELAY)
    try:
        w.shell("New-SendConnector -Name secure -AddressSpaces localhost -Port %d -DomainSecureEnabled $true" % sink.port)
        settle()

        def send():
            marker = w.marker()
            with client.session() as s:
                assert s.send_mail(ALICE, "far@localhost", message(marker, ALICE, "far@localhost")) == "250 2.6.0"
            return marker
        first = send()
        wait_for("mail to a domain that is not listed", lambda: sink.got(first))
        w.shell("Set-TransportConfig -TLSSendDomainSecureList localhost")
        settle()
        second = send()
        wait_for("the reason", lambda: any("TLSSendDomainSecureList" in (q["LastError"] or "") for q in w.hub.json("Get-Queue")))
        assert not sink.got(second)
    finally:
        w.shell("Remove-SendConnector secure -Confirm:$false; Set-TransportConfig -TLSSendDomainSecureList $null")
        sink.close()


def tls_level(w):
    """What it shows and takes. (What it asks of a server's certificate: tests/e2e/test_outside.py.)"""
    param("TlsAuthLevel", None, good=["EncryptionOnly", "CertificateValidation", "DomainValidation", ("$null", None)], bad=["CertificateExpiryCheck"])(w)
    param("TlsDomain", None, good=["a.example.com", ("$null", None)], bad=["'a b'"], extra="-TlsAuthLevel DomainValidation")(w)
    new = "New-SendConnector -Name x -AddressSpaces x.test "
    w.refused(new + "-TlsAuthLevel EncryptionOnly -IgnoreSTARTTLS $true", "TlsAuthLevel", "IgnoreSTARTTLS")
    w.refused(new + "-TlsAuthLevel DomainValidation -DNSRoutingEnabled $false -SmartHosts a.test", "TlsDomain")


def beyond_tls(w):
    param("SmtpDaneMode", "Opportunistic", good=["None", "Mandatory"], bad=["Always"])(w)
    param("MtaStsMode", "Opportunistic", good=["None"], bad=["Enforce"])(w)
    w.refused("New-SendConnector -Name x -AddressSpaces x.test -SmtpDaneMode Mandatory -IgnoreSTARTTLS $true", "SmtpDaneMode", "IgnoreSTARTTLS")


def most_specific(w):
    with Hop(w) as a, Hop(w) as b:
        w.shell("Set-SendConnector %s -AddressSpaces '*.%s'; Set-SendConnector %s -AddressSpaces 'x.%s;50'" % (quote(a.name), a.domain, quote(b.name), a.domain))
        b.arrives(a.send("far@x." + a.domain))
        a.arrives(a.send("far@y." + a.domain))


def cost(w):
    with Hop(w) as a, Hop(w) as b:
        w.shell("Set-SendConnector %s -AddressSpaces '%s;20'; Set-SendConnector %s -AddressSpaces '%s;10'" % (quote(a.name), a.domain, quote(b.name), a.domain))
        b.arrives(a.send())


def by_name(w):
    with Hop(w) as a, Hop(w) as b:
        first, second = sorted((a, b), key=lambda h: h.name.lower())
        w.shell("Set-SendConnector %s -AddressSpaces '%s'" % (quote(b.name), a.domain))
        first.arrives(a.send())


S = Section("6.2", "Parameters of send connectors", (
    Row("AddressSpaces", "SMTP:space;cost; *, *.com, *.contoso.com, not *contoso.com; cost 1 to 100", AS, spaces, "SMTP alone."),
    Row("DNSRoutingEnabled", "$true; $false with SmartHosts", AS, dns_routing),
    Row("SmartHosts", "names or addresses; needed without DNS routing", AS, smart_hosts),
    Row("SmartHostAuthMechanism", "None, BasicAuth, BasicAuthRequireTLS, ExchangeServer, ExternalAuthoritative; Basic needs credentials", AS, auth_rules,
        "AuthenticationCredential is two properties, of which the password is never shown."),
    Row("Port", "25; 0 to 65535", AS, param("Port", 25, good=[1, 65535], bad=["0", "65536"], wire=port), "0 is refused: it is no port."),
    Row("MaxMessageSize", "10 MB, or unlimited", AS, param("MaxMessageSize", 10 << 20, good=[("25MB", 25 << 20), ("unlimited", "Unlimited")], bad=["-1", "2GB"], wire=size),
        "A larger message gives a report with 5.3.4 ROUTING.SizeLimit."),
    Row("RequireTLS", "$false; needs IgnoreSTARTTLS $false", AS, param("RequireTLS", "False", good=[("$true", "True")], wire=require_tls)),
    Row("IgnoreSTARTTLS", "$false", AS, param("IgnoreSTARTTLS", "False", good=[("$true", "True")], wire=ignore_starttls)),
    Row("DomainSecureEnabled", "$false; mutual TLS on the way out", AS,
        param("DomainSecureEnabled", "False", good=[("$true", "True")], wire=domain_secure), "To domains in TLSSendDomainSecureList; trusted is what certs/trusted has, else what the system trusts."),
    Row("ForceHELO", "$false", AS, param("ForceHELO", "False", good=[("$true", "True")], wire=force_helo), "Not together with RequireTLS or Basic, which need EHLO."),
    Row("ConnectionInactivityTimeOut", "10 minutes; 1 second to 1 day", AS,
        param("ConnectionInactivityTimeOut", "00:10:00", good=["00:00:01", "1.00:00:00"], bad=["00:00:00", "1.00:00:01"], wire=idle)),
    Row("Fqdn", "$null: the server's name; in EHLO", AS, param("Fqdn", None, good=["a.example.com", ("$null", None)], bad=["'a b'"], wire=fqdn)),
    Row("Enabled", "$true", AS, param("Enabled", "True", good=[("$false", "False")], wire=enabled)),
    Row("ProtocolLoggingLevel", "None or Verbose", AS, param("ProtocolLoggingLevel", "None", good=["Verbose"], bad=["Full"], wire=logging), "In log/ProtocolLog/SmtpSend."),
    Row("SourceTransportServers", "the servers that use it", DEVIATES, lambda w: w.cold.shell("New-SendConnector -Name %s -AddressSpaces %d.test -SourceTransportServers mail" % (quote(w.name("send")), w.number())),
        "Accepted for scripts: there is one server."),
    Row("SourceIPAddress", "0.0.0.0; Edge only", DEVIATES, no_parameter("SourceIPAddress", "127.0.0.1"), "Refused, naming the parameter."),
    Row("IsScopedConnector", "$false; servers of the same site only", AS, param("IsScopedConnector", "False", good=[("$true", "True")]), "Kept; one server is one site."),
    Row("UseExternalDNSServersEnabled", "$false", AS, param("UseExternalDNSServersEnabled", "False", good=[("$true", "True")]),
        "Kept; the nameservers of node.conf serve all connectors."),
    Row("LinkedReceiveConnector", "sends on what came by one receive connector", DEVIATES, no_parameter("LinkedReceiveConnector", "x"), "Refused, naming the parameter."),
    Row("TlsAuthLevel, TlsDomain (2010)", "$null; EncryptionOnly, CertificateValidation or DomainValidation, with the domain", AS, tls_level,
        "Without TlsDomain, DomainValidation asks for the recipients' domain."),
    Row("SmtpDaneMode, MtaStsMode", "-", BEYOND, beyond_tls, "DANE (RFC 7672) and MTA-STS (RFC 8461), Opportunistic unless an administrator says None; DANE also Mandatory."),
    Row("parameters of 2010 and later", "ErrorPolicies, TlsCertificateName, ...", DEVIATES, no_parameter("ErrorPolicies", "x"), "Not in 2007. Refused, naming the parameter."),
    Row("most specific address space", "wins", AS, most_specific),
    Row("lower cost", "wins among equal spaces", AS, cost),
    Row("name", "decides at last, in alphabetical order", AS, by_name, "There is one server, so proximity decides nothing."),
))

SECTIONS = [S]
