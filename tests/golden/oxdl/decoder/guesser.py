"""docs/oxdl.md, "The guesser": a part's updates, from the rows above and the row so far."""
TINY = 1e-60
MOST = 16


def root(square):
    r = 1.0
    while r * r < square:
        r = 2 * r
    while r * r > square:
        r = r / 2
    for _ in range(6):
        r = (r + square / r) / 2
    return r


def total(lanes):
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


def add_products(lanes, a, b, begin, end):
    """Onto four lanes, the products of a and b from begin to before end: multiples of 4."""
    for lane in range(4):
        s = lanes[lane]
        for x, y in zip(a[begin + lane:end:4], b[begin + lane:end:4]):
            s += x * y
        lanes[lane] = s


def dot(a, b):
    lanes = [0.0] * 4
    add_products(lanes, a, b, 0, MOST)
    return total(lanes)


class Guesser:
    def __init__(self, columns, column):
        self.C, self.Z = columns, (columns + 3) // 4 * 4
        self.stops, stop = [], 0
        while stop + stop // 8 < self.Z:
            stop = (stop + 4 if stop < 16 else stop // 2 * 3 if stop & (stop - 1) == 0
                    else stop // 3 * 4)
            self.stops.append(min(stop, self.Z) if stop + stop // 8 < self.Z else self.Z)
        n = len(self.stops)
        self.square = [0.0] * n
        self.moment = [[0.0] * MOST for _ in range(n)]
        self.gram = [[[0.0] * MOST for _ in range(MOST)] for _ in range(n)]
        self.pattern = [[0.0] * self.Z for _ in range(MOST)]
        self.inverse = [[0.0] * MOST for _ in range(MOST)]
        self.factor, self.variance = [0.0] * MOST, [0.0] * MOST
        self.noise, self.rank, self.rows = 0.0, 0, 0
        self.row = [0.0] * self.Z
        self.column = column
        self.begin_row()

    def begin_row(self):
        self.stop = 0
        while self.stops[self.stop] <= self.column and self.stop + 1 < len(self.stops):
            self.stop += 1
        self.guesses = [0.0] * self.Z

    def guess(self):
        return self.guesses[self.column]

    def tell(self, update):
        self.row[self.column] = update
        self.column += 1
        if self.column == min(self.stops[self.stop], self.C):
            self.pause()

    def pause(self):
        if self.rank > 0:
            self.sum_moments()
            self.solve(self.stop)
        if self.column == self.C:
            self.end_row()
        else:
            self.make_guesses(self.stops[self.stop], self.stops[self.stop + 1])
            self.stop += 1

    def make_guesses(self, begin, end):
        out = [0.0] * (end - begin)
        for k in range(0, self.rank, 4):
            f0, f1, f2, f3 = self.factor[k:k + 4]
            p0, p1, p2, p3 = (p[begin:end] for p in self.pattern[k:k + 4])
            out = [g + ((f0 * a + f1 * b) + (f2 * c + f3 * d))
                   for g, a, b, c, d in zip(out, p0, p1, p2, p3)]
        self.guesses[begin:end] = out

    def sum_moments(self):
        s = self.stop
        begin = self.stops[s - 1] if s > 0 else 0
        for k in range(self.rank):
            lanes = [0.0] * 4
            add_products(lanes, self.pattern[k], self.row, begin, self.stops[s])
            self.moment[s][k] = (self.moment[s - 1][k] if s > 0 else 0) + total(lanes)

    def solve(self, s):
        n = self.rank
        A, y, inv = [list(row) for row in self.gram[s]], list(self.moment[s]), [0.0] * n
        for i in range(n):
            A[i][i] = A[i][i] + (self.noise + TINY) / (self.variance[i] + TINY)
        for k in range(n):
            Ak = A[k]
            inv[k] = 1 / (Ak[k] if Ak[k] > TINY else TINY)
            for i in range(k + 1, n):
                t = Ak[i] * inv[k]
                y[i] = y[i] - t * y[k]
                A[i][i:n] = [a - t * b for a, b in zip(A[i][i:n], Ak[i:n])]
        for k in range(n - 1, -1, -1):
            self.factor[k] = y[k] * inv[k]
            for i in range(k):
                y[i] = y[i] - A[i][k] * self.factor[k]

    def leave_residue(self):
        self.make_guesses(0, self.Z)
        before, after, begin = [0.0] * 4, [0.0] * 4, 0
        residue = [x - g for x, g in zip(self.row, self.guesses)]
        for s, end in enumerate(self.stops):
            add_products(before, self.row, self.row, begin, end)
            add_products(after, residue, residue, begin, end)
            self.square[s] = total(after)
            begin = end
        self.row = residue
        return total(after) / self.C if total(after) > total(before) * 1e-20 else 0.0

    def sum_grams(self, k):
        for i in range(k + 1):
            lanes, begin = [0.0] * 4, 0
            for s, end in enumerate(self.stops):
                add_products(lanes, self.pattern[i], self.pattern[k], begin, end)
                self.gram[s][i][k] = self.gram[s][k][i] = total(lanes)
                begin = end

    def turn(self):
        factor, inverse = self.factor, self.inverse
        gain = [dot(row, factor) for row in inverse]
        keep = 0.98
        if any(inverse[i][i] * self.variance[i] > 1e6 for i in range(MOST)):
            keep = 1.0
        scale = keep + dot(gain, factor)
        for i in range(MOST):
            g = gain[i] / scale
            inverse[i] = [(x - g * y) / keep for x, y in zip(inverse[i], gain)]
        gain = [g / scale for g in gain]
        for k in range(MOST):
            g = gain[k]
            self.pattern[k] = [p + x * g for p, x in zip(self.pattern[k], self.row)]
        for s, gram in enumerate(self.gram):
            h = list(self.moment[s])
            for k in range(MOST):
                f = factor[k]
                h = [x - f * y for x, y in zip(h, gram[k])]
            half = 0.5 * self.square[s]
            h = [x + half * g for x, g in zip(h, gain)]
            for i in range(MOST):
                gi, hi = gain[i], h[i]
                gram[i] = [x + (gi * hk + hi * gk) for x, hk, gk in zip(gram[i], h, gain)]

    def end_row(self):
        rest = self.leave_residue()
        if rest > TINY and self.rank < MOST:
            k, size = self.rank, root(rest)
            self.pattern[k] = [x / size for x in self.row]
            self.sum_grams(k)
            self.factor[k], self.variance[k], self.inverse[k][k] = size, rest, 1 / rest
            self.rank += 1
            self.noise = rest
        elif rest > TINY:
            self.noise = self.noise + (rest - self.noise) * (0.5 if self.rows < 32 else 0.1)
            self.turn()
        for k in range(self.rank):
            self.variance[k] = (self.variance[k] + (self.factor[k] * self.factor[k] -
                                                    self.variance[k]) *
                                (1 / min(self.rows - k + 1, 16)))
        self.rows += 1
        if self.rows % 8 == 0:
            for k in range(self.rank):
                self.sum_grams(k)
        self.column = 0
        self.begin_row()
