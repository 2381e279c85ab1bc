"""The web server of the lab's vendors: files as they are, and what goes wrong with downloads."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

from lab.hardware.state import Machine

ROOT = Path("/srv/vendor")
_PORT = 80
# What a fault spoils: single files that a stack names with their sums, not the index of a repository.
SPOILED = (".iso", ".deb", ".tar")


def vendor_web(arguments: Sequence[str]) -> int:
    """Serve the vendors' files until the machine stops."""
    ThreadingHTTPServer(("", _PORT), partial(_Handler, directory=str(ROOT))).serve_forever()
    return 0


def spoiled(content: bytes) -> bytes:
    """Return the content with its last byte changed, as a broken transfer leaves it."""
    return content[:-1] + bytes((content[-1] ^ 0xFF,))


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send_head(self) -> io.BytesIO | IO[bytes] | None:  # type: ignore[override]
        machine = Machine.here()
        if machine.fault("vendor-unreachable") is not None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return None
        time.sleep(float(machine.fault("vendor-slow") or 0))
        path = Path(self.translate_path(self.path))
        if machine.fault("wrong-checksum") is None or path.suffix not in SPOILED or not path.is_file():
            return super().send_head()
        content = spoiled(path.read_bytes())
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)

    def log_message(self, format: str, *args: object) -> None:
        print(f"{self.address_string()} {format % args}", flush=True)
