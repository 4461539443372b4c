"""The servers that are measured: each starts on an empty spool and 127.0.0.1, takes mail for sink.test from anybody on this machine and from
the user bench@example.com, and either holds it or relays it to a given port."""
import mmap
import os
import re
import shutil
import sqlite3

from . import durable, host

USER, PASSWORD = "bench@example.com", "Bench-pass-7341"
SIZE_LIMIT = 50 << 20
MAILREEVE = os.environ.get("MAILREEVE_BINARY") or host.ROOT + "/build/mailreeve"
HEADER, TRAILER = rb"X-Bench-Id: %s-(\d+)", rb"END %s-(\d+)"


class Server:
    """One start of a server. `relay` is the port to relay to, or None: then mail is held. `trace`: system calls that strace writes down."""
    name = plain_port = submission_port = None
    trace_folder, trace_inside = "", None
    durable_reference = True  # whether ratios to it are what the goals speak of

    def __init__(self, work, relay=None, trace=None):
        self.work, self.relay = work, relay
        self.dir = work.path + "/" + self.name
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.log, self.trace_path = self.dir + "/log", self.dir + self.trace_folder + "/strace"
        self.trace = durable.command(trace, self.trace_inside or self.trace_path) if trace else []
        self.processes = None
        try:
            self.start()
            host.wait_for(lambda: "%s to greet; its log: %s" % (self.name, self.log_end()), self.is_up, 30)
            self.settle()
        except BaseException:
            self.close()
            raise

    def settle(self):
        """What can be asked of the server only when it runs."""

    def is_up(self):
        if self.processes.root.poll() is not None:
            raise host.BenchError("%s ended: %s" % (self.name, self.log_end()))
        return host.greets(self.plain_port)

    def log_end(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()[-800:]

    def close(self):
        if self.processes:
            self.processes.kill()
            self.processes = None
        shutil.rmtree(self.dir, ignore_errors=True)

    def on_disk(self, run):
        """Kills the server. How often the disk has each id of a run whole."""
        self.processes.kill()
        self.processes = None
        return whole_ids(self.contents(), run)


def whole_ids(contents, run):
    """contents: buffers. A message counts when its header and its end are there, be it in one buffer or in two."""
    heads, ends = {}, set()
    head, end = re.compile(HEADER % run.encode()), re.compile(TRAILER % run.encode())
    for data in contents:
        for m in head.finditer(data):
            heads[int(m.group(1))] = heads.get(int(m.group(1)), 0) + 1
        ends.update(int(m.group(1)) for m in end.finditer(data))
    return {n: count for n, count in heads.items() if n in ends}


def files_below(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if os.path.isfile(path) and os.path.getsize(path):
                with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
                    yield m


class Mailreeve(Server):
    name = "Mailreeve"

    @staticmethod
    def prepare(_work):
        return host.run([MAILREEVE, "--version"], check=False).split("\n")[0].split(" ")[-1]

    def start(self):
        state = self.dir + "/state"
        offset = host.free_ports(25, 465, 587)
        self.plain_port, self.submission_port = 25 + offset, 587 + offset
        host.run([MAILREEVE, "init", "--state", state, "--domain", "example.com", "--hostname", "bench.test", "--port-offset", str(offset)])
        relaxed = ("-TarpitInterval 00:00:00 -MaxInboundConnection unlimited -MaxInboundConnectionPerSource unlimited "
                   "-MaxInboundConnectionPercentagePerSource 100 -MaxProtocolErrors unlimited -MaxMessageSize 50MB")
        host.run([MAILREEVE, "shell", "--state", state, "-c",
                  "Set-ReceiveConnector 'Default bench' %s -PermissionGroups @{Add='AnonymousUsers'}; Set-ReceiveConnector 'Client bench' %s; "
                  "New-AcceptedDomain -Name sink -DomainName sink.test -DomainType ExternalRelay; Set-TransportConfig -MaxReceiveSize 50MB -MaxSendSize 50MB; "
                  "New-Mailbox -Name bench -PrimarySmtpAddress %s -Password '%s'; "
                  "New-SendConnector -Name out -AddressSpaces sink.test -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 -Port %d -MaxMessageSize 50MB"
                  % (relaxed, relaxed, USER, PASSWORD, self.relay or 1)])
        self.processes = host.Processes([*self.trace, MAILREEVE, "serve", "--state", state], self.log)

    def settle(self):
        if not self.relay:
            host.run([MAILREEVE, "shell", "--state", self.dir + "/state", "-c", "Suspend-Queue smtp:out"])

    def contents(self):
        with sqlite3.connect(self.dir + "/state/queue.db") as db:
            for (body,) in db.execute("SELECT content FROM body"):
                yield body
        yield from files_below(self.dir + "/state/spool")


class Peer(Server):
    """A Debian package, unpacked beside the system and laid over /usr and /etc in a mount namespace of its own, with a /var and a /run of its
    own on the same disk."""
    packages, users, script = (), (), ""
    trace_folder, trace_inside = "/var", "/var/strace"

    @classmethod
    def prepare(cls, work):
        root = work.path + "/" + cls.name + ".root"
        os.makedirs(root + "/etc/bench")
        cls.version = host.unpack(cls.packages, root)
        for path, line in (("/etc/passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n"), ("/etc/group", "{0}:x:{1}:\n")):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            with open(root + path, "w", encoding="utf-8") as f:
                f.write(text)
                for n, user in enumerate(cls.users):
                    if not re.search("^%s:" % user, text, re.M):
                        f.write(line.format(user, 64100 + n))
        # Names come from files alone: a slow resolver would be measured instead.
        write(root + "/etc/hosts", "127.0.0.1 localhost\n")
        write(root + "/etc/resolv.conf", "lookup file\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        write(root + "/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n")
        for name in (work.certificate, work.key):
            shutil.copy(name, root + "/etc/bench/")
            os.chmod(root + "/etc/bench/" + os.path.basename(name), 0o644)  # a key of the bench alone; servers give up root
        return cls.version

    def start(self):
        root = self.work.path + "/" + self.name + ".root"
        self.plain_port = self.submission_port = host.free_port()
        for d in ("var/spool", "var/lib", "var/log", "var/mail", "var/tmp", "run"):
            os.makedirs(self.dir + "/" + d)
        os.symlink("/run", self.dir + "/var/run")
        self.configure(root + "/etc")
        with open(root + "/etc/bench/start", "w", encoding="ascii") as f:
            f.write("set -e\n" + self.script)
        script = ("set -e; mount -t overlay overlay -o lowerdir=%s/usr:/usr /usr; mount -t overlay overlay -o lowerdir=%s/etc:/etc /etc; "
                  "mount --bind %s/run /run; mount --bind %s/var /var; %s sh /etc/bench/start; while :; do sleep 3600; done"
                  % (root, root, self.dir, self.dir, " ".join(self.trace)))
        self.processes = host.Processes(["sh", "-c", script], self.log)

    def contents(self):
        return files_below(self.dir + "/var/spool")


def write(path, text, **values):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text % values)


class Postfix(Peer):
    name = "Postfix"
    packages, users = ("postfix",), ("postfix", "postdrop", "dovecot", "dovenull")
    script = """mkdir -p /var/spool/postfix /var/lib/postfix /run/dovecot
chown postfix /var/lib/postfix
dovecot -c /etc/bench/dovecot.conf
postfix start
"""
    # Held by an access table: the queue manager has no work with it. Connections are not slowed down (in_flow_delay), nor counted, nor looked up.
    MAIN = """compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.test
mydestination =
relay_domains = sink.test
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
default_process_limit = 300
in_flow_delay = 0
message_size_limit = %(size)d
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/bench/cert.pem
smtpd_tls_key_file = /etc/bench/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = /run/dovecot/auth-client
%(way)s
"""
    MASTER = """127.0.0.1:%(port)d inet n - n - - smtpd
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
scache    unix - - n - 1 scache
anvil     unix - - n - 1 anvil
"""
    DOVECOT = """base_dir = /run/dovecot
state_dir = /var/lib
log_path = /var/log/dovecot
protocols =
ssl = no
auth_mechanisms = plain
passdb {
  driver = static
  args = user=%(user)s password=%(password)s
}
userdb {
  driver = static
  args = uid=64100 gid=64100 home=/nonexistent
}
service auth {
  unix_listener auth-client {
    mode = 0666
  }
}
"""

    def configure(self, etc):
        way = ("relayhost = [127.0.0.1]:%d" % self.relay if self.relay else "smtpd_recipient_restrictions = check_recipient_access static:HOLD")
        write(etc + "/postfix/main.cf", self.MAIN, size=SIZE_LIMIT, way=way)
        write(etc + "/postfix/master.cf", self.MASTER, port=self.plain_port)
        write(etc + "/bench/dovecot.conf", self.DOVECOT, user=USER, password=PASSWORD)


class Exim(Peer):
    name = "Exim"
    packages, users = ("exim4-daemon-light", "exim4-base", "exim4-config"), ("Debian-exim",)
    script = """mkdir -p /var/spool/exim4 /var/log/exim4 /run/exim4
chown Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4 /run/exim4
/usr/sbin/exim4 -bd
"""
    # By itself Exim only queues what exceeds ten messages of a connection, and looks clients up: neither here.
    CONFIG = """primary_hostname = exim.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = %(port)d
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = rcpt
queue_only = %(hold)s
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 1000
smtp_accept_max_per_connection = 0
message_size_limit = %(size)d
tls_advertise_hosts = *
tls_certificate = /etc/bench/cert.pem
tls_privatekey = /etc/bench/key.pem
begin acl
rcpt:
  accept domains = sink.test
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = %(relay)d
  hosts_try_fastopen =
begin retry
* * F,1h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and {{eq{$auth2}{%(user)s}}{eq{$auth3}{%(password)s}}}}
  server_set_id = $auth2
"""

    def configure(self, etc):
        write(etc + "/exim4/exim4.conf", self.CONFIG, port=self.plain_port, hold="false" if self.relay else "true", size=SIZE_LIMIT,
              relay=self.relay or 1, user=USER, password=PASSWORD)


class OpenSMTPD(Peer):
    name = "OpenSMTPD"
    packages, users = ("opensmtpd",), ("opensmtpd", "opensmtpq")
    durable_reference = False  # as packaged it does not flush; strace is asked all the same
    script = """mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
smtpd -f /etc/bench/smtpd.conf
%(then)s
"""
    CONFIG = """smtp max-message-size "%(size)d"
listen on 127.0.0.1 port %(port)d
action out relay host smtp://127.0.0.1:%(relay)d
match from any for domain "sink.test" action out
"""

    @classmethod
    def prepare(cls, work):
        version = super().prepare(work)
        control = work.path + "/OpenSMTPD.root/usr/sbin/smtpctl"  # the package's scripts would do this
        os.chown(control, 0, 64100 + cls.users.index("opensmtpq"))
        os.chmod(control, 0o2755)
        return version

    def configure(self, etc):
        self.script = OpenSMTPD.script % {"then": "" if self.relay else "until smtpctl pause mta; do sleep 0.1; done"}
        write(etc + "/bench/smtpd.conf", self.CONFIG, size=SIZE_LIMIT, port=self.plain_port, relay=self.relay or 1)


PEERS = (Postfix, Exim, OpenSMTPD)
