"""Message tracking."""
import glob
import os
import re

from table import AS, BEYOND, DEVIATES, Row, Section
from rows_parameters import ANON
from world import ALICE, BOB
from support.util import message, wait_for

FIELDS = ("date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,source,event-id,internal-message-id,message-id,"
          "recipient-address,recipient-status,total-bytes,recipient-count,related-recipient-address,reference,message-subject,sender-address,return-path,message-info")
LATER = "directionality,original-client-ip,custom-data"
PARAMETERS = "Server Start End EventId Sender Recipients MessageId InternalMessageId MessageSubject Reference ResultSize"


def entries(w, query):
    return w.hub.json("Get-MessageTrackingLog " + query)


def sent(w, to, count, sender=ALICE, login=True):
    """The entries of a message, when there are so many."""
    c, marker = w.connector("-AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS -PermissionGroups AnonymousUsers,ExchangeUsers"), w.marker()
    with (c.login() if login else c.session()) as s:
        assert s.send_mail(sender, to, message(marker, sender, to[0])) == "250 2.6.0"
    got = wait_for("the entries", lambda: (lambda e: e if len(e) >= count else None)(entries(w, "-MessageSubject " + marker)))
    return {e["EventId"]: e for e in got}


def head(w):
    path = sorted(glob.glob(w.hub.state + "/log/MessageTracking/MSGTRK*.log"))[-1]
    with open(path, encoding="utf-8") as f:
        return path, [next(f).rstrip("\r\n") for _ in range(5)]


def file_name(w):
    sent(w, [BOB], 2)
    assert re.fullmatch(r"MSGTRK\d{8}-\d{4}\.log", os.path.basename(head(w)[0]))


def header(w):
    sent(w, [BOB], 2)
    lines = head(w)[1]
    assert [x.split(":")[0] for x in lines] == ["#Software", "#Version", "#Log-type", "#Date", "#Fields"], lines
    assert lines[2] == "#Log-type: Message Tracking Log"


def fields(w):
    sent(w, [BOB], 2)
    assert head(w)[1][4] == "#Fields: %s,%s" % (FIELDS, LATER)


def defaults(w):
    got = w.plain.one("Get-TransportServer")
    for name, want in (("Enabled", True), ("SubjectLoggingEnabled", True), ("MaxAge", "30.00:00:00"), ("MaxDirectorySize", "250 MB (262,144,000 bytes)"),
                       ("MaxFileSize", "10 MB (10,485,760 bytes)")):
        assert got["MessageTrackingLog" + name] in (want, 262144000, 10485760), (name, got["MessageTrackingLog" + name])


def received_and_delivered(w):
    e = sent(w, [BOB], 2)
    assert e["RECEIVE"]["Source"] == "SMTP" and e["DELIVER"]["Source"] == "STOREDRIVER"
    assert e["RECEIVE"]["MessageId"] == e["DELIVER"]["MessageId"] and e["DELIVER"]["Recipients"] == [BOB]


def lists(w):
    e = sent(w, [BOB, ALICE], 3)
    assert e["RECEIVE"]["Recipients"] == [BOB, ALICE] and e["RECEIVE"]["RecipientCount"] == 2
    _, lines = head(w)
    with open(head(w)[0], encoding="utf-8") as f:
        assert ",%s;%s," % (BOB, ALICE) in f.read()


def handed_on(w):
    e = sent(w, ["far@outside.test"], 2)
    assert e["SEND"]["Source"] == "SMTP" and e["SEND"]["Recipients"] == ["far@outside.test"]


def failed_with_report(w):
    e = sent(w, ["nobody@example.com"], 2)
    assert e["FAIL"]["RecipientStatus"][0].startswith("550 5.1.1 "), e
    dsn = wait_for("the report", lambda: entries(w, "-EventId DSN -Reference '%s'" % e["RECEIVE"]["MessageId"]))
    assert dsn[0]["Source"] == "DSN" and dsn[0]["Sender"] == "<>" and dsn[0]["Recipients"] == [ALICE]


def never(event):
    def check(w):
        assert entries(w, "-EventId " + event) == []
    return check


def parameters(w):
    text = w.cold.shell("Get-Help Get-MessageTrackingLog")
    assert all("-" + p in text for p in PARAMETERS.split())
    e = sent(w, [BOB], 2)["RECEIVE"]
    for query in ("-Sender %s" % ALICE, "-Recipients %s" % BOB, "-MessageId '%s'" % e["MessageId"], "-InternalMessageId %s" % e["InternalMessageId"],
                  "-Start %s" % e["Timestamp"], "-EventId RECEIVE -MessageSubject '%s'" % e["MessageSubject"][2:]):
        assert e in entries(w, query), query
    assert e not in entries(w, "-End %s" % e["Timestamp"]), "-End is exclusive"


def properties(w):
    e = sent(w, [BOB], 2)["RECEIVE"]
    names = ["".join(x.capitalize() for x in f.split("-")) for f in FIELDS.split(",")]
    other = {"DateTime": "Timestamp", "RecipientAddress": "Recipients", "SenderAddress": "Sender"}
    assert list(e)[:len(names)] == [other.get(n, n) for n in names]


def folder(w):
    assert w.plain.one("Get-TransportServer")["MessageTrackingLogPath"] == "log/MessageTracking"
    w.refused("Set-TransportServer -MessageTrackingLogPath /var/log", "state folder")


def security(w):
    c, marker = w.connector(ANON), w.marker()
    with c.session(tls=True) as s:
        assert s.send_mail("x@far.test", [BOB], message(marker, "x@far.test", BOB)) == "250 2.6.0"
    e = wait_for("its entry", lambda: entries(w, "-EventId RECEIVE -MessageSubject " + marker))[0]
    assert re.match(r"TLS=TLSv1\.3;Cipher=TLS_", e["CustomData"]), e["CustomData"]


TRACKING = Section("13.2", "Message tracking", (
    Row("Folder", "...\\Logs\\MessageTracking", DEVIATES, folder, "log/MessageTracking below the state folder, which is all that the server may write to."),
    Row("File", "MSGTRKyyyymmdd-nnnn.log", AS, file_name),
    Row("Limits", "on, with subjects; 250 MB a folder, 10 MB a file, 30 days", AS, defaults, "2010 and later have 1000 MB."),
    Row("Header lines", "#Software, #Version, #Log-type, #Date, #Fields", AS, header, "#Software says Mailreeve."),
    Row("Fields", FIELDS.replace(",", ", "), AS, fields, "Followed by three of later versions: " + LATER.replace(",", ", ") + "."),
    Row("Lists", "several recipients are joined with ;", AS, lists),
    Row("RECEIVE, DELIVER", "by SMTP; by the store driver", AS, received_and_delivered),
    Row("SEND", "to another server, by SMTP", AS, handed_on),
    Row("FAIL, DSN", "what failed, and the report on it, which refers to the message", AS, failed_with_report),
    Row("TRANSFER", "recipients go on in a copy of the message (another content, another limit)", DEVIATES, never("TRANSFER"), "A message is never copied: all its recipients keep its number."),
    Row("SUBMIT", "a Mailbox server hands a message to a Hub server", DEVIATES, never("SUBMIT"), "There is no such role."),
    Row("Get-MessageTrackingLog", PARAMETERS.replace(" ", ", "), AS, parameters),
    Row("Property names", "the fields without dashes; Timestamp, Recipients, Sender", AS, properties),
    Row("how it was encrypted", "not in the log", BEYOND, security, "custom-data: version and cipher of TLS, whether a certificate was verified, the user."),
))

SECTIONS = [TRACKING]
