#!/usr/bin/env python3
"""Makes seeds for the fuzz targets of patches: real patches of tiny models.

usage: seeds.py OXIDE OUT    OXIDE is the executable; writes OUT/apply, OUT/resume, OUT/numbers,
                             OUT/delta_models and OUT/rans

tests/fuzz/run.sh --seeds runs this and keeps, in tests/fuzz/corpus, what reaches new code. Do so
when the coding of frames changes: old seeds lead nowhere then.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

RNG = random.Random(3)
NUMBERS = 6


# --- models ---------------------------------------------------------------------------------------
def safetensors(tensors):
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def gguf(tensors):
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 0)
    at = 0
    for name, (kind, shape, raw) in tensors.items():
        out += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(shape))
        out += b"".join(struct.pack("<Q", n) for n in reversed(shape)) + struct.pack("<IQ", kind, at)
        at += -(-len(raw) // 32) * 32
    for _, _, raw in tensors.values():
        out += bytes(-len(out) % 32) + raw
    return out + bytes(-len(out) % 32)


def floats(n, scale=0.02):
    return [RNG.gauss(0, scale) for _ in range(n)]


def tuned(values, step=1e-4):
    return [v + RNG.gauss(0, step) for v in values]


def f32(values):
    return struct.pack("<%df" % len(values), *values)


def f16(values):
    return struct.pack("<%de" % len(values), *values)


def bf16(values):
    out = b""
    for v in values:
        bits = struct.unpack("<I", struct.pack("<f", v))[0]
        out += struct.pack("<H", (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    return out


def bits_of(values, low, high, scale):
    return bytes(max(low, min(high, round(v / scale))) & 0xFF for v in values)


def q8_0(values):
    out = b""
    for i in range(0, len(values), 32):
        block = values[i:i + 32]
        scale = max(abs(v) for v in block) / 127
        out += struct.pack("<e", scale)
        scale = struct.unpack("<e", out[-2:])[0] or 1
        out += bytes(max(-127, min(127, round(v / scale))) & 0xFF for v in block)
    return out


def q4_0(values):
    out = b""
    for i in range(0, len(values), 32):
        block = values[i:i + 32]
        scale = max(block, key=abs) / -8 or 1
        quants = [max(0, min(15, int(v / scale + 8.5))) for v in block]
        out += struct.pack("<e", scale) + bytes(quants[k] | quants[k + 16] << 4 for k in range(16))
    return out


def scattered(raw, rate, step=3):
    """Blocks whose fields move: right for none of the formats, and good enough for all."""
    return bytes((b + RNG.randrange(step)) & 0xFF if RNG.random() < rate else b for b in raw)


def noise(n):
    return bytes(RNG.randrange(256) for _ in range(n))


def blocks(kind, unit, count, supers):
    """Noise with sane scales: supers are the offsets of float16s in a block."""
    out = b""
    for _ in range(count):
        block = bytearray(noise(unit))
        for at in supers:
            block[at:at + 2] = struct.pack("<e", abs(RNG.gauss(0, 0.01)) + 0.001)
        out += bytes(block)
    return (kind, [count * (32 if unit < 40 else 256)], out)


def regrouped(quants, columns, rows):
    """4-bit numbers, with groups of `rows` down each column: their zero points moved, or scale."""
    groups = {}
    out = []
    for i, q in enumerate(quants):
        ratio, zero = groups.setdefault((i // columns // rows, i % columns),
                                        (RNG.choice((1, 1, 1.3)), RNG.choice((0, 0, 0, 1, -2))))
        out.append(max(0, min(15, int((q - 8) * ratio + 8.5) + zero)))
    return out


def packed_pair():
    quants = [max(0, min(15, int(RNG.gauss(8, 2.5)))) for _ in range(4096)]
    pack = lambda side: bytes(a | b << 4 for a, b in zip(side[::2], side[1::2]))
    return tuple(safetensors({"qweight": ("I32", [64, 8], pack(side))})
                 for side in (quants, regrouped(quants, 64, 32)))


def block_pairs():
    k_blocks = {12: (144, (0, 2)), 13: (176, (0, 2)), 14: (210, (208,)), 23: (136, (0,)),
                10: (84, (80, 82)), 11: (110, (108,)), 3: (20, (0, 2)), 6: (22, (0,)),
                7: (24, (0, 2)), 20: (18, (0,))}
    for kind, (unit, supers) in k_blocks.items():
        old = blocks(kind, unit, 3, supers)
        yield "blocks%d" % kind, gguf({"w": old}), gguf({"w": (kind, old[1], scattered(old[2], 0.05))})
    old = floats(256)
    new = tuned(old, 1e-3)
    yield "q8_0", gguf({"w": (8, [8, 32], q8_0(old))}), gguf({"w": (8, [8, 32], q8_0(new))})
    yield "q4_0", gguf({"w": (2, [8, 32], q4_0(old))}), gguf({"w": (2, [8, 32], q4_0(new))})


def pairs():
    """(name, base file, target file): each predictor, and what is around them."""
    old = floats(320)
    new = tuned(old)
    one = lambda dtype, raw, shape=None: safetensors({"w": (dtype, shape or [16, 20], raw)})
    yield "same_f32", one("F32", f32(old)), one("F32", f32(new))
    yield "same_f16", one("F16", f16(old)), one("F16", f16(new))
    yield "same_bf16", one("BF16", bf16(old)), one("BF16", bf16(new))
    int8 = lambda values: bits_of(values, -127, 127, 0.001)
    yield "same_i8", one("I8", int8(old)), one("I8", int8(new))
    for dtype in ("F8_E4M3", "F8_E5M2"):
        yield "same_" + dtype, one(dtype, int8(old)), one(dtype, scattered(int8(old), 0.2))
    for dtype, code in (("I16", "h"), ("I32", "i")):
        ints = [int(v * 20000) for v in old]
        moved = [v + RNG.randrange(-3, 4) for v in ints]
        yield ("same_" + dtype, one(dtype, struct.pack("<320" + code, *ints)),
               one(dtype, struct.pack("<320" + code, *moved)))
    yield "cast_bf16", one("F32", f32(old)), one("BF16", bf16(old))
    yield "cast_f16", one("F32", f32(old)), one("F16", f16(new))
    yield "cast_up", one("BF16", bf16(old)), one("F32", f32(old))
    pruned = [0.0 if abs(v) < 0.01 else v for v in old]
    yield "pruned", one("F32", f32(old)), one("F32", f32(pruned))
    rows = [old[i * 20:i * 20 + 20] for i in range(16)]
    wide = [v for row in rows for v in row + floats(3)] + floats(23)
    narrow = [v for row in rows for v in row[:14]]
    yield "grown", one("F32", f32(old)), one("F32", f32(wide), [17, 23])
    yield "shrunk", one("F16", f16(old)), one("F16", f16(narrow), [16, 14])
    yield "none", one("F32", f32(old)), safetensors({"other": ("F32", [200], f32(floats(200)))})
    yield "none_bf16", b"", one("BF16", bf16(old))
    packed = noise(600)
    yield "nibbles", one("U8", packed, [600]), one("U8", scattered(packed, 0.3, 17), [600])
    yield ("scaled_nibbles", *packed_pair())
    left, right = floats(48, 1), floats(40, 1e-3)
    matrix = floats(48 * 40)
    merged = [v + left[i // 40] * right[i % 40] for i, v in enumerate(matrix)]
    yield "factors", one("BF16", bf16(matrix), [48, 40]), one("BF16", bf16(merged), [48, 40])
    long_old = floats(1500)
    yield ("runs", one("BF16", bf16(long_old), [1500]), one("BF16", bf16(tuned(long_old, 1e-3)), [1500]))
    yield ("mixed",
           safetensors({"a": ("F32", [100], f32(old[:100])), "b": ("I8", [200], int8(old[:200])),
                        "c": ("U8", [300], b"some text, and again " * 14 + b"123456")}),
           safetensors({"b2": ("I8", [200], int8(new[:200])), "a": ("F32", [100], f32(new[:100])),
                        "c": ("U8", [300], b"some text, and again " * 7 + b"more text, once more " * 7 +
                              b"123456")}))
    yield "bytes", noise(900), noise(100) + noise(900)[:500] + b"x" * 300
    yield from block_pairs()


# --- patches --------------------------------------------------------------------------------------
def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def numbers_frames(patch, base, target):
    """(bytes of target, gathered bytes, body) of the frames of operation NUMBERS."""
    body, at = varint(patch, 6)
    at += body + 8
    done = 0
    while patch[at] != 0:
        op = patch[at]
        n, at = varint(patch, at + 1)
        body, at = varint(patch, at)
        count, at = varint(patch, at)
        gathered, expected = b"", done
        for _ in range(count):
            head, at = varint(patch, at)
            place, at = varint(patch, at)
            length = head >> 1
            if head & 1:
                gathered += target[done - place:done - place + length]
            else:
                begin = (expected + (place >> 1 ^ -(place & 1))) % 2**64
                gathered += base[begin:begin + length]
                expected = begin + length
        at += 8
        if op == NUMBERS:
            yield n, gathered, patch[at:at + body]
        at += body
        done += n


def create(oxide, folder, base, target, effort):
    paths = [os.path.join(folder, name) for name in ("base", "target", "patch")]
    for path, content in zip(paths, (base, target)):
        with open(path, "wb") as file:
            file.write(content)
    if os.path.exists(paths[2]):
        os.remove(paths[2])
    subprocess.run([oxide, "delta", "create", paths[0], paths[1], "-o", paths[2],
                    "--effort", str(effort)], check=True, stdout=subprocess.DEVNULL,
                   stderr=sys.stderr)
    with open(paths[2], "rb") as file:
        return file.read()


def model_seeds():
    """Inputs of delta_models: a script of choices, so some at random do."""
    for effort in range(4):
        for gguf_bit in range(2):
            for i in range(8):
                yield bytes([gguf_bit | effort << 2]) + struct.pack("<I", RNG.getrandbits(32)) + bytes(
                    [2 + i % 3]) + noise(24 + 4 * i)


def trips():
    """Inputs of numbers that go there and back: each predictor with each kind, both coders."""
    for predictor in range(11):
        for kind in range(12):
            for mixes in range(2):
                part = bytes([predictor, kind]) + struct.pack("<HH", RNG.choice((5, 40, 300)),
                                                              RNG.choice((0, 0, 16)))
                if predictor == 2:
                    part += bytes([RNG.choice((6, 7, 8)), RNG.randrange(2)])
                elif predictor == 3:
                    part += struct.pack("<I", RNG.choice((0x3C000000, 0x2000, 0x20)))
                elif predictor == 4:
                    part += struct.pack("<H", RNG.choice((3, 12, 20)))
                elif predictor == 7:
                    part = struct.pack("<BBHHB", 7, kind, 300, 16, 1 + mixes)
                elif predictor in (8, 10):
                    part = struct.pack("<BBHHBB", predictor, kind, 300, 16, kind // 3, kind)
                    part += bytes([7, 3, 2]) if kind // 3 == 3 else b""
                elif predictor == 9:
                    part += struct.pack("<BBH", RNG.choice((6, 7, 8)), RNG.randrange(2), 12)
                part += struct.pack("<H", 3) if part[4:6] != b"\0\0" else b""
                yield bytes([1 | 2 * (kind & 1), mixes, 0]) + part + bytes([3, 80]) + noise(4) + bytes([8]) + noise(8)


def main():
    oxide, out = sys.argv[1:]

    def write(target, name, data):
        os.makedirs(os.path.join(out, target), exist_ok=True)
        with open(os.path.join(out, target, name), "wb") as file:
            file.write(data)

    with tempfile.TemporaryDirectory() as folder:
        for name, base, target in pairs():
            for effort in (1, 3, 9):
                patch = create(oxide, folder, base, target, effort)
                label = "%s_%d" % (name, effort)
                write("apply", label, struct.pack("<H", len(base)) + base + patch)
                for damage in (0, 1, 2, 4, 8, 16, 32):
                    front = 0x10000 * (damage + 20) // 60
                    write("resume", "%s_%d" % (label, damage),
                          struct.pack("<BHII", damage, front, 7 + damage, 3) +
                          struct.pack("<H", len(base)) + base + patch)
                for i, (n, gathered, body) in enumerate(numbers_frames(patch, base, target)):
                    write("numbers", "%s_%d" % (label, i),
                          struct.pack("<BIH", 2 * (i & 1), n, len(gathered)) + gathered + body)
    for i, seed in enumerate(model_seeds()):
        write("delta_models", "script_%d" % i, seed)
    for i, seed in enumerate(trips()):
        write("numbers", "trip_%d" % i, seed)
    for i in range(24):
        write("rans", "trip_%d" % i, bytes([1]) + struct.pack("<H", RNG.choice((1, 50, 700, 5000))) +
              noise(1) + bytes([i]) + bytes(RNG.choice((0, 1, 2, 3, 60, 200)) for _ in range(40)))


main()
