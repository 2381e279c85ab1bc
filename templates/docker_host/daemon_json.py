"""Set or take away keys of Docker's daemon.json; all other keys stay as they are.

usage: daemon_json.py PATH KEY=JSON… KEY…    A bare KEY is taken away; a file left empty is removed.
Prints, for each key given, `KEY=<the JSON value before>` (nothing if it had none), then `changed` or `same`.
"""

import json
import os
import sys

path, *orders = sys.argv[1:]
try:
    with open(path, encoding="utf-8") as file:
        config = json.loads(file.read() or "{}")
except FileNotFoundError:
    config = {}
except ValueError as error:
    sys.exit(
        f"rocestack: {path} is not JSON ({error}), so it is left as it is.\nHint: repair it, or move it away."
    )
if not isinstance(config, dict):
    sys.exit(
        f"rocestack: {path} is not a JSON object, so it is left as it is.\nHint: repair it, or move it away."
    )

before = dict(config)
for order in orders:
    key, wanted, value = order.partition("=")
    if key in before:
        print(f"{key}={json.dumps(before[key])}")
    if wanted:
        config[key] = json.loads(value)
    else:
        config.pop(key, None)

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
