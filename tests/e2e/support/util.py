"""Waiting for events, free ports, running programs."""
import os
import random
import shutil
import socket
import subprocess
import time


def wait_for(what, fn, timeout=15, every=0.02):
    """`what` may be a function that says it. Calls fn until it gives something true and returns that; an AssertionError naming `what` after the timeout."""
    end = time.monotonic() + timeout
    while True:
        r = fn()
        if r:
            return r
        if time.monotonic() > end:
            raise AssertionError("waited %d s in vain for %s" % (timeout, what() if callable(what) else what))
        time.sleep(every)


_taken = set()


def _free(port):
    s = socket.socket()
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", port))
        return True
    except OSError:
        return False
    finally:
        s.close()


def free_port():
    while True:
        p = random.SystemRandom().randint(12000, 31900)
        if p not in _taken and _free(p):
            _taken.add(p)
            return p


def free_offset():
    """An offset at which 25, 587 and 465 are free."""
    while True:
        n = random.SystemRandom().randint(12000, 31000)
        ports = [25 + n, 465 + n, 587 + n]
        if not _taken.intersection(ports) and all(_free(p) for p in ports):
            _taken.update(ports)
            return n


def program(name):
    """The path of an installed program; a missing one is a failure of script/bootstrap, not a reason to skip."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    assert path, "%s is not installed: run script/bootstrap" % name
    return path


def run(argv, timeout=60, check=True, **kw):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                       stdin=kw.pop("stdin", subprocess.DEVNULL if "input" not in kw else None), **kw)
    if check:
        assert p.returncode == 0, "%s ended with %d: %s" % (argv[0], p.returncode, (p.stderr + p.stdout).decode("utf-8", "replace")[-800:])
    return p


def message(marker, sender, to, body=b"hello\r\n", headers=b""):
    """A small message with CRLF line ends; the marker is found again in X-Marker."""
    return (b"From: <%s>\r\nTo: <%s>\r\nSubject: test %s\r\nX-Marker: %s\r\n" % (sender.encode(), to.encode(), marker.encode(), marker.encode())
            + headers + b"\r\n" + body)


def split_message(raw):
    """(list of (name, unfolded value)), body; line ends as LF."""
    raw = raw.replace(b"\r\n", b"\n")
    head, _, body = raw.partition(b"\n\n")
    fields = []
    for line in head.split(b"\n"):
        if line[:1] in b" \t" and fields:
            fields[-1][1] += b"\n" + line
        else:
            name, _, value = line.partition(b":")
            fields.append([name.decode("latin-1"), value.strip()])
    return [(n, v.decode("utf-8", "replace")) for n, v in fields], body


def fields(raw, name):
    return [v for n, v in split_message(raw)[0] if n.lower() == name.lower()]
