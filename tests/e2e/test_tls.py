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
    os.unlink(path)
    wait_logged(server, "event=certificates-replaced")


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
