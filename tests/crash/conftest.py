"""The parts of the end-to-end tests that are used here."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(HERE, "..", "e2e")):
    if folder not in sys.path:
        sys.path.insert(0, folder)
