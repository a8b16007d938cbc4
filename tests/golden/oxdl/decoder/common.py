"""What all parts of the decoder share: docs/oxdl.md, "Conventions"; kinds of numbers; the coder."""
import struct

MASK64 = (1 << 64) - 1


class Damaged(Exception):
    """The patch, or the base, is not what it should be."""


class Missing(Exception):
    """This machine has not what decoding the patch needs."""


def want(condition, *words):
    if not condition:
        raise Damaged(" ".join(str(word) for word in words))


class Reader:
    """Bytes from the front of data on; never past its end."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, n):
        want(n <= len(self.data) - self.at, "cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return int.from_bytes(self.take(2), "little")

    def u32(self):
        return int.from_bytes(self.take(4), "little")

    def u64(self):
        return int.from_bytes(self.take(8), "little")

    def varint(self):
        value = 0
        for k in range(10):
            byte = self.u8()
            value |= (byte & 127) << 7 * k
            if byte < 128:
                want(k == 0 or byte > 0, "a varint is longer than needed")
                want(value <= MASK64, "a varint is over 64 bits")
                return value
        raise Damaged("a varint has more than 10 bytes")

    def end(self, what):
        want(self.at == len(self.data), what, "has bytes behind its end")


class Bits:
    """The least significant first in each byte, and of each value."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def get(self, n):
        first, last = self.at >> 3, (self.at + n + 7) >> 3
        want(self.at + n <= 8 * len(self.data), "bits are cut short")
        value = int.from_bytes(self.data[first:last], "little") >> (self.at & 7)
        self.at += n
        return value & ((1 << n) - 1)

    def gamma(self):
        below = 0
        while self.get(1) == 0:
            below += 1
            want(below < 32, "a gamma number is over 32 bits")
        return 1 << below | self.get(below)

    def whole_bytes(self):
        return (self.at + 7) >> 3


# --- XXH64, by its specification ------------------------------------------------------------------
def xxh64(data, seed=0):
    p1, p2, p3, p4, p5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                          0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)

    def rotl(x, r):
        return ((x << r) | (x >> (64 - r))) & MASK64

    def rnd(acc, lane):
        x = (acc + lane * p2) & MASK64
        return (x << 31 | x >> 33) * p1 & MASK64

    at, n = 0, len(data)
    seed &= MASK64
    if n >= 32:
        a, b, c, d = ((seed + p1 + p2) & MASK64, (seed + p2) & MASK64, seed, (seed - p1) & MASK64)
        for w, x, y, z in struct.iter_unpack("<4Q", memoryview(data)[:n & ~31]):
            a, b, c, d = rnd(a, w), rnd(b, x), rnd(c, y), rnd(d, z)
        at = n & ~31
        out = (rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18)) & MASK64
        for lane in (a, b, c, d):
            out = ((out ^ rnd(0, lane)) * p1 + p4) & MASK64
    else:
        out = (seed + p5) & MASK64
    out = (out + n) & MASK64
    while n - at >= 8:
        out = (rotl(out ^ rnd(0, struct.unpack_from("<Q", data, at)[0]), 27) * p1 + p4) & MASK64
        at += 8
    if n - at >= 4:
        lane = struct.unpack_from("<I", data, at)[0] * p1 & MASK64
        out = (rotl(out ^ lane, 23) * p2 + p3) & MASK64
        at += 4
    for byte in data[at:]:
        out = rotl(out ^ (byte * p5 & MASK64), 11) * p1 & MASK64
    out = (out ^ out >> 33) * p2 & MASK64
    out = (out ^ out >> 29) * p3 & MASK64
    return out ^ out >> 32


# --- kinds of numbers -----------------------------------------------------------------------------
class Kind:
    def __init__(self, name, width, mantissa):
        self.name, self.width, self.floats = name, width, mantissa > 0
        self.mantissa = mantissa  # bits; 0 of integers
        self.sign = 1 << (8 * width - 1)
        self.below = self.sign - 1  # the bits of a magnitude
        self.all = 2 * self.sign - 1
        self.exponent_max = self.below >> mantissa

    def load(self, data):
        return list(struct.unpack("<%d%s" % (len(data) // self.width, " BH I"[self.width]), data))

    def store(self, numbers):
        return struct.pack("<%d%s" % (len(numbers), " BH I"[self.width]), *numbers)

    def ordered(self, x):
        return x ^ self.below if self.floats and x & self.sign else x

    def signed(self, x):
        return x - 2 * self.sign if x & self.sign else x

    def absolute(self, x):
        """A float's bits without the sign; of an integer the absolute value; of u8 the value."""
        if self.floats:
            return x & self.below
        return x if self is KINDS[0] else abs(self.signed(x))


KINDS = [Kind(*row) for row in (("u8", 1, 0), ("i8", 1, 0), ("i16", 2, 0), ("i32", 4, 0),
                                ("f8_e4m3", 1, 3), ("f8_e5m2", 1, 2), ("f16", 2, 10),
                                ("bf16", 2, 7), ("f32", 4, 23))]
U8, I8, I16, I32, F8E4M3, F8E5M2, F16, BF16, F32 = range(9)


class Part:
    """Numbers of a stream that come from one part of the frame."""

    def __init__(self, count, columns=0, column=0):
        self.count, self.columns, self.column = count, columns, column


class Stream:
    """What is known of n numbers before they are decoded."""

    def __init__(self, kind, fresh, predicted, contexts, parts):
        self.kind, self.fresh, self.predicted = kind, fresh, predicted
        self.contexts, self.parts = contexts, parts  # contexts: None, or one per number


# --- the coder of "Edits", which the mixing coder shares ------------------------------------------
class Coder:
    def __init__(self, data):
        self.data, self.at = data, 8
        self.range = MASK64
        self.low = int.from_bytes(bytes(data[:8]).ljust(8, b"\0"), "big")

    def shift(self):
        while self.range < 1 << 32:
            word = int.from_bytes(bytes(self.data[self.at:self.at + 4]).ljust(4, b"\0"), "big")
            self.at += 4
            self.range <<= 32
            self.low = self.low << 32 | word

    def bit(self, p):
        bound = (self.range >> 16) * p
        if self.low < bound:
            self.range = bound
            one = 1
        else:
            self.low -= bound
            self.range -= bound
            one = 0
        if self.range < 1 << 32:
            self.shift()
        return one

    def ended(self):
        """Is the data what an encoder writes, to its last byte?"""
        taken = bytes(self.data).ljust(self.at, b"\0")
        if self.at < len(self.data) or self.data[-1:] == b"\0":
            return False
        c = int.from_bytes(taken[self.at - 8:self.at], "big")
        z = c - self.low
        for zeros in range(63, 0, -1):
            if -z % (1 << zeros) < self.range:
                return (z + -z % (1 << zeros) - c) & MASK64 == 0
        return False

    def raw(self, count):
        """As the mixing coder has them: count at once."""
        unit = self.range >> count
        value = min(self.low // unit, (1 << count) - 1)
        self.low -= unit * value
        self.range = unit
        self.shift()
        return value


LOGIT_MAX = 2815


def make_tables():
    """squash(x) is SQUASH[x + LOGIT_MAX]."""
    squash, w = [0] * (2 * LOGIT_MAX + 1), 1 << 32
    for x in range(LOGIT_MAX + 1):
        p = (1 << 48) // ((1 << 32) + w)
        squash[LOGIT_MAX - x] = 65536 - p
        squash[LOGIT_MAX + x] = p
        w = w * 4278222805 >> 32
    stretch, x = [], -LOGIT_MAX
    for i in range(4096):
        while x < LOGIT_MAX and squash[x + LOGIT_MAX] < 16 * i + 8:
            x += 1
        stretch.append(x)
    return squash, stretch


SQUASH, STRETCH = make_tables()
