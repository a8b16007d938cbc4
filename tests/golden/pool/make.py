#!/usr/bin/env python3
"""Makes the golden patches, from docs/pool.md alone: it shares no code with oxide.

usage: make.py    writes good/ and bad/ anew

A second writer of the format, so that a misreading of it cannot hide in both ends of our own. The
tests read the files that lie here and never run this.
"""
import os
import shutil
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = 0xFFFFFFFF


# --- BLAKE3, by its paper ---------------------------------------------------------------------------
IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
MOVES = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
START, END, PARENT, ROOT = 1, 2, 4, 8


def compress(value, block, counter, flags):
    m = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    v = list(value) + list(IV[:4]) + [counter & MASK, counter >> 32, len(block), flags]

    def mix(a, b, c, d, x, y):
        for word, r1, r2 in ((x, 16, 12), (y, 8, 7)):
            v[a] = (v[a] + v[b] + word) & MASK
            v[d] ^= v[a]
            v[d] = (v[d] >> r1 | v[d] << (32 - r1)) & MASK
            v[c] = (v[c] + v[d]) & MASK
            v[b] ^= v[c]
            v[b] = (v[b] >> r2 | v[b] << (32 - r2)) & MASK

    for _ in range(7):
        for i in range(4):
            mix(i, 4 + i, 8 + i, 12 + i, m[2 * i], m[2 * i + 1])
        for i in range(4):
            mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[8 + 2 * i], m[9 + 2 * i])
        m = [m[i] for i in MOVES]
    return [v[i] ^ v[i + 8] for i in range(8)]


def tree(data, first_chunk, root):
    """The value of a subtree: the left one of a parent is the largest power of two that leaves some."""
    if len(data) <= 1024:
        value = IV
        blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
        for i, block in enumerate(blocks):
            flags = (START if i == 0 else 0) | (END | root if i + 1 == len(blocks) else 0)
            value = compress(value, block, first_chunk, flags)
        return value
    left = 1024
    while left * 2 < len(data):
        left *= 2
    values = tree(data[:left], first_chunk, 0) + tree(data[left:], first_chunk + left // 1024, 0)
    return compress(IV, struct.pack("<16I", *values), 0, PARENT | root)


def blake3(data):
    return struct.pack("<8I", *tree(data, 0, ROOT))


assert blake3(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
assert blake3(bytes(i % 251 for i in range(3073))).hex() == \
    "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"


# --- the format -------------------------------------------------------------------------------------
def header(base, target, magic=b"POOL", version=1, base_bytes=None, target_bytes=None, digest=None):
    return magic + struct.pack("<HQQ", version,
                               len(base) if base_bytes is None else base_bytes,
                               len(target) if target_bytes is None else target_bytes) + \
        (blake3(target) if digest is None else digest)


def copy(offset, length):
    return struct.pack("<BQQ", 1, offset, length)


def literal(data, length=None):
    return struct.pack("<BQ", 2, len(data) if length is None else length) + data


def noise(count, seed):
    out, state = bytearray(), seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) & ((1 << 64) - 1)
        out.append(state >> 56)
    return bytes(out)


def write(path, data):
    path = os.path.join(HERE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def good(name, base, parts):
    """parts: (offset, length) of the base, or bytes"""
    target, body = b"", b""
    for part in parts:
        if isinstance(part, bytes):
            target, body = target + part, body + literal(part)
        else:
            target, body = target + base[part[0]:sum(part)], body + copy(*part)
    write(f"good/{name}.base", base)
    write(f"good/{name}.target", target)
    write(f"good/{name}.pool", header(base, target) + body)


BASE = noise(5000, 1)
TARGET = BASE[:100] + b"one change" + BASE[100:]
BODY = copy(0, 100) + literal(b"one change") + copy(100, 4900)


def make_good():
    good("example", b"hello world\n", [(0, 6), b"there, ", (6, 6)])
    good("same", BASE, [(0, 5000)])
    good("both_empty", b"", [])
    good("empty_base", b"", [noise(3000, 2)])
    good("empty_target", BASE, [])
    good("moved_and_twice", BASE, [(2500, 2500), (0, 2500), (0, 5000), (4999, 1)])
    good("literals_side_by_side", BASE, [b"a", b"bc", noise(1025, 3), b"d", (17, 23)])
    good("byte_by_byte", BASE, [(i, 1) for i in range(300)])


def make_bad():
    write("bad/base", BASE)

    def read(name, patch):
        write(f"bad/read/{name}.pool", patch)

    def rebuild(name, patch):
        write(f"bad/rebuild/{name}.pool", patch)

    top = header(BASE, TARGET)
    big = 1 << 63
    read("corrupt-empty", b"")
    read("corrupt-magic", header(BASE, TARGET, magic=b"POOK") + BODY)
    read("corrupt-magic_of_oxdl", header(BASE, TARGET, magic=b"OXDL") + BODY)
    read("corrupt-cut_in_the_header", top[:53])
    read("corrupt-cut_behind_the_header", top)
    read("corrupt-cut_in_a_copy", (top + BODY)[:-1])
    read("corrupt-cut_in_a_literal", (top + BODY)[:54 + 17 + 9 + 9])
    read("corrupt-cut_between_instructions", top + copy(0, 100) + literal(b"one change"))
    read("unsupported-version_0", header(BASE, TARGET, version=0) + BODY)
    read("unsupported-version_2", header(BASE, TARGET, version=2) + BODY)
    read("unsupported-version_256_is_1_in_big_endian", header(BASE, TARGET, version=256) + BODY)
    read("too_large-base", header(BASE, TARGET, base_bytes=big) + BODY)
    read("too_large-target", header(BASE, TARGET, target_bytes=big) + BODY)
    read("corrupt-instruction_0", top + b"\0" + BODY)
    read("corrupt-instruction_3", top + b"\3" + BODY[1:])
    read("corrupt-instruction_255", top + BODY[:17] + b"\xff" + BODY[18:])
    read("corrupt-copy_of_nothing", top + copy(0, 0) + BODY)
    read("corrupt-literal_of_nothing", top + literal(b"") + BODY)
    read("corrupt-copy_behind_the_base", top + copy(5000, 1) + BODY)
    read("corrupt-copy_over_the_end_of_the_base", top + copy(4990, 11) + BODY)
    read("corrupt-copy_whose_end_overflows", top + copy((1 << 64) - 10, 11) + BODY)
    read("corrupt-copy_of_2_64_bytes", top + copy(0, (1 << 64) - 1) + BODY)
    read("corrupt-copy_over_the_end_of_the_target", top + copy(0, 4000) + copy(0, 1011))
    read("corrupt-literal_over_the_end_of_the_target", top + literal(b"x" * 5011))
    read("corrupt-literal_of_2_64_bytes", top + literal(b"x", (1 << 64) - 1))
    read("corrupt-one_byte_behind", top + BODY + b"\0")
    read("corrupt-one_copy_behind", top + BODY + copy(0, 1))
    read("corrupt-bytes_behind_an_empty_target", header(BASE, b"") + copy(0, 1))
    rebuild("base_mismatch-one_byte_less", header(BASE[1:], TARGET) + copy(0, 4999) + literal(b"x" * 11))
    rebuild("base_mismatch-2_62", header(BASE, TARGET, base_bytes=1 << 62) + BODY)
    rebuild("digest_mismatch-digest", header(BASE, TARGET, digest=blake3(BASE)) + BODY)
    rebuild("digest_mismatch-literal", top + BODY.replace(b"one", b"One"))
    rebuild("digest_mismatch-copy", top + copy(1, 100) + BODY[17:])
    rebuild("digest_mismatch-of_nothing", header(BASE, b"", digest=bytes(32)))


if __name__ == "__main__":
    for folder in ("good", "bad"):
        shutil.rmtree(os.path.join(HERE, folder), ignore_errors=True)
    make_good()
    make_bad()
