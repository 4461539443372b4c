"""The management shell and the command line: as documented, with the server running and stopped; bad input named."""
import json
import os
import subprocess

import pytest

from support.server import BINARY, Server
from support.util import run


@pytest.fixture(scope="module")
def hub():
    s = Server(start=False)
    yield s
    s.close()


def test_init_twice_changes_nothing(hub):
    before = {f: os.stat(os.path.join(hub.state, f)).st_mtime_ns for f in os.listdir(hub.state)}
    p = run([BINARY, "init", "--state", hub.state, "--domain", "other.test"])
    assert b"nothing was changed" in p.stdout + p.stderr
    assert before == {f: os.stat(os.path.join(hub.state, f)).st_mtime_ns for f in os.listdir(hub.state)}


@pytest.mark.parametrize("argv,status,says", [
    ([], 2, "usage"), (["frobnicate"], 2, "unknown command"), (["init"], 2, "--domain"), (["init", "--domain", "not a domain", "--state", "/tmp/mr-none"], 2, "domain"),
    (["init", "--domain", "x.test", "--role", "mailbox"], 2, "hub"), (["init", "--domain", "x.test", "--port-offset", "99999"], 2, "port-offset"),
    (["serve", "--state", "/nonexistent"], 1, "/nonexistent"), (["serve", "--bogus"], 2, "unknown option"), (["shell", "--state"], 2, "needs a value"),
    (["shell", "--state", "/nonexistent", "-c", "Get-Mailbox"], 1, "mailreeve init"), (["help", "serve"], 0, "SIGHUP"), (["--version"], 0, "mailreeve"),
])
def test_command_line(argv, status, says):
    p = run([BINARY] + argv, check=False)
    assert p.returncode == status, p
    assert says in (p.stdout + p.stderr).decode()
    assert not os.path.exists("/tmp/mr-none")


@pytest.mark.parametrize("running", [False, True])
def test_works_with_the_server_running_and_stopped(hub, running):
    if running:
        hub.start()
    name = "m%d" % running
    hub.mailbox(name + "@example.com", "pw-One1 two")
    row = hub.one("Get-Mailbox " + name)
    assert row["PrimarySmtpAddress"] == name + "@example.com" and "pw-One1" not in json.dumps(row)
    hub.shell("Set-Mailbox %s -EmailAddresses @{Add='%s.alias@example.com'}" % (name, name))
    assert name + ".alias@example.com" in hub.one("Get-Mailbox " + name)["EmailAddresses"]
    hub.shell("Remove-Mailbox %s -Confirm:$false" % name)
    assert "could not be found" in hub.shell_error("Get-Mailbox " + name) or "no mailbox" in hub.shell_error("Get-Mailbox " + name).lower()
    if running:
        assert hub.stop() == 0


def test_script_file_and_exit_status(hub, tmp_path):
    f = tmp_path / "s.ps1"
    f.write_bytes("\ufeff# a comment\r\nNew-AcceptedDomain -Name two `\r\n  -DomainName two.test\r\nGet-AcceptedDomain |\r\n  where {$_.DomainName -like '*.test'} | "
                  "Select-Object -ExpandProperty DomainName\r\n".encode())
    p = run([BINARY, "shell", "--state", hub.state, str(f)])
    assert p.stdout.decode().split()[-1] == "two.test"
    f.write_text("New-AcceptedDomain -Name three -DomainName three.test\nGet-Nonsense\nNew-AcceptedDomain -Name four -DomainName four.test\n")
    p = run([BINARY, "shell", "--state", hub.state, str(f)], check=False)
    assert p.returncode == 1 and b"Get-Nonsense" in p.stderr and b"statement 2 of 3, line 2" in p.stderr
    names = {d["DomainName"] for d in hub.json("Get-AcceptedDomain")}
    assert "four.test" not in names
    f.write_text("Get-AcceptedDomain\nGet-ReceiveConnector | where {\n")
    p = run([BINARY, "shell", "--state", hub.state, str(f)], check=False)
    assert p.returncode == 1 and p.stdout == b"", "a syntax error is found before anything runs"


@pytest.mark.parametrize("line,names", [
    ("New-ReceiveConnector -Name x", ["RemoteIPRanges"]),
    ("Set-ReceiveConnector 'Default mail' -MaxMessageSize 1KB", ["MaxMessageSize", "64KB"]),
    ("Set-ReceiveConnector 'Default mail' -AuthMechanism Tls,Magic", ["AuthMechanism", "Magic", "BasicAuthRequireTLS"]),
    ("Set-ReceiveConnector 'Default mail' -RemoteIPRanges 10.0.0.300", ["RemoteIPRanges", "10.0.0.300"]),
    ("Set-ReceiveConnector 'Default mail' -TarpitInterval soon", ["TarpitInterval", "soon"]),
    ("Set-ReceiveConnector nobody -Enabled $false", ["nobody", "Default mail"]),
    ("Set-ReceiveConnector 'Default mail' -Nonsense 1", ["Nonsense"]),
    ("New-Mailbox -Name x -PrimarySmtpAddress x@elsewhere.test -Password 'pw-X1'", ["elsewhere.test", "New-AcceptedDomain"]),
    ("New-AcceptedDomain -Name all -DomainName '*'", ["*"]),
    ("New-SendConnector -Name s -AddressSpaces '*' -DNSRoutingEnabled $false", ["SmartHosts"]),
    ("Get-ReceiveConnector 'Default mail' | Add-ADPermission -User nobody-here -ExtendedRights ms-Exch-SMTP-Submit", ["nobody-here"]),
    ("Get-ReceiveConnector 'Default mail' | Add-ADPermission -User Everyone -ExtendedRights ms-Exch-Fly", ["ms-Exch-Fly", "ms-Exch-SMTP-Submit"]),
    ("Get-ReceiveConnectors", ["Get-ReceiveConnector"]),
    ("Get-ReceiveConnector | where {$_.Name -lke 'x'}", ["-lke"]),
    ("New-ReceiveConnector -Name twin -Usage Client -RemoteIPRanges 0.0.0.0-255.255.255.255", ["Client mail", "Bindings"]),
])
def test_errors_name_what_was_wrong(hub, line, names):
    before = hub.json("Get-ReceiveConnector")
    error = hub.shell_error(line)
    for n in names:
        assert n.lower() in error.lower(), error
    assert hub.json("Get-ReceiveConnector") == before


def test_help(hub):
    text = hub.shell("Get-Help New-ReceiveConnector")
    for part in ("NAME", "SYNOPSIS", "SYNTAX", "-RemoteIPRanges", "-Usage"):
        assert part in text
    assert "Add-ADPermission" in hub.shell("Get-Command *ADPermission | Select-Object -ExpandProperty Name")
    for command in hub.shell("Get-Command | Select-Object -ExpandProperty Name").split():
        assert command in hub.shell("Get-Help " + command)


def test_json_types(hub):
    c = hub.one("Get-ReceiveConnector 'Client mail'")
    assert c["Enabled"] is True and isinstance(c["MaxRecipientsPerMessage"], int) and isinstance(c["AuthMechanism"], list)
    assert c["TarpitInterval"] == "00:00:05" and c["MessageRateLimit"] == "Unlimited"
    assert json.loads(hub.shell("Get-ReceiveConnector 'Client mail' | ConvertTo-Json"))["Name"] == "Client mail"
    assert len(json.loads(hub.shell("Get-ReceiveConnector | ConvertTo-Json"))) == 3
    assert json.loads(hub.shell("Get-SendConnector | ConvertTo-Json -AsArray")) == []


def test_whatif_and_confirm(hub):
    hub.shell("Remove-AcceptedDomain two -WhatIf")
    assert "two.test" in {d["DomainName"] for d in hub.json("Get-AcceptedDomain")}
    assert "Confirm" in hub.shell_error("Remove-AcceptedDomain two")
    hub.shell("Remove-AcceptedDomain two -Confirm:$false")


def test_pipeline_that_fails_half_way_changes_nothing(hub):
    hub.shell("New-AcceptedDomain -Name p1 -DomainName p1.test; New-AcceptedDomain -Name p2 -DomainName p2.test")
    hub.shell_error("Get-AcceptedDomain | where {$_.Name -ne 'p1'} | Remove-AcceptedDomain -Confirm:$false")  # the default domain cannot go
    assert {"p1.test", "p2.test"} <= {d["DomainName"] for d in hub.json("Get-AcceptedDomain")}


def test_password_from_a_file(hub, tmp_path):
    f = tmp_path / "pw"
    f.write_text("pw-From file\n")
    hub.shell("New-Mailbox -Name filed -PrimarySmtpAddress filed@example.com -PasswordFile '%s'" % f)
    assert "password" in hub.shell_error("New-Mailbox -Name none -PrimarySmtpAddress none@example.com").lower()


def test_interactive_session(hub):
    """As at a prompt: statements from standard input, errors do not end it, exit does."""
    p = subprocess.run([BINARY, "shell", "--state", hub.state], input=b"Get-Nonsense\nGet-AcceptedDomain |\n  Select-Object -ExpandProperty DomainName\nexit\n",
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)
    assert b"example.com" in p.stdout and b"Get-Nonsense" in p.stderr
