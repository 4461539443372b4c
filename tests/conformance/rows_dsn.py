"""Delivery status notifications: when there is one, from whom, to whom, and what is in it."""
import re

from table import AS, DEVIATES, NOT_YET, Row, Section
from rows_rights import RELAY
from rows_send import Hop
from world import ALICE, BASIC, BOB
from support.report import reports, wait_report
from support.server import FAST_RETRY, Server, settle
from support.util import message, wait_for

PLAIN = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")


def refuses(text):
    return lambda step, info: text if step == "rcpt" else None


class Set:
    """Settings for the time of a check; each is (cmdlet and parameter, new, old)."""

    def __init__(self, w, *settings):
        self.w, self.settings = w, settings

    def __enter__(self):
        for what, new, _ in self.settings:
            self.w.shell("%s %s" % (what, new))

    def __exit__(self, *_):
        for what, _, old in self.settings:
            self.w.shell("%s %s" % (what, old))


POSTMASTER = ("Set-TransportConfig -ExternalPostmasterAddress", BOB, "$null")


def submit(w, to, rcpt="", mail="", client=None, sender=ALICE):
    marker = w.marker()
    with (client or w.connector().grant(RELAY)).session() as s:
        assert s.mail(sender, mail) == 250
        r = s.rcpt(to, rcpt)
        assert r == 250, r
        assert s.data(message(marker, sender, to)) == "250 2.6.0"
    return marker


def nobody(w):
    return "nobody%d@example.com" % w.number()


def failed(w, **kw):
    return wait_report(w.hub, ALICE, submit(w, nobody(w), **kw))


def size(prop, code, login=False):
    def check(w):
        w.shell("Set-TransportConfig -%s 20KB" % prop)
        try:
            marker = w.marker()
            c = w.connector(BASIC if login else "-PermissionGroups AnonymousUsers").grant(RELAY, user="Everyone")
            with (c.login() if login else c.session()) as s:
                assert s.send_mail(ALICE, BOB, message(marker, ALICE, BOB, (b"y" * 98 + b"\r\n") * 400)) == "250 2.6.0"
            report = wait_for("the report", lambda: [m for m in w.hub.mail(ALICE, marker) if b"multipart/report" in m])[0]
            assert code in report and not w.hub.mail(BOB, marker)
        finally:
            w.shell("Set-TransportConfig -%s Unlimited" % prop)
    return check


def size_at_mail(w):
    w.shell("Set-TransportConfig -MaxReceiveSize 20KB")
    try:
        with w.connector().session() as s:
            r = s.mail("x@outside.test", "SIZE=30000")
            assert r == "552 5.3.4" and "MaxReceiveSize" in r.text, r
            assert s.send_mail("x@outside.test", BOB, b"\r\n" + (b"y" * 98 + b"\r\n") * 300) == "552 5.3.4"
    finally:
        w.shell("Set-TransportConfig -MaxReceiveSize Unlimited")


def envelope_limit(w):
    w.shell("Set-TransportConfig -MaxRecipientEnvelopeLimit 1")
    try:
        with w.connector().session() as s:
            s.mail("x@outside.test")
            assert s.rcpt(BOB) == 250
            r = s.rcpt(ALICE)
            assert r == "452 4.5.3" and "MaxRecipientEnvelopeLimit" in r.text, r
    finally:
        w.shell("Set-TransportConfig -MaxRecipientEnvelopeLimit 5000")


BLOCK = (r"Diagnostic information for administrators:\n\nGenerating server: mail\.example\.com\n\n(nobody\d+@example\.com)\n"
         r"#550 5\.1\.1 RESOLVER\.ADR\.RecipNotFound; not found ##\n\nOriginal message headers:\n\nReceived: ")


def form(w):
    r = failed(w)
    assert "postmaster@example.com" in r.sender and re.search(BLOCK, r.text), r.text
    human = r.text.partition("Diagnostic information")[0]
    assert "could not be delivered because there is no such mailbox." in human


def remote_server(w):
    with Hop(w, rules=refuses("550 5.1.1 who?")) as h:
        r = wait_report(w.hub, ALICE, h.send())
        assert "\nRemote server: 127.0.0.1\n#550 5.1.1 who? ##\n" in r.text


def subjects(w):
    w.hub.shell("New-DistributionGroup -Name dsn-group -PrimarySmtpAddress dsn-group@example.com; Add-DistributionGroupMember dsn-group -Member bob")
    for to, first in ((nobody(w), "Undeliverable"), (BOB, "Delivered"), ("dsn-group@example.com", "Expanded")):
        marker = submit(w, to, "NOTIFY=SUCCESS,FAILURE")
        assert wait_report(w.hub, ALICE, marker).subject == "%s: test %s" % (first, marker)
    with Hop(w, extensions=PLAIN) as h:
        marker = submit(w, "x@" + h.domain, "NOTIFY=SUCCESS", client=h.client)
        assert wait_report(w.hub, ALICE, marker).subject == "Relayed: test " + marker


def report_sender(w):
    with Set(w, POSTMASTER):
        assert BOB in failed(w).sender


def edge_sender(w):
    s = Server(role="edge")
    try:
        s.relax()
        s.connector("app", "127.0.0.2")
        s.shell("Get-ReceiveConnector app | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights " + RELAY)
        s.shell(FAST_RETRY)
        with Hop(w) as h:
            s.smart_host(h.sink.port)
            settle()
            marker = w.marker()
            with s.session(source="127.0.0.2") as c:
                assert c.send_mail("x@outside.test", "nobody@example.com", message(marker, "x@outside.test", "nobody@example.com")) == "250 2.6.0"
            m = h.arrives(marker)
            assert b"postmaster@mail.example.com" in m["data"].partition(b"\r\n\r\n")[0] and m["from"] == ""
    finally:
        s.close()


def parts(w):
    r = failed(w)
    assert r.html and "<pre>" in r.html
    with Set(w, ("Set-TransportServer -InternalDsnSendHtml", "$false", "$true")):
        assert failed(w).html is None
        with Set(w, ("Set-TransportServer -ExternalDsnSendHtml", "$false", "$true")), Hop(w) as h:
            marker = submit(w, nobody(w), client=h.client, sender="x@" + h.domain)
            assert b"text/html" not in h.arrives(marker)["data"]


def returned(w):
    assert failed(w, mail="RET=FULL").full and not failed(w, mail="RET=HDRS").full and not failed(w).full


def attach_size(w):
    w.refused("Set-TransportServer -InternalDsnMaxMessageAttachSize 10MB", "InternalDsnMaxMessageAttachSize", "512KB")
    with Set(w, ("Set-TransportServer -InternalDsnMaxMessageAttachSize", "10B", "512KB")):
        assert not failed(w, mail="RET=FULL").full


def copies(w):
    assert w.plain.one("Get-TransportConfig")["GenerateCopyOfDSNFor"] == ["5.4.8", "5.4.6", "5.4.4", "5.2.4", "5.2.0", "5.1.4"]
    with Set(w, POSTMASTER, ("Set-TransportConfig -GenerateCopyOfDSNFor", "5.1.1", "5.4.8,5.4.6,5.4.4,5.2.4,5.2.0,5.1.4")):
        to = nobody(w)
        marker = submit(w, to)
        assert wait_report(w.hub, BOB, marker).to == ALICE and wait_report(w.hub, ALICE, marker)


def delayed(w):
    with Set(w, ("Set-TransportServer -DelayNotificationTimeout", "00:00:01", "04:00:00"), ("Set-TransportServer -MessageRetryInterval", "00:00:01", "00:01:00")):
        with Hop(w, rules=refuses("451 4.2.1 busy")) as h:
            marker = h.send()
            r = wait_report(w.hub, ALICE, marker)
            assert r.subject == "Delivery delayed: test " + marker and "No action is needed." in r.text
            w.hub.shell("Get-Message | where { $_.Subject -like '*%s' } | Remove-Message -WithNDR $false -Confirm:$false" % marker)


def delay_switches(w):
    with Set(w, ("Set-TransportServer -DelayNotificationTimeout", "00:00:01", "04:00:00"), ("Set-TransportServer -InternalDelayDsnEnabled", "$false", "$true"),
             ("Set-TransportServer -MessageRetryInterval", "00:00:01", "00:01:00")):
        tries = []
        with Hop(w, rules=lambda step, info: (tries.append(1) or "451 4.2.1 busy") if step == "rcpt" and len(tries) < 4 else None) as h:
            marker = h.send()
            h.arrives(marker)
            assert len(tries) >= 4 and not reports(w.hub, ALICE, marker)


def expired(w):
    with Set(w, ("Set-TransportServer -MessageExpirationTimeout", "00:00:05", "2.00:00:00")), Hop(w, rules=refuses("451 4.2.1 busy")) as h:
        r = wait_report(w.hub, ALICE, h.send(), 60)
        assert r.recipients[0]["status"] == "4.4.7" and "#550 4.4.7 QUEUE.Expired; message expired" in r.text


def removed(w):
    with Hop(w, rules=refuses("451 4.2.1 busy")) as h:
        marker = h.send()
        m = wait_for("the message", lambda: [m for m in w.hub.json("Get-Message") if marker in (m["Subject"] or "") and "submission" not in m["Identity"]])[0]
        w.hub.shell("Remove-Message '%s' -Confirm:$false" % m["Identity"])
        r = wait_report(w.hub, ALICE, marker)
        assert r.recipients[0]["status"] == "4.3.2" and "an administrator removed it" in r.text


def wishes(w):
    with Hop(w) as h:
        marker = submit(w, "x@" + h.domain, "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;y@other.test", "RET=HDRS ENVID=q", client=h.client)
        m = h.arrives(marker)
        assert m["rcpts"][0][1].split() == ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;y@other.test"]
        assert {"RET=HDRS", "ENVID=q"} <= set(m["params"].split())
    r = failed(w, rcpt="ORCPT=rfc822;y@other.test", mail="ENVID=q")
    assert r.fields["original-envelope-id"] == "q" and "y@other.test" in r.recipients[0]["original-recipient"]
    to = nobody(w)
    marker = submit(w, to, "NOTIFY=NEVER")
    wait_for("its end", lambda: "recipient=" + to in w.hub.log_text())
    assert not reports(w.hub, ALICE, marker)


def added_orcpt(w):
    with Hop(w) as h:
        m = h.arrives(submit(w, "x@" + h.domain, client=h.client))
        assert m["rcpts"][0][1] == "ORCPT=rfc822;x@" + h.domain


def null_sender(w):
    to = nobody(w)
    submit(w, to, sender="")
    wait_for("the log's line", lambda: re.search("event=unreported .*recipient=" + to, w.hub.log_text()))


DSN = Section("12", "Reports", (
    Row("form", "what people read, then \"Diagnostic information for administrators:\" with Generating server, #CODE TEXT ## and the original's header", AS, form),
    Row("Remote server", "a line of the block, where a remote server refused", AS, remote_server),
    Row("subject", "not documented; remembered as Undeliverable, Delivery delayed, Delivered, Relayed, Expanded and the original's", AS, subjects,
        "So. Delivery delayed: in the row of the delay notice."),
    Row("sender", "ExternalPostmasterAddress", AS, report_sender, "Where it is $null: postmaster at the default domain."),
    Row("sender on an Edge", "postmaster at the server's own name", AS, edge_sender, "Where ExternalPostmasterAddress is $null."),
    Row("parts", "multipart/report; HTML unless ExternalDsnSendHtml or InternalDsnSendHtml is $false", AS, parts,
        "HTML comes beside plain text, as multipart/alternative. Inside is whose domain is an accepted one, but for ExternalRelay."),
    Row("the original", "attached", DEVIATES, returned, "Its header; all of it where its sender asked for that (RET=FULL), as RFC 3461 allows: a report may reach a stranger."),
    Row("InternalDsnMaxMessageAttachSize, ExternalDsnMaxMessageAttachSize", "10 MB", DEVIATES, attach_size,
        "512 KB is the default and the most; more is refused, for reports lie in the queue's database."),
    Row("GenerateCopyOfDSNFor", "5.4.8, 5.4.6, 5.4.4, 5.2.4, 5.2.0, 5.1.4; to the Microsoft Exchange Recipient's mailbox, on an Edge to the external postmaster",
        DEVIATES, copies, "To the ExternalPostmasterAddress on either; nobody gets a copy while that is $null."),
    Row("delay notice", "after DelayNotificationTimeout", AS, delayed, "When it is due, though the next try be later; once for a recipient."),
    Row("InternalDelayDsnEnabled, ExternalDelayDsnEnabled", "switch it off", AS, delay_switches),
    Row("expiry", "4.4.7", AS, expired, "550 4.4.7 QUEUE.Expired, with the last error."),
    Row("removed by an administrator", "4.3.2 QUEUE.Deleted", AS, removed),
    Row("RFC 3461", "NOTIFY, RET, ENVID and ORCPT are kept and answered", AS, wishes),
    Row("ORCPT that was not given", "not documented", AS, added_orcpt, "The next server that knows DSN gets the address that the sender wrote, as the RFC allows."),
    Row("the null sender", "gets no report", AS, null_sender, "A line in the log says what was lost."),
    Row("New-SystemMessage", "texts of one's own by language and code", NOT_YET, None, "There are no texts in other languages either."),
    Row("over MaxReceiveSize", "5.2.3 RESOLVER.RST.RecipSizeLimit", AS, size("MaxReceiveSize", b"5.2.3 RESOLVER.RST.RecipSizeLimit"), "For clients that may relay."),
    Row("over MaxReceiveSize without the right to relay", "not documented", AS, size_at_mail,
        "Refused at MAIL and at the end of the data. EHLO's SIZE is the connector's MaxMessageSize, or the larger one of MaxReceiveSize and MaxSendSize where that is less."),
    Row("MaxRecipientEnvelopeLimit", "5000 recipients a message in all", AS, envelope_limit, "The smaller one of two limits holds and is named; the connector's where they are the same. 0: no limit."),
    Row("over MaxSendSize", "5.2.3 RESOLVER.RST.SendSizeLimit.Org", AS, size("MaxSendSize", b"5.2.3 RESOLVER.RST.SendSizeLimit.Org", login=True), "For who has logged on, or is externally secured."),
))

SECTIONS = [DSN]
