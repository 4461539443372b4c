"""Accepted domains."""
from table import AS, BEYOND, DEVIATES, Row, Section
from rows_rights import RELAY
from world import ALICE, expect
from support.util import message

TYPES = ("Authoritative", "InternalRelay", "ExternalRelay")


def domain(w, kind):
    d = "d%d.test" % w.number()
    w.shell("New-AcceptedDomain -Name %s -DomainName %s -DomainType %s" % (d, d, kind))
    return d


def accepted(w):
    c = w.connector()
    for kind in TYPES:
        d = domain(w, kind)
        w.hub.mailbox("here%s@%s" % (d[1:-5], d), "Pw-here 1!")
        with c.session() as s:
            s.mail("x@outside.test")
            assert s.rcpt("here%s@%s" % (d[1:-5], d)) == 250, kind
            assert s.rcpt("x@not-%s" % d) == "550 5.7.1"


def resolved(w):
    c = w.connector()
    for kind in TYPES[:2]:
        d = domain(w, kind)
        to = "here%s@%s" % (d[1:-5], d)
        w.hub.mailbox(to, "Pw-here 1!")
        with c.session() as s:
            w.delivered(s, to=to)


def external_goes_on(w):
    """ExternalRelay: to the next hop, although there is no mailbox to ask."""
    d = domain(w, "ExternalRelay")
    with w.connector().session() as s:
        w.sent_out(s, to="user@" + d)


def unknown_authoritative(w):
    d = domain(w, "Authoritative")
    with w.connector().session() as s:
        s.mail("x@outside.test")
        expect(s.rcpt("nobody@" + d), "550 5.1.1 User unknown")
    with w.connector().grant(RELAY).session() as s:
        marker = w.marker()
        assert s.send_mail(ALICE, "nobody@" + d, message(marker, ALICE, "nobody@" + d)) == "250 2.6.0"
    report = w.hub.wait_mail(ALICE, "nobody@" + d)[0]
    assert b"550 5.1.1 RESOLVER.ADR.RecipNotFound" in report


def unknown_relay(w):
    for kind in TYPES[1:]:
        d = domain(w, kind)
        with w.connector().session() as s:
            assert w.sent_out(s, to="nobody@" + d)["rcpts"][0][0] == "nobody@" + d


def needs_send_connector(w):
    """The send connector with the closest address space takes what is not resolved."""
    from rows_send import Hop
    with Hop(w) as h:
        w.shell("New-AcceptedDomain -Name %s -DomainName %s -DomainType InternalRelay" % (h.domain, h.domain))
        h.arrives(h.send("gone@" + h.domain))


def internal_sender(kind, local):
    """Whether a sender in such a domain counts as our own: it needs the right for own domains."""
    def check(w):
        from rows_groups import OWN
        d = domain(w, kind)
        with w.connector().revoke(OWN).session() as s:
            assert s.mail("x@" + d).code == (550 if local else 250)
    return check


def parameters(w):
    s = w.cold
    s.shell("New-AcceptedDomain -Name p.test -DomainName p.test")
    assert s.one("Get-AcceptedDomain p.test")["DomainType"] == "Authoritative"
    w.refused("New-AcceptedDomain -Name q -DomainName q.test -DomainType Relay", "DomainType", "InternalRelay")
    w.refused("New-AcceptedDomain -Name '%s' -DomainName q.test" % ("n" * 65), "Name")
    w.refused("New-AcceptedDomain -Name q -DomainName %s" % ("a." * 130 + "test"), "DomainName")
    w.refused("New-AcceptedDomain -Name q -DomainName p.test", "p.test")
    w.refused("New-AcceptedDomain -Name q -DomainName 'not a domain'", "DomainName")
    s.shell("Set-AcceptedDomain p.test -DomainType ExternalRelay")


def wildcard(w):
    d = "w%d.test" % w.number()
    w.shell("New-AcceptedDomain -Name %s -DomainName '*.%s' -DomainType ExternalRelay" % (d, d))
    with w.connector().session() as s:
        s.mail("x@outside.test")
        assert [s.rcpt("u@" + x).code for x in ("a." + d, "a.b." + d, "A." + d.upper(), d, "x" + d)] == [250, 250, 250, 550, 550]


def beyond_ascii(w):
    """Both ways to write a domain, on the side of the administrator and of the client, name the same."""
    n = w.number()
    u, a = "b\u00fccher%d.test" % n, "xn--" + ("b\u00fccher%d" % n).encode("punycode").decode() + ".test"
    w.shell("New-AcceptedDomain -Name %s -DomainName %s; New-Mailbox ida%d -PrimarySmtpAddress ida@%s -Password 'Pw-ida 1!'" % (a, u, n, u))
    w.refused("New-AcceptedDomain -Name q -DomainName " + a, a, server=w.hub)
    assert w.hub.one("Get-Mailbox ida@" + u)["PrimarySmtpAddress"] == "ida@" + a == w.hub.one("Get-Mailbox ida@" + a)["PrimarySmtpAddress"]
    assert w.hub.one("Get-AcceptedDomain " + u)["DomainName"] == a
    for domain in (u, u.replace("\u00fc", "\u00dc"), a, a.upper()):
        with w.connector().session() as s:
            w.delivered(s, to="ida@" + domain, params="SMTPUTF8", box="ida@" + a)
    with w.connector().session() as s:
        s.mail("x@outside.test")
        expect(s.rcpt("ida@" + u), "553 5.6.7")
        assert s.mail("x@outside.test") == 503 and s.cmd("RSET") == 250
        s.mail("x@outside.test", "SMTPUTF8")
        expect(s.rcpt("nobody@" + u), "550 5.1.1 User unknown")
        assert s.rcpt("ida@not-" + u) == "550 5.7.1"
    with w.connector().revoke("ms-Exch-SMTP-Accept-Authoritative-Domain-Sender").session() as s:
        assert s.mail("ida@" + u, "SMTPUTF8") == 550
    hop = "h\u00f6f%d.test" % n
    w.shell("New-SendConnector -Name hop%d -AddressSpaces %s -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 -Port %d" % (n, hop, w.outside.port))
    with w.connector().grant(RELAY).session() as s:
        got = w.sent_out(s, to="x@" + hop, params="SMTPUTF8")
    assert got["rcpts"][0][0] == "x@xn--" + hop[:-5].encode("punycode").decode() + ".test"


def bad_wildcards(w):
    w.refused("New-AcceptedDomain -Name q -DomainName 'domain.*.contoso.com'", "DomainName")


def star(w):
    w.refused("New-AcceptedDomain -Name q -DomainName '*'", "open relay")


def initial(w):
    d = w.plain.one("Get-AcceptedDomain")
    assert d["DomainName"] == "example.com" and d["DomainType"] == "Authoritative" and d["Default"] is True


def default_domain(w):
    s = w.cold
    s.shell("New-AcceptedDomain -Name r.test -DomainName r.test; Set-AcceptedDomain r.test -MakeDefault $true")
    assert [d["DomainName"] for d in s.json("Get-AcceptedDomain") if d["Default"]] == ["r.test"]
    w.refused("Remove-AcceptedDomain r.test -Confirm:$false", "default")
    s.shell("Set-AcceptedDomain example.com -MakeDefault $true; Remove-AcceptedDomain r.test -Confirm:$false")


def postmaster(w):
    with w.connector().session() as s:
        s.mail("x@outside.test")
        expect(s.cmd("RCPT TO:<postmaster>"), 550)
    w.shell("Set-TransportConfig -ExternalPostmasterAddress alice@example.com")
    try:
        with w.connector().session() as s:
            w_marker = w.marker()
            assert s.mail("x@outside.test") == 250 and s.cmd("RCPT TO:<Postmaster>") == 250
            assert s.data(message(w_marker, "x@outside.test", "postmaster@example.com")) == "250 2.6.0"
        w.hub.wait_mail(ALICE, w_marker)
    finally:
        w.shell("Set-TransportConfig -ExternalPostmasterAddress $null")


def longest(w):
    """sub is authoritative, everything else below the name goes on."""
    d = "l%d.test" % w.number()
    w.shell("New-AcceptedDomain -Name %s -DomainName '*.%s' -DomainType ExternalRelay; New-AcceptedDomain -Name sub.%s -DomainName sub.%s" % (d, d, d, d))
    with w.connector().session() as s:
        s.mail("x@outside.test")
        assert s.rcpt("nobody@sub." + d) == "550 5.1.1"
        assert s.rcpt("nobody@other." + d) == 250


def where_checked(w):
    d = "n%d.test" % w.number()
    with w.connector().session() as s:
        s.mail("x@outside.test")
        assert s.rcpt("u@" + d) == "550 5.7.1"
    w.shell("New-SendConnector -Name %s -AddressSpaces %s -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 -Port %d" % (d, d, w.outside.port))
    with w.connector().session() as s:
        s.mail("x@outside.test")
        assert s.rcpt("u@" + d) == "550 5.7.1", "an address space makes no accepted domain"


def later(prop, value):
    return lambda w: w.refused("Set-AcceptedDomain example.com -%s %s" % (prop, value), prop)


D = Section("8", "Accepted domains", (
    Row("RCPT accepted without relay right", "in all three types", AS, accepted),
    Row("Recipient resolved in directory", "Authoritative, and InternalRelay first", AS, resolved),
    Row("ExternalRelay", "goes on to the other system", AS, external_goes_on),
    Row("Unknown recipient of Authoritative", "a report with 550 5.1.1 RESOLVER.ADR.RecipNotFound, or 5.1.1 at RCPT", AS, unknown_authoritative,
        "At RCPT for clients that may not relay, so that no report goes to a forged sender; a report for those that may."),
    Row("Unknown recipient of the relay types", "no error: goes on by a send connector", AS, unknown_relay),
    Row("Send connector needed", "the closest address space", AS, needs_send_connector),
    Row("Sender in an authoritative domain", "counts as our own", AS, internal_sender("Authoritative", True)),
    Row("Sender in a relay domain", "the right speaks of authoritative domains", AS, internal_sender("InternalRelay", False)),
    Row("Parameters", "Name, DomainName, DomainType (default Authoritative), MakeDefault", AS, parameters),
    Row("AddressBookEnabled", "2010 and later", DEVIATES, later("AddressBookEnabled", "$true"), "Not in 2007. Refused, naming the parameter."),
    Row("MatchSubDomains", "2010 and later", DEVIATES, later("MatchSubDomains", "$true"), "Not in 2007. Refused, naming the parameter."),
    Row("*.contoso.com", "all below the name, the name itself not (unconfirmed)", AS, wildcard),
    Row("A name beyond ASCII", "not in 2007", BEYOND, beyond_ascii, "Kept, compared and sent as the DNS has it (xn--), however administrator and client write it."),
    Row("domain.*.contoso.com", "invalid", AS, bad_wildcards),
    Row("*", "an open relay; whether 2007 forbids it is not known", AS, star, "Refused."),
    Row("Initial domain", "one authoritative domain, the default", AS, initial),
    Row("Default domain", "one at a time; cannot be removed", AS, default_domain),
    Row("Postmaster", "an address of the default domain", AS, postmaster,
        "Mail to postmaster that no recipient has goes to ExternalPostmasterAddress where one is set; otherwise the address does not exist."),
    Row("Match", "the longest suffix; exact before wildcard", AS, longest),
    Row("Where checked", "at RCPT on every connector, for sessions without Accept-Any-Recipient; address spaces do not count", AS, where_checked),
))

SECTIONS = [D]
