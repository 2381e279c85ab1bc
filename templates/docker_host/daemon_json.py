"""Read, set or take away keys of Docker's daemon.json; all other keys stay as they are.

usage: daemon_json.py PATH ORDER…
An ORDER is KEY? (only read it), KEY=JSON (set it) or KEY (take it away); a file left empty is removed. A KEY
with a dot is one in an object: runtimes.nvidia. An object left empty is taken away with its last key.
Prints, for each key given, `KEY=<the JSON value before>` (nothing if it had none), then `changed` or `same`.
"""

import copy
import json
import os
import sys

path, orders = sys.argv[1], sys.argv[2:]


def refuse(reason):
    """Stop; the file is a person's, so it is not written over."""
    sys.exit("rocestack: %s %s, so it is left as it is.\nHint: repair it, or move it away." % (path, reason))


try:
    with open(path, encoding="utf-8") as file:
        config = json.loads(file.read() or "{}")
except FileNotFoundError:
    config = {}
except ValueError as error:
    refuse("is not JSON (%s)" % error)
if not isinstance(config, dict):
    refuse("is not a JSON object")

before = copy.deepcopy(config)
for order in orders:
    key, wanted, value = order.partition("=")
    only_read, key = key.endswith("?"), key.rstrip("?")
    group, dot, name = key.rpartition(".")
    place = config.setdefault(group, {}) if dot else config
    if not isinstance(place, dict):
        refuse("has a %s that is no object" % group)
    if name in place:
        print("%s=%s" % (key, json.dumps(place[name])))
    if only_read:
        pass
    elif wanted:
        place[name] = json.loads(value)
    else:
        place.pop(name, None)
    if dot and not place:
        del config[group]

if config == before:
    print("same")
    sys.exit()
if config:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".rocestack-new", "w", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=4) + "\n")
    os.replace(path + ".rocestack-new", path)
else:
    os.remove(path)
print("changed")
