"""Every row of the table is a test with the row's name; and the document that is generated from them is up to date."""
import os
import subprocess

import pytest

import table

SECTIONS = table.sections()


def _params():
    for s in SECTIONS:
        for r in s.rows:
            # Only a refuted claim counts as "not yet": a defect of the check itself is a failure.
            marks = [pytest.mark.xfail(strict=True, raises=AssertionError, reason="not yet: " + r.why)] if r.status == table.NOT_YET else []
            yield pytest.param(r, id="%s-%s" % (s.number, r.name), marks=marks)


@pytest.mark.parametrize("row", _params())
def test_row(world, row):
    assert row.check, "nothing can be asked yet: " + row.why
    row.check(world)


def test_document_is_generated():
    p = subprocess.run([os.path.join(os.path.dirname(__file__), "../../script/fidelity"), "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert p.returncode == 0, p.stdout.decode()
