#!/usr/bin/env python
"""Check that this image can train, and say what is in it.

usage: rocestack-check FLAVOUR TEST_MODULE [TEST]

The operators that the trainer needs, errors as Python errors, the tools, the preload library, data made by the image's
tool and read by Caffe2 (check_dataset.py), and Caffe2's own operator test (for example
caffe2.python.operator_test.relu_op_test). Exit status 1 and one line a fault on an error; else the last line on
standard output is one JSON object of texts: what was found, "none" where there is no such thing. It runs under the Python of either flavour, 2.7 and 3.9.
"""

from __future__ import print_function

import ctypes
import glob
import json
import os
import re
import subprocess
import sys

from caffe2.python import core, workspace

TRAINER = "/caffe2/caffe2/python/examples/resnet50_trainer.py"
PRELOAD = "/usr/local/lib/rocestack/librocestack_verbs.so"
PRELOAD_PREFIX = "rocestack-verbs: "
OPERATORS = ("CreateCommonWorld", "Allreduce", "Broadcast", "RedisStoreHandlerCreate", "ImageInput")
GLOO_OPERATORS = ("CreateCommonWorld", "Allreduce", "Broadcast")
DATASET_CHECK = "/usr/local/lib/rocestack/check_dataset.py"
TOOLS = ("redis-server", "redis-cli", "rocestack-shard", "rocestack-dataset", "ibv_devinfo", "ib_write_bw")
# What one flavour alone has: the thread settings that its BLAS needs.
ONE_THREAD = {"debian": ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "source": ()}
VERBS_PACKAGES = ("libibverbs1", "ibverbs-providers", "libmlx5-1", "ibverbs-utils", "librdmacm1", "perftest")


def run(words, **more_environment):
    """Return status, standard output and standard error of a program; 127 if there is none."""
    environment = dict(os.environ, **more_environment)
    try:
        process = subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
        )
    except OSError as error:
        return 127, "", str(error)
    out, err = process.communicate()
    return process.returncode, out, err


def has_tool(name):
    """Say whether a program is on PATH."""
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.environ["PATH"].split(":"))


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
        if "Connection refused" not in str(error):
            yield "a refused connection to Redis reads: %s" % error


def tool_faults(flavour):
    """Programs and files that are missing, and the thread settings."""
    for name in TOOLS:
        if not has_tool(name):
            yield "%s is not installed" % name
    if not os.path.exists(TRAINER):
        yield "%s is missing" % TRAINER
    for name in ONE_THREAD[flavour]:
        if os.environ.get(name) != "1":
            yield "%s is not 1" % name


def preload_faults():
    """The preload library must stand before libibverbs, be silent without a setting, and refuse a wrong one."""
    try:
        library = ctypes.CDLL(PRELOAD)
        library.ibv_modify_qp, library.ibv_query_gid  # noqa: B018  (a missing one is an AttributeError)
    except (OSError, AttributeError) as error:
        yield "the preload library cannot be loaded: %s" % error
        return
    quiet = run([sys.executable, "-c", ""], LD_PRELOAD=PRELOAD)
    if (quiet[0], quiet[2]) != (0, ""):
        yield "the preload library without a setting ended with %d: %s" % (quiet[0], quiet[2])
    refused = run([sys.executable, "-c", ""], LD_PRELOAD=PRELOAD, ROCESTACK_GID_INDEX="none")
    if refused[0] != 78 or not refused[2].startswith(PRELOAD_PREFIX):
        yield "the preload library took a wrong setting, with %d: %s" % (refused[0], refused[2])


def operator_test_faults(module, tests):
    """Run Caffe2's own test; unittest reports on standard error."""
    status, _, report = run([sys.executable, "-m", module] + tests)
    verdict = report.strip().splitlines()[-1:]
    if status != 0 or not verdict or not verdict[0].startswith("OK"):
        yield "operator test %s failed:\n%s" % (module, report)


def dataset_faults():
    """Data of both encodings must be made here, and be read by Caffe2 as it was made."""
    status, differences, report = run([sys.executable, DATASET_CHECK, "rocestack-dataset"])
    if status != 0:
        lines = differences.strip().splitlines() or report.strip().splitlines()[-10:]
        yield "training data cannot be made and read:\n%s" % "\n".join(lines)


def first_line(words):
    """Return the first line that a program prints, or "none" where it is not there or fails."""
    status, out, _ = run(words)
    lines = out.strip().splitlines()
    return lines[0].strip() if status == 0 and lines else "none"


def package_versions():
    """Return name=version of each package of the RDMA user space that is installed."""
    _, out, _ = run(["dpkg-query", "-W", "-f", "${Package}=${Version}\n"] + list(VERBS_PACKAGES))
    return " ".join(sorted(line for line in out.split() if not line.endswith("="))) or "none"


def cuda_version():
    """Return the CUDA toolkit's release, or "none"."""
    status, out, _ = run(["nvcc", "--version"])
    found = re.search(r"release \S+ V(\S+)", out.replace(",", "")) if status == 0 else None
    return found.group(1) if found else "none"


def found_here(module, tests):
    """Return what is in the image, and of the machine that it was checked on."""
    return {
        "caffe2_operators": str(len(workspace.RegisteredOperators())),
        "cuda": cuda_version(),
        "dataset": "made and read, raw and jpeg",
        "gpu": first_line(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]),
        "ofed": first_line(["ofed_info", "-s"]).rstrip(":"),
        "operator_test": " ".join([module] + tests) + ": OK",
        "operators": " ".join(OPERATORS),
        "preload": PRELOAD,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "rdma_packages": package_versions(),
        "uverbs": " ".join(sorted(glob.glob("/dev/infiniband/uverbs*"))) or "none",
    }


def main(arguments):
    """Print what was found, or each fault, and return the exit status."""
    if len(arguments) < 2 or arguments[0] not in ONE_THREAD:
        print("usage: rocestack-check debian|source TEST_MODULE [TEST]", file=sys.stderr)
        return 2
    flavour, module, tests = arguments[0], arguments[1], arguments[2:]
    faults = list(operator_faults()) + list(error_faults()) + list(tool_faults(flavour))
    faults += list(preload_faults()) + list(dataset_faults()) + list(operator_test_faults(module, tests))
    for fault in faults:
        print("rocestack-check: " + fault, file=sys.stderr)
    if not faults:
        print(json.dumps(found_here(module, tests), sort_keys=True))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
