#!/usr/bin/python3
"""Make the training data: patches of real photographs, as two LMDBs that Caffe's own tools write.

One photograph is one label. Training patches come from its left half and validation patches from its right
half, so they share no pixel. Positions, order and encoding are fixed: every host makes the same records.

usage: rocestack-dataset TARGET

TARGET, a folder, gets train_lmdb, val_lmdb, mean.binaryproto and manifest, written last. What lies there and
is right stays, otherwise it is made anew. Prints the manifest. Exit status 1 with one sentence on an error.
"""

import hashlib
import os
import random
import shutil
import subprocess
import sys

import lmdb
from PIL import Image

PHOTOGRAPHS = "/usr/share/rocestack/photographs"
PATCH_PIXELS = 192  # the narrowest half; the trainer's crops are a part of it
PATCHES = (("train", "left", 120), ("val", "right", 24))  # set, half of the photograph, patches of each
STORED_PIXELS = 256  # the trainer scales to this size
SEED = 1512
FORMAT = "1"


class DatasetError(Exception):
    """What cannot be done, as one sentence for the person."""


def photographs():
    """The photographs as sorted (label name, path)."""
    names = sorted(n for n in os.listdir(PHOTOGRAPHS) if n.endswith((".png", ".jpg")))
    if not names:
        raise DatasetError("no photographs in %s: the image was built without them" % PHOTOGRAPHS)
    return [(n.rsplit(".", 1)[0], os.path.join(PHOTOGRAPHS, n)) for n in names]


def cut(photo, half, count, seed):
    """Yield `count` square patches at fixed random places of the left or right half of a photograph."""
    middle = photo.width // 2
    left, right = (0, middle) if half == "left" else (middle, photo.width)
    if right - left < PATCH_PIXELS or photo.height < PATCH_PIXELS:
        raise DatasetError("a half of %s is smaller than %d pixels" % (photo.filename, PATCH_PIXELS))
    place = random.Random(seed)
    whole = photo.convert("RGB")
    for _ in range(count):
        x = place.randint(left, right - PATCH_PIXELS)
        y = place.randint(0, photo.height - PATCH_PIXELS)
        yield whole.crop((x, y, x + PATCH_PIXELS, y + PATCH_PIXELS))


def write_patches(folder, half, per_label):
    """Write the JPEG tree and its list; return the list's path. The list is in a fixed random order."""
    rows = []
    for label, (name, path) in enumerate(photographs()):
        os.makedirs(os.path.join(folder, name))
        with Image.open(path) as photo:
            patches = cut(photo, half, per_label, "%d/%s/%s" % (SEED, name, half))
            for number, patch in enumerate(patches):
                relative = "%s/%04d.JPEG" % (name, number)
                patch.save(os.path.join(folder, relative), "JPEG", quality=90)
                rows.append("%s %d\n" % (relative, label))
    random.Random("%d/%s" % (SEED, half)).shuffle(rows)
    listing = folder + ".txt"
    with open(listing, "w") as file:
        file.writelines(rows)
    return listing


def run_tool(*words):
    """Run one of Caffe's tools; its log is shown only when it fails."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode != 0:
        raise DatasetError("%s failed (exit status %d):\n%s" % (words[0], done.returncode, done.stdout))


def read_records(path):
    """The number of records of an LMDB and the SHA-256 over its keys and values, in order."""
    digest, count = hashlib.sha256(), 0
    with lmdb.open(path, readonly=True, lock=False) as database, database.begin() as view:
        for key, value in view.cursor():
            digest.update(b"%d %d\n" % (len(key), len(value)) + key + value)
            count += 1
    return count, digest.hexdigest()


def describe(folder):
    """What the LMDBs in `folder` hold, as the manifest's text."""
    facts = {"format": FORMAT, "labels": str(len(photographs()))}
    for name in ("train", "val"):
        count, digest = read_records(os.path.join(folder, name + "_lmdb"))
        facts[name + "_images"], facts[name + "_sha256"] = str(count), digest
    return "".join("%s=%s\n" % item for item in sorted(facts.items()))


def is_right(target):
    """Whether `target` holds what is wanted; what is there but damaged counts as not right."""
    try:
        with open(os.path.join(target, "manifest")) as file:
            noted = file.read()
        found = describe(target)
        os.stat(os.path.join(target, "mean.binaryproto"))
    except (OSError, lmdb.Error):
        return False
    wanted = ["%s_images=%d\n" % (name, len(photographs()) * count) for name, _, count in PATCHES]
    return noted == found and all(line in noted for line in wanted)


def make(folder):
    """Make everything in the new folder `folder`."""
    os.makedirs(folder)
    for name, half, per_label in PATCHES:
        tree = os.path.join(folder, name)
        listing = write_patches(tree, half, per_label)
        run_tool(
            "convert_imageset",
            "--backend=lmdb",
            "--resize_height=%d" % STORED_PIXELS,
            "--resize_width=%d" % STORED_PIXELS,
            "--encoded",
            "--encode_type=jpg",
            tree + "/",
            listing,
            tree + "_lmdb",
        )
        if read_records(tree + "_lmdb")[0] != per_label * len(photographs()):
            raise DatasetError("convert_imageset left out pictures of %s" % tree)
    mean = os.path.join(folder, "mean.binaryproto")
    run_tool("compute_image_mean", os.path.join(folder, "train_lmdb"), mean)
    with open(os.path.join(folder, "manifest"), "w") as file:
        file.write(describe(folder))


def remove(path):
    """Remove a file or a folder, if there is one."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


def main(arguments):
    """Do what the module's docstring says."""
    if len(arguments) != 1 or not os.path.isdir(arguments[0]):
        raise DatasetError("usage: rocestack-dataset TARGET (a folder that is there)")
    target = arguments[0]
    manifest = os.path.join(target, "manifest")
    new = os.path.join(target, ".rocestack-new")
    remove(new)  # of a run that was cut off
    if is_right(target):
        print("the training data is in place", file=sys.stderr)
    else:
        make(new)
        remove(manifest)
        for name in ("train_lmdb", "val_lmdb", "mean.binaryproto", "manifest"):
            remove(os.path.join(target, name))
            os.rename(os.path.join(new, name), os.path.join(target, name))
        remove(new)
        print("the training data is made", file=sys.stderr)
    with open(manifest) as file:
        sys.stdout.write(file.read())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (DatasetError, OSError, lmdb.Error) as error:
        sys.exit("rocestack-dataset: %s" % error)
