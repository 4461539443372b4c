"""A delivery status notification taken apart, by Python's email package and by the detector of python3-flufl.bounce."""
import email
import email.policy

from flufl.bounce import all_failures


class Report:
    """fields: of the message as a whole; recipients: a dictionary for each; text, html, original, header: parts."""

    def __init__(self, raw):
        self.raw = raw
        self.message = m = email.message_from_bytes(raw, policy=email.policy.default)
        for part in m.walk():
            assert not part.defects, (part.get_content_type(), part.defects)
        assert m.get_content_type() == "multipart/report" and m.get_param("report-type") == "delivery-status"
        human, status, original = m.get_payload()
        assert status.get_content_type() in ("message/delivery-status", "message/global-delivery-status")
        assert original.get_content_type() in ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
        assert m["Auto-Submitted"] == "auto-replied" and m["Return-Path"] == "<>"
        forms = {p.get_content_type(): p for p in human.walk() if not p.is_multipart()}
        assert set(forms) in ({"text/plain"}, {"text/plain", "text/html"}) and human.get_content_type() in ("multipart/alternative", "text/plain")
        self.text = forms["text/plain"].get_content().replace("\r\n", "\n")
        self.html = forms["text/html"].get_content().replace("\r\n", "\n") if "text/html" in forms else None
        blocks = [dict((k.lower(), str(v)) for k, v in b.items()) for b in status.get_payload()]
        self.fields, self.recipients = blocks[0], blocks[1:]
        self.full = original.get_content_type() in ("message/rfc822", "message/global")
        self.original = original.get_payload(0).as_bytes() if self.full else original.get_payload(decode=True)
        self.subject, self.to, self.sender = m["Subject"], m["To"], m["From"]

    def by_action(self):
        """{"failed": [address, ...], ...}"""
        out = {}
        for r in self.recipients:
            out.setdefault(r["action"], []).append(r["final-recipient"].partition(";")[2].strip())
        return {k: sorted(v) for k, v in out.items()}

    def detected(self):
        """What a mailing list manager reads in it: the addresses that failed for good, and for now."""
        found = all_failures(email.message_from_bytes(self.raw))
        return tuple(sorted(a.decode() for a in s) for s in (found[1], found[0]))


def reports(server, address, marker):
    return [Report(m) for m in server.mail(address, marker) if b"multipart/report" in m]


def wait_report(server, address, marker, timeout=30):
    from .util import wait_for
    return wait_for("a report for %s; %s" % (address, server.log_text()[-500:]), lambda: reports(server, address, marker), timeout)[0]
