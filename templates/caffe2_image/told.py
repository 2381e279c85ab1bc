"""Run a pull or a push of Docker's, and say every five seconds how many MB of the layers are through.

usage: told.py WHAT LOG COMMAND...

Docker's client says bytes to a terminal alone, so it gets one. What it says beside its layers goes into the file LOG, a
line each. A layer's size is known once it has begun, so the sum is "at least" until the last one has. The exit status
is the command's. It runs under Python 3.5 or newer.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

PAUSE_S = 5
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LINE = re.compile(r"[\r\n]+")
_LAYER = re.compile(
    r"([0-9a-f]{12}): (Pulling fs layer|Waiting|Preparing|Downloading|Pushing|Verifying Checksum"
    r"|Download complete|Extracting|Pull complete|Pushed|Already exists|Layer already exists|Mounted from)\b"
    r"(?:.*?\s([\d.]+)([kMGT]?)B(?:/([\d.]+)([kMGT]?)B)?)?"
)
_FACTOR = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MOVES = ("Downloading", "Pushing")
_ARRIVED = ("Verifying Checksum", "Download complete", "Extracting", "Pull complete", "Pushed")
_OVER = ("Pull complete", "Pushed", "Already exists", "Layer already exists", "Mounted from")
_NOT_MOVED = ("Already exists", "Layer already exists", "Mounted from")


class Layer:
    """One layer: its last word, and bytes; `total` is None until Docker has said it."""

    def __init__(self):
        self.word = ""
        self.done = 0
        self.unpacked = 0
        self.total = None


class Layers:
    """What was said of all layers."""

    def __init__(self):
        self.layers = {}
        self.begun = None

    def read(self, line, now):
        """Take one line in; return whether it is about a layer. `now` is in seconds of any clock."""
        found = _LAYER.match(line)
        if found is None:
            return False
        name, word, count, count_unit, total, total_unit = found.groups()
        layer = self.layers.setdefault(name, Layer())
        layer.word = word
        if total is not None:
            layer.total = _bytes(total, total_unit)
        if word in _NOT_MOVED:
            layer.done = layer.total = 0
        elif word in _MOVES and count is not None:
            layer.done = min(_bytes(count, count_unit), layer.total or sys.maxsize)
            self.begun = now if self.begun is None else self.begun
        elif word in _ARRIVED:
            layer.total = layer.total or layer.done
            layer.done = layer.total
            if word == "Extracting" and count is not None:
                layer.unpacked = _bytes(count, count_unit)
            elif word == "Pull complete":
                layer.unpacked = layer.total
        return True

    def told(self, now):
        """Return the state as words, such as `12 of 30 MB, 4 MB/s, 5 s left (1 of 3 layers)`."""
        layers = self.layers.values()
        if not layers:
            return "no layer yet"
        done = sum(layer.done for layer in layers)
        wanted = sum(layer.total or 0 for layer in layers)
        all_known = all(layer.total is not None for layer in layers)
        over = sum(layer.word in _OVER for layer in layers)
        words = "%d of %s%d MB" % (done / 1e6, "" if all_known else "at least ", wanted / 1e6)
        unpacked = sum(layer.unpacked for layer in layers)
        if done < wanted and self.begun is not None and now > self.begun and done:
            rate = done / (now - self.begun)
            words += ", %.*f MB/s" % (0 if rate >= 1e7 else 1, rate / 1e6)
            if all_known:
                words += ", %d s left" % round((wanted - done) / rate)
        elif unpacked and all_known:
            words += ", unpacked %d MB" % (unpacked / 1e6)
        return "%s (%d of %d layers)" % (words, over, len(self.layers))


def _bytes(number, unit):
    return int(float(number) * _FACTOR[unit])


def _terminal():
    """Return both ends of a new terminal, wide enough that nothing is cut."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    return ours, theirs


def _read(terminal):
    """Return what was said since; nothing once the command and its terminal are gone."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def main(what, log, command):
    """Run the command and return its exit status."""
    layers, rest, begun = Layers(), "", time.monotonic()
    told, last = begun, None
    ours, theirs = _terminal()
    environment = dict(os.environ, TERM="xterm")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    with open(log, "w") as sink:
        while True:
            ready = select.select([ours], [], [], max(0, told + PAUSE_S - time.monotonic()))[0]
            block = _read(ours) if ready else None
            now = time.monotonic()
            if block is not None:
                lines = _LINE.split(rest + (block or b"\n").decode("utf-8", "replace"))
                rest = lines.pop()
                for line in (_CONTROL.sub("", one).strip() for one in lines):
                    if line and not layers.read(line, now) and line != last:
                        sink.write(line + "\n")
                        last = line
            if block == b"":
                break
            if now - told >= PAUSE_S:
                told = now
                print("%s: %s, %d s" % (what, layers.told(now), now - begun), file=sys.stderr, flush=True)
    status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
