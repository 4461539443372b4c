"""Back pressure: what is refused at which level, with which words; explain and the live server agree; a full disk loses nothing."""
import json
import os
import re
import sqlite3
import subprocess

import pytest

from support.disk import PrivateMounts, fill
from support.server import BINARY, FAST_RETRY, Server, settle, wait_logged
from support.sink import Sink
from support.util import free_port, message, wait_for
from test_durability import TO, Load, assert_all_arrive

ALICE, PASSWORD, OUTSIDE = "alice@example.com", "Pw-alice 7%x", "x@outside.test"
PETABYTE = "-QueueDisk%sThreshold 1024TB"
MEDIUM, HIGH = PETABYTE % "Medium", PETABYTE % "High" + " " + PETABYTE % "Medium"
NUMBERS = r"queue disk: \d+ MB free, 1073741824 MB wanted"
REFUSAL = r"^4\.3\.1 Insufficient system resources \(%s\) \[mr-[0-9a-z]+\]$" % NUMBERS


needs_mounts = pytest.mark.skipif(not PrivateMounts.allowed(), reason="needs root and private mounts")


@pytest.fixture
def hub():
    s = Server()
    s.relax()
    s.mailbox(ALICE, PASSWORD)
    s.connector("outside", "127.0.0.2")
    settle()
    yield s
    s.close()


def limits(server, text):
    server.shell("Set-TransportServer " + text)


def resource(server, name):
    return server.one("Get-ResourcePressure " + name)


def wait_level(server, level, name="QueueDisk"):
    wait_for("%s at %s" % (name, level), lambda: resource(server, name)["Level"] == level, 10, every=0.1)


def outside(server):
    return server.session(source="127.0.0.2")


def explain(server, *arguments, code=None):
    argv = [BINARY, "explain", "--state", server.state, "--json"]
    argv += [code] if code else ["--remote", "127.0.0.2", "--local", "127.0.0.1:%d" % server.smtp, "--from", OUTSIDE, "--to", ALICE]
    p = subprocess.run(argv + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    return json.loads(p.stdout) if p.stdout else None


def without_code(reply):
    return re.sub(r" \[mr-\w+\]$", "", reply)


def test_medium_refuses_mail_from_outside_alone(hub):
    with outside(hub) as early, outside(hub) as begun:
        assert begun.mail(OUTSIDE) == "250 2.1.0"
        limits(hub, MEDIUM)
        wait_level(hub, "Medium")
        r = early.mail(OUTSIDE)
        assert r == "452 4.3.1" and re.match(REFUSAL, r.text), r
        assert early.mail("") == "452 4.3.1", "the null sender comes from outside, too"
        assert begun.rcpt(ALICE) == "250 2.1.5" and begun.data(message("begun", OUTSIDE, ALICE)) == "250 2.6.0", "what was begun is finished"
        with hub.login(ALICE, PASSWORD) as user:
            assert user.send_mail(ALICE, ALICE, message("own", ALICE, ALICE)) == "250 2.6.0"
        hub.wait_mail(ALICE, "own")
        hub.wait_mail(ALICE, "begun")
        limits(hub, "-QueueDiskMediumThreshold $null")
        wait_level(hub, "Normal")
        assert early.send_mail(OUTSIDE, ALICE, message("again", OUTSIDE, ALICE)) == "250 2.6.0", "the same session, when there is room again"
    hub.wait_mail(ALICE, "again")
    log = hub.log_text()
    assert len(re.findall("event=pressure-increased id=15004 resource=QueueDisk from=Normal to=Medium", log)) == 1
    assert len(re.findall("event=pressure-decreased id=15005 resource=QueueDisk from=Medium to=Normal", log)) == 1
    assert re.search(r"pressure-increased .*%s.*limit=QueueDiskMediumThreshold remedy=" % NUMBERS, log)


def test_high_refuses_everybody_and_still_delivers(hub):
    port = free_port()
    hub.smart_host(port)
    hub.shell(FAST_RETRY)
    settle()
    with hub.login(ALICE, PASSWORD) as user:
        assert user.send_mail(ALICE, "bob@far.test", message("waiting", ALICE, "bob@far.test")) == "250 2.6.0"
        limits(hub, HIGH)
        wait_level(hub, "High")
        r = user.mail(ALICE)
        assert r == "452 4.3.1" and re.match(REFUSAL, r.text), r
    with outside(hub) as c:
        assert c.mail(OUTSIDE) == "452 4.3.1"
    sink = Sink(port=port)
    try:
        wait_for("what was accepted before", lambda: sink.got("waiting"), 30)
    finally:
        sink.close()
    hub.restart()
    wait_level(hub, "High")
    with outside(hub) as c:
        assert c.mail(OUTSIDE) == "452 4.3.1", "also after a restart"


def test_explain_is_the_server(hub):
    e = explain(hub)
    assert e["verdict"] == "allowed" and {r["name"]: r["level"] for r in e["resources"]}["QueueDisk"] == "Normal"
    limits(hub, MEDIUM)
    wait_level(hub, "Medium")
    e = explain(hub)
    assert (e["verdict"], e["cause"], e["stage"], e["code"]) == ("refused", "resources", "MAIL", 452)
    assert "QueueDiskMediumThreshold" in e["reason"] and re.search(NUMBERS, e["reason"])
    assert [r["kind"] for r in e["remedies"]] == ["advice", "advice"] and "Get-Queue" in e["remedies"][0]["text"][0]
    with outside(hub) as c:
        live = c.mail(OUTSIDE)
    said = e["dialogue"][-1]["server"][-1]
    assert re.sub(r"\d+ MB free", "", said) == re.sub(r"\d+ MB free", "", without_code("452 " + live.text))
    inside = explain(hub, "--tls", "--user", ALICE, "--from", ALICE, "--local", "127.0.0.1:%d" % hub.submission)
    assert inside["verdict"] == "allowed"
    denial = wait_for("the denial", lambda: explain(hub, code=re.search(r"mr-\w+", live.text).group(0)))
    assert re.match(r"QueueDiskMediumThreshold \(%s\)" % NUMBERS, denial["Limit"]), denial
    assert (denial["Question"], denial["Sender"]) == ("Mail", OUTSIDE) and "free space" in json.dumps(denial["Trace"])
    hub.stop()
    e = explain(hub)
    assert e["verdict"] == "allowed" and e["resources"] is None, "of a server that is stopped nothing is known"
    assert "the server is not running" in hub.shell_error("Get-ResourcePressure")


def test_queue_length(hub):
    port = free_port()
    hub.smart_host(port)
    hub.shell(FAST_RETRY)
    limits(hub, "-QueueLengthMediumThreshold 1 -QueueLengthHighThreshold 3")
    settle()
    with hub.login(ALICE, PASSWORD) as user:
        assert user.send_mail(ALICE, ["a@far.test", "b@far.test"], message("two", ALICE, "a@far.test")) == "250 2.6.0"
        wait_level(hub, "Medium", "QueueLength")
        with outside(hub) as c:
            assert c.mail(OUTSIDE).text.startswith("4.3.1 Insufficient system resources (queue length: 2 recipients waiting, 1 allowed) [mr-")
        assert user.send_mail(ALICE, ["c@far.test", "d@far.test"], message("four", ALICE, "c@far.test")) == "250 2.6.0"
        wait_level(hub, "High", "QueueLength")
        assert user.mail(ALICE).text.startswith("4.3.1 Insufficient system resources (queue length: 4 recipients waiting, 3 allowed) [mr-")
        hub.restart()  # counted anew
        wait_level(hub, "High", "QueueLength")
    sink = Sink(port=port)
    try:
        wait_for("both messages", lambda: sink.got("two") and sink.got("four"), 30)
        wait_level(hub, "Normal", "QueueLength")
        assert resource(hub, "QueueLength")["Value"] == 0
    finally:
        sink.close()


def test_memory_is_measured(hub):
    r = resource(hub, "Memory")
    assert r["Level"] == "Normal" and 1 << 20 < r["Value"] < 1 << 30 and r["Value"] < r["Total"], r
    assert abs(r["High"] / r["Total"] - 0.75) < 0.01 and abs(r["Normal"] / r["Total"] - 0.71) < 0.01
    rows = hub.json("Get-ResourcePressure")
    assert [x["Resource"] for x in rows] == ["QueueDisk", "Memory", "QueueLength", "LogDisk"]


@needs_mounts
def test_memory_over_its_limit():
    """The limit of the control group, as a container sees it."""
    with PrivateMounts() as mounts:
        limit = "/sys/fs/cgroup/memory.max"
        mounts.small_disk("/sys/fs/cgroup", 64 << 10)
        s = Server()
        try:
            s.relax()
            s.mailbox(ALICE, PASSWORD)
            s.connector("outside", "127.0.0.2")
            settle()
            with s.login(ALICE, PASSWORD) as user, outside(s) as c:
                used = steady_memory(s)  # a password's hash takes more for a moment
                limits(s, "-MemoryMediumThreshold 20 -MemoryHighThreshold 100")
                put(limit, used * 2)
                wait_level(s, "Medium", "Memory")
                r = c.mail(OUTSIDE)
                assert r == "452 4.3.1" and re.match(r"4\.3\.1 Insufficient system resources \(memory: \d+ MB \(\d+\.\d % of \d+ MB\) in use, \d+ MB allowed\) \[mr-", r.text), r
                assert user.mail(ALICE) == "250 2.1.0" and user.cmd("RSET") == 250
                put(limit, used // 2)
                wait_level(s, "High", "Memory")
                assert user.mail(ALICE) == "452 4.3.1"
                put(limit, "max")
                wait_level(s, "Normal", "Memory")
                assert c.send_mail(OUTSIDE, ALICE, message("again", OUTSIDE, ALICE)) == "250 2.6.0"
            s.wait_mail(ALICE, "again")
            wait_logged(s, "pressure-increased id=15004 resource=Memory from=Medium to=High")
        finally:
            s.close()


def steady_memory(server):
    """What is in use once all processes are there."""
    last = [0]

    def look():
        before, last[0] = last[0], resource(server, "Memory")["Value"]
        return 0.8 * before < last[0] < 1.25 * before and last[0]
    return wait_for("memory that does not grow", look, 60, every=2.5)


def put(path, what):
    """At once: the server must not read half of it."""
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write("%s\n" % what)
    os.rename(path + ".new", path)


# -- full disks


def sound(state):
    """The queue's database is whole and empty, and so is the spool."""
    with sqlite3.connect(state + "/queue.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM recipient WHERE state = 0").fetchall() == [(0,)]
    left = [f for _, _, files in os.walk(state + "/spool") for f in files]
    assert not left, left


@needs_mounts
@pytest.mark.parametrize("watched", [False, True], ids=["nothing is watched", "thresholds"])
def test_full_disk_loses_nothing(watched):
    with PrivateMounts() as mounts:
        s = Server(start=False)
        try:
            moved = s.dir + "/made"
            os.rename(s.state, moved)
            mounts.small_disk(s.state, 128 << 20, owner=moved)  # denials.ring alone may grow to 40 MB of it
            subprocess.run(["cp", "-a", moved + "/.", s.state], check=True)
            s.start()
            s.relax()
            s.mailbox(TO, "pw-Bob1")
            s.connector("load", "127.0.0.2")
            s.shell(FAST_RETRY)
            s.shell("Set-TransportServer -MailboxDeliveryQueueRetryInterval 00:00:01")
            if not watched:
                limits(s, "-QueueDiskHighThreshold 0 -QueueDiskMediumThreshold 0")
            settle()
            full_while_mail_flows(s, watched)
        finally:
            s.close()


def full_while_mail_flows(s, watched):
    filler = s.dir + "/state/filler"
    load = Load(s, 8, 100, 5)
    try:
        load.wait_acknowledged(80)
        fill(filler)
        wait_for(lambda: "refusals; %s" % load.errors, lambda: sum(load.errors.values()) >= 20, 60)
        if watched:
            wait_level(s, "High")
            wait_for("a refusal that names the disk", lambda: any("queue disk: " in e for e in list(load.errors)), 20)
        acknowledged = len(load.acknowledged)
        fill(filler)  # what deliveries and the store gave back
        os.remove(filler)
        wait_for("mail to flow again", lambda: len(load.acknowledged) > acknowledged, 60)
        load.join(120)
    finally:
        load.stopping = True
        load.join(60)  # a thread that lives would keep the private mounts
    assert len(load.acknowledged) == 800, load.errors
    wrong = [e for e in load.errors if not re.match(r"452 4\.3\.1 |452 4\.3\.0 |451 4\.|421 4\.", e)]
    assert not wrong and any(e.startswith("452 4.3.1") for e in load.errors), load.errors
    assert_all_arrive(s, load.acknowledged, 90)
    if watched:
        wait_level(s, "Normal")
    assert s.stop() == 0
    sound(s.state)


@needs_mounts
def test_full_log_folder_does_not_stop_mail():
    with PrivateMounts() as mounts:
        s = Server(start=False)
        try:
            mounts.small_disk(s.state + "/log", 256 << 10, owner=s.state)
            s.start()
            s.relax()
            s.mailbox(ALICE, PASSWORD)
            s.connector("outside", "127.0.0.2", extra="-ProtocolLoggingLevel Verbose")
            settle()
            fill(s.state + "/log/filler")
            wait_level(s, "High", "LogDisk")
            for i in range(20):
                with outside(s) as c:
                    assert c.send_mail(OUTSIDE, ALICE, message("m%d." % i, OUTSIDE, ALICE)) == "250 2.6.0"
                    assert c.mail("nobody") == 501
            wait_for("all of it", lambda: len(s.mail(ALICE)) == 20, 20)
            assert not resource(s, "LogDisk")["RefusesMail"]
            wait_logged(s, "pressure-increased id=15004 resource=LogDisk .*no mail is refused for it")
            os.remove(s.state + "/log/filler")
            wait_level(s, "Normal", "LogDisk")
        finally:
            s.close()
