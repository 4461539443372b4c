"""Back pressure: whose mail is refused when disk, memory or the queue's length run short, and what is told about it."""
import contextlib
import re

from table import AS, BEYOND, DEVIATES, Row, Section
from world import ALICE, BASIC, BOB, EXTERNAL
from support.server import wait_logged
from support.util import message, wait_for

RESOURCES = ("QueueDisk", "Memory", "QueueLength", "LogDisk")
FULL = "452 4.3.1 Insufficient system resources (queue disk: "
MB = 1 << 20


def resource(server, name):
    return server.one("Get-ResourcePressure " + name)


@contextlib.contextmanager
def pressed(w, level, name="QueueDisk"):
    """A disk of which more must be free than there is."""
    names = ["Medium", "High"] if level == "High" else ["Medium"]
    setting = "Set-TransportServer " + " ".join("-%s%sThreshold %%s" % (name, n) for n in names)

    def is_at(wanted):
        wait_for("%s at %s" % (name, wanted), lambda: resource(w.hub, name)["Level"] == wanted, 15, every=0.1)

    w.hub.shell(setting % (("1024TB",) * len(names)))
    try:
        is_at(level)
        yield
    finally:
        w.hub.shell(setting % (("$null",) * len(names)))
        is_at("Normal")


def sending(session, refused, sender="x@outside.test"):
    r = session.mail(sender)
    assert ("%d %s" % (r.code, r.text)).startswith(FULL) if refused else r == "250 2.1.0", r


def medium(w):
    anonymous, users, external = w.connector(), w.connector(BASIC), w.connector(EXTERNAL)
    with pressed(w, "Medium"):
        with anonymous.session() as s:
            sending(s, True)
            sending(s, True, "")
        with users.login() as s:
            sending(s, False, ALICE)
        with external.session() as s:
            sending(s, False)


def high(w):
    anonymous, users, external = w.connector(), w.connector(BASIC), w.connector(EXTERNAL)
    with pressed(w, "High"):
        for c in (anonymous, external):
            with c.session() as s:
                sending(s, True)
        with users.login() as s:
            sending(s, True, ALICE)


def at_mail(w):
    c = w.connector()
    with c.session() as early:
        assert early.mail("x@outside.test") == "250 2.1.0"
        with pressed(w, "Medium"):
            assert early.rcpt(BOB) == "250 2.1.5"
            assert early.data(message(w.marker(), "x@outside.test", BOB)) == "250 2.6.0"
            with c.session() as late:
                sending(late, True)


def disk_defaults(w):
    r = resource(w.hub, "QueueDisk")
    step = min(500 * MB, r["Total"] * 2 // 100)
    assert r["High"] == min(500 * MB, r["Total"] // 10), r
    assert abs(r["Medium"] - r["High"] - step) < MB and abs(r["Normal"] - r["Medium"] - step) < MB, r


def log_disk(w):
    c = w.connector()
    with pressed(w, "High", "LogDisk"), c.session() as s:
        assert not resource(w.hub, "LogDisk")["RefusesMail"]
        sending(s, False)


def memory_defaults(w):
    r = resource(w.hub, "Memory")
    assert [round(r[n] * 100 / r["Total"]) for n in ("High", "Medium", "Normal")] == [75, 73, 71], r


def watched(w):
    assert tuple(r["Resource"] for r in w.hub.json("Get-ResourcePressure")) == RESOURCES


def queue_length(w):
    r = resource(w.hub, "QueueLength")
    assert (r["Normal"], r["Medium"], r["High"]) == (1350000, 1500000, 2000000), r


def hysteresis(w):
    """Behind its threshold a level stays until the next lower one."""
    r = resource(w.hub, "QueueDisk")
    near = r["Value"] - 100 * MB  # more is free; but not as much as normal demands
    with pressed(w, "Medium"):
        w.hub.shell("Set-TransportServer -QueueDiskMediumThreshold %d" % near)
        wait_for("the new threshold", lambda: resource(w.hub, "QueueDisk")["Medium"] == near, 15, every=0.1)
        r = resource(w.hub, "QueueDisk")
        assert r["Level"] == "Medium" and r["Medium"] < r["Value"] < r["Normal"], r


def events(w):
    with pressed(w, "Medium"):
        wait_logged(w.hub, "event=pressure-increased id=15004 resource=QueueDisk from=Normal to=Medium")
    wait_logged(w.hub, "event=pressure-decreased id=15005 resource=QueueDisk from=Medium to=Normal")


def named(w):
    c = w.connector()
    with pressed(w, "Medium"), c.session() as s:
        r = s.mail("x@outside.test")
        assert re.match(r"4\.3\.1 Insufficient system resources \(queue disk: \d+ MB free, 1073741824 MB wanted\) \[mr-", r.text), r


def thresholds(w):
    w.refused("Set-TransportServer -MemoryHighThreshold 50", "MemoryMediumThreshold 73", "MemoryHighThreshold 50")
    w.refused("Set-TransportServer -QueueDiskMediumThreshold 1GB -QueueDiskHighThreshold 2GB", "more free space")


PRESSURE = Section("11.4", "Back pressure", (
    Row("Medium", "mail from hosts outside is refused; the organisation's own flows", AS, medium,
        "Inside is who has logged on, this organisation's servers, and externally secured ones."),
    Row("High", "all new mail is refused, that of other Hubs too", AS, high, "What was accepted is delivered, and reports are made, at every level."),
    Row("where it is refused", "at the connection or at MAIL; from 2010 on after a growing delay", AS, at_mail, "At MAIL, when it is known who sends. What was begun is finished."),
    Row("queue database disk", "high below 500 MB free, medium and normal at 2 and 4 % more of the disk", DEVIATES, disk_defaults,
        "Steps of 500 MB at most: 2 % of a large disk are free space enough. Of a disk below 5 GB, high is a tenth. The less free one of queue.db's and the spool's file systems counts."),
    Row("log disk", "the disk of the database's transaction logs, which refuses as the other does", DEVIATES, log_disk,
        "queue.db's log lies beside it and counts there. LogDisk is that of log/: its level is told and refuses nothing, since mail needs no log."),
    Row("private bytes", "75, 73 and 71 % of the memory", AS, memory_defaults, "Of all the server's processes; of the control group's limit where there is one."),
    Row("version buckets, memory of all programs", "80, 120 and 200 buckets; 94 %, where messages are dropped from memory", DEVIATES, watched,
        "Uncommitted work does not gather here. At high memory pressure the queue takes less into hand; what other programs use is not counted."),
    Row("queue length", "not watched by 2007", BEYOND, queue_length, "Recipients that wait: 1,500,000 and 2,000,000."),
    Row("end of a level", "medium ends at normal, high at medium", AS, hysteresis, "So a value at a bound does not make the level flutter. Measured every 2 seconds."),
    Row("events", "15004 and 15005 for a level that rises and falls", AS, events, "One line of the log each way, with the numbers, the property and what to do."),
    Row("what is short", "the reply does not say it", BEYOND, named, "Resource, value and threshold stand behind the text, in mailreeve explain and in Get-ResourcePressure."),
    Row("thresholds", "EdgeTransport.exe.config", DEVIATES, thresholds, "Set-TransportServer, obeyed at once."),
))

SECTIONS = [PRESSURE]
