"""The folders pickup/ and replay/: what is sent from them, what becomes of the rest, and that nothing is lost on the way."""
import collections
import os
import stat
import threading

import pytest

from support.server import BINARY, Server, settle, wait_logged
from support.sink import Sink
from support.util import fields, message, run, split_message, wait_for

ALICE, BOB = "alice@example.com", "bob@example.com"


@pytest.fixture(scope="module")
def hub():
    s = Server()
    s.relax()
    s.mailbox(ALICE, "Pw-alice 7%x")
    s.mailbox(BOB, "Pw-bob#8\"y")
    s.hop = Sink()
    s.smart_host(s.hop.port)
    s.shell("Set-TransportServer -PickupDirectoryMaxMessagesPerMinute 20000")
    settle()
    yield s
    log = s.log_text()
    s.close()
    s.hop.close()
    assert "after a power cut" not in log, "the folder could not be flushed"


def drop(server, name, content, folder="pickup"):
    """As programs should: written elsewhere, then moved in."""
    path = os.path.join(server.state, folder)
    with open(path + "/." + name + ".new", "wb") as f:
        f.write(content)
    os.rename(path + "/." + name + ".new", path + "/" + name + ".eml")


def names(server, folder="pickup"):
    return sorted(os.listdir(os.path.join(server.state, folder)))


def becomes_bad(server, name, content, says, folder="pickup"):
    drop(server, name, content, folder)
    wait_for(name + ".bad", lambda: name + ".bad" in names(server, folder))
    assert not [n for n in names(server, folder) if n.startswith(name) and not n.endswith(".bad")]
    wait_logged(server, r"event=pickup-bad folder=%s file=%s why=.*%s" % (folder.capitalize(), name, says))
    with open(os.path.join(server.state, folder, name + ".bad"), "rb") as f:
        assert f.read() == content, "it is left as it was"


def test_picked_up(hub, marker):
    drop(hub, "a", b"From: Alice <%s>\nTo: <%s>\nCc: far@x.test\nBcc: hidden@x.test\nSubject: x\nReceived: from a by b\nResent-From: r@x.test\n"
         b"X-MS-Exchange-Organization-Test: o\n\n%s\n.\n" % (ALICE.encode(), BOB.encode(), marker.encode()))
    raw = hub.wait_mail(BOB, marker)[0]
    received = fields(raw, "Received")
    assert len(received) == 1 and received[0].startswith("from localhost by Pickup with ")
    assert fields(raw, "Return-Path") == ["<%s>" % ALICE] and fields(raw, "Message-ID") and fields(raw, "Date")
    for gone in ("Bcc", "Resent-From", "X-MS-Exchange-Organization-Test"):
        assert not fields(raw, gone)
    assert split_message(raw)[1].decode().splitlines() == [marker, "."]
    out = wait_for("the copy for the world", lambda: hub.hop.got(marker))[0]
    assert sorted(r[0] for r in out["rcpts"]) == ["far@x.test", "hidden@x.test"] and out["from"] == ALICE
    wait_for("the file to be gone", lambda: not names(hub))


def test_only_bcc(hub, marker):
    drop(hub, "a", b"From: %s\nSender: %s\nBcc: %s\nMessage-ID: <own@x.test>\nDate: Mon, 1 Jan 2024 09:00:00 +0000\n\n%s\n"
         % (BOB.encode(), ALICE.encode(), BOB.encode(), marker.encode()))
    raw = hub.wait_mail(BOB, marker)[0]
    assert fields(raw, "To") == ["Undisclosed recipients:;"] and not fields(raw, "Bcc")
    assert fields(raw, "Return-Path") == ["<%s>" % ALICE]
    assert fields(raw, "Message-ID") == ["<own@x.test>"] and fields(raw, "Date") == ["Mon, 1 Jan 2024 09:00:00 +0000"]


def test_unknown_recipient_is_reported(hub, marker):
    """Who sent it gets the report; the file is done."""
    drop(hub, "a", message(marker, ALICE, "nobody-there@example.com"))
    report = hub.wait_mail(ALICE, marker)[0]
    assert b"multipart/report" in report and b"nobody-there@example.com" in report
    wait_for("the file to be gone", lambda: not names(hub))


def test_replayed(hub, marker):
    head = (b"X-Sender: <s@x.test> BODY=8BITMIME RET=HDRS ENVID=e7 auth=<x@y.test>\nX-Receiver: <one@x.test> NOTIFY=NEVER ORcpt=o@x.test\n"
            b"X-Receiver: <two@x.test> NOTIFY=DELAY,FAILURE\n")
    tail = (b"From: %s\nTo: %s\nBcc: h@x.test\nReceived: from a by b\nX-MS-Exchange-Organization-SCL: 5\n\n%s\n"
            % (ALICE.encode(), BOB.encode(), marker.encode()))
    drop(hub, "a", head + tail, "replay")
    got = wait_for("both recipients", lambda: (lambda m: m if sum(len(x["rcpts"]) for x in m) == 2 else None)(hub.hop.got(marker)))
    params = {r[0]: r[1].upper() for m in got for r in m["rcpts"]}
    assert "NOTIFY=NEVER" in params["one@x.test"] and "ORCPT=RFC822;O@X.TEST" in params["one@x.test"]
    assert "DELAY" in params["two@x.test"] and "FAILURE" in params["two@x.test"]
    assert all(m["from"] == "s@x.test" and "RET=HDRS" in m["params"] and "ENVID=e7" in m["params"] for m in got)
    received = fields(got[0]["data"], "Received")
    assert received[0].startswith("from mail.example.com by Replay with ") and received[1] == "from a by b"
    for gone in ("Bcc", "X-Sender", "X-Receiver"):
        assert not fields(got[0]["data"], gone)
    assert not hub.mail(BOB, marker), "To is not the envelope"


def test_replay_trusts_by_x_createdby(hub, marker):
    for n, created in enumerate((b"", b"X-CreatedBy: MSExchange12\n")):
        text = (b"X-Sender: <>\n" + created + b"X-Receiver: <%s>\nX-EndOfInjectedXHeaders:\nX-MS-Exchange-Organization-SCL: 5\nTo: x\n\n%s%d\n"
                % (BOB.encode(), marker.encode(), n))
        drop(hub, "a%d" % n, text, "replay")
        raw = hub.wait_mail(BOB, marker + str(n))[0]
        assert fields(raw, "X-MS-Exchange-Organization-SCL") == (["5"] if created else [])
        assert fields(raw, "Return-Path") == ["<>"]


def test_bad_ones(hub):
    good = b"From: %s\nTo: %s\n" % (ALICE.encode(), BOB.encode())
    becomes_bad(hub, "nosender", b"To: %s\n\nx\n" % BOB.encode(), "neither From nor Sender")
    becomes_bad(hub, "norecipient", b"From: %s\n\nx\n" % ALICE.encode(), "names a recipient")
    becomes_bad(hub, "two", b"From: a@x.test, b@x.test\nTo: %s\n\nx\n" % BOB.encode(), "Sender")
    becomes_bad(hub, "empty", b"", "neither From nor Sender")
    becomes_bad(hub, "nul", good + b"\na\0b\n", "NUL")
    becomes_bad(hub, "header", good + b"X: y\n" * 20000 + b"\nx\n", "PickupDirectoryMaxHeaderSize")
    becomes_bad(hub, "line", b"X: " + b"y" * 200000, "PickupDirectoryMaxHeaderSize")
    becomes_bad(hub, "many", b"From: %s\nTo: %s\n\nx\n" % (ALICE.encode(), b", ".join(b"r%d@x.test" % n for n in range(101))), "more than 100 recipients")
    becomes_bad(hub, "noenvelope", good + b"\nx\n", "X-Sender", "replay")
    becomes_bad(hub, "loop", b"X-Sender: <>\nX-Receiver: <%s>\n" % BOB.encode() + b"Received: from a by b\n" * 31 + good + b"\nx\n", "seems to loop", "replay")
    hub.shell("Set-TransportServer -PickupDirectoryMaxRecipientsPerMessage 101 -PickupDirectoryMaxHeaderSize 200KB")
    settle()
    drop(hub, "many2", b"From: %s\nTo: %s\nX-Long: %s\n\nx\n" % (ALICE.encode(), b", ".join(b"r%d@x.test" % n for n in range(101)), b" y\n" * 30000))
    wait_for("more now", lambda: "many2.eml" not in names(hub) and "many2.tmp" not in names(hub))
    assert "many2.bad" not in names(hub)
    drop(hub, "nosender", b"To: again\n\nx\n")
    wait_for("beside the other", lambda: "nosender-1.bad" in names(hub))
    for folder in ("pickup", "replay"):
        for n in names(hub, folder):
            os.unlink(os.path.join(hub.state, folder, n))


def test_no_ordinary_files(hub):
    """What a link names is not sent, and a pipe holds nobody up."""
    folder = hub.state + "/pickup"
    os.symlink("../node.conf", folder + "/link.eml")
    os.mkfifo(folder + "/pipe.eml")
    os.mkdir(folder + "/dir.eml")
    wait_for("all to be bad", lambda: names(hub) == ["dir.bad", "link.bad", "pipe.bad"])
    os.rmdir(folder + "/dir.bad")
    for n in ("link.bad", "pipe.bad"):
        os.unlink(folder + "/" + n)


def test_large(hub, marker):
    lines = ["%06d %s" % (n, "x" * 60) for n in range(150000)]
    drop(hub, "large", ("From: %s\nTo: %s\nX-Marker: %s\n\n" % (ALICE, BOB, marker)).encode() + "\n".join(lines).encode() + b"\n")
    raw = hub.wait_mail(BOB, marker)[0]
    assert split_message(raw)[1].decode().splitlines() == lines


def test_larger_than_the_organisation_allows(hub, marker):
    """MaxSendSize holds for what is picked up as for a user's mail: the sender is told."""
    hub.shell("Set-TransportConfig -MaxSendSize 1MB")
    settle()
    try:
        drop(hub, "toolarge", message(marker, ALICE, BOB, body=(b"y" * 76 + b"\r\n") * 20000))
        report = hub.wait_mail(ALICE, marker)[0]
        assert b"multipart/report" in report and b"5.2.3" in report
        assert not hub.mail(BOB, marker)
    finally:
        hub.shell("Set-TransportConfig -MaxSendSize unlimited")
        settle()


def test_elsewhere_and_nowhere(hub, marker):
    err = hub.shell_error("Set-TransportServer -PickupDirectoryPath /tmp/x")
    assert "PickupDirectoryPath" in err and "pickup/NAME" in err and "$null" in err
    os.mkdir(hub.state + "/pickup/printers", 0o770)
    owner = os.stat(hub.state + "/pickup")
    os.chown(hub.state + "/pickup/printers", owner.st_uid, owner.st_gid)
    hub.shell("Set-TransportServer -PickupDirectoryPath pickup/printers -ReplayDirectoryPath $null")
    settle()
    drop(hub, "replayed", b"X-Sender: <>\nX-Receiver: <%s>\nTo: x\n\n%s\n" % (BOB.encode(), marker.encode()), "replay")
    drop(hub, "here", message(marker, ALICE, BOB))
    drop(hub, "there", message(marker, ALICE, BOB), "pickup/printers")
    hub.wait_mail(BOB, marker)
    assert names(hub) == ["here.eml", "printers"] and names(hub, "replay") == ["replayed.eml"]
    hub.shell("Set-TransportServer -PickupDirectoryPath pickup -ReplayDirectoryPath replay")
    hub.wait_mail(BOB, marker, count=3)
    os.rmdir(hub.state + "/pickup/printers")


def test_a_folder_open_to_all_is_not_read(hub, marker):
    os.chmod(hub.state + "/pickup", 0o777)
    try:
        drop(hub, "a", message(marker, ALICE, BOB))
        wait_logged(hub, "event=pickup-folder.*everybody may write to .*/pickup, and so relay")
        assert names(hub) == ["a.eml"]
    finally:
        os.chmod(hub.state + "/pickup", 0o770)
    hub.wait_mail(BOB, marker)


def test_rate(hub, marker):
    """One a minute: the first, and for the next five seconds no other."""
    hub.shell("Set-TransportServer -PickupDirectoryMaxMessagesPerMinute 1")
    settle()
    wait_for("the policy at pickup", lambda: hub.policy_is_everywhere())
    hub.kill9("pickup")  # a new process has its first file at once
    for n in range(3):
        drop(hub, "r%d" % n, message(marker, ALICE, BOB))
    hub.wait_mail(BOB, marker)
    polls = hub.log_text().count("event=pickup ")
    with pytest.raises(AssertionError):
        wait_for("a second one", lambda: hub.log_text().count("event=pickup ") > polls, 6)
    hub.shell("Set-TransportServer -PickupDirectoryMaxMessagesPerMinute 20000")
    hub.wait_mail(BOB, marker, count=3)
    assert len(hub.mail(BOB, marker)) == 3


def test_back_pressure(hub, marker):
    """From medium on the files wait, while the users of this machine may still send; at high they are told: later."""
    def level(name):
        return hub.one("Get-ResourcePressure QueueDisk")["Level"] == name

    def sendmail():
        return run([BINARY, "sendmail", "--state", hub.state, BOB], input=b"\n%s\n" % marker.encode(), check=False).returncode
    hub.shell("Set-TransportServer -QueueDiskMediumThreshold 1024TB")
    try:
        wait_for("medium", lambda: level("Medium"))
        drop(hub, "a", message(marker, ALICE, BOB))
        assert sendmail() == 0
        hub.wait_mail(BOB, marker)
        hub.shell("Set-TransportServer -QueueDiskHighThreshold 1024TB -QueueDiskMediumThreshold 1024TB")
        wait_for("high", lambda: level("High"))
        assert sendmail() == 75
        assert names(hub) == ["a.eml"] and len(hub.mail(BOB, marker)) == 1
    finally:
        hub.shell("Set-TransportServer -QueueDiskHighThreshold $null -QueueDiskMediumThreshold $null")
    hub.wait_mail(BOB, marker, count=2)


def test_left_over(hub, marker):
    """What was under way when everything died is sent after the next start."""
    hub.kill9()
    drop(hub, "x", message(marker, ALICE, BOB))
    os.rename(hub.state + "/pickup/x.eml", hub.state + "/pickup/x.tmp")
    hub.start()
    hub.wait_mail(BOB, marker)
    wait_for("the folder to be empty", lambda: not names(hub))


def test_permissions(hub):
    for folder in ("pickup", "replay"):
        assert stat.S_IMODE(os.stat(os.path.join(hub.state, folder)).st_mode) == 0o770


@pytest.mark.parametrize("role", ["pickup", "queue", None])
def test_killed_again_and_again(hub, role, marker):
    """SIGKILL in mid-work: nothing is lost; what is there twice was under way at a kill."""
    total, kills, under_way = 400, 3, 16
    dropped = threading.Event()

    def load():
        for n in range(total):
            drop(hub, "k%d" % n, message("%sn%d." % (marker, n), ALICE, BOB, body=b"payload %d " % n * 40 + b"\r\n"))
        dropped.set()

    def arrived():
        return len(hub.mail_files(BOB)) - before
    before = len(hub.mail_files(BOB))
    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    for k in range(kills):
        wait_for("more to arrive", lambda: arrived() >= (k + 1) * total // (kills + 2), 60)
        hub.kill9(role)
        if role is None:
            hub.start()
    thread.join(60)
    assert dropped.is_set()
    wait_for("the folder to be empty; %s" % hub.log_text()[-300:], lambda: not names(hub), 90)
    wait_for("all of them", lambda: arrived() >= total, 60)
    count = collections.Counter()
    for raw in hub.mail(BOB, marker):
        n = int(raw.split(marker.encode() + b"n")[1].split(b".")[0])
        assert b"payload %d " % n * 40 in raw, "a damaged body"
        count[n] += 1
    assert sorted(count) == list(range(total)), "lost: %s" % sorted(set(range(total)) - set(count))
    assert sum(count.values()) - total <= kills * under_way, "more duplicates than were under way"
