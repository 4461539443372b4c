"""Permission groups: exactly these entries; and the names that principals go by."""
from table import AS, DEVIATES, Row, Section
from world import ANONYMOUS, USERS, BASIC
from support.server import quote

SUBMIT, RELAY, SENDER, OWN = ("ms-Exch-SMTP-" + x for x in ("Submit", "Accept-Any-Recipient", "Accept-Any-Sender", "Accept-Authoritative-Domain-Sender"))
FLAG, EXCH50, SPAM, SIZE = ("ms-Exch-SMTP-Accept-Authentication-Flag", "ms-Exch-SMTP-Accept-Exch50", "ms-Exch-Bypass-Anti-Spam", "ms-Exch-Bypass-Message-Size-Limit")
ROUTING, ORGANIZATION, FOREST = ("ms-Exch-Accept-Headers-" + x for x in ("Routing", "Organization", "Forest"))
NINE = {SUBMIT, RELAY, SENDER, OWN, FLAG, EXCH50, ROUTING, SPAM, SIZE}
ELEVEN = NINE | {ORGANIZATION, FOREST}
SERVERS, HUB, EDGE, EXTERNAL, LEGACY, PARTNER = ("Exchange Servers", "MS Exchange\\Hub Transport Servers", "MS Exchange\\Edge Transport Servers",
                                                 "MS Exchange\\Externally Secured Servers", "ExchangeLegacyInterop", "MS Exchange\\Partner Servers")


def group(name, allow, deny=None, server="cold"):
    def entries(sets, denied):
        return {(user, right.lower(), denied) for user, rights in (sets or {}).items() for right in rights}

    def check(w):
        s = getattr(w, server)
        connector = w.cold_connector("-PermissionGroups " + name, server=s)
        got = {(u, r.lower(), d) for u, r, d in s.acl(connector)}
        want = entries(allow, False) | entries(deny, True)
        assert got == want, "missing %s, too much %s" % (want - got, got - want)
        s.shell("Set-ReceiveConnector %s -PermissionGroups None" % quote(connector))
        assert not s.acl(connector)
    return check


def externally_secured(w):
    connector = w.cold_connector("-PermissionGroups ExchangeServers")
    assert {r for u, r, d in w.cold.acl(connector) if u == EXTERNAL and not d} == NINE


def custom(w):
    s, name = w.cold, w.cold_connector("-PermissionGroups AnonymousUsers")
    s.shell("Add-ADPermission %s -User 'Everyone' -ExtendedRights %s" % (quote(name), SPAM))
    assert set(s.one("Get-ReceiveConnector " + quote(name))["PermissionGroups"]) == {"AnonymousUsers", "Custom"}
    s.shell("Set-ReceiveConnector %s -PermissionGroups None" % quote(name))
    assert s.one("Get-ReceiveConnector " + quote(name))["PermissionGroups"] == ["Custom"]
    assert s.acl(name) == {("Everyone", SPAM, False)}


def none(w):
    c = w.connector("-PermissionGroups None")
    with c.session() as s:
        assert s.mail("x@outside.test") == "530 5.7.1"
        assert s.mail("") == "530 5.7.1"


def edge_refuses(name):
    def check(w):
        w.refused("New-ReceiveConnector -Name x -Bindings 0.0.0.0:25 -RemoteIPRanges %s -PermissionGroups %s" % (w.ip(), name), name, "Edge", server=w.edge)
    return check


GROUPS = Section("2", "Permission groups", (
    Row("AnonymousUsers", "ANONYMOUS LOGON: Submit, Any-Sender, Authoritative-Domain-Sender, Headers-Routing", AS,
        group("AnonymousUsers", {ANONYMOUS: {SUBMIT, SENDER, OWN, ROUTING}})),
    Row("ExchangeUsers", "Authenticated Users: Submit, Any-Recipient, Bypass-Anti-Spam, Headers-Routing", AS,
        group("ExchangeUsers", {USERS: {SUBMIT, RELAY, SPAM, ROUTING}})),
    Row("ExchangeServers", "Exchange Servers, Hub and Edge Transport Servers: all eleven receive rights", AS,
        group("ExchangeServers", {SERVERS: ELEVEN, HUB: ELEVEN, EDGE: ELEVEN, EXTERNAL: NINE})),
    Row("ExchangeServers (Externally Secured)", "the same without the two guarded header classes", AS, externally_secured),
    Row("ExchangeLegacyServers", "ExchangeLegacyInterop: nine rights, and denied the two guarded header classes", AS,
        group("ExchangeLegacyServers", {LEGACY: NINE}, {LEGACY: {ORGANIZATION, FOREST}})),
    Row("Partners", "Partner Servers: Submit, Headers-Routing", AS, group("Partners", {PARTNER: {SUBMIT, ROUTING}})),
    Row("Custom", "shown when the entries are no sum of groups; the groups' content then is the administrator's", AS, custom,
        "Shown beside the groups that are complete; entries added one by one survive a change of groups."),
    Row("None", "nothing is granted: every session fails at MAIL", AS, none),
    Row("AnonymousUsers on Edge", "the same", AS, group("AnonymousUsers", {ANONYMOUS: {SUBMIT, SENDER, OWN, ROUTING}}, server="edge")),
    Row("ExchangeServers on Edge", "without the domain's group Exchange Servers", AS,
        group("ExchangeServers", {HUB: ELEVEN, EDGE: ELEVEN, EXTERNAL: NINE}, server="edge")),
    Row("ExchangeUsers on Edge", "does not exist in 2007", AS, edge_refuses("ExchangeUsers")),
    Row("ExchangeLegacyServers on Edge", "does not exist", AS, edge_refuses("ExchangeLegacyServers")),
    Row("Partners on Edge", "the same", AS, group("Partners", {PARTNER: {SUBMIT, ROUTING}}, server="edge")),
    Row("rights of 2010 and later", "Accept-XShadow and others are not in 2007", AS,
        lambda w: w.refused("Add-ADPermission 'Default mail' -User Everyone -ExtendedRights ms-Exch-SMTP-Accept-XShadow", "XShadow")),
))

OURS = "S-1-9-1419165041-1139599005-3936102811-1022490595-"


def principal(given, shown):
    def check(w):
        name = w.cold_connector()
        w.cold.shell("Add-ADPermission %s -User %s -ExtendedRights ms-Exch-Bypass-Anti-Spam" % (quote(name), quote(given)))
        assert w.cold.acl(name) == {(shown, SPAM, False)}
    return check


SIDS = Section("2.1", "Exchange-defined SIDs", (
    Row("10", "MS Exchange\\Partner Servers", AS, principal(OURS + "10", PARTNER)),
    Row("21", "MS Exchange\\Hub Transport Servers", AS, principal(OURS + "21", HUB)),
    Row("22", "MS Exchange\\Edge Transport Servers", AS, principal(OURS + "22", EDGE)),
    Row("23", "MS Exchange\\Externally Secured Servers", AS, principal(OURS + "23", EXTERNAL)),
    Row("24", "MS Exchange\\Legacy Exchange Servers", AS, principal(OURS + "24", "MS Exchange\\Legacy Exchange Servers")),
    Row("S-1-5-7", "NT AUTHORITY\\ANONYMOUS LOGON", AS, principal("S-1-5-7", ANONYMOUS)),
    Row("S-1-5-11", "NT AUTHORITY\\Authenticated Users", AS, principal("S-1-5-11", USERS)),
    Row("S-1-1-0", "Everyone", AS, principal("S-1-1-0", "Everyone")),
    Row("a SID that nobody has", "the tools show the SID", DEVIATES,
        lambda w: w.refused("Add-ADPermission 'Default mail' -User S-1-5-21-1-2-3-4 -ExtendedRights ms-Exch-Bypass-Anti-Spam", "S-1-5-21-1-2-3-4"),
        "Refused: an entry for nobody would decide nothing and look as if it did."),
))

LOCAL = Section("2.2", "Names of principals", (
    Row("NT-AUTORITÄT\\ANONYMOUS-ANMELDUNG", "Windows translates the name, so that copied commands fail elsewhere", DEVIATES,
        principal("NT-AUTORITÄT\\ANONYMOUS-ANMELDUNG", ANONYMOUS), "The translations, the English name and the SID all lead to the same principal."),
    Row("ANONYMOUS LOGON without authority", "found by name", AS, principal("anonymous logon", ANONYMOUS)),
    Row("DOMAIN\\Exchange Servers", "the domain's group", AS, principal("CORP\\Exchange Servers", SERVERS)),
    Row("a mailbox", "an account of the directory", AS, lambda w: _user(w)),
    Row("a group", "a group of the directory", AS, lambda w: _group(w)),
))


def _user(w):
    c = w.connector(BASIC)
    c.grant(SENDER, user="alice")
    with c.login() as s:
        assert s.mail("anyone@outside.test") == 250
    with c.login("bob@example.com", "Pw-bob#8\"y") as s:
        assert s.mail("anyone@outside.test") == "550 5.7.1"


def _group(w):
    c = w.connector(BASIC)
    w.hub.shell("New-DistributionGroup -Name senders -PrimarySmtpAddress senders@example.com; Add-DistributionGroupMember senders -Member bob")
    c.grant(SENDER, user="senders")
    with c.login("bob@example.com", "Pw-bob#8\"y") as s:
        assert s.mail("anyone@outside.test") == 250
    with c.login() as s:
        assert s.mail("anyone@outside.test") == "550 5.7.1"


SECTIONS = [GROUPS, SIDS, LOCAL]
