"""The conformance table: what Exchange's documents say of a receive connector and what is around it, row by row.

A row is a promise with a check. Its status says how Mailreeve stands to it, and the check holds the running program to the
status: a row that is not kept fails, and so does a row that says "not yet" once its check passes. docs/exchange-fidelity.md is
generated from these rows (script/fidelity)."""
import importlib
from dataclasses import dataclass
from typing import Callable, Optional

AS, DEVIATES, BEYOND, NOT_YET = "as Exchange", "deviates", "beyond Exchange", "not yet"
STATUSES = (AS, DEVIATES, BEYOND, NOT_YET)

MODULES = ("rows_usage", "rows_groups", "rows_rights", "rows_replies", "rows_mechanisms", "rows_selection", "rows_parameters", "rows_send",
           "rows_acl", "rows_domains", "rows_headers", "rows_queue", "rows_dsn", "rows_pressure", "rows_pickup", "rows_log", "rows_tracking",
           "rows_tls", "rows_beyond")


@dataclass(frozen=True)
class Row:
    name: str
    exchange: str                # what Exchange does, in our words
    status: str
    check: Optional[Callable]    # check(world) asserts what the status says; of "not yet": what Exchange does
    why: str = ""                # the deviation or the choice, and its reason


@dataclass(frozen=True)
class Section:
    number: str                  # where the rows are found in the model's description
    title: str
    rows: tuple


def sections():
    """All sections, in order; a defect of the table is an error here."""
    found = [s for m in MODULES for s in importlib.import_module(m).SECTIONS]
    seen = set()
    for s in found:
        for r in s.rows:
            where = "%s, %s" % (s.number, r.name)
            if r.status not in STATUSES:
                raise ValueError("%s: no such status: %s" % (where, r.status))
            if (s.number, r.name) in seen:
                raise ValueError("%s: twice" % where)
            if r.status != AS and not r.why:
                raise ValueError("%s: why it is not as Exchange is not said" % where)
            if r.check is None and r.status != NOT_YET:
                raise ValueError("%s: a row without a check is not kept" % where)
            seen.add((s.number, r.name))
    return found


def needs(*things):
    """One check out of several, all of which must hold."""
    def check(w):
        for t in things:
            t(w)
    return check
