"""A raw client: sends exactly what it is told, and accepts only well-formed replies."""
import base64
import re
import socket
import ssl


class Reply:
    def __init__(self, code, lines):
        self.code, self.lines = code, lines
        self.text = "\n".join(lines)

    @property
    def enhanced(self):
        m = re.match(r"([245]\.\d+\.\d+) ", self.lines[0] + " ")
        return m.group(1) if m else None

    def __str__(self):
        return "%d %s" % (self.code, " / ".join(self.lines))

    __repr__ = __str__

    def __eq__(self, other):
        """Reply == "250 2.1.0" compares code and enhanced code; == 250 the code alone."""
        want = str(other)
        return str(self.code) == want or "%d %s" % (self.code, self.enhanced) == want


def tls_context(**versions):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    for k, v in versions.items():
        setattr(c, k, v)
    return c


class SMTP:
    def __init__(self, port, host="127.0.0.1", source=None, tls=False, timeout=30, greet=True, context=None):
        self.sock = socket.socket()
        self.sock.settimeout(timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((host, port))
        self.buffer = b""
        self.ext = {}
        self.context = context or tls_context()
        if tls:
            self.sock = self.context.wrap_socket(self.sock)
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\n" not in self.buffer:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError("closed by the server; before: %r" % self.buffer)
            self.buffer += got
        raw, _, self.buffer = self.buffer.partition(b"\n")
        assert raw.endswith(b"\r"), "a reply line without CR: %r" % raw
        return raw[:-1].decode("utf-8")

    def reply(self):
        lines, code = [], None
        while True:
            text = self.line()
            assert re.match(r"[2345]\d\d[ -]", text), "no reply line: %r" % text
            assert code in (None, text[:3]), "code changes within a reply: %r" % text
            code = text[:3]
            lines.append(text[4:])
            if text[3] == " ":
                return Reply(int(code), lines)

    def cmd(self, text):
        self.send(text.encode() + b"\r\n")
        return self.reply()

    def closed(self):
        """True when the server has closed the connection (waits for it)."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def ehlo(self, name="client.test"):
        r = self.cmd("EHLO " + name)
        self.ext = {}
        if r.code == 250:
            for row in r.lines[1:]:
                words = row.split()
                self.ext[words[0].upper()] = words[1:]
        return r

    def starttls(self, ehlo=True):
        r = self.cmd("STARTTLS")
        assert r == "220 2.0.0", r
        self.sock = self.context.wrap_socket(self.sock)
        if ehlo:
            self.ehlo()
        return r

    def auth_plain(self, user, password, initial=True):
        token = base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode()
        if initial:
            return self.cmd("AUTH PLAIN " + token)
        r = self.cmd("AUTH PLAIN")
        return self.cmd(token) if r.code == 334 else r

    def auth_login(self, user, password, initial=False):
        u, p = (base64.b64encode(x.encode()).decode() for x in (user, password))
        r = self.cmd("AUTH LOGIN" + (" " + u if initial else ""))
        if not initial and r.code == 334:
            assert r.lines == ["VXNlcm5hbWU6"], r
            r = self.cmd(u)
        if r.code == 334:
            assert r.lines == ["UGFzc3dvcmQ6"], r
            r = self.cmd(p)
        return r

    def mail(self, sender, params=""):
        return self.cmd("MAIL FROM:<%s>%s" % (sender, " " + params if params else ""))

    def rcpt(self, to, params=""):
        return self.cmd("RCPT TO:<%s>%s" % (to, " " + params if params else ""))

    def data(self, content):
        r = self.cmd("DATA")
        if r.code != 354:
            return r
        stuffed = re.sub(rb"(^|\r\n)\.", rb"\1..", content)
        self.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.reply()

    def bdat(self, chunk, last=True):
        self.send(b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if last else b"") + chunk)
        return self.reply()

    def send_mail(self, sender, to, content, params=""):
        r = self.mail(sender, params)
        for a in [to] if isinstance(to, str) else to:
            if r.code != 250:
                return r
            r = self.rcpt(a)
        return self.data(content) if r.code == 250 else r
