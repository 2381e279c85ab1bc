#!/usr/bin/env python3
"""Hand out the training data over HTTP: its four files and their sizes, and nothing else.

usage: training_job.dataset_server SETTINGS (lines key: 'value' with address and data_path)

Runs under the host's own Python, 3.5 and later. A copy that was cut off goes on where it ended (Range).
"""

import os
import re
import shutil
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

FILES = ("manifest", "mean.binaryproto", "train_lmdb/data.mdb", "val_lmdb/data.mdb")
CHUNK = 1 << 20
# Linux's own number: the address may come after the program, as at boot.
IP_FREEBIND = 15


def read_settings(path):
    """The settings in a file of lines key: 'value'."""
    with open(path, encoding="utf-8") as file:
        return dict(re.findall(r"^([a-z_]+): '(.*)'$", file.read(), re.MULTILINE))


def first_byte(header, size):
    """Where an answer to this Range header begins; None where it asks for no rest of the file."""
    found = re.match(r"^bytes=(\d+)-$", header or "")
    return int(found.group(1)) if found and 0 < int(found.group(1)) < size else None


class Handler(BaseHTTPRequestHandler):
    """One request; `folder` is the data's."""

    protocol_version = "HTTP/1.1"
    folder = ""

    def do_HEAD(self):
        """Answer without a body."""
        self._answer(False)

    def do_GET(self):
        """Answer with a file, or the rest of one."""
        self._answer(True)

    def _answer(self, whole):
        name = self.path.lstrip("/")
        try:
            if name == "sizes":
                self._say(self._sizes(), whole)
            elif name in FILES:
                with open(os.path.join(self.folder, name), "rb") as file:
                    self._send(file, whole)
            else:
                self.send_error(404)
        except FileNotFoundError:
            self.send_error(404)
        except PermissionError:
            self.send_error(403)

    def _sizes(self):
        rows = ["%d %s\n" % (os.path.getsize(os.path.join(self.folder, name)), name) for name in FILES]
        return "".join(rows).encode()

    def _say(self, body, whole):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if whole:
            self.wfile.write(body)

    def _send(self, file, whole):
        state = os.fstat(file.fileno())
        start = first_byte(self.headers.get("Range"), state.st_size)
        changed = self.date_time_string(state.st_mtime)
        if self.headers.get("If-Range", changed) != changed:
            start = None
        self.send_response(200 if start is None else 206)
        if start is not None:
            file.seek(start)
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, state.st_size - 1, state.st_size))
        self.send_header("Content-Length", str(state.st_size - (start or 0)))
        self.send_header("Last-Modified", changed)
        self.end_headers()
        if whole:
            shutil.copyfileobj(file, self.wfile, CHUNK)

    def log_message(self, format, *args):
        """A line a request, for the journal."""
        print("%s %s" % (self.address_string(), format % args), flush=True)


class Server(ThreadingMixIn, HTTPServer):
    """Several hosts at once."""

    daemon_threads = True

    def server_bind(self):
        """Bind also before the interface has its address."""
        self.socket.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        super().server_bind()


def main(arguments):
    """Serve until the machine stops."""
    settings = read_settings(arguments[0])
    address, _, port = settings["address"].rpartition(":")
    handler = type("DataHandler", (Handler,), {"folder": settings["data_path"]})
    Server((address, int(port)), handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
