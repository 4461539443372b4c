"""A scripted SMTP or LMTP server: a next hop that takes mail, or refuses it the way a test says."""
import re
import socket
import threading
import time


class Sink:
    """rules(step, info) gives None for the usual reply, a reply line, or "CLOSE"; steps: connect ehlo mail rcpt data dot."""

    def __init__(self, rules=None, extensions=("PIPELINING", "SIZE 60000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"),
                 lmtp=False, tls=None, port=0, peer_certificate=False):
        self.peer_certificate = peer_certificate
        self.rules, self.extensions, self.lmtp, self.tls = rules, extensions, lmtp, tls
        self.messages, self.sessions = [], 0
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which would hold the port
        except OSError:
            pass
        self.listener.close()

    def got(self, marker):
        with self.lock:
            return [m for m in self.messages if marker.encode() in m["data"]]

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            with sock:
                Session(self, sock).run()
        except (OSError, EOFError):
            pass


class Session:
    def __init__(self, sink, sock):
        self.sink, self.sock, self.buffer = sink, sock, b""
        self.info = {"from": None, "params": "", "rcpts": [], "tls": False}
        sock.settimeout(60)

    def line(self):
        while b"\r\n" not in self.buffer:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError
            self.buffer += got
        raw, _, self.buffer = self.buffer.partition(b"\r\n")
        return raw.decode("utf-8", "surrogateescape")

    def act(self, step, usual):
        """Replies; True when the reply was positive."""
        said = self.sink.rules(step, self.info) if self.sink.rules else None
        if said == "CLOSE":
            raise EOFError
        said = said or usual
        self.sock.sendall(said.encode() + b"\r\n")
        if said.startswith("421"):
            raise EOFError
        return said[0] in "23"

    def run(self):
        self.act("connect", "220 sink.test ESMTP")
        while True:
            text = self.line()
            verb = text.split(" ")[0].upper()
            if verb in ("EHLO", "LHLO", "HELO"):
                rows = ["sink.test"] + list(self.sink.extensions)
                if self.sink.tls and not self.info["tls"]:
                    rows.append("STARTTLS")
                if verb == "HELO":
                    rows = rows[:1]
                self.act("ehlo", "\r\n".join("250%s%s" % ("-" if i < len(rows) - 1 else " ", r) for i, r in enumerate(rows)))
            elif verb == "STARTTLS":
                if self.act("starttls", "220 go"):
                    self.sock = self.sink.tls.wrap_socket(self.sock, server_side=True)
                    self.info["tls"], self.buffer = True, b""
                    if self.sink.peer_certificate:
                        self.info["certificate"] = self.sock.getpeercert()
            elif verb == "MAIL":
                m = re.match(r"MAIL FROM:<(.*?)>\s*(.*)$", text, re.I)
                self.info.update({"from": m.group(1), "params": m.group(2), "rcpts": []})
                self.act("mail", "250 2.1.0 ok")
            elif verb == "RCPT":
                m = re.match(r"RCPT TO:<(.*?)>\s*(.*)$", text, re.I)
                self.info["rcpt"] = m.group(1)
                if self.act("rcpt", "250 2.1.5 ok"):
                    self.info["rcpts"].append((m.group(1), m.group(2)))
            elif verb == "DATA":
                if self.info["rcpts"] and self.act("data", "354 go"):
                    self.content()
                elif not self.info["rcpts"]:
                    self.sock.sendall(b"503 5.5.1 no recipients\r\n")
            elif verb == "QUIT":
                self.act("quit", "221 bye")
                return
            else:
                self.act(verb.lower(), "250 ok")

    def content(self):
        while not self.buffer.startswith(b".\r\n") and b"\r\n.\r\n" not in self.buffer:
            got = self.sock.recv(262144)
            if not got:
                raise EOFError
            self.buffer += got
        if self.buffer.startswith(b".\r\n"):
            wire, self.buffer = b"", self.buffer[3:]
        else:
            wire, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
            wire += b"\r\n"
        m = dict(self.info, data=re.sub(rb"(^|\r\n)\.", rb"\1", wire), rcpts=list(self.info["rcpts"]), when=time.time())
        for _ in m["rcpts"] if self.sink.lmtp else [0]:
            ok = self.act("dot", "250 2.0.0 taken")
        if ok:
            with self.sink.lock:
                self.sink.messages.append(m)
