"""export, plan and apply against the running and the stopped server, policies on trial, and the audit trail."""
import json
import os
import pwd
import subprocess
import time

import pytest

from support.server import BINARY, Server, settle, wait_logged
from support.util import run, wait_for

MARKER = "Zaubernuss-77"
WAITING = "waits for its confirmation"


def cli(server, *args, stdin=None, **kw):
    return run([BINARY, args[0], "--state", server.state] + list(args[1:]), input=stdin, check=False, **kw)


def ok(server, *args, stdin=None):
    p = cli(server, *args, stdin=stdin)
    assert p.returncode == 0, "%s: exit %d: %s" % (args, p.returncode, p.stderr + p.stdout)
    return p.stdout.decode()


def write(server, text, name="policy.ps1"):
    path = server.dir + "/" + name
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


@pytest.fixture(params=["running", "stopped"])
def either(request):
    s = Server(start=request.param == "running")
    try:
        yield s
    finally:
        s.close()


def test_export_plan_apply(either):
    s = either
    s.mailbox("alice@example.com", MARKER)
    first = ok(s, "export")
    assert MARKER not in ok(s, "export", "--recipients")
    assert ok(s, "export") == first
    path = write(s, first)
    p = cli(s, "plan", path)
    assert p.returncode == 0 and b"No differences" in p.stdout and b"\033" not in p.stdout, p
    assert ok(s, "apply", path).startswith("No differences")

    edited = write(s, first.replace("-MaxRecipientsPerMessage 5000", "-MaxRecipientsPerMessage 77") +
                   "New-ReceiveConnector 'Apps “x” $y' -Usage Custom -Bindings 127.0.0.1:%d -RemoteIPRanges 127.0.0.9 "
                   "-PermissionGroups AnonymousUsers\n"
                   "Add-ADPermission 'Apps “x” $y' -User alice -ExtendedRights ms-Exch-SMTP-Accept-Any-Sender\n" % s.smtp, "edited.ps1")
    p = cli(s, "plan", edited)
    text = p.stdout.decode()
    assert p.returncode == 1, p
    assert "~ receive connector \"Default mail\"" in text and "5000 -> 77" in text and "+ receive connector \"Apps “x” $y\"" in text, text
    assert "+ permission: allow ms-Exch-SMTP-Accept-Any-Sender to alice" in text and "2 to add, 1 to change, 0 to remove." in text, text
    assert json.loads(cli(s, "plan", "--json", edited).stdout)["Added"] == 2
    assert ok(s, "export") == first, "a plan changes nothing"
    assert "Applied." in ok(s, "apply", edited)
    assert s.one("Get-ReceiveConnector 'Default mail'")["MaxRecipientsPerMessage"] == 77
    assert cli(s, "plan", edited).returncode == 0
    second = ok(s, "export")
    assert ok(s, "apply", "--yes", path).rstrip().endswith("Applied.")
    assert ok(s, "export") == first
    ok(s, "apply", "-", stdin=second.encode())
    assert ok(s, "export") == second


def test_errors_change_nothing(either):
    s = either
    before = ok(s, "export", "--recipients")
    bad = write(s, ok(s, "export") + "\nSet-TransportConfig -MaxSendSize 5MB\n  Set-TransportConfig -MaxSendSize lots\n")
    lines = open(bad, encoding="utf-8").read().split("\n")
    for command, status in (("plan", 2), ("apply", 1)):
        p = cli(s, command, bad)
        assert p.returncode == status, p
        assert "line %d, column 3" % (len(lines) - 1) in p.stderr.decode() and "lots" in p.stderr.decode(), p.stderr
        p = cli(s, command, write(s, "New-AcceptedDomain 'x", "syntax.ps1"))
        assert p.returncode == status and b"line 1, column" in p.stderr, p
        p = cli(s, command, s.dir + "/none")
        assert p.returncode == status and b"none" in p.stderr, p
        assert cli(s, command).returncode == 2
        assert cli(s, command, bad, "--nonsense").returncode == 2
    assert cli(s, "apply", bad, "--confirm-within", "soon").returncode == 2
    assert cli(s, "apply", bad, "--confirm").returncode == 2
    assert ok(s, "export", "--recipients") == before


def test_recipients_keep_their_passwords(fresh_server):
    s = fresh_server
    s.mailbox("alice@example.com", MARKER)
    s.mailbox("bob@example.com", "bob-pw")
    whole = ok(s, "export", "--recipients")
    edited = write(s, whole.replace("New-Mailbox -Name alice", "New-Mailbox -Name alice -DisplayName 'A. L.'").replace(
        "New-Mailbox -Name bob `\n    -PrimarySmtpAddress bob@example.com\n", "New-Mailbox -Name carol -PrimarySmtpAddress carol@example.com\n"))
    p = cli(s, "plan", edited)
    assert p.returncode == 2 and b"--recipients" in p.stderr, p
    p = cli(s, "plan", "--recipients", edited)
    assert p.returncode == 1 and b'- mailbox "bob"' in p.stdout and b'+ mailbox "carol"' in p.stdout and b"without a password" in p.stderr, p
    p = cli(s, "apply", "--recipients", "--confirm-within", "5m", edited)
    assert p.returncode == 1 and b"recipients" in p.stderr, p
    ok(s, "apply", "--recipients", "--yes", edited)
    s.login("alice@example.com", MARKER).close()
    c = s.session(s.submission)
    c.starttls()
    assert c.auth_plain("carol@example.com", "bob-pw") == "535 5.7.3"
    c.close()
    assert [m["Name"] for m in s.json("Get-Mailbox")] == ["alice", "carol"]


def test_a_large_script(either):
    """More than a frame between processes holds, and than a statement may have."""
    s = either
    n = 1500
    text = ok(s, "export", "--recipients") + "".join(
        "New-MailContact -Name 'c%d' -PrimarySmtpAddress c%d@example.com -ExternalEmailAddress c%d@partner.test -DisplayName '%s'\n"
        % (i, i, i, "ä" * 100) for i in range(n))
    assert len(text.encode()) > 300000
    path = write(s, text)
    assert cli(s, "plan", "--recipients", path).returncode == 1
    ok(s, "apply", "--recipients", path)
    assert len(s.json("Get-MailContact")) == n
    exported = ok(s, "export", "--recipients")
    assert exported.count("New-MailContact") == n
    assert cli(s, "plan", "--recipients", write(s, exported)).returncode == 0


# -- on trial

def comment(server):
    return server.one("Get-ReceiveConnector 'Default mail'")["Comment"]


def trial(server, within):
    path = write(server, ok(server, "export").replace("-SizeEnabled EnabledWithoutValue", "-SizeEnabled EnabledWithoutValue -Comment trial"))
    return cli(server, "apply", path, "--confirm-within", within)


def test_rolled_back_by_itself(fresh_server):
    server = fresh_server
    p = trial(server, "2s")
    assert p.returncode == 0 and b"--confirm" in p.stdout, p
    assert comment(server) == "trial"
    p = cli(server, "apply", server.dir + "/policy.ps1")
    assert p.returncode == 0, "nothing to do is no second trial: %s" % p
    p = cli(server, "apply", write(server, ok(server, "export") + "Set-TransportConfig -MaxSendSize 5MB\n"))
    assert p.returncode == 1 and WAITING in p.stderr.decode() and b"apply --confirm" in p.stderr, p
    wait_logged(server, "event=policy-rolled-back")
    assert comment(server) == ""
    settle()
    p = cli(server, "apply", "--confirm")
    assert p.returncode == 1 and b"no policy waits" in p.stderr, p
    rows = server.json("Get-AdminAuditLog -UserIds mailreeve")
    assert [r["CmdletName"] for r in rows if "Default mail" in r["ObjectModified"]] == ["Undo-Policy"], rows
    assert "Comment: trial -> " in [x for r in rows for x in r["Changes"]]


def test_confirmed(either):
    assert trial(either, "1h").returncode == 0
    assert b"Confirmed" in cli(either, "apply", "--confirm").stdout
    assert comment(either) == "trial"
    assert cli(either, "apply", "--rollback").returncode == 1
    assert comment(either) == "trial"


def test_rolled_back_at_once(either):
    assert trial(either, "1h").returncode == 0
    assert b"Rolled back" in cli(either, "apply", "--rollback").stdout
    assert comment(either) == ""


def test_rolled_back_by_the_next_start():
    s = Server(start=False)
    try:
        assert trial(s, "1s").returncode == 0
        deadline = time.time() + 1.1
        wait_for("the time to be over", lambda: time.time() > deadline)
        s.start()
        wait_logged(s, "event=policy-rolled-back")
        assert comment(s) == ""
    finally:
        s.close()


def test_rolled_back_by_the_next_command_on_a_stopped_server():
    s = Server(start=False)
    try:
        before = ok(s, "export")
        assert trial(s, "1s").returncode == 0
        deadline = time.time() + 1.1
        wait_for("the time to be over", lambda: time.time() > deadline)
        p = cli(s, "apply", "--confirm")
        assert p.returncode == 1 and b"not confirmed in time" in p.stderr, p
        assert ok(s, "export") == before
    finally:
        s.close()


def test_rolled_back_though_manage_died(fresh_server):
    server = fresh_server
    assert trial(server, "3s").returncode == 0
    before = server.role_pids("manage")
    server.kill9("manage")
    wait_for("manage to be there again", lambda: server.role_pids("manage") not in ([], before))
    wait_logged(server, "event=policy-rolled-back")
    wait_for("the shell", lambda: server.shell_run("Get-TransportConfig").returncode == 0)
    assert comment(server) == ""


# -- the terminal

def on_terminal(server, args, answer):
    """Runs a command on a terminal of its own; what it wrote, and its status. The answer is given until it is taken:
    what is typed before the command reads is dropped, as it may be meant for something else."""
    import pty
    import select
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(BINARY, [BINARY, args[0], "--state", server.state] + args[1:])
    out = b""
    while True:
        while b"default is Y" in out and not select.select([fd], [], [], 0.2)[0]:
            os.write(fd, answer)
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        out += got
    os.close(fd)
    return out, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_asks_before_it_removes(either):
    s = either
    s.smart_host(2526)
    text = ok(s, "export")
    path = write(s, text[:text.index("\n# Send connectors")])
    out, status = on_terminal(s, ["plan", path], b"")
    assert status == 1 and b"\033[31m- send connector" in out, out
    out, status = on_terminal(s, ["apply", path], b"n\n")
    assert status == 1 and b"1 object would be removed" in out and b"nothing was changed" in out, out
    assert len(s.json("Get-SendConnector")) == 1
    out, status = on_terminal(s, ["apply", path], b"y\n")
    assert status == 0 and s.json("Get-SendConnector") == [], out


# -- the audit trail

def test_audit_log(either):
    s = either
    me = pwd.getpwuid(os.getuid()).pw_name
    s.shell("New-Mailbox alice -Password '%s'; Set-ReceiveConnector 'Default mail' -MaxMessageSize 25MB" % MARKER)
    s.smart_host(2526, extra="-SmartHostAuthMechanism BasicAuth -AuthenticationUserName u -AuthenticationPassword '%s'" % MARKER)
    assert s.shell_run("Set-ReceiveConnector 'Default mail' -MaxHopCount 12 -MaxMessageSize nonsense").returncode == 1
    rows = s.json("Get-AdminAuditLog")
    assert [r["ObjectModified"] for r in rows] == ["SendConnector\\out", "ReceiveConnector\\Default mail", "Mailbox\\alice"]
    assert {r["Caller"] for r in rows} == {me} and all(r["Succeeded"] for r in rows)
    (row,) = s.json("Get-AdminAuditLog -Cmdlets Set-ReceiveConnector | Select-Object -ExpandProperty ModifiedProperties")
    assert (row["Name"], row["OldValue"], row["NewValue"]) == ("MaxMessageSize", "10MB", "25MB")
    assert "-Password ***" in rows[2]["Statement"]
    assert MARKER not in s.shell("Get-AdminAuditLog | fl") + s.shell("Get-AdminAuditLog | ConvertTo-Json -Depth 5")
    # the smart host's password is in the policy, nowhere else; the trail is in the same files
    if s.proc:
        assert s.stop() == 0
    found = [n for n in os.listdir(s.state) if os.path.isfile(s.state + "/" + n) and MARKER.encode() in open(s.state + "/" + n, "rb").read()]
    assert {n.split("-")[0] for n in found} <= {"policy.db"}, found


def test_audit_log_outlives_everything(fresh_server):
    server = fresh_server
    server.shell("Set-ReceiveConnector 'Default mail' -Comment one")
    server.kill9()
    server.start()
    server.shell("Set-ReceiveConnector 'Default mail' -Comment two")
    assert server.stop() == 0
    server.shell("Set-ReceiveConnector 'Default mail' -Comment three")
    changes = [x for r in server.json("Get-AdminAuditLog") for x in r["Changes"] if x.startswith("Comment")]
    assert changes == ["Comment: two -> three", "Comment: one -> two", "Comment:  -> one"]


def test_help():
    for command, words in (("export", "--recipients"), ("plan", "--json"), ("apply", "--confirm-within")):
        p = subprocess.run([BINARY, command, "--help"], stdout=subprocess.PIPE, check=True)
        assert words in p.stdout.decode()
