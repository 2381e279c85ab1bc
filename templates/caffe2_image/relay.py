"""Listen on a port of the loopback, which is printed, and pass each connection on to the Unix socket that is named.

It ends with its standard input, so with whoever started it. There is no single quote here: it travels in a pair.
"""

import socket
import sys
import threading


def copy(source, target):
    try:
        block = source.recv(1 << 16)
        while block:
            target.sendall(block)
            block = source.recv(1 << 16)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone, so the other one has nobody to speak to.
        for one in (source, target):
            one.close()


def serve(server, path):
    while True:
        client, _ = server.accept()
        try:
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(path)
        except OSError as error:
            print("%s: %s" % (path, error.strerror), file=sys.stderr, flush=True)
            client.close()
            continue
        for ends in ((client, behind), (behind, client)):
            threading.Thread(target=copy, args=ends, daemon=True).start()


server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(64)
threading.Thread(target=serve, args=(server, sys.argv[1]), daemon=True).start()
print(server.getsockname()[1], flush=True)
sys.stdin.read()
