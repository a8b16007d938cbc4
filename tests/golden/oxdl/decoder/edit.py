"""docs/oxdl.md, "Edits"."""
from .common import LOGIT_MAX, SQUASH, STRETCH, Coder, want

LITERAL, R0, INSERTED, R1, R2, R3, NEAR, FAR, RESUMED1, RESUMED2 = range(10)
HALF = 1 << 31
STEP = [65536 // (2 * n + 3) for n in range(256)]


def toward_zero(a, b):
    return a // b if a >= 0 else -(-a // b)


def make_costs():
    costs = []
    for i in range(4096):
        b = max(i, 1).bit_length() - 1
        v, l = max(i, 1) << (31 - b), b
        for _ in range(8):
            v, l = v * v >> 31, 2 * l
            if v >> 32:
                v, l = v >> 1, l + 1
        costs.append(3072 - l)
    return costs


COST = make_costs()


def learn(counters, at, one, limit):
    was = counters[at]
    n = was & 1023
    e = (65535 if one else 0) - (was >> 16)
    counters[at] = ((was + ((2 * e * STEP[n]) & ~1023)) & 0xFFFFFFFF) + (n != limit)


def h(salt, value):
    value = (value ^ salt) * 2654435761 & 0xFFFFFFFF
    return value ^ value >> 15


def run_class(run):
    if run < 4:
        return run
    return 4 if run <= 5 else 5 if run <= 9 else 6 if run <= 15 else 7 if run <= 63 else 8


class Edits:
    def __init__(self, body, gathered):
        self.coder, self.history = Coder(body), bytearray(gathered)
        self.counters = {}  # by the name of their tree, and their node
        self.numbers = {}  # the last one, by its middle
        self.R, self.S = [len(gathered) or 1, 1, 2, 4], [0] * 4
        self.run = self.last = self.before = 0
        self.models = [[HALF] * 65536 for _ in range(8)]
        self.weights, self.F, self.N = {}, [0] * 4, [0] * 4096
        self.noise = [2048, 2048]

    # --- counters ---
    def bit(self, name, node=0, first=HALF, limit=36):
        tree = self.counters.setdefault(name, {})
        p = min(max(tree.setdefault(node, first) >> 16, 24), 65512)
        one = self.coder.bit(p)
        learn(tree, node, one, limit)
        return one

    def tree(self, name, bits):
        node = 1
        for _ in range(bits):
            node = 2 * node + self.bit(name, node)
        return node - (1 << bits)

    def number(self, slot, top, middle, low=None):
        b = self.tree(slot, 5)
        told = min(b, 3)
        out = 1 << told | self.tree(top + (b,), told)
        b -= told
        last = 3 if low is not None and b >= 3 else 0
        y = self.numbers.get(middle, 0)
        for i in range(b - 1, last - 1, -1):
            m = 1 + (y >> i & 1) if out == y >> i + 1 else 0
            out = 2 * out + self.bit(middle + (i,), m, HALF + 6, 250)
        out = out << last | self.tree(low, last) if last else out
        self.numbers[middle] = out
        return out

    # --- literals ---
    def byte(self, back):
        """The one that stands `back` bytes before the end."""
        return self.history[-back] if 0 < back <= len(self.history) else 0

    def literal(self):
        x1, x2, x3, x4 = (self.byte(k) for k in (1, 2, 3, 4))
        back, r = self.R[0], min(self.run, 3)
        o, p1 = self.byte(back), self.byte(back + 1)
        there = back <= len(self.history)
        q1 = self.byte(back - 1) if there and back > 1 else 0
        q2 = self.byte(back - 2) if there and back > 2 else 0
        n = h(1, q1 + 256 * q2 + 65536 * r) % 4096
        places = (256 * x1, h(2, x1 + 256 * x2), h(3, x1 + 256 * x2 + 65536 * x3),
                  h(4, x1 + 256 * x2 + 65536 * x3 + 16777216 * x4), h(5, o + 256 * r),
                  h(6, o + 256 * p1 + 65536 * x1), h(7, (o + self.F[r]) % 256 + 256 * r),
                  h(8, (o + self.N[n]) % 256 + 256 * r))
        which = self.run > 0
        noise = self.noise[which] >= 2048
        node, t = 1, 0
        while node < 256:
            at = [(place ^ node) % 65536 for place in places]
            weights = self.weights.setdefault((r, node), [16384] * 8)
            logits = [STRETCH[model[k] >> 20] for model, k in zip(self.models, at)]
            y = toward_zero(sum(l * w for l, w in zip(logits, weights)), 65536)
            p = SQUASH[min(max(y, -LOGIT_MAX), LOGIT_MAX) + LOGIT_MAX]
            p = min(max(p, 24), 65512)
            one = self.coder.bit(32768 if noise else p)
            t += COST[(p if one else 65536 - p) // 16]
            e = toward_zero(((65535 if one else 0) - p) * 5, 16)
            for m in range(8):
                w = weights[m] + toward_zero(logits[m] * e + 512, 1024)
                weights[m] = (w + HALF) % (1 << 32) - HALF
                learn(self.models[m], at[m], one, 250)
            node = 2 * node + one
        self.noise[which] += t // 32 - self.noise[which] // 32
        self.F[r] = self.N[n] = (node - o) % 256
        return node - 256

    # --- tokens ---
    def kind(self):
        c = (2 * self.last + self.before if self.run == 0
             else 18 + 2 * run_class(self.run) + (self.last == R0))
        if self.bit(("literal", c)):
            return LITERAL
        if self.bit(("rep0", c)):
            return R0
        kind = self.tree(("other", c), 3)
        return kind if kind > 1 else RESUMED1 + kind

    def copy(self, kind, n):
        group = {R0: 0, FAR: 1, INSERTED: 2}.get(kind, 3)
        L = self.number(("slot", group), ("top", group), ("middle", group))
        after = self.run > 0
        if kind == NEAR:
            closer = self.bit(("near_closer", after))
            by = self.number(("near_slot", after), ("near_top",), ("near_middle",))
            D = self.R[0] - by if closer else self.R[0] + by
        elif kind == FAR:
            size = 0 if L < 3 else 1 if L < 6 else 2 if L < 16 else 3
            D = self.number(("far_slot", size), ("far_top",), ("far_middle",), ("far_low",))
        elif kind == INSERTED:
            D = self.R[0] + self.run
        elif kind >= RESUMED1:
            at = kind - RESUMED1 + 1
            D = self.R[at] + self.S[at]
        else:
            D = self.R[max(kind - 2, 0)]
        want(1 <= D <= len(self.history) and L <= n, "edits copy what is not there")
        for _ in range(L):
            self.history.append(self.history[-D])
        self.before, self.run, self.last = int(after), 0, kind
        at = self.R.index(D) if D in self.R[:3] else 3
        self.R = [D] + self.R[:at] + self.R[at + 1:]
        S = [s + L for s in self.S]
        self.S = [0] + S[:at] + S[at + 1:]

    def decode(self, n):
        end = len(self.history) + n
        while len(self.history) < end:
            kind = self.kind()
            if kind == LITERAL:
                self.history.append(self.literal())
                self.run += 1
                self.S = [s + 1 for s in self.S]
            else:
                self.copy(kind, end - len(self.history))
        want(self.coder.ended(), "edits have another end than an encoder writes")
        return bytes(self.history[end - n:])
