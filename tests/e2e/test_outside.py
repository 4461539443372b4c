"""How mail leaves securely: domain security with partners."""
import hashlib
import http.server
import os
import shutil
import signal
import ssl
import threading

import pytest

from support.nsd import Nsd
from support.pki import Authority, install
from support.server import FAST_RETRY, Server, settle, wait_logged
from support.sink import Sink
from support.util import fields, free_port, message, run, wait_for

APP = "127.0.0.2"
RELAY = "-User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"


@pytest.fixture(scope="module")
def authority():
    a = Authority()
    yield a
    a.close()


@pytest.fixture(scope="module")
def other_authority():
    a = Authority()
    yield a
    a.close()


@pytest.fixture(scope="module")
def dane_cert(authority):
    return self_signed(authority.dir, "whatever.test")


@pytest.fixture(scope="module")
def dns(dane_cert):
    signed = SIGNED
    for host, record in (("good", "3 1 1 " + digest(dane_cert)), ("bad", "3 1 1 " + "00" * 32), ("useless", "1 1 1 " + digest(dane_cert))):
        signed += "%s IN MX 10 mx.%s\nmx.%s IN A 127.0.0.1\n_%d._tcp.mx.%s IN TLSA %s\n" % (host, host, host, DANE_PORT, host, record)
    sts = "".join("{0} IN MX 10 mx.{0}\nmx.{0} IN A 127.0.0.1\nmta-sts.{0} IN A {1}\n_mta-sts.{0} IN TXT \"v=STSv1; id=1;\"\n".format(name, WEB)
                  for name in POLICIES)
    d = Nsd({"test": sts + "\n".join("%s IN MX 10 mx\n" % name for name in ("bank", "partner", "far")) + "mx IN A 127.0.0.1\n",
             "signed": signed, "broken": signed}, signed=("signed", "broken"), broken=("broken",))
    yield d
    d.close()


DANE_PORT = free_port()
WEB = "127.0.0.9"  # where the policies are fetched, on port 443
ENFORCE = "version: STSv1\r\nmode: enforce\r\nmx: mx.%s.test\r\nmax_age: 86400\r\n"
POLICIES = {"enforced": ENFORCE % "enforced", "selfsigned": ENFORCE % "selfsigned", "cleartext": ENFORCE % "cleartext", "elsewhere": ENFORCE % "other",
            "trial": (ENFORCE % "trial").replace("enforce", "testing"), "untried": "version: STSv1\nmode: none\nmax_age: 86400\n",
            "missing": None, "forged": ENFORCE % "forged", "garbled": "<html>no policy</html>"}
SIGNED = "alias IN MX 10 other\nother IN CNAME mx.good\nunproved IN MX 10 mx.test.\nplain IN MX 10 none\nnone IN A 127.0.0.1\n"


def believe(server, authority):
    """An authority of the administrator's choosing, which counts from now on."""
    before = server.log_text().count("event=certificates-replaced")
    shutil.copyfile(authority.crt, os.path.join(server.state, "certs", "trusted", "test.pem"))
    wait_for("the authority to be believed", lambda: server.log_text().count("event=certificates-replaced") > before)


def server_context(cert, authority=None):
    """Of a server with this certificate; with an authority it asks its clients for theirs."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*cert)
    if authority:
        c.load_verify_locations(authority.crt)
        c.verify_mode = ssl.CERT_OPTIONAL
    return c


def self_signed(folder, name):
    stem = "%s/self-%s" % (folder, name)
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", stem + ".key", "-out", stem + ".crt",
         "-days", "30", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name])
    return stem + ".crt", stem + ".key"


def use_dns(server, dns, extra=""):
    with open(server.state + "/node.conf", "a", encoding="ascii") as f:
        f.write("nameservers = 127.0.0.1@%d\n%s" % (dns.port, extra))


@pytest.fixture(scope="module")
def hub(authority, dns):
    s = Server(start=False)
    use_dns(s, dns, "dnssec-anchors = %s\n" % dns.anchors)
    s.start()
    s.relax()
    s.mailbox("alice@example.com", "Pw-alice 7%x")
    s.connector("app", APP)
    s.shell("Get-ReceiveConnector app | Add-ADPermission " + RELAY)
    s.shell(FAST_RETRY)
    believe(s, authority)
    install(s, "own", *authority.issue("mail.example.com", usage="serverAuth,clientAuth"))
    s.shell("Set-TransportConfig -TLSSendDomainSecureList bank.test,partner.test")
    wait_for("the certificate", lambda: any("Test Authority" in c["Issuer"] for c in s.json("Get-ExchangeCertificate")))
    yield s
    s.close()


def digest(cert):
    """SHA-256 of the certificate's key, as a TLSA record has it."""
    key = run(["openssl", "x509", "-in", cert[0], "-pubkey", "-noout"]).stdout
    return hashlib.sha256(run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key).stdout).hexdigest()


def send(server, marker, to, headers=b""):
    with server.session(source=APP) as c:
        r = c.send_mail("alice@example.com", to, message(marker, "alice@example.com", to, headers=headers))
        assert r == "250 2.6.0", r


class Route:
    """A connector to one port, where a next hop of the test listens; what is queued for it is gone afterwards."""

    def __init__(self, server, port, extra="", spaces="*.test,bank.test,partner.test,far.test,*.signed,*.broken"):
        self.server, self.name = server, "route"
        server.shell("New-SendConnector -Name route -AddressSpaces '%s' -Port %d %s" % (spaces.replace(",", "','"), port, extra))
        settle()

    def error(self, marker, *says):
        """Waits until the message is held up for a reason that has all of this."""
        def held():
            return [m for m in self.server.json("Get-Message") if marker in (m["Subject"] or "") and all(s in (m["LastError"] or "") for s in says)]
        return wait_for(lambda: "%s in %s" % (says, [m["LastError"] for m in self.server.json("Get-Message") if marker in (m["Subject"] or "")]), held)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shell("Remove-SendConnector route -Confirm:$false")


RULE = "domain security (DomainSecureEnabled, TLSSendDomainSecureList) asks for TLS with a trusted certificate of bank.test"


def test_a_partner_takes_what_it_can_trust(hub, authority, marker):
    with_client = server_context(authority.issue("mx.bank.test"), authority)
    sink = Sink(tls=with_client, peer_certificate=True)
    try:
        with Route(hub, sink.port, "-DomainSecureEnabled $true"):
            send(hub, marker, "x@bank.test")
            got = wait_for(lambda: "the message; " + hub.log_text()[-1500:], lambda: sink.got(marker))[0]
            assert got["tls"] and ("DNS", "mail.example.com") in got["certificate"]["subjectAltName"], got
            wait_logged(hub, r"event=delivery .*to=bank\.test .*tls=TLSv1\.3 cipher=\S+ verified-by=domain-secure certificate=mx\.bank\.test")
            send(hub, marker + "-far", "x@far.test")
            other = wait_for("mail to a domain that is not listed", lambda: sink.got(marker + "-far"))[0]
            assert other["tls"] and not other["certificate"], "only who is listed learns who we are"
    finally:
        sink.close()


@pytest.mark.parametrize("what,says", [("clear", "the server does not offer STARTTLS"), ("another", "does not name that domain"),
                                       ("self-signed", "self-signed certificate"), ("expired", "certificate has expired"),
                                       ("another authority", "unable to verify the first certificate")])
def test_a_partner_without_proof_waits(hub, authority, other_authority, marker, what, says):
    cert = {"clear": lambda: None, "another": lambda: authority.issue("mx.partner.test"),
            "self-signed": lambda: self_signed(authority.dir, "mx.bank.test"), "expired": lambda: authority.issue("mx.bank.test", days=-1),
            "another authority": lambda: other_authority.issue("mx.bank.test")}[what]()
    sink = Sink(tls=server_context(cert) if cert else None)
    try:
        with Route(hub, sink.port, "-DomainSecureEnabled $true") as route:
            send(hub, marker, "x@bank.test")
            held = route.error(marker, "4.7.", RULE, says)
            assert held[0]["Status"] in ("Retry", "Ready", "Active"), held
            assert not sink.messages
            send(hub, marker + "-far", "x@far.test")
            wait_for(lambda: "mail to anybody else; " + hub.log_text()[-2500:], lambda: sink.got(marker + "-far"))
            hub.shell("Set-SendConnector route -DomainSecureEnabled $false")
            wait_for("the mail when the rule is gone", lambda: sink.got(marker), 30)
    finally:
        sink.close()


@pytest.mark.parametrize("level,domain,cert,says", [
    ("EncryptionOnly", None, "self-signed", None),
    ("CertificateValidation", None, "another", None),
    ("CertificateValidation", None, "self-signed", "TlsAuthLevel CertificateValidation asks for TLS with a trusted certificate"),
    ("DomainValidation", "partner.test", "another", None),
    ("DomainValidation", None, "another", "does not name that domain"),
    ("DomainValidation", None, "clear", "the server does not offer STARTTLS")])
def test_tls_levels(hub, authority, marker, level, domain, cert, says):
    cert = {"clear": lambda: None, "another": lambda: authority.issue("mx.partner.test"),
            "self-signed": lambda: self_signed(authority.dir, "mx.far.test")}[cert]()
    sink = Sink(tls=server_context(cert) if cert else None)
    try:
        with Route(hub, sink.port, "-TlsAuthLevel %s %s" % (level, "-TlsDomain " + domain if domain else "")) as route:
            send(hub, marker, "x@far.test")
            if says:
                route.error(marker, "TlsAuthLevel " + level, says)
                assert not sink.messages
                hub.shell("Set-SendConnector route -TlsAuthLevel $null -TlsDomain $null")
            got = wait_for(lambda: "the message; " + hub.log_text()[-1500:], lambda: sink.got(marker), 30)[0]
            assert got["tls"] or cert is None
            if not says:
                wait_logged(hub, r"event=delivery .*to=far\.test .*verified-by=" + ("none" if level == "EncryptionOnly" else "ca"))
    finally:
        sink.close()


@pytest.mark.parametrize("domain,verified,says", [
    ("good.signed", "dane", None), ("alias.signed", "dane", None), ("useless.signed", "none", None), ("plain.signed", "none", None),
    ("unproved.signed", "none", None), ("bad.signed", None, "no matching DANE TLSA records"), ("good.broken", None, "DNSSEC")])
def test_dane(hub, dane_cert, marker, domain, verified, says):
    """A real signed zone; the server's certificate is self-signed, so that nothing but the record can verify it."""
    sink = Sink(tls=server_context(dane_cert), port=DANE_PORT)
    try:
        with Route(hub, sink.port) as route:
            send(hub, marker, "x@" + domain)
            if says:
                route.error(marker, says)
                assert not sink.messages and (sink.sessions == 0 or "TLSA" in says)
            else:
                assert wait_for(lambda: "the message; " + hub.log_text()[-1500:], lambda: sink.got(marker))[0]["tls"]
                wait_logged(hub, r"event=delivery .*to=%s .*verified-by=%s" % (domain.replace(".", r"\."), verified))
    finally:
        sink.close()


def test_dane_is_never_switched_off(hub, marker):
    """A server that has TLSA records and does not offer TLS gets nothing; Mandatory also refuses those without records."""
    sink = Sink(port=DANE_PORT)
    try:
        with Route(hub, sink.port, "-Fqdn off.example.net") as route:  # a name of its own: no connection that rests is used again
            send(hub, marker, "x@good.signed")
            route.error(marker, "DANE asks for TLS", "does not offer STARTTLS")
            send(hub, marker + "-plain", "x@plain.signed")
            wait_for("mail where there are no records", lambda: sink.got(marker + "-plain"))
            hub.shell("Set-SendConnector route -SmtpDaneMode Mandatory")
            settle()
            send(hub, marker + "-more", "x@plain.signed")
            route.error(marker + "-more", "SmtpDaneMode Mandatory", "no TLSA records")
            hub.shell("Set-SendConnector route -SmtpDaneMode None")
            wait_for("all of it", lambda: sink.got(marker + "-more") and sink.got(marker), 30)
    finally:
        sink.close()


def send_required(server, marker, to, option=" REQUIRETLS", headers=b""):
    with server.session(source=APP) as c:
        c.starttls()
        assert c.cmd("MAIL FROM:<alice@example.com>" + option) == 250
        assert c.cmd("RCPT TO:<%s>" % to) == 250
        assert c.cmd("DATA") == 354
        c.send(message(marker, "alice@example.com", to, headers=headers) + b".\r\n")
        assert c.reply() == 250


@pytest.mark.parametrize("domain,promise,says", [
    ("good.signed", True, None), ("good.signed", False, "which the server does not offer to promise"),
    ("far.test", True, "neither DNSSEC nor an MTA-STS policy proves")])
def test_requiretls(hub, dane_cert, marker, domain, promise, says):
    """To a server that is proved and promises the same; otherwise the sender is told at once."""
    sink = Sink(tls=server_context(dane_cert), port=DANE_PORT, extensions=("SIZE", "8BITMIME") + (("REQUIRETLS",) if promise else ()))
    try:
        with Route(hub, sink.port, "-Fqdn %s.example.net" % ("promise" if promise else "none")):
            send_required(hub, marker, "x@" + domain)
            if says:
                report = hub.wait_mail("alice@example.com", marker)[0]
                assert b"5.7.30" in report and says.encode() in report.replace(b"\r\n ", b" ").replace(b"\n ", b" "), report
                assert not sink.messages
            else:
                got = wait_for(lambda: "the message; " + hub.log_text()[-1500:], lambda: sink.got(marker))[0]
                assert got["tls"] and "REQUIRETLS" in got["params"], got
    finally:
        sink.close()


def test_tls_required_no(hub, dane_cert, marker):
    """A sender may waive what the receiving domain asks for."""
    sink = Sink(port=DANE_PORT)
    try:
        with Route(hub, sink.port, "-Fqdn waived.example.net") as route:
            send(hub, marker + "-waived", "x@good.signed", headers=b"TLS-Required: No\r\n")
            assert not wait_for("the message", lambda: sink.got(marker + "-waived"))[0]["tls"]
            send(hub, marker + "-held", "x@good.signed")
            route.error(marker + "-held", "DANE asks for TLS")
            assert not sink.got(marker + "-held")
    finally:
        sink.close()


class PolicyServer:
    """HTTPS for the policy hosts of all domains; whose certificate is forged has one that nobody trusts."""

    def __init__(self, authority, other_authority):
        self.contexts = {"mta-sts.%s.test" % n: server_context((other_authority if n == "forged" else authority).issue("mta-sts.%s.test" % n)) for n in POLICIES}
        self.asked, server = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.headers["Host"].split(".")[1]
                server.asked.append((name, self.path))
                policy = POLICIES[name] if self.path == "/.well-known/mta-sts.txt" else None
                self.send_response(200 if policy else 404)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write((policy or "").encode())

            def log_message(self, *_):
                pass
        self.httpd = http.server.ThreadingHTTPServer((WEB, 443), Handler)
        context = server_context(authority.issue("other.test"))
        context.sni_callback = self._choose
        self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def _choose(self, sock, name, _):
        sock.context = self.contexts.get(name, sock.context)

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


@pytest.fixture(scope="module")
def web(authority, other_authority):
    s = PolicyServer(authority, other_authority)
    yield s
    s.close()


@pytest.mark.parametrize("name,cert,logged,says", [
    ("enforced", "own", "verified-by=mta-sts", None),
    ("selfsigned", "self-signed", None, "self-signed certificate"),
    ("cleartext", None, None, "the server does not offer STARTTLS"),
    ("elsewhere", "own", None, "policy does not list the host"),
    ("trial", None, 'mta-sts-testing="?no TLS', None),
    ("untried", None, "tls=none", None),
    ("missing", None, "tls=none", None),
    ("forged", None, "tls=none", None),
    ("garbled", None, "tls=none", None)])
def test_mta_sts(hub, web, authority, marker, name, cert, logged, says):
    domain = name + ".test"
    made = {"own": lambda: authority.issue("mx." + domain), "self-signed": lambda: self_signed(authority.dir, "mx." + domain), None: lambda: None}[cert]()
    sink = Sink(tls=server_context(made) if made else None)
    try:
        with Route(hub, sink.port) as route:
            send(hub, marker, "x@" + domain)
            if says:
                route.error(marker, "MTA-STS policy asks for TLS with a trusted certificate of mx." + domain, says)
                assert not sink.messages
                hub.shell("Set-SendConnector route -MtaStsMode None")
            wait_for(lambda: "the message; " + hub.log_text()[-1500:], lambda: sink.got(marker), 30)
            if logged:
                wait_logged(hub, r"event=delivery .*to=%s .*%s" % (domain, logged))
            assert (name, "/.well-known/mta-sts.txt") in web.asked or name == "forged"
            if name in ("missing", "forged", "garbled"):
                wait_logged(hub, r"event=mta-sts-failed .*" + domain)
            hub.shell("Set-SendConnector route -MtaStsMode Opportunistic -Fqdn again.example.net")
            settle()
            asked = len(web.asked)
            send(hub, marker + "-again", "x@" + domain)
            if says:
                route.error(marker + "-again", "MTA-STS policy")
            else:
                wait_for("the second message", lambda: sink.got(marker + "-again"))
            assert len(web.asked) == asked, "what was fetched is remembered, a failure too"
    finally:
        sink.close()


def test_two_servers(hub, authority, marker):
    """Mutual: each end proves itself to the other, and the receiving end knows the partner."""
    partner = Server(domain="partner.test", hostname="mx.partner.test")
    try:
        partner.relax()
        partner.mailbox("bob@partner.test", "Pw-bob 7%x")
        believe(partner, authority)
        install(partner, "own", *authority.issue("mx.partner.test"))
        partner.shell("Set-TransportConfig -TLSReceiveDomainSecureList example.com")
        partner.shell("Set-ReceiveConnector 'Default mx' -DomainSecureEnabled $true -PermissionGroups @{Add='Partners','AnonymousUsers'}")
        wait_for("the certificate", lambda: any("Test Authority" in c["Issuer"] for c in partner.json("Get-ExchangeCertificate")))
        settle()
        with Route(hub, partner.smtp, "-DomainSecureEnabled $true"):
            send(hub, marker, "bob@partner.test")
            raw = partner.wait_mail("bob@partner.test", marker)[0]
        assert fields(raw, "X-MS-Exchange-Organization-AuthAs") == ["Partner"]
        assert fields(raw, "X-MS-Exchange-Organization-AuthDomain") == ["example.com"]
    finally:
        partner.close()


def test_no_certificate_of_our_own(hub, authority, marker):
    """EHLO with a name that no certificate has still proves this host; without any certificate, nothing leaves."""
    sink = Sink(tls=server_context(authority.issue("mx.bank.test"), authority), peer_certificate=True)
    certs = os.path.join(hub.state, "certs")
    away = [f for f in os.listdir(certs) if f.endswith((".crt", ".key"))]
    try:
        with Route(hub, sink.port, "-DomainSecureEnabled $true -Fqdn other.example.net") as route:
            send(hub, marker, "x@bank.test")
            assert wait_for("the message", lambda: sink.got(marker))[0]["certificate"]
            for f in away:
                os.rename(os.path.join(certs, f), os.path.join(hub.dir, f))
            hub.proc.send_signal(signal.SIGHUP)
            wait_for("no certificate", lambda: not hub.json("Get-ExchangeCertificate"))
            hub.shell("Set-SendConnector route -Fqdn third.example.net")  # no connection that rests is used again
            settle()
            send(hub, marker + "-none", "x@bank.test")
            route.error(marker + "-none", "this server has no certificate to prove itself with", "New-ExchangeCertificate")
            assert not sink.got(marker + "-none")
    finally:
        for f in away:
            if os.path.exists(os.path.join(hub.dir, f)):
                os.rename(os.path.join(hub.dir, f), os.path.join(certs, f))
        sink.close()
    wait_for("the certificates again", lambda: hub.json("Get-ExchangeCertificate"))
