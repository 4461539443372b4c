"""NSD, authoritative for the zones of a test, on loopback; ldns-signzone signs what is to be validated."""
import os
import re
import shutil
import subprocess
import tempfile

from .util import free_port, program, run

HEAD = "$ORIGIN %s.\n$TTL 60\n@ IN SOA ns.%s. root.%s. 1 60 60 60 60\n@ IN NS ns.%s.\nns IN A 127.0.0.1\n"
CONF = """server:
  ip-address: 127.0.0.1
  port: {port}
  username: ""
  zonesdir: "{dir}"
  database: ""
  pidfile: "{dir}/pid"
  xfrdfile: "{dir}/xfrd"
  zonelistfile: "{dir}/zones.list"
  server-count: 1
remote-control:
  control-enable: no
"""


class Nsd:
    """zones: {name: records, one a line}. What is in `signed` gets a key; `anchors` is a file with their DS records."""

    def __init__(self, zones, signed=(), broken=()):
        """The signatures of what is `broken` are none of its key's."""
        self.dir = tempfile.mkdtemp(prefix="mailreeve-nsd-")
        self.port = free_port()
        self.keys, self.proc = {}, None
        self.anchors, self.broken = self.dir + "/anchors", broken
        for name in signed:
            out = run([program("ldns-keygen"), "-r", "/dev/urandom", "-a", "ECDSAP256SHA256", "-k", name], cwd=self.dir).stdout
            self.keys[name] = out.decode().strip()
        with open(self.anchors, "w", encoding="ascii") as to:
            for key in self.keys.values():
                with open("%s/%s.key" % (self.dir, key), encoding="ascii") as f:
                    to.write(f.read())
        os.chmod(self.dir, 0o755)
        self.zones = dict(zones)
        self._write()
        self._start()

    def _write(self):
        conf = CONF.format(port=self.port, dir=self.dir)
        for name, records in self.zones.items():
            path = "%s/%s.zone" % (self.dir, name)
            with open(path, "w", encoding="ascii") as f:
                f.write(HEAD % (name, name, name, name) + records)
            if name in self.keys:
                run([program("ldns-signzone"), path, "%s/%s" % (self.dir, self.keys[name])], cwd=self.dir)
                path += ".signed"
            if name in self.broken:
                with open(path, encoding="ascii") as f:
                    text = f.read()
                with open(path, "w", encoding="ascii") as f:
                    f.write(re.sub(r"(RRSIG\s+(?:MX|A|TLSA|CNAME)\s.* )(\S)(\S+)$", lambda m: m[1] + ("B" if m[2] == "A" else "A") + m[3], text, flags=re.M))
            conf += "zone:\n  name: %s\n  zonefile: %s\n" % (name, path)
        with open(self.dir + "/nsd.conf", "w", encoding="ascii") as f:
            f.write(conf)

    def _start(self):
        self.proc = subprocess.Popen([program("nsd"), "-d", "-c", self.dir + "/nsd.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     stdin=subprocess.DEVNULL)

    def _stop(self):
        self.proc.terminate()
        self.proc.wait(10)

    def close(self):
        self._stop()
        shutil.rmtree(self.dir, ignore_errors=True)
