"""Certificates, mutual TLS, versions and what speaks TLS at the wrong place."""
import hashlib
import os
import socket
import ssl
import stat

import pytest

from support.pki import Authority, install
from support.server import Server, settle, wait_logged
from support.smtp import SMTP
from support.util import run, wait_for

APP = "127.0.0.2"


@pytest.fixture(scope="module")
def authority():
    a = Authority()
    yield a
    a.close()


@pytest.fixture(scope="module", autouse=True)
def set_up(server):
    server.connector("app", APP)
    settle()


def subject(server, sni=None, port=None, source=APP):
    """The presented certificate's CN, through STARTTLS with that server name."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    with SMTP(port or server.smtp, source=source) as s:
        s.ehlo()
        assert s.cmd("STARTTLS") == 220
        s.sock = c.wrap_socket(s.sock, server_hostname=sni)
        der = s.sock.getpeercert(True)
    out = run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "multiline"], input=der).stdout.decode()
    return out.split("commonName")[1].split("=")[1].strip()


def offers_starttls(server, source=APP):
    with server.session(source=source) as s:
        return "STARTTLS" in s.ext


# ---- certificates


def test_by_server_name(server, authority):
    install(server, "other", *authority.issue("smtp.example.com"))
    wait_for("the new certificate", lambda: subject(server, "smtp.example.com") == "smtp.example.com")
    assert subject(server, "mail.example.com") == "mail.example.com"
    assert subject(server, None) == "mail.example.com"
    assert subject(server, "elsewhere.test") == "mail.example.com", "a name of nobody's gets the connector's"


def test_by_fqdn_and_none_fitting(server):
    server.connector("nameless", "127.0.0.7", extra="-Fqdn nobody.example.com")
    settle()
    assert not offers_starttls(server, "127.0.0.7")
    shown = server.one("Get-ReceiveConnector nameless")["TlsCertificate"]
    assert shown.startswith("none: no certificate names nobody.example.com")
    wait_logged(server, "event=no-certificate fqdn=nobody.example.com")
    made = server.one("New-ExchangeCertificate -DomainName nobody.example.com")
    wait_for("STARTTLS without a reload", lambda: offers_starttls(server, "127.0.0.7"))
    assert subject(server, source="127.0.0.7") == "nobody.example.com"
    assert server.one("Get-ReceiveConnector nameless")["TlsCertificate"].startswith(made["Thumbprint"])
    server.shell("Enable-ExchangeCertificate %s -Services None" % made["Thumbprint"])
    wait_for("no STARTTLS", lambda: not offers_starttls(server, "127.0.0.7"))
    assert "is not enabled" in server.one("Get-ReceiveConnector nameless")["TlsCertificate"]
    server.shell("Enable-ExchangeCertificate %s -Services SMTP" % made["Thumbprint"])
    wait_for("STARTTLS again", lambda: offers_starttls(server, "127.0.0.7"))
    server.shell("Remove-ExchangeCertificate %s -Confirm:$false" % made["Thumbprint"])
    wait_for("no STARTTLS any more", lambda: not offers_starttls(server, "127.0.0.7"))


def test_replaced_on_disk(server, authority):
    """From the next handshake on, without a signal; an open session is not disturbed."""
    with server.session(source=APP) as old:
        old.starttls()
        before = hashlib.sha256(old.sock.getpeercert(True)).hexdigest()
        crt, key = authority.issue("mail.example.com")
        install(server, "renewed", crt, key)
        want = hashlib.sha256(ssl.PEM_cert_to_DER_cert(open(crt, encoding="ascii").read())).hexdigest()

        def now():
            with server.session(source=APP) as s:
                s.starttls()
                return hashlib.sha256(s.sock.getpeercert(True)).hexdigest()
        wait_for("the renewed certificate", lambda: now() == want)
        assert before != want and old.cmd("NOOP") == 250
    assert server.one("Get-ExchangeCertificate renewed")["Connectors"], "the authority's comes before a self-signed one"
    for ending in (".crt", ".key"):
        os.unlink(os.path.join(server.state, "certs", "renewed" + ending))
    wait_for("the one before", lambda: now() == before)


def test_a_bad_file_changes_nothing(server, authority):
    path = os.path.join(server.state, "certs", "half.crt")
    with open(path, "w", encoding="ascii") as f:
        f.write("-----BEGIN CERTIFICATE-----\nMIIB")
    wait_logged(server, "event=certificates-refused .*half")
    assert subject(server) == "mail.example.com"
    assert server.one("Get-ExchangeCertificate half")["Status"] == "Invalid"
    assert "it was done, but the server goes on" in server.shell_error("New-ExchangeCertificate -DomainName late.example.com")
    before = server.log_text().count("event=certificates-replaced")
    os.unlink(path)
    wait_for("the good set again", lambda: server.log_text().count("event=certificates-replaced") > before)


def test_request_and_answer(server, authority, tmp_path):
    csr, answer = str(tmp_path / "mail.csr"), str(tmp_path / "mail.crt")
    made = server.one("New-ExchangeCertificate -GenerateRequest -DomainName req.example.com -Path '%s'" % csr)
    assert made["Status"] == "PendingRequest"
    key = os.path.join(server.state, "certs", made["Name"] + ".key")
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    os.rename(authority.issue("req.example.com", csr=csr)[0], answer)
    got = server.one("Import-ExchangeCertificate -Path '%s'" % answer)
    assert got["Status"] == "Valid" and got["CertificateDomains"] == ["req.example.com"] and got["Name"] == made["Name"]
    wait_for("the answer in use", lambda: subject(server, "req.example.com") == "req.example.com")
    assert "PRIVATE" not in server.shell("Get-ExchangeCertificate | fl") + server.log_text()


def test_import_pkcs12(server, authority, tmp_path):
    crt, key = authority.issue("pfx.example.com")
    pfx = authority.pkcs12(crt, key, "s3cret-pfx")
    assert "password" in server.shell_error("Import-ExchangeCertificate -Path '%s' -Password wrong" % pfx)
    secret = tmp_path / "pw"
    secret.write_text("s3cret-pfx\n")
    got = server.one("Import-ExchangeCertificate -Path '%s' -PasswordFile '%s'" % (pfx, secret))
    assert got["CertificateDomains"] == ["pfx.example.com"] and not got["IsSelfSigned"]
    wait_for("the certificate in use", lambda: subject(server, "pfx.example.com") == "pfx.example.com")
    assert "s3cret-pfx" not in server.log_text()


def test_with_the_server_stopped(fresh_server, tmp_path):
    fresh_server.stop()
    csr = str(tmp_path / "stopped.csr")
    fresh_server.shell("New-ExchangeCertificate -DomainName stopped.example.com")
    fresh_server.shell("New-ExchangeCertificate -GenerateRequest -DomainName r.example.com -Path '%s'" % csr)
    assert "REQUEST" in open(csr, encoding="ascii").read()
    assert "exist" in fresh_server.shell_error("New-ExchangeCertificate -GenerateRequest -Path '%s'" % csr).lower()
    names = {n for c in fresh_server.json("Get-ExchangeCertificate") for n in c.get("CertificateDomains") or []}
    assert {"mail.example.com", "stopped.example.com"} <= names
    fresh_server.start()
    fresh_server.connector("app", APP)
    settle()
    assert subject(fresh_server, "stopped.example.com") == "stopped.example.com"


# ---- partners with mutual TLS


@pytest.fixture(scope="module")
def partners(server, authority):
    """Connector `partners` for 127.0.0.8: mutual TLS with partner.test, by the private authority."""
    before = server.log_text().count("event=certificates-replaced")
    trusted = os.path.join(server.state, "certs", "trusted")
    os.makedirs(trusted, exist_ok=True)
    with open(authority.crt, encoding="ascii") as f, open(trusted + "/test.pem", "w", encoding="ascii") as to:
        to.write(f.read())
    server.shell("Set-TransportConfig -TLSReceiveDomainSecureList partner.test,bank.test")
    server.connector("partners", "127.0.0.8", groups="Partners,AnonymousUsers", extra="-DomainSecureEnabled $true")
    wait_for("the authority to be believed", lambda: server.log_text().count("event=certificates-replaced") > before)
    settle()
    return server


def mutual(server, cert=None, source="127.0.0.8"):
    """A session under TLS, with a client certificate or without."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if cert:
        c.load_cert_chain(*cert)
    s = SMTP(server.smtp, source=source, context=c)
    s.ehlo()
    s.starttls()
    return s


def test_a_partner_proves_itself(partners, authority, marker):
    from support.util import fields, message
    with mutual(partners, authority.issue("mx.partner.test")) as s:
        assert s.mail("x@bank.test") == "550 5.7.1", "another listed domain, which the certificate does not name"
        assert s.mail("x@far.test") == "550 5.7.1", "a partner may send as itself; nothing says it may send as anybody"
        r = s.send_mail("x@partner.test", "alice@example.com",
                        message(marker, "x@partner.test", "alice@example.com", headers=b"X-MS-Exchange-Organization-AuthAs: Internal\r\n"))
        assert r == "250 2.6.0", r
    raw = partners.wait_mail("alice@example.com", marker)[0]
    assert fields(raw, "X-MS-Exchange-Organization-AuthAs") == ["Partner"], "ours, and not what the client claimed"
    assert fields(raw, "X-MS-Exchange-Organization-AuthDomain") == ["partner.test"]
    wait_logged(partners, r"event=client-certificate .*names=mx\.partner\.test .*problem=none proves=partner domain=partner\.test")


@pytest.mark.parametrize("what,says,logged", [("none", "no client certificate was presented", "no certificate"),
                                              ("expired", "is not valid here", "certificate has expired"),
                                              ("self-signed", "is not valid here", "self-signed certificate"),
                                              ("another", "does not name it", "none")])
def test_a_listed_domain_without_proof(partners, authority, what, says, logged):
    if what == "self-signed":
        stem = authority.dir + "/self"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", stem + ".key", "-out",
             stem + ".crt", "-days", "30", "-subj", "/CN=mx.partner.test", "-addext", "subjectAltName=DNS:mx.partner.test"])
    cert = {"none": lambda: None, "expired": lambda: authority.issue("mx.partner.test", days=-1), "self-signed": lambda: (stem + ".crt", stem + ".key"),
            "another": lambda: authority.issue("mx.bank.test")}[what]()
    with mutual(partners, cert) as s:
        r = s.mail("x@partner.test")
        assert r == "550 5.7.1" and "mutual TLS" in r.text and says in r.text, r
        if what != "another":
            assert s.mail("x@far.test") == 250, "the session goes on as anonymous"
    wait_logged(partners, 'event=client-certificate .*problem="?%s' % logged)


def test_a_listed_domain_in_the_header(partners, authority, marker):
    """Whoever stands in the envelope: what people see is the author."""
    from support.util import message
    with mutual(partners) as s:
        for author, headers in (("x@Partner.test", b""), ("x@far.test", b"Sender: x@partner.test\r\n")):
            r = s.send_mail("x@far.test", "alice@example.com", message(marker, author, "alice@example.com", headers=headers))
            assert r == "550 5.7.1" and "mutual TLS, and no client certificate was presented" in r.text, (author, r)
        assert s.send_mail("x@far.test", "alice@example.com", message(marker, "x@far.test", "alice@example.com")) == "250 2.6.0"
    with mutual(partners, authority.issue("mx.partner.test")) as s:
        r = s.send_mail("x@partner.test", "alice@example.com", message(marker, "x@bank.test", "alice@example.com"))
        assert r == "550 5.7.1" and "does not name it" in r.text, r
    assert len(partners.wait_mail("alice@example.com", marker)) == 1


def test_a_listed_domain_in_the_clear(partners):
    with partners.session(source="127.0.0.8") as s:
        r = s.mail("x@partner.test")
        assert r == "550 5.7.1" and "TLS was not started" in r.text
    with partners.session(source=APP) as s:
        assert s.mail("x@partner.test") == 250, "connectors without DomainSecureEnabled do not ask"


# ---- versions and ciphers


def s_client(server, source, *options):
    """True when openssl's handshake comes about."""
    p = run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.smtp, "-bind", source + ":0", "-starttls", "smtp", *options], input=b"QUIT\n",
            check=False, timeout=20)
    return b"Cipher is (NONE)" not in p.stdout and b"Cipher is " in p.stdout


OLD = ["-cipher", "ALL:@SECLEVEL=0"]


def test_an_old_scanner_on_one_connector(server):
    assert "-TlsCipherProfile Legacy" in server.shell_error("Set-ReceiveConnector app -TlsMinimumVersion Tls10")
    server.connector("scanner", "127.0.0.9", extra="-TlsMinimumVersion Tls10 -TlsCipherProfile Legacy")
    server.shell("New-ExchangeCertificate -Algorithm RSA -DomainName mail.example.com")
    settle()
    wait_for("the RSA certificate", lambda: s_client(server, "127.0.0.9", "-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"))
    for version in ("-tls1", "-tls1_1", "-tls1_2"):
        assert s_client(server, "127.0.0.9", version, *OLD), version
    assert s_client(server, "127.0.0.9", "-tls1_3")
    for version, works in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        options = OLD if version != "-tls1_3" else []
        assert s_client(server, APP, version, *options) == works, "the others stay as they are: " + version
    assert not s_client(server, APP, "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"), "nor do they take its ciphers"


def test_modern(server):
    server.connector("modern", "127.0.0.10", extra="-TlsCipherProfile Modern -TlsMinimumVersion Tls12")
    settle()
    assert s_client(server, "127.0.0.10", "-tls1_2", "-cipher", "ECDHE+AESGCM")
    assert not s_client(server, "127.0.0.10", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA")
    assert s_client(server, APP, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA")


# ---- two servers of one organisation


MARKS = b"X-MS-Exchange-Organization-SCL: 3\r\nX-MS-Exchange-Forest-RulesExecuted: here\r\n"


def fingerprint(server):
    return server.one("Get-ExchangeCertificate -DomainName %s" % server.host)["Sha256Thumbprint"]


@pytest.fixture(scope="module")
def pair():
    """An Edge server and a Hub behind it; the Edge sends example.com to the Hub with ExchangeServer authentication."""
    hub = Server(hostname="hub.example.com")
    edge = Server(hostname="edge.example.com", role="edge", domain="example.com")
    hub.relax()
    edge.relax()
    hub.mailbox("alice@example.com", "Pw-alice 7%x")
    edge.shell("Set-AcceptedDomain example.com -DomainType InternalRelay")
    edge.connector("trusted", APP, groups="AnonymousUsers")
    # What a test brings in: a source that may bring organization headers.
    edge.shell("Get-ReceiveConnector trusted | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights "
               "ms-Exch-Accept-Headers-Organization,ms-Exch-Accept-Headers-Forest")
    edge.shell("Set-TransportServer -TransientFailureRetryInterval 00:00:01 -OutboundConnectionFailureRetryInterval 00:00:01 "
               "-MessageRetryInterval 00:00:01 -QueueGlitchRetryInterval 00:00:01 -QueueGlitchRetryCount 0")
    edge.smart_host(hub.smtp, spaces="example.com", name="hub", extra="-SmartHostAuthMechanism ExchangeServer")
    settle()
    yield hub, edge
    edge.close()
    hub.close()


def carry(pair, marker):
    from support.util import message
    hub, edge = pair
    with edge.session(source=APP) as s:
        assert s.send_mail("x@far.test", "alice@example.com", message(marker, "x@far.test", "alice@example.com", headers=MARKS)) == "250 2.6.0"


def test_servers_that_know_each_other(pair, marker):
    from support.util import fields
    hub, edge = pair
    hub.shell("Set-TransportConfig -EdgeTransportServerCertificates %s" % fingerprint(edge))
    edge.shell("Set-TransportConfig -HubTransportServerCertificates %s" % fingerprint(hub).upper())
    settle()
    carry(pair, marker)
    raw = hub.wait_mail("alice@example.com", marker)[0]
    assert fields(raw, "X-MS-Exchange-Organization-SCL") == ["3"]
    assert fields(raw, "X-MS-Exchange-Organization-AuthSource") == ["edge.example.com"], "the Edge's stamp is kept"
    wait_logged(hub, r"event=client-certificate .*names=edge\.example\.com .*proves=edge")


def test_a_hub_that_does_not_know_the_edge(pair, marker):
    """The Edge still knows the Hub and sends all; to the Hub it is nobody, who may bring no such fields."""
    from support.util import fields
    hub, edge = pair
    hub.shell("Set-TransportConfig -EdgeTransportServerCertificates $null")
    hub.shell("Set-ReceiveConnector 'Default hub' -PermissionGroups @{Add='AnonymousUsers'}")
    settle()
    edge.restart()  # a session keeps the policy that it began with
    carry(pair, marker)
    raw = hub.wait_mail("alice@example.com", marker)[0]
    assert not fields(raw, "X-MS-Exchange-Organization-SCL")
    assert fields(raw, "X-MS-Exchange-Organization-AuthSource") == ["hub.example.com"], "nor its stamp"


def test_an_edge_that_does_not_know_the_hub(pair, marker):
    """Nothing leaves for whoever answers at the address, until it proves to be the Hub."""
    hub, edge = pair
    edge.shell("Set-TransportConfig -HubTransportServerCertificates %s" % ("0" * 64))
    settle()
    carry(pair, marker)
    wait_logged(edge, "Cannot achieve Exchange Server authentication")
    wait_for("Last Error", lambda: any("Exchange Server authentication" in (q["LastError"] or "") for q in edge.json("Get-Queue")))
    assert not hub.mail("alice@example.com", marker)
    edge.shell("Set-TransportConfig -HubTransportServerCertificates %s" % fingerprint(hub))
    hub.wait_mail("alice@example.com", marker)


# ---- TLS and text at the wrong place


def test_tls_where_starttls_is_due(server):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.smtp), 10, source_address=("127.0.0.12", 0)) as s:
            with pytest.raises(ssl.SSLError):
                c.wrap_socket(s)
    wait_logged(server, r"event=tls-where-starttls-is-due .*remote=127\.0\.0\.12 .*remedy=.*STARTTLS")
    assert not [x for x in server.log_text().splitlines() if "bad-command" in x and "remote=127.0.0.12" in x], "the machine saw nothing of it"
    lines = [x for x in server.log_text().splitlines() if "event=tls-where-starttls-is-due" in x and "remote=127.0.0.12" in x]
    assert len(lines) <= len(server.role_pids("receive")), "once a minute for a client in each process"


@pytest.mark.parametrize("first", [b"EHLO client.test\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"])
def test_text_where_tls_is_due(server, first):
    with socket.create_connection(("127.0.0.1", server.submissions), 10) as s:
        s.sendall(first)
        got = b""
        while not got.endswith(b"\r\n"):
            piece = s.recv(4096)
            assert piece, got
            got += piece
        assert got.startswith(b"421 4.7.0 This port speaks TLS from the first byte") and b"587" in got
        assert s.recv(10) == b""
    wait_logged(server, r"event=text-where-tls-is-due .*remedy=.*SSL/TLS")


def test_silence_where_tls_is_due(server):
    server.shell("Set-ReceiveConnector 'Client Implicit TLS mail' -ConnectionInactivityTimeout 00:00:01")
    settle()
    with socket.create_connection(("127.0.0.1", server.submissions), 10) as s:
        assert s.recv(4096).startswith(b"421 4.7.0 This port speaks TLS")
    wait_logged(server, r"event=silence-where-tls-is-due .*remedy=")
    server.shell("Set-ReceiveConnector 'Client Implicit TLS mail' -ConnectionInactivityTimeout 00:05:00")


def test_text_behind_starttls(server):
    with server.session(source=APP) as s:
        assert s.cmd("STARTTLS") == 220
        s.send(b"MAIL FROM:<x@outside.test>\r\n")
        assert s.reply() == "421 4.7.0"
        assert s.closed()


# ---- explain says the same


def explain(server, *options):
    import json
    from support.server import BINARY
    p = run([BINARY, "explain", "--state", server.state, "--remote", "127.0.0.8", "--local", "127.0.0.1:%d" % server.smtp, "--from", "x@partner.test",
             "--to", "alice@example.com", "--json", *options], check=False)
    return json.loads(p.stdout)


def test_explain_knows_partners(partners, authority):
    crt, _ = authority.issue("mx.partner.test")
    other, _ = authority.issue("mx.bank.test")
    expired, _ = authority.issue("mx.partner.test", days=-1)
    for options, code, says in (((), 550, "TLS was not started"), (("--tls",), 550, "no client certificate was presented"),
                                (("--tls", "--cert", expired), 550, "is not valid here"), (("--tls", "--cert", other), 550, "does not name it"),
                                (("--tls", "--cert", crt), 250, "")):
        e = explain(partners, *options)
        assert e["code"] == code, (options, e)
        assert says in str(e), (options, e)
    assert "not trusted: certificate has expired" in explain(partners, "--tls", "--cert", expired)["session"]["certificate"]
