#!/usr/bin/python3
"""Check that this image can train: the operators that the trainer needs, errors as Python errors, the tools.

usage: rocestack-check TEST_MODULE [TEST]

Runs Caffe2's own operator test at the end (for example caffe2.python.operator_test.activation_ops_test).
Exit status 1 and one line a fault on an error.
"""

import os
import shutil
import subprocess
import sys

from caffe2.python import core, workspace

TRAINER = "/caffe2/caffe2/python/examples/resnet50_trainer.py"
OPERATORS = ("CreateCommonWorld", "Allreduce", "Broadcast", "RedisStoreHandlerCreate", "ImageInput")
GLOO_OPERATORS = ("CreateCommonWorld", "Allreduce", "Broadcast")
TOOLS = ("redis-server", "redis-cli", "convert_imageset", "compute_image_mean", "rocestack-shard")


def operator_faults():
    """Operators that are not registered, or not for Gloo."""
    registered = set(workspace.RegisteredOperators())
    for name in OPERATORS:
        if name not in registered:
            yield "operator %s is not registered" % name
    for name in GLOO_OPERATORS:
        if not core.IsOperatorWithEngine(name, "GLOO"):
            yield "operator %s has no engine GLOO" % name


def error_faults():
    """A C++ error must reach Python; port 1 of this container surely has no Redis."""
    try:
        workspace.RunOperatorOnce(
            core.CreateOperator("RedisStoreHandlerCreate", [], ["s"], host="127.0.0.1", port=1, prefix="x")
        )
        yield "a store on a port without Redis was accepted"
    except RuntimeError as error:
        if "Redis at 127.0.0.1:1: Connection refused" not in str(error):
            yield "a refused connection to Redis reads: %s" % error


def tool_faults():
    """Programs and files that are missing, and the thread settings."""
    for name in TOOLS:
        if shutil.which(name) is None:
            yield "%s is not installed" % name
    if not os.path.exists(TRAINER):
        yield "%s is missing" % TRAINER
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name) != "1":
            yield "%s is not 1" % name


def operator_test_faults(module, tests):
    """Run Caffe2's own test; unittest reports on standard error."""
    words = [sys.executable, "-m", module] + tests
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True)
    verdict = done.stderr.strip().splitlines()[-1:]
    if done.returncode != 0 or not verdict or not verdict[0].startswith("OK"):
        yield "operator test %s failed:\n%s" % (module, done.stderr)


def main(arguments):
    """Print OK, or each fault, and return the exit status."""
    if not arguments:
        print("usage: rocestack-check TEST_MODULE [TEST]", file=sys.stderr)
        return 2
    faults = list(operator_faults()) + list(error_faults()) + list(tool_faults())
    faults += operator_test_faults(arguments[0], arguments[1:])
    for fault in faults:
        print("rocestack-check: " + fault, file=sys.stderr)
    if not faults:
        count = len(workspace.RegisteredOperators())
        print("rocestack-check: %d operators are registered, %s passed" % (count, arguments[0]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
