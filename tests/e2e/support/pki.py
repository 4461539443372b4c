"""A private authority, and certificates of it, made with openssl(1)."""
import os
import shutil
import tempfile

from .util import run


class Authority:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="mailreeve-pki-")
        self.count = 0
        self.key, self.crt = self.dir + "/ca.key", self.dir + "/ca.crt"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", self.crt,
             "-days", "30", "-subj", "/CN=Test Authority"])

    def issue(self, name, days=10, rsa=False, csr=None, usage="serverAuth"):
        """(certificate file, key file); with a CSR there is no key. days may be negative: expired."""
        self.count += 1
        stem = "%s/%d" % (self.dir, self.count)
        key, request, crt, ext = stem + ".key", csr or stem + ".csr", stem + ".crt", stem + ".ext"
        if not csr:
            kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            run(["openssl", "req", "-newkey"] + kind + ["-nodes", "-keyout", key, "-out", request, "-subj", "/CN=" + name])
        with open(ext, "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:%s\nextendedKeyUsage=%s\n" % (name, usage))
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.crt, "-CAkey", self.key, "-CAcreateserial", "-days", str(days), "-out", crt,
             "-extfile", ext])
        return crt, None if csr else key

    def pkcs12(self, crt, key, password):
        out = crt + ".pfx"
        run(["openssl", "pkcs12", "-export", "-in", crt, "-inkey", key, "-certfile", self.crt, "-out", out, "-passout", "pass:" + password])
        return out

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def install(server, name, crt, key):
    """As an administrator or an ACME client does: whole files are renamed into place, the key first."""
    for source, ending in ((key, ".key"), (crt, ".crt")):
        target = os.path.join(server.state, "certs", name + ending)
        shutil.copyfile(source, target + ".tmp")
        os.rename(target + ".tmp", target)
