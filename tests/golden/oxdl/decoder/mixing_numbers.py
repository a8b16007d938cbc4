"""docs/oxdl.md, "The mixing coder": "Mixing numbers"."""
from array import array

from .common import Coder
from .guesser import Guesser
from .mixing import FAST, ONE, SLOW, States, decide, decode_bytes, pace, weights

_D = array("d", [0.0])
_DI = memoryview(_D).cast("B").cast("Q")


def pattern(value):
    _D[0] = value
    return _DI[0]


def level(size):
    _D[0] = size
    return (_DI[0] >> 48) - 16368


def clamp(x, low, high):
    return low if x < low else high if x > high else x


def div(a, b):
    """Towards zero, for b > 0."""
    return a // b if a >= 0 else -(-a // b)


class Place:
    def __init__(self, run, bits):
        kind = run.kind
        self.bits, self.negative, self.value = bits, bits & kind.sign != 0, run.value(bits)
        if kind.floats:
            self.x = max((bits & kind.below) >> kind.mantissa, 1)
            self.shift = self.x - run.e - kind.mantissa
        else:
            self.x, self.shift = run.e, 0


class Means:
    def __init__(self, recent):
        self.recent = recent


class Column:
    def __init__(self, floor0):
        self.size = self.error = floor0
        self.balance = self.sign = 0


class Numbers:
    def __init__(self, coder, stream, reference, notes):
        self.coder, self.stream, self.kind, self.e = coder, stream, stream.kind, reference
        self.notes = notes
        kind, m = stream.kind, stream.kind.mantissa
        self.fresh = stream.fresh and kind.floats
        self.lowest = 2.0**(1 - self.e - m)  # what a magnitude of 1 is worth
        self.floor0, self.cap = 2.0**(-m - 24), 2.0**(22 - m)
        self.low, self.high = 0, 8 * kind.width
        if self.fresh:
            self.low = 24 - self.e
            self.high = self.low + kind.exponent_max
        self.octave = [States(256 * 96, FAST) for _ in range(4)]
        self.below = [States(256 * 64, SLOW) for _ in range(4)]
        self.sign = [States(1024, SLOW) for _ in range(4)]
        self.octave_weights = weights(4 * 96, ONE / 4)
        self.below_weights = weights(1, ONE / 4)
        self.sign_weights = weights(4, ONE / 4)
        self.octave_pace, self.other_pace = pace(0.0042), pace(0.0021)
        self.bias, self.left = [0] * 4, 0
        self.M, self.E = Means(self.floor0), Means(self.floor0)

    def value(self, bits):
        if not self.kind.floats:
            return float(self.kind.signed(bits))
        m = self.kind.mantissa
        magnitude = bits & self.kind.below
        x, mantissa = magnitude >> m, magnitude & ((1 << m) - 1)
        value = (mantissa * self.lowest if x == 0
                 else (1 + mantissa / (1 << m)) * 2.0**(x - self.e))
        return -value if bits & self.kind.sign else value

    def near(self, v):
        """The bits of the float near v, or None."""
        m = self.kind.mantissa
        p = pattern(abs(v))
        x = (p >> 52) - 1023 + self.e
        if x >= self.kind.exponent_max:
            return None
        if x < 1:
            bits = int(abs(v) / self.lowest + 0.5)
        else:
            bits = (p + (1 << (51 - m)) - ((1023 - self.e) << 52)) >> (52 - m)
        return bits | (self.kind.sign if v < 0 else 0)

    # --- rows and parts ---
    def begin_row(self):
        self.at = self.in_row = self.agreement = 0
        self.row_rate = 1.0
        self.column_rate = (0.0 if not self.tracked else 1.0 if self.rows == 0 else
                            1 / (min(self.rows, 60) + 1.5))

    def begin_part(self, part):
        self.tracked = 0 < part.columns <= 16384
        self.C = part.columns
        self.rows = self.count = 0
        for means in (self.M, self.E):
            means.part = means.row = self.floor0
            means.lp = level(self.floor0)
        self.E.recent = self.M.recent
        self.columns = [Column(self.floor0) for _ in range(self.C if self.tracked else 1)]
        self.begin_row()
        if self.tracked:
            self.at = part.column
        self.guesses = (self.tracked and self.kind.floats and not self.fresh and
                        8 <= self.C <= 8192 and part.count // self.C >= 4)
        self.useful, self.nearer = False, 0
        if self.guesses:
            self.notes.add("mixing guesses")
            self.guesser = Guesser(self.C, self.at)

    def learn(self, means, v, s):
        """What v becomes."""
        s = (s if s < self.cap else self.cap) + self.floor0
        means.row = means.row + (s - means.row) * self.row_rate
        means.recent = means.recent + (s - means.recent) * (1 / 31.5)
        return v + (s - v) * self.column_rate

    def product(self, means, v):
        out = level(means.row) if self.in_row > 0 else means.lp
        return out + level(v) - means.lp if self.rows > 0 else out

    def end_row(self):
        self.count += self.in_row
        rate = self.in_row / self.count
        self.count = min(self.count, 1000)
        for means in (self.M, self.E):
            means.part = means.part + (means.row - means.part) * rate
            means.lp = level(means.part)
        self.useful = self.E.part < self.M.part * 0.95
        self.rows += 1
        self.begin_row()

    # --- before a number ---
    def reach(self, s, place):
        return max(level(s + self.floor0) - 16 * place.shift, -64)

    def look(self, bits, column):
        base = Place(self, bits)
        if self.fresh:
            base.shift = -23
        self.base = self.from_ = base
        self.inward = False
        recent = level(self.M.recent) - 16 * base.shift
        expected = self.product(self.M, column.size) - 16 * base.shift
        if self.guesses:
            u = self.guesser.guess()
            u = u if abs(u) < 1e30 else 0.0
            self.u = u
            self.inward = (u < 0) != base.negative
            beyond = self.reach(abs(u), base)
            error = (((3 * self.product(self.E, column.error) + level(self.E.recent)) >> 2) -
                     16 * base.shift)
            if ((self.useful and abs(u) > abs(base.value) * 0.0625) or self.nearer > 20480 or
                    (beyond > 48 and beyond - error > 48)):
                v = base.value + u
                bits = self.near(v)
                if bits is not None:
                    self.notes.add("mixing uses guesses")
                    place = self.from_ = Place(self, bits)
                    off = v - place.value
                    self.inward = (off < 0) != place.negative
                    beyond = self.reach(abs(off), place)
                    error += 16 * (base.shift - place.shift)
                    expected = error
                    recent = level(self.E.recent) - 16 * place.shift
        if self.kind.floats and not self.fresh:
            t = 16 * self.kind.mantissa
            if recent > t:
                recent = t + level(float(recent - t + 16)) - 64
            if expected > t:
                expected = t + level(float(expected - t + 16)) - 64
        self.start = (expected + recent) >> 1
        if not self.guesses:
            beyond, error = recent, expected
        elif beyond > error:
            self.start = beyond
        self.sharp = clamp(((beyond - error) >> 4) + 1, 0, 3)
        self.recent, self.expected, self.beyond, self.error = recent, expected, beyond, error

    # --- contexts ---
    def context_place(self, c):
        y, kind = self.from_.bits, self.kind
        if c is not None:
            return 8 * c + min((y & kind.below).bit_length(), 7)
        if not kind.floats:
            return y if kind.width == 1 else y.bit_length()
        return (4 * clamp(self.from_.x - self.e + 48, 0, 63) + (y >> (kind.mantissa - 2)) % 4)

    def octave_contexts(self, c):
        def lev(l):
            return clamp((l >> 2) + 32, 0, 127)

        beyond, error = self.beyond, self.error
        return (self.context_place(c), lev((self.expected + self.recent) >> 1),
                16 * clamp(((beyond - error) >> 2) + 8, 0, 15) + 4 * ((error >> 2) % 4) +
                clamp((error >> 4) + 2, 0, 3), 2 * lev(beyond) + (beyond > error))

    def below_contexts(self, c, o):
        beyond, error = self.beyond, self.error
        return (4 * clamp(o, 0, 63) + self.sharp, self.context_place(c),
                4 * clamp(((16 * o - beyond) >> 1) + 32, 0, 63) +
                clamp(((beyond - error) >> 3) + 1, 0, 3),
                8 * c + clamp(o, 0, 7) if c is not None
                else clamp(o + self.from_.shift + 28, 0, 63))

    def sign_contexts(self, c, o, column):
        negative = self.from_.negative
        q = clamp(((16 * o - self.expected) >> 3) + 8, 0, 15)
        outer = div(self.agreement * column.balance, 65536) if self.tracked else 0
        return (2 * (16 * c + q) + negative if c is not None
                else 16 * q + clamp(self.from_.x - self.e + 12, 0, 15),
                6 * (self.left + 1) + 2 * (column.sign + 1) + negative,
                4 * clamp(abs(outer).bit_length() - 9, 0, 7) + 2 * (outer < 0) + negative,
                64 * clamp(((16 * o - self.beyond) >> 3) + 8, 0, 15) +
                2 * clamp(((self.error - self.beyond) >> 2) + 16, 0, 31) + self.inward)

    # --- decisions ---
    def step(self, contexts, walk, a):
        node = 32 * walk + clamp(a, 0, 31)
        at = [96 * context + node for context in contexts]
        at[2] = 96 * contexts[2] + 32 * walk + clamp(a - (self.error >> 4) + 12, 0, 31)
        return decide(self.coder, self.octave, at, self.octave_weights, 96 * self.sharp + node,
                      self.octave_pace)

    def code_octave(self, c):
        contexts = self.octave_contexts(c)
        a = clamp((self.start + 16 + div(self.bias[self.sharp], 64)) >> 4, self.low + 1, self.high)
        if self.step(contexts, 0, a):
            while a < self.high and self.step(contexts, 1, a + 1):
                a += 1
            return a
        while a > self.low + 1:
            a -= 1
            if self.step(contexts, 2, a):
                return a
        return self.low

    def code_below(self, c, o, k):
        contexts = self.below_contexts(c, o)
        node = 2 + decide(self.coder, self.below, [64 * context + 1 for context in contexts],
                          self.below_weights, 0, self.other_pace)
        modelled = min(k, 6)
        for _ in range(modelled - 1):
            node = 2 * node + self.below[3].decide(self.coder, 64 * contexts[3] + node)
        value = node - (1 << modelled)
        k -= modelled
        while k > 0:
            take = min(k, 16)
            value = value << take | self.coder.raw(take)
            k -= take
        return value

    def code_sign(self, c, o, column):
        return decide(self.coder, self.sign, self.sign_contexts(c, o, column), self.sign_weights,
                      self.sharp, self.other_pace)

    def number(self, c, bits):
        kind, column = self.kind, self.columns[self.at]
        self.look(bits, column)
        o = self.code_octave(c)
        bias = self.bias[self.sharp]
        self.bias[self.sharp] += (64 * clamp(16 * o - 8 - self.start, -192, 192) - bias) >> 5
        if self.fresh:
            mantissa = self.code_below(c, o, kind.mantissa)
            negative = self.code_sign(c, o, column)
            out = (o - self.low) << kind.mantissa | mantissa
            update, sign = self.value(out), -1 if negative else 1
            out |= kind.sign if negative else 0
        else:
            size = o if o < 2 else 1 << (o - 1) | self.code_below(c, o, o - 1)
            towards = self.code_sign(c, o, column) if size else 0
            d = -size if (towards != 0) != self.from_.negative else size
            out = kind.ordered((kind.ordered(self.from_.bits) + d) & kind.all)
            update = self.value(out) - self.base.value
            sign = (update > 0) - (update < 0)
        self.after(column, update, sign)
        return out

    def after(self, column, update, sign):
        size = abs(update)
        if self.guesses:
            f = abs(update - self.u)
            column.error = self.learn(self.E, column.error, f)
            if update != 0:
                gain = level(size) - level(f + self.floor0)
                self.nearer += (256 * gain - self.nearer) >> 7
            self.guesser.tell(update if size < 1e12 else 0.0)
        column.size = self.learn(self.M, column.size, size)
        self.left = column.sign = sign
        if sign != 0 and self.tracked:
            a = 65536 if (column.balance < 0) == (sign < 0) else -65536
            if column.balance != 0:
                self.agreement += div(a - self.agreement, 16)
            to = -65536 * sign if self.agreement < 0 else 65536 * sign
            column.balance += div(to - column.balance, 8)
        self.in_row += 1
        self.row_rate = 1 / (min(self.in_row, 250) + 1.5)
        if self.tracked:
            self.at += 1
            if self.at == self.C:
                self.end_row()

    def decode(self):
        stream, out, i = self.stream, [], 0
        for part in stream.parts:
            self.begin_part(part)
            for i in range(i, i + part.count):
                c = stream.contexts[i] if stream.contexts is not None else None
                out.append(self.number(c, stream.predicted[i]))
            i += 1
        return out


def decode(reader, stream, notes):
    reference = reader.u8()
    coder = Coder(reader.take(reader.varint()))
    if stream.kind.name == "u8":
        notes.add("mixing bytes")
        return decode_bytes(coder, stream)
    notes.add("mixing fresh" if stream.fresh and stream.kind.floats else "mixing numbers")
    return Numbers(coder, stream, reference, notes).decode()
