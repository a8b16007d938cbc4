#!/usr/bin/env python3
"""Applies OXDL 2 patches: a decoder of another make, from docs/oxdl.md alone.

usage: decode.py [-v] BASE PATCH OUT    rebuild the flat space of the target; -v tells what it met
       decode.py --golden FOLDER        rebuild NAME.target of every NAME.oxdl there, by NAME.base

It needs nothing besides Python 3, but for frames and planes that hold zstd: the zstd command.
Exit status: 0 done, 1 the patch is damaged or not for this base, 2 usage, 77 there is no zstd.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from decoder import edit, numbers  # noqa: E402
from decoder.common import Damaged, Missing, Reader, want, xxh64  # noqa: E402

END, COPY, RAW, ZSTD, XOR, SUB, NUMBERS, EDIT = range(8)
WORDS = ("end", "copy", "raw", "zstd", "xor", "sub", "numbers", "edit")
MIB = 1 << 20


# --- the header -----------------------------------------------------------------------------------
def path_ok(path):
    try:
        words = path.decode().split("/")
    except UnicodeDecodeError:
        return False
    return (1 <= len(path) <= 1024 and len(words) <= 32 and
            all(0 < len(word.encode()) <= 255 and word not in (".", "..") for word in words) and
            not any(c < 32 or c in (127, 92) for c in path))


def read_table(body):
    files, count = [], body.varint()
    want(1 <= count <= 4096, "a table of", count, "files")
    for _ in range(count):
        path = body.take(body.varint())
        want(path_ok(path), "a path that cannot be")
        flags = body.u8()
        want(flags <= 1, "flags of a file")
        files.append((path, flags, body.varint(), body.take(32)))
    paths = [file[0] for file in files]
    want(all(a < b for a, b in zip(paths, paths[1:])), "files are not sorted")
    folders = {path[:i] for path in paths for i in range(len(path)) if path[i:i + 1] == b"/"}
    want(not folders & set(paths), "a file is the folder of another")
    return files


def check_table(files, size, digest):
    want(sum(file[2] for file in files) == size, "the files do not add up")
    if len(files) == 1:
        want(files[0][3] == digest, "the file's digest is another")
        return
    rows = [{"mode": "0755" if flags else "0644", "path": path.decode(), "sha256": sha.hex(),
             "size": length} for path, flags, length, sha in files]
    text = json.dumps({"files": rows}, separators=(",", ":"), ensure_ascii=False)
    want(hashlib.sha256(text.encode()).digest() == digest, "the files' digest is another")


class Header:
    def __init__(self, patch):
        want(patch.take(4) == b"OXDL", "not OXDL")
        want(patch.u8() == 2, "not version 2")
        flags = patch.u8()
        want(flags <= 1, "unknown flags")
        length = patch.varint()
        want(length <= 16 * MIB, "the header is too long")
        body = Reader(patch.take(length))
        want(xxh64(patch.data[:patch.at]) == patch.u64(), "the header's sum is wrong")
        self.operations = body.varint()
        want(self.operations < 1 << (EDIT + 1), "unknown operations")
        self.base_size, self.size = body.varint(), body.varint()
        want(max(self.base_size, self.size) < 1 << 63, "a size is too large")
        self.base_digest, self.digest = body.take(32), body.take(32)
        self.base_files = self.files = None
        if flags:
            self.base_files, self.files = read_table(body), read_table(body)
            check_table(self.base_files, self.base_size, self.base_digest)
            check_table(self.files, self.size, self.digest)
        body.end("the header")


def check_flat(what, flat, size, digest, files):
    want(len(flat) == size, "the", what, "has", len(flat), "bytes, not", size)
    if files is None:
        want(hashlib.sha256(flat).digest() == digest, "the", what, "has another digest")
        return
    at = 0
    for path, _, length, sha in files:
        want(hashlib.sha256(flat[at:at + length]).digest() == sha, "the", what, "has another",
             path.decode())
        at += length


# --- operations -----------------------------------------------------------------------------------
def unzstd(packed, n, prefix=b""):
    if shutil.which("zstd") is None:
        raise Missing("the patch holds zstd frames, and there is no zstd command")
    with tempfile.TemporaryDirectory() as folder:
        at = os.path.join(folder, "prefix")
        with open(at, "wb") as file:
            file.write(prefix)
        command = ["zstd", "-dcq", "--long=31"] + (["--patch-from=" + at] if prefix else [])
        run = subprocess.run(command, input=packed, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=False)
    want(run.returncode == 0 and len(run.stdout) == n, "zstd data is damaged")
    return run.stdout


def read_planes(body, n):
    width, stride = body.u8(), body.varint()
    want(width in (1, 2, 4, 8) and 1 <= stride <= 256 and stride % width == 0, "planes")
    out = bytearray(n)
    for k in range(min(stride, n)):
        length, mode = -(-(n - k) // stride), body.u8()
        want(mode <= 2, "there is no plane of mode", mode)
        if mode == 0:
            plane = body.take(1) * length
        elif mode == 1:
            plane = body.take(length)
        else:
            plane = unzstd(body.take(body.varint()), length)
        out[k::stride] = plane
    body.end("planes")
    return width, bytes(out)


def xored(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def rebuild_sub(G, D, width):
    out, mask = bytearray(), (1 << 8 * width) - 1
    whole = len(G) // width * width
    for at in range(0, whole, width):
        d = int.from_bytes(D[at:at + width], "little")
        g = int.from_bytes(G[at:at + width], "little")
        out += (g + (d >> 1 ^ (mask if d & 1 else 0)) & mask).to_bytes(width, "little")
    return bytes(out) + xored(G[whole:], D[whole:])


def rebuild(op, G, n, body, notes):
    if op in (COPY, XOR, SUB):
        want(len(G) == n, "ranges do not add up to the target bytes")
    if op == COPY:
        want(not body, "a copy with a body")
        return G
    if op == RAW:
        want(not G and len(body) == n, "raw bytes do not add up")
        return body
    if op == ZSTD:
        return unzstd(body, n, G)
    if op in (XOR, SUB):
        width, D = read_planes(Reader(body), n)
        want(op == SUB or width == 1, "planes of xor are wider than 1")
        return xored(G, D) if op == XOR else rebuild_sub(G, D, width)
    if op == NUMBERS:
        return numbers.decode(body, G, n, notes)
    return edit.Edits(body, G).decode(n)


# --- frames ---------------------------------------------------------------------------------------
def gather(patch, base, out):
    count = patch.varint()
    want(count <= 256, count, "ranges")
    parts, expected, total = [], len(out), 0
    for _ in range(count):
        word = patch.varint()
        length = word >> 1
        total += length
        want(0 < length and total <= 4 * MIB, "ranges are too long")
        place = patch.varint()
        if word & 1:
            begin, side = len(out) - place, out
        else:
            begin = (expected + (place >> 1 ^ -(place & 1))) & ((1 << 64) - 1)
            expected, side = begin + length, base
        want(0 <= begin <= len(side) - length, "a range lies outside")
        parts.append(bytes(side[begin:begin + length]))
    return b"".join(parts)


def apply(base, data, notes):
    patch = Reader(data)
    header = Header(patch)
    check_flat("base", base, header.base_size, header.base_digest, header.base_files)
    out, frames = bytearray(), 0
    while True:
        op = patch.u8()
        if op == END:
            break
        want(op <= EDIT and header.operations >> op & 1, "an operation that was not announced:", op)
        n, length = patch.varint(), patch.varint()
        want(1 <= n <= 4 * MIB and length <= MIB, "a frame is too large")
        G = gather(patch, base, out)
        want(op not in (XOR, SUB, NUMBERS) or max(n, len(G)) <= MIB, "a frame is too large")
        want(op == COPY or n + len(G) + length <= 5 * MIB, "a frame is too large")
        total = patch.u64()
        bytes_ = rebuild(op, G, n, patch.take(length), notes)
        want(xxh64(bytes_, len(out)) == total, "the sum of frame", frames, "is wrong")
        notes.add("operation %s" % WORDS[op])
        out += bytes_
        frames += 1
        want(len(out) <= header.size, "the frames rebuild too much")
    want(patch.varint() == frames, "frames are missing")
    patch.end("the patch")
    check_flat("target", bytes(out), header.size, header.digest, header.files)
    return bytes(out)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def golden(folder):
    notes, skipped, done = set(), 0, 0
    for name in sorted(os.listdir(folder)):
        stem, suffix = os.path.splitext(os.path.join(folder, name))
        if suffix != ".oxdl":
            continue
        try:
            out = apply(contents(stem + ".base"), contents(stem + suffix), notes)
            want(out == contents(stem + ".target"), "it rebuilds another target")
            done += 1
        except Damaged as error:
            raise Damaged("%s: %s" % (name, error)) from None
        except Missing as missing:
            print("SKIPPED: %s: %s" % (name, missing))
            skipped += 1
    print("%d patches rebuilt, %d skipped" % (done, skipped))
    want(done > 0, "there is no patch in", folder)
    return notes


def main(words):
    told = words[:1] == ["-v"]
    words = words[told:]
    notes = set()
    try:
        if len(words) == 2 and words[0] == "--golden":
            notes = golden(words[1])
        elif len(words) == 3:
            out = apply(contents(words[0]), contents(words[1]), notes)
            with open(words[2], "wb") as file:
                file.write(out)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Damaged as error:
        print("decode.py: %s" % error, file=sys.stderr)
        return 1
    except Missing as missing:
        print("decode.py: %s" % missing, file=sys.stderr)
        return 77
    if told:
        print("\n".join(sorted(notes)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
