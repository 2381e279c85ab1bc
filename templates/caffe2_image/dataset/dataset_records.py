"""What a folder of training data holds: the records of its LMDBs, read whole and held against its manifest.

Python 2.7, or 3.5 and later, as the images have it, with lmdb and PIL.
"""

from __future__ import division, print_function, unicode_literals

import hashlib
import io
import os
import struct
from contextlib import closing

import lmdb
from dataset_archives import SETS
from dataset_files import DatasetError, read_text
from PIL import Image

FORMAT = "2"
PAGE = 4096


def check_whole(path):
    """Raise DatasetError for an LMDB file that is missing or shorter than its own two heads say.

    Reading behind the end of a mapped file would kill the process.
    """
    if not os.path.isfile(path):
        raise DatasetError("%s is missing" % path)
    with open(path, "rb") as file:
        heads = [file.read(PAGE), file.read(PAGE)]
    newest = (-1, 0)
    for head in heads:
        if len(head) < 152 or struct.unpack_from("<I", head, 16)[0] != 0xBEEFC0DE:
            raise DatasetError("%s is cut off or no LMDB" % path)
        page, (last, number) = struct.unpack_from("<I", head, 40)[0], struct.unpack_from("<QQ", head, 136)
        newest = max(newest, (number, (last + 1) * page))
    if os.path.getsize(path) < newest[1]:
        raise DatasetError("%s is cut off: %d bytes of %d" % (path, os.path.getsize(path), newest[1]))


def read_number(data, at):
    """Return a protobuf number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def read_datum(record):
    """Return the fields of a caffe.Datum by their numbers: 1-3 its shape, 4 the bytes, 5 the label, 7 encoded."""
    data, at, fields = bytearray(record), 0, {}
    while at < len(data):
        tag, at = read_number(data, at)
        if tag & 7 == 0:
            fields[tag >> 3], at = read_number(data, at)
        elif tag & 7 == 2:
            length, at = read_number(data, at)
            fields[tag >> 3], at = (at, at + length), at + length
        else:
            raise ValueError("field of kind %d" % (tag & 7))
    if at != len(data):
        raise ValueError("it is cut off")
    start, end = fields.get(4, (0, 0))
    fields[4] = record[start:end]
    return fields


def check_sample(fields):
    """Raise ValueError for a record whose picture cannot be had."""
    if fields.get(7):
        with closing(io.BytesIO(fields[4])) as file:
            Image.open(file).load()
    elif len(fields[4]) != fields.get(1, 0) * fields.get(2, 0) * fields.get(3, 0) or not fields[4]:
        raise ValueError("%d bytes are not its shape" % len(fields[4]))


def read_records(folder, labels):
    """Return an LMDB's number of records and the sha256 over its keys and values, in order.

    All records are parsed, and ever rarer ones (1, 2, 4, 8, ...) have their picture decoded.
    """
    check_whole(os.path.join(folder, "data.mdb"))
    digest, count = hashlib.sha256(), 0
    try:
        with lmdb.open(folder, readonly=True, lock=False) as database, database.begin(buffers=False) as view:
            for key, value in view.cursor():
                digest.update(b"%s\n" % struct.pack("<QQ", len(key), len(value)) + key + value)
                count += 1
                fields = read_datum(value)
                if not 0 <= fields.get(5, 0) < labels:
                    raise ValueError("its label is %d" % fields.get(5, 0))
                if count & (count - 1) == 0:
                    check_sample(fields)
    except lmdb.Error as error:
        raise DatasetError("%s is damaged: %s" % (folder, error))
    except (ValueError, IndexError, IOError, SyntaxError) as error:
        raise DatasetError("record %d of %s cannot be decoded: %s" % (count, folder, error))
    return count, digest.hexdigest()


def describe(folder, name, labels):
    """Return what `folder` holds, as the manifest's text; reads all of it."""
    facts = {"format": FORMAT, "labels": str(labels), "name": name}
    for one in SETS:
        count, digest = read_records(os.path.join(folder, one + "_lmdb"), labels)
        facts[one + "_images"], facts[one + "_sha256"] = str(count), digest
    mean = os.path.join(folder, "mean.binaryproto")
    if not os.path.isfile(mean):
        raise DatasetError("%s is missing" % mean)
    with open(mean, "rb") as file:
        facts["mean_sha256"] = hashlib.sha256(file.read()).hexdigest()
    return "".join("%s=%s\n" % item for item in sorted(facts.items()))


def check(target, name):
    """Return the manifest of `target` after reading all that it names; DatasetError where they differ."""
    noted = read_text(os.path.join(target, "manifest"))
    if noted is None:
        raise DatasetError("%s has no manifest" % target)
    facts = dict(line.partition("=")[::2] for line in noted.splitlines())
    if facts.get("name") != name or facts.get("format") != FORMAT or not facts.get("labels", "").isdigit():
        raise DatasetError("%s holds %s, not %s" % (target, facts.get("name", "other data"), name))
    if describe(target, name, int(facts["labels"])) != noted:
        raise DatasetError("%s does not hold the records that its manifest names" % target)
    return noted
