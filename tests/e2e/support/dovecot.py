"""A private Dovecot: IMAP and POP3 over Maildirs, and LMTP into mailboxes of its own."""
import os
import shutil
import subprocess
import tempfile

from .util import free_port, program, wait_for

CONF = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1000
mail_location = maildir:{dir}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={dir}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
protocol lmtp {{
  auth_username_format = %Lu
}}
"""


class Dovecot:
    UID = 12345

    def __init__(self, maildirs=None, password="dovecot-pw"):
        """maildirs: {user: path of a Maildir to copy in}."""
        self.dir = tempfile.mkdtemp(prefix="mailreeve-dovecot-")
        os.chmod(self.dir, 0o755)
        self.password = password
        self.imap, self.pop3, self.lmtp = free_port(), free_port(), free_port()
        os.makedirs(self.dir + "/mail")
        for user, path in (maildirs or {}).items():
            shutil.copytree(path, self.dir + "/mail/" + user)
        for root, dirs, files in os.walk(self.dir + "/mail"):
            for n in ["."] + dirs + files:
                os.chown(os.path.join(root, n), self.UID, self.UID)
        with open(self.dir + "/dovecot.conf", "w", encoding="ascii") as f:
            f.write(CONF.format(dir=self.dir, password=password, uid=self.UID, imap=self.imap, pop3=self.pop3, lmtp=self.lmtp))
        with open(self.dir + "/out", "wb") as out:
            self.proc = subprocess.Popen([program("dovecot"), "-F", "-c", self.dir + "/dovecot.conf"], stdin=subprocess.DEVNULL, stdout=out,
                                         stderr=out, start_new_session=True)
        import socket

        def up():
            assert self.proc.poll() is None, open(self.dir + "/out", encoding="utf-8").read()
            try:
                for p in (self.imap, self.pop3, self.lmtp):
                    socket.create_connection(("127.0.0.1", p), 1).close()
                return True
            except OSError:
                return False
        wait_for("Dovecot", up, 20)

    def close(self):
        self.proc.terminate()
        self.proc.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)
