"""docs/oxdl.md, "The mixing coder": its models, and "Mixing bytes"."""
from array import array

from .common import LOGIT_MAX, SQUASH

# Singles are doubles that went through an array of singles. One operation on two singles, rounded
# to a double and then to a single, is what a single operation gives.
_F = array("f", [0] * 8)
_FI = memoryview(_F).cast("B").cast("i")


def single(x):
    _F[0] = x
    return _F[0]


ONE = single(177.44568) * 2.0**-23
FIRST_Q = single(1 / single(1.5))
HIT, MISS = 1 - 2.0**-16, 2.0**-16
FAST = single(single(1 / single(256.5))**2)  # S * S
SLOW = single(single(1 / single(1001.5))**2)


def pace(value):
    return single(single(value) * single(177.44568)) * 2.0**-62


class States:
    def __init__(self, count, slowness):
        self.p = array("f", [0.5]) * count
        self.q = array("f", [FIRST_Q]) * count
        self.pattern = memoryview(self.p).cast("B").cast("i")
        self.slowness = slowness

    def learn(self, at, one):
        f, p, q = _F, self.p, self.q
        was = q[at]
        f[0] = (HIT if one else MISS) - p[at]
        f[0] = f[0] * was
        p[at] = p[at] + f[0]
        f[0] = was + self.slowness
        f[1] = 1 + was
        q[at] = f[0] / f[1]

    def decide(self, coder, at):
        one = coder.bit(int(65536 * self.p[at]))
        self.learn(at, one)
        return one


def weights(count, value):
    return array("f", [value]) * (4 * count)


def decide(coder, tables, at, weight, set_of_weights, by_pace):
    """A decision of state at[i] of each of four tables, with a set of weights."""
    f, fi, w = _F, _FI, 4 * set_of_weights
    t0, t1, t2, t3 = tables
    a0, a1, a2, a3 = at
    f[0] = 1 - t0.p[a0]
    f[1] = 1 - t1.p[a1]
    f[2] = 1 - t2.p[a2]
    f[3] = 1 - t3.p[a3]
    f[4] = t0.pattern[a0] - fi[0]
    f[5] = t1.pattern[a1] - fi[1]
    f[6] = t2.pattern[a2] - fi[2]
    f[7] = t3.pattern[a3] - fi[3]
    u0, u1, u2, u3 = f[4], f[5], f[6], f[7]
    f[0] = u0 * weight[w]
    f[1] = u1 * weight[w + 1]
    f[2] = u2 * weight[w + 2]
    f[3] = u3 * weight[w + 3]
    f[0] = f[0] + f[2]
    f[1] = f[1] + f[3]
    f[0] = f[0] + f[1]
    y = f[0]
    y = y if y < LOGIT_MAX else LOGIT_MAX
    y = y if y > -LOGIT_MAX else -LOGIT_MAX
    p = SQUASH[int(y) + LOGIT_MAX]
    one = coder.bit(p)
    f[0] = ((65536 if one else 0) - p) * by_pace
    g = f[0]
    f[0] = u0 * g
    f[1] = u1 * g
    f[2] = u2 * g
    f[3] = u3 * g
    weight[w] = weight[w] + f[0]
    weight[w + 1] = weight[w + 1] + f[1]
    weight[w + 2] = weight[w + 2] + f[2]
    weight[w + 3] = weight[w + 3] + f[3]
    t0.learn(a0, one)
    t1.learn(a1, one)
    t2.learn(a2, one)
    t3.learn(a3, one)
    return one


# --- bytes ----------------------------------------------------------------------------------------
def mix(a, b):
    return (a * 2654435761 + b * 2246822507) % (1 << 32) >> 16


def decode_bytes(coder, stream):
    n, size, by_pace = len(stream.predicted), 4096, pace(0.0042)
    while size < n and size < 65536:
        size *= 2
    same = [States(4096, FAST) for _ in range(4)]
    diff = [States(size, FAST) for _ in range(4)]
    same_weights, diff_weights = weights(16, single(ONE / 3)), weights(256, single(ONE / 3))
    q = d1 = d2 = b1 = b2 = 0
    out = []
    for i, x in enumerate(stream.predicted):
        c = stream.contexts[i] if stream.contexts is not None else 0
        d = 0
        r = min(2 * q.bit_length(), 15)
        if stream.fresh or not decide(
                coder, same, (32 * r + c, 16 * x + 2 * (d1 > 0) + (d2 > 0), 16 * b1 + r,
                              16 * d1 + (d2 % 16 if r < 15 else 15)), same_weights, r, by_pace):
            h = (mix(c, 1), mix(x, c + 64), mix(256 * d1 + d2, 2), mix(b1, b2 + 1000))
            k = 1
            while k < 256:
                at = [(place + k * 40501) % size for place in h]
                k = 2 * k + decide(coder, diff, at, diff_weights, k, by_pace)
            d = k - 256
        q = q + 1 if d == 0 else 0
        d1, d2 = d, d1
        b1, b2 = (x + d) % 256, b1
        out.append(b1)
    return out
