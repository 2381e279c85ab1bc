"""Print the keys of the keyrings and the values of daemon.json that are named on the command line, a line each."""

import json
import sys

# Those that the steps set; another one is a person's.
DAEMON_KEYS = ("bip", "storage-driver", "runtimes.nvidia", "features.cdi")


def daemon_lines(path):
    """Yield `daemon KEY JSON` for each key of ours; `daemon ! REASON` where the file cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            config = json.loads(file.read() or "{}")
        for key in DAEMON_KEYS:
            place, name = config, key
            if "." in key:
                group, name = key.split(".")
                place = config.get(group, {})
            if name in place:
                yield "daemon %s %s" % (key, json.dumps(place[name], sort_keys=True))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        yield "daemon ! %s" % str(error).replace("\n", " ")


def keyring_line(path):
    """Return `keyring PATH FINGERPRINT…`."""
    try:
        with open(path, "rb") as file:
            # The probe puts common/apt_key.py before this file.
            found = [fingerprint for fingerprint, _ in keys(file.read())]  # noqa: F821
    except (OSError, ValueError, IndexError):
        found = ["no key file"]
    return "keyring %s %s" % (path, " ".join(found))


for name in sys.argv[1:]:
    if name.endswith(".json"):
        for line in daemon_lines(name):
            print(line)
    else:
        print(keyring_line(name))
