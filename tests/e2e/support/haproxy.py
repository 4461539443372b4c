"""A private HAProxy, which publishes ports of the server as a load balancer does."""
import os
import shutil
import socket
import subprocess
import tempfile

from .util import free_port, program, run, wait_for

CONFIG = """global
    stats socket {dir}/admin mode 600 level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
"""
PUBLISHED = """listen {name}
    bind 127.0.0.1:{port}
    server mailreeve 127.0.0.1:{to} source {source} {options}
"""


class HAProxy:
    def __init__(self, source, services):
        """services: name -> (port of the server, options of HAProxy's `server` line). Connections come from `source`."""
        self.dir = tempfile.mkdtemp(prefix="mailreeve-haproxy-")
        self.port = {name: free_port() for name in services}
        with open(self.dir + "/haproxy.cfg", "w", encoding="ascii") as f:
            f.write(CONFIG.format(dir=self.dir))
            for name, (to, options) in services.items():
                f.write(PUBLISHED.format(name=name, port=self.port[name], to=to, source=source, options=options))
        run([program("haproxy"), "-c", "-f", self.dir + "/haproxy.cfg"])
        self.proc = subprocess.Popen([program("haproxy"), "-db", "-f", self.dir + "/haproxy.cfg"], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("HAProxy", lambda: os.path.exists(self.dir + "/admin"))

    def state(self, name):
        """What the health checks of a service have found: ("UP", "L4OK")."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.dir + "/admin")
            s.sendall(b"show stat\n")
            text = b""
            while got := s.recv(65536):
                text += got
        rows = [line.split(",") for line in text.decode().lstrip("# ").splitlines() if line]
        row = next(r for r in rows[1:] if r[0] == name and r[1] == "mailreeve")
        return row[rows[0].index("status")], row[rows[0].index("check_status")]

    def close(self):
        self.proc.terminate()
        self.proc.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)
