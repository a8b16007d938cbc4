#!/usr/bin/env python3
"""Makes the golden patches, from docs/oxdl.md alone: it shares no code with oxide.

usage: make.py    writes good/ (but for coded-*), bad/ and ../oxdl1/ anew (needs the zstd command,
                  1.4.5 or later)

A second writer of the format, so that a misreading of the specification cannot hide in both ends of
our own. The tests read the files that lie here and never run this.
"""
import glob
import hashlib
import json
import os
import shutil
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
END, COPY, RAW, ZSTD, XOR, SUB = range(6)
ALL = 0x3F
MASK = (1 << 64) - 1


# --- XXH64, by its specification ------------------------------------------------------------------
def xxh64(data, seed=0):
    p1, p2, p3, p4, p5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                          0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)

    def rotl(x, r):
        return ((x << r) | (x >> (64 - r))) & MASK

    def rnd(acc, lane):
        return rotl((acc + lane * p2) & MASK, 31) * p1 & MASK

    at, n = 0, len(data)
    if n >= 32:
        acc = [(seed + p1 + p2) & MASK, (seed + p2) & MASK, seed, (seed - p1) & MASK]
        while n - at >= 32:
            for i, lane in enumerate(struct.unpack_from("<4Q", data, at)):
                acc[i] = rnd(acc[i], lane)
            at += 32
        out = (rotl(acc[0], 1) + rotl(acc[1], 7) + rotl(acc[2], 12) + rotl(acc[3], 18)) & MASK
        for lane in acc:
            out = ((out ^ rnd(0, lane)) * p1 + p4) & MASK
    else:
        out = (seed + p5) & MASK
    out = (out + n) & MASK
    while n - at >= 8:
        out = (rotl(out ^ rnd(0, struct.unpack_from("<Q", data, at)[0]), 27) * p1 + p4) & MASK
        at += 8
    if n - at >= 4:
        lane = struct.unpack_from("<I", data, at)[0] * p1 & MASK
        out = (rotl(out ^ lane, 23) * p2 + p3) & MASK
        at += 4
    for byte in data[at:]:
        out = rotl(out ^ (byte * p5 & MASK), 11) * p1 & MASK
    out = (out ^ out >> 33) * p2 & MASK
    out = (out ^ out >> 29) * p3 & MASK
    return out ^ out >> 32


assert xxh64(b"") == 0xEF46DB3751D8E999 and xxh64(b"abc") == 0x44BC2CF5AD770999


# --- the format -----------------------------------------------------------------------------------
def varint(value, pad=0):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(pad):  # over-long on purpose
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def zigzag(value):
    return (value << 1 ^ (value >> 63)) & MASK


def sha(data):
    return hashlib.sha256(data).digest()


def table(files):
    """files: [(path, bytes, executable)], sorted by path"""
    out = varint(len(files))
    for path, data, executable in files:
        name = path if isinstance(path, bytes) else path.encode()
        out += varint(len(name)) + name + bytes([executable]) + varint(len(data)) + sha(data)
    return out


def digest(files):
    if len(files) == 1:
        return sha(files[0][1])
    rows = [{"mode": "0755" if x else "0644", "path": p, "sha256": sha(d).hex(), "size": len(d)}
            for p, d, x in files]
    return sha(json.dumps({"files": rows}, separators=(",", ":"), ensure_ascii=False).encode())


def seal(front):
    return front + struct.pack("<Q", xxh64(front))


def wrap(body, flags=0, version=2, magic=b"OXDL", length=None):
    length = varint(len(body)) if length is None else length
    return seal(magic + bytes([version, flags]) + length + body)


def header(base, target, ops=ALL, **options):
    return wrap(varint(ops) + varint(len(base)) + varint(len(target)) + sha(base) + sha(target),
                **options)


def header_of_files(base, target, ops=ALL, base_table=None, target_table=None, digests=None):
    flat = [b"".join(f[1] for f in side) for side in (base, target)]
    digests = digests or (digest(base), digest(target))
    return wrap(varint(ops) + varint(len(flat[0])) + varint(len(flat[1])) + digests[0] +
                digests[1] + (table(base) if base_table is None else base_table) +
                (table(target) if target_table is None else target_table), flags=1)


class Patch:
    """Frames against a base, with what they rebuild worked out independently of any decoder."""

    def __init__(self, base, front=b""):
        self.base, self.bytes, self.target, self.frames = base, front, b"", 0

    def frame(self, op, rebuilt, body=b"", ranges=(), sum_of=None, target_bytes=None):
        at = len(self.target)
        out = bytes([op]) + varint(len(rebuilt) if target_bytes is None else target_bytes)
        out += varint(len(body)) + varint(len(ranges))
        expected = at
        for kind, offset, length in ranges:
            out += varint(length << 1 | (kind == "target"))
            if kind == "target":
                out += varint((at - offset) & MASK)
            else:
                out += varint(zigzag(offset - expected))
                expected = offset + length
        out += struct.pack("<Q", xxh64(rebuilt if sum_of is None else sum_of, at)) + body
        self.bytes += out
        self.target += rebuilt
        self.frames += 1
        return self

    def gather(self, ranges):
        return b"".join((self.base if kind == "base" else self.target)[o:o + n]
                        for kind, o, n in ranges)

    def copy(self, *ranges):
        return self.frame(COPY, self.gather(ranges), ranges=ranges)

    def raw(self, data):
        return self.frame(RAW, data, body=data)

    def numbers(self, op, target, ranges, width, stride, modes):
        base = self.gather(ranges)
        diff = bytes(a ^ b for a, b in zip(target, base))
        if op == SUB:
            whole = len(target) // width * width
            diff = fold(target[:whole], base[:whole], width) + diff[whole:]
        body = bytes([width]) + varint(stride)
        for k in range(stride):
            plane = diff[k::stride]
            if plane:
                mode = modes[k % len(modes)]
                if mode == 0 and len(set(plane)) > 1:
                    mode = 1
                body += bytes([mode]) + {0: lambda: plane[:1], 1: lambda: plane,
                                         2: lambda: packed(plane)}[mode]()
        return self.frame(op, target, body=body, ranges=ranges)

    def end(self, frames=None):
        return self.bytes + bytes([END]) + varint(self.frames if frames is None else frames)


def packed(plane):
    data = zstd(plane)
    return varint(len(data)) + data


def fold(target, base, width):
    bits, out = 8 * width, b""
    for i in range(0, len(target), width):
        d = int.from_bytes(target[i:i + width], "little") - int.from_bytes(base[i:i + width], "little")
        d &= (1 << bits) - 1
        if d >> (bits - 1):  # negative
            d = (~(d << 1)) & ((1 << bits) - 1)
        else:
            d <<= 1
        out += d.to_bytes(width, "little")
    return out


def zstd(data, prefix=None, level="-12"):
    """One frame by the zstd command, with a prefix as its --patch-from takes it."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("in", "prefix", "out")]
        for path, content in zip(paths, (data, prefix or b"")):
            with open(path, "wb") as file:
                file.write(content)
        extra = [] if prefix is None else ["--patch-from=" + paths[1]]
        subprocess.run(["zstd", "-q", level, *extra, paths[0], "-o", paths[2]], check=True,
                       stderr=subprocess.DEVNULL)
        with open(paths[2], "rb") as file:
            return file.read()


def zstd_stored(data):
    """A frame of one stored block, by hand (RFC 8878): no content size, a window of 1 KiB."""
    return b"\x28\xb5\x2f\xfd\x00\x00" + struct.pack("<I", len(data) << 3 | 1)[:3] + data


# --- files ----------------------------------------------------------------------------------------
def write(name, data):
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def noise(n, seed):
    out = bytearray()
    state = seed
    while len(out) < n:
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        out.append(state >> 56)
    return bytes(out)


BASE = noise(300, 1)


def good(name, patch, base, make_header=None):
    head = header(base, patch.target) if make_header is None else make_header
    write(f"good/{name}.base", base)
    write(f"good/{name}.target", patch.target)
    write(f"good/{name}.oxdl", head + patch.end())


def make_good():
    good("example", Patch(b"hello\n").raw(b"hello world\n"), b"hello\n",
         header(b"hello\n", b"hello world\n", ops=0x05))
    good("empty_target", Patch(BASE), BASE)
    good("empty_base", Patch(b"").raw(b"abc").copy(("target", 1, 2), ("target", 0, 3)), b"")
    good("both_empty", Patch(b""), b"")
    good("same", Patch(BASE).copy(("base", 0, 300)), BASE)
    good("copy_moves", Patch(BASE).copy(("base", 200, 100), ("base", 0, 7), ("base", 299, 1))
         .raw(b"x").copy(("target", 0, 109)).copy(("target", 217, 1), ("base", 5, 3),
                                                 ("target", 3, 50), ("base", 0, 300)), BASE)
    changed = BASE[:120] + b"changed here" + BASE[120:]
    patch = Patch(BASE).frame(ZSTD, changed, body=zstd(changed, BASE), ranges=[("base", 0, 300)])
    text = b"the same words again and again, " * 30
    patch.frame(ZSTD, text, body=zstd(text))
    again = text[32:] + b"!"
    patch.frame(ZSTD, again, body=zstd(again, text[:640]), ranges=[("target", len(changed), 640)])
    patch.frame(ZSTD, b"stored", body=zstd_stored(b"stored"), ranges=[("base", 10, 20)])
    good("zstd", patch, BASE)
    patch = Patch(BASE)
    for n, stride, modes in ((299, 4, (0, 1, 2)), (17, 256, (1,)), (1, 1, (0,)), (128, 1, (2,))):
        near = bytes(b ^ (i % 3 == 0) for i, b in enumerate(BASE[1:1 + n]))
        patch.numbers(XOR, near, [("base", 1, n)], 1, stride, modes)
    good("xor", patch, BASE)
    patch = Patch(BASE)
    for width in (1, 2, 4, 8):
        for stride in (width, 2 * width, 256):
            near = bytearray(BASE[:203])
            for i in range(0, 200, 3 * width):  # small steps both ways, with borrows
                number = int.from_bytes(near[i:i + width], "little") + (-1) ** i * (i + 1)
                near[i:i + width] = (number & ((1 << 8 * width) - 1)).to_bytes(width, "little")
            near[-1] ^= 0x55
            patch.numbers(SUB, bytes(near), [("base", 0, 100), ("base", 100, 103)], width, stride,
                          (2, 1, 0))
    good("sub", patch, BASE)
    base = [("a.bin", BASE[:100], 0), ("empty", b"", 0), ("run.sh", BASE[100:], 1)]
    target = [("A", b"", 0), ("a.bin", BASE[:100], 0), ("d/\u00e9 \u4e2d", b"new", 0),
              ("run.sh", BASE[150:], 0), ("z", b"", 1)]
    good("files", Patch(BASE).copy(("base", 0, 100)).raw(b"new" + BASE[150:160])
         .copy(("base", 160, 140)), BASE, header_of_files(base, target))
    one = [("model.onnx", BASE, 0)]
    good("one_file_in_a_table", Patch(BASE).copy(("base", 0, 300)), BASE,
         header_of_files(one, one))


def bad_read(name, data):
    write(f"bad/read/{name}.oxdl", data)


def bad_rebuild(name, data):
    write(f"bad/rebuild/{name}.oxdl", data)


def make_bad_headers():
    same = Patch(BASE).copy(("base", 0, 300))
    rest = same.end()
    sizes = varint(300) + varint(300)
    digests = sha(BASE) + sha(BASE)
    whole = header(BASE, BASE)
    bad_read("corrupt-wrong_magic", header(BASE, BASE, magic=b"OXDM") + rest)
    bad_read("unsupported-version_3", header(BASE, BASE, version=3) + rest)
    bad_read("unsupported-version_0", header(BASE, BASE, version=0) + rest)
    bad_read("unsupported-unknown_flag", header(BASE, BASE, flags=2) + rest)
    bad_read("unsupported-unknown_op_bit", header(BASE, BASE, ops=ALL | 1 << 40) + rest)
    bad_read("unsupported-op_bit_63", header(BASE, BASE, ops=ALL | 1 << 63) + rest)
    bad_read("corrupt-header_sum", whole[:-1] + bytes([whole[-1] ^ 1]) + rest)
    bad_read("too_large-header_of_17_MiB", b"OXDL\x02\x00" + varint(17 << 20) + whole[8:] + rest)
    bad_read("too_large-header_of_2_63", b"OXDL\x02\x00" + varint(1 << 63) + whole[8:] + rest)
    body = varint(ALL) + sizes + digests
    bad_read("corrupt-header_length_over_long", wrap(body, length=varint(len(body), 1)) + rest)
    bad_read("corrupt-bitmap_over_long", wrap(varint(ALL, 1) + sizes + digests) + rest)
    bad_read("corrupt-bitmap_of_65_bits", wrap(b"\xff" * 9 + b"\x02" + sizes + digests) + rest)
    bad_read("corrupt-size_of_2_63",
             wrap(varint(ALL) + varint(300) + varint(1 << 63) + digests) + rest)
    bad_read("corrupt-header_leftover", wrap(body + b"\0") + rest)
    bad_read("corrupt-header_short", wrap(body[:-1]) + rest)
    bad_read("corrupt-header_empty", wrap(b"") + rest)
    bad_rebuild("base_mismatch-digest",
                wrap(varint(ALL) + sizes + sha(b"other") + sha(BASE)) + rest)
    bad_rebuild("base_mismatch-size", wrap(varint(ALL) + varint(301) + varint(300) + digests) + rest)


def make_bad_tables():
    rest = Patch(BASE).copy(("base", 0, 300)).end()
    one = [("model.bin", BASE, 0)]

    def tables(name, files, **options):
        options.setdefault("digests", (sha(BASE), digest(files)))
        bad_read(name, header_of_files(one, files, **options) + rest)

    def paths(name, *names):
        files = [(n, BASE if i == 0 else b"", 0) for i, n in enumerate(names)]
        digests = (sha(BASE), sha(b"?"))
        if all(isinstance(n, str) for n in names):
            digests = (sha(BASE), digest(files))
        tables(name, files, digests=digests)

    paths("corrupt-table_unsorted", "b", "a")
    paths("corrupt-table_duplicate", "a", "a")
    paths("corrupt-table_file_is_folder", "a", "a!", "a/b")
    for name, path in (("dotdot", "../a"), ("inner_dotdot", "a/../b"), ("absolute", "/etc/passwd"),
                       ("empty", ""), ("trailing_slash", "a/"), ("dot", "."), ("double", "a//b"),
                       ("control", "a\nb"), ("backslash", "a\\b"), ("nul", "a\0b"),
                       ("component", "a" * 256), ("too_deep", "/".join("d" * 33))):
        paths(f"corrupt-path_{name}", path)
    paths("corrupt-path_bad_utf8", b"a\xff")
    paths("corrupt-path_of_1025", "/".join(["a" * 204] * 5) + "a")
    tables("corrupt-table_digest", [("a", BASE, 0), ("b", b"", 0)], digests=(sha(BASE), sha(b"")))
    tables("corrupt-table_digest_of_one", [("a", BASE, 0)], digests=(sha(BASE), sha(b"")))
    tables("unsupported-table_file_flag", [("a", BASE, 2)])
    tables("corrupt-table_of_none", one, target_table=varint(0))
    tables("corrupt-table_of_4097", one, target_table=varint(4097))
    tables("corrupt-table_of_2_64", one, target_table=varint(MASK))
    tables("corrupt-table_count_over_long", one, target_table=varint(1, 1) + table(one)[1:])
    tables("corrupt-table_short", one, target_table=table(one)[:-1])
    tables("corrupt-table_total_over_2_63", one, digests=(sha(BASE), sha(BASE)), target_table=(
        varint(2) + b"\1a\0" + varint((1 << 63) - 1) + sha(b"") + b"\1b\0" +
        varint((1 << 63) - 1) + sha(b"")))
    flat = header_of_files(one, one)
    wrong = varint(ALL) + varint(300) + varint(301) + sha(BASE) + sha(BASE) + table(one) * 2
    bad_read("corrupt-table_size", wrap(wrong, flags=1) + rest)
    bad_read("corrupt-tables_without_flag", wrap(flat[8:-8]) + rest)


def make_bad_frames():
    def one(name, frame, size=300, ops=ALL, write_to=bad_read):
        head = wrap(varint(ops) + varint(300) + varint(size) + sha(BASE) + sha(BASE))
        write_to(name, head + frame)

    zero = b"\0" * 8

    def front(op=COPY, target=300, body=0, ranges=(), count=None, tail=zero + b"\0\1"):
        count = len(ranges) if count is None else count
        out = bytes([op]) + (target if isinstance(target, bytes) else varint(target))
        out += (body if isinstance(body, bytes) else varint(body)) + varint(count)
        return out + b"".join(varint(a) + varint(b) for a, b in ranges) + tail

    whole = (300 << 1, 0)
    one("corrupt-op_not_announced", front(ranges=[whole]), ops=ALL & ~(1 << COPY))
    one("unsupported-unknown_op", front(op=60, ranges=[whole]))
    one("unsupported-op_255", front(op=255, ranges=[whole]))
    one("corrupt-frame_of_no_bytes", front(target=0))
    one("corrupt-frame_over_4_MiB", front(target=(4 << 20) + 1), size=8 << 20)
    one("corrupt-frame_past_the_target", front(target=301))
    one("corrupt-body_over_1_MiB", front(op=RAW, body=(1 << 20) + 1))
    one("corrupt-body_of_2_64", front(op=RAW, body=MASK))
    one("corrupt-257_ranges", front(count=257, ranges=[(2, 0)] * 257))
    one("corrupt-ranges_of_2_64", front(count=MASK))
    one("corrupt-range_of_no_bytes", front(ranges=[(0, 0), whole]))
    one("corrupt-range_over_4_MiB", front(ranges=[(((4 << 20) + 1) << 1, 0)]))
    one("corrupt-range_of_2_63", front(ranges=[(MASK, 1)]))
    one("corrupt-range_past_the_base", front(ranges=[(300 << 1, zigzag(1))]))
    one("corrupt-range_before_the_base", front(ranges=[(300 << 1, zigzag(-1))]))
    one("corrupt-range_far_outside", front(ranges=[(300 << 1, zigzag(1 << 62))]))
    one("corrupt-range_wraps", front(ranges=[(300 << 1, MASK)]))
    one("corrupt-range_in_a_target_of_none", front(ranges=[(1 << 1 | 1, 0)]))
    ten = bytes([RAW]) + varint(10) + varint(10) + varint(0)
    ten += struct.pack("<Q", xxh64(BASE[:10], 0)) + BASE[:10]
    one("corrupt-range_ahead_of_the_target", ten + front(target=290, ranges=[(11 << 1 | 1, 10)]))
    one("corrupt-range_at_the_frame_itself", ten + front(target=290, ranges=[(1 << 1 | 1, 0)]))
    one("corrupt-range_before_the_target", ten + front(target=290, ranges=[(1 << 1 | 1, 11)]))
    one("corrupt-frame_length_over_long", front(target=varint(300, 1), ranges=[whole]))
    one("corrupt-frame_length_of_11_bytes", front(target=b"\x80" * 10 + b"\1", ranges=[whole]))
    one("corrupt-body_length_over_long", front(body=varint(0, 3), ranges=[whole]))
    same = header(BASE, BASE)
    bad_read("corrupt-body_cut", same + Patch(BASE).raw(BASE).bytes[:-1])
    bad_read("corrupt-no_end", same + Patch(BASE).raw(BASE).bytes)
    bad_read("corrupt-no_frames", same)
    bad_read("corrupt-end_of_two", same + Patch(BASE).raw(BASE).end(2))
    bad_read("corrupt-end_of_none", same + Patch(BASE).raw(BASE).end(0))
    bad_read("corrupt-end_too_early", same + Patch(BASE).raw(BASE[:299]).end())
    bad_read("corrupt-end_over_long", same + Patch(BASE).raw(BASE).bytes + b"\0" + varint(1, 1))
    bad_read("corrupt-byte_behind_the_end", same + Patch(BASE).raw(BASE).end() + b"\0")
    bad_read("corrupt-patch_behind_the_end", (same + Patch(BASE).raw(BASE).end()) * 2)
    bad_read("corrupt-empty_file", b"")


def make_bad_bodies():
    everything = [("base", 0, 300)]

    def one(name, op, body=b"", ranges=(), target=BASE, **options):
        patch = Patch(BASE).frame(op, target, body=body, ranges=ranges, **options)
        bad_rebuild(name, header(BASE, target) + patch.end())

    one("corrupt-sum", COPY, ranges=everything, sum_of=b"other")
    one("corrupt-sum_of_another_place", RAW, body=BASE, sum_of=b"")
    one("corrupt-copy_with_body", COPY, body=b"x", ranges=everything)
    one("corrupt-copy_of_less", COPY, ranges=[("base", 0, 299)])
    one("corrupt-copy_of_more", COPY, ranges=everything + [("base", 0, 1)])
    one("corrupt-copy_of_nothing", COPY)
    one("corrupt-raw_with_range", RAW, body=BASE, ranges=[("base", 0, 1)])
    one("corrupt-raw_of_less", RAW, body=BASE[:299])
    one("corrupt-raw_of_more", RAW, body=BASE + b"x")
    one("corrupt-zstd_empty", ZSTD)
    one("corrupt-zstd_garbage", ZSTD, body=BASE)
    one("corrupt-zstd_of_less", ZSTD, body=zstd(BASE[:299]))
    one("corrupt-zstd_of_more", ZSTD, body=zstd(BASE + b"x"))
    one("corrupt-zstd_without_its_prefix", ZSTD, body=zstd(BASE, BASE))
    one("corrupt-zstd_in_two_frames", ZSTD, body=zstd(BASE[:150]) + zstd(BASE[150:]))
    one("corrupt-zstd_and_a_skippable_frame", ZSTD,
        body=zstd(BASE) + b"\x50\x2a\x4d\x18\x01\0\0\0x")
    one("corrupt-zstd_and_bytes_behind", ZSTD, body=zstd(BASE) + b"x")
    one("corrupt-zstd_cut", ZSTD, body=zstd(BASE)[:-1])
    stored = b"\1" + BASE
    one("corrupt-planes_none", XOR, ranges=everything)
    one("corrupt-planes_width_0", SUB, body=b"\0\1" + stored, ranges=everything)
    one("corrupt-planes_width_3", SUB, body=b"\3\3" + stored, ranges=everything)
    one("corrupt-planes_xor_width_2", XOR, body=b"\2\2" + stored, ranges=everything)
    one("corrupt-planes_stride_0", XOR, body=b"\1\0" + stored, ranges=everything)
    one("corrupt-planes_stride_257", XOR, body=b"\1" + varint(257) + b"\0\0" * 257,
        ranges=everything)
    one("corrupt-planes_stride_2_32", XOR, body=b"\1" + varint(1 << 32 | 1) + stored,
        ranges=everything)
    one("corrupt-planes_stride_6_of_width_4", SUB, body=b"\4\6" + b"\0\0" * 6, ranges=everything)
    one("corrupt-planes_stride_over_long", XOR, body=b"\1" + varint(1, 1) + stored,
        ranges=everything)
    one("corrupt-planes_mode_3", XOR, body=b"\1\1\3" + BASE, ranges=everything)
    one("corrupt-planes_cut", XOR, body=b"\1\1\1" + BASE[:299], ranges=everything)
    one("corrupt-planes_one_missing", XOR, body=b"\1\2\0\0", ranges=everything)
    one("corrupt-planes_leftover", XOR, body=b"\1\1\0\0\0", ranges=everything)
    one("corrupt-planes_zstd_of_less", XOR, body=b"\1\1\2" + packed(bytes(299)), ranges=everything)
    one("corrupt-planes_zstd_of_more", XOR, body=b"\1\1\2" + packed(bytes(301)), ranges=everything)
    one("corrupt-planes_zstd_length_past_the_body", XOR, body=b"\1\1\2" + varint(1 << 63),
        ranges=everything)
    two = zstd(bytes(150)) * 2
    one("corrupt-planes_zstd_in_two_frames", XOR, body=b"\1\1\2" + varint(len(two)) + two,
        ranges=everything)
    one("corrupt-xor_of_less", XOR, body=b"\1\1\0\0", ranges=[("base", 0, 299)])
    one("corrupt-sub_of_more", SUB, body=b"\1\1\0\0", ranges=everything + [("base", 0, 1)])
    head = wrap(varint(ALL) + varint(300) + varint(300) + sha(BASE) + sha(b"promised"))
    bad_rebuild("digest_mismatch-target", head + Patch(BASE).raw(BASE).end())
    files = [("a", BASE[:100], 0), ("b", BASE[100:], 0)]
    patch = Patch(BASE).raw(BASE[:99] + b"x" + BASE[100:])
    bad_rebuild("digest_mismatch-first_of_two_files",
                header_of_files([("model.bin", BASE, 0)], files) + patch.end())
    bad_rebuild("digest_mismatch-empty_target",
                wrap(varint(ALL) + varint(300) + varint(0) + sha(BASE) + sha(BASE)) + b"\0\0")


# --- version 1 ------------------------------------------------------------------------------------
def field(number, data):
    if isinstance(data, int):
        return varint(number << 3) + varint(data)
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name, raw, dims=None):
    """TensorProto: dims 1, data_type 2 (float), name 8, raw_data 9, doc_string 12"""
    out = field(1, len(raw or b"") // 4 if dims is None else dims) + field(2, 1) + field(8, name)
    return out + (b"" if raw is None else field(9, raw)) + field(12, b"behind")


def model(tensors, producer=b"golden"):
    graph = field(2, b"graph") + b"".join(field(5, t) for t in tensors) + field(10, b"doc")
    return field(1, 8) + field(2, producer) + field(7, graph) + field(8, field(2, 17))


def v1(strategy, base, target, chunks, form=1, count=None, size=None, target_digest=None):
    out = b"OXDL\1" + bytes([strategy]) + sha(base) + (target_digest or sha(target))
    out += struct.pack("<QI", len(target) if size is None else size,
                       len(chunks) if count is None else count) + bytes([form])
    for name, length, op, data in chunks:
        out += struct.pack("<H", len(name)) + name + struct.pack("<IBI", length, op, len(data)) + data
    return out


def make_v1():
    shutil.rmtree(os.path.join(HERE, "../oxdl1"), ignore_errors=True)

    def good1(name, patch, base, target):
        write(f"../oxdl1/good/{name}.base", base)
        write(f"../oxdl1/good/{name}.target", target)
        write(f"../oxdl1/good/{name}.oxdl", patch)

    def bad1(name, patch):
        write(f"../oxdl1/bad/{name}.oxdl", patch)

    target = BASE[:100] + b"one change" + BASE[100:]
    replace = (b"", len(target), 1, zstd(target, BASE))
    good1("binary", v1(0, BASE, target, [replace], form=0), BASE, target)
    good1("binary_empty", v1(0, BASE, b"", [(b"", 0, 1, zstd(b""))], form=0), BASE, b"")
    raws = {b"same": noise(40, 2), b"near": noise(64, 3), b"old": noise(8, 4)}
    base = model([tensor(n, r) for n, r in raws.items()])
    near = bytes(b ^ (i % 4 == 0) for i, b in enumerate(raws[b"near"]))
    new = noise(12, 5)
    after = {b"same": raws[b"same"], b"near": near, b"new": new}
    target = model([tensor(n, r) for n, r in after.items()], b"golden2")
    skeleton = model([tensor(n, None, len(r) // 4) for n, r in after.items()], b"golden2")
    xored = bytes(a ^ b for a, b in zip(near, raws[b"near"]))
    same = (b"same", 40, 0, b"")
    xor = (b"near", 64, 2, zstd(xored))
    fresh = (b"new", 12, 1, zstd(new))
    bones = (b"__skeleton__", len(skeleton), 1, zstd(skeleton))
    chunks = [same, xor, fresh, bones]
    good1("tensor", v1(1, base, target, chunks), base, target)
    write("../oxdl1/bad/base", base)
    size = len(target)
    bad1("unsupported-strategy_2", v1(2, base, target, chunks))
    bad1("unsupported-format_3", v1(1, base, target, chunks, form=3))
    bad1("unsupported-tensors_of_safetensors", v1(1, base, target, chunks, form=2))
    bad1("unsupported-operation_3", v1(1, base, target, [(b"same", 40, 3, b"")] + chunks[1:]))
    bad1("base_mismatch-digest", v1(1, target, target, chunks))
    bad1("digest_mismatch-target", v1(1, base, target, chunks, target_digest=sha(b"x")))
    bad1("digest_mismatch-size", v1(1, base, target, chunks, size=size + 1))
    bad1("too_large-target_of_2_63", v1(1, base, target, chunks, size=1 << 63))
    bad1("corrupt-chunks_of_2_32", v1(1, base, target, chunks, count=(1 << 32) - 1))
    bad1("corrupt-chunk_of_4_GiB", v1(1, base, target, [(b"new", (1 << 32) - 1, 1, zstd(new)), bones]))
    bad1("corrupt-one_chunk_more", v1(1, base, target, chunks, count=5))
    bad1("corrupt-bytes_behind", v1(1, base, target, chunks) + b"\0")
    bad1("corrupt-cut", v1(1, base, target, chunks)[:-1])
    bad1("corrupt-no_skeleton", v1(1, base, target, chunks[:3]))
    bad1("corrupt-two_skeletons", v1(1, base, target, chunks + [bones]))
    bad1("corrupt-two_chunks_of_a_name", v1(1, base, target, [same] + chunks))
    bad1("corrupt-tensor_twice_in_the_skeleton", v1(1, base, target, [
        bones_twice(after)] + chunks[:3]))
    bad1("corrupt-copy_of_what_is_not_there",
         v1(1, base, target, [same, xor, (b"new", 12, 0, b""), bones]))
    bad1("corrupt-xor_of_another_length",
         v1(1, base, target, [same, (b"near", 63, 2, zstd(xored[:63])), fresh, bones]))
    bad1("corrupt-zstd_of_less", v1(1, base, target, [same, xor, (b"new", 13, 1, zstd(new)), bones]))
    bad1("corrupt-zstd_of_more", v1(1, base, target, [same, xor, (b"new", 11, 1, zstd(new)), bones]))
    bad1("corrupt-zstd_garbage", v1(1, base, target, [same, xor, (b"new", 12, 1, new), bones]))
    bad1("corrupt-skeleton_is_no_model",
         v1(1, base, target, chunks[:3] + [(b"__skeleton__", 3, 1, zstd(b"\x3a\x7f\x01"))]))
    more = field(7, field(5, tensor(b"new", None)) * 1)
    bad1("corrupt-rebuilds_more_than_promised", v1(1, base, target, chunks[:3] + [
        (b"__skeleton__", len(skeleton + more), 1, zstd(more + skeleton))], size=4))
    bad1("corrupt-binary_of_two_chunks", v1(0, base, target, [replace, replace], form=0))
    bad1("corrupt-binary_of_another_size", v1(0, base, target, [
        (b"", size, 1, zstd(target, base))], form=0, size=size + 1))
    bad1("corrupt-binary_xor", v1(0, base, target, [(b"", size, 2, zstd(target, base))], form=0))


def bones_twice(after):
    name, raw = next(iter(after.items()))
    bones = model([tensor(name, None, len(raw) // 4)] * 2)
    return (b"__skeleton__", len(bones), 1, zstd(bones))


if __name__ == "__main__":
    shutil.rmtree(os.path.join(HERE, "bad"), ignore_errors=True)
    for path in glob.glob(os.path.join(HERE, "good", "*")):
        if not os.path.basename(path).startswith("coded-"):  # those are make_coded.py's
            os.remove(path)
    write("bad/base", BASE)
    make_good()
    make_bad_headers()
    make_bad_tables()
    make_bad_frames()
    make_bad_bodies()
    make_v1()
