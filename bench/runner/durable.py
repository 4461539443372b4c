"""What a server does between the final dot and its 250, as strace sees it."""
import re

FLUSHES = "fsync,fdatasync,sync,syncfs,sync_file_range,msync"
WRITES = "write,writev,sendto,sendmsg"
CALL = re.compile(r"^\d+\s+(?:<\.\.\. )?(\w+)(?:\(| resumed)")
FLUSHED = re.compile(r"= 0$")


def command(calls, path):
    return ["strace", "-f", "-q", "--seccomp-bpf", "-yy", "-s", "16", "-e", "signal=none", "-e", "trace=" + calls, "-o", path]


def flush_count(text):
    return sum(1 for line in text.splitlines() if is_flush(line))


def is_flush(line):
    call = CALL.match(line)
    return bool(call) and call.group(1) in FLUSHES.split(",") and bool(FLUSHED.search(line))


def flushed_answers(text):
    """Of a trace of one client that sends messages one by one: (answers to the final dot, those that a flush preceded).

    A flush counts when it has returned after the 354 and before the write of the 250 began. A file opened to be written through (O_SYNC,
    O_DSYNC) after the 354 counts as well."""
    answers = flushed = 0
    in_content = seen = False
    for line in text.splitlines():
        call = CALL.match(line)
        if not call:
            continue
        if is_flush(line) or (call.group(1) == "openat" and re.search(r"O_D?SYNC", line)):
            seen = True
        elif "<TCP" in line and '"354 ' in line:
            in_content, seen = True, False
        elif "<TCP" in line and in_content and '"250 ' in line and "resumed" not in line:
            answers, flushed, in_content = answers + 1, flushed + seen, False
    return answers, flushed
