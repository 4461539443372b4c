"""Usage types, and the connectors that setup makes."""
from table import AS, BEYOND, DEVIATES, Row, Section
from support.server import quote

EVERY = "0.0.0.0-255.255.255.255"


def usage(name, groups, mechanisms, give, fixed=(), server="cold"):
    """Both forms of the usage make this connector; what it fixes cannot be given, what it does not fix must be."""
    companions = {"-Bindings": "0.0.0.0:%d", "-RemoteIPRanges": "127.3.0.%d"}

    def check(w):
        s = getattr(w, server)
        for form in ("-Usage " + name, "-" + name):
            n = w.number()
            args = {k: companions[k] % ((20000 if k == "-Bindings" else 0) + n) for k in give}
            title = w.name(name)
            make = "New-ReceiveConnector -Name '%s' %s " % (title, form)
            for k in give:
                w.refused(make + " ".join("%s %s" % p for p in args.items() if p[0] != k), name, k.lstrip("-"), server=s)
            for k in fixed:
                w.refused(make + " ".join("%s %s" % p for p in list(args.items()) + [(k, companions[k] % n)]), name, "cannot be given", server=s)
            s.shell(make + " ".join("%s %s" % p for p in args.items()))
            c = s.one("Get-ReceiveConnector " + quote(title))
            assert set(c["PermissionGroups"]) == groups and set(c["AuthMechanism"]) == mechanisms, c
            if "-Bindings" in fixed:
                port = {"Client": 587, "Internal": 25}[name] + s.offset
                assert c["Bindings"] == ["0.0.0.0:%d" % port], c
            if "-RemoteIPRanges" in fixed:
                assert c["RemoteIPRanges"] == [EVERY], c
            s.shell("Remove-ReceiveConnector %s -Confirm:$false" % quote(title))
    return check


def custom_by_default(w):
    name = w.cold_connector()
    w.cold.shell("New-ReceiveConnector -Name '%s b' -Bindings 0.0.0.0:25 -RemoteIPRanges %s" % (name, w.ip()))
    assert w.cold.one("Get-ReceiveConnector '%s b'" % name)["PermissionGroups"] == ["None"]


def missing_companion(w):
    w.refused("New-ReceiveConnector -Name x -Usage Partner -RemoteIPRanges 127.3.9.1", "Partner", "-Bindings")


def missing_companion_switch(w):
    w.refused("New-ReceiveConnector -Name x -Partner -RemoteIPRanges 127.3.9.1", "Partner", "-Bindings")


def not_on_edge(w):
    w.refused("New-ReceiveConnector -Name x -Usage Client -RemoteIPRanges 127.3.9.2", "Client", "Edge", server=w.edge)


def editable_later(w):
    s, name = w.cold, w.name()
    s.shell("New-ReceiveConnector -Name '%s' -Client -RemoteIPRanges %s; Set-ReceiveConnector '%s' -Bindings 127.0.0.1:2587" % (name, w.ip(), name))
    assert s.one("Get-ReceiveConnector '%s'" % name)["Bindings"] == ["127.0.0.1:2587"]


def ipv6(w):
    s, name = w.cold, w.name()
    s.shell("New-ReceiveConnector -Name '%s' -Bindings '[::]:25' -RemoteIPRanges 2001:db8::/32,2001:db9::1-2001:db9::9" % name)
    c = s.one("Get-ReceiveConnector '%s'" % name)
    assert c["Bindings"] == ["[::]:25"] and len(c["RemoteIPRanges"]) == 2 and all(":" in r for r in c["RemoteIPRanges"])


def not_stored(w):
    assert "Usage" not in w.cold.one("Get-ReceiveConnector 'Client mail'")
    assert w.cold.shell_run("Set-ReceiveConnector 'Client mail' -Usage Custom").returncode == 1


USAGE = Section("1.1", "Usage types", (
    Row("Client", "ExchangeUsers; Tls, BasicAuth, BasicAuthRequireTLS, Integrated; 0.0.0.0:587 fixed at creation, ranges must be given", AS,
        usage("Client", {"ExchangeUsers"}, {"Tls", "BasicAuth", "BasicAuthRequireTLS", "Integrated"}, ["-RemoteIPRanges"], ["-Bindings"])),
    Row("Custom", "no group, Tls alone; bindings and ranges must be given", AS, usage("Custom", {"None"}, {"Tls"}, ["-Bindings", "-RemoteIPRanges"])),
    Row("Internal", "ExchangeServers and ExchangeLegacyServers; Tls, ExchangeServer; 0.0.0.0:25 fixed at creation", AS,
        usage("Internal", {"ExchangeServers", "ExchangeLegacyServers"}, {"Tls", "ExchangeServer"}, ["-RemoteIPRanges"], ["-Bindings"])),
    Row("Internet", "AnonymousUsers, Tls; every IPv4 address fixed at creation", AS,
        usage("Internet", {"AnonymousUsers"}, {"Tls"}, ["-Bindings"], ["-RemoteIPRanges"])),
    Row("Partner", "Partners, Tls; bindings and ranges must be given", AS, usage("Partner", {"Partners"}, {"Tls"}, ["-Bindings", "-RemoteIPRanges"])),
    Row("Client on Edge", "the usage does not exist there: an Edge knows no mailbox users", AS, not_on_edge),
    Row("Internal on Edge", "ExchangeServers alone: there are no legacy servers", AS,
        usage("Internal", {"ExchangeServers"}, {"Tls", "ExchangeServer"}, ["-RemoteIPRanges"], ["-Bindings"], server="edge")),
    Row("Internet on Edge", "AnonymousUsers; one document adds Partners", AS,
        usage("Internet", {"AnonymousUsers"}, {"Tls"}, ["-Bindings"], ["-RemoteIPRanges"], server="edge"),
        "The documents disagree; nobody is made a partner by default."),
    Row("Custom and Partner on Edge", "as on a Hub", AS, lambda w: [
        usage("Custom", {"None"}, {"Tls"}, ["-Bindings", "-RemoteIPRanges"], server="edge")(w),
        usage("Partner", {"Partners"}, {"Tls"}, ["-Bindings", "-RemoteIPRanges"], server="edge")(w)]),
    Row("-Usage omitted", "means Custom in the first release, is an error from SP1 on", AS, custom_by_default, "The first release's rule: scripts for either work."),
    Row("missing companion of -Usage X", "the command fails", AS, missing_companion),
    Row("missing companion of -X", "the shell asks for it", DEVIATES, missing_companion_switch,
        "Fails as -Usage X does and says what is missing: a script never waits for a question."),
    Row("Bindings of Client afterwards", "can be changed with Set-", AS, editable_later),
    Row("IPv6", "bindings and ranges may be IPv6 from SP1 on", AS, ipv6),
    Row("not stored", "a usage is a preset of creation, not a property", AS, not_stored),
))


def initial(prop, default, client, edge):
    """The value of one property on the three connectors that setup makes; a list is compared as a set."""
    def same(got, want):
        return set(got) == set(want) if isinstance(want, (list, tuple)) else str(got) == str(want)

    def check(w):
        for server, name, want in ((w.plain, "Default mail", default), (w.plain, "Client mail", client),
                                   (w.edge, "Default internal receive connector mail", edge)):
            got = server.one("Get-ReceiveConnector " + quote(name))[prop]
            assert same(got, want), "%s of %s is %s, not %s" % (prop, name, got, want)
    return check


def bindings(w):
    for server, name, port in ((w.plain, "Default mail", 25), (w.plain, "Client mail", 587), (w.edge, "Default internal receive connector mail", 25)):
        assert server.one("Get-ReceiveConnector " + quote(name))["Bindings"] == ["0.0.0.0:%d" % (port + server.offset)]


def implicit(w):
    c, client = (w.plain.one("Get-ReceiveConnector '%s'" % n) for n in ("Client Implicit TLS mail", "Client mail"))
    assert c["Bindings"] == ["0.0.0.0:%d" % (465 + w.plain.offset)] and c["ImplicitTls"] is True
    assert c["PermissionGroups"] == client["PermissionGroups"] and c["AuthMechanism"] == client["AuthMechanism"]


def anonymous_refused(w):
    with w.hub.session() as s:
        assert s.mail("x@outside.test") == "530 5.7.1"
    with w.hub.session(w.hub.submission) as s:
        assert s.mail("x@outside.test") == "530 5.7.1"


def no_send_connector(w):
    assert w.plain.json("Get-SendConnector") == [] and w.edge.json("Get-SendConnector") == []


def edge_keeps_one(w):
    for c in w.edge.json("Get-ReceiveConnector"):
        if not c["Name"].startswith("Default"):
            w.edge.shell("Remove-ReceiveConnector %s -Confirm:$false" % quote(c["Name"]))
    w.refused("Remove-ReceiveConnector 'Default internal receive connector mail' -Confirm:$false", "last", "Edge", server=w.edge)


FOUR = ("Tls", "Integrated", "BasicAuth", "BasicAuthRequireTLS")
DEFAULTS = Section("1.2", "Connectors that setup makes", (
    Row("Port / bindings", "Default and Edge 25, Client 587, on every IPv4 address", AS, bindings, "Moved by init --port-offset."),
    Row("Remote ranges", "every IPv4 address", AS, initial("RemoteIPRanges", [EVERY], [EVERY], [EVERY])),
    Row("AuthMechanism", "Default: all but ExternalAuthoritative; Client: the four for users; Edge: Tls, ExchangeServer", AS,
        initial("AuthMechanism", FOUR + ("ExchangeServer",), FOUR, ("Tls", "ExchangeServer"))),
    Row("PermissionGroups", "Default: users and servers, nobody anonymous; Client: users; Edge: anonymous, servers, partners", AS,
        initial("PermissionGroups", ("ExchangeUsers", "ExchangeServers", "ExchangeLegacyServers"), ("ExchangeUsers",),
                ("AnonymousUsers", "ExchangeServers", "Partners"))),
    Row("anonymous clients", "neither Default nor Client serves them", AS, anonymous_refused),
    Row("Protocol logging", "None", AS, initial("ProtocolLoggingLevel", "None", "None", "None")),
    Row("Fqdn", "the server's name", AS, initial("Fqdn", "mail.example.com", "mail.example.com", "mail.example.com")),
    Row("MaxMessageSize", "10 MB", AS, initial("MaxMessageSize", 10 << 20, 10 << 20, 10 << 20)),
    Row("MaxHeaderSize", "64 KB", AS, initial("MaxHeaderSize", 64 << 10, 64 << 10, 64 << 10)),
    Row("MaxRecipientsPerMessage", "200; administrators found 5000 on Default", AS, initial("MaxRecipientsPerMessage", 5000, 200, 200),
        "5000 on Default, as installations show; 200 elsewhere."),
    Row("MaxInboundConnection", "5000; once seen unlimited on Default", AS, initial("MaxInboundConnection", 5000, 5000, 5000), "5000 everywhere: a server needs a limit."),
    Row("MaxInboundConnectionPerSource", "unlimited on Default, else 20", AS, initial("MaxInboundConnectionPerSource", "Unlimited", 20, 20)),
    Row("MaxInboundConnectionPercentagePerSource", "100 on Default, else 2", AS, initial("MaxInboundConnectionPercentagePerSource", 100, 2, 2)),
    Row("MessageRateLimit", "unlimited on Default; 5 a user on Client and 600 on Edge from 2010 on", AS,
        initial("MessageRateLimit", "Unlimited", "Unlimited", "Unlimited"), "Unlimited on all of them: 2007 counted nothing by user, and what it had on Edge is not known."),
    Row("ConnectionTimeout", "10 minutes, on Edge 5", AS, initial("ConnectionTimeout", "00:10:00", "00:10:00", "00:05:00")),
    Row("ConnectionInactivityTimeout", "5 minutes, on Edge 1", AS, initial("ConnectionInactivityTimeout", "00:05:00", "00:05:00", "00:01:00")),
    Row("TarpitInterval", "5 seconds", AS, initial("TarpitInterval", "00:00:05", "00:00:05", "00:00:05")),
    Row("SizeEnabled", "EnabledWithoutValue on Default, as its logs show; else Enabled", AS, initial("SizeEnabled", "EnabledWithoutValue", "Enabled", "Enabled")),
    Row("Send connectors", "none", AS, no_send_connector),
    Row("last connector of an Edge", "cannot be removed", AS, edge_keeps_one),
    Row("Client Implicit TLS", "nothing listens on 465", BEYOND, implicit, "Port 465 with TLS from the first byte (RFC 8314), otherwise as Client."),
))

SECTIONS = [USAGE, DEFAULTS]
