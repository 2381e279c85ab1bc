"""Say which OpenPGP keys a file holds, or take out the one key whose whole fingerprint is given.

usage: apt_key.py FILE                    prints the fingerprints of the primary keys, one a line
       apt_key.py FILE FINGERPRINT TO     writes that key alone, binary, to TO; exit status 1 if it is not there

FILE is binary or armoured (RFC 4880). A plain host has no gpg, and the fingerprint of a version 4 key is just
the SHA-1 of its packet. Only v4 keys are known; that is what apt repositories are signed with.
"""

import base64
import hashlib
import sys

PUBLIC_KEY = 6


def dearmour(data):
    """Return the binary packets of `data`, which may hold several armoured blocks."""
    if b"-----BEGIN PGP PUBLIC KEY BLOCK-----" not in data:
        return data
    packets = b""
    for block in data.split(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")[1:]:
        lines = block.split(b"-----END")[0].replace(b"\r", b"").split(b"\n")
        body = lines[lines.index(b"", 1) + 1 :]
        # A line that starts with = is the checksum.
        packets += base64.b64decode(b"".join(line for line in body if not line.startswith(b"=")))
    return packets


def packets(data):
    """Yield each packet's tag, its body and all of its bytes."""
    at = 0
    while at < len(data):
        start, first = at, data[at]
        if first & 0xC0 == 0xC0:
            tag, length = first & 0x3F, data[at + 1]
            if length < 192:
                at += 2
            elif length < 224:
                length, at = ((length - 192) << 8) + data[at + 2] + 192, at + 3
            elif length == 255:
                length, at = int.from_bytes(data[at + 2 : at + 6], "big"), at + 6
            else:
                raise ValueError("a packet of unknown length")
        elif first & 0x80:
            tag, size = (first & 0x3C) >> 2, 1 << (first & 3)
            if size == 8:
                raise ValueError("a packet of unknown length")
            length, at = int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size
        else:
            raise ValueError("byte %d begins no packet" % at)
        if at + length > len(data):
            raise ValueError("the last packet is cut off")
        yield tag, data[at : at + length], data[start : at + length]
        at += length


def keys(data):
    """Return the primary keys: pairs of fingerprint and the key with all that belongs to it."""
    found = []
    for tag, body, whole in packets(dearmour(data)):
        if tag == PUBLIC_KEY:
            head = b"\x99" + len(body).to_bytes(2, "big")
            found.append([hashlib.sha1(head + body).hexdigest().upper(), b""])
        if found:
            found[-1][1] += whole
    return found


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        content = file.read()
    try:
        present = keys(content)
    except (ValueError, IndexError) as error:
        sys.exit("not an OpenPGP key file: %s" % error)
    if len(sys.argv) == 2:
        print("\n".join(fingerprint for fingerprint, _ in present))
        sys.exit()
    chosen = [key for fingerprint, key in present if fingerprint == sys.argv[2]]
    if not chosen:
        sys.exit("it holds %s" % (" ".join(fingerprint for fingerprint, _ in present) or "no key"))
    with open(sys.argv[3], "wb") as file:
        file.write(chosen[0])
