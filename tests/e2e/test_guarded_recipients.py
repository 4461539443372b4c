"""Recipients that want an authenticated sender (RequireSenderAuthenticationEnabled): who reaches them, who is refused at RCPT, who
gets a report, and that explain knows."""
import json
import subprocess

import pytest

from support.server import BINARY, Server, settle
from support.util import message, wait_for

ALICE, PASSWORD, APP = "alice@example.com", "Pw-alice 7%x", "127.0.0.2"
ANONYMOUS = "'NT AUTHORITY\\ANONYMOUS LOGON'"
REQUIRED = "RESOLVER.RST.AuthRequired; authentication required"


@pytest.fixture(scope="module")
def hub():
    """box and team are guarded; open_team is not, but box is its member. Anonymous clients from APP may relay, others may not."""
    s = Server()
    s.relax()
    s.mailbox(ALICE, PASSWORD)
    s.mailbox("bob@example.com", "Pw-bob#8\"y")
    s.mailbox("box@example.com", "Pw-box 9$z")
    s.connector("internet", "127.0.0.1")
    s.connector("app", APP)
    s.shell("Get-ReceiveConnector app | Add-ADPermission -User %s -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient" % ANONYMOUS)
    s.shell("Set-Mailbox box -RequireSenderAuthenticationEnabled $true; Set-Mailbox box -EmailAddresses @{Add='box.alias@example.com'}; "
            "New-DistributionGroup -Name team -PrimarySmtpAddress team@example.com -RequireSenderAuthenticationEnabled $true; "
            "New-DistributionGroup -Name open -PrimarySmtpAddress open@example.com; "
            "Add-DistributionGroupMember team -Member bob; Add-DistributionGroupMember open -Member box; Add-DistributionGroupMember open -Member bob")
    settle()
    yield s
    s.close()


def explain(hub, *argv):
    p = subprocess.run([BINARY, "explain", "--state", hub.state, "--local", "127.0.0.1:%d" % hub.smtp, "--json", *argv],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert p.returncode in (0, 1), p.stderr
    return json.loads(p.stdout)


@pytest.mark.parametrize("to", ["box@example.com", "BOX.Alias@example.com", "team@example.com"])
def test_anonymous_is_refused_at_rcpt(hub, to):
    with hub.session() as c:
        assert c.mail("x@outside.test") == "250 2.1.0"
        r = c.rcpt(to)
        assert r == "550 5.7.1" and REQUIRED in r.text, r
        assert "[mr-" in r.text, "a refusal has its code"
        assert c.rcpt("bob@example.com") == "250 2.1.5", "the others are taken"
    e = explain(hub, "--remote", "127.0.0.1", "--from", "x@outside.test", "--to", to)
    assert (e["verdict"], e["cause"], e["stage"], e["code"]) == ("refused", "authenticated-sender-required", "RCPT", 550)
    assert any("-RequireSenderAuthenticationEnabled $false" in line for r in e["remedies"] for line in r.get("commands", [])), e["remedies"]


@pytest.mark.parametrize("to,box", [("box@example.com", "box@example.com"), ("team@example.com", "bob@example.com"), ("open@example.com", "box@example.com")])
def test_a_user_reaches_them(hub, marker, to, box):
    with hub.session(port=hub.submission) as c:
        c.starttls()
        assert c.auth_login(ALICE, PASSWORD) == "235 2.7.0"
        assert c.send_mail(ALICE, to, message(marker, ALICE, to)) == "250 2.6.0"
    assert len(hub.wait_mail(box, marker)) == 1


@pytest.mark.parametrize("to,refused", [("box@example.com", "box@example.com"), ("team@example.com", "team@example.com"), ("open@example.com", "box@example.com")])
def test_who_may_relay_gets_a_report(hub, marker, to, refused):
    """The sender of this application is alice, unproven."""
    with hub.session(source=APP) as c:
        assert c.send_mail(ALICE, to, message(marker, ALICE, to)) == "250 2.6.0"
    report = hub.wait_mail(ALICE, marker)[0]
    assert ("#550 5.7.1 %s ##" % REQUIRED).encode() in report and refused.encode() in report
    assert hub.mail("box@example.com", marker) == []
    if to.startswith("open"):
        wait_for("the member who takes it", lambda: hub.mail("bob@example.com", marker))
    else:
        e = explain(hub, "--remote", APP, "--from", ALICE, "--to", to)
        assert e["verdict"] == "allowed" and e["undeliverable"] and "AuthRequired" in e["reason"]


def test_a_report_reaches_them(hub, marker):
    """It is from nobody, and ours."""
    with hub.session(source=APP) as c:
        assert c.send_mail("box@example.com", "nobody@example.com", message(marker, "box@example.com", "nobody@example.com")) == "250 2.6.0"
    assert b"RecipNotFound" in hub.wait_mail("box@example.com", marker)[0]
