"""A client of AUTH GSSAPI over the raw SMTP client: each step by hand, so that it can be done wrongly as well."""
import base64
import os

import gssapi

KERBEROS = gssapi.MechType.kerberos


def b64(data):
    return base64.b64encode(data).decode()


def challenge(reply):
    assert reply.code == 334, reply
    return base64.b64decode(reply.lines[0]) if reply.lines and reply.lines[0] else b""


class Client:
    """With the tickets of an environment (support.kdc). Tokens that were sent are kept, for who wants to play them again."""

    def __init__(self, env, service="smtp@mail.example.com", mutual=False):
        os.environ["KRB5_CONFIG"] = env["KRB5_CONFIG"]
        flags = [gssapi.RequirementFlag.integrity] + ([gssapi.RequirementFlag.mutual_authentication] if mutual else [])
        creds = gssapi.Credentials(usage="initiate", store={"ccache": env["KRB5CCNAME"]})
        self.ctx = gssapi.SecurityContext(name=gssapi.Name(service, gssapi.NameType.hostbased_service), creds=creds, flags=flags, mech=KERBEROS,
                                          usage="initiate")
        self.sent = []

    def say(self, c, data, prefix=""):
        self.sent.append(data)
        return c.cmd(prefix + b64(data) if data or not prefix else prefix + "=")

    def begin(self, c, initial=True):
        token = self.ctx.step()
        if initial:
            return self.say(c, token, "AUTH GSSAPI ")
        r = c.cmd("AUTH GSSAPI")
        assert challenge(r) == b"", r
        return self.say(c, token)

    def establish(self, c, r):
        """Up to the offer of layers; the reply that has it, or the one that refuses."""
        while r.code == 334 and not self.ctx.complete:
            r = self.say(c, self.ctx.step(challenge(r)) or b"")
        return r

    def choice(self, r, layer=1, identity=b"", size=0, encrypt=False):
        offered = self.ctx.unwrap(challenge(r)).message
        assert offered == b"\x01\0\0\0", offered
        return self.ctx.wrap(bytes([layer]) + size.to_bytes(3, "big") + identity, encrypt).message

    def log_on(self, c, initial=True, **choice):
        r = self.establish(c, self.begin(c, initial))
        return self.say(c, self.choice(r, **choice)) if r.code == 334 else r
