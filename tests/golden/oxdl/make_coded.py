#!/usr/bin/env python3
"""Makes the golden patches good/coded-*: numbers and edits, by oxide itself from inputs made here.

usage: make_coded.py OXIDE    OXIDE is the executable

decode.py, which shares no code with oxide, must rebuild every target, and tells what each patch
holds: together all that docs/oxdl.md has of predictors, kinds, schemes, meanings and coders. The
inputs are the same on every run; patches may change where oxide comes to code better.
"""
import glob
import json
import math
import os
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
import decode  # noqa: E402
from decoder import blocks, static  # noqa: E402
from decoder.common import KINDS  # noqa: E402
from decoder.numbers import narrow  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
U8, I8, I16, I32, F8E4M3, F8E5M2, F16, BF16, F32 = range(9)
WORDS = ("U8", "I8", "I16", "I32", "F8_E4M3", "F8_E5M2", "F16", "BF16", "F32")


class Noise:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 33) % n

    def gauss(self, sigma=1.0):
        """Nearly: a sum of four uniform ones."""
        return (sum(self.below(65536) for _ in range(4)) / 65536 - 2) * 1.7320508 * sigma

    def bytes(self, n):
        return bytes(self.below(256) for _ in range(n))


# --- numbers --------------------------------------------------------------------------------------
def f32(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def to_bits(kind, value):
    """The bits of the number of a kind that is near a value."""
    if kind in (F16, BF16, F32):
        return narrow(kind, f32(value))
    if kind in (F8E4M3, F8E5M2):
        m, bias = KINDS[kind].mantissa, KINDS[kind].exponent_max >> 1
        size = abs(value)
        x = max(math.frexp(size)[1] - 1, 1 - bias) if size > 0 else 1 - bias
        bits = int(size * 2.0**(m - x) + 0.5) + ((x - 1 + bias) << m)
        return min(bits, KINDS[kind].below) | (128 if value < 0 else 0)
    low, high = (0, 255) if kind == U8 else (-KINDS[kind].sign, KINDS[kind].below)
    return min(max(int(math.floor(value + 0.5)), low), high) & KINDS[kind].all


def store(kind, values):
    return KINDS[kind].store([to_bits(kind, value) for value in values])


def odd_ones(kind, numbers):
    """Puts in what is no plain number: zeros, subnormals, infinities, NaNs of both sorts."""
    k = KINDS[kind]
    top = k.exponent_max << k.mantissa
    odd = [0, k.sign, 1, k.sign | 3, top, top | k.sign, top | 1, top | k.sign | k.below & ~top,
           top - 1, k.sign | top - 1]
    for i, bits in enumerate(odd):
        numbers[len(numbers) // 11 * (i + 1)] = bits
    return numbers


# --- files ----------------------------------------------------------------------------------------
def safetensors(tensors):
    """tensors: [(name, kind, shape, bytes)]"""
    header, at = {}, 0
    for name, kind, shape, data in tensors:
        header[name] = {"dtype": WORDS[kind], "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensor[3] for tensor in tensors)


GGML = {"Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12,
        "Q5_K": 13, "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23}


def gguf(tensors):
    """tensors: [(name, format, bytes)]"""
    def text(words):
        return struct.pack("<Q", len(words)) + words.encode()

    front = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1)
    front += text("general.architecture") + struct.pack("<I", 8) + text("golden")
    data = b""
    for name, form, payload in tensors:
        count = len(payload) // form.size * form.elements
        front += text(name) + struct.pack("<IQIQ", 1, count, GGML[form.name], len(data))
        data += payload + bytes(-len(payload) % 32)
    return front + bytes(-len(front) % 32) + data


# --- pairs: name, effort, base, target ------------------------------------------------------------
def near(noise, values, size):
    """Each value moved by some `size`, a number, or one for each value."""
    return [v + noise.gauss(size[i] if isinstance(size, list) else size)
            for i, v in enumerate(values)]


def weights(noise, count, sigma=0.05):
    return [noise.gauss(sigma) * (1 + noise.below(4)) for _ in range(count)]


SIGMA = {U8: 20, I8: 20, I16: 900, I32: 60000}


def values_of(noise, kind, count):
    shift = 128 if kind == U8 else 0
    return [shift + v for v in weights(noise, count, SIGMA.get(kind, 0.05) / 2)]


def every_kind(seed, count):
    """Of each kind a tensor that changed a little and one that is new."""
    noise = Noise(seed)
    base, target = [], []
    for kind in range(9):
        values = values_of(noise, kind, count)
        moved = near(noise, values, SIGMA.get(kind, 0.05) / 30)
        old = store(kind, values)
        new = store(kind, moved)
        if kind >= F8E4M3:
            old = KINDS[kind].store(odd_ones(kind, KINDS[kind].load(old)))
            k = KINDS[kind]
            numbers = odd_ones(kind, k.load(new))
            for i in range(count // 11, count, count // 11):  # these move, too
                numbers[i] ^= noise.below(4)
            new = k.store(numbers)
        base.append(("old.%d" % kind, kind, [count], old))
        target.append(("old.%d" % kind, kind, [count], new))
        fresh = store(kind, values_of(noise, kind, count))
        if kind >= F16:
            fresh = KINDS[kind].store(odd_ones(kind, KINDS[kind].load(fresh)))
        target.append(("fresh.%d" % kind, kind, [count], fresh))
    return safetensors(base), safetensors(target)


def matrix(seed, kind, rows, columns, size_of):
    """One matrix, whose number in row i and column j moves by some size_of(i, j)."""
    noise = Noise(seed)
    values = weights(noise, rows * columns)
    sizes = [size_of(i // columns, i % columns) for i in range(rows * columns)]
    pair = [store(kind, values), store(kind, near(noise, values, sizes))]
    return tuple(safetensors([("w", kind, [rows, columns], data)]) for data in pair)


def proportional(seed):
    """Numbers that move the more the larger they are."""
    noise, base, target = Noise(seed), [], []
    for kind, count in ((U8, 2048), (I8, 2048), (F8E4M3, 1536), (I16, 600), (I32, 600)):
        scale = {I16: 40, I32: 40000, F8E4M3: 0.01}.get(kind, 1)
        signs = (1, 1 if kind == U8 else -1)
        values = [scale * 2.0**(noise.below(680) / 100) * signs[noise.below(2)]
                  for _ in range(count)]
        moved = near(noise, values, [max(abs(v) - 20 * scale, 0) / 9 for v in values])
        base.append(("w.%d" % kind, kind, [count], store(kind, values)))
        target.append(("w.%d" % kind, kind, [count], store(kind, moved)))
    return safetensors(base), safetensors(target)


def scaled(seed, kind, rows, columns, unit, spread):
    """Moves have a scale of their own in each `unit` numbers."""
    noise = Noise(seed + 1)
    scales = [2.0**-(4 + noise.below(spread)) for _ in range(rows * columns // unit + 1)]
    return matrix(seed, kind, rows, columns, lambda i, j: 0.05 * scales[(i * columns + j) // unit])


def low_rank(seed, kind, rows, columns, rank, rest, scale=1.0, moves=0.02):
    noise = Noise(seed)
    values = weights(noise, rows * columns, 0.05 * scale)
    u = [[noise.gauss() for _ in range(rows)] for _ in range(rank)]
    v = [[noise.gauss(moves * scale) for _ in range(columns)] for _ in range(rank)]
    moved = [x + sum(u[p][i // columns] * v[p][i % columns] for p in range(rank)) +
             noise.gauss(rest) for i, x in enumerate(values)]
    pair = []
    for some in (values, moved):
        numbers = KINDS[kind].load(store(kind, some))
        pair.append(KINDS[kind].store(odd_ones(kind, numbers)))
    return tuple(safetensors([("w", kind, [rows, columns], data)]) for data in pair)


def casts(seed, count):
    noise, base, target = Noise(seed), [], []
    for name, source, to, truncates in (("a", F32, BF16, False), ("b", F32, BF16, True),
                                        ("c", F32, F16, False), ("d", F32, F16, True),
                                        ("e", F16, F32, False), ("f", BF16, F32, False),
                                        ("g", F16, BF16, False), ("h", BF16, F16, True)):
        values = [noise.gauss() * 10.0**(noise.below(12) - 8) for _ in range(count)]
        numbers = odd_ones(source, KINDS[source].load(store(source, values)))
        cast = [narrow(to, decode.numbers.widen(source, x), truncates) for x in numbers]
        cast[5] ^= 1
        base.append((name, source, [count], KINDS[source].store(numbers)))
        target.append((name, to, [count], KINDS[to].store(cast)))
    return safetensors(base), safetensors(target)


def pruned_and_grown(seed):
    noise, base, target = Noise(seed), [], []
    for kind in (F32, F16, I8, I16):
        values = values_of(noise, kind, 512)
        limit = SIGMA.get(kind, 0.05)
        kept = [v if abs(v) > limit else 0 for v in values]
        base.append(("pruned.%d" % kind, kind, [512], store(kind, values)))
        target.append(("pruned.%d" % kind, kind, [512], store(kind, kept)))
    for name, kind, old, new in (("wider", F32, 20, 26), ("narrower", BF16, 33, 24)):
        rows = 30
        values = weights(noise, rows * max(old, new))
        side = max(old, new)
        was = [values[i * side + j] for i in range(rows) for j in range(old)]
        now = [values[i * side + j] + (noise.gauss(1e-3) if j < old else 0)
               for i in range(rows) for j in range(new)]
        base.append((name, kind, [rows, old], store(kind, was)))
        target.append((name, kind, [rows, new], store(kind, now)))
    return safetensors(base), safetensors(target)


def cast_and_grown(seed):
    noise, base, target = Noise(seed), [], []
    for name, source, to, truncates, old, new in (("wider", F32, BF16, False, 20, 26),
                                                  ("wide", F16, F32, False, 30, 37),
                                                  ("narrower", F32, F16, True, 33, 24)):
        rows, more = 30, 3
        numbers = odd_ones(source, KINDS[source].load(store(source, weights(noise, rows * old))))
        fresh = KINDS[to].load(store(to, weights(noise, (rows + more) * new)))
        now = [narrow(to, decode.numbers.widen(source, numbers[i * old + j]), truncates)
               if i < rows and j < old else fresh[i * new + j]
               for i in range(rows + more) for j in range(new)]
        now[5] ^= 1
        base.append((name, source, [rows, old], KINDS[source].store(numbers)))
        target.append((name, to, [rows + more, new], KINDS[to].store(now)))
    return safetensors(base), safetensors(target)


def packed(seed, count):
    """4-bit numbers, eight to an i32, or two to a byte; some changed by one."""
    noise, base, target = Noise(seed), [], []
    for name, kind, step in (("int4", I32, 4), ("bytes", U8, 7)):
        old = [min(max(int(noise.gauss(2.5) + 8), 0), 15) for _ in range(2 * count)]
        new = [min(max(q + (noise.below(2) * 2 - 1), 0), 15) if noise.below(step) == 0 else q
               for q in old]
        for side, quants in ((base, old), (target, new)):
            data = bytes(a | b << 4 for a, b in zip(quants[::2], quants[1::2]))
            side.append((name, kind, [count // KINDS[kind].width], data))
    return safetensors(base), safetensors(target)


def scaled_anew(seed):
    """Integers whose scale changed: of all, of each row, of each column."""
    noise, base, target = Noise(seed), [], []
    for axis, name in enumerate(("all", "rows", "columns")):
        for kind in (I8, U8):
            rows, columns = ((20, 90), (24, 80), (90, 24))[axis]
            by = [0.8 + noise.below(40) / 100 for _ in range((1, rows, columns)[axis])]
            shift = 128 if kind == U8 else 0
            old = [noise.gauss(30) for _ in range(rows * columns)]
            new = [x * by[(0, i // columns, i % columns)[axis]] + noise.gauss(0.2)
                   for i, x in enumerate(old)]
            base.append(("%s.%d" % (name, kind), kind, [rows, columns],
                         store(kind, [x + shift for x in old])))
            target.append(("%s.%d" % (name, kind), kind, [rows, columns],
                           store(kind, [x + shift for x in new])))
    return safetensors(base), safetensors(target)


def requantised(noise, form, block, strange):
    """The block after an update of what it stands for."""
    def put(supers, subs, quants):
        out = bytearray(form.size)
        struct.pack_into("<%dH" % form.supers, out, form.supers_at, *supers)
        if form.subs:
            form.put_subs(out, subs)
        form.put(out, form.quants, quants)
        return bytes(out)

    flip = 128 if form.signed else 0
    quants = [q ^ flip for q in form.get(block, form.quants)]
    subs = form.get_subs(block) if form.subs else []
    by = 1 + noise.gauss(0.2 if form.curved else 0.08) if noise.below(4) else 1.0
    supers = [narrow(F16, f32(blocks.half(bits) * by)) for bits in form.get_supers(block)]
    if strange == 1:  # the scale changes its sign
        supers[0] ^= 0x8000
    elif strange == 2:
        supers[0] = 0x7C00
    elif strange == 3:
        supers[0] = 0
    elif strange == 4:
        supers[0] = narrow(F16, f32(blocks.half(supers[0]) / 200))
    subs = [s if noise.below(4) else min(max(s + noise.below(3) - 1, 0), form.sub_levels[1] +
                                         form.sub_zero) for s in subs]
    new = put(supers, subs, [q ^ flip for q in quants])
    was, now = blocks.scales(form, block), blocks.scales(form, new)
    levels = range(form.levels[0], form.levels[1] + 1)
    value = [blocks.IQ4[level + 8] if form.curved else level for level in levels]
    out = []
    for i, q in enumerate(quants):
        (a, b), (c, d) = was[i // form.per_run], now[i // form.per_run]
        level = q - form.zero
        if c != 0 and math.isfinite(a / c) and strange == 0:
            w = (a * (blocks.IQ4[level + 8] if form.curved else level) + b +
                 abs(a) * noise.gauss(3 if form.curved else 0.3))
            level = min(levels, key=lambda l: abs(c * value[l - form.levels[0]] + d - w))
        out.append(level + form.zero)
    return put(supers, subs, [q ^ flip for q in out])


def every_format(seed):
    noise, base, target = Noise(seed), [], []
    for form in blocks.FORMATS:
        old, new = b"", b""
        count = 1536 // form.elements if form.name in ("Q4_0", "Q4_K") else 1024 // form.elements
        for k in range(count):
            block = bytearray(form.size)
            middle = (form.levels[0] + form.levels[1] + 1) // 2 + form.zero
            quants = [min(max(int(noise.gauss((form.levels[1] - form.levels[0]) / 5)) + middle,
                              form.levels[0] + form.zero), form.levels[1] + form.zero)
                      for _ in range(form.elements)]
            form.put(block, form.quants, [q ^ (128 if form.signed else 0) for q in quants])
            if form.subs:
                high = form.sub_levels[1] + form.sub_zero
                form.put_subs(block, [high - noise.below(high // 3) for _ in form.subs])
            supers = [narrow(F16, f32(2.0**-10 * (1 + noise.below(64) / 64)))
                      for _ in range(form.supers)]
            struct.pack_into("<%dH" % form.supers, block, form.supers_at, *supers)
            block = bytes(block)
            old += block
            new += requantised(noise, form, block, k if 1 <= k <= 4 and k < count - 1 and
                               form.elements == 32 else 0)
        base.append((form.name, form, old))
        target.append((form.name, form, new))
    return gguf(base), gguf(target)


def floats_scaled_anew(seed):
    """Floats of 8 bits whose scale changed: of all, of each row, of each column. Some are NaNs,
    some become as large as can be."""
    noise, base, target = Noise(seed), [], []
    for axis, name in enumerate(("all", "rows", "columns")):
        for kind in (F8E4M3, F8E5M2):
            rows, columns = ((30, 100), (12, 256), (128, 24))[axis]
            by = [0.6 + noise.below(160) / 100 for _ in range((1, rows, columns)[axis])]
            unit = 40 if kind == F8E4M3 else 4000
            old = [noise.gauss(unit) for _ in range(rows * columns)]
            new = [x * by[(0, i // columns, i % columns)[axis]] for i, x in enumerate(old)]
            pair = [bytearray(store(kind, side)) for side in (old, new)]
            for at in range(7, rows * columns, 700):
                pair[0][at] = pair[1][at] = 0x7F | at << 7 & 0x80
                pair[1][at + 1] = 0x7E if kind == F8E4M3 else 0x7B
            for side, data in zip((base, target), pair):
                side.append(("%s.%d" % (name, kind), kind, [rows, columns], bytes(data)))
    return safetensors(base), safetensors(target)


def tiles_scaled_anew(seed):
    """Floats of 8 bits with a scale for each tile of 128 x 128."""
    noise, rows, columns = Noise(seed), 260, 140
    by = [[0.6 + noise.below(160) / 100 for _ in range(2)] for _ in range(3)]
    old = [noise.gauss(40) for _ in range(rows * columns)]
    new = [x * by[i // columns // 128][i % columns // 128] + noise.gauss(3)
           for i, x in enumerate(old)]
    return tuple(safetensors([("w", F8E4M3, [rows, columns], store(F8E4M3, side))])
                 for side in (old, new))


def nibbles_scaled_anew(seed, step):
    """4-bit numbers in groups, along rows and down columns, whose zero points moved, or scales
    changed; in words, in bytes, and signed."""
    noise, base, target = Noise(seed), [], []
    for name, kind, rows, columns, tile in (("awq", I32, 96, 40, (32, 1)),
                                            ("gptq", I32, 40, 192, (4, 8)),
                                            ("bytes", U8, 50, 194, (1, 32)),
                                            ("rows", I32, 24, 320, (1, 320)),
                                            ("columns", I32, 200, 24, (200, 1))):
        groups, old, new = {}, [], []
        for i in range(rows * columns):
            at = (i // columns // tile[0], i % columns // tile[1])
            if at not in groups:
                groups[at] = ((1, 1, 1, 1.3)[noise.below(4)], (0, 0, 0, 0, 1, -2)[noise.below(6)])
            ratio, zero = groups[at]
            x = min(max(noise.gauss(2.5) + 8, 0), 15)
            old.append(int(x))
            new.append(min(max(int((x - 8) * ratio + 8 + zero), 0), 15))
            if noise.below(step) == 0:
                new[-1] = max(new[-1] - 1, 0)
        for side, quants in ((base, old), (target, new)):
            data = bytes(a | b << 4 for a, b in zip(quants[::2], quants[1::2]))
            side.append((name, kind, [rows, columns // 2 // KINDS[kind].width], data))
    return safetensors(base), safetensors(target)


def edited(seed):
    """Bytes overwritten, put in, taken out and moved; words, and noise."""
    noise = Noise(seed)
    words = [noise.bytes(2 + noise.below(6)).hex().encode() for _ in range(60)]
    text = b" ".join(words[noise.below(60)] for _ in range(500))
    base = noise.bytes(1500) + text + noise.bytes(1500)
    target = bytearray(base)
    for i in range(0, len(target), 97):  # a table of places, all of which moved by some
        target[i] = (target[i] + 16) & 255
    for _ in range(25):
        at = noise.below(len(target))
        which = noise.below(4)
        if which == 0:
            target[at:at] = noise.bytes(1 + noise.below(9))
        elif which == 1:
            del target[at:at + 1 + noise.below(9)]
        elif which == 2:
            target[at:at] = target[at // 2:at // 2 + 40]
        else:
            target[at:at] = words[noise.below(60)] * 3
    return base, bytes(target)


PAIRS = (
    ("kinds", 2, every_kind(1, 300)),
    ("kinds_mixed", 9, every_kind(2, 200)),
    ("magnitudes", 2, proportional(17)),
    ("wide_mixed", 9, matrix(18, BF16, 24, 100, lambda i, j: 2e-3 * (1 + j % 7))),
    ("runs", 2, scaled(3, F16, 4, 1024, 1024, 9)),
    ("short_runs", 2, scaled(4, F32, 1, 2560, 256, 12)),
    ("rows", 2, scaled(5, BF16, 24, 150, 150, 6)),
    ("patterns", 2, low_rank(6, F32, 40, 48, 1, 2e-4)),
    ("patterns_f16", 2, low_rank(7, F16, 48, 40, 1, 1e-3)),
    ("patterns_mixed", 9, low_rank(8, F32, 64, 24, 6, 1e-6)),
    ("patterns_bf16_mixed", 9, low_rank(8, BF16, 100, 24, 3, 0)),
    ("patterns_tiny_mixed", 9, low_rank(19, F16, 64, 24, 6, 0, 5e-4, 0.05)),
    ("casts", 2, casts(10, 200)),
    ("pruned_and_grown", 2, pruned_and_grown(11)),
    ("cast_and_grown", 2, cast_and_grown(24)),
    ("nibbles", 2, packed(12, 1200)),
    ("nibbles_mixed", 9, packed(13, 800)),
    ("scaled_nibbles", 3, nibbles_scaled_anew(26, 30)),
    ("scaled_nibbles_mixed", 9, nibbles_scaled_anew(27, 20)),
    ("scaled", 2, scaled_anew(20)),
    ("scaled_mixed", 9, scaled_anew(21)),
    ("scaled_floats", 2, floats_scaled_anew(22)),
    ("scaled_floats_mixed", 9, floats_scaled_anew(23)),
    ("scaled_tiles", 2, tiles_scaled_anew(25)),
    ("blocks", 2, every_format(14)),
    ("blocks_mixed", 9, every_format(15)),
    ("edits", 2, edited(16)),
)
WANTED = (
    ["operation numbers", "operation edit"] +
    ["predictor " + word for word in decode.numbers.PREDICTORS] +
    ["kind " + kind.name for kind in KINDS] + ["kind " + form.name for form in blocks.FORMATS] +
    ["static " + word for word in static.SCHEMES + static.MEANINGS] +
    ["mixing " + word for word in ("bytes", "fresh", "numbers", "guesses", "uses guesses")])


def main(words):
    if len(words) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    for path in glob.glob(os.path.join(HERE, "good", "coded-*")):
        os.remove(path)
    met = set()
    for name, effort, (base, target) in PAIRS:
        stem = os.path.join(HERE, "good", "coded-" + name)
        for suffix, data in ((".base", base), (".target", target)):
            with open(stem + suffix, "wb") as file:
                file.write(data)
        subprocess.run([words[0], "delta", "create", stem + ".base", stem + ".target", "-o",
                        stem + ".oxdl", "--effort", str(effort)], check=True,
                       stdout=subprocess.DEVNULL)
        notes = set()
        patch = decode.contents(stem + ".oxdl")
        if decode.apply(base, patch, notes) != target:
            print("%s: decode.py rebuilds another target" % name)
            return 1
        print("%s: %d, %d, %d bytes: %s" % (name, len(base), len(target), len(patch),
                                            ", ".join(sorted(notes))))
        met |= notes
    missing = [word for word in WANTED if word not in met]
    if missing:
        print("no patch has: " + ", ".join(missing))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
