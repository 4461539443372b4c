"""`mailreeve explain`: what it says is what happens on the wire; it changes nothing; what it proposes works."""
import hashlib
import json
import os
import random
import re
import ssl
import subprocess

import pytest

from support.server import BINARY, RELAXED, quote, settle
from support.smtp import SMTP
from support.util import run

PASSWORD = "Pw-alice 7%x"
ANON = "'NT AUTHORITY\\ANONYMOUS LOGON'"
ROUNDS, SESSIONS = 16, 8


def explain_run(server, *arguments, user=None):
    argv = [BINARY, "explain", "--state", server.state] + list(arguments)
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, user=user)


EXITS = {"allowed": 0, "refused": 1, "unknown": 3}


def explain(server, *arguments):
    p = explain_run(server, "--json", *arguments)
    assert p.returncode in EXITS.values(), p.stderr
    e = json.loads(p.stdout)
    assert EXITS[e["verdict"]] == p.returncode
    return e


def commands(e):
    return ["\n".join(r["commands"]) for r in e["remedies"] if r["kind"] == "commands"]


def plain(text):
    """A reply without what differs from one to the next: date, number, a code at its end."""
    text = re.sub(r" \[mr-[^\]]*\]$", "", text, flags=re.M)
    text = re.sub(r"\[InternalId=\w+\]", "[InternalId=N]", text)
    text = re.sub(r"<[^>]+> \[InternalId", "<id> [InternalId", text)
    return re.sub(r"ready at .*", "ready at DATE", text)


# -- the same on the wire


def replay(server, e, source):
    """Says to the server what the client of the explanation says; the replies, and what the explanation has in their place."""
    tls = e["session"]["tls"]
    implicit = tls and e["afterTls"]["reachable"] and not e["beforeTls"]["reachable"]
    port = int(e["session"]["local"].rsplit(":", 1)[1])
    live = []
    try:
        c = SMTP(port, source=source, tls=implicit, timeout=20)
        live.append(c.greeting)
        for step in e["dialogue"][1:]:
            live.append(say(c, step, e))
    except (EOFError, ConnectionResetError, ssl.SSLError, AssertionError) as why:
        live.append("closed (%s)" % why)
    return live


def say(c, step, e):
    lines = step["client"]
    if step["stage"] == "AUTH" and lines[0] == "AUTH PLAIN ***":
        return c.auth_plain(e["session"]["user"], PASSWORD)
    text = "\r\n".join(lines) + "\r\n"
    size = e["session"]["size"] or 0
    if step["stage"] == "end of data" and size > 60000:
        head, _, _ = text.rpartition(".\r\n")
        text = head + ("x" * 70 + "\r\n") * (size // 72) + ".\r\n"
    c.send(text.encode())
    r = c.reply()
    if step["stage"] == "STARTTLS" and r.code == 220:
        c.sock = c.context.wrap_socket(c.sock)
    return r


def text_of(reply):
    if isinstance(reply, str):
        return reply
    return "\n".join("%d%s%s" % (reply.code, " " if i == len(reply.lines) - 1 else "-", t) for i, t in enumerate(reply.lines))


def check_closed(e, source, what):
    """Explained as a connection that ends without a dialogue: whatever comes, no greeting does."""
    c = SMTP(int(e["session"]["local"].rsplit(":", 1)[1]), source=source, greet=False, timeout=20)
    try:
        c.send(b"EHLO client.test\r\n")
        got = c.sock.recv(4096)
    except ConnectionResetError:
        got = b""
    assert not got.startswith(b"2"), "%s: %r" % (what, got)
    c.close()


def check_same(server, e, source, what):
    if not e["dialogue"]:
        check_closed(e, source, what)
        return
    live = [plain(text_of(r)) for r in replay(server, e, source)]
    said = [plain("\n".join(s["server"])) for s in e["dialogue"]]
    assert live == said, what


def draw_policy(r, server):
    """Lines that make the connectors of one round, and the addresses that they tell apart."""
    lines, names = ["Set-ReceiveConnector %s -AuthTarpitInterval 00:00:00 -Enabled %s" % (quote("Default mail"), r.choice(["$true", "$true", "$true", "$false"]))], []
    ranges = ["127.0.1.0/24", "127.0.1.5", "127.0.2.0/24", "127.0.0.0/8"]
    for i, net in enumerate(r.sample(ranges, r.randint(2, 4))):
        name = "gen %d" % i
        auth = r.choice(["Tls", "Tls,BasicAuth", "Tls,BasicAuth,BasicAuthRequireTLS", "None", "BasicAuth"])
        groups = r.choice(["AnonymousUsers", "ExchangeUsers", "AnonymousUsers,ExchangeUsers", "None", "ExchangeServers"])
        external = r.random() < 0.15
        if external:
            auth, groups = "Tls,ExternalAuthoritative", "ExchangeServers"
        extra = [r.choice(["", "-SizeEnabled Disabled", "-SizeEnabled EnabledWithoutValue"]), r.choice(["", "-MaxMessageSize 64KB"]),
                 r.choice(["", "-DefaultDomain example.com"]), r.choice(["", "-EnhancedStatusCodesEnabled $false"]),
                 r.choice(["", "-PipeliningEnabled $false"]), r.choice(["", "", "-SmtpUtf8Enabled $false"])]
        if "Tls" in auth.split(","):
            extra += [r.choice(["", "", "", "-RequireTLS $true"]), r.choice(["", "", "", "-ImplicitTls $true"]),
                      r.choice(["", "", "", "-Fqdn other.example.com"])]
        lines.append("New-ReceiveConnector -Name %s -Usage Custom -Bindings 0.0.0.0:%d -RemoteIPRanges %s -AuthMechanism %s -PermissionGroups %s -Force"
                     % (quote(name), server.smtp, net, auth, groups))
        lines.append("Set-ReceiveConnector %s %s -AuthTarpitInterval 00:00:00 %s" % (quote(name), RELAXED, " ".join(x for x in extra if x)))
        for _ in range(r.randint(0, 3)):
            who = r.choice([ANON, "Everyone", "alice", "'NT AUTHORITY\\Authenticated Users'", "'MS Exchange\\Externally Secured Servers'"])
            right = r.choice(["ms-Exch-SMTP-Submit", "ms-Exch-SMTP-Accept-Any-Recipient", "ms-Exch-SMTP-Accept-Any-Sender",
                              "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender", "ms-Exch-Bypass-Message-Size-Limit"])
            narrowed = r.choice(["", "", "", "-Senders '*@example.com'", "-Recipients '*@far.test'", "-RequireTls", "-Expires 2099-01-01"])
            lines.append("Add-ADPermission %s -User %s -ExtendedRights %s -Force %s %s" % (quote(name), who, right, r.choice(["", "", "-Deny"]), narrowed))
        names.append(name)
    return lines, names


def draw_session(r):
    source = r.choice(["127.0.1.5", "127.0.1.6", "127.0.2.7", "127.3.3.3"])
    addresses = ["alice@example.com", "bob@example.com", "nobody@example.com", "x@far.test", "x@relay.test", "alice", "Postmaster@example.com",
                 "\"x y\"@example.com", "x%far.test@example.com", "not an address"]
    a = ["--from", r.choice(addresses[:7] + ["<>"]), "--to", r.choice(addresses)]
    if r.random() < 0.4:
        a.append("--tls")
    if r.random() < 0.4:
        a += ["--user", r.choice(["alice", "alice@example.com", "mallory"])]
    if r.random() < 0.3:
        a += ["--header-from", r.choice(addresses[:5])]
    if r.random() < 0.3:
        a += ["--size", r.choice(["70000", "1000"])]
    if r.random() < 0.1:
        a += ["--helo", "bad<name"]
    return source, a


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_explain_and_the_server_say_the_same(server, sink_for_far, seed):
    r = random.Random(1000 + seed)
    lines, names = draw_policy(r, server)
    try:
        server.shell("; ".join(lines))
        settle()
        for i in range(SESSIONS):
            source, arguments = draw_session(r)
            argv = ["--remote", source, "--local", "127.0.0.1:%d" % server.smtp] + arguments
            e = explain(server, *argv)
            check_same(server, e, source, "seed %d, session %d: %s; policy: %s" % (seed, i, " ".join(argv), "; ".join(lines)))
    finally:
        for name in names:
            server.shell_run("Remove-ReceiveConnector %s -Confirm:$false" % quote(name))
        server.shell("Set-ReceiveConnector 'Default mail' -Enabled $true")


@pytest.fixture(scope="module")
def sink_for_far(server, sink):
    """Where mail to the world goes, and a relay domain."""
    server.smart_host(sink.port)
    server.shell("New-AcceptedDomain -Name relay.test -DomainName relay.test -DomainType InternalRelay; "
                 "Add-ADPermission bob -User alice -ExtendedRights Send-As")


# -- commands that are proposed


def test_what_is_proposed_works_on_the_wire(server, sink_for_far):
    argv = ["--remote", "127.0.7.1", "--local", "127.0.0.1:%d" % server.smtp, "--from", "printer@example.com", "--to", "bob@far.test"]
    e = explain(server, *argv)
    assert (e["verdict"], e["stage"], e["code"]) == ("refused", "MAIL", 530)
    check_same(server, e, "127.0.7.1", "before")
    assert len(commands(e)) == 2
    server.shell(commands(e)[0])
    settle()
    try:
        after = explain(server, *argv)
        assert after["verdict"] == "allowed" and after["connector"] == "Client 127.0.7.1"
        server.shell("Set-ReceiveConnector 'Client 127.0.7.1' " + RELAXED)
        settle()
        with server.session(source="127.0.7.1") as c:
            assert c.send_mail("printer@example.com", "bob@far.test", b"Subject: x\r\n\r\nx\r\n") == "250 2.6.0"
        with server.session(source="127.0.7.2") as c:
            assert c.mail("printer@example.com") == "530 5.7.1", "nobody else may"
    finally:
        server.shell("Remove-ReceiveConnector 'Client 127.0.7.1' -Confirm:$false")


# -- the facts


def test_structure(server):
    e = explain(server, "--remote", "192.0.2.1", "--local", "127.0.0.1:%d" % server.submission, "--tls", "--user", "alice", "--from", "alice@example.com",
                "--to", "bob@example.com")
    assert list(e) == ["verdict", "cause", "stage", "code", "reason", "session", "connectors", "connector", "fqdn", "certificate", "keytab", "beforeTls", "afterTls",
                       "firstToken", "lastToken", "dialogue", "limits", "resources", "route", "undeliverable", "remedies"]
    assert [(r["name"], r["level"], r["refuses"]) for r in e["resources"]] == [(n, "Normal", False) for n in ("QueueDisk", "Memory", "QueueLength", "LogDisk")]
    assert e["verdict"] == "allowed" and e["connector"] == "Client mail" and not e["undeliverable"]
    assert e["firstToken"] == ["NT AUTHORITY\\ANONYMOUS LOGON", "Everyone"]
    assert "alice@example.com" in e["lastToken"] and "NT AUTHORITY\\Authenticated Users" in e["lastToken"]
    assert [m["keyword"] for m in e["beforeTls"]["missing"]] == ["AUTH", "XORAR", "XLONGADDR"]
    assert "AUTH LOGIN PLAIN" in e["afterTls"]["keywords"]
    assert [s["stage"] for s in e["dialogue"]] == ["connect", "EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "end of data"]
    logon = e["dialogue"][4]["decisions"][0]["steps"][0]
    assert (logon["right"], logon["result"], logon["origin"]) == ("ms-Exch-SMTP-Submit", "granted", "ExchangeUsers")
    assert e["route"] == [dict(e["route"][0], address="bob@example.com", next="mailbox", directory="mailbox", acceptedDomain="example.com")]
    assert [x["name"] for x in e["limits"] if x["decides"]] == ["MaxMessageSize"]
    text = explain_run(server, "--remote", "192.0.2.1", "--local", "127.0.0.1:%d" % server.submission, "--tls", "--user", "alice", "--from",
                       "alice@example.com", "--to", "bob@example.com").stdout.decode()
    assert "\nALLOWED: 250 2.6.0 " in text and "into the mailbox bob@example.com" in text


def test_certificates(server):
    argv = ["--remote", "192.0.2.1", "--local", "127.0.0.1:%d" % server.submission, "--tls", "--from", "alice@example.com", "--to", "bob@example.com"]
    server.shell("Set-ReceiveConnector 'Client mail' -Fqdn other.example.com")
    try:
        e = explain(server, *argv)
        assert e["cause"] == "starttls-not-offered"
        why = {m["keyword"]: m["why"] for m in e["beforeTls"]["missing"]}["STARTTLS"]
        assert "no certificate in certs/ names the Fqdn other.example.com" in why and "mail.example.com" in why
        assert not e["afterTls"]["reachable"]
    finally:
        server.shell("Set-ReceiveConnector 'Client mail' -Fqdn mail.example.com")
    crt = server.state + "/certs/mail.example.com.crt"
    e = explain(server, "--cert", crt, *argv)
    assert e["session"]["certificate"].startswith("mail.example.com, thumbprint ")
    p = explain_run(server, "--cert", "/nonexistent.pem", *argv)
    assert p.returncode == 2 and b"--cert /nonexistent.pem" in p.stderr


# -- running and stopped, and nothing changes


def contents(folder):
    """Everything below a folder, but for the indexes that SQLite keeps beside a database that is open: who reads writes there."""
    out = {}
    for root, dirs, files in os.walk(folder):
        for name in files + dirs:
            path = os.path.join(root, name)
            if name.endswith("-shm"):
                continue
            st = os.lstat(path)
            digest = None
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    digest = hashlib.sha256(f.read()).hexdigest()
            out[os.path.relpath(path, folder)] = (digest, st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns)
    return out


def test_stopped_and_unchanged(fresh_server):
    s = fresh_server
    s.mailbox("alice@example.com", PASSWORD)
    argv = ["--remote", "192.0.2.1", "--local", "127.0.0.1:%d" % s.smtp, "--from", "x@far.test", "--to", "bob@far.test"]
    running = explain(s, *argv)
    s.kill9()
    crashed = contents(s.state)
    assert explain(s, *argv)["reason"] == running["reason"], "behind a crash, with the databases' logs"
    assert contents(s.state) == crashed
    s.start()
    assert s.stop() == 0
    before = contents(s.state)
    stopped = explain(s, *argv)
    assert stopped["remedies"] == running["remedies"] and len(stopped["remedies"]) >= 2
    assert contents(s.state) == before
    s.start()
    assert s.stop() == 0, "the roles can open what was read"


def test_directory_that_cannot_be_read(fresh_server):
    s = fresh_server
    assert s.stop() == 0
    os.rename(s.state + "/directory.db", s.state + "/elsewhere")
    argv = ["--remote", "192.0.2.1", "--local", "127.0.0.1:%d" % s.submission, "--from", "x@example.com", "--to", "bob@far.test"]
    e = explain(s, "--tls", "--user", "alice", *argv)
    assert e["verdict"] == "unknown" and "directory.db" in e["reason"]
    assert explain(s, *argv)["verdict"] == "refused", "what needs no directory is said"
    os.rename(s.state + "/elsewhere", s.state + "/directory.db")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_user_who_may_not(server):
    p = explain_run(server, "--remote", "192.0.2.1", "--local", "127.0.0.1:25", "--from", "a@b.test", "--to", "c@d.test", user="daemon")
    assert p.returncode == 3 and b"may not read" in p.stderr and b"sudo" in p.stderr


# -- the command line


@pytest.mark.parametrize("arguments,says", [
    (["--local", "127.0.0.1:25", "--from", "a@b.test", "--to", "c@d.test"], "--remote is missing"),
    (["--remote", "host", "--local", "127.0.0.1:25", "--from", "a@b.test", "--to", "c@d.test"], "--remote host: the client's IP address is expected"),
    (["--remote", "192.0.2.1", "--local", "127.0.0.1", "--from", "a@b.test", "--to", "c@d.test"], "--local 127.0.0.1: the server's IP address and port"),
    (["--remote", "192.0.2.1", "--local", "0.0.0.0:25", "--from", "a@b.test", "--to", "c@d.test"], "the very address"),
    (["--remote", "192.0.2.1", "--local", "[::1]:25", "--from", "a@b.test", "--to", "c@d.test"], "same family"),
    (["--remote", "192.0.2.1", "--local", "127.0.0.1:25", "--to", "c@d.test"], "--from is missing"),
    (["--remote", "192.0.2.1", "--local", "127.0.0.1:25", "--from", "a@b.test"], "--to is missing"),
    (["--remote", "192.0.2.1", "--local", "127.0.0.1:25", "--from", "a\r\nb", "--to", "c@d.test"], "control character"),
    (["--remote", "192.0.2.1", "--local", "127.0.0.1:25", "--from", "a@b.test", "--to", "c@d.test", "--size", "big"], "--size big: a size in bytes"),
    (["--remote", "192.0.2.1", "--local", "127.0.0.1:25", "--from", "a@b.test", "--to", "c@d.test", "--cert", "x"], "it needs --tls"),
    (["--remote", "192.0.2.1", "--local", "127.0.0.1:25", "--from", "a@b.test", "--to", "c@d.test", "more"], "`more` is too much"),
    (["mr-00000000", "more"], "`more` is too much"),
    (["--colour"], "unknown option --colour"),
])
def test_wrong_arguments(server, arguments, says):
    p = explain_run(server, *arguments)
    assert p.returncode == 2 and says in p.stderr.decode(), p.stderr
    assert p.stdout == b""


def test_help_and_a_missing_state():
    text = run([BINARY, "explain", "--help"]).stdout.decode()
    for word in ["--remote IP", "--local IP:PORT", "--tls", "--user NAME", "--cert FILE", "--header-from X", "--helo NAME", "--size N", "--json", "3 it cannot be said", "CODE"]:
        assert word in text
    p = subprocess.run([BINARY, "explain", "--state", "/nonexistent", "--remote", "192.0.2.1", "--local", "127.0.0.1:25", "--from", "a@b.test", "--to", "c@d.test"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert p.returncode == 3 and b"mailreeve init" in p.stderr
