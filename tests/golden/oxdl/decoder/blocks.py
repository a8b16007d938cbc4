"""docs/oxdl.md, "Blocks"."""
import math
import struct

NAN = float("nan")
IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
PINNED, CLAMPED = 31, 30

FINE = ((1 / 32, 0, (-6, 6)), (1 / 8, 3, (-9830, -1966, 1966, 9830)),
        (1 / 4, 8, (-13107, -3276, 3276, 13107)), (3 / 8, 13, (-13107, -3276, 3276, 13107)),
        (1 / 2, 18, (-16384, -6553, 6553, 16384)), (1, 23, (-10922, 10922)), (2, 26, (0,)),
        (None, 28, (0,)))
COARSE = ((1 / 256, 0, (-6, 6)), (1 / 64, 3, (-6, 6)), (1 / 32, 6, (-1966, 1966)),
          (1 / 16, 9, (-7864, -1966, 1966, 7864)), (1 / 8, 14, (-13107, -3276, 3276, 13107)),
          (1 / 4, 19, (-16384, -6553, 6553, 16384)), (1 / 2, 24, (-10922, 10922)),
          (None, 27, (-10922, 10922)))
SUB_SHAPES = ((None, 0, (-13107, -6, 6, 13107)), (None, 5, (-13107, -6, 6, 13107)))


# --- fields: (place in the block, its bit) of each bit of each number, lowest first ---------------
def nibbles(begin, count, g):
    return [[(begin + i // (2 * g) * g + i % g, 4 * (i % (2 * g) // g) + bit) for bit in range(4)]
            for i in range(count)]


def fifths(begin):
    return [[(begin + i // 8, i % 8)] for i in range(32)]


def singles(begin):
    return [[(begin + i % 32, i // 32)] for i in range(256)]


def pairs(begin):
    return [[(begin + i // 128 * 32 + i % 32, i % 128 // 32 * 2 + bit) for bit in (0, 1)]
            for i in range(256)]


def joined(*fields):
    """The first field has the lowest bits."""
    return [sum(bits, []) for bits in zip(*fields)]


def octets(begin, count):
    return [[(begin + i, bit) for bit in range(8)] for i in range(count)]


def subs_of_k():
    def low(at):
        return [(at, bit) for bit in range(6)]

    def split(at, half, above):
        return [(at, half + bit) for bit in range(4)] + [(above, 6), (above, 7)]

    return ([low(4 + i) for i in range(4)] + [split(12 + i, 0, 4 + i) for i in range(4)] +
            [low(8 + i) for i in range(4)] + [split(12 + i, 4, 8 + i) for i in range(4)])


def subs_of_iq4_xs():
    return [[(4 + i // 2, i % 2 * 4 + bit) for bit in range(4)] +
            [(2 + i // 4, i % 4 * 2 + bit) for bit in (0, 1)] for i in range(8)]


def subs_of_q3():
    low = nibbles(96, 16, 8)
    return [low[i] + [(104 + i % 4, i // 4 * 2 + bit) for bit in (0, 1)] for i in range(16)]


class Format:
    def __init__(self, name, size, supers, supers_at, per_run, zero, levels, pinned, quants,
                 subs=(), sub_zero=0, sub_levels=(0, 0), sub_pinned=()):
        self.name, self.size, self.supers, self.supers_at = name, size, supers, supers_at
        self.quants, self.per_run, self.zero, self.levels = quants, per_run, zero, levels
        self.pinned, self.subs, self.sub_zero = pinned, subs, sub_zero
        self.sub_levels, self.sub_pinned = sub_levels, sub_pinned
        self.elements, self.curved = len(quants), name.startswith("IQ4")
        self.signed = name == "Q8_0"
        self.shapes = FINE if name in ("Q8_0", "Q6_K") else COARSE

    def get(self, block, fields):
        return [sum((block[at] >> bit & 1) << k for k, (at, bit) in enumerate(bits))
                for bits in fields]

    def put(self, block, fields, numbers):
        for bits, number in zip(fields, numbers):
            for k, (at, bit) in enumerate(bits):
                block[at] = block[at] & ~(1 << bit) | (number >> k & 1) << bit

    def get_subs(self, block):
        flip = 128 if self.name == "Q6_K" else 0
        return [x ^ flip for x in self.get(block, self.subs)]

    def put_subs(self, block, subs):
        flip = 128 if self.name == "Q6_K" else 0
        self.put(block, self.subs, [x ^ flip for x in subs])

    def get_supers(self, block):
        return struct.unpack_from("<%dH" % self.supers, block, self.supers_at)


FORMATS = (
    Format("Q8_0", 34, 1, 0, 32, 128, (-127, 127), (-127, 127), octets(2, 32)),
    Format("Q4_0", 18, 1, 0, 32, 8, (-8, 7), (-8,), nibbles(2, 32, 16)),
    Format("Q4_1", 20, 2, 0, 32, 0, (0, 15), (0, 15), nibbles(4, 32, 16)),
    Format("Q5_0", 22, 1, 0, 32, 16, (-16, 15), (-16,), joined(nibbles(6, 32, 16), fifths(2))),
    Format("Q5_1", 24, 2, 0, 32, 0, (0, 31), (0, 31), joined(nibbles(8, 32, 16), fifths(4))),
    Format("Q4_K", 144, 2, 0, 32, 0, (0, 15), (), nibbles(16, 256, 32), subs_of_k(), 0, (0, 63),
           (63,)),
    Format("Q5_K", 176, 2, 0, 32, 0, (0, 31), (), joined(nibbles(48, 256, 32), singles(16)),
           subs_of_k(), 0, (0, 63), (63,)),
    Format("Q6_K", 210, 1, 208, 16, 32, (-32, 31), (), joined(nibbles(0, 256, 64), pairs(128)),
           octets(192, 16), 128, (-128, 127), (-128,)),
    Format("IQ4_NL", 18, 1, 0, 32, 8, (-8, 7), (), nibbles(2, 32, 16)),
    Format("IQ4_XS", 136, 1, 0, 32, 8, (-8, 7), (), nibbles(8, 256, 16), subs_of_iq4_xs(), 32,
           (-32, 31), (-32,)),
    Format("Q2_K", 84, 2, 80, 16, 0, (0, 3), (), pairs(16), nibbles(0, 32, 16), 0, (0, 15), (15,)),
    Format("Q3_K", 110, 1, 108, 16, 4, (-4, 3), (), joined(pairs(32), singles(0)), subs_of_q3(),
           32, (-32, 31), (-32,)),
)


# --- scales ---------------------------------------------------------------------------------------
def half(bits):
    value = struct.unpack("<e", struct.pack("<H", bits))[0]
    return value if bits >> 10 & 31 < 31 else NAN


def scales(format, block):
    """The a and b of each run of quants."""
    supers = [half(bits) for bits in format.get_supers(block)]
    second = supers[1] if format.supers > 1 else 0.0
    if not format.subs:
        return [(supers[0], second)]
    subs = format.get_subs(block)
    n = format.elements // format.per_run
    return [(supers[0] * (subs[i] - format.sub_zero),
             -second * subs[n + i] if format.supers > 1 else 0.0) for i in range(n)]


def fix(value):
    return int(value * 65536 + (-0.5 if value < 0 else 0.5))


def change(old, new):
    if new[0] != 0 and not (old[0] == new[0] and old[1] == new[1]):
        r, c = old[0] / new[0], (old[1] - new[1]) / new[0]
        if abs(r) <= 128 and abs(c) <= 4096:
            return fix(r), fix(c)
    return 65536, 0


# --- runs -----------------------------------------------------------------------------------------
def curved(quant, ratio):
    x = IQ4[quant] * ratio
    i = max([k for k in range(15) if IQ4[k] <= x >> 16], default=0)
    d, gap = x - 65536 * IQ4[i], IQ4[i + 1] - IQ4[i]
    return (i - 8) * 65536 + (d // gap if d >= 0 else -(-d // gap))


def predict_run(numbers, moved, shape, zero, levels, pinned, is_curved=False):
    """[(predicted, context)] of numbers without a flipped bit."""
    ratio, offset = moved
    _, first, edges = shape
    low, high = (-zero, 255 - zero) if moved == (65536, 0) else levels
    pinned = pinned if ratio > 57344 else ()
    out, cache = [], {}
    for number in numbers:
        if number not in cache:
            level = number - zero
            x = curved(number, ratio) if is_curved else level * ratio + offset
            near = (x + 32768) >> 16
            off = x - 65536 * near
            if level in pinned:
                cache[number] = number, PINNED
            elif not low <= near <= high:
                cache[number] = min(max(near, low), high) + zero, CLAMPED
            else:
                cache[number] = near + zero, first + sum(off > edge for edge in edges)
        out.append(cache[number])
    return out


def predict_subs(format, base, target):
    """Of one block: [(predicted, context)]."""
    out, subs = [], format.get_subs(base)
    n = len(subs) // format.supers
    for k in range(format.supers):
        old, new = (half(format.get_supers(block)[k]) for block in (base, target))
        out += predict_run(subs[n * k:n * k + n], change((old, 0.0), (new, 0.0)), SUB_SHAPES[k],
                           format.sub_zero, format.sub_levels, format.sub_pinned)
    return out


def predict_quants(format, base, target):
    """Of a part's blocks, as lists: [(predicted, context)]."""
    out, group = [], 1024 // format.elements
    flip = 128 if format.signed else 0
    for at in range(0, len(base), group):
        blocks = base[at:at + group]
        old = sum([scales(format, block) for block in blocks], [])
        new = sum([scales(format, block) for block in target[at:at + group]], [])
        D = 0.0
        for (a_old, _), (a_new, _) in zip(old, new):
            by = abs(abs(a_new) - abs(a_old))
            D += by if by < math.inf else 0.0
        D = D / len(old) * max(-format.levels[0], format.levels[1])
        quants = sum([format.get(block, format.quants) for block in blocks], [])
        for i, (was, now) in enumerate(zip(old, new)):
            shape = next(row for row in format.shapes
                         if row[0] is None or not D >= row[0] * abs(now[0]))
            run = [x ^ flip for x in quants[i * format.per_run:(i + 1) * format.per_run]]
            out += [(x ^ flip, context) for x, context in
                    predict_run(run, change(was, now), shape, format.zero, format.levels,
                                format.pinned, format.curved)]
    return out
