"""docs/oxdl.md, operation "numbers": parts, predictors, slots."""
import struct

from . import blocks, mixing_numbers, static
from .common import BF16, F8E4M3, F8E5M2, F16, F32, I8, I32, KINDS, U8, Part, Reader, Stream, want

NONE, AS_IT_IS, CAST, PRUNED, GROWN, BLOCKS, NIBBLES, FACTORS, SCALED, GROWN_CAST, SCALED_NIBBLES = range(11)
PREDICTORS = ("none", "same", "cast", "pruned", "grown", "blocks", "nibbles", "factors",
              "scaled", "grown_cast", "scaled_nibbles")
FIRST_PREDICTED, FIRST_FRESH, SUBS, QUANTS, SIGNED_QUANTS, SLOTS = 1, 10, 19, 20, 21, 22
SUPERS = FIRST_PREDICTED + F16


# --- casts ----------------------------------------------------------------------------------------
def widen(kind, x):
    """To the bits of an f32, without loss."""
    if kind == F32:
        return x
    if kind == BF16:
        return x << 16
    sign, exponent, mantissa = x >> 15 << 31, x >> 10 & 31, x & 1023
    if exponent == 31:
        return sign | 0x7F800000 | mantissa << 13
    value = struct.unpack("<e", struct.pack("<H", x & 0x7FFF))[0]
    return sign | struct.unpack("<I", struct.pack("<f", value))[0]


def narrow(kind, x, truncates=False):
    """From the bits of an f32."""
    if kind == F32:
        return x
    to = KINDS[kind]
    m, bias = to.mantissa, to.exponent_max >> 1
    sign, magnitude = (x >> 31) * to.sign, x & 0x7FFFFFFF
    infinity = to.exponent_max << m
    if magnitude > 0x7F800000:
        return sign | infinity | 1 << (m - 1) | (magnitude & 0x7FFFFF) >> (23 - m)
    if magnitude == 0x7F800000:
        return sign | infinity
    exponent = max(magnitude >> 23, 1)
    mantissa = magnitude & 0x7FFFFF | (0x800000 if magnitude >> 23 else 0)
    shift = 23 - m + max((1 - bias) - (exponent - 127), 0)  # subnormal there: more is cut off
    scale = max(exponent - 127 + bias, 1)
    out = mantissa >> shift
    rest = mantissa & ((1 << shift) - 1)
    if not truncates and (rest > 1 << (shift - 1) or (rest == 1 << (shift - 1) and out & 1)):
        out += 1
    out += (scale - 1) << m  # the leading one, where there is one, adds the rest of the exponent
    if out >= infinity:
        out = infinity - 1 if truncates else infinity
    return sign | out


def halves(data):
    return [x for byte in data for x in (byte & 15, byte >> 4)]


# --- parts ----------------------------------------------------------------------------------------
class FramePart:
    def __init__(self, body):
        byte = body.u8()
        self.predictor, self.row, self.bytes = byte & 127, body.u8(), body.varint()
        self.columns = self.column = 0
        want(self.predictor <= SCALED_NIBBLES, "there is no predictor", self.predictor)
        if byte & 128:
            self.columns, self.column = body.varint(), body.varint()
            want(0 < self.columns < 1 << 32 and self.column < self.columns, "columns")
        if self.predictor == BLOCKS:
            want(self.row < len(blocks.FORMATS), "there is no format of blocks", self.row)
            self.format = blocks.FORMATS[self.row]
            unit = self.format.size
        else:
            want(self.row < len(KINDS), "there is no kind of numbers", self.row)
            self.kind = KINDS[self.row]
            unit = self.kind.width
        want(self.bytes > 0 and self.bytes % unit == 0, "a part is not of whole numbers")
        self.count = self.bytes // unit
        self.from_bytes = self.bytes
        self.read_parameters(body)

    def read_parameters(self, body):
        floats = (F16, BF16, F32)
        if self.predictor == NONE:
            self.from_bytes = 0
        elif self.predictor == CAST:
            self.read_source(body)
            self.from_bytes = self.count * KINDS[self.source].width
        elif self.predictor == PRUNED:
            self.threshold = body.u32()
        elif self.predictor in (GROWN, GROWN_CAST):
            self.source = self.row
            if self.predictor == GROWN_CAST:
                self.read_source(body)
            self.source_columns = body.varint()
            want(self.columns and 0 < self.source_columns < 1 << 32, "rows that grew")
            self.from_bytes = KINDS[self.source].width * (self.index(self.column + self.count) -
                                                          self.index(self.column))
        elif self.predictor == NIBBLES:
            want(self.row == U8, "nibbles of another kind than u8")
        elif self.predictor == FACTORS:
            self.rank = body.u8()
            self.rows = -(-(self.column + self.count) // max(self.columns, 1))
            self.stride = 1 + self.columns + self.rows
            want(self.row in floats and 1 <= self.rank <= 16 and 8 <= self.columns <= 8192 and
                 self.rank * self.stride <= self.count // 2, "factors")
        elif self.predictor in (SCALED, SCALED_NIBBLES):
            byte = body.u8()
            self.axis, self.sort = byte & 15, byte >> 4
            sorts = {U8: 4, I8: 4, F8E4M3: 16, F8E5M2: 16}
            if self.predictor == SCALED_NIBBLES:
                sorts = {U8: 1, I8: 1}
                self.count *= 2
            want(self.axis <= 3 and self.sort < sorts.get(self.row, 0), "scales")
            self.scales = 1
            if self.axis > 0:
                want(1 <= self.columns <= 65536, "scales without columns")
                rows = -(-(self.column + self.count) // self.columns)
                self.scales = rows if self.axis == 1 else self.columns
                if self.axis == 3:
                    self.tile = body.varint(), body.varint()
                    self.above = body.varint()
                    want(1 <= self.tile[0] <= 65535 and 1 <= self.tile[1] <= 65535 and
                         self.above < self.tile[0], "tiles")
                    self.across = -(-self.columns // self.tile[1])
                    self.scales = -(-(self.above + rows) // self.tile[0]) * self.across
                want(2 * self.scales <= self.count // 8, "scales")

    def read_source(self, body):
        floats = (F16, BF16, F32)
        byte = body.u8()
        self.source, self.truncates = byte & 127, byte >> 7
        want(self.row in floats and self.source in floats and self.source != self.row,
             "a cast from", self.source, "to", self.row)

    def index(self, i):
        """Of grown rows: of a number in G."""
        return (i // self.columns * self.source_columns +
                min(i % self.columns, self.source_columns))

    def known(self, i):
        return (self.column + i) % self.columns < self.source_columns

    def where(self, slot):
        """Which of its numbers are in the slot; of blocks and nibbles how many, as a range."""
        if self.predictor == BLOCKS:
            f = self.format
            quants = SIGNED_QUANTS if f.signed else QUANTS
            per_block = {SUPERS: f.supers, SUBS: len(f.subs), quants: f.elements}.get(slot, 0)
            return range(self.count * per_block)
        if self.predictor == NIBBLES:
            return range(2 * self.count if slot == QUANTS else 0)
        if self.predictor == SCALED_NIBBLES and slot != 0:
            return range(self.count if slot == QUANTS else 0)
        grown = self.predictor in (GROWN, GROWN_CAST)
        if grown and slot in (FIRST_PREDICTED + self.row, FIRST_FRESH + self.row):
            fresh = slot >= FIRST_FRESH
            return [i for i in range(self.count) if self.known(i) != fresh]
        if slot == 0:
            return range(self.rank * self.stride if self.predictor == FACTORS else
                         2 * self.scales if self.predictor in (SCALED, SCALED_NIBBLES) else 0)
        if self.predictor == SCALED:
            return range(self.count if slot == (SIGNED_QUANTS if self.row == I8 else QUANTS) else 0)
        own = (FIRST_FRESH if self.predictor == NONE else FIRST_PREDICTED) + self.row
        return range(self.count if slot == own and not grown else 0)

    def stream_part(self, slot, count):
        if slot == 0:
            return Part(count, self.stride if self.predictor == FACTORS else self.scales)
        if self.predictor in (NONE, AS_IT_IS, CAST, PRUNED, FACTORS):
            return Part(count, self.columns, self.column)
        return Part(count)

    def blocks_of(self, data):
        return [data[at:at + self.format.size] for at in range(0, len(data), self.format.size)]

    # --- prediction: of a slot, and contexts where it has them ---
    def predict(self, slot, G, target):
        if slot == 0 or FIRST_FRESH <= slot < SUBS:
            return [0] * len(self.where(slot)), None
        if self.predictor == BLOCKS:
            base, now = self.blocks_of(G), self.blocks_of(target)
            if slot == SUPERS:
                return [x for block in base for x in self.format.get_supers(block)], None
            both = (sum((blocks.predict_subs(self.format, a, b) for a, b in zip(base, now)), [])
                    if slot == SUBS else blocks.predict_quants(self.format, base, now))
            return [x for x, _ in both], [context for _, context in both]
        if self.predictor == NIBBLES:
            out = halves(G)
            return out, out
        if self.predictor == SCALED_NIBBLES:
            both = self.scale_halves(halves(G))
            return [x for x, _ in both], [context for _, context in both]
        kind = self.kind
        if self.predictor == CAST:
            return [narrow(self.row, widen(self.source, x), self.truncates)
                    for x in KINDS[self.source].load(G)], None
        numbers = (KINDS[self.source] if self.predictor == GROWN_CAST else kind).load(G)
        if self.predictor == PRUNED:
            return [0 if kind.absolute(x) < self.threshold else x for x in numbers], None
        if self.predictor in (GROWN, GROWN_CAST):
            front = self.index(self.column)
            some = [numbers[self.index(self.column + i) - front] for i in self.where(slot)]
            if self.predictor == GROWN_CAST:
                some = [narrow(self.row, widen(self.source, x), self.truncates) for x in some]
            return some, None
        if self.predictor == FACTORS:
            return self.add_update(numbers), None
        if self.predictor == SCALED:
            both = self.scale(numbers)
            return [x for x, _ in both], [context for _, context in both]
        return numbers, None

    def scale_of(self, i):
        row, column = divmod(self.column + i, max(self.columns, 1))
        if self.axis < 3:
            return (0, row, column)[self.axis]
        return (self.above + row) // self.tile[0] * self.across + column // self.tile[1]

    def scale_halves(self, numbers):
        sent = [min(max(KINDS[I32].signed(x), -1024), 1024) for x in self.factors]
        ratios, offsets = sent[:self.scales], sent[self.scales:]
        flip, out = 8 if self.row == I8 else 0, []
        for i, x in enumerate(numbers):
            at = self.scale_of(i)
            place = ((x ^ flip) - 8) * (64 + ratios[at]) + 16 * offsets[at] + 544
            level = min(max(place // 64, 0), 15)
            whole = ratios[at] == 0 and offsets[at] % 4 == 0
            out.append((level ^ flip, level if whole else 16 + place % 64 // 4))
        return out

    def scale(self, numbers):
        def within(x, most):
            return min(max(KINDS[I32].signed(x), -most), most)

        ratios = [65536 + within(x, 1 << 20) for x in self.factors[:self.scales]]
        offsets = [within(x, 1 << 24) for x in self.factors[self.scales:]]
        lowest = -128 if self.row == I8 else 0
        out = []
        for i, x in enumerate(numbers):
            at = self.scale_of(i)
            if self.row in (F8E4M3, F8E5M2):
                out.append(self.scale_float(x, ratios[at], offsets[at]))
                continue
            value = x - 256 if self.row == I8 and x >= 128 else x
            place = value * ratios[at] + offsets[at] + 32768
            level = min(max(place >> 16, lowest), lowest + 255)
            out.append((level & 255, 8 * self.sort + (place >> 13 & 7)))
        return out

    def scale_float(self, x, by, offset):
        m = self.kind.mantissa
        sign, x = x & 128, x & 127
        most = 126 if self.row == F8E4M3 else 123
        highest = self.sort if self.row == F8E4M3 else 2 * self.sort + 1
        if x > most:
            level, p = x, x * 65536 + 32768
        else:
            q = max(by, 0) * (x if x < 1 << m else ((1 << m) + x % (1 << m)) << ((x >> m) - 1))
            k = max(q.bit_length() - 17 - m, 0)
            p = (q >> k) + (k << (16 + m)) + offset + 32768
            level = min(max(p >> 16, 0), most)
        octave = min(max(highest - (level >> m), 0), 7)
        return sign | level, 4 * octave + (p % 65536 >> 14)

    def add_update(self, numbers):
        signed, c = KINDS[I32].signed, self.columns
        u, v = [], []
        for p in range(self.rank):
            e, *rest = self.factors[p * self.stride:(p + 1) * self.stride]
            v.append([float(signed(x)) for x in rest[:c]])
            u.append([signed(x) * 2.0**-min(e, 100) for x in rest[c:]])
        out = []
        for i, x in enumerate(numbers):
            row, column = divmod(self.column + i, c)
            wide = widen(self.row, x)
            if wide >> 23 & 255 < 255:
                update = 0.0
                for p in range(self.rank):
                    update = update + u[p][row] * v[p][column]
                value = struct.unpack("<f", struct.pack("<I", wide))[0] + update
                wide = struct.unpack("<I", struct.pack("<f", value))[0]
            out.append(narrow(self.row, wide))
        return out

    # --- placing ---
    def place(self, slot, numbers, target):
        if slot == 0:
            self.factors = numbers
        elif self.predictor == BLOCKS:
            f = self.format
            each = len(numbers) // self.count
            for b in range(self.count):
                block = bytearray(target[b * f.size:(b + 1) * f.size])
                some = numbers[b * each:(b + 1) * each]
                if slot == SUPERS:
                    struct.pack_into("<%dH" % f.supers, block, f.supers_at, *some)
                elif slot == SUBS:
                    f.put_subs(block, some)
                else:
                    f.put(block, f.quants, some)
                target[b * f.size:(b + 1) * f.size] = block
        elif self.predictor in (NIBBLES, SCALED_NIBBLES):
            target[:] = bytes(low & 15 | high << 4 & 255
                              for low, high in zip(numbers[::2], numbers[1::2]))
        elif self.predictor in (GROWN, GROWN_CAST):
            width = self.kind.width
            for i, x in zip(self.where(slot), numbers):
                target[i * width:(i + 1) * width] = x.to_bytes(width, "little")
        else:
            target[:] = self.kind.store(numbers)


def slot_kind(slot):
    if slot == 0:
        return KINDS[I32]
    if slot >= SUBS:
        return KINDS[1 if slot == SIGNED_QUANTS else U8]
    return KINDS[(slot - FIRST_PREDICTED) % 9]


def decode_stream(body, stream, notes):
    most = 1 << 20 if stream.contexts is None else 1 << 19
    want(len(stream.predicted) <= most, "a stream has over", most, "numbers")
    coder = body.u8()
    want(coder <= 1, "there is no coder", coder)
    return (mixing_numbers if coder else static).decode(body, stream, notes)


def decode(body, G, n, notes):
    body = Reader(body)
    count = body.varint()
    want(1 <= count <= 4096, "a frame has", count, "parts")
    parts = [FramePart(body) for _ in range(count)]
    want(sum(part.bytes for part in parts) == n, "the parts do not add up to the frame")
    want(sum(part.from_bytes for part in parts) == len(G), "the parts do not add up to G")
    sides, at = [], 0
    for part in parts:
        notes.add("predictor %s" % PREDICTORS[part.predictor])
        notes.add("kind %s" % (part.format.name if part.predictor == BLOCKS else part.kind.name))
        sides.append((bytes(G[at:at + part.from_bytes]), bytearray(part.bytes)))
        at += part.from_bytes
    for slot in range(SLOTS):
        predicted, contexts, of = [], [], []
        for part, (base, target) in zip(parts, sides):
            if len(part.where(slot)) > 0:
                some, known = part.predict(slot, base, target)
                predicted += some
                contexts += known or []
                of.append((part, target, len(some)))
        if not predicted:
            continue
        stream = Stream(slot_kind(slot), slot == 0 or FIRST_FRESH <= slot < SUBS, predicted,
                        contexts if slot >= SUBS else None,
                        [part.stream_part(slot, some) for part, _, some in of])
        numbers, at = decode_stream(body, stream, notes), 0
        for part, target, some in of:
            part.place(slot, numbers[at:at + some], target)
            at += some
    body.end("a body of numbers")
    return b"".join(bytes(target) for _, target in sides)
