"""Copy standard input to standard output, and say every five seconds how many of SIZE bytes are through.

Its words are what and SIZE, both on the command line.
"""

import sys
import time

what, size = sys.argv[1], int(sys.argv[2])
done, begun = 0, time.monotonic()
said = begun
while True:
    block = sys.stdin.buffer.read(1 << 20)
    if not block:
        break
    try:
        sys.stdout.buffer.write(block)
    except BrokenPipeError:
        # The other end has said why.
        sys.exit(1)
    done += len(block)
    now = time.monotonic()
    if now - said >= 5:
        said = now
        rate = done / (now - begun)
        # The archive has some bytes more than its layers.
        left = max(size - done, 0) / rate
        words = "%d of %d MB, %d MB/s, %d s left" % (done / 1e6, size / 1e6, rate / 1e6, left)
        print("%s: %s" % (what, words), file=sys.stderr, flush=True)
print("%s: %d MB in %d s" % (what, done / 1e6, time.monotonic() - begun), file=sys.stderr, flush=True)
