#!/usr/bin/env python
"""Check that this image makes training data that its own Caffe2 reads.

usage: check_dataset.py TOOL (rocestack-dataset)

A set of plain pictures, red, green and blue, is made of archives in each encoding, held against its manifest, and read
by the operators that the trainer reads with: labels and colours must be those of the pictures. Exit status 1 on an
error: each difference is a line on standard output, and Caffe2's own words are on standard error. It runs under the Python of either flavour, 2.7 and 3.9.
"""

from __future__ import division, print_function, unicode_literals

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

from caffe2.python import core, workspace
from PIL import Image

SIDE, EACH = 32, 3
# A class for each colour; the label is the colour's place.
CLASSES = ("red", "green", "blue")
# How far a JPEG may be from a plain colour, of the range -1 to 1 that the operator gives.
SLACK = 0.1


def picture(label):
    """Return a JPEG of one colour, larger than the data's and not square."""
    colour, file = [0, 0, 0], io.BytesIO()
    colour[label] = 255
    Image.new("RGB", (48, 40), tuple(colour)).save(file, "JPEG", quality=95)
    return file.getvalue()


def tarball(members):
    """Return a tarball of (name, content)."""
    file = io.BytesIO()
    archive = tarfile.open(fileobj=file, mode="w")
    for name, content in members:
        head = tarfile.TarInfo(str(name))
        head.size = len(content)
        archive.addfile(head, io.BytesIO(content))
    archive.close()
    return file.getvalue()


def archives():
    """Return the three archives of a set, by their kinds."""
    train, val, train_list, val_list = [], [], [], []
    for label, name in enumerate(CLASSES):
        images = ["%s_%d.JPEG" % (name, number) for number in range(EACH)]
        train.append((name + ".tar", tarball([(image, picture(label)) for image in images])))
        train_list += ["%s/%s %d\n" % (name, image, label) for image in images]
        val.append((name + ".JPEG", picture(label)))
        val_list.append("%s.JPEG %d\n" % (name, label))
    texts = (("synsets.txt", "\n".join(CLASSES)), ("train.txt", "".join(train_list)), ("val.txt", "".join(val_list)))
    lists = [(name, text.encode("ascii")) for name, text in texts]
    return {"train": tarball(train), "val": tarball(val), "lists": tarball(lists)}


def run(words):
    """Run the tool; end with its own words if it fails."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.communicate()[0].decode("utf-8", "replace")
    if process.returncode != 0:
        sys.exit("%s ended with %d: %s" % (" ".join(words[:2]), process.returncode, said.strip()))


def make(tool, folder, encoding):
    """Make the data of one encoding in a new folder, and have the tool check it; return the folder."""
    target = os.path.join(folder, encoding)
    os.mkdir(target)
    words = [tool, "make", target, "--name", "check", "--labels", str(len(CLASSES)), "--resize", str(SIDE)]
    words += ["--encoding", encoding]
    for kind, content in sorted(archives().items()):
        path = os.path.join(folder, kind + ".tar")
        with open(path, "wb") as file:
            file.write(content)
        words += ["--" + kind, path, "--%s-md5" % kind, hashlib.md5(content).hexdigest()]
    run(words)
    run([tool, "check", target, "--name", "check"])
    return target


def read(database, count):
    """Return `count` pictures and labels of an LMDB, as the trainer's own operators give them."""
    workspace.ResetWorkspace()
    workspace.RunOperatorOnce(core.CreateOperator("CreateDB", [], ["db"], db=str(database), db_type=str("lmdb")))
    values = dict(mean=128.0, std=128.0, scale=SIDE, crop=SIDE, mirror=0, is_test=1, use_caffe_datum=1)
    workspace.RunOperatorOnce(
        core.CreateOperator("ImageInput", ["db"], ["data", "label"], batch_size=count, decode_threads=1, **values)
    )
    return workspace.FetchBlob("data"), workspace.FetchBlob("label")


def faults(target, encoding):
    """Yield what Caffe2 reads otherwise than it was made."""
    for name, count in (("train", EACH * len(CLASSES)), ("val", len(CLASSES))):
        pictures, labels = read(os.path.join(target, name + "_lmdb"), count)
        if sorted(labels.tolist()) != sorted(list(range(len(CLASSES))) * (count // len(CLASSES))):
            yield "%s data of %s: Caffe2 reads the labels %s" % (encoding, name, labels.tolist())
            continue
        for one, label in zip(pictures, labels):
            # A point is blue, green and red.
            seen = [one[:, :, place] for place in (2, 1, 0)]
            wanted = [1.0 if place == label else -1.0 for place in range(len(CLASSES))]
            if any(abs(plane - value).max() > SLACK for plane, value in zip(seen, wanted)):
                means = ["%.2f" % plane.mean() for plane in seen]
                yield "%s data of %s: Caffe2 reads %s as %s" % (encoding, name, CLASSES[label], means)
                break


def main(tool):
    """Return the exit status, each fault told."""
    folder = tempfile.mkdtemp(prefix="rocestack-check.")
    try:
        found = [fault for encoding in ("raw", "jpeg") for fault in faults(make(tool, folder, encoding), encoding)]
    finally:
        shutil.rmtree(folder)
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
