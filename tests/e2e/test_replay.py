"""plan --replay: what real sessions left behind, run against a changed policy, with the server running and stopped."""
import datetime
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import time

import pytest

from support.server import BINARY, Server, quote, settle
from support.util import run, wait_for

PRINTER, SCANNER, APP, PASSWORD = "127.0.0.41", "127.0.0.42", "127.0.0.43", "Quittenbaum 9&x"
RELAY = "ms-Exch-SMTP-Accept-Any-Recipient"


def plan(server, script, *args):
    path = server.dir + "/candidate.ps1"
    with open(path, "w", encoding="utf-8") as f:
        f.write(script)
    return run([BINARY, "plan", "--state", server.state, *args, path], check=False)


def replay(server, script, back="1h", *args):
    """The object of the replay."""
    p = plan(server, script, "--json", "--replay", back, *args)
    assert p.returncode in (0, 1), p
    return json.loads(p.stdout)["Replay"]


def facts(server, where):
    db = sqlite3.connect("file:%s/facts.db?mode=ro" % server.state, uri=True)
    try:
        return db.execute("SELECT coalesce(sum(count), 0), max(size) FROM fact WHERE " + where).fetchone()
    finally:
        db.close()


def sends(server, source, recipient, octets=100):
    with server.session(source=source) as c:
        body = b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 62 + b"\r\n") * (octets // 64)
        assert c.send_mail("device@example.com", recipient, body) == "250 2.6.0"
        c.cmd("QUIT")


@pytest.fixture(scope="module")
def world():
    """Two devices may relay, each on a connector of its own; an application may not; alice logs on."""
    s = Server()
    try:
        s.mailbox("alice@example.com", PASSWORD)
        for name, ip in (("printer", PRINTER), ("scanner", SCANNER), ("app", APP)):
            s.connector(name, ip)
            s.shell("Add-ADPermission %s -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights "
                    "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender" % name)
        for name in ("printer", "scanner"):
            s.shell("Add-ADPermission %s -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights %s" % (name, RELAY))
        s.relax()
        settle()
        for _ in range(3):
            sends(s, PRINTER, "bob@partner.test")
        sends(s, SCANNER, "carol@partner.test", 200000)
        sends(s, APP, "alice@example.com")
        with s.session(source=APP) as c:
            c.mail("device@example.com")
            assert c.rcpt("bob@partner.test").code == 550
            c.cmd("QUIT")
        with s.login("alice@example.com", PASSWORD) as c:
            assert c.send_mail("alice@example.com", "bob@partner.test", b"Subject: x\r\n\r\nx") == "250 2.6.0"
            c.cmd("QUIT")
        with s.session(s.submission) as c:
            c.starttls()
            assert c.auth_plain("alice@example.com", "wrong").code == 535
            c.cmd("QUIT")
        wait_for("the last session's facts", lambda: facts(s, "question = 0")[0] == 8)
        yield s, s.shell("Export-Policy")
    finally:
        s.close()


@pytest.fixture(params=["running", "stopped"])
def either(request, world):
    s = world[0]
    if request.param == "stopped" and s.proc:
        assert s.stop() == 0
    elif request.param == "running" and not s.proc:
        s.start()
    return world


def without_relay(script, connector):
    return script + "\nRemove-ADPermission %s -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights %s -Confirm:$false\n" % (connector, RELAY)


def by_client(r):
    return {(c["RemoteIP"], c["User"]): c["Changes"] for c in r["Changes"]}


def test_same_policy_changes_nothing(either):
    s, script = either
    r = replay(s, script)
    assert r["Changes"] == [] and r["ClientsChanged"] == 0, r
    assert r["Sessions"] == 8 and r["Clients"] == 5 and r["Messages"] == 7, r
    assert {x["Reason"]: x["Facts"] for x in r["NotReplayed"]} == {"failed-logon": 1}, r
    p = plan(s, script, "--replay", "7d")
    assert p.returncode == 0 and b"would come out as it does now" in p.stdout and b"1 failed logons: passwords are not recorded" in p.stdout, p
    assert b"Replay" not in plan(s, script, "--json").stdout


def test_a_printer_loses_its_relay(either):
    s, script = either
    candidate = without_relay(script, "printer")
    changes = by_client(replay(s, candidate))
    assert list(changes) == [(PRINTER, "")], changes
    (c,) = changes[PRINTER, ""]
    assert c["Change"] == "Refused" and c["DecidedBy"] == RELAY and c["Recipients"] == 3, c
    assert c["Before"] == {"Connector": "printer", "Accepted": True, "Reply": None}, c
    assert c["After"]["Reply"] == "550 5.7.1 Unable to relay" and c["After"]["Connector"] == "printer", c
    assert c["Sender"] == "device@example.com" and c["Recipient"] == "bob@partner.test", c
    p = plan(s, candidate, "--replay", "7d")
    text = p.stdout.decode()
    assert p.returncode == 1, p
    (row,) = [x for x in text.split("\n") if x.startswith("! 127")]
    assert row.split()[1:5] == [PRINTER, "(nobody)", "3", "recipients"] and row.endswith("550 5.7.1 Unable to relay"), text
    assert RELAY in text and SCANNER not in text, text


CANDIDATES = [
    # what the script gets behind it, client, direction, decided by, what it will be
    ("Set-ReceiveConnector scanner -MaxMessageSize 64KB", (SCANNER, ""), "Refused", "MaxMessageSize", "552 5.3.4"),
    ("Set-ReceiveConnector app -RequireTLS $true", (APP, ""), "Refused", "RequireTLS", "530 5.7.0"),
    ("Set-ReceiveConnector app -Enabled $false", (APP, ""), "Refused", "ms-Exch-SMTP-Submit", "530 5.7.1"),
    ("Set-ReceiveConnector 'Client mail' -AuthMechanism Tls", ("127.0.0.1", "alice@example.com"), "Refused", "AuthMechanism", "50"),
    ("Set-ReceiveConnector 'Client mail' -Enabled $false", ("127.0.0.1", "alice@example.com"), "Refused", "RemoteIPRanges", "(no connector)"),
    ("Add-ADPermission app -User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights " + RELAY, (APP, ""), "Accepted", RELAY, None),
]


@pytest.mark.parametrize("row", CANDIDATES, ids=[c[0] for c in CANDIDATES])
def test_changes(world, row):
    s, script = world
    statement, client, direction, decided, reply = row
    changes = by_client(replay(s, script + "\n" + statement + "\n"))
    assert client in changes, changes
    found = [c for c in changes[client] if c["Change"] == direction]
    assert found and found[0]["DecidedBy"].startswith(decided), changes
    assert reply is None or (found[0]["After"]["Reply"] or "").startswith(reply), changes
    others = set(changes) - {client, ("127.0.0.1", "")}  # who failed to log on is nobody
    assert not others, changes


def test_old_facts_are_left_out(world):
    s, script = world
    if s.proc:
        assert s.stop() == 0
    db = sqlite3.connect(s.state + "/facts.db")
    db.execute("UPDATE fact SET first = first - 7200000, last = last - 7200000 WHERE remote = ?", (SCANNER,))
    db.commit()
    db.close()
    candidate = without_relay(script, "scanner")
    assert by_client(replay(s, candidate, "1h")) == {}
    assert list(by_client(replay(s, candidate, "3h"))) == [(SCANNER, "")]


def test_a_time_from_before_anything_was_recorded(either):
    s, script = either
    first = sqlite3.connect("file:%s/facts.db?mode=ro" % s.state, uri=True).execute("SELECT min(first) FROM fact").fetchone()[0]
    day = datetime.datetime.fromtimestamp(first / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    r = replay(s, script, "7d")
    assert r["RecordedSince"].startswith(day) and r["Window"] == "7.00:00:00", r
    text = plan(s, script, "--replay", "7d").stdout.decode()
    assert "Recorded is what clients did since " + day in text and "of the time before it nothing is known" in text, text


def test_a_time_in_which_nobody_came(world):
    s, script = world
    if s.proc:
        assert s.stop() == 0
    shutil.copy(s.state + "/facts.db", s.dir + "/kept.db")
    try:
        db = sqlite3.connect(s.state + "/facts.db")
        db.execute("UPDATE fact SET first = first - 14400000, last = last - 14400000")
        db.commit()
        db.close()
        for server in ("stopped", "running"):
            if server == "running":
                s.start()
            p = plan(s, script, "--replay", "1h")
            assert p.returncode == 2 and p.stdout == b"", p
            assert b"Compare-Policy -Replay 01:00:00: no client was here in that time, and the last one that was came at 20" in p.stderr, p
    finally:
        if s.proc:
            assert s.stop() == 0
        shutil.copy(s.dir + "/kept.db", s.state + "/facts.db")


def test_nobody_was_ever_here():
    s = Server(start=False)
    try:
        script = s.shell("Export-Policy")
        p = plan(s, script, "--replay", "7d")
        assert p.returncode == 2 and b"Compare-Policy -Replay 7.00:00:00: no client was ever here" in p.stderr, p
        assert plan(s, script).returncode == 0
    finally:
        s.close()


@pytest.mark.parametrize("back", ["7", "7x", "7w", "31d", "10s", "-1d", "", "soon"])
def test_times_that_are_none(world, back):
    s, script = world
    p = plan(s, script, "--replay", back)
    assert p.returncode == 2 and b"--replay %s: a time back from now" % back.encode() in p.stderr and b"7d, 12h, 30m" in p.stderr, p
    assert "Compare-Policy -Replay" in s.shell_error("Compare-Policy %s -Replay %s" % (quote(s.dir + "/candidate.ps1"), quote(back)))


def test_the_policy_of_a_script_that_cannot_be_used(world):
    s, script = world
    p = plan(s, script + "\nSet-ReceiveConnector printer -RemoteIPRanges nonsense\n", "--replay", "1h")
    assert p.returncode == 2 and p.stdout == b"", p


# ---- as many as are kept

MANY = 100000


def fill(state, offset):
    """Facts of as many clients, each with a sender and a recipient of its own."""
    db = sqlite3.connect(state + "/facts.db")
    now = int(time.time() * 1000)
    columns = "network, remote, local, helo, sender, recipient, first, last, key, question, code, count, level, served, connector, tls, cipher, " \
              "mechanism, user, certificate, mistake"
    db.execute("DELETE FROM fact")
    db.executemany("INSERT INTO fact(%s) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 3, 250, 1, 0, 1, 'Default mail', '', '', '', '', '', '')" % columns, (
        (ip, ip, "127.0.0.1:%d" % (25 + offset), "c%d.test" % i, "a%d@far.test" % i, "alice%d@example.com" % i, now - 60000, now - 1000, b"%d" % i)
        for i in range(MANY) for ip in ("10.%d.%d.%d" % (i >> 16, i >> 8 & 255, i & 255),)))
    db.commit()
    db.close()


def plan_at_a_terminal(server, *args):
    """The exit status, and what the terminal shows of standard error."""
    ours, theirs = pty.openpty()
    try:
        p = subprocess.Popen([BINARY, "plan", "--state", server.state, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                piece = b""
            if not piece:
                return p.wait(60), shown
            shown += piece
    finally:
        os.close(ours)


def test_as_many_facts_as_are_kept():
    s = Server()
    try:
        script = s.shell("Export-Policy")
        assert s.stop() == 0
        fill(s.state, s.offset)
        candidate = script + "\nSet-ReceiveConnector 'Default mail' -Enabled $false\n"
        for server in ("stopped", "running"):
            if server == "running":
                s.start()
            began = time.monotonic()
            same = replay(s, script, "1h")
            took = time.monotonic() - began
            assert same["Facts"] == same["Clients"] == MANY and same["ClientsChanged"] == 0, same
            assert took < 60, took  # seconds, on a machine that does other things as well
            text = plan(s, candidate, "--replay", "1h").stdout.decode()
            assert "something changes for %d clients." % MANY in text and text.count("\n~ 10.") == MANY, text[:2000]
            status, shown = plan_at_a_terminal(s, "--replay", "1h", s.dir + "/candidate.ps1")
            assert status == 1 and shown.endswith(b"\r\x1b[K") and shown.count(b"\r\x1b[Kreplaying what clients did: ") > 0, shown
    finally:
        s.close()
