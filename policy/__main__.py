"""Entry of the policy pack: `python -m policy ENGINE_ADDRESS`."""

from __future__ import annotations

from policy.server import serve

serve()
