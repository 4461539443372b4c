"""A real KDC (MIT krb5kdc) of its own realm on a loopback port, its principals, keytabs and ticket caches."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from .util import free_port, run, wait_for


def install(server, keytab):
    """As an administrator would: a new file in the place of the old one."""
    path = server.state + "/certs/smtp.keytab"
    shutil.copyfile(keytab, path + ".new")
    os.chmod(path + ".new", 0o600)
    os.rename(path + ".new", path)


def at(clock):
    return ["faketime", "-f", clock] if clock else []


class Kdc:
    def __init__(self, realm="EXAMPLE.COM"):
        self.realm = realm
        self.dir = tempfile.mkdtemp(prefix="mailreeve-kdc-")
        self.port = free_port()
        self.proc = None
        with open(self.dir + "/krb5.conf", "w", encoding="ascii") as f:
            f.write("[libdefaults]\n default_realm = %s\n rdns = false\n dns_canonicalize_hostname = false\n dns_lookup_kdc = false\n"
                    " dns_lookup_realm = false\n udp_preference_limit = 1\n[realms]\n %s = {\n  kdc = 127.0.0.1:%d\n }\n"
                    "[domain_realm]\n .example.com = %s\n localhost = %s\n" % (realm, realm, self.port, realm, realm))
        with open(self.dir + "/kdc.conf", "w", encoding="ascii") as f:
            f.write("[kdcdefaults]\n kdc_listen = \"\"\n kdc_tcp_listen = 127.0.0.1:%d\n[realms]\n %s = {\n  database_name = %s/principal\n"
                    "  key_stash_file = %s/stash\n  supported_enctypes = aes256-cts:normal aes128-cts:normal\n }\n[logging]\n kdc = FILE:%s/kdc.log\n"
                    % (self.port, realm, self.dir, self.dir, self.dir))
        self.env = dict(os.environ, KRB5_CONFIG=self.dir + "/krb5.conf", KRB5_KDC_PROFILE=self.dir + "/kdc.conf")
        run(["kdb5_util", "create", "-s", "-r", realm, "-P", "master"], env=self.env)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self, clock=None):
        """clock: by how much it is wrong, as faketime takes it."""
        self.proc = subprocess.Popen(at(clock) + ["krb5kdc", "-n", "-P", self.dir + "/pid"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, start_new_session=True)

        def ready():
            assert self.proc.poll() is None, "krb5kdc ended: " + open(self.dir + "/kdc.log", encoding="utf-8").read()[-800:]
            return self.listens()
        wait_for("the KDC", ready)

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.proc and self.proc.poll() is None:
            os.killpg(self.proc.pid, signal.SIGTERM) # faketime has it as a child
            self.proc.wait(10)
            wait_for("the KDC to be gone", lambda: not self.listens())

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def admin(self, query):
        return run(["kadmin.local", "-r", self.realm, "-q", query], env=self.env)

    def user(self, name, password="pw"):
        self.admin("addprinc -pw %s %s" % (password, name))

    def service(self, name, keytab):
        """A new key for a service, in a keytab of its own."""
        if name not in self.admin("listprincs").stdout.decode():
            self.admin("addprinc -randkey " + name)
        self.admin("ktadd -k %s %s" % (keytab, name))
        return keytab

    def keytab(self, *services):
        path = os.path.join(tempfile.mkdtemp(dir=self.dir), "keytab")
        for s in services:
            self.service(s, path)
        return path

    def ticket(self, user, password="pw", lifetime="1h", clock=None):
        """Environment of a client that has a ticket granting ticket in a cache of its own."""
        env = dict(self.env, KRB5CCNAME="FILE:" + tempfile.mktemp(dir=self.dir, prefix="cc-"))
        run(at(clock) + ["kinit", "-l", lifetime, user], env=env, input=password.encode() + b"\n")
        return env

    def no_ticket(self):
        return dict(self.env, KRB5CCNAME="FILE:" + self.dir + "/none")
