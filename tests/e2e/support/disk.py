"""Small file systems of their own for tests of full disks: tmpfs in a private mount namespace, gone with the test."""
import ctypes
import os
import subprocess

CLONE_NEWNS = 0x20000
libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def _allowed():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


class PrivateMounts:
    """Within it, this thread and the programs that it starts see mounts that nobody else does."""
    allowed = staticmethod(_allowed)

    def __enter__(self):
        self.before = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        self.where = os.getcwd()
        _check(libc.unshare(CLONE_NEWNS), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        return self

    def __exit__(self, *_):
        _check(libc.setns(self.before, CLONE_NEWNS), "setns")
        os.close(self.before)
        os.chdir(self.where)

    def small_disk(self, path, size, owner=None):
        os.makedirs(path, exist_ok=True)
        st = os.stat(owner or path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d,mode=%o,uid=%d,gid=%d" % (size, st.st_mode & 0o7777, st.st_uid, st.st_gid), "small", path], check=True)


def fill(path):
    """Writes until nothing more fits; the number of bytes."""
    n = 0
    with open(path, "ab", buffering=0) as f:
        for block in (b"\0" * 65536, b"\0" * 512, b"\0"):
            try:
                while True:
                    n += f.write(block)
            except OSError:
                pass
    return n
