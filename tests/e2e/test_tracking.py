"""Message tracking: every step of a message, its fields, the search, rotation, the index, and never a secret."""
import csv
import glob
import json
import os
import re
import signal
import time

import pytest

from support.server import FAST_RETRY, Server, settle, wait_logged
from support.sink import Sink
from support.util import message, wait_for

APP = "127.0.0.31"
PASSWORD = "Marker-Track3r-9q"
FIELDS = ["date-time", "client-ip", "client-hostname", "server-ip", "server-hostname", "source-context", "connector-id", "source",
          "event-id", "internal-message-id", "message-id", "recipient-address", "recipient-status", "total-bytes", "recipient-count",
          "related-recipient-address", "reference", "message-subject", "sender-address", "return-path", "message-info",
          "directionality", "original-client-ip", "custom-data"]
PROPERTIES = ["Timestamp", "ClientIp", "ClientHostname", "ServerIp", "ServerHostname", "SourceContext", "ConnectorId", "Source",
              "EventId", "InternalMessageId", "MessageId", "Recipients", "RecipientStatus", "TotalBytes", "RecipientCount",
              "RelatedRecipientAddress", "Reference", "MessageSubject", "Sender", "ReturnPath", "MessageInfo",
              "Directionality", "OriginalClientIp", "CustomData"]
RELAY = "-User 'NT AUTHORITY\\ANONYMOUS LOGON' -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(scope="module")
def sink():
    s = Sink()
    yield s
    s.close()


@pytest.fixture(scope="module")
def hub(sink):
    s = Server()
    try:
        s.relax()
        s.mailbox("alice@example.com", PASSWORD)
        s.mailbox("bob@example.com", PASSWORD)
        s.shell("Set-Mailbox alice -EmailAddresses @{Add='a.smith@example.com'}")
        s.shell("New-MailContact -Name carol -PrimarySmtpAddress carol@example.com -ExternalEmailAddress carol@partner.test")
        s.shell("New-DistributionGroup -Name team -PrimarySmtpAddress team@example.com; Add-DistributionGroupMember team -Member bob")
        s.connector("app", APP)
        s.shell("Get-ReceiveConnector app | Add-ADPermission " + RELAY)
        s.shell(FAST_RETRY)
        s.smart_host(sink.port)
        settle()
        yield s
    finally:
        s.close()


def log_files(server, folder="log/MessageTracking"):
    return sorted(glob.glob(os.path.join(server.state, folder, "MSGTRK*.log")))


def log_rows(server):
    out = []
    for path in log_files(server):
        with open(path, newline="", encoding="utf-8") as f:
            out += [dict(zip(FIELDS, r)) for r in csv.reader(l for l in f if not l.startswith("#"))]
    return out


def send(server, marker, to, subject="Hello, world", sender="alice@example.com", **kw):
    """Sends over the connector app; the Message-ID without its brackets."""
    mid = "%s.%d@client.test" % (marker, len(to))
    body = b"From: <%s>\r\nSubject: %s\r\nMessage-ID: <%s>\r\n\r\nbody\r\n" % (sender.encode(), subject.encode(), mid.encode())
    with server.session(source=APP) as c:
        assert c.send_mail(sender, to, body, **kw) == "250 2.6.0"
    return mid


def track(server, query):
    return json.loads(server.shell("Get-MessageTrackingLog %s | Sort-Object Timestamp | ConvertTo-Json -AsArray" % query))


def wait_track(server, query, count, what="entries"):
    def enough():
        got = track(server, query)
        return got if len(got) >= count else None
    got = wait_for("%d %s" % (count, what), enough)
    assert len(got) == count, [(r["EventId"], r["Recipients"]) for r in got]
    return got


def test_path_of_a_message(hub, sink, marker):
    mid = send(hub, marker, ["a.smith@example.com", "team@example.com", "carol@example.com", "nobody@example.com"])
    got = wait_track(hub, "-MessageId " + mid, 8)
    assert list(got[0]) == PROPERTIES
    assert got[0]["EventId"] == "RECEIVE", "a time line begins with it"
    assert [r["Timestamp"] for r in got] == sorted(r["Timestamp"] for r in got)
    by = {}
    for r in got:
        by.setdefault(r["EventId"], []).append(r)
    assert {k: len(v) for k, v in by.items()} == {"RECEIVE": 1, "RESOLVE": 1, "EXPAND": 1, "REDIRECT": 1, "DELIVER": 2, "SEND": 1, "FAIL": 1}
    number = got[0]["InternalMessageId"]
    for r in got:
        assert re.fullmatch(ISO, r["Timestamp"]), r["Timestamp"]
        assert (r["MessageId"], r["InternalMessageId"], r["MessageSubject"]) == ("<%s>" % mid, number, "Hello, world")
        assert r["Sender"] == r["ReturnPath"] == "alice@example.com"
        assert r["Directionality"] == "Incoming" and r["OriginalClientIp"] == APP
        assert r["RecipientCount"] == len(r["Recipients"]) and r["TotalBytes"] > 50
        assert re.fullmatch(ISO, r["MessageInfo"]) and r["Reference"] == ""

    def fields(event, i=0):
        r = by[event][i]
        return {k: r[k] for k in ("ClientIp", "ClientHostname", "ServerIp", "ServerHostname", "ConnectorId", "Source", "Recipients",
                                  "RecipientStatus", "RelatedRecipientAddress", "CustomData")}
    own, here = "mail.example.com", "127.0.0.1"
    assert fields("RECEIVE") == {
        "ClientIp": APP, "ClientHostname": "client.test", "ServerIp": here, "ServerHostname": own, "ConnectorId": own + "\\app",
        "Source": "SMTP", "Recipients": ["a.smith@example.com", "team@example.com", "carol@example.com", "nobody@example.com"],
        "RecipientStatus": [], "RelatedRecipientAddress": "", "CustomData": "TLS=None"}
    assert re.fullmatch(r"[0-9A-F]{16}", by["RECEIVE"][0]["SourceContext"])
    none = {"ClientIp": "", "ClientHostname": "", "ServerIp": "", "ServerHostname": own, "ConnectorId": "", "Source": "ROUTING",
            "RecipientStatus": [], "RelatedRecipientAddress": "", "CustomData": ""}
    assert fields("RESOLVE") == {**none, "Recipients": ["alice@example.com"], "RelatedRecipientAddress": "a.smith@example.com"}
    assert fields("REDIRECT") == {**none, "Recipients": ["carol@partner.test"], "RelatedRecipientAddress": "carol@example.com"}
    assert fields("EXPAND") == {**none, "Recipients": ["bob@example.com"], "RelatedRecipientAddress": "team@example.com",
                                "RecipientStatus": ["250 2.1.5 Group expanded"]}
    assert fields("FAIL") == {**none, "Recipients": ["nobody@example.com"],
                              "RecipientStatus": ["550 5.1.1 RESOLVER.ADR.RecipNotFound, not found"]}
    for i in (0, 1):
        d = fields("DELIVER", i)
        assert (d["Source"], d["ClientHostname"], d["ServerHostname"], d["ConnectorId"]) == ("STOREDRIVER", own, own, "")
        assert d["RecipientStatus"][0].startswith("250 2."), d
    assert sorted(fields("DELIVER", i)["Recipients"][0] for i in (0, 1)) == ["alice@example.com", "bob@example.com"]
    s = fields("SEND")
    assert (s["Source"], s["ConnectorId"], s["ServerIp"], s["ServerHostname"]) == ("SMTP", "out", here, here)
    assert s["Recipients"] == ["carol@partner.test"] and s["RelatedRecipientAddress"] == "carol@example.com"
    assert s["CustomData"] == "TLS=None" and s["RecipientStatus"][0].startswith("250 ")
    # The report on it, found by reference, and its own way.
    dsn = wait_track(hub, "-Reference " + mid, 1, "report")[0]
    assert (dsn["EventId"], dsn["Source"], dsn["Recipients"]) == ("DSN", "DSN", ["alice@example.com"])
    assert (dsn["Sender"], dsn["Reference"], dsn["Directionality"]) == ("<>", "<%s>" % mid, "Originating")
    own_way = wait_track(hub, "-InternalMessageId %s" % dsn["InternalMessageId"], 2)
    assert [r["EventId"] for r in own_way] == ["DSN", "DELIVER"]


def test_files_have_the_fields_in_order(hub):
    paths = log_files(hub)
    assert paths and all(re.fullmatch(r"MSGTRK\d{8}-\d{4}\.log", os.path.basename(p)) for p in paths)
    with open(paths[0], encoding="utf-8") as f:
        head = [next(f).rstrip("\r\n") for _ in range(5)]
    assert head[0] == "#Software: Mailreeve" and head[1].startswith("#Version: ")
    assert head[2] == "#Log-type: Message Tracking Log" and re.fullmatch("#Date: " + ISO, head[3])
    assert head[4] == "#Fields: " + ",".join(FIELDS)
    assert all(len(r) == len(FIELDS) for r in log_rows(hub))


def test_deferred_then_refused(hub, sink, marker):
    said = ["451 4.7.1 later"]
    sink.rules = lambda step, info: said[0] if step == "rcpt" and marker in info["rcpt"] else None
    mid = send(hub, marker, ["%s@far.test" % marker])
    first = wait_for("a deferral", lambda: track(hub, "-EventId DEFER -MessageId " + mid))[0]
    assert (first["Source"], first["RecipientStatus"]) == ("SMTP", ["451 4.7.1 later"])
    said[0] = "550 5.1.1 nobody here"
    failed = wait_for("a failure", lambda: track(hub, "-EventId FAIL -MessageId " + mid))[0]
    assert failed["RecipientStatus"] == ["550 5.1.1 nobody here"]
    sink.rules = None


def test_submission_over_tls(hub, marker):
    with hub.login("alice@example.com", PASSWORD) as c:
        assert c.send_mail("alice@example.com", "bob@example.com", message(marker, "alice@example.com", "bob@example.com")) == "250 2.6.0"
    got = wait_for("its entry", lambda: [r for r in track(hub, "-EventId RECEIVE -Sender alice@example.com") if "User=" in r["CustomData"]])[-1]
    assert re.fullmatch(r"TLS=TLSv1\.3;Cipher=TLS_[A-Z0-9_]+;User=alice@example\.com", got["CustomData"]), got["CustomData"]
    assert got["Directionality"] == "Originating"


def test_searches(hub, marker):
    mid = send(hub, marker, ["bob@example.com"], subject="Quarterly %s figures" % marker, sender="Search@outside.test")
    got = wait_track(hub, "-MessageId '<%s>'" % mid, 2)
    assert [r["EventId"] for r in got] == ["RECEIVE", "DELIVER"]
    assert track(hub, "-Sender search@OUTSIDE.test -MessageSubject %s" % marker.upper()) == got
    assert track(hub, "-MessageSubject 'y %s f'" % marker) == got
    assert track(hub, "-Recipients BOB@example.com -MessageId %s -EventId deliver" % mid) == got[1:]
    assert track(hub, "-Recipients nobody@example.com,BOB@example.com -MessageSubject %s" % marker) == got
    assert track(hub, "-MessageId %s -Start %s -End %s" % (mid, got[1]["Timestamp"], "2099-01-01")) == [r for r in got if r["Timestamp"] >= got[1]["Timestamp"]]
    assert track(hub, "-MessageId %s -End %s" % (mid, got[0]["Timestamp"])) == [], "-End is exclusive"
    assert track(hub, "-MessageId none@nowhere.test") == []
    assert len(track(hub, "-ResultSize 1")) == 1
    assert b"more than 1," in hub.shell_run("Get-MessageTrackingLog -ResultSize 1").stderr
    assert "RECEIVE, SEND" in hub.shell_error("Get-MessageTrackingLog -EventId ARRIVE")
    assert "Where-Object" in hub.shell_error("Get-MessageTrackingLog -Sender *@example.com")
    for word in ("Get-MessageTrackingLog", "-MessageSubject", "EXAMPLES", "Sort-Object Timestamp"):
        assert word in hub.shell("Get-Help Get-MessageTrackingLog")


def test_rotation_index_and_a_stopped_server(marker):
    """Small files and a small folder; each file gets an index, which goes with it and is made anew where it is lost."""
    s = Server()
    try:
        s.mailbox("alice@example.com", PASSWORD)
        s.connector("app", APP)
        s.shell("Set-TransportServer -MessageTrackingLogMaxFileSize 2KB -MessageTrackingLogMaxDirectorySize 12KB -MessageTrackingLogPath log/Elsewhere")
        settle()
        mids = []
        for i in range(25):
            mids.append(send(s, "%s%d" % (marker, i), ["alice@example.com"]))
            wait_for("a message's entries", lambda: len(track(s, "-MessageId " + mids[-1])) == 2)
        files = log_files(s, "log/Elsewhere")
        assert len(files) > 2 and sum(map(os.path.getsize, files)) < 12 * 1024 + 2048, files
        assert log_files(s) == []
        assert track(s, "-MessageId " + mids[0]) == [], "its file is gone"
        numbers = [int(re.search(r"-(\d+)\.log$", f).group(1)) for f in files]
        assert numbers == list(range(numbers[0], numbers[0] + len(files))) and numbers[0] > 1

        def indexes():
            return sorted(glob.glob(os.path.join(s.state, "log/Elsewhere/index/*.idx")))

        def complete():
            have = {os.path.basename(x)[:19] for x in indexes()}
            return have == {os.path.basename(f)[:19] for f in log_files(s, "log/Elsewhere")[:-1]}
        wait_for("an index for each file but the last", complete, timeout=30)
        kept = [m for m in mids if track(s, "-MessageId " + m)]
        want = {m: track(s, "-MessageId " + m) for m in kept}
        assert len(kept) >= 5
        # Lost and damaged ones make no difference, and are made anew.
        before = indexes()
        os.unlink(before[0])
        with open(before[1], "r+b") as f:
            f.truncate(100)
        assert {m: track(s, "-MessageId " + m) for m in kept} == want
        wait_for("the indexes to be made anew", lambda: complete() and os.path.getsize(before[1]) > 100, timeout=30)
        s.stop()
        assert {m: track(s, "-MessageId " + m) for m in kept} == want, "with the server stopped"
        for path in indexes():
            os.unlink(path)
        assert track(s, "-MessageId " + kept[0]) == want[kept[0]], "without any index"
        s.start()
        wait_for("the indexes after a start", complete, timeout=30)
        wait_logged(s, "event=tracking-index-made")
        assert {m: track(s, "-MessageId " + m) for m in kept} == want
    finally:
        s.close()


def test_switches(hub, marker):
    hub.shell("Set-TransportServer -MessageTrackingLogSubjectLoggingEnabled $false")
    settle()
    mid = send(hub, marker, ["bob@example.com"], subject="Secret subject")
    assert {r["MessageSubject"] for r in wait_track(hub, "-MessageId " + mid, 2)} == {""}
    hub.shell("Set-TransportServer -MessageTrackingLogSubjectLoggingEnabled $true -MessageTrackingLogEnabled $false")
    settle()
    send(hub, marker + "x", ["bob@example.com"])
    hub.wait_mail("bob@example.com", marker + "x")
    hub.stop()  # its processes tell what they have not told yet, to nobody
    hub.start()
    hub.shell("Set-TransportServer -MessageTrackingLogEnabled $true")
    settle()
    last = send(hub, marker + "y", ["bob@example.com"])
    wait_track(hub, "-MessageId " + last, 2)
    assert track(hub, "-MessageId %sx.1@client.test" % marker) == []
    assert "below the state folder" in hub.shell_error("Set-TransportServer -MessageTrackingLogPath ../outside")
    assert "below the state folder" in hub.shell_error("Set-TransportServer -MessageTrackingLogPath /var/log/mailreeve")


def test_no_message_waits_for_it(hub, marker):
    """With manage stopped dead, mail is accepted and delivered as ever; what it is told then is written when it goes on."""
    pid = hub.role_pids("manage")[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        slowest = 0
        with hub.session(source=APP) as c:
            for i in range(200):
                t = time.monotonic()
                assert c.send_mail("alice@example.com", ["bob@example.com"], message("%s-%d" % (marker, i), "alice@example.com", "bob@example.com")) == "250 2.6.0"
                slowest = max(slowest, time.monotonic() - t)
        hub.wait_mail("bob@example.com", marker, count=200, timeout=60)
        assert slowest < 3, slowest
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for("the entries", lambda: len(track(hub, "-MessageSubject %s -EventId RECEIVE" % marker)) == 200)


def test_no_secret_in_any_file(hub):
    for path, _, names in os.walk(hub.state):
        for n in names:
            if not os.path.isfile(os.path.join(path, n)):
                continue
            with open(os.path.join(path, n), "rb") as f:
                assert PASSWORD.encode() not in f.read(), os.path.join(path, n)
