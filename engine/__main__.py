"""Entry of `python3 -m engine <verb>`; needs nothing but Python's standard library."""

from __future__ import annotations

import sys

from engine.cli import main

sys.exit(main(sys.argv[1:]))
