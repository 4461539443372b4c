"""What happens to a message behind the connector, where the documents leave a choice: completion, queues, retries."""
from table import AS, DEVIATES, Row, Section
from rows_rights import RELAY
from rows_send import Hop
from world import ALICE, BASIC, BOB
from support.util import fields, message, wait_for

BARE = b"From: <alice@example.com>\r\nTo: <bob@example.com>\r\nBcc: <bob@example.com>\r\nX-Marker: %s\r\n\r\nx\r\n"


def completed(w):
    """Message-ID for everybody; Date and no Bcc for who submits."""
    for login, relay in ((True, False), (False, True), (False, False)):
        c = w.connector(BASIC if login else "-PermissionGroups AnonymousUsers")
        if relay:
            c.grant(RELAY)
        marker = w.marker()
        with (c.login() if login else c.session()) as s:
            r = s.send_mail(ALICE, BOB, BARE % marker.encode())
        raw = w.hub.wait_mail(BOB, marker)[0]
        submission = login or relay
        assert fields(raw, "Message-ID") == [r.lines[0].split()[1]]
        assert (len(fields(raw, "Date")), len(fields(raw, "Bcc"))) == ((1, 0) if submission else (0, 1)), (login, relay)


def one_copy(w):
    w.hub.shell("Set-Mailbox bob -EmailAddresses @{Add='bob.again@example.com'}")
    marker = w.marker()
    with w.connector().session() as s:
        assert s.send_mail(ALICE, [BOB, "bob.again@example.com"], message(marker, ALICE, BOB)) == "250 2.6.0"
        w.delivered(s)
    assert len(w.hub.mail(BOB, marker)) == 1


def settings(server, want):
    def check(w):
        got = getattr(w, server).one("Get-TransportServer")
        for k, v in want.items():
            assert str(got[k]) == str(v), "%s is %s, not %s" % (k, got[k], v)
    return check


HUB = {"QueueGlitchRetryCount": 4, "QueueGlitchRetryInterval": "00:01:00", "TransientFailureRetryCount": 6, "TransientFailureRetryInterval": "00:05:00",
       "OutboundConnectionFailureRetryInterval": "00:10:00", "MailboxDeliveryQueueRetryInterval": "00:05:00", "DelayNotificationTimeout": "04:00:00",
       "MessageExpirationTimeout": "2.00:00:00", "MaxOutboundConnections": 1000, "MaxPerDomainOutboundConnections": 20}
EDGE = dict(HUB, TransientFailureRetryInterval="00:10:00", OutboundConnectionFailureRetryInterval="00:30:00")


def queue_of(w, h):
    return [q for q in w.hub.json("Get-Queue") if q["NextHopConnector"] == h.name]


def greeting_5xx(w):
    with Hop(w, rules=lambda step, info: "554 5.3.2 not now" if step == "connect" else None) as h:
        marker = h.send()
        wait_for("the queue's reason", lambda: any("554" in (q["LastError"] or "") for q in queue_of(w, h)))
        assert not [m for m in w.hub.mail(ALICE, marker) if b"multipart/report" in m], "no report"


def greeting_521(w):
    with Hop(w, rules=lambda step, info: "521 5.3.2 no mail here" if step == "connect" else None) as h:
        marker = h.send()
        wait_for("the report", lambda: [m for m in w.hub.mail(ALICE, marker) if b"multipart/report" in m])


def delivery_type(w):
    with Hop(w, rules=lambda step, info: "421 4.3.2 later" if step == "connect" else None) as h:
        h.send()
        assert wait_for("the queue", lambda: queue_of(w, h))[0]["DeliveryType"] == "SmartHostConnectorDelivery"


Q = Section("11", "Queues and retries", (
    Row("completion", "Message-Id and Date are added to what is submitted, Bcc removed", AS, completed,
        "A message without Message-ID gets one from whomever it comes; Date is added and Bcc removed for users, and for anonymous clients with Accept-Any-Recipient."),
    Row("two recipients that are one mailbox", "not documented", AS, one_copy, "One copy."),
    Row("delivery types", "MapiDelivery, SmartHostConnectorDelivery, DnsConnectorDelivery, Unreachable and others", DEVIATES, delivery_type,
        "MailboxDelivery and LmtpDelivery instead of MapiDelivery; the others by their names."),
    Row("retry defaults of a Hub", "glitch 4 times 1 minute, transient 6 times 5 minutes, then every 10 minutes; expiry after 2 days, notice after 4 hours", AS, settings("plain", HUB)),
    Row("retry defaults of an Edge", "10 and 30 minutes", AS, settings("edge", EDGE)),
    Row("MessageRetryInterval", "1, 5 or 15 minutes: the documents disagree", AS, settings("plain", {"MessageRetryInterval": "00:01:00"}), "1 minute."),
    Row("a next hop that greets with 5xx", "not documented", AS, greeting_5xx, "The queue retries, as where EHLO and HELO are refused."),
    Row("a next hop that greets with 521", "not documented", AS, greeting_521, "Final (RFC 7504): a report."),
))

SECTIONS = [Q]
