"""Narrowed permissions, Send-As, and the sender rule, on the wire: what a printer needs, and nothing more."""
import datetime
import itertools
import os
import re
import signal

import pytest

from support.server import quote, settle, wait_logged
from support.sink import Sink
from support.util import message, wait_for

PASSWORD = "Pw-alice 7%x"
ANONYMOUS = "'NT AUTHORITY\\ANONYMOUS LOGON'"
SUBMIT, OURS, ANY, RELAY = ("ms-Exch-SMTP-" + r for r in ("Submit", "Accept-Authoritative-Domain-Sender", "Accept-Any-Sender", "Accept-Any-Recipient"))
NOT_AS = "550 5.7.1"


def said(reply):
    """A reply without the code of its denial."""
    return re.sub(r" \[mr-[a-z0-9]+\]$", "", str(reply))


sources = ("127.0.7.%d" % n for n in itertools.count(1))


@pytest.fixture(scope="module")
def outside(server):
    s = Sink()
    server.smart_host(s.port)
    yield s
    s.close()


class Device:
    """A connector for one address, with whatever the test grants it."""

    def __init__(self, server, groups="None"):
        self.server, self.address = server, next(sources)
        self.name = "device " + self.address
        server.connector(self.name, self.address, groups)

    def grant(self, rights, narrowing=""):
        self.server.shell("Add-ADPermission %s -User %s -ExtendedRights %s %s" % (quote(self.name), ANONYMOUS, rights, narrowing))
        settle()
        return self

    def session(self, tls=True):
        c = self.server.session(source=self.address)
        if tls:
            c.starttls()
        return c

    def uses(self):
        return {e["ExtendedRights"][0]: e for e in self.server.json("Get-ADPermission %s" % quote(self.name)) if e["Origin"] == "Explicit"}


@pytest.fixture
def device(server, outside):
    return Device(server)


def scanner(device):
    return device.grant(",".join((SUBMIT, OURS, RELAY)), "-Senders scanner@example.com -Recipients '*@example.com','*@partner.test' -RequireTls "
                        "-MessageRate 3 -Comment 'the scanner in the hall'")


# ---- what a printer needs

def test_what_a_printer_needs(device, server, outside, marker):
    scanner(device)
    with device.session() as c:
        assert c.send_mail("scanner@example.com", "alice@example.com", message(marker, "scanner@example.com", "alice@example.com")) == "250 2.6.0"
        assert c.send_mail("Scanner@Example.COM", ["bob@example.com", "archive@partner.test"],
                           message(marker, "scanner@example.com", "archive@partner.test")) == "250 2.6.0"
    server.wait_mail("alice@example.com", marker)
    server.wait_mail("bob@example.com", marker)
    wait_for("the mail outside", lambda: outside.got(marker))


def test_and_nothing_more(device, marker):
    scanner(device)
    with device.session(tls=False) as c:
        assert said(c.mail("scanner@example.com")) == "530 5.7.0 Must issue a STARTTLS command first"
    with device.session() as c:
        code = re.search(r"mr-[a-z0-9]+", c.mail("boss@example.com").text).group(0)
        trace = wait_for("the denial", lambda: device.server.json("Get-Denial | where {$_.Code -eq '%s'}" % code))[0]["Trace"]
        assert "the entry that grants it to NT AUTHORITY\\ANONYMOUS LOGON does not apply: it is not for this sender" in trace
        for sender in ("boss@example.com", "scanner@sub.example.com", "scanner@partner.test", "", "scanner+x@example.com"):
            assert said(c.mail(sender)) == "550 5.7.1 Anonymous client does not have permissions to send as this sender", sender
        assert c.mail("scanner@example.com") == 250
        for to in ("a@elsewhere.test", "a@sub.partner.test", "a@example.com.elsewhere.test", "alice%elsewhere.test@sub.example.com"):
            assert said(c.rcpt(to)) == "550 5.7.1 Client does not have permissions to send to this recipient", to
        assert c.rcpt("nobody@example.com") == 250, "who may send there is told by a report, as ever"
        for headers in (b"From: <boss@example.com>\r\n", b"From: <scanner@example.com>\r\nSender: <boss@example.com>\r\n",
                        b"From: <scanner@example.com>, <boss@example.com>\r\n", b"From: <scanner@example.com>\r\nFrom: <x@elsewhere.test>\r\n"):
            c.cmd("RSET")
            assert c.mail("scanner@example.com") == 250
            assert c.rcpt("alice@example.com") == 250
            got = c.data(headers + b"Subject: x\r\n\r\nx\r\n")
            # Each of these has begun its data, and so counts against the rate.
            assert got == NOT_AS or got == "450 4.4.2", got


def test_author_is_refused_at_the_end_of_the_data(device):
    device.grant(",".join((SUBMIT, OURS)), "-Senders scanner@example.com")
    with device.session() as c:
        for headers in (b"From: <boss@example.com>\r\n", b"From: <scanner@example.com>\r\nSender: <boss@example.com>\r\n",
                        b"From: <scanner@example.com>, <boss@example.com>\r\n", b"From: <scanner@example.com>\r\nFrom: <x@elsewhere.test>\r\n",
                        b"From: \"scanner@example.com\" <boss@example.com>\r\n", b"From: =?utf-8?q?scanner?= <scanner@example.com> <boss@example.com>\r\n"):
            got = c.send_mail("scanner@example.com", "alice@example.com", headers + b"Subject: x\r\n\r\nx\r\n")
            assert got == NOT_AS and "send as this sender" in got.text, (headers, got)
        assert c.send_mail("scanner@example.com", "alice@example.com",
                           b"From: Scanner <SCANNER@example.com>\r\nSender: <scanner@example.com>\r\n\r\nx\r\n") == "250 2.6.0"


def test_rate(device, server, marker):
    """Three a minute over all connections; the fourth is put off, and says why."""
    scanner(device)
    content = message(marker, "scanner@example.com", "alice@example.com")
    for _ in range(3):
        with device.session() as c:
            assert c.send_mail("scanner@example.com", "alice@example.com", content) == "250 2.6.0"
    with device.session() as c:
        got = c.send_mail("scanner@example.com", "alice@example.com", content)
        assert got == "450 4.4.2" and "MessageRate 3 of" in got.text and device.name in got.text
    wait_logged(server, r"event=limit .*MessageRate 3 of .*%s" % device.name)
    # An entry beside it that counts nothing lets further messages pass.
    device.grant(",".join((SUBMIT, OURS, RELAY)), "-Senders scanner@example.com -RequireTls")
    with device.session() as c:
        assert c.send_mail("scanner@example.com", "alice@example.com", content) == "250 2.6.0"


def test_expiry(device):
    """It ends in the middle of a session, to the second."""
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
    device.grant(",".join((SUBMIT, ANY)), "-Expires %s" % until.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    with device.session(tls=False) as c:
        assert c.mail("a@elsewhere.test") == 250
        c.cmd("RSET")

        def refused():
            r = c.mail("a@elsewhere.test")
            c.cmd("RSET")
            return r if r.code != 250 else None
        r = wait_for("the entry to expire", refused)
        assert said(r) == "530 5.7.1 Client was not authenticated"
        assert datetime.datetime.now(datetime.timezone.utc) >= until.replace(microsecond=0)
    assert "is past" in device.server.shell_error("Add-ADPermission %s -User %s -ExtendedRights %s -Expires 2020-01-01" % (
        quote(device.name), ANONYMOUS, SUBMIT))


def test_narrowed_denial(server, outside, marker):
    device = Device(server, "AnonymousUsers")
    for narrowing in ("-Senders '*@bad.test'", "-Recipients bob@example.com"):
        server.shell("Add-ADPermission %s -User Everyone -ExtendedRights %s -Deny %s" % (quote(device.name), SUBMIT, narrowing))
    settle()
    with device.session(tls=False) as c:
        assert c.mail("a@bad.test").code in (530, 550)
        assert c.mail("a@good.test") == 250
        assert c.rcpt("bob@example.com") == NOT_AS
        assert c.rcpt("BOB@EXAMPLE.COM") == NOT_AS
        assert c.rcpt("alice@example.com") == 250
        assert c.data(message(marker, "a@good.test", "alice@example.com")) == "250 2.6.0"
    server.wait_mail("alice@example.com", marker)
    assert not server.mail("bob@example.com", marker)


def test_author_for_certain_recipients(device, marker):
    """A right to a sender that is narrowed by recipients covers a message when it covers all of its recipients."""
    device.grant(SUBMIT)
    device.grant(OURS, "-Senders scanner@example.com")
    device.grant(OURS, "-Senders boss@example.com -Recipients alice@example.com")
    content = message(marker, "boss@example.com", "alice@example.com")
    with device.session(tls=False) as c:
        assert c.send_mail("scanner@example.com", "alice@example.com", content) == "250 2.6.0"
        assert c.send_mail("scanner@example.com", ["alice@example.com", "bob@example.com"], content) == NOT_AS
        assert c.mail("boss@example.com") == 250
        assert c.rcpt("bob@example.com") == NOT_AS
        assert c.rcpt("alice@example.com") == 250
        assert c.data(content) == "250 2.6.0"


# ---- last used, and how often

def test_last_used(fresh_server, marker):
    server = fresh_server
    server.mailbox("alice@example.com", PASSWORD)
    device = Device(server).grant(",".join((SUBMIT, OURS, RELAY)), "-Senders scanner@example.com")
    assert all(e["LastUsed"] is None and e["UseCount"] == 0 for e in device.uses().values())
    for _ in range(2):
        with device.session(tls=False) as c:
            assert c.send_mail("scanner@example.com", ["alice@example.com"] * 3, message(marker, "scanner@example.com", "alice@example.com")) == "250 2.6.0"
    uses = wait_for("two uses", lambda: (lambda u: u if u[SUBMIT]["UseCount"] == 2 else None)(device.uses()))
    assert uses[OURS]["UseCount"] == 2, "once a transaction, in the envelope or the header"
    assert datetime.date.today().isoformat()[:4] in uses[SUBMIT]["LastUsed"]
    server.restart()
    assert device.uses()[SUBMIT] == uses[SUBMIT]
    server.stop()
    assert device.uses()[SUBMIT] == uses[SUBMIT], "and with the server stopped"
    server.start()
    with device.session(tls=False) as c:
        assert c.mail("scanner@example.com") == 250
    wait_for("the third", lambda: device.uses()[SUBMIT]["UseCount"] == 3)
    server.shell("Get-ADPermission %s | where {$_.ExtendedRights -like '*Submit'} | Remove-ADPermission -Confirm:$false" % quote(device.name))
    settle()
    with device.session(tls=False) as c:
        assert c.mail("scanner@example.com") == "530 5.7.1"


# ---- Send-As

@pytest.fixture(scope="module")
def people(server):
    server.mailbox("sales@example.com", "Pw-sales 1")
    server.mailbox("dan@example.com", "Pw-dan 1")
    server.shell("Set-Mailbox sales -EmailAddresses @{Add='shop@example.com'}; New-DistributionGroup inner; New-DistributionGroup team; "
                 "Add-DistributionGroupMember inner -Member alice; Add-DistributionGroupMember team -Member inner")
    settle()


def test_send_as(server, people, marker):
    refused = "550 5.7.1 Client does not have permissions to send as this sender"
    content = message(marker, "shop@example.com", "bob@example.com")
    with server.login("alice@example.com", PASSWORD) as alice, server.login("dan@example.com", "Pw-dan 1") as dan:
        assert said(alice.mail("sales@example.com")) == refused
        assert said(alice.send_mail("alice@example.com", "bob@example.com", content)) == refused
        # It takes effect at once, in a session that is open.
        server.shell("Add-ADPermission -Identity sales -User alice -ExtendedRights 'Send-As'")
        assert alice.send_mail("Sales@example.com", "bob@example.com", content) == "250 2.6.0"
        assert alice.send_mail("alice@example.com", "bob@example.com", content) == "250 2.6.0"
        assert alice.send_mail("alice@example.com", "bob@example.com",
                               b"From: <shop@example.com>, <sales@example.com>\r\nSender: <alice@example.com>\r\n\r\nx\r\n") == "250 2.6.0"
        assert said(alice.send_mail("alice@example.com", "bob@example.com",
                                   b"From: <shop@example.com>, <bob@example.com>\r\nSender: <alice@example.com>\r\n\r\nx\r\n")) == refused
        assert said(dan.mail("sales@example.com")) == refused
        rows = server.json("Get-Mailbox sales | Get-ADPermission")
        assert [(r["User"], r["ExtendedRights"]) for r in rows] == [("alice", ["Send-As"])]
        server.shell("Get-Mailbox sales | Get-ADPermission | Remove-ADPermission -Confirm:$false")
        assert said(alice.mail("sales@example.com")) == refused
        # By a group in a group.
        server.shell("Get-Mailbox sales | Add-ADPermission -User team -ExtendedRights Send-As")
        assert alice.send_mail("shop@example.com", "bob@example.com", content) == "250 2.6.0"
        assert said(dan.mail("sales@example.com")) == refused
        server.shell("Add-DistributionGroupMember inner -Member dan")
        assert dan.mail("sales@example.com") == 250
        server.shell("Remove-DistributionGroupMember inner -Member dan -Confirm:$false")
        dan.cmd("RSET")
        assert said(dan.mail("sales@example.com")) == refused
        server.shell("Remove-DistributionGroup team -Confirm:$false")
        assert said(alice.mail("sales@example.com")) == refused
    assert server.json("Get-Mailbox sales | Get-ADPermission") == []
    assert len(server.wait_mail("bob@example.com", marker, 3)) == 3


def test_send_as_a_group_and_a_contact(server, people, marker):
    server.shell("New-MailContact -Name carol -PrimarySmtpAddress carol@example.com -ExternalEmailAddress carol@partner.test; "
                 "New-DistributionGroup desk -PrimarySmtpAddress desk@example.com")
    for owner in ("carol", "desk"):
        server.shell("Add-ADPermission %s -User alice -ExtendedRights Send-As" % owner)
        with server.login("alice@example.com", PASSWORD) as c:
            assert c.send_mail(owner + "@example.com", "bob@example.com", message(marker, owner + "@example.com", "bob@example.com")) == "250 2.6.0"


def test_send_as_while_the_directory_is_away(server, people):
    """451, neither 250 nor 550: nobody knows."""
    server.shell("Add-ADPermission sales -User alice -ExtendedRights Send-As")
    with server.login("alice@example.com", PASSWORD) as c:
        got = []
        for _ in range(10):
            pid = server.role_pids("directory")
            for p in pid:
                os.kill(p, signal.SIGKILL)
            r = c.mail("sales@example.com")
            c.cmd("RSET")
            assert r.code in (250, 451), r
            got.append(r)
            if r.code == 451:
                break
        assert said(got[-1]) == "451 4.3.0 Permissions of this sender cannot be checked now, try again later"

        def again():
            r = c.mail("sales@example.com")
            c.cmd("RSET")
            return r == 250
        wait_for("the directory to be back", again)
        assert c.mail("alice@example.com") == 250, "one's own address needs no directory"


def test_send_as_keeps_the_order_of_a_pipeline(server, people, marker):
    """The directory is asked in the middle of it, twice: for the envelope and for an author."""
    server.shell("Add-ADPermission sales -User alice -ExtendedRights Send-As")
    with server.login("alice@example.com", PASSWORD) as c:
        c.send(b"MAIL FROM:<sales@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n")
        assert [c.reply().code for _ in range(3)] == [250, 250, 354]
        c.send(message(marker, "shop@example.com", "bob@example.com") + b".\r\nMAIL FROM:<dan@example.com>\r\nMAIL FROM:<shop@example.com>\r\nQUIT\r\n")
        assert [c.reply().code for _ in range(4)] == [250, 550, 250, 221]
    server.wait_mail("bob@example.com", marker)


def test_client_leaves_while_the_directory_is_asked(server, people):
    server.shell("Add-ADPermission sales -User alice -ExtendedRights Send-As")
    c = server.login("alice@example.com", PASSWORD)
    pids = server.role_pids("directory")
    for p in pids:
        os.kill(p, signal.SIGSTOP)
    try:
        c.send(b"MAIL FROM:<sales@example.com>\r\n")
        c.close()
        with server.session(source=next(sources)) as other:
            assert other.cmd("NOOP") == 250
    finally:
        for p in pids:
            os.kill(p, signal.SIGCONT)
    with server.login("alice@example.com", PASSWORD) as c:
        assert c.mail("sales@example.com") == 250


# ---- the sender rule: what single entries of AnonymousUsers do

def single(server, *removed):
    device = Device(server, "AnonymousUsers")
    for right in removed:
        # As the documents print it.
        server.shell('Get-ReceiveConnector %s | Get-ADPermission -User "NT AUTHORITY\\Anonymous Logon" | where {$_.ExtendedRights -like "%s"} | '
                     "Remove-ADPermission -Confirm:$false" % (quote(device.name), right.lower()))
    settle()
    return device


@pytest.mark.parametrize("removed,local,foreign", [((), True, True), ((OURS,), False, True), ((ANY,), True, False), ((OURS, ANY), False, False)],
                         ids=["neither", "own domain is not for spoofing", "local senders only", "both"])
def test_sender_rule(server, removed, local, foreign):
    refused = "550 5.7.1 Anonymous client does not have permissions to send as this sender"
    with single(server, *removed).session(tls=False) as c:
        for sender, may in (("alice@example.com", local), ("nobody@EXAMPLE.com", local), ("a@elsewhere.test", foreign), ("a@sub.example.com", foreign),
                            ("", True)):
            r = c.mail(sender)
            assert (r == 250) if may else (said(r) == refused), (sender, r)
            c.cmd("RSET")
        for header, may in ((b"From: <alice@example.com>", local), (b"From: <a@elsewhere.test>", foreign),
                            (b"From: <a@elsewhere.test>\r\nSender: <alice@example.com>", local and foreign),
                            (b"From: <alice@example.com>, <a@elsewhere.test>", local and foreign),
                            (b"From: <a@elsewhere.test>\r\nFrom: <alice@example.com>", local and foreign),
                            (b"Subject: no author at all", True),
                            (b"Subject: x\r\nResent-From: <alice@example.com>", True)):
            r = c.send_mail("", "alice@example.com", header + b"\r\n\r\nx\r\n")
            assert (r == "250 2.6.0") if may else (said(r) == refused), (header, r)


def test_user_with_neither_right(server):
    """A user without either right uses addresses of its own, whoever else may use them."""
    with server.login("alice@example.com", PASSWORD) as c:
        assert c.mail("alice@example.com") == 250
        c.cmd("RSET")
        for sender in ("bob@example.com", "a@elsewhere.test", "nobody@example.com"):
            assert said(c.mail(sender)) == "550 5.7.1 Client does not have permissions to send as this sender"
        assert c.mail("") == 250
