"""The header firewall at every entry and exit: connectors, mailboxes, next hops, reports; and who the sender was."""
import pytest

from support.server import settle
from support.sink import Sink
from support.util import fields, message, wait_for

OUTSIDE, TRUSTED, VOUCHED = "127.0.0.31", "127.0.0.32", "127.0.0.33"
PASSWORD = "correct horse"
EXTRA = (b"Received: from a.test by b.test; Mon, 01 Jan 2024 09:00:00 +0000\r\nResent-From: <r@outside.test>\r\n"
         b"X-MS-Exchange-Organization-SCL: 7\r\nX-MS-Exchange-Organization-Journal-Report: yes\r\n"
         b"X-MS-Exchange-Forest-RulesExecuted: yes\r\nX-Mailer: mine\r\n")
ORGANIZATION, FOREST = "X-MS-Exchange-Organization-", "X-MS-Exchange-Forest-"


@pytest.fixture(scope="module", autouse=True)
def sink(server):
    server.mailbox("walled@example.com", PASSWORD)
    server.connector("outside", OUTSIDE)
    server.connector("trusted", TRUSTED)
    server.shell("Get-ReceiveConnector trusted | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights "
                 "ms-Exch-Accept-Headers-Organization,ms-Exch-Accept-Headers-Forest,ms-Exch-SMTP-Accept-Any-Recipient")
    server.connector("vouched", VOUCHED, groups="ExchangeServers", extra="-AuthMechanism ExternalAuthoritative")
    s = Sink()
    server.smart_host(s.port, "walled.test", name="walled")
    server.shell("New-SendConnector -Name open -AddressSpaces open.test -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 -Port %d; "
                 "Get-SendConnector open | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights "
                 "ms-Exch-Send-Headers-Organization,ms-Exch-Send-Headers-Forest" % s.port)
    server.shell("New-SendConnector -Name closed -AddressSpaces closed.test -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 -Port %d; "
                 "Get-SendConnector closed | Remove-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights "
                 "ms-Exch-Send-Headers-Routing -Confirm:$false" % s.port)
    settle()
    yield s
    s.close()


def names(raw, prefix):
    from support.util import split_message
    return sorted(n[len(prefix):] for n, _ in split_message(raw)[0] if n.startswith(prefix))


def send(server, source, to, marker, sender="a@outside.test", params="", body=b"hello\r\n"):
    with server.session(source=source) as c:
        assert c.cmd("MAIL FROM:<%s>%s" % (sender, params)) == 250
        assert c.rcpt(to) == 250
        assert c.cmd("DATA") == 354
        c.send(message(marker, sender, to, headers=EXTRA, body=body) + b".\r\n")
        assert c.reply() == 250


def test_entry_of_anonymous(server, marker):
    send(server, OUTSIDE, "walled@example.com", marker)
    raw = server.wait_mail("walled@example.com", marker)[0]
    assert names(raw, ORGANIZATION) == ["AuthAs", "AuthSource"], "only our own"
    assert names(raw, FOREST) == []
    assert fields(raw, ORGANIZATION + "AuthAs") == ["Anonymous"]
    assert fields(raw, ORGANIZATION + "AuthSource") == ["mail.example.com"]
    assert len(fields(raw, "Received")) == 2 and fields(raw, "Resent-From"), "routing headers are kept"


def test_exit_to_a_mailbox(server, marker):
    """What the entry kept: a mailbox sees the spam level and who sent it, nothing else of the organization."""
    send(server, TRUSTED, "walled@example.com", marker)
    raw = server.wait_mail("walled@example.com", marker)[0]
    assert names(raw, ORGANIZATION) == ["AuthAs", "AuthSource", "SCL"]
    assert names(raw, FOREST) == []
    assert fields(raw, "X-Mailer") == ["mine"] and raw.replace(b"\r\n", b"\n").endswith(b"\n\nhello\n")


@pytest.mark.parametrize("domain,organization,forest,routing", [
    ("walled.test", [], [], True),
    ("open.test", ["AuthAs", "AuthSource", "Journal-Report", "SCL"], ["RulesExecuted"], True),
    ("closed.test", [], [], False),
])
def test_exit_to_a_next_hop(server, sink, marker, domain, organization, forest, routing):
    send(server, TRUSTED, "far@" + domain, marker)
    raw = wait_for("the relayed message", lambda: sink.got(marker))[0]["data"]
    assert names(raw, ORGANIZATION) == organization
    assert names(raw, FOREST) == forest
    assert len(fields(raw, "Received")) == (2 if routing else 0)
    assert bool(fields(raw, "Resent-From")) == routing
    assert fields(raw, "X-Mailer") == ["mine"]


def test_exit_of_a_large_message(server, sink, marker):
    """Its body lies in a file; the header alone is made anew, the rest goes as it is."""
    body = b"".join(b"line %07d of the body\r\n" % i for i in range(20000))
    send(server, TRUSTED, "far@walled.test", marker, body=body)
    raw = wait_for("the relayed message", lambda: sink.got(marker))[0]["data"]
    assert names(raw, ORGANIZATION) == [] and fields(raw, "X-Mailer") == ["mine"]
    assert raw.endswith(b"\r\n\r\n" + body)
    send(server, TRUSTED, "walled@example.com", marker + "b", body=body)
    raw = server.wait_mail("walled@example.com", marker + "b")[0]
    assert names(raw, ORGANIZATION) == ["AuthAs", "AuthSource", "SCL"]
    assert raw.endswith(b"\n\n" + body.replace(b"\r\n", b"\n"))


def test_user_is_internal(server, marker):
    with server.login("walled@example.com", PASSWORD) as c:
        assert c.send_mail("walled@example.com", "walled@example.com", message(marker, "walled@example.com", "walled@example.com")) == 250
    raw = server.wait_mail("walled@example.com", marker)[0]
    assert fields(raw, ORGANIZATION + "AuthAs") == ["Internal"]


def test_externally_secured_is_internal(server, marker):
    send(server, VOUCHED, "walled@example.com", marker)
    raw = server.wait_mail("walled@example.com", marker)[0]
    assert fields(raw, ORGANIZATION + "AuthAs") == ["Internal"]
    assert names(raw, ORGANIZATION) == ["AuthAs", "AuthSource"], "it may not bring its own"


def test_authentication_flag(server, marker):
    """AUTH= counts for whoever has the right, and for nobody else."""
    server.shell("Set-ReceiveConnector outside -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS")
    settle()
    send(server, OUTSIDE, "walled@example.com", marker, params=" AUTH=a@outside.test")
    assert fields(server.wait_mail("walled@example.com", marker)[0], ORGANIZATION + "AuthAs") == ["Anonymous"]
    server.shell("Get-ReceiveConnector outside | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights "
                 "ms-Exch-SMTP-Accept-Authentication-Flag")
    settle()
    send(server, OUTSIDE, "walled@example.com", marker + "b", params=" AUTH=a@outside.test")
    assert fields(server.wait_mail("walled@example.com", marker + "b")[0], ORGANIZATION + "AuthAs") == ["Internal"]
    send(server, OUTSIDE, "walled@example.com", marker + "c", params=" AUTH=<>")
    assert fields(server.wait_mail("walled@example.com", marker + "c")[0], ORGANIZATION + "AuthAs") == ["Anonymous"]


def test_report_shows_neither(server, marker):
    """The original in a report is without both classes and without routing headers; its text for people has these."""
    with server.session(source=TRUSTED) as c:
        c.send_mail("walled@example.com", "nobody-%s@example.com" % marker,
                    message(marker, "walled@example.com", "nobody@example.com", headers=EXTRA))
    raw = server.wait_mail("walled@example.com", marker)[0]
    text, _, original = raw.partition(b"Content-Type: text/rfc822-headers")
    assert b"Original message headers:" in text and b"from a.test by b.test" in text and b"X-Mailer: mine" in original
    for name in (b"X-MS-Exchange-", b"Resent-From", b"Received"):
        assert name not in original, name
    assert b"X-MS-Exchange-" not in text[text.index(b"Original message headers:"):]
