"""mailreeve sendmail and mailq: what PHP, cron and mail programs call, who they are, and what they are told."""
import os
import re
import shutil
import socket
import subprocess

import pytest

from support.server import BINARY, FAST_RETRY, Server, settle
from support.sink import Sink
from support.util import fields, program, run, split_message, wait_for

ALICE, BOB = "alice@example.com", "bob@example.com"
NOBODY, WWW = 65534, 33
OK, USAGE, DATAERR, NOUSER, TEMPFAIL, NOPERM = 0, 64, 65, 67, 75, 77


class Local:
    """A server, and the program under the names that others call, reachable for every user."""

    def __init__(self):
        self.server = Server()
        self.server.relax()
        for address in (ALICE, BOB, "root@example.com", "nobody@example.com", "www-data@example.com"):
            self.server.mailbox(address, "Pw-of-somebody 7")
        self.bin = self.server.dir + "/bin"
        os.makedirs(self.bin)
        shutil.copy(BINARY, self.bin + "/mailreeve")
        os.chmod(self.bin + "/mailreeve", 0o755)
        for name in ("sendmail", "mailq", "newaliases"):
            os.symlink("mailreeve", self.bin + "/" + name)
        self.sendmail = self.bin + "/sendmail"
        self.env = dict(os.environ, MAILRC="/dev/null", MAILREEVE_STATE=self.server.state, PATH=self.bin + ":" + os.environ["PATH"])
        settle()

    def as_user(self, uid, argv):
        return ([program("setpriv"), "--reuid", str(uid), "--regid", str(uid), "--clear-groups"] if uid else []) + argv

    def run(self, argv, text=b"", uid=0, **kw):
        return run(self.as_user(uid, argv), input=text, check=False, env=self.env, **kw)

    def send(self, *args, text=b"Subject: x\n\nhello\n", uid=0):
        return self.run([self.sendmail, *args], text, uid)

    def mode(self, mode):
        self.server.shell("Set-TransportServer -LocalSubmission " + mode)
        settle()

    def close(self):
        self.server.close()


@pytest.fixture(scope="module")
def local():
    made = Local()
    yield made
    made.close()


@pytest.fixture
def sent_on(local, sink):
    """Mail for the world goes to the sink."""
    local.server.smart_host(sink.port, name="sendmailout")
    settle()
    yield sink
    local.server.shell("Remove-SendConnector sendmailout -Confirm:$false")
    settle()


def test_php_mail(local, sent_on, marker):
    """mail() with a Bcc, a sender and bytes beyond ASCII, as www-data."""
    script = ("exit(mail('alice@example.com', '=?UTF-8?B?' . base64_encode('Größe') . '?=', \"%s\\r\\n.\\r\\nzwei Zeilen: ü\", "
              "['From' => 'Web <web@shop.test>', 'Cc' => 'bob@example.com', 'Bcc' => 'hidden@far.test'], '-fbounce@shop.test') ? 0 : 1);" % marker)
    p = local.run([program("php"), "-n", "-d", "sendmail_path=%s -t -i" % local.sendmail, "-r", script], uid=WWW)
    assert p.returncode == 0, p
    for who in (ALICE, BOB):
        raw = local.server.wait_mail(who, marker)[0]
        assert fields(raw, "Return-Path") == ["<bounce@shop.test>"]
        assert fields(raw, "From") == ["Web <web@shop.test>"] and not fields(raw, "Bcc")
        assert fields(raw, "Received")[0].startswith("from www-data (uid 33)")
        assert split_message(raw)[1].decode().splitlines() == [marker, ".", "zwei Zeilen: ü"]
    out = wait_for("the hidden copy", lambda: sent_on.got(marker))[0]
    assert [r[0] for r in out["rcpts"]] == ["hidden@far.test"] and not fields(out["data"], "Bcc")


def test_php_is_told_of_a_refusal(local):
    script = "exit(mail('no-such-mailbox@example.com', 'x', 'y') ? 0 : 1);"
    p = local.run([program("php"), "-n", "-d", "sendmail_path=%s -t -i" % local.sendmail, "-r", script], uid=WWW)
    assert p.returncode == 1 and b"550 5.1.1" in p.stderr


def test_cron(local, marker):
    """The call of Debian's cron, and its header."""
    text = ("From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> backup\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
            "X-Cron-Env: <SHELL=/bin/sh>\n\n%s\n.\nfertig: ü\n" % marker).encode()
    p = local.run([local.sendmail, "-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"], text)
    assert (p.returncode, p.stdout, p.stderr) == (OK, b"", b"")
    raw = local.server.wait_mail("root@example.com", marker)[0]
    assert fields(raw, "Return-Path") == ["<root@example.com>"]
    assert split_message(raw)[1].decode().splitlines() == [marker, ".", "fertig: ü"]
    assert fields(raw, "Message-ID") and fields(raw, "Date")


def test_s_nail(local, marker):
    """Its own call: -i and the recipients; as nobody."""
    p = local.run([program("s-nail"), "-n", "-S", "v15-compat", "-S", "mta=" + local.sendmail, "-s", "report " + marker, "-r", "nobody@example.com",
                   "-c", BOB, ALICE], b"by s-nail " + marker.encode() + b"\n", uid=NOBODY)
    assert p.returncode == 0, p
    for who in (ALICE, BOB):
        raw = local.server.wait_mail(who, marker)[0]
        assert fields(raw, "Subject") == ["report " + marker]
        assert fields(raw, "Received")[0].startswith("from nobody (uid 65534)")


def test_the_dot(local, marker):
    """Without -i a lone dot ends the message; lines that begin with one arrive as they are."""
    text = ("Subject: dots\n\n%s\n..two\n.one\n.\nnot part of it\n" % marker).encode()
    assert local.send(ALICE, text=text).returncode == OK
    assert local.send("-oi", BOB, text=text).returncode == OK
    body = split_message(local.server.wait_mail(ALICE, marker)[0])[1].decode().splitlines()
    assert body == [marker, "..two", ".one"]
    body = split_message(local.server.wait_mail(BOB, marker)[0])[1].decode().splitlines()
    assert body == [marker, "..two", ".one", ".", "not part of it"]


def test_reports_as_asked_for(local, sent_on, marker):
    text = b"Subject: dsn\n\n%s\n" % marker.encode()
    assert local.send("-N", "success,delay", "-R", "hdrs", "-V", "id+7", "-f", BOB, "one@far.test", text=text).returncode == OK
    out = wait_for("it", lambda: sent_on.got(marker))[0]
    assert out["from"] == BOB and "RET=HDRS" in out["params"] and "ENVID=id+2B7" in out["params"]
    assert "NOTIFY=SUCCESS,DELAY" in out["rcpts"][0][1].upper()


def test_a_large_message(local, marker):
    """Through the spool, unchanged."""
    lines = ["%06d %s" % (n, "x" * 60) for n in range(60000)]
    text = ("Subject: large\nX-Marker: %s\n\n" % marker).encode() + "\n".join(lines).encode() + b"\n"
    assert local.send(ALICE, text=text).returncode == OK
    raw = local.server.wait_mail(ALICE, marker)[0]
    assert split_message(raw)[1].decode().splitlines() == lines


@pytest.mark.parametrize("args, text, status, says", [
    (["no-such-mailbox@example.com"], b"\nx\n", NOUSER, b"550 5.1.1"),
    ([ALICE, "no-such-mailbox@example.com"], b"\nMARK\n", NOUSER, b"550 5.1.1"),
    ([], b"\nx\n", USAGE, b"no recipient"),
    (["-Z", ALICE], b"\nx\n", USAGE, b"unknown option -Z"),
    (["a@@b"], b"\nx\n", USAGE, b"a@@b"),
    (["-t"], b"Subject: x\n\nx\n", DATAERR, b"To, Cc and Bcc"),
    (["-bd"], b"", USAGE, b"mailreeve serve"),
])
def test_exit_statuses(local, marker, args, text, status, says):
    p = local.send(*args, text=text.replace(b"MARK", marker.encode()))
    assert p.returncode == status and says in p.stderr, p
    assert p.stderr.startswith(b"sendmail: ") and p.stderr.count(b"\n") == 1
    assert not local.server.mail(ALICE, marker), "one refused recipient: nobody gets it"


def test_who_may_send_as_whom(local, marker):
    def tried(uid, sender):
        text = b"From: <%s>\nSubject: x\n\n%s\n" % (sender.encode(), marker.encode())
        return local.send("-f", sender, BOB, text=text, uid=uid)
    try:
        assert tried(NOBODY, "ceo@example.com").returncode == OK, "as sendmail always allowed"
        local.mode("OwnSender")
        assert tried(NOBODY, "nobody@example.com").returncode == OK
        assert tried(NOBODY, "nobody@mail.example.com").returncode == OK
        assert local.send("-t", text=b"To: bob@example.com\n\n%s\n" % marker.encode(), uid=NOBODY).returncode == OK, "as himself by default"
        p = tried(NOBODY, "ceo@example.com")
        assert p.returncode == NOPERM and b"send as this sender" in p.stderr
        p = local.send("-f", "nobody@example.com", BOB, text=b"From: ceo@example.com\n\nx\n", uid=NOBODY)
        assert p.returncode == NOPERM, "the header's sender as well"
        assert tried(0, "ceo@example.com").returncode == OK, "root"
        local.mode("Disabled")
        p = tried(NOBODY, "nobody@example.com")
        assert p.returncode == NOPERM
        code = re.search(rb"\[(mr-\w+)\]", p.stderr).group(1).decode()
        why = wait_for("the refusal in the ring", lambda: run([BINARY, "explain", "--state", local.server.state, code], check=False).stdout)
        assert b"LOCAL\\nobody" in why and b"Set-TransportServer -LocalSubmission OwnSender" in why
        assert tried(0, "root@example.com").returncode == NOPERM
    finally:
        local.mode("AnySender")
    local.server.wait_mail(BOB, marker, count=5)
    text = local.server.log_text()
    assert 'user="LOCAL\\\\nobody"' in text and "uid=65534" in text


def test_no_password_and_no_relay_by_claim(local):
    """Nothing that a client says at submit.sock makes it somebody else."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(local.server.state + "/submit.sock")
        f = s.makefile("rwb", buffering=0)
        assert f.readline().startswith(b"220")
        f.write(b"EHLO x\r\n")
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            lines.append(f.readline())
        assert not any(b"AUTH" in line or b"STARTTLS" in line or b"XCLIENT" in line for line in lines)
        f.write(b"AUTH PLAIN AGFsaWNlAFB3\r\n")
        assert f.readline()[:1] == b"5"


def test_no_user_keeps_the_others_out(local, marker):
    """A hundred connections a user."""
    script = ("import socket, sys\nheld, said = [], b''\nwhile not said.startswith(b'421'):\n s = socket.socket(socket.AF_UNIX)\n s.settimeout(20)\n"
              " s.connect(sys.argv[1])\n held.append(s)\n said = s.recv(4096)\nprint(len(held), said.decode(), flush=True)\nsys.stdin.read()\n")
    p = subprocess.Popen(local.as_user(NOBODY, ["/usr/bin/python3", "-c", script, local.server.state + "/submit.sock"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        said = p.stdout.readline().decode()
        assert said.startswith("101 421 4.3.2") and "MaxInboundConnectionPerSource" in said and "Local submission" in said, said
        assert local.send(BOB, uid=NOBODY).returncode == TEMPFAIL
        assert local.send(BOB, text=b"\n%s\n" % marker.encode()).returncode == OK
    finally:
        p.communicate(timeout=20)
    local.server.wait_mail(BOB, marker)
    wait_for("room again", lambda: local.send(BOB, uid=NOBODY).returncode == OK)


def test_smtp_on_standard_input(local, marker):
    p = local.send("-bs", text=("EHLO x\nMAIL FROM:<a@b.test>\nRCPT TO:<%s>\nDATA\nSubject: y\n\n%s\n.\nQUIT\n" % (ALICE, marker)).encode())
    assert p.returncode == OK
    codes = [line[:3] for line in p.stdout.splitlines() if line[3:4] == b" "]
    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"], p.stdout
    local.server.wait_mail(ALICE, marker)


def test_mailq(local, marker):
    server, open_now = local.server, []
    hop = Sink(lambda step, info: "451 4.3.0 not yet" if step == "rcpt" and not open_now else None)
    sender = "q%s@far.test" % marker
    server.shell(FAST_RETRY)
    server.smart_host(hop.port, "slow.test", "slow")
    settle()
    try:
        assert local.send("-f", sender, "far@slow.test", text=b"\n%s\n" % marker.encode()).returncode == OK
        wait_for("it in the list", lambda: sender.encode() in local.run([local.bin + "/mailq"]).stdout)
        listed = local.send("-bp").stdout
        assert sender.encode() in listed and b"far@slow.test" in listed
        p = local.run([local.bin + "/mailq"], uid=NOBODY)
        assert p.returncode == NOPERM and marker.encode() not in p.stdout + p.stderr
        open_now.append(True)
        wait_for("it at the next hop", lambda: hop.got(marker))
        wait_for("it to be gone from the list", lambda: sender.encode() not in local.run([local.bin + "/mailq"]).stdout)
    finally:
        server.shell("Remove-SendConnector slow -Confirm:$false")
        hop.close()
    assert local.run([local.bin + "/newaliases"]).returncode == OK


def test_cut_off_is_not_sent(local, marker):
    """The receive process dies in the middle: try again later, and nothing arrives."""
    server = local.server
    p = subprocess.Popen([local.sendmail, "-i", ALICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=local.env)
    before = server.log_text().count("event=local-user")
    p.stdin.write(b"Subject: cut\n\n" + marker.encode() + b"\n")
    p.stdin.flush()
    wait_for("the session", lambda: server.log_text().count("event=local-user") > before)
    server.kill9("receive")
    out, err = p.communicate(b"the rest\n", timeout=30)
    assert p.returncode == TEMPFAIL, (out, err)
    wait_for("receive to be back", lambda: local.send(BOB, text=b"Subject: x\n\nback %s\n" % marker.encode()).returncode == OK)
    server.wait_mail(BOB, marker)
    assert not server.mail(ALICE, marker)


def test_without_a_server(local, marker):
    """Who may write to the folders leaves a file, which is sent at the next start; everybody else is told: later."""
    server = local.server
    assert server.stop() == 0
    text = b"From: root@example.com\nTo: alice@example.com\nBcc: bob@example.com\nSubject: x\n\n.\n%s\n" % marker.encode()
    assert local.send("-t", "-i", text=text).returncode == OK
    assert local.send("-f", "web@shop.test", "-i", BOB, text=text).returncode == OK
    p = local.send(BOB, uid=NOBODY)
    assert p.returncode == TEMPFAIL and b"no server listens" in p.stderr, p
    assert len(os.listdir(server.state + "/pickup")) == 1 and len(os.listdir(server.state + "/replay")) == 1
    server.start()
    raw = server.wait_mail(ALICE, marker)[0]
    assert split_message(raw)[1].decode().splitlines() == [".", marker] and not fields(raw, "Bcc")
    copies = server.wait_mail(BOB, marker, count=2)
    assert sorted(fields(m, "Return-Path")[0] for m in copies) == ["<root@example.com>", "<web@shop.test>"]
    wait_for("the folders to be empty", lambda: not os.listdir(server.state + "/pickup") + os.listdir(server.state + "/replay"))
    assert len(server.mail(ALICE, marker)) == 1 and len(server.mail(BOB, marker)) == 2


def test_the_socket_goes_with_the_server(local):
    server = local.server
    assert os.path.exists(server.state + "/submit.sock")
    server.kill9()
    assert local.send(BOB, uid=NOBODY).returncode == TEMPFAIL
    server.start()
    assert local.send(BOB, uid=NOBODY).returncode == OK
    assert server.stop() == 0
    assert not os.path.exists(server.state + "/submit.sock")
    server.start()
