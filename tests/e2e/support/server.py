"""One Mailreeve on a fresh state folder: init, serve, the shell, its mailboxes and processes."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from .smtp import SMTP
from .util import free_offset, run, wait_for

BINARY = os.environ.get("MAILREEVE_BINARY") or os.path.join(os.path.dirname(__file__), "../../../build/mailreeve")

# Limits that slow tests down, lifted where a test is not about them.
RELAXED = ("-TarpitInterval 00:00:00 -MaxInboundConnectionPerSource unlimited -MaxInboundConnectionPercentagePerSource 100 "
           "-MaxProtocolErrors unlimited -MaxLogonFailures 0")
FAST_RETRY = ("Set-TransportServer -TransientFailureRetryInterval 00:00:01 -OutboundConnectionFailureRetryInterval 00:00:01 "
              "-MessageRetryInterval 00:00:01 -QueueGlitchRetryInterval 00:00:01")


def quote(s):
    return "'" + s.replace("'", "''") + "'"


class Server:
    running = []

    def __init__(self, domain="example.com", hostname="mail.example.com", role="hub", start=True):
        self.dir = tempfile.mkdtemp(prefix="mailreeve-e2e-")
        os.chmod(self.dir, 0o755)
        self.state = self.dir + "/state"
        self.host, self.domain, self.role = hostname, domain, role
        self.offset = free_offset()
        self.smtp, self.submission, self.submissions = 25 + self.offset, 587 + self.offset, 465 + self.offset
        self.proc = None
        self.faults = 0  # that a test has made
        self.log = self.dir + "/serve.log"
        self.init()
        if start:
            self.start()

    # -- life

    def init(self):
        run([BINARY, "init", "--state", self.state, "--domain", self.domain, "--hostname", self.host, "--role", self.role,
             "--port-offset", str(self.offset)])

    def start(self, under=(), options=()):
        """under: a command that runs the server, such as prlimit with its options. options: more of `serve`."""
        out = self.dir + "/ready"
        with open(self.log, "ab") as log, open(out, "wb") as ready:
            self.proc = subprocess.Popen([*under, BINARY, "serve", "--state", self.state, *options], stdin=subprocess.DEVNULL, stdout=ready, stderr=log,
                                         start_new_session=True)

        def is_ready():
            assert self.proc.poll() is None, "serve ended with %s: %s" % (self.proc.returncode, self.log_text()[-1500:])
            with open(out, "rb") as f:
                return b"ready" in f.read()
        Server.running.append(self)
        wait_for(lambda: "the server to be ready; its log: " + self.log_text()[-500:], is_ready, 30)
        return self

    def policy_is_everywhere(self):
        text = self.log_text()
        newest = re.findall(r"role=manage event=policy version=(\d+)", text)[-1]
        return all(text.count("role=%s event=policy version=%s " % (role, newest)) >= len(self.role_pids(role)) > 0 for role in ("receive", "queue"))

    def _ended(self):
        self.proc = None
        if self in Server.running:
            Server.running.remove(self)

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def role_pids(self, role):
        """Process ids of a role, from their command lines; only children of this server."""
        out = []
        for d in os.listdir("/proc"):
            if not d.isdigit():
                continue
            try:
                with open("/proc/%s/cmdline" % d, "rb") as f:
                    cmd = f.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                with open("/proc/%s/stat" % d) as f:
                    ppid = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if cmd == "mailreeve: " + role and self.proc and ppid == self.proc.pid:
                out.append(int(d))
        return out

    ROLES = ("receive", "directory", "queue", "deliver", "manage", "pickup")

    def kill9(self, role=None):
        """SIGKILL to one role's processes, or to the whole server, supervisor first."""
        pids = [p for r in self.ROLES for p in self.role_pids(r)] if role is None else self.role_pids(role)
        if role is None:
            pids.insert(0, self.proc.pid)
        for p in pids:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if role is None:
            self.proc.wait(10)
            self._ended()
            wait_for("all processes to be gone", lambda: not any(os.path.exists("/proc/%d" % p) for p in pids[1:]))
        return pids

    def fault(self, role):
        """Ends a role's process the way a bug would."""
        self.faults += 1
        os.kill(self.role_pids(role)[0], signal.SIGSEGV)

    def stop(self, timeout=60):
        """SIGTERM; the exit status."""
        if not self.proc:
            return 0
        self.proc.terminate()
        try:
            return self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError("SIGTERM did not end the server in %d s: %s" % (timeout, self.log_text()[-800:])) from None
        finally:
            self._ended()

    def restart(self):
        assert self.stop() == 0
        return self.start()

    def close(self):
        try:
            if self.proc:
                self.stop()
        finally:
            self._ended()
            crashes = re.findall(r".*Sanitizer.*|.*runtime error.*|.*event=role-ended.* signal=(?:4|6|7|8|11|31)\b.*|.*event=assertion.*", self.log_text())
            shutil.rmtree(self.dir, ignore_errors=True)
        assert len(crashes) == self.faults, "a process crashed: %s" % crashes[:5]

    # -- the shell

    def shell_run(self, text, timeout=60):
        return run([BINARY, "shell", "--state", self.state, "-c", text], timeout=timeout, check=False)

    def shell(self, text):
        p = self.shell_run(text)
        assert p.returncode == 0, "`%s`: exit %d: %s" % (text, p.returncode, (p.stderr + p.stdout).decode("utf-8", "replace"))
        return p.stdout.decode("utf-8", "replace")

    def shell_error(self, text):
        """The error text of a cmdlet line that must fail."""
        p = self.shell_run(text)
        assert p.returncode == 1, "`%s`: exit %d: %s" % (text, p.returncode, p.stdout + p.stderr)
        return p.stderr.decode("utf-8", "replace")

    def json(self, text):
        out = self.shell(text + " | ConvertTo-Json -AsArray")
        return json.loads(out)

    def one(self, text):
        rows = self.json(text)
        assert len(rows) == 1, "`%s` gives %d objects" % (text, len(rows))
        return rows[0]

    def acl(self, connector):
        return {(e["User"], e["ExtendedRights"][0], e["Deny"]) for e in self.json("Get-ReceiveConnector %s | Get-ADPermission" % quote(connector))}

    # -- what tests set up

    def relax(self):
        for c in self.json("Get-ReceiveConnector"):
            self.shell("Set-ReceiveConnector %s %s" % (quote(c["Name"]), RELAXED))
        return self

    def mailbox(self, address, password):
        self.shell("New-Mailbox -Name %s -PrimarySmtpAddress %s -Password %s" % (quote(address.split("@")[0]), quote(address), quote(password)))

    def smart_host(self, port, spaces="'*'", name="out", extra=""):
        self.shell("New-SendConnector -Name %s -AddressSpaces %s -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 -Port %d %s" % (name, spaces, port, extra))

    def connector(self, name, ranges, groups="AnonymousUsers", extra=""):
        self.shell("New-ReceiveConnector -Name %s -Usage Custom -Bindings 0.0.0.0:%d -RemoteIPRanges %s; "
                   "Set-ReceiveConnector %s -PermissionGroups %s %s %s" % (quote(name), self.smtp, ranges, quote(name), groups, RELAXED, extra))

    # -- mail

    def mail_files(self, address):
        out = []
        for sub in ("new", "cur"):
            d = os.path.join(self.state, "mail", address.lower(), sub)
            if os.path.isdir(d):
                out += [os.path.join(d, f) for f in sorted(os.listdir(d))]
        return out

    def mail(self, address, marker=None):
        out = []
        for path in self.mail_files(address):
            with open(path, "rb") as f:
                raw = f.read()
            if marker is None or marker.encode() in raw:
                out.append(raw)
        return out

    def wait_mail(self, address, marker, count=1, timeout=20):
        return wait_for("%d message(s) with %s for %s" % (count, marker, address),
                        lambda: (lambda m: m if len(m) >= count else None)(self.mail(address, marker)), timeout)

    # -- sessions

    def session(self, port=None, source=None, tls=False):
        c = SMTP(port or self.smtp, source=source, tls=tls)
        c.ehlo()
        return c

    def login(self, user, password, port=None):
        c = self.session(port or self.submission)
        c.starttls()
        r = c.auth_plain(user, password)
        assert r.code == 235, r
        return c


def wait_logged(server, pattern, timeout=10):
    return wait_for("/%s/ in the log" % pattern, lambda: re.search(pattern, server.log_text()), timeout)


def settle():
    """Until every process works by the policy that the shell has made; the shell returns when manage has published it."""
    for s in Server.running:
        wait_for("the policy to be everywhere", s.policy_is_everywhere)
