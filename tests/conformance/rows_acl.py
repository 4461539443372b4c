"""Add-, Get- and Remove-ADPermission on connectors."""
from table import AS, BEYOND, DEVIATES, Row, Section
from rows_groups import OWN, RELAY, ROUTING, SENDER, SPAM, SUBMIT
from world import ANONYMOUS, EXTERNAL
from support.server import quote


def add(w):
    s, n = w.cold, w.cold_connector()
    s.shell("Get-ReceiveConnector %s | Add-ADPermission -User Everyone -ExtendedRights %s,%s" % (quote(n), SPAM, ROUTING))
    s.shell("Add-ADPermission -Identity %s -User Everyone -ExtendedRights %s -AccessRights ExtendedRight -InheritanceType None -Deny" % (quote(n), SENDER))
    assert s.acl(n) == {("Everyone", SPAM, False), ("Everyone", ROUTING, False), ("Everyone", SENDER, True)}
    w.refused("Add-ADPermission %s -User Everyone" % quote(n), "-ExtendedRights")
    w.refused("Add-ADPermission %s -ExtendedRights %s" % (quote(n), SPAM), "-User")
    w.refused("Add-ADPermission %s -User nobody-here -ExtendedRights %s" % (quote(n), SPAM), "nobody-here")
    w.refused("Add-ADPermission %s -User Everyone -ExtendedRights ms-Exch-Fly" % quote(n), "ms-Exch-Fly")
    p = s.shell_run("Add-ADPermission %s -User Everyone -ExtendedRights %s -WhatIf" % (quote(n), SUBMIT))
    assert p.returncode == 0 and b"What if" in p.stdout + p.stderr
    assert ("Everyone", SUBMIT, False) not in s.acl(n)


def get(w):
    s, n = w.cold, w.cold_connector("-PermissionGroups AnonymousUsers")
    s.shell("Add-ADPermission %s -User Everyone -ExtendedRights %s" % (quote(n), SPAM))
    assert len(s.json("Get-ADPermission %s" % quote(n))) == 5
    assert [e["ExtendedRights"] for e in s.json("Get-ADPermission %s -User Everyone" % quote(n))] == [[SPAM]]


def remove(w):
    s, n = w.cold, w.cold_connector("-PermissionGroups AnonymousUsers")
    s.shell("Get-ReceiveConnector %s | Get-ADPermission | where {$_.ExtendedRights -like '*any-sender'} | Remove-ADPermission -Confirm:$false" % quote(n))
    assert (ANONYMOUS, SENDER, False) not in s.acl(n)
    s.shell("Add-ADPermission %s -User Everyone -ExtendedRights %s -Deny; Remove-ADPermission %s -User Everyone -ExtendedRights %s -Confirm:$false" % ((quote(n), SPAM) * 2))
    assert ("Everyone", SPAM, True) in s.acl(n), "without -Deny only an entry that grants goes"
    s.shell("Remove-ADPermission %s -User Everyone -ExtendedRights %s -Deny -Confirm:$false" % (quote(n), SPAM))
    assert ("Everyone", SPAM, True) not in s.acl(n)
    p = s.shell_run("Remove-ADPermission %s -User '%s' -ExtendedRights %s" % (quote(n), ANONYMOUS, SUBMIT))
    assert p.returncode == 1 and b"Confirm" in p.stderr


def access_rights(w):
    n = w.cold_connector()
    w.refused("Add-ADPermission %s -User Everyone -AccessRights GenericAll -ExtendedRights %s" % (quote(n), SPAM), "AccessRights", "GenericAll")


def output(w):
    s, n = w.cold, w.cold_connector()
    s.shell("Add-ADPermission %s -User Everyone -ExtendedRights %s" % (quote(n), SPAM))
    e = s.one("Get-ADPermission " + quote(n))
    assert {"User", "ExtendedRights", "Deny", "IsInherited", "AccessRights", "InheritanceType", "Identity"} <= set(e)
    assert e["ExtendedRights"] == [SPAM] and e["Deny"] is False and e["IsInherited"] is False
    text = s.shell("Get-ADPermission " + quote(n))
    head = text.strip().splitlines()[0].split()
    assert head[:4] == ["Identity", "User", "Deny", "ExtendedRights"] and "{%s}" % SPAM in text, text


def filtered(w):
    s, n = w.cold, w.cold_connector("-PermissionGroups ExchangeLegacyServers")
    out = s.shell("Get-ReceiveConnector %s | Get-ADPermission | where {($_.Deny -eq $false) -and ($_.IsInherited -eq $false)} | ft User,ExtendedRights" % quote(n))
    assert out.strip().splitlines()[0].split() == ["User", "ExtendedRights"] and len(out.strip().splitlines()) == 2 + 9, out


def canonical(w):
    c = w.connector()
    w.shell('Get-ReceiveConnector "%s" | Add-ADPermission -User "NT AUTHORITY\\ANONYMOUS LOGON" -ExtendedRights "Ms-Exch-SMTP-Accept-Any-Recipient"' % c.name)
    with c.session() as s:
        assert s.mail("x@outside.test") == 250 and s.rcpt("far@elsewhere.test") == 250
    assert {r for u, r, d in w.hub.acl(c.name) if u == ANONYMOUS and not d} == {SUBMIT, SENDER, OWN, ROUTING, RELAY}


def easier(w):
    with w.connector(EXTERNAL).session() as s:
        assert s.mail("x@example.com") == 250 and s.rcpt("far@elsewhere.test") == 250


def allow_deny(w):
    c = w.connector().grant(RELAY)
    c.grant(RELAY, user="Everyone", extra="-Deny")
    with c.session() as s:
        s.mail("x@outside.test")
        assert s.rcpt("far@elsewhere.test") == "550 5.7.1"


def twice(w):
    s, n = w.cold, w.cold_connector()
    line = "Add-ADPermission %s -User Everyone -ExtendedRights %s" % (quote(n), SPAM)
    s.shell(line)
    p = s.shell_run(line)
    assert p.returncode == 0 and b"already" in p.stdout + p.stderr and len(s.acl(n)) == 1


def group_to_acl(w):
    s, n = w.cold, w.cold_connector("-PermissionGroups AnonymousUsers")
    s.shell("Remove-ADPermission %s -User '%s' -ExtendedRights %s -Confirm:$false" % (quote(n), ANONYMOUS, OWN))
    assert s.one("Get-ReceiveConnector " + quote(n))["PermissionGroups"] == ["Custom"]
    s.shell("Set-ReceiveConnector %s -PermissionGroups AnonymousUsers" % quote(n))
    assert s.one("Get-ReceiveConnector " + quote(n))["PermissionGroups"] == ["AnonymousUsers"] and len(s.acl(n)) == 4


def custom_in(w):
    s, n = w.cold, w.cold_connector("-PermissionGroups AnonymousUsers")
    before = s.acl(n)
    s.shell("Set-ReceiveConnector %s -PermissionGroups Custom" % quote(n))
    assert s.acl(n) == before or s.one("Get-ReceiveConnector " + quote(n))["PermissionGroups"] in (["Custom"], ["None"])


def inherited(w):
    for c in ("Default mail", "Client mail"):
        for e in w.plain.json("Get-ADPermission '%s'" % c):
            assert e["IsInherited"] is False and "Store" not in e["ExtendedRights"][0]


def identity(w):
    s, n = w.cold, w.cold_connector()
    s.shell("Add-ADPermission 'mail\\%s' -User Everyone -ExtendedRights %s" % (n, SPAM))
    guid = s.one("Get-ReceiveConnector " + quote(n))["Guid"]
    assert len(s.json("Get-ADPermission " + quote(guid))) == 1


def open_relay(w):
    s, n = w.cold, w.name()
    s.shell("New-ReceiveConnector -Name '%s' -Usage Internet -Bindings 0.0.0.0:%d" % (n, 20000 + w.number()))
    line = "Add-ADPermission '%s' -User '%s' -ExtendedRights %s" % (n, ANONYMOUS, RELAY)
    w.refused(line, "open relay", "-Force")
    assert (ANONYMOUS, RELAY, False) not in s.acl(n)
    s.shell(line + " -Force")
    s.shell("Remove-ReceiveConnector '%s' -Confirm:$false" % n)


A = Section("7", "ADPermission", (
    Row("Add-ADPermission", "-Identity or pipeline, -User, -ExtendedRights, -AccessRights, -Deny, -InheritanceType, -WhatIf", AS, add),
    Row("Get-ADPermission", "-Identity, -User", AS, get, "-Owner is not taken: connectors have no owner."),
    Row("Remove-ADPermission", "as Add, and entries from the pipeline; -Deny removes a denial", AS, remove),
    Row("AccessRights", "many kinds", DEVIATES, access_rights, "ExtendedRight alone has a meaning on a connector; others are refused."),
    Row("Output columns", "Identity, User, Deny, Inherited, Rights; one entry a row", AS, output, "ExtendedRights and Origin instead of Inherited and Rights."),
    Row("Usual display filter", "where Deny and IsInherited are false, ft User,ExtendedRights", AS, filtered),
    Row("Canonical relay grant", "the command as printed everywhere; the five rights of anonymous relaying", AS, canonical),
    Row("Easier variant", "ExternalAuthoritative with ExchangeServers", AS, easier),
    Row("Allow vs deny", "explicit deny first; nothing found is refused", AS, allow_deny),
    Row("Add same right twice", "a warning, nothing changes (unconfirmed)", AS, twice),
    Row("Permission group to ACL", "setting writes its entries, clearing removes them; removing one by one is disputed", AS, group_to_acl,
        "Single entries of a group can be removed, as administrators do; the property then shows Custom."),
    Row("Custom", "on input: the administrator manages the entries", AS, custom_in),
    Row("Inherited noise", "rights of the store are listed as well", DEVIATES, inherited, "Nothing is inherited, so nothing is in the way."),
    Row("Identity form", "Server\\Connector may fail on remote shells", DEVIATES, identity, "Works, as the name and the GUID do."),
    Row("open relay", "is made without a word", BEYOND, open_relay, "Refused without -Force where the range is wide."),
))

SECTIONS = [A]
