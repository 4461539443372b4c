"""A private Postfix instance: a client of ours (relayhost), or a smart host that we relay to."""
import os
import pwd
import shutil
import subprocess
import tempfile

from .util import free_port, program, run, wait_for

MAIN = """compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.test
myorigin = postfix.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
maillog_file = {dir}/log
maillog_file_prefixes = /tmp
smtp_dns_support_level = disabled
minimal_backoff_time = 1s
"""
MASTER = """postlog   unix-dgram n - n - 1 postlogd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
proxymap  unix - - n - - proxymap
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
scache    unix - - n - 1 scache
anvil     unix - - n - 1 anvil
"""


class Postfix:
    def __init__(self, main, listen=False):
        self.dir = tempfile.mkdtemp(prefix="mailreeve-postfix-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        user = pwd.getpwnam("postfix")
        for sub in ("conf", "queue", "data", "mail"):
            os.makedirs(os.path.join(self.dir, sub))
        for sub in ("data", "mail"):
            os.chown(os.path.join(self.dir, sub), user.pw_uid, user.pw_gid)
        self.port = free_port() if listen else None
        with open(self.dir + "/conf/main.cf", "w", encoding="ascii") as f:
            f.write((MAIN + main).format(dir=self.dir, uid=user.pw_uid, gid=user.pw_gid))
        with open(self.dir + "/conf/master.cf", "w", encoding="ascii") as f:
            f.write(MASTER + ("127.0.0.1:%d inet n - n - - smtpd\n" % self.port if listen else ""))
        run([program("postfix"), "-c", self.dir + "/conf", "start"])
        if listen:
            import socket

            def up():
                try:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
                    return True
                except OSError:
                    return False
            wait_for("Postfix", up, 20)

    def submit(self, sender, to, content):
        run([program("sendmail"), "-C", self.dir + "/conf", "-i", "-f", sender, to], input=content.replace(b"\r\n", b"\n"),
            env=dict(os.environ, MAIL_CONFIG=self.dir + "/conf"))

    def log(self):
        try:
            with open(self.dir + "/log", encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def close(self):
        subprocess.run([program("postfix"), "-c", self.dir + "/conf", "abort"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30,
                       check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
