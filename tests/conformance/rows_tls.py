"""TLS: which certificate, when STARTTLS is offered, what is required."""
import os
import signal
import ssl
import subprocess

from table import AS, BEYOND, DEVIATES, Row, Section
from rows_parameters import ANON
from world import BASIC, expect
from support.smtp import tls_context
from support.server import wait_logged
from support.util import wait_for


def certificate(w, file, names, days=365, begin=None):
    """Puts a self-signed certificate into certs/ and has the server read it."""
    certs = w.hub.state + "/certs"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + names[0],
            "-addext", "subjectAltName=" + ",".join("DNS:" + n for n in names), "-keyout", "%s/%s.key" % (certs, file), "-out", "%s/%s.crt" % (certs, file),
            "-days", str(days)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    w.hub.proc.send_signal(signal.SIGHUP)


def remove(w, file):
    for end in (".key", ".crt"):
        os.unlink("%s/certs/%s%s" % (w.hub.state, file, end))
    w.hub.proc.send_signal(signal.SIGHUP)


def presented(s):
    """The names in the certificate of the session."""
    der = s.sock.getpeercert(binary_form=True)
    p = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-ext", "subjectAltName"], input=der, stdout=subprocess.PIPE, check=True)
    return p.stdout.decode()


def tls_unticked(w):
    with w.connector(ANON + "-AuthMechanism None").session() as s:
        assert "STARTTLS" not in s.ext and s.cmd("STARTTLS").code in (500, 502)


def wanted_name(w):
    certificate(w, "named", ["named.example.com"])
    try:
        c = w.connector(ANON + "-Fqdn named.example.com")
        with wait_for("STARTTLS", lambda: (lambda s: s if "STARTTLS" in s.ext else s.close())(c.session())) as s:
            s.starttls()
            assert "DNS:named.example.com" in presented(s)
        with c.set("-Fqdn $null").session(tls=True) as s:
            assert "DNS:mail.example.com" in presented(s)
    finally:
        remove(w, "named")


def none_fits(w):
    c = w.connector(ANON + "-Fqdn missing.example.com")
    with c.session() as s:
        assert "STARTTLS" not in s.ext
    wait_logged(w.hub, "event=no-certificate[^\n]*missing.example.com")


def basic_gone_too(w):
    with w.connector(BASIC + " -Fqdn missing2.example.com").session() as s:
        assert "STARTTLS" not in s.ext and "AUTH" not in s.ext


def subject_or_san(w):
    certificate(w, "wild", ["*.wild.test", "other.test"])
    try:
        for name in ("a.wild.test", "other.test"):
            c = w.connector(ANON + "-Fqdn " + name)
            wait_for("STARTTLS for " + name, lambda: _offered(c))
        assert not _offered(w.connector(ANON + "-Fqdn a.b.wild.test"))
    finally:
        remove(w, "wild")


def _offered(c):
    with c.session() as s:
        return "STARTTLS" in s.ext


def newest(w):
    certificate(w, "old", ["twice.test", "old.test"])
    c = w.connector(ANON + "-Fqdn twice.test")
    wait_for("STARTTLS", lambda: _offered(c))
    import time
    time.sleep(1.1)  # Valid From has whole seconds
    certificate(w, "new", ["twice.test", "new.test"])
    try:
        def names():
            with c.session(tls=True) as s:
                return "new.test" in presented(s)
        wait_for("the newer certificate", names)
    finally:
        remove(w, "old")
        remove(w, "new")


def self_signed(w):
    with w.hub.session(w.hub.submission) as s:
        s.starttls()
        assert "DNS:mail.example.com" in presented(s)


def enable_certificate(w):
    w.cold.shell("Get-ExchangeCertificate")


def fqdn_equal(w):
    none_fits(w)


def opportunistic(w):
    with w.connector(ANON + "-AuthMechanism Tls").session() as s:
        assert "STARTTLS" in s.ext and s.mail("x@outside.test") == 250


def require(w):
    with w.connector(ANON + "-RequireTLS $true").session() as s:
        for command in ("MAIL FROM:<x@outside.test>", "RCPT TO:<bob@example.com>", "DATA", "VRFY x"):
            assert s.cmd(command).code in (530, 503), command
        expect(s.mail("x@outside.test"), "530 5.7.0 Must issue a STARTTLS command first")
        s.starttls()
        assert s.mail("x@outside.test") == 250


def versions(w):
    c = w.connector(ANON)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with c.connect(context=tls_context(minimum_version=version, maximum_version=version)) as s:
            s.ehlo()
            s.starttls()
            assert s.mail("x@outside.test") == 250
    old = tls_context(maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with c.connect(context=old) as s:
        s.ehlo()
        try:
            s.starttls()
        except (ssl.SSLError, OSError, EOFError):
            return
    raise AssertionError("TLS 1.1 was spoken")


def anonymous_tls(w):
    with w.connector("-AuthMechanism Tls,ExchangeServer -PermissionGroups ExchangeServers").session() as s:
        assert "X-ANONYMOUSTLS" not in s.ext and s.cmd("X-ANONYMOUSTLS") == "500 5.3.3"


def after_tls(w):
    """What was said before counts no more (RFC 3207)."""
    with w.connector(ANON).session() as s:
        assert s.mail("x@outside.test") == 250
        s.starttls(ehlo=False)
        assert s.cmd("RCPT TO:<bob@example.com>") == "503 5.5.2"


def said_in_shell(w):
    c = w.connector(ANON + "-Fqdn unsaid.example.com")
    shown = w.hub.shell("Get-ReceiveConnector '%s' | fl" % c.name)
    assert "ertificate" in shown, "Get-ReceiveConnector says nothing of it"


def no_restart(w):
    certificate(w, "fresh", ["fresh.test", "first.test"])
    c = w.connector(ANON + "-Fqdn fresh.test")
    wait_for("STARTTLS", lambda: _offered(c))
    pids = w.hub.role_pids("receive")
    import time
    time.sleep(1.1)
    # Replaced on disk, without a signal.
    p = w.hub.proc
    w.hub.proc = type("P", (), {"send_signal": lambda self, n: None})()
    try:
        certificate(w, "fresh", ["fresh.test", "second.test"])
    finally:
        w.hub.proc = p
    try:
        def second():
            with c.session(tls=True) as s:
                return "second.test" in presented(s)
        wait_for("the replaced certificate", second, 4)
        assert w.hub.role_pids("receive") == pids
    finally:
        remove(w, "fresh")


T1 = Section("15.1", "The certificate of STARTTLS", (
    Row("1 AuthMechanism", "without Tls nothing is offered", AS, tls_unticked),
    Row("2 wanted name", "the connector's Fqdn, or else the server's name", AS, wanted_name),
    Row("3 Subject or SAN", "must match; wildcards count", AS, subject_or_san),
    Row("3 none", "STARTTLS is not offered; event 12014", AS, none_fits, "Logged as no-certificate, with the remedy."),
    Row("4 eligible", "enabled for SMTP by Enable-ExchangeCertificate", AS, enable_certificate, "What is put into certs/ counts as enabled; -Services None, which Exchange has not, takes it out."),
    Row("5 newest", "the newest Valid From of those that fit (recalled)", AS, newest),
    Row("consequence", "no STARTTLS means no LOGIN under BasicAuthRequireTLS", AS, basic_gone_too),
    Row("why there is no STARTTLS", "nothing says it", BEYOND, said_in_shell, "TlsCertificate of Get-ReceiveConnector says it, as do the log, explain and the audit."),
    Row("replaced on disk", "used after a restart of the service", BEYOND, no_restart, "Used from the next handshake, without a restart or a signal; a bad file leaves the old one in use."),
))
T2 = Section("15.2", "X-ANONYMOUSTLS", (
    Row("X-ANONYMOUSTLS", "TLS between Exchange servers without a check of names", DEVIATES, anonymous_tls, "Needs Kerberos behind it; not offered."),
))
T3 = Section("15.3", "TLS", (
    Row("Install certificate", "self-signed, names host and FQDN, works out of the box", AS, self_signed),
    Row("Enable-ExchangeCertificate", "-Services SMTP", AS, lambda w: w.cold.shell("Get-Help Enable-ExchangeCertificate")),
    Row("Fqdn and certificate", "must agree for Basic over TLS", AS, fqdn_equal),
    Row("Opportunistic TLS", "offered, never forced", AS, opportunistic),
    Row("RequireTLS", "all mail over TLS", AS, require),
    Row("Protocol versions", "SSL 3.0 and TLS 1.0 in 2007", DEVIATES, versions, "TLS 1.2 and 1.3; older ones where TlsMinimumVersion of a connector says so."),
    Row("after STARTTLS", "the session begins anew", AS, after_tls),
))

SECTIONS = [T1, T2, T3]
