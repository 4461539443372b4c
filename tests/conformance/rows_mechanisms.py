"""Authentication mechanisms: what each offers, which go together, what EHLO shows, and who the client then is."""
import subprocess

from table import AS, BEYOND, DEVIATES, Row, Section, needs
from rows_groups import SENDER, SUBMIT
from world import ALICE, BASIC, BOB, EXTERNAL, expect, words
from support.util import fields, message, wait_for


def offers(extra, before, after=None):
    """EHLO's STARTTLS and AUTH words before and after TLS; None: TLS cannot be started."""
    def seen(s):
        out = {k for k in s.ext if k in ("STARTTLS", "X-ANONYMOUSTLS", "X-EXPS")}
        return out | {"AUTH " + m for m in words(s, "AUTH")}

    def check(w):
        with w.connector(extra).session() as s:
            assert seen(s) == set(before), "before TLS: %s" % sorted(seen(s))
            if after is None:
                assert s.cmd("STARTTLS").code in (500, 502)
            else:
                s.starttls()
                assert seen(s) == set(after), "after TLS: %s" % sorted(seen(s))
    return check


LOGIN = ["AUTH LOGIN", "AUTH PLAIN"]


def external(w):
    c = w.connector(EXTERNAL)
    with c.session() as s:
        assert s.mail(ALICE) == 250 and s.rcpt("far@elsewhere.test") == 250, "trusted from the first byte"


def domain_secure(w):
    w.shell("Set-TransportConfig -TLSReceiveDomainSecureList partner.test")
    try:
        with w.connector("-DomainSecureEnabled $true -PermissionGroups AnonymousUsers").session(tls=True) as s:
            assert s.mail("x@partner.test").code in (530, 550, 554, 451, 454), "a listed domain without a certificate is refused"
            expect(s.send_mail("x@far.test", BOB, message(w.marker(), "x@partner.test", BOB)), "550 5.7.1 Mail from this domain must come by mutual TLS")
    finally:
        w.shell("Set-TransportConfig -TLSReceiveDomainSecureList $null")


GSSAPI = ["AUTH GSSAPI"]


def offers_gssapi(extra, before, after):
    """What EHLO shows with EnableAuthGSSAPI and without, and that a ticket lets its user in."""
    def check(w):
        from support.gss import Client
        c = w.connector(extra + " -EnableAuthGSSAPI $true -PermissionGroups ExchangeUsers")
        env = w.kdc.ticket("alice")

        def known():
            with c.session() as s:
                return "GSSAPI" in words(s, "AUTH")
        wait_for("the keytab to be in use", known)
        offers(extra + " -EnableAuthGSSAPI $true", before, after)(w)
        offers(extra, [k for k in before if k not in GSSAPI], after and [k for k in after if k not in GSSAPI])(w)
        with c.session() as s:
            assert Client(env).log_on(s) == "235 2.7.0" and s.mail(ALICE) == 250
    return check


def integrated(w):
    offers_gssapi("-AuthMechanism Tls,Integrated", ["STARTTLS"] + GSSAPI, GSSAPI)(w)
    offers("-AuthMechanism Tls", ["STARTTLS"], [])(w)
    with w.connector("-AuthMechanism Tls,Integrated").session() as s:
        assert s.cmd("AUTH NTLM") == "504 5.7.4"


MECHANISMS = Section("4.1", "Authentication mechanisms", (
    Row("None", "neither STARTTLS nor AUTH", AS, offers("-AuthMechanism None -PermissionGroups AnonymousUsers", [])),
    Row("Tls", "STARTTLS, opportunistic", AS, offers("-AuthMechanism Tls -PermissionGroups AnonymousUsers", ["STARTTLS"], [])),
    Row("DomainSecureEnabled", "asks listed domains for their certificate", AS, domain_secure,
        "Without its proof their mail is 550 5.7.1, at MAIL, or at the end of the data for a From or Sender; null senders, and mail by way of Hub and Edge servers, are exempt."),
    Row("BasicAuth", "AUTH LOGIN, in clear as well", AS, offers("-AuthMechanism Tls,BasicAuth -PermissionGroups ExchangeUsers", ["STARTTLS"] + LOGIN, LOGIN)),
    Row("BasicAuthRequireTLS", "LOGIN after TLS only", AS, offers(BASIC, ["STARTTLS"], LOGIN), "Before TLS it is refused as well, not only hidden."),
    Row("Integrated", "AUTH NTLM, and GSSAPI where EnableAuthGSSAPI", DEVIATES, integrated,
        "GSSAPI with EnableAuthGSSAPI and a keytab (certs/smtp.keytab), in the clear as well; without them nothing. NTLM never."),
    Row("ExchangeServer", "X-ANONYMOUSTLS and X-EXPS", DEVIATES,
        offers("-AuthMechanism Tls,ExchangeServer -PermissionGroups ExchangeServers", ["STARTTLS"], []),
        "Both need Windows; between two Mailreeve servers certificates are to prove the same."),
    Row("ExternalAuthoritative", "no cryptography: every client counts as authenticated", AS, external),
))


def rule(extra, *says, server="cold"):
    def check(w):
        w.refused("New-ReceiveConnector -Name x -Bindings 0.0.0.0:25 -RemoteIPRanges %s %s" % (w.ip(), extra), *says, server=getattr(w, server))
    return check


def holds(extra):
    return lambda w: w.cold_connector(extra)


def set_is_checked_as_well(w):
    name = w.cold_connector("-AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS")
    w.refused("Set-ReceiveConnector '%s' -AuthMechanism @{Remove='Tls'}" % name, "BasicAuthRequireTLS", "Tls")
    w.refused("Set-ReceiveConnector '%s' -ChunkingEnabled $false" % name, "BinaryMimeEnabled", "ChunkingEnabled")
    assert w.cold.one("Get-ReceiveConnector '%s'" % name)["ChunkingEnabled"] is True


def domain_listed(w):
    w.cold.shell("Set-TransportConfig -TLSReceiveDomainSecureList partner.test")
    w.cold_connector("-DomainSecureEnabled $true")
    rule("-DomainSecureEnabled $true -AuthMechanism None", "DomainSecureEnabled", "Tls")(w)
    rule("-DomainSecureEnabled $true -AuthMechanism Tls,ExternalAuthoritative -PermissionGroups ExchangeServers", "DomainSecureEnabled",
         "ExternalAuthoritative")(w)


def suppress(w):
    rule("-SuppressXAnonymousTls $true", "SuppressXAnonymousTls", "UseDowngradedExchangeServerAuth")(w)
    w.cold.shell("Set-TransportServer -UseDowngradedExchangeServerAuth $true")
    name = w.cold_connector("-SuppressXAnonymousTls $true")
    w.cold.shell("Remove-ReceiveConnector '%s' -Confirm:$false; Set-TransportServer -UseDowngradedExchangeServerAuth $false" % name)


COMBINATIONS = Section("4.2", "Combination rules", (
    Row("1 None", "alone only", AS, needs(rule("-AuthMechanism None,Tls", "AuthMechanism", "None"), holds("-AuthMechanism None"))),
    Row("2 BasicAuthRequireTLS", "needs BasicAuth and Tls", AS,
        needs(rule("-AuthMechanism BasicAuthRequireTLS,Tls", "BasicAuthRequireTLS", "BasicAuth"), rule("-AuthMechanism BasicAuth,BasicAuthRequireTLS", "Tls"),
              holds("-AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS"))),
    Row("3 ExternalAuthoritative", "with Tls only", AS,
        needs(rule("-AuthMechanism ExternalAuthoritative,BasicAuth -PermissionGroups ExchangeServers", "ExternalAuthoritative", "Tls"),
              holds("-AuthMechanism ExternalAuthoritative,Tls -PermissionGroups ExchangeServers"), holds(EXTERNAL))),
    Row("4 ExternalAuthoritative", "needs ExchangeServers in PermissionGroups", AS, rule("-AuthMechanism ExternalAuthoritative", "ExternalAuthoritative", "ExchangeServers")),
    Row("5 RequireTLS", "needs Tls", AS, needs(rule("-RequireTLS $true -AuthMechanism None", "RequireTLS", "Tls"), holds("-RequireTLS $true"))),
    Row("6 DomainSecureEnabled", "needs Tls, excludes ExternalAuthoritative, needs a listed domain", AS,
        needs(rule("-DomainSecureEnabled $true", "TLSReceiveDomainSecureList"), domain_listed)),
    Row("7 BinaryMimeEnabled", "needs ChunkingEnabled", AS,
        needs(rule("-ChunkingEnabled $false", "BinaryMimeEnabled", "ChunkingEnabled"), holds("-ChunkingEnabled $false -BinaryMimeEnabled $false"))),
    Row("8 ConnectionInactivityTimeout", "less than ConnectionTimeout", AS,
        needs(rule("-ConnectionInactivityTimeout 00:10:00", "ConnectionInactivityTimeout", "ConnectionTimeout"), holds("-ConnectionInactivityTimeout 00:09:59"))),
    Row("9 SuppressXAnonymousTls", "needs UseDowngradedExchangeServerAuth of the server", AS, suppress),
    Row("10 groups on Edge", "no ExchangeLegacyServers, in 2007 no ExchangeUsers either", AS,
        needs(rule("-PermissionGroups ExchangeLegacyServers", "ExchangeLegacyServers", "Edge", server="edge"),
              rule("-PermissionGroups ExchangeUsers", "ExchangeUsers", "Edge", server="edge"))),
    Row("rules at Set", "hold for the object as a whole; nothing is half applied", AS, set_is_checked_as_well),
    Row("ImplicitTls", "does not exist", BEYOND, rule("-ImplicitTls $true -AuthMechanism None", "ImplicitTls", "Tls"), "Needs Tls."),
))


def order(w):
    with w.connector(BASIC.replace(",BasicAuthRequireTLS", "")).connect() as s:
        got = [line.split()[0] for line in s.ehlo().lines[1:]]
    assert got[:9] == ["SIZE", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS", "AUTH", "8BITMIME", "BINARYMIME", "CHUNKING"], got


def keywords(w):
    c = w.connector("-SizeEnabled Disabled -PipeliningEnabled $false -ChunkingEnabled $false -BinaryMimeEnabled $false -EightBitMimeEnabled $false "
                    "-DeliveryStatusNotificationEnabled $false -EnhancedStatusCodesEnabled $false -SmtpUtf8Enabled $false -AuthMechanism None")
    with c.connect() as s:
        assert len(s.ehlo().lines) == 1


EHLO = Section("4.3", "What EHLO lists", (
    Row("order", "SIZE PIPELINING DSN ENHANCEDSTATUSCODES STARTTLS AUTH 8BITMIME BINARYMIME CHUNKING", AS, order, "SMTPUTF8 comes last, as in 2016."),
    Row("Tls", "STARTTLS, gone after it", AS, offers("-AuthMechanism Tls", ["STARTTLS"], [])),
    Row("Tls+BasicAuth", "STARTTLS and AUTH LOGIN, then AUTH LOGIN", AS, offers("-AuthMechanism Tls,BasicAuth", ["STARTTLS"] + LOGIN, LOGIN)),
    Row("Tls+BasicAuth+BasicAuthRequireTLS", "no AUTH before TLS", AS, offers(BASIC, ["STARTTLS"], LOGIN)),
    Row("BasicAuth without Tls", "AUTH LOGIN alone", AS, offers("-AuthMechanism BasicAuth", LOGIN)),
    Row("+ Integrated", "AUTH NTLM beside them", DEVIATES,
        needs(offers_gssapi("-AuthMechanism Tls,BasicAuth,Integrated", ["STARTTLS"] + GSSAPI + LOGIN, GSSAPI + LOGIN),
              offers_gssapi("-AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS,Integrated", ["STARTTLS"] + GSSAPI, GSSAPI + LOGIN)),
        "GSSAPI before them, with EnableAuthGSSAPI; BasicAuthRequireTLS hides the passwords alone. NTLM never."),
    Row("+ ExchangeServer", "X-ANONYMOUSTLS, X-EXPS GSSAPI NTLM", DEVIATES, offers("-AuthMechanism Tls,ExchangeServer", ["STARTTLS"], []), "Both need Windows."),
    Row("ExternalAuthoritative", "STARTTLS only with Tls, no AUTH", AS,
        needs(offers(EXTERNAL, []), offers(EXTERNAL.replace("Authoritative ", "Authoritative,Tls "), ["STARTTLS"], []))),
    Row("None", "none of these", AS, offers("-AuthMechanism None", [])),
    Row("AUTH PLAIN", "never offered", BEYOND, offers("-AuthMechanism Tls,BasicAuth", ["STARTTLS"] + LOGIN, LOGIN), "PLAIN beside LOGIN: clients of today prefer it."),
    Row("EnableAuthGSSAPI", "AUTH GSSAPI NTLM instead of AUTH NTLM", DEVIATES,
        offers_gssapi("-AuthMechanism Integrated", GSSAPI, None), "AUTH GSSAPI instead of nothing: NTLM is never offered."),
    Row("keywords by switches", "all but STARTTLS and AUTH are switched by a property each", AS, keywords),
))


def anonymous_token(w):
    c = w.connector()
    c.revoke(SENDER).grant(SENDER, user="Everyone")
    with c.session() as s:
        assert s.mail("x@outside.test") == 250, "Everyone is in the token"


def user_token(w):
    c = w.connector(BASIC.replace("ExchangeUsers", "AnonymousUsers,ExchangeUsers"))
    with c.session(tls=True) as s:
        assert s.mail("x@outside.test") == 250
    with c.login() as s:
        assert s.mail("x@outside.test") == "550 5.7.1", "what anonymous clients may, users may not by that"
        assert s.mail(ALICE) == 250
        assert s.rcpt("far@elsewhere.test") == 250, "Authenticated Users is in it"


def external_token(w):
    c = w.connector("-AuthMechanism ExternalAuthoritative,Tls -PermissionGroups ExchangeServers,AnonymousUsers")
    c.revoke(SUBMIT, user="MS Exchange\\Externally Secured Servers")
    with c.session() as s:
        r = s.mail("x@outside.test")
        assert r.code in (530, 550), "ANONYMOUS LOGON is not in the token of an externally secured client: %s" % r


def stored_with_connector(w):
    c = w.connector()
    guid = c.get()["Guid"]
    assert all(e["Connector"] == guid for e in w.hub.json("Get-ReceiveConnector '%s' | Get-ADPermission" % c.name))
    w.hub.shell("Remove-ReceiveConnector '%s' -Confirm:$false; New-ReceiveConnector -Name '%s' -Bindings 0.0.0.0:%d -RemoteIPRanges %s" % (c.name, c.name, w.hub.smtp, c.ip))
    assert not w.hub.acl(c.name)


def deny_wins(w):
    c = w.connector()
    c.grant(SENDER, user="Everyone", extra="-Deny")
    with c.session() as s:
        assert s.mail("x@outside.test") == "550 5.7.1"


def asks_for_certificate(extra, domain=None):
    """Whether the handshake asks the client for a certificate: without that nobody can prove a thing by one."""
    def check(w):
        if domain:
            w.shell("Set-TransportConfig -TLSReceiveDomainSecureList " + domain)
        try:
            c = w.connector(extra)
            p = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-bind", c.ip, "-connect", "127.0.0.1:%d" % w.hub.smtp], input=b"QUIT\r\n",
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
            assert b"BEGIN CERTIFICATE" in p.stdout, p.stdout
            assert b"Requested Signature Algorithms" in p.stdout, "the server asks for no certificate"
        finally:
            if domain:
                w.hub.shell("Get-ReceiveConnector | where {$_.DomainSecureEnabled} | Set-ReceiveConnector -DomainSecureEnabled $false")
                w.shell("Set-TransportConfig -TLSReceiveDomainSecureList $null")
    return check


def pinned_servers(w):
    w.shell("Set-TransportConfig -EdgeTransportServerCertificates " + "ab" * 32)
    try:
        asks_for_certificate("-AuthMechanism Tls,ExchangeServer -PermissionGroups ExchangeServers")(w)
    finally:
        w.shell("Set-TransportConfig -EdgeTransportServerCertificates $null")


TOKEN = Section("4.4", "The session's token", (
    Row("start", "ANONYMOUS LOGON, and Everyone", AS, anonymous_token),
    Row("AUTH", "the user, its groups, Authenticated Users, Everyone; whether ANONYMOUS LOGON stays is not documented", AS, user_token,
        "It does not stay: the token is made anew, as Windows does."),
    Row("a server in Exchange Servers by X-EXPS", "that group", DEVIATES, offers("-AuthMechanism Tls,ExchangeServer", ["STARTTLS"], []), "X-EXPS needs Windows."),
    Row("direct trust certificate", "Hub or Edge Transport Servers", AS, pinned_servers,
        "By the SHA-256 thumbprints in TransportConfig HubTransportServerCertificates and EdgeTransportServerCertificates, over STARTTLS."),
    Row("mutual TLS with a listed domain", "Partner Servers", AS,
        asks_for_certificate("-DomainSecureEnabled $true -PermissionGroups Partners", "partner.test"),
        "A certificate speaks for the listed domains that it names, or in which a host is that it names; its authorities are certs/trusted/*.pem, else the system's."),
    Row("ExternalAuthoritative", "Externally Secured Servers from the first byte", AS, needs(external, external_token)),
    Row("deny", "an entry that denies wins over every one that allows", AS, deny_wins),
    Row("storage", "the entries belong to the connector and go with it", AS, stored_with_connector),
))


DOMAIN = Section("4.5", "Domain security", (
    Row("a listed domain without valid mutual TLS", "its mail is refused", AS, domain_secure, "550 5.7.1 Mail from this domain must come by mutual TLS, and what is missing."),
))

SECTIONS = [MECHANISMS, COMBINATIONS, EHLO, TOKEN, DOMAIN]
