"""Processes, namespaces and packages of the bench: what is started here ends with the bench, and leaves nothing behind."""
import ctypes
import glob
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
PACKAGES = os.path.join(ROOT, "build/bench-packages")  # the peers' .debs, kept between runs
TICK = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1


class BenchError(Exception):
    pass


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(argv, timeout=120, check=True, **kw):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False, **kw)
    if check and p.returncode != 0:
        raise BenchError("%s ended with %d: %s" % (" ".join(argv[:4]), p.returncode, (p.stderr + p.stdout).decode("utf-8", "replace")[-800:]))
    return p.stdout.decode("utf-8", "replace")


def free_ports(*above):
    """A number below the range of outgoing connections, whose remains would be in the way of a listener, with these ports above it free."""
    while True:
        base = random.SystemRandom().randint(12000, 31000)
        if all(is_free(base + n) for n in above):
            return base


def free_port():
    return free_ports(0)


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("0.0.0.0", port))
            return True
        except OSError:
            return False


def wait_for(what, fn, timeout=20):
    end = time.monotonic() + timeout
    while True:
        r = fn()
        if r:
            return r
        if time.monotonic() > end:
            raise BenchError("waited %d s in vain for %s" % (timeout, what() if callable(what) else what))
        time.sleep(0.02)


def greets(port):
    """Whether an SMTP server says 220 there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            s.settimeout(2)
            return s.recv(512).startswith(b"220")
    except OSError:
        return False


class Work:
    """One folder for everything of this run, on a disk, world-searchable because servers give up root."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="mailreeve-bench-", dir="/var/tmp")
        os.chmod(self.path, 0o755)
        self.certificate, self.key = self.path + "/cert.pem", self.path + "/key.pem"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7", "-subj", "/CN=bench.test",
             "-keyout", self.key, "-out", self.certificate])

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Processes:
    """A program and all that it starts. As root in namespaces of their own, so that none of them can outlive it."""

    def __init__(self, argv, log, isolated=True, env=None):
        if isolated and os.getuid() == 0:
            argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", *argv]
        with open(log, "ab") as out:
            self.root = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, start_new_session=True,
                                         preexec_fn=die_with_parent)

    def pids(self):
        children = {}
        for d in os.listdir("/proc"):
            if d.isdigit():
                stat = read_stat(d)
                if stat:
                    children.setdefault(int(stat[1]), []).append(int(d))
        out, due = [], [self.root.pid]
        while due:
            p = due.pop()
            out.append(p)
            due += children.get(p, [])
        return out

    def cpu(self):
        """CPU seconds of all of them, and of those that have ended and were waited for."""
        return sum(sum(map(int, stat[11:15])) for stat in map(read_stat, self.pids()) if stat) / TICK

    def pss(self):
        """KiB, without what only holds them together."""
        total = 0
        for p in self.pids():
            try:
                with open("/proc/%d/comm" % p, encoding="ascii", errors="replace") as f:
                    if f.read().strip() in ("unshare", "sh", "sleep", "strace"):
                        continue
                with open("/proc/%d/smaps_rollup" % p, encoding="ascii") as f:
                    total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
            except (OSError, AttributeError):
                pass
        return total

    def kill(self):
        """All at once, without a good-bye: what is on the disk then is what a 250 was worth."""
        pids = self.pids()
        for p in pids:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.root.wait(20)
        wait_for("the processes to be gone", lambda: all(gone(p) for p in pids))


def read_stat(pid):
    """The fields behind the command's name: [0] is the state, [1] the parent, [11:15] the CPU times."""
    try:
        with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def gone(pid):
    stat = read_stat(pid)
    return not stat or stat[0] == "Z"


def unpack(packages, into):
    """Fetches Debian packages once and unpacks them into a folder of their own; nothing is installed. Gives the first one's version."""
    os.makedirs(PACKAGES, exist_ok=True)
    for name in packages:
        if not glob.glob("%s/%s_*.deb" % (PACKAGES, name)):
            # as root, apt would want to become a user that may not write there
            run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name], cwd=PACKAGES, timeout=60)
        run(["dpkg-deb", "-x", sorted(glob.glob("%s/%s_*.deb" % (PACKAGES, name)))[-1], into])
    return run(["dpkg-deb", "-f", sorted(glob.glob("%s/%s_*.deb" % (PACKAGES, packages[0])))[-1], "Version"]).strip()
