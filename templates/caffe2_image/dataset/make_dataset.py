#!/usr/bin/env python
"""Make the training data of labelled images in ImageNet's layout (guide: "Appendix A - Prepare LMDB format Dataset").

usage: rocestack-dataset make TARGET --name NAME --labels N --train TAR --train-md5 SUM --val TAR --val-md5 SUM
           --lists TAR --lists-md5 SUM [--resize PIXELS] [--encoding raw|jpeg] [--workers N]
       rocestack-dataset check TARGET --name NAME

--train holds one tarball a class (n01440764.tar, ...), --val the validation images, --lists Caffe's synsets.txt,
train.txt and val.txt. `make` gives the folder TARGET train_lmdb, val_lmdb, mean.binaryproto and manifest, written
last. Work lies in TARGET/.rocestack-new: a run that was cut off goes on there, class by class. What lies in TARGET
and is right stays. `check` reads all of TARGET against its manifest. Both print the manifest; exit status 1 and one
sentence on an error.

Records, their keys and the mean image are as Caffe's convert_imageset and compute_image_mean make them; no Caffe is
needed. Python 2.7, or 3.5 and later, with lmdb, numpy and PIL.
"""

from __future__ import division, print_function, unicode_literals

import argparse
import os
import sys

from dataset_archives import ARCHIVES, SETS, check_archives, read_lists, unpack_all
from dataset_files import DatasetError, free_bytes, in_folder, read_text, remove, say, size, write_text
from dataset_records import PAGE, check, describe
from dataset_write import write_set

WORK = ".rocestack-new"
PARTS = ("train_lmdb", "val_lmdb", "mean.binaryproto")


def check_room(options, images, work):
    """Raise DatasetError before anything is unpacked, if the disk has no room for all of it."""
    pixels = options.resize * options.resize
    # A raw record takes whole pages of the LMDB; a JPEG of that many pixels stays well below a byte each.
    record = (3 * pixels // PAGE + 2) * PAGE if options.encoding == "raw" else pixels
    needed = os.path.getsize(options.train) + os.path.getsize(options.val) + images * record
    done = sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(work) for name in names
    )
    free = free_bytes(work)
    if free < needed - done:
        raise DatasetError(
            "no room in %s: %s are free, and making %d images takes %s more"
            % (options.target, size(free), images, size(needed - done))
        )


def made_of(options):
    """Return what the work in progress is of: of another archive or size nothing can be used."""
    words = [options.name, options.labels, options.resize, options.encoding]
    return " ".join(str(word) for word in words + [getattr(options, name + "_md5") for name in ARCHIVES])


def make(options):
    """Make the data in `target`, or keep what is right there; return the manifest."""
    target, work = options.target, os.path.join(options.target, WORK)
    try:
        noted = check(target, options.name)
        remove(work)
        say("the data is in place")
        return noted
    except DatasetError as error:
        say("to be made: %s" % error)
    if read_text(os.path.join(work, "of")) != made_of(options):
        remove(work)  # of other data
    write_text(os.path.join(in_folder(work), "of"), made_of(options))
    check_archives(options, work)
    classes, lists = read_lists(options.lists, options.labels)
    check_room(options, sum(map(len, lists.values())), work)
    unpack_all(options, classes, work)
    for name in SETS:
        write_set(options, name, lists[name], work)
    noted = describe(work, options.name, options.labels)
    for name in SETS:
        if "%s_images=%d\n" % (name, len(lists[name])) not in noted:
            remove(os.path.join(work, name + "_lmdb.done"))
            raise DatasetError("%s_lmdb does not hold the %d images of its list" % (name, len(lists[name])))
    remove(os.path.join(target, "manifest"))
    for name in PARTS:
        remove(os.path.join(target, name))
        os.rename(os.path.join(work, name), os.path.join(target, name))
    write_text(os.path.join(target, "manifest"), noted)
    remove(work)
    say("the data is made")
    return noted


def parser():
    """The command line."""
    words = argparse.ArgumentParser(prog="rocestack-dataset", description=__doc__.splitlines()[0])
    words.add_argument("do", choices=("make", "check"))
    words.add_argument("target")
    words.add_argument("--name", required=True)
    for name in ARCHIVES:
        words.add_argument("--" + name)
        words.add_argument("--" + name + "-md5")
    words.add_argument("--labels", type=int)
    words.add_argument("--resize", type=int, default=256)
    words.add_argument("--encoding", choices=("raw", "jpeg"), default="raw")
    words.add_argument("--workers", type=int, default=4)
    return words


def main(arguments):
    """Do what the module's docstring says; print the manifest."""
    options = parser().parse_args(arguments)
    if not os.path.isdir(options.target):
        raise DatasetError("%s is no folder" % options.target)
    if options.do == "check":
        noted = check(options.target, options.name)
    else:
        missing = [key for key, value in sorted(vars(options).items()) if value is None]
        if missing:
            raise DatasetError("make needs --%s" % missing[0].replace("_", "-"))
        noted = make(options)
    sys.stdout.write(str(noted))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (DatasetError, EnvironmentError) as error:
        sys.exit("rocestack-dataset: %s" % error)
