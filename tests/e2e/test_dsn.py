"""Delivery status notifications (RFC 3461 to 3464, 6522): asked for at the wire, carried on, answered, and read by others."""
import glob
import re

import pytest

from support.postfix import Postfix
from support.report import Report, reports, wait_report
from support.server import FAST_RETRY, Server, settle, wait_logged
from support.sink import Sink
from support.util import message, wait_for

APP = "127.0.0.2"
ALICE = "alice@example.com"
RELAY = "-User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"
NO_DSN = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


@pytest.fixture(scope="module")
def hub():
    s = Server()
    s.relax()
    for name in ("alice", "bob", "carol"):
        s.mailbox(name + "@example.com", "Pw-%s 7%%x" % name)
    s.connector("app", APP)
    s.shell("Get-ReceiveConnector app | Add-ADPermission " + RELAY)
    s.shell(FAST_RETRY)
    s.shell("New-MailContact -Name partner -PrimarySmtpAddress partner@example.com -ExternalEmailAddress p@hop.test")
    s.shell("New-DistributionGroup -Name team -PrimarySmtpAddress team@example.com")
    for m in ("bob", "carol", "partner"):
        s.shell("Add-DistributionGroupMember team -Member " + m)
    yield s
    s.close()


@pytest.fixture
def hop(hub):
    """A next hop for hop.test whose replies a test decides."""
    made = []

    def make(rules=None, extra="", **kw):
        s = Sink(rules, **kw)
        made.append(s)
        hub.smart_host(s.port, "hop.test", "hop", extra)
        settle()
        return s
    yield make
    if made:
        hub.shell("Remove-SendConnector hop -Confirm:$false")
    for s in made:
        s.close()


@pytest.fixture
def setting(hub):
    """setting("Set-TransportServer -X", new, old): what is put back afterwards."""
    undo = []

    def change(what, new, old):
        undo.append("%s %s" % (what, old))
        hub.shell("%s %s" % (what, new))
        settle()
    yield change
    for text in undo:
        hub.shell(text)
    settle()


def send(hub, marker, to, sender=ALICE, params="", body=b"hello\r\n"):
    """to: pairs of address and parameters of RCPT."""
    with hub.session(source=APP) as c:
        assert c.mail(sender, params) == 250
        for address, wishes in to:
            r = c.rcpt(address, wishes)
            assert r == 250, r
        assert c.data(message(marker, sender or ALICE, to[0][0], body)) == "250 2.6.0"


def gone(hub, marker):
    """Neither the message nor a report of it is in the queue any more."""
    wait_for("an empty queue", lambda: not [m for m in hub.json("Get-Message") if marker in (m["Subject"] or "")], 30)


def refuse(text, address=None):
    """Rules of a next hop that refuses at RCPT: one address, or all."""
    return lambda step, info: text if step == "rcpt" and (address is None or info["rcpt"] == address) else None


# ---- NOTIFY, ENVID, ORCPT, RET

def test_delivered_to_a_mailbox(hub, marker):
    send(hub, marker, [("bob@example.com", "NOTIFY=SUCCESS ORCPT=rfc822;b+2Bx@other.test")], params="ENVID=QQ+2B314 RET=FULL")
    r = wait_report(hub, ALICE, marker)
    assert r.by_action() == {"delivered": ["bob@example.com"]}
    assert r.fields["original-envelope-id"] == "QQ+314" and r.fields["reporting-mta"].replace(" ", "") == "dns;mail.example.com"
    assert r.recipients[0]["original-recipient"].replace(" ", "") == "rfc822;b+x@other.test" and r.recipients[0]["status"].startswith("2.")
    assert r.subject == "Delivered: test " + marker and "(you wrote to b+x@other.test) was delivered." in r.text
    assert not r.full, "RET=FULL is for failures (RFC 3461 section 6.2)"
    assert r.detected() == ([], []), "nobody takes it for a bounce"


def test_relayed_to_a_hop_without_dsn(hub, hop, marker):
    s = hop(extensions=NO_DSN)
    send(hub, marker, [("x@hop.test", "NOTIFY=SUCCESS,FAILURE"), ("y@hop.test", "NOTIFY=FAILURE"), ("z@hop.test", "")], params="RET=HDRS ENVID=1")
    m = wait_for("delivery", lambda: s.got(marker))[0]
    assert not re.search("RET=|ENVID=", m["params"]) and not any(r[1] for r in m["rcpts"]), "RFC 3461 section 5.2.2 (a)"
    r = wait_report(hub, ALICE, marker)
    assert r.by_action() == {"relayed": ["x@hop.test"]}
    assert r.recipients[0]["remote-mta"].startswith("dns;") and "nothing more is known" in r.text
    gone(hub, marker)
    assert len(reports(hub, ALICE, marker)) == 1


def test_carried_on_to_a_hop_with_dsn(hub, hop, marker):
    """RFC 3461 section 5.2.1: as it came, and nothing that did not; ORCPT as the sender wrote the address where it gave none."""
    s = hop()
    send(hub, marker, [("x@hop.test", "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;First@Other.test"), ("y+z@hop.test", "")], params="ENVID=a+2Bb")
    m = wait_for("delivery", lambda: s.got(marker))[0]
    assert "ENVID=a+2Bb" in m["params"] and "RET=" not in m["params"]
    given = dict((a, set(p.split())) for a, p in m["rcpts"])
    assert given["x@hop.test"] == {"NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;First@Other.test"}
    assert given["y+z@hop.test"] == {"ORCPT=rfc822;y+2Bz@hop.test"}
    gone(hub, marker)
    assert not reports(hub, ALICE, marker), "the next hop has taken that over"


def test_redirected_keeps_what_the_sender_wrote(hub, hop, marker):
    """RFC 3461 section 5.2.7.2."""
    s = hop(refuse("550 5.1.1 unknown", "gone@hop.test"))
    send(hub, marker, [("partner@example.com", "NOTIFY=SUCCESS,FAILURE")])
    m = wait_for("delivery", lambda: s.got(marker))[0]
    assert m["rcpts"] == [("p@hop.test", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;partner@example.com")]


def test_group_is_expanded(hub, hop, marker):
    """RFC 3461 section 5.2.7.3 (c): "expanded" for the group; its members are not asked for success, and name the group."""
    s = hop(refuse("550 5.1.1 unknown", "p@hop.test"))
    send(hub, marker, [("team@example.com", "NOTIFY=SUCCESS,FAILURE")])
    found = wait_for("two reports", lambda: (lambda r: r if len(r) == 2 else None)(reports(hub, ALICE, marker)), 30)
    by = {k: r for r in found for k in r.by_action()}
    assert by["expanded"].by_action() == {"expanded": ["team@example.com"]} and "members of a group" in by["expanded"].text
    assert by["failed"].by_action() == {"failed": ["partner@example.com"]}
    assert by["failed"].recipients[0]["original-recipient"].replace(" ", "") == "rfc822;team@example.com"
    assert "Your message to partner@example.com\n(you wrote to team@example.com) could not be delivered" in by["failed"].text
    gone(hub, marker)
    assert len(hub.wait_mail("bob@example.com", marker)) == 1 and not s.got(marker)
    assert len(reports(hub, ALICE, marker)) == 2


def test_each_recipient_has_its_own_wish(hub, hop, marker):
    """One report, with those in it that wanted one."""
    hop(lambda step, info: "550 5.1.1 unknown" if step == "rcpt" and info["rcpt"].startswith("no") else None, extensions=NO_DSN)
    send(hub, marker, [("a@hop.test", "NOTIFY=SUCCESS"), ("b@hop.test", "NOTIFY=NEVER"), ("c@hop.test", ""), ("no1@hop.test", "NOTIFY=FAILURE"),
                       ("no2@hop.test", "NOTIFY=SUCCESS,DELAY"), ("no3@hop.test", "NOTIFY=NEVER"), ("no4@hop.test", "")])
    r = wait_report(hub, ALICE, marker)
    assert r.by_action() == {"relayed": ["a@hop.test"], "failed": ["no1@hop.test", "no4@hop.test"]}
    assert r.subject.startswith("Undeliverable: ") and r.detected()[0] == ["no1@hop.test", "no4@hop.test"]
    gone(hub, marker)
    assert len(reports(hub, ALICE, marker)) == 1


def test_lmtp_is_delivery(marker):
    """The last stop: "delivered", though nobody offers DSN there."""
    s, mailboxes = Server(), Sink(lmtp=True, extensions=NO_DSN)
    try:
        s.relax()
        for name in ("alice", "bob"):
            s.mailbox(name + "@example.com", "pw-%s-1X" % name)
        s.shell("Set-TransportServer -MailboxDeliveryProtocol Lmtp -MailboxDeliveryHost 127.0.0.1:%d" % mailboxes.port)
        settle()
        with s.login(ALICE, "pw-alice-1X") as c:
            assert c.mail(ALICE) == 250 and c.rcpt("bob@example.com", "NOTIFY=SUCCESS") == 250
            assert c.data(message(marker, ALICE, "bob@example.com")) == "250 2.6.0"
        got = wait_for("the message and its report", lambda: (lambda m: m if len(m) == 2 else None)(mailboxes.got(marker)), 30)
        r = Report(b"Return-Path: <>\r\n" + next(m for m in got if not m["from"])["data"])
        assert r.by_action() == {"delivered": ["bob@example.com"]}
    finally:
        mailboxes.close()
        s.close()


POSTFIX = """virtual_mailbox_domains = postfix-side.test
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:%d
"""


@pytest.mark.parametrize("offered", [True, False], ids=["with DSN", "without DSN"])
def test_success_through_postfix(hub, marker, offered):
    """Who offers DSN reports itself, with all that we carried on; of who does not we say that we know nothing more."""
    p = Postfix((POSTFIX % hub.smtp) + ("" if offered else "smtpd_discard_ehlo_keywords = dsn\n"), listen=True)
    hub.smart_host(p.port, "postfix-side.test", "postfix")
    hub.connector("postfix", "127.0.0.1")
    settle()
    try:
        send(hub, marker, [("x@postfix-side.test", "NOTIFY=SUCCESS ORCPT=rfc822;first+2B@other.test")], params="ENVID=e+2B7")
        wait_for(lambda: "Postfix's mailbox; " + p.log()[-900:], lambda: [f for f in glob.glob(p.dir + "/mail/box/new/*") if marker.encode() in open(f, "rb").read()], 40)
        raw = wait_for(lambda: "the report; " + p.log()[-900:], lambda: [m for m in hub.mail(ALICE) if b"delivery-status" in m and b"x@postfix-side.test" in m
                                                                and marker.encode() in m], 40)
        assert len(raw) == 1
        flat = re.sub(rb"[ \t]*;[ \t]*", b";", raw[0]).decode()
        assert "Original-Recipient: rfc822;first+@other.test" in flat.replace("+2B", "+") and re.search(r"(?i)Original-Envelope-Id: e\+7|e\+2B7", flat)
        assert ("Reporting-MTA: dns;postfix.test" in flat) == offered and ("Reporting-MTA: dns;mail.example.com" in flat) != offered
        assert ("Action: delivered" in flat) == offered and ("Action: relayed" in flat) != offered
        gone(hub, marker)
    finally:
        hub.shell("Remove-SendConnector postfix -Confirm:$false; Remove-ReceiveConnector postfix -Confirm:$false")
        p.close()


# ---- nobody who must not get one gets one

@pytest.mark.parametrize("sender, wishes", [(ALICE, "NOTIFY=NEVER"), (ALICE, "NOTIFY=SUCCESS,DELAY"), ("", ""), ("", "NOTIFY=SUCCESS,FAILURE")])
def test_no_report(hub, hop, marker, sender, wishes):
    hop(refuse("550 5.1.1 unknown"))
    send(hub, marker, [("x@hop.test", wishes)], sender)
    wait_logged(hub, "event=failed .*recipient=x@hop.test")
    gone(hub, marker)
    assert not reports(hub, ALICE, marker)


def test_report_that_cannot_be_delivered(hub, hop, marker):
    """Never a report for a report: it ends, with a line in the log."""
    seen = []
    hop(lambda step, info: (seen.append(info["from"]) or "550 5.1.1 unknown") if step == "rcpt" else None)
    send(hub, marker, [("x@hop.test", "")], "ghost-%s@hop.test" % marker)
    wait_logged(hub, "event=report-undeliverable .*recipient=ghost-%s@hop.test" % marker)
    gone(hub, marker)
    assert seen == ["ghost-%s@hop.test" % marker, ""]


def test_no_report_where_the_sender_is_refused(hub, marker):
    """Who may not use the address makes it no mail: neither the message nor a report reaches it."""
    hub.connector("stranger", "127.0.0.11")
    hub.shell("Get-ReceiveConnector stranger | Remove-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -Confirm:$false "
              "-ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender")
    try:
        settle()
        with hub.session(source="127.0.0.11") as c:
            r = c.mail(ALICE, "ENVID=" + marker)
            assert r.code in (501, 550), r
            assert c.rcpt("nobody@example.com").code >= 500
        assert not hub.mail(ALICE, marker) and marker not in str(hub.json("Get-Message"))
    finally:
        hub.shell("Remove-ReceiveConnector stranger -Confirm:$false")


def test_loop_ends_with_a_report(hub, marker):
    """A smart host that is this server itself: the hop count ends it (RFC 5321 section 6.3), once."""
    hub.connector("self", "127.0.0.1")
    hub.shell("Get-ReceiveConnector self | Add-ADPermission " + RELAY)
    hub.smart_host(hub.smtp, "loop.test", "loop")
    settle()
    try:
        send(hub, marker, [("x@loop.test", "")])
        r = wait_report(hub, ALICE, marker, 60)
        assert r.recipients[0]["status"] == "5.4.6" and "because it went round in a loop." in r.text
        assert r.text.count("\nReceived: ") >= 8, "the way it went"
        gone(hub, marker)
        assert len(reports(hub, ALICE, marker)) == 1
    finally:
        hub.shell("Remove-SendConnector loop -Confirm:$false; Remove-ReceiveConnector self -Confirm:$false")
        settle()


# ---- what it says

WORDS = (
    ("user unknown", dict(rules=refuse("550 5.1.1 no such user")), "because there is no such mailbox.\nCheck the address", "5.1.1"),
    ("mailbox full", dict(rules=refuse("552 5.2.2 over quota")), "because the recipient's mailbox is full.\nTry again later", "5.2.2"),
    ("too large", dict(extensions=("SIZE 100", "DSN")), "because the message is too large.\nMake it smaller", "5.3.4"),
    ("policy", dict(rules=refuse("554 5.7.1 go away")), "because the rules of a mail server on its way do not allow it.\nWhat that server said", "5.7.1"),
    ("without a code", dict(rules=refuse("554 go away")), "could not be delivered because", "5.0.0"),
)


@pytest.mark.parametrize("row", WORDS, ids=[w[0] for w in WORDS])
def test_plain_words(hub, hop, marker, row):
    _, config, words, status = row
    hop(**config)
    send(hub, marker, [("x@hop.test", "")])
    r = wait_report(hub, ALICE, marker)
    human, _, block = r.text.partition("Diagnostic information for administrators:\n")
    assert words in human and r.recipients[0]["status"] == status
    assert not re.search(r"\d\.\d\.\d|MTA|SMTP|RCPT", human), "words that need no knowledge of mail: " + human
    assert re.match(r"\nGenerating server: mail\.example\.com\n\nx@hop\.test\n(Remote server: 127\.0\.0\.1\n)?#55\d 5\.\d\.\d .*##\n\nOriginal message headers:\n\n",
                    block), block
    assert "X-Marker: " + marker in block
    assert r.html.count("<pre>") == 1 and "Generating server: mail.example.com" in r.html.partition("<pre>")[2]
    assert r.detected() == (["x@hop.test"], [])


def test_expired_for_want_of_tls(hub, hop, marker, setting):
    setting("Set-TransportServer -MessageExpirationTimeout", "00:00:05", "2.00:00:00")
    hop(extra="-RequireTLS $true")
    send(hub, marker, [("x@hop.test", "")])
    r = wait_report(hub, ALICE, marker, 60)
    assert r.recipients[0]["status"] == "4.4.7" and "QUEUE.Expired" in r.text
    assert "for too long.\nThe last attempt failed because it must travel encrypted, which the recipient's mail server does not offer." in r.text


def test_no_route(hub, marker, setting):
    setting("Set-TransportServer -MessageExpirationTimeout", "00:00:05", "2.00:00:00")
    send(hub, marker, [("x@no-route.test", "")])
    r = wait_report(hub, ALICE, marker, 60)
    assert "The last attempt failed because no way to the recipient's domain is known." in r.text and "no send connector covers the domain" in r.text


def test_removed_by_an_administrator(hub, hop, marker):
    hop(lambda step, info: "421 4.3.2 closed" if step == "connect" else None)
    send(hub, marker, [("x@hop.test", "")])
    m = wait_for("the message in the queue", lambda: [m for m in hub.json("Get-Message") if marker in (m["Subject"] or "") and "submission" not in m["Identity"]])[0]
    hub.shell("Remove-Message '%s' -Confirm:$false" % m["Identity"])
    r = wait_report(hub, ALICE, marker)
    assert r.recipients[0]["status"] == "4.3.2" and r.by_action() == {"failed": ["x@hop.test"]}
    assert "because an administrator removed it before it was delivered.\nAsk your administrator" in r.text
    assert "#550 4.3.2 QUEUE.Deleted; message deleted by administrative action ##" in r.text


@pytest.mark.parametrize("ret, full", [("RET=FULL", True), ("RET=HDRS", False), ("", False)], ids=["FULL", "HDRS", "not said"])
def test_what_is_returned(hub, hop, marker, ret, full, setting):
    hop(refuse("550 5.1.1 unknown"))
    send(hub, marker, [("x@hop.test", "")], params=ret, body=b"the body\r\n")
    r = wait_report(hub, ALICE, marker)
    assert r.full == full and (b"the body" in r.original) == full and b"X-Marker: " + marker.encode() in r.original
    if full:
        setting("Set-TransportServer -InternalDsnMaxMessageAttachSize", "10B", "512KB")
        send(hub, marker + "2", [("x@hop.test", "")], params=ret, body=b"the body\r\n")
        assert not wait_report(hub, ALICE, marker + "2").full


def test_binary_content_is_not_returned(hub, hop, marker):
    """A report is text: RET=FULL of a BINARYMIME message gives its header."""
    hop()
    with hub.session(source=APP) as c:
        assert c.mail(ALICE, "BODY=BINARYMIME RET=FULL") == 250 and c.rcpt("x@hop.test") == 250
        assert c.bdat(message(marker, ALICE, "x@hop.test", b"bare\nfeeds\0and NUL")) == "250 2.6.0"
    r = wait_report(hub, ALICE, marker)
    assert r.recipients[0]["status"] == "5.6.3" and not r.full and b"\0" not in r.raw


def test_beyond_ascii(hub, hop, marker):
    """RFC 6533: the international forms where the message came with SMTPUTF8."""
    hop(refuse("550 5.1.1 unbekannt"))
    with hub.session(source=APP) as c:
        assert c.mail(ALICE, "SMTPUTF8 BODY=8BITMIME") == 250
        assert c.rcpt("j\u00f6rg@hop.test", "ORCPT=utf-8;j\u00f6rg@other.test") == 250
        assert c.data(message(marker, ALICE, "x@hop.test", headers="X-Name: J\u00f6rg\r\n".encode())) == "250 2.6.0"
    raw = wait_for("the report", lambda: [m for m in hub.mail(ALICE, marker) if b"multipart/report" in m], 30)[0]
    assert b"message/global-delivery-status" in raw and "Final-Recipient: utf-8;j\u00f6rg@hop.test".encode() in raw
    assert "Original-Recipient: utf-8;j\u00f6rg@other.test".encode() in raw and "Your message to j\u00f6rg@hop.test".encode() in raw


# ---- delays

def test_one_delay_notice(hub, hop, marker, setting):
    setting("Set-TransportServer -DelayNotificationTimeout", "00:00:02", "04:00:00")
    tries = []
    s = hop(lambda step, info: (tries.append(info["rcpt"]) or "451 4.2.1 busy") if step == "rcpt" else None)
    send(hub, marker, [("x@hop.test", ""), ("y@hop.test", "NOTIFY=FAILURE"), ("z@hop.test", "NOTIFY=DELAY")])
    r = wait_report(hub, ALICE, marker)
    assert r.by_action() == {"delayed": ["x@hop.test", "z@hop.test"]} and r.subject.startswith("Delivery delayed: ")
    assert "No action is needed. It is being tried again until " in r.text and "you need not send it again." in r.text
    assert "will-retry-until" in r.recipients[0] and r.recipients[0]["status"] == "4.2.1"
    assert r.detected() == ([], ["x@hop.test", "z@hop.test"])
    before = len(tries)
    wait_for("three further attempts of each", lambda: len(tries) >= before + 9, 30)
    s.rules = None
    wait_for("delivery", lambda: s.got(marker), 30)
    gone(hub, marker)
    assert len(reports(hub, ALICE, marker)) == 1, "once"


@pytest.mark.parametrize("side, sender", [("Internal", ALICE), ("External", "x@outside.test")])
def test_delay_notices_can_be_switched_off(hub, hop, marker, setting, side, sender):
    setting("Set-TransportServer -DelayNotificationTimeout", "00:00:01", "04:00:00")
    setting("Set-TransportServer -%sDelayDsnEnabled" % side, "$false", "$true")
    tries = []
    hop(lambda step, info: (tries.append(1) or "451 4.2.1 busy") if step == "rcpt" and len(tries) < 4 else None)
    send(hub, marker, [("x@hop.test", "")], sender)
    wait_for("delivery after the notice would have come", lambda: len(tries) >= 4, 30)
    gone(hub, marker)
    assert not re.search(r"event=report .*to=%s" % re.escape(sender), hub.log_text().rpartition("event=received")[2])
    assert not reports(hub, ALICE, marker)


# ---- settings

def test_plain_text_only(hub, hop, marker, setting):
    setting("Set-TransportServer -InternalDsnSendHtml", "$false", "$true")
    hop(refuse("550 5.1.1 unknown"))
    send(hub, marker, [("x@hop.test", "")])
    assert wait_report(hub, ALICE, marker).html is None


def test_copy_for_the_postmaster(hub, hop, marker, setting):
    """Of the failures that GenerateCopyOfDSNFor lists; the reports come from that address as well."""
    setting("Set-TransportConfig -ExternalPostmasterAddress", "carol@example.com", "$null")
    setting("Set-TransportConfig -GenerateCopyOfDSNFor", "5.2.2,5.4.6", "5.4.8,5.4.6,5.4.4,5.2.4,5.2.0,5.1.4")
    hop(lambda step, info: {"full@hop.test": "552 5.2.2 full", "no@hop.test": "550 5.1.1 unknown"}.get(info["rcpt"]) if step == "rcpt" else None)
    send(hub, marker + "a", [("full@hop.test", "")])
    send(hub, marker + "b", [("no@hop.test", "")])
    for m in "ab":
        assert "carol@example.com" in wait_report(hub, ALICE, marker + m).sender
    assert wait_report(hub, "carol@example.com", marker + "a").to == ALICE
    gone(hub, marker)
    assert not reports(hub, "carol@example.com", marker + "b")


@pytest.mark.parametrize("command, says", [
    ("Set-TransportServer -ExternalDsnMaxMessageAttachSize 10MB", "512KB"),
    ("Set-TransportConfig -GenerateCopyOfDSNFor 5.4.6,bounce", "bounce"),
    ("Set-TransportServer -InternalDelayDsnEnabled maybe", "InternalDelayDsnEnabled"),
])
def test_what_cannot_be_obeyed_is_refused(hub, command, says):
    assert says in hub.shell_error(command)
