"""mailreeve audit, and the guard against open relays: what is dangerous is found, named with its remedy, and refused without -Force."""
import json
import os
import shlex
import time

import pytest

from support.server import BINARY, Server, quote, settle
from support.util import run, wait_for

ANONYMOUS = "'NT AUTHORITY\\ANONYMOUS LOGON'"
GRANT = "Get-ReceiveConnector %s | Add-ADPermission -User " + ANONYMOUS + " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"


@pytest.fixture
def hub():
    s = Server(start=False)
    yield s
    s.close()


def audit(server, *more):
    return run([BINARY, "audit", "--state", server.state] + list(more), check=False)


def findings(server, status):
    p = audit(server, "--json")
    assert p.returncode == status, p
    report = json.loads(p.stdout)
    for f in report["findings"]:
        assert set(f) == {"severity", "kind", "class", "object", "text", "why", "witness", "remedy"}
    for name, count in (("danger", "dangers"), ("warning", "warnings"), ("note", "notes")):
        assert report[count] == sum(f["severity"] == name for f in report["findings"])
    assert (report["dangers"] > 0) == (status == 1)
    for row in report["access"]:
        assert set(row) == {"connector", "who", "tls", "submit", "relay", "ownSender", "otherSender"}
    return report["findings"]


def of(server, status, kind, thing):
    return [f for f in findings(server, status) if f["kind"] == kind and f["object"] == thing]


def files(server):
    return {os.path.join(d, f): os.stat(os.path.join(d, f)).st_mtime_ns for d, _, names in os.walk(server.state) for f in names}


def custom(server, name, ranges, more="-PermissionGroups AnonymousUsers"):
    server.shell("New-ReceiveConnector -Name %s -Usage Custom -Bindings 0.0.0.0:%d -RemoteIPRanges %s %s" % (quote(name), server.smtp, ranges, more))


def test_a_fresh_state_is_not_dangerous_and_not_touched(hub):
    before = files(hub)
    p = audit(hub)
    assert p.returncode == 0 and p.stdout.decode().splitlines()[-1] == "0 dangers, 0 warnings, 0 notes."
    assert findings(hub, 0) == []
    assert files(hub) == before


def test_who_may_do_what(hub):
    """Users submit on 587 under TLS only, from their own addresses, to any domain; nobody else does anything there."""
    rows = [r for r in json.loads(audit(hub, "--json").stdout)["access"] if r["connector"] == "Client mail" and r["submit"]]
    assert [(r["who"], r["relay"], r["ownSender"], r["otherSender"]) for r in rows if r["tls"]] == [("NT AUTHORITY\\Authenticated Users", True, False, False)]


@pytest.mark.parametrize("argv,status,says", [
    (["audit", "--state", "/nonexistent"], 3, "/nonexistent"), (["audit", "--bogus"], 2, "--bogus"), (["audit", "extra"], 2, "extra"),
    (["audit", "--help"], 0, "Exit status"), (["help", "audit"], 0, "--json"),
])
def test_command_line(argv, status, says):
    p = run([BINARY] + argv, check=False)
    assert p.returncode == status, p
    assert says in (p.stdout + p.stderr).decode()


def test_a_file_that_is_no_policy(hub):
    with open(hub.state + "/policy.db", "wb") as f:
        f.write(b"nonsense" * 1000)
    p = audit(hub)
    assert p.returncode == 3 and b"policy.db" in p.stderr and p.stdout == b""


@pytest.mark.parametrize("running", [False, True])
def test_an_open_relay_is_refused_and_shown_for_ever(hub, running):
    """The same with the server running and stopped; the refusal names the connector, a session, the narrower way and -Force."""
    if running:
        hub.start()
    custom(hub, "wide", "0.0.0.0-126.255.255.255")
    before = (hub.json("Get-ReceiveConnector"), hub.acl("wide"))
    for statement in (GRANT % "wide",
                      "Set-ReceiveConnector wide -AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers",
                      "New-AcceptedDomain -Name com -DomainName '*.com'"):
        error = hub.shell_error(statement)
        for part in ("open relay", "-Force", "mailreeve explain --remote"):
            assert part in error, error
        assert "open relay" in hub.shell_error(statement + " -WhatIf")
    assert "RemoteIPRanges" in hub.shell_error(GRANT % "wide") and '"wide"' in hub.shell_error(GRANT % "wide")
    assert (hub.json("Get-ReceiveConnector"), hub.acl("wide")) == before
    assert not of(hub, 0, "open-relay", "wide")

    p = hub.shell_run(GRANT % "wide" + " -Force")
    assert p.returncode == 0 and b"WARNING" in p.stderr and b"open relay now" in p.stderr, p
    assert hub.acl("wide") - before[1] == {("NT AUTHORITY\\ANONYMOUS LOGON", "ms-Exch-SMTP-Accept-Any-Recipient", False)}
    hub.shell("Set-ReceiveConnector wide -MaxHopCount 20")  # what is there already is in nobody's way
    assert "open relay" in hub.shell_error("Set-ReceiveConnector wide -RemoteIPRanges 0.0.0.0-255.255.255.254")
    found, = of(hub, 1, "open-relay", "wide")
    assert found["severity"] == "danger" and found["class"] == "ReceiveConnector"
    words = shlex.split(found["witness"])
    assert words[:2] == ["mailreeve", "explain"] and words[words.index("--state") + 1] == hub.state
    assert words[words.index("--local") + 1].endswith(":%d" % hub.smtp)

    explained = run([BINARY] + words[1:], check=False)
    assert explained.returncode == 0, explained

    text = audit(hub)
    assert text.returncode == 1
    assert text.stdout.decode().startswith('DANGER  open-relay  ReceiveConnector "wide"')
    assert "mend: " + found["remedy"] in text.stdout.decode() and text.stdout.decode().splitlines()[-1].startswith("1 danger, ")
    hub.shell(found["remedy"])
    assert not of(hub, 0, "open-relay", "wide")


def test_the_live_server_agrees(hub):
    """What is refused as an open relay would be one: forced, a client that proved nothing relays; with a shield it does not."""
    hub.start()
    custom(hub, "wide", "0.0.0.0-254.255.255.255", "-PermissionGroups AnonymousUsers -TarpitInterval 00:00:00")
    hub.shell(GRANT % "wide" + " -Force")
    settle()
    with hub.session() as c:
        assert c.mail("a@elsewhere.test") == 250 and c.rcpt("b@elsewhere.test") == 250
    custom(hub, "shield", "0.0.0.0-127.255.255.255,128.0.0.0-254.255.255.255", "-PermissionGroups AnonymousUsers -TarpitInterval 00:00:00")
    settle()
    with hub.session() as c:
        assert c.mail("a@elsewhere.test") == 250 and c.rcpt("b@elsewhere.test") == 550
    found = findings(hub, 0)
    assert {"unreachable"} == {f["kind"] for f in found if f["object"] == "wide"}
    assert "open relay" in hub.shell_error("Remove-ReceiveConnector shield -Confirm:$false")
    settle()
    with hub.session() as c:
        assert c.mail("a@elsewhere.test") == 250 and c.rcpt("b@elsewhere.test") == 550


def test_narrow_relays_need_no_force(hub):
    custom(hub, "Receive Connector Name", "127.0.0.2,192.168.0.0/16")
    hub.shell('Get-ReceiveConnector "Receive Connector Name" | Add-ADPermission -User "NT AUTHORITY\\ANONYMOUS LOGON" '
              '-ExtendedRights "Ms-Exch-SMTP-Accept-Any-Recipient"')
    assert not of(hub, 0, "open-relay", "Receive Connector Name")


def test_the_gateway_of_this_host(hub):
    """Whoever comes through the gateway's address translation may relay."""
    gateways = []
    with open("/proc/net/route") as f:
        for line in f.read().splitlines()[1:]:
            word = line.split()
            if int(word[3], 16) & 2:
                gateways.append(".".join(str(b) for b in reversed(bytes.fromhex(word[2]))))
    if not gateways:
        pytest.skip("this host has no IPv4 gateway")
    custom(hub, "net", gateways[0] + "/24")
    hub.shell(GRANT % "net")
    found, = of(hub, 1, "gateway-relay", "net")
    assert gateways[0] in found["text"] and "--remote " + gateways[0] in found["witness"]
    hub.shell(found["remedy"])
    assert not of(hub, 0, "gateway-relay", "net")
    assert ("NT AUTHORITY\\ANONYMOUS LOGON", "ms-Exch-SMTP-Accept-Any-Recipient", False) in hub.acl("net")


def test_each_remedy_mends(hub):
    """What a careless administrator leaves behind, mended line by line as the audit says, until nothing is left to say but notes."""
    hub.shell("Set-ReceiveConnector 'Client mail' -AuthMechanism Tls,BasicAuth -TlsMinimumVersion Tls10 -TlsCipherProfile Legacy; "
              "Set-ReceiveConnector 'Default mail' -PermissionGroups @{Add='AnonymousUsers'} -Fqdn other.example.com; "
              "New-AcceptedDomain -Name apps -DomainName '*.apps.test'")
    custom(hub, "net", "10.1.0.0/16", "-Enabled $false")
    first = findings(hub, 1)
    assert {(f["kind"], f["object"]) for f in first} == {
        ("password-in-clear", "Client mail"), ("weak-tls", "Client mail"), ("own-domain-sender", "Default mail"),
        ("no-certificate", "Default mail"), ("wildcard-domain", "apps"), ("disabled", "net")}
    assert [f["severity"] for f in first] == ["danger"] + ["warning"] * 3 + ["note"] * 2
    for f in first:
        if f["witness"]:  # explain understands it, whatever it says about it
            assert run([BINARY] + shlex.split(f["witness"])[1:], check=False).returncode in (0, 1), f
        hub.shell(f["remedy"])
    assert findings(hub, 0) == []


def test_narrowed_grants(hub):
    """A sender is easily made up, so it narrows no open relay; recipients do. What has expired is found."""
    custom(hub, "wide", "0.0.0.0-126.255.255.255")
    assert "--from scan@far.test" in hub.shell_error(GRANT % "wide" + " -Senders scan@far.test -RequireTls")
    assert "below org" in hub.shell_error(GRANT % "wide" + " -Recipients *@*.org")
    hub.shell(GRANT % "wide" + " -Recipients *@far.test")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    hub.shell("Add-ADPermission wide -User Everyone -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Recipients *@near.test -Expires " + soon)
    assert not of(hub, 0, "expired-grant", "wide")
    found, = wait_for("the grant to expire", lambda: of(hub, 0, "expired-grant", "wide"))
    hub.shell(found["remedy"])
    assert not of(hub, 0, "expired-grant", "wide")
    assert "Accept-Any-Recipient" in json.dumps(hub.json("Get-ADPermission wide"))


def test_running_and_stopped_say_the_same(hub):
    custom(hub, "wide", "0.0.0.0-126.255.255.255")
    hub.shell(GRANT % "wide" + " -Force")
    stopped = findings(hub, 1)
    hub.start()
    assert findings(hub, 1) == stopped
    hub.kill9()
    assert findings(hub, 1) == stopped
