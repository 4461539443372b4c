"""Mail from files: the pickup and the replay folder; and from the programs of this machine, which Exchange leaves to others."""
import os
import subprocess

from table import AS, BEYOND, DEVIATES, Row, Section, needs
from world import ALICE, BOB
from support.server import BINARY
from support.util import fields, wait_for


def drop(w, text, folder="pickup"):
    """Moves a file in; its name without ending."""
    name, path = "f%d" % w.number(), os.path.join(w.hub.state, folder)
    with open("%s/.%s.new" % (path, name), "wb") as f:
        f.write(text)
    os.rename("%s/.%s.new" % (path, name), "%s/%s.eml" % (path, name))
    return name


def file_of(w, name, ending, folder="pickup"):
    return os.path.exists("%s/%s/%s.%s" % (w.hub.state, folder, name, ending))


def picked(w, head, to=BOB):
    marker = w.marker()
    drop(w, head + b"\n%s\n" % marker.encode())
    return w.hub.wait_mail(to, marker)[0]


def replayed(w, fields_in_front=b"", head=b"To: x\n", sender="s@x.test", params=""):
    marker = w.marker()
    drop(w, b"X-Sender: <%s>%s\n" % (sender.encode(), params.encode()) + fields_in_front + b"X-Receiver: <%s>\n" % BOB.encode() + head
         + b"\n%s\n" % marker.encode(), "replay")
    return w.hub.wait_mail(BOB, marker)[0]


FROM, TO = b"From: %s\n" % ALICE.encode(), b"To: %s\n" % BOB.encode()


def bad(*heads, folder="pickup"):
    """Each becomes .bad, with a reason in the log."""
    def check(w):
        for head in heads:
            name = drop(w, head + b"\nx\n", folder)
            wait_for("%s.bad" % name, lambda n=name: file_of(w, n, "bad", folder))
            wait_for("the reason", lambda n=name: "file=%s why=" % n in w.hub.log_text())
            os.unlink("%s/%s/%s.bad" % (w.hub.state, folder, name))
    return check


def setting(name, default, low, high, below, above):
    """Its default and its range; the bounds are taken, what is beyond them is not."""
    def check(w):
        assert str(w.plain.one("Get-TransportServer")[name]).startswith(default)
        for v in (below, above):
            w.refused("Set-TransportServer -%s %s" % (name, v), name)
        for v in (low, high):
            w.cold.shell("Set-TransportServer -%s %s" % (name, v))
    return check


def recipients_limited(w):
    def many(n):
        return FROM + b"To: %s\n" % b", ".join(b"r%d@outside.test" % i for i in range(n))
    bad(many(101))(w)
    name = drop(w, many(100) + b"\nx\n")
    wait_for("100 to be taken", lambda: not any(file_of(w, name, e) for e in ("eml", "tmp", "bad")))


def removed_when_sent(w):
    marker = w.marker()
    name = drop(w, FROM + TO + b"\n%s\n" % marker.encode())
    w.hub.wait_mail(BOB, marker)
    wait_for("the file to be gone", lambda: not any(file_of(w, name, e) for e in ("eml", "tmp", "bad")))


def left_over(w):
    """A .tmp that a process left behind, at the start of the next one."""
    marker = w.marker()
    path = w.hub.state + "/pickup/left%d" % w.number()
    with open(path + ".tmp", "wb") as f:
        f.write(FROM + TO + b"\n%s\n" % marker.encode())
    w.hub.kill9("pickup")
    w.hub.wait_mail(BOB, marker)


def sender(w):
    assert fields(picked(w, FROM + b"Sender: s@x.test\n" + TO), "Return-Path") == ["<s@x.test>"]
    assert fields(picked(w, FROM + TO), "Return-Path") == ["<%s>" % ALICE]
    assert fields(picked(w, b"From: a@x.test, b@x.test\nSender: s@x.test\n" + TO), "Return-Path") == ["<s@x.test>"]


def recipients(w):
    for field in (b"To", b"Cc", b"Bcc"):
        raw = picked(w, FROM + b"%s: %s\n" % (field, BOB.encode()))
        assert not fields(raw, "Bcc")


def added(w):
    raw = picked(w, FROM + b"Bcc: %s\n" % BOB.encode())
    assert fields(raw, "To") == ["Undisclosed recipients:;"] and fields(raw, "Message-ID") and fields(raw, "Date")
    assert fields(raw, "Received")[0].startswith("from localhost by Pickup with Mailreeve")


def x_headers(w):
    raw = picked(w, b"X-Sender: <s@x.test>\nX-Receiver: <nobody@outside.test>\n" + FROM + TO)
    assert fields(raw, "Return-Path") == ["<%s>" % ALICE]


def unchecked(w):
    """A sender of our own domain and a recipient of the world, of which no connector was asked."""
    marker = w.marker()
    drop(w, FROM + b"To: far@outside.test\n\n%s\n" % marker.encode())
    wait_for("it at the next hop", lambda: w.outside.got(marker))


def disabled(w):
    marker = w.marker()
    w.shell("Set-TransportServer -ReplayDirectoryPath $null")
    try:
        name = drop(w, b"X-Sender: <>\nX-Receiver: <%s>\nTo: x\n\n%s\n" % (BOB.encode(), marker.encode()), "replay")
        removed_when_sent(w)  # pickup goes on meanwhile
        assert file_of(w, name, "eml", "replay") and not w.hub.mail(BOB, marker)
    finally:
        w.shell("Set-TransportServer -ReplayDirectoryPath replay")
    w.hub.wait_mail(BOB, marker)


def replay_envelope(w):
    marker = w.marker()
    drop(w, b"X-Sender: <s@x.test> BODY=7bit RET=HDRS ENVID=x auth=<a@x.test>\nX-Receiver: <far@outside.test> NOTIFY=NEVER ORcpt=o@x.test\n"
         + FROM + TO + b"\n%s\n" % marker.encode(), "replay")
    got = wait_for("it at the next hop", lambda: w.outside.got(marker))[0]
    assert got["from"] == "s@x.test" and "RET=HDRS" in got["params"] and "ENVID=x" in got["params"]
    assert [r[0] for r in got["rcpts"]] == ["far@outside.test"] and "NOTIFY=NEVER" in got["rcpts"][0][1]
    assert not w.hub.mail(BOB, marker), "To is ignored"


def replay_fields(w):
    raw = replayed(w, b"X-CreatedBy: MSExchange12\nX-HeloDomain: h\nX-Source: s\nX-SourceIPAddress: 192.0.2.1\nX-ExtendedMessageProps: p\n",
                   b"X-EndOfInjectedXHeaders:\nTo: x\nBcc: b@x.test\n")
    for name in ("X-CreatedBy", "X-HeloDomain", "X-Source", "X-SourceIPAddress", "X-ExtendedMessageProps", "X-EndOfInjectedXHeaders", "X-Sender",
                 "X-Receiver", "Bcc"):
        assert not fields(raw, name), name
    assert fields(raw, "Received")[0].startswith("from mail.example.com by Replay with Mailreeve")


def access(w):
    """Its owner and its group may write, nobody else; and one that everybody may write to is not read."""
    for folder in ("pickup", "replay"):
        assert os.stat(os.path.join(w.hub.state, folder)).st_mode & 0o7777 == 0o770


def waits_at_medium(w):
    marker = w.marker()
    w.hub.shell("Set-TransportServer -QueueDiskMediumThreshold 1024TB")
    try:
        wait_for("medium", lambda: w.hub.one("Get-ResourcePressure QueueDisk")["Level"] == "Medium")
        name = drop(w, FROM + TO + b"\n%s\n" % marker.encode())
        local(w)  # the organisation's own mail goes on meanwhile
        assert file_of(w, name, "eml") and not w.hub.mail(BOB, marker)
    finally:
        w.hub.shell("Set-TransportServer -QueueDiskMediumThreshold $null")
    w.hub.wait_mail(BOB, marker)


def local(w):
    marker = w.marker()
    p = subprocess.run([BINARY, "sendmail", "--state", w.hub.state, "-i", BOB], input=b"Subject: x\n\n%s\n" % marker.encode(), stderr=subprocess.PIPE, timeout=30)
    assert p.returncode == 0, p.stderr
    assert "(uid %d)" % os.geteuid() in fields(w.hub.wait_mail(BOB, marker)[0], "Received")[0]


P = Section("11.6", "Pickup and Replay", (
    Row("names of files", ".eml waits, .tmp is under way, and what was sent is removed", AS, removed_when_sent, "Removed when the queue has the message on the disk."),
    Row("left-over .tmp", "become .eml after a restart, with possible duplicates", AS, left_over, "Twice only where the process died between the queue's flush and the removal."),
    Row("undeliverable files", ".bad, with an event", AS, bad(TO, FROM, b""), "The reason is in the log; a .bad that is there already is not replaced."),
    Row("PickupDirectoryMaxMessagesPerMinute", "100, 1 to 20000, for each folder", AS, setting("PickupDirectoryMaxMessagesPerMinute", "100", 1, 20000, 0, 20001)),
    Row("PickupDirectoryMaxHeaderSize", "64 KB, 32768 bytes to 2 GB, for Pickup", AS, needs(setting("PickupDirectoryMaxHeaderSize", "65536", 32768, 2147483647, 32767, 2147483648),
                                                                                        bad(FROM + TO + b"X: y\n" * 20000))),
    Row("header of a file to be replayed", "no limit", DEVIATES, bad(b"X-Sender: <>\nX-Receiver: <r@x.test>\n" + b"X: y\n" * 1800000, folder="replay"), "8 MB: the header is held in memory."),
    Row("PickupDirectoryMaxRecipientsPerMessage", "100, 1 to 10000, for Pickup", AS, needs(setting("PickupDirectoryMaxRecipientsPerMessage", "100", 1, 10000, 0, 10001),
                                                                                       recipients_limited)),
    Row("sender", "Sender or From; with several in From exactly one Sender is needed", AS, needs(sender, bad(b"From: a@x.test, b@x.test\n" + TO))),
    Row("recipients", "To, Cc and Bcc, one at least; Bcc is removed", AS, needs(recipients, bad(FROM))),
    Row("X-Sender and X-Receiver in Pickup", "mean nothing", AS, x_headers, "They are fields like others."),
    Row("what Pickup adds", "Received, Message-Id and Date where missing, To of undisclosed recipients where only Bcc is", AS, added),
    Row("checks", "none of a connector's: who may write to the folder may relay", AS, unchecked, "MaxSendSize and MaxRecipientEnvelopeLimit of the organisation hold."),
    Row("X-Sender, X-Receiver", "the envelope of a file to be replayed, with its parameters; To is ignored", AS, needs(replay_envelope, bad(FROM + TO, folder="replay"))),
    Row("fields in front", "X-CreatedBy, X-HeloDomain, X-Source, X-SourceIPAddress, X-ExtendedMessageProps, X-EndOfInjectedXHeaders", AS, replay_fields,
        "All are taken off. X-HeloDomain, X-Source and X-ExtendedMessageProps are not interpreted."),
    Row("access", "administrators and the service", AS, access, "The server's user and its group; a folder that everybody may write to is not read."),
    Row("folders elsewhere", "any path", DEVIATES, lambda w: w.refused("Set-TransportServer -PickupDirectoryPath /srv/pickup", "PickupDirectoryPath", "pickup/NAME"),
        "Below pickup/ and replay/ of the state folder: the process can reach nothing else. Mount there what lies elsewhere."),
    Row("switched off", "path $null", AS, disabled),
    Row("back pressure", "Pickup and Replay are refused from medium on", AS, waits_at_medium, "The files wait."),
    Row("sendmail", "nothing", BEYOND, local, "mailreeve sendmail and mailq for the programs of this machine; Set-TransportServer -LocalSubmission says what their users may."),
))

SECTIONS = [P]
