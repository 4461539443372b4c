"""The rights: what each gives and what its absence means; and the sender rule."""
from table import AS, DEVIATES, Row, Section
from world import ALICE, ANONYMOUS, BASIC, BOB, EXTERNAL, PASSWORD, expect
from rows_groups import EXCH50, FLAG, FOREST, ORGANIZATION, OWN, RELAY, ROUTING, SENDER, SIZE, SPAM, SUBMIT
from support.server import quote
from support.util import fields, message, wait_for


def submit(w):
    c = w.connector()
    c.revoke(SUBMIT)
    with c.session() as s:
        expect(s.mail("x@outside.test"), "530 5.7.1 Client was not authenticated")
    c.grant(SUBMIT)
    with c.session() as s:
        expect(s.mail("x@outside.test"), "250 2.1.0 Sender OK")


def submit_at_auth(w):
    c = w.connector("-AuthMechanism Tls,BasicAuth -PermissionGroups AnonymousUsers")
    with c.session(tls=True) as s:
        expect(s.auth_login(ALICE, PASSWORD), "550 5.7.1 Client does not have permissions to submit to this server")
        assert s.mail("x@outside.test") == 250, "nobody has logged on: the anonymous rights are still there"


def any_recipient(w):
    c = w.connector()
    with c.session() as s:
        s.mail("x@outside.test")
        expect(s.rcpt("far@elsewhere.test"), "550 5.7.1 Unable to relay")
        expect(s.rcpt(BOB), "250 2.1.5 Recipient OK")
    c.grant(RELAY)
    with c.session() as s:
        s.mail("x@outside.test")
        expect(s.rcpt("far@elsewhere.test"), "250 2.1.5 Recipient OK")


def any_sender(w):
    c = w.connector().revoke(SENDER)
    with c.session() as s:
        expect(s.mail("x@outside.test"), "550 5.7.1 Anonymous client does not have permissions to send as this sender")
        assert s.mail("x@example.com") == 250
    with c.grant(SENDER).session() as s:
        assert s.mail("x@outside.test") == 250


def own_domain_sender(w):
    c = w.connector().revoke(OWN)
    with c.session() as s:
        expect(s.mail(ALICE), "550 5.7.1 Anonymous client does not have permissions to send as this sender")
        assert s.mail("x@outside.test") == 250
    with c.grant(OWN).session() as s:
        assert s.mail(ALICE) == 250


def header_sender(w):
    c = w.connector().revoke(OWN)
    for header in (b"From: <alice@example.com>\r\n", b"From: <x@outside.test>\r\nSender: <alice@example.com>\r\n"):
        with c.session() as s:
            r = s.send_mail("x@outside.test", BOB, header + b"Subject: x\r\n\r\nx\r\n")
            expect(r, "550 5.7.1")
            assert "send as this sender" in r.text


# AUTH= may be said where AUTH is offered (RFC 4954).
WITH_AUTH = "-AuthMechanism Tls,BasicAuth -PermissionGroups AnonymousUsers"


def authentication_flag(w):
    c = w.connector(WITH_AUTH).grant(FLAG)
    with c.session() as s:
        raw = w.delivered(s, params="AUTH=alice@example.com")
    assert fields(raw, "X-MS-Exchange-Organization-AuthAs") == ["Internal"]


def authentication_flag_ignored(w):
    c = w.connector(WITH_AUTH)
    with c.session() as s:
        raw = w.delivered(s, params="AUTH=alice@example.com")
    assert fields(raw, "X-MS-Exchange-Organization-AuthAs") in ([], ["Anonymous"])


def send_connector(w):
    """A send connector of its own towards `outside`; its name and domain."""
    name, domain = w.name("send").replace(" ", "-"), "d%d.test" % w.number()
    w.hub.smart_host(w.outside.port, spaces=domain, name=name)
    return name, domain


def open_hop(w):
    """The domain of a next hop that gets every class of header fields."""
    name, domain = send_connector(w)
    w.shell("Get-SendConnector %s | Add-ADPermission -User '%s' -ExtendedRights ms-Exch-Send-Headers-Organization,ms-Exch-Send-Headers-Forest" % (quote(name), ANONYMOUS))
    return domain


GUARDED = {ROUTING: ("Received", "from a.test by b.test; Mon, 01 Jan 2024 09:00:00 +0000"), ORGANIZATION: ("X-MS-Exchange-Organization-Test", "yes"),
           FOREST: ("X-MS-Exchange-Forest-Test", "yes")}


def accept_headers(right):
    """Seen at a next hop that may have them: a mailbox gets few fields of the guarded classes."""
    name, value = GUARDED[right]
    line = ("%s: %s\r\n" % (name, value)).encode()

    def check(w):
        domain = open_hop(w)
        c = w.connector().grant(RELAY)
        if right == ROUTING:
            c.revoke(right)
        with c.session() as s:
            assert value not in fields(w.sent_out(s, to="far@" + domain, headers=line)["data"], name)
        with c.grant(right).session() as s:
            assert value in fields(w.sent_out(s, to="far@" + domain, headers=line)["data"], name)
    return check


def no_exch50(w):
    c = w.connector(EXTERNAL)
    with c.session() as s:
        assert "XEXCH50" not in s.ext
        assert s.cmd("XEXCH50 10 2") == "500 5.3.3"
    assert EXCH50 in {r for _, r, _ in w.hub.acl(c.name)}


def bypass_size(w):
    c = w.connector("-MaxMessageSize 64KB -PermissionGroups AnonymousUsers")
    with c.session() as s:
        expect(s.mail("x@outside.test", "SIZE=70000"), "552 5.3.4 Message size exceeds fixed maximum message size")
    with c.grant(SIZE).session() as s:
        assert s.mail("x@outside.test", "SIZE=70000") == 250
        s.cmd("RSET")
        assert s.send_mail("x@outside.test", BOB, b"Subject: x\r\n\r\n" + (b"y" * 98 + b"\r\n") * 800) == "250 2.6.0"


def bypass_anti_spam(w):
    c, nobody = w.connector("-PermissionGroups AnonymousUsers"), "nobody%d@example.com" % w.number()
    with c.session() as s:
        assert s.mail(ALICE) == 250
        expect(s.rcpt(nobody), "550 5.1.1 User unknown")
    with c.grant(SPAM).session() as s:
        assert s.send_mail(ALICE, nobody, message(w.marker(), ALICE, nobody)) == "250 2.6.0"
        s.cmd("RSET")
        s.mail(ALICE)
        expect(s.rcpt("x@outside.test"), "550 5.7.1 Unable to relay")
    wait_for("the report", lambda: [m for m in w.hub.mail(ALICE, nobody) if b"multipart/report" in m])


def names(w):
    name = w.cold_connector()
    for spelled in ("MS-EXCH-ACCEPT-EXCH50", "ms-exch-smtp-accept-headers-routing", "ms-Exch-SMTP-Bypass-Anti-Spam"):
        w.cold.shell("Add-ADPermission %s -User Everyone -ExtendedRights %s" % (quote(name), spelled))
    assert {r for _, r, _ in w.cold.acl(name)} == {EXCH50, ROUTING, SPAM}


def xshadow(w):
    with w.connector(EXTERNAL).session() as s:
        assert s.cmd("XSHADOW a") == "500 5.3.3"


RECEIVE = Section("3.1", "Rights of the receive side", (
    Row("ms-Exch-SMTP-Submit", "without it MAIL fails: 530 5.7.1 for a client that has not logged on", AS, submit),
    Row("ms-Exch-SMTP-Submit at AUTH", "the right password fails when the user could do nothing here; the text is not known", AS, submit_at_auth,
        "`550 5.7.1 Client does not have permissions to submit to this server`."),
    Row("ms-Exch-SMTP-Accept-Any-Recipient", "may relay; otherwise recipients of accepted domains alone", AS, any_recipient),
    Row("ms-Exch-SMTP-Accept-Any-Sender", "may use foreign senders", AS, any_sender),
    Row("ms-Exch-SMTP-Accept-Authoritative-Domain-Sender", "may use senders of our authoritative domains", AS, own_domain_sender),
    Row("sender rights at the end of data", "From and Sender are held to the same rights", AS, header_sender),
    Row("ms-Exch-SMTP-Accept-Authentication-Flag", "AUTH= of MAIL is believed, the message counts as internal", AS, authentication_flag),
    Row("no ms-Exch-SMTP-Accept-Authentication-Flag", "AUTH= is ignored, without an error", AS, authentication_flag_ignored),
    Row("ms-Exch-Accept-Headers-Routing", "keeps Received and Resent-*", AS, accept_headers(ROUTING)),
    Row("ms-Exch-Accept-Headers-Organization", "keeps X-MS-Exchange-Organization-*", AS, accept_headers(ORGANIZATION)),
    Row("ms-Exch-Accept-Headers-Forest", "keeps X-MS-Exchange-Forest-*", AS, accept_headers(FOREST)),
    Row("ms-Exch-SMTP-Accept-Exch50", "the blob of XEXCH50 is kept", DEVIATES, no_exch50,
        "XEXCH50 is not offered: a closed format of Exchange 2003. The right can be granted, so that groups and scripts stay as they are."),
    Row("ms-Exch-Bypass-Anti-Spam", "filters are skipped", AS, bypass_anti_spam,
        "There is one, the Recipient Filter: without the right an unknown recipient is refused at RCPT, with it the sender gets a report."),
    Row("ms-Exch-Bypass-Message-Size-Limit", "MaxMessageSize does not hold, neither declared nor counted", AS, bypass_size),
    Row("ms-Exch-SMTP-Accept-XShadow", "not in 2007: the verb is unknown", AS, xshadow),
    Row("names of rights", "letter case and the part SMTP- vary in documents", AS, names),
))

SEND_ROUTING, SEND_ORGANIZATION, SEND_FOREST, SEND_EXCH50 = ("ms-Exch-Send-Headers-Routing", "ms-Exch-Send-Headers-Organization",
                                                            "ms-Exch-Send-Headers-Forest", "ms-Exch-SMTP-Send-Exch50")
INNER = ["Exchange Servers", "MS Exchange\\Hub Transport Servers", "MS Exchange\\Edge Transport Servers"]
OUTER = ["MS Exchange\\Externally Secured Servers", "MS Exchange\\Legacy Exchange Servers"]


def holders(right, users):
    def check(w):
        s, name = w.cold, w.name("send").replace(" ", "-")
        s.shell("New-SendConnector -Name %s -AddressSpaces %d.test" % (quote(name), w.number()))
        got = {e["User"] for e in s.json("Get-SendConnector %s | Get-ADPermission" % quote(name)) if e["ExtendedRights"] == [right] and not e["Deny"]}
        assert got == set(users), got
    return check


def send_headers(receive_right, send_right, principal=ANONYMOUS):
    """Kept while the next hop's principal holds the right, removed when it does not."""
    field, value = GUARDED[receive_right]

    def check(w):
        name, domain = send_connector(w)
        c = w.connector().grant(RELAY)
        if receive_right != ROUTING:
            c.grant(receive_right)
        line = ("%s: %s\r\n" % (field, value)).encode()
        for given in (True, False):
            verb = "Add" if given else "Remove"
            w.hub.shell("Get-SendConnector %s | %s-ADPermission -User '%s' -ExtendedRights %s%s"
                        % (quote(name), verb, principal, send_right, "" if given else " -Confirm:$false"))
            w.shell("Set-SendConnector %s -Comment x" % quote(name))
            with c.session() as s:
                got = w.sent_out(s, to="far@" + domain, headers=line)["data"]
            assert (value in fields(got, field)) == given, "%s %s" % (field, "removed though granted" if given else "sent out without the right")
    return check


def default_send(w):
    name, domain = send_connector(w)
    c = w.connector().grant(RELAY).grant(ORGANIZATION)
    with c.session() as s:
        got = w.sent_out(s, to="far@" + domain, headers=b"X-MS-Exchange-Organization-Test: yes\r\n")["data"]
    assert fields(got, "Received") and not fields(got, "X-MS-Exchange-Organization-Test")


SEND = Section("3.2", "Rights of the send side", (
    Row("holders of ms-Exch-Send-Headers-Routing", "everybody: anonymous, partners, servers, externally secured, legacy", AS,
        holders(SEND_ROUTING, INNER + OUTER + [ANONYMOUS, "MS Exchange\\Partner Servers"])),
    Row("holders of ms-Exch-Send-Headers-Organization", "own servers alone", AS, holders(SEND_ORGANIZATION, INNER)),
    Row("holders of ms-Exch-Send-Headers-Forest", "own servers alone", AS, holders(SEND_FOREST, INNER)),
    Row("holders of ms-Exch-SMTP-Send-Exch50", "own, externally secured and legacy servers", AS, holders(SEND_EXCH50, INNER + OUTER)),
    Row("ms-Exch-Send-Headers-Routing", "Received and Resent-* leave only with it", AS, send_headers(ROUTING, SEND_ROUTING)),
    Row("ms-Exch-Send-Headers-Organization", "X-MS-Exchange-Organization-* leaves only with it", AS, send_headers(ORGANIZATION, SEND_ORGANIZATION)),
    Row("ms-Exch-Send-Headers-Forest", "X-MS-Exchange-Forest-* leaves only with it", AS, send_headers(FOREST, SEND_FOREST)),
    Row("a new connector", "keeps Received and holds the guarded classes back", AS, default_send),
    Row("ms-Exch-SMTP-Send-XShadow", "not in 2007", AS,
        lambda w: w.refused("New-SendConnector -Name %s -AddressSpaces x.test | Add-ADPermission -User Everyone -ExtendedRights ms-Exch-SMTP-Send-XShadow" % w.number(),
                            "XShadow")),
))


def anonymous_own_domain(w):
    with w.connector().session() as s:
        assert s.send_mail(ALICE, BOB, message(w.marker(), ALICE, BOB)) == "250 2.6.0"


def printed_pipeline(w):
    c = w.connector()
    w.shell("Get-ReceiveConnector %s | Get-ADPermission -User 'NT AUTHORITY\\Anonymous Logon' | where {$_.ExtendedRights -like "
            "'ms-exch-smtp-accept-authoritative-domain-sender'} | Remove-ADPermission -Confirm:$false" % quote(c.name))
    with c.session() as s:
        assert s.mail(ALICE) == "550 5.7.1"


def users_own(w):
    c = w.connector(BASIC)
    with c.login() as s:
        for sender, want in ((BOB, "550 5.7.1 Client does not have permissions to send as this sender"), ("x@outside.test", "550 5.7.1"),
                             ("ALICE@EXAMPLE.COM", 250), ("nobody@example.com", "550 5.7.1")):
            s.cmd("RSET")
            expect(s.mail(sender), want)


def users_header(w):
    with w.connector(BASIC).login() as s:
        r = s.send_mail(ALICE, BOB, b"From: <bob@example.com>\r\n\r\nx\r\n")
        expect(r, "550 5.7.1 Client does not have permissions to send as this sender")


def send_as(w):
    c = w.connector(BASIC)
    w.hub.mailbox("boss@example.com", "Pw-boss 1!")
    w.shell("Add-ADPermission boss -User alice -ExtendedRights 'Send As'")
    with c.login() as s:
        assert s.mail("boss@example.com") == 250



def null_sender(w):
    c = w.connector().revoke(SENDER).revoke(OWN)
    with c.session() as s:
        assert s.mail("") == 250
    with w.connector(BASIC).login() as s:
        assert s.mail("") == 250


RULE = Section("3.3", "The sender check", (
    Row("anonymous with the default group", "may use our own domain as sender", AS, anonymous_own_domain),
    Row("Authoritative-Domain-Sender removed", "stops own-domain forgery; the blogs' pipeline does it", AS, printed_pipeline),
    Row("Any-Sender removed", "leaves local senders alone", AS, any_sender, "Enforced always, and at MAIL; later front ends of Exchange ignore it."),
    Row("a user with neither", "the own addresses alone; where the envelope is checked is not documented", AS, users_own, "Checked at MAIL."),
    Row("a user's From", "refused at the end of data", AS, users_header,
        "Each address of each From and of Sender is checked, display names are not; a field that cannot be read to its end counts as a foreign one. Resent-From is not checked: who forwards names the first author in From."),
    Row("Send-As", "a grant on the owner lets a user or group send as it", AS, send_as,
        "On mailboxes, contacts and groups, for a mailbox or the members of a group at any depth; granted and taken away, not denied. While the directory does not answer: 451 4.3.0."),
    Row("null sender", "always allowed", AS, null_sender),
))

SECTIONS = [RECEIVE, SEND, RULE]
