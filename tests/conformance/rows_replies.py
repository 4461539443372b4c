"""The replies: code, enhanced code and the text's beginning."""
import os
import re
import signal
import time

from table import AS, DEVIATES, NOT_YET, Row, Section
from rows_pressure import pressed
from world import ALICE, BASIC, BOB, PASSWORD, expect, say
from support.util import message


def spoken(*steps, extra="-PermissionGroups AnonymousUsers"):
    """On a new session these commands get these replies."""
    def check(w):
        with w.connector(extra).connect() as s:
            say(s, *steps)
    return check


HELLO, MAIL, RCPT = ("EHLO client.test", 250), ("MAIL FROM:<x@outside.test>", "250 2.1.0 Sender OK"), ("RCPT TO:<bob@example.com>", "250 2.1.5 Recipient OK")


def greeting(w):
    with w.connector().connect() as s:
        assert re.match(r"mail\.example\.com ESMTP Mailreeve ready at \w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}$", s.greeting.lines[0]), s.greeting


def ehlo(w):
    c = w.connector()
    with c.connect() as s:
        r = s.ehlo()
        assert r.lines[0] == "mail.example.com Hello [%s]" % c.ip and len(r.lines) > 5


def accepted(w):
    with w.connector().session() as s:
        r = s.send_mail("x@outside.test", BOB, b"Message-ID: <own@outside.test>\r\n\r\nx\r\n")
        assert re.match(r"2\.6\.0 <own@outside\.test> (\[InternalId=\S+\] )?Queued mail for delivery", r.lines[0]), r


def starttls(w):
    with w.connector().session() as s:
        expect(s.starttls(), "220 2.0.0 SMTP server ready")


def auth_rows(*steps):
    """steps(session): on a connector for users, after STARTTLS."""
    def check(w):
        with w.connector(BASIC).session(tls=True) as s:
            for step, want in steps:
                expect(step(s), want)
    return check


def auth_before_tls(w):
    with w.connector(BASIC).session() as s:
        expect(s.cmd("AUTH LOGIN"), "504 5.7.4 Unrecognized authentication type")
        expect(s.cmd("AUTH NTLM"), "504 5.7.4")


def auth_prompts(w):
    with w.connector(BASIC).session(tls=True) as s:
        say(s, ("AUTH LOGIN", "334 VXNlcm5hbWU6"), ("YWxpY2VAZXhhbXBsZS5jb20=", "334 UGFzc3dvcmQ6"), ("*", 501))


def backend_down(w):
    c = w.connector(BASIC)
    pids = w.hub.role_pids("directory")
    with c.session(tls=True) as s:
        s.cmd("AUTH LOGIN")
        s.cmd("YWxpY2VAZXhhbXBsZS5jb20=")
        for p in pids:
            os.kill(p, signal.SIGSTOP)
        try:
            s.send(b"UHctYWxpY2UgNyV4\r\n")
            for p in pids:
                os.kill(p, signal.SIGKILL)
            expect(s.reply(), "454 4.7.0 Temporary authentication failure")
        finally:
            from support.util import wait_for
            wait_for("a new directory process", lambda: set(w.hub.role_pids("directory")) - set(pids))


def tls_required(w):
    with w.connector("-RequireTLS $true -PermissionGroups AnonymousUsers").session() as s:
        expect(s.mail("x@outside.test"), "530 5.7.0 Must issue a STARTTLS command first")
        s.starttls()
        assert s.mail("x@outside.test") == 250


def too_many_recipients(w):
    with w.connector("-MaxRecipientsPerMessage 1 -PermissionGroups AnonymousUsers").session() as s:
        say(s, MAIL, RCPT, ("RCPT TO:<alice@example.com>", "452 4.5.3 Too many recipients"))
        marker = w.marker()
        assert s.data(message(marker, "x@outside.test", BOB)) == "250 2.6.0"
    w.hub.wait_mail(BOB, marker)


def rate(w):
    with w.connector("-MessageRateLimit 1 -PermissionGroups AnonymousUsers").session() as s:
        assert s.send_mail("x@outside.test", BOB, b"\r\nx\r\n") == "250 2.6.0"
        r = s.mail("x@outside.test")
        r = r if r.code != 250 else s.rcpt(BOB)
        r = r if r.code != 250 else s.data(b"\r\nx\r\n")
        expect(r, "421 4.4.2 Message submission rate for this client has exceeded the configured limit")


def connections(w):
    c = w.connector("-MaxInboundConnectionPerSource 1 -PermissionGroups AnonymousUsers")
    with c.session():
        with c.connect(greet=False) as s:
            expect(s.reply(), "421 4.3.2 The maximum number of concurrent connections has exceeded a limit")
            assert s.closed()


def idle(w):
    with w.connector("-ConnectionInactivityTimeout 00:00:01 -PermissionGroups AnonymousUsers").session() as s:
        expect(s.reply(), "421 4.4.1 Connection timed out")
        assert s.closed()


def errors(w):
    with w.connector("-MaxProtocolErrors 2 -PermissionGroups AnonymousUsers").session() as s:
        for _ in range(3):
            expect(s.cmd("WIZ"), "500 5.3.3")
        expect(s.reply(), "421 4.7.0 Too many errors on this connection, closing transmission channel")
        assert s.closed()


def failed_logons(w):
    with w.connector(BASIC + " -MaxLogonFailures 1").session(tls=True) as s:
        expect(s.auth_login(ALICE, "wrong"), "535 5.7.3")
        expect(s.reply(), "421 4.7.0 Too many failed logon attempts, closing transmission channel")
        assert s.closed()


def inactive(w):
    c = w.connector("-PermissionGroups AnonymousUsers").set("-Enabled $false")
    with c.connect() as s:
        s.ehlo()
        assert s.mail("x@outside.test") == "530 5.7.1", "the next best connector serves its clients"


def shutting_down(w):
    from support.server import Server
    s = Server()
    try:
        with s.session() as idle_one:
            s.proc.terminate()
            expect(idle_one.reply(), "421 4.3.2 Service not available")
            assert idle_one.closed()
    finally:
        s.close()


def loop(w):
    with w.connector("-MaxHopCount 2 -PermissionGroups AnonymousUsers").session() as s:
        hop = b"Received: from a by b; Mon, 01 Jan 2024 09:00:00 +0000\r\n"
        expect(s.send_mail("x@outside.test", BOB, hop * 3 + b"\r\nx\r\n"), "554 5.4.6 Hop count exceeded - possible mail loop")


def too_large(w):
    with w.connector("-MaxMessageSize 64KB -PermissionGroups AnonymousUsers").session() as s:
        expect(s.mail("x@outside.test", "SIZE=65537"), "552 5.3.4 Message size exceeds fixed maximum message size")
        expect(s.send_mail("x@outside.test", BOB, b"\r\n" + (b"y" * 98 + b"\r\n") * 700), "552 5.3.4 Message size exceeds fixed maximum message size")


def back_pressure(w):
    c = w.connector("-PermissionGroups AnonymousUsers")
    with pressed(w, "Medium"), c.session() as s:
        expect(s.mail("x@outside.test"), "452 4.3.1 Insufficient system resources")


def single_label(w):
    with w.connector().session() as s:
        say(s, MAIL, ("RCPT TO:<user@intranet>", 550))
        expect(s.rcpt("user@host.invalid"), 550)



def requires_authenticated_sender(w):
    w.hub.shell("New-DistributionGroup -Name inner -PrimarySmtpAddress inner@example.com -RequireSenderAuthenticationEnabled $true; "
                "Add-DistributionGroupMember inner -Member bob")
    c = w.connector("-PermissionGroups AnonymousUsers")
    with c.session() as s:
        s.mail("x@outside.test")
        expect(s.rcpt("inner@example.com"), "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required")
    c.grant("ms-Exch-SMTP-Accept-Any-Recipient")
    marker = w.marker()
    with c.session() as s:
        expect(s.send_mail(ALICE, "inner@example.com", message(marker, ALICE, "inner@example.com")), "250 2.6.0")
    assert b"#550 5.7.1 RESOLVER.RST.AuthRequired; authentication required ##" in w.hub.wait_mail(ALICE, marker)[0]
    with w.connector(BASIC).login() as s:
        assert w.delivered(s, to="inner@example.com", box=BOB)


def wants_authenticated_sender_by_default(w):
    w.cold.shell("New-DistributionGroup plain; New-Mailbox plain2 -Password x-1")
    assert not w.cold.one("Get-DistributionGroup plain")["RequireSenderAuthenticationEnabled"]
    assert not w.cold.one("Get-Mailbox plain2")["RequireSenderAuthenticationEnabled"]


def server_auth(w):
    with w.connector("-AuthMechanism Tls,ExchangeServer -PermissionGroups ExchangeServers").session() as s:
        assert s.cmd("X-EXPS GSSAPI") == "500 5.3.3"


def after_tarpit(w):
    c = w.connector("-TarpitInterval 00:00:01 -PermissionGroups AnonymousUsers")
    with c.session() as s:
        s.mail("x@outside.test")
        began = time.monotonic()
        assert s.rcpt("far@elsewhere.test") == "550 5.7.1"
        assert time.monotonic() - began >= 0.95


REPLIES = Section("3.4", "Replies", (
    Row("Greeting", "220, the Fqdn, the product's name and the time", DEVIATES, greeting, "Mailreeve says that it is Mailreeve; the rest of the line has Exchange's form."),
    Row("EHLO ok", "250-FQDN Hello [client]", AS, ehlo),
    Row("EHLO bad name", "501 5.5.4 Invalid domain name", AS, spoken(("EHLO foo<bar", "501 5.5.4 Invalid domain name"))),
    Row("Unknown verb", "500 5.3.3 Unrecognized command", AS, spoken(HELLO, ("WIZ", "500 5.3.3 Unrecognized command"))),
    Row("Out of order", "503 5.5.2 Send hello first", AS, spoken(("MAIL FROM:<x@outside.test>", "503 5.5.2 Send hello first"))),
    Row("MAIL ok / RCPT ok", "250 2.1.0 Sender OK, 250 2.1.5 Recipient OK", AS, spoken(HELLO, MAIL, RCPT)),
    Row("Bad sender syntax", "5.1.7 Invalid address; 550 in the documents, 501 in reports", AS, spoken(HELLO, ("MAIL FROM:<x@", "501 5.1.7 Invalid address")),
        "501, which RFC 5321 has for syntax."),
    Row("Unknown recipient", "550 5.1.1 User unknown", AS, spoken(HELLO, MAIL, ("RCPT TO:<nobody@example.com>", "550 5.1.1 User unknown")),
        "At RCPT for clients that may not relay; those that may get a report, as Exchange without recipient filter sends it."),
    Row("DATA", "354 Start mail input; end with <CRLF>.<CRLF>", AS, spoken(HELLO, MAIL, RCPT, ("DATA", "354 Start mail input; end with <CRLF>.<CRLF>"))),
    Row("Accepted", "250 2.6.0 <message-id> Queued mail for delivery, later with [InternalId=n]", AS, accepted),
    Row("QUIT", "221 2.0.0 Service closing transmission channel", AS, spoken(("QUIT", "221 2.0.0 Service closing transmission channel"))),
    Row("STARTTLS", "220 2.0.0 SMTP server ready", AS, starttls),
    Row("AUTH unsupported mechanism", "504 5.7.4 Unrecognized authentication type, also for LOGIN that waits for TLS", AS, auth_before_tls),
    Row("AUTH ok", "235 2.7.0 Authentication successful", AS, auth_rows((lambda s: s.auth_login(ALICE, PASSWORD), "235 2.7.0 Authentication successful"))),
    Row("AUTH bad credentials", "535 5.7.3 Authentication unsuccessful", AS,
        auth_rows((lambda s: s.auth_login(ALICE, "wrong"), "535 5.7.3 Authentication unsuccessful"),
                  (lambda s: s.auth_login("nobody@example.com", "wrong"), "535 5.7.3 Authentication unsuccessful"))),
    Row("AUTH LOGIN prompts", "334 VXNlcm5hbWU6, 334 UGFzc3dvcmQ6", AS, auth_prompts),
    Row("AUTH backend down", "454 4.7.0 Temporary authentication failure", AS, backend_down),
    Row("Server auth impossible", "451 5.7.3 Cannot achieve Exchange Server authentication, in the sender's log", DEVIATES, server_auth,
        "X-EXPS is Windows' and not offered; servers prove themselves by certificate."),
    Row("TLS required, not started", "530 5.7.0 or 451 5.7.3: unconfirmed which", AS, tls_required, "`530 5.7.0 Must issue a STARTTLS command first` (RFC 3207)."),
    Row("Too many recipients", "452 4.5.3 for each one too many; the message goes on for those before", AS, too_many_recipients, "Behind the text stands which limit, of which connector or of the organisation; the same in the log."),
    Row("Rate limit", "421 4.4.2 Message submission rate for this client has exceeded the configured limit", AS, rate, "Behind the documented text stands which limit, of which connector."),
    Row("Connection limits", "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing", AS, connections, "As above. With implicit TLS the connection is closed without a word: a handshake would cost more than what it refuses."),
    Row("Idle timeout", "421 4.4.1 Connection timed out", AS, idle),
    Row("MaxProtocolErrors reached", "421 4.7.0 Too many errors on this connection, closing", AS, errors),
    Row("MaxLogonFailures reached", "the session is closed; the text is not known", AS, failed_logons, "`421 4.7.0 Too many failed logon attempts`."),
    Row("Too large", "552 5.3.4 Message size exceeds fixed maximum message size", AS, too_large, "552 from RFC 1870; the documents give the enhanced code."),
    Row("Back pressure", "452 4.3.1 Insufficient system resources", AS, back_pressure, "Behind the text stand the resource, its value and its threshold; section 11.4."),
    Row("Service paused", "421 4.3.2 Service not active", DEVIATES, inactive,
        "A disabled connector takes no part in the selection, so that its clients reach the next best one."),
    Row("Service shutting down", "421 4.3.2 Service not available", AS, shutting_down),
    Row("Loop", "554 5.4.6 Hop count exceeded - possible mail loop", AS, loop),
    Row("Reserved and single-label recipient domains", "5.1.4, 5.1.5, 5.1.6 from 2010 on", DEVIATES, single_label, "As in 2007: such a domain is one like any other."),
    Row("Recipient requires authenticated sender", "550 5.7.1 RESOLVER.RST.AuthRequired in a report", AS, requires_authenticated_sender,
        "In a report where the session may relay or a group led there; who may not relay is refused at RCPT. Authenticated is what is stamped Internal."),
    Row("RequireSenderAuthenticationEnabled of what is new", "$true for groups, $false for others, as 2007 is remembered", DEVIATES, wants_authenticated_sender_by_default,
        "$false for groups too: nothing in making one says that the world is shut out, and an upgrade must not do it either."),
    Row("Refusals after the tarpit", "refusals of clients that have not logged on come after TarpitInterval", AS, after_tarpit),
))

SECTIONS = [REPLIES]
