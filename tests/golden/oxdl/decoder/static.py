"""docs/oxdl.md, "The static coder"."""
from .common import BF16, F16, F32, F8E4M3, F8E5M2, I8, KINDS, U8, Bits, Damaged, want

SAME, ONE, GIVEN, MAGNITUDE, RUNS, SHORT_RUNS, ROWS = range(7)
SCHEMES = ("same", "one", "given", "magnitude", "runs", "short runs", "rows")
STEP, NUMBER, TOP = range(3)
MEANINGS = ("step", "number", "top")


def clamp(x):
    return min(max(x, 0), 31)


# --- frequencies and coded symbols ----------------------------------------------------------------
def read_table(bits):
    lowest = bits.gamma() - 1
    highest = lowest + bits.gamma() - 1
    want(highest <= 255, "a table of frequencies has too many symbols")
    top = lowest + bits.get((highest - lowest).bit_length())
    want(top <= highest, "a table of frequencies has its top outside")
    mantissa = bits.get(2) + 1 if highest > lowest else 1
    table, length = [0] * 256, 6
    for symbol in range(lowest, highest + 1):
        if symbol == top:
            continue
        g = bits.gamma()
        length += -(g // 2) if g & 1 else g // 2
        want(0 <= length <= 12, "a frequency has a length out of bounds")
        if length > 0:
            told = min(mantissa, length - 1)
            table[symbol] = (1 << told | bits.get(told)) << (length - 1 - told)
    table[top] = 4096 - sum(table)
    want(table[top] >= 1, "a table of frequencies adds up to too much")
    return table


def read_frequencies(reader):
    """For each of 32 contexts, and each y: (symbol, its frequency, y - where its range begins)."""
    told = reader.u8()
    want(1 <= told <= 32, "frequencies are told for", told, "contexts")
    bits, contexts = Bits(reader.data[reader.at:]), []
    for c in range(32):
        if c == 0 or (c < told and bits.get(1)):
            table = read_table(bits)
            slots = [(s, f, y) for s, f in enumerate(table) for y in range(f)]
        contexts.append(slots)
    reader.take(bits.whole_bytes())
    return contexts


def read_symbols(reader, frequencies, contexts):
    log = reader.u8()
    want(log <= 5, "coded symbols have 2 to the power of", log, "states")
    states = [reader.u32() for _ in range(1 << log)]
    want(min(states) >= 65536, "a state is too low")
    data, at, mask, out = reader.data, reader.at, (1 << log) - 1, []
    for i, c in enumerate(contexts):
        x = states[i & mask]
        symbol, f, y = frequencies[c][x & 4095]
        x = f * (x >> 12) + y
        if x < 65536:
            want(at + 2 <= len(data), "coded symbols are cut short")
            x = x << 16 | data[at] | data[at + 1] << 8
            at += 2
        states[i & mask] = x
        out.append(symbol)
    want(all(x == 65536 for x in states), "coded symbols end in a wrong state")
    reader.at = at
    return out


# --- schemes --------------------------------------------------------------------------------------
def octave(kind, x):
    return (x & kind.below) >> kind.mantissa if kind.floats else 0


def rank(kind, x):
    which = KINDS.index(kind)
    if which in (F16, BF16, F32):
        return octave(kind, x)
    if which in (F8E4M3, F8E5M2):
        return (x & kind.below) // 4
    if which == I8:
        return kind.absolute(x) // 4
    if which == U8:
        return x // 8
    return kind.absolute(x).bit_length()


def run_ends(stream, scheme):
    n = len(stream.predicted)
    if scheme != ROWS:
        unit = 1024 if scheme == RUNS else 256
        return [min(end, n) for end in range(unit, n + unit, unit)]
    ends, begin, at = [], 0, 0
    for part in stream.parts:
        own = 0 < part.columns <= 2048
        row = part.columns if own else 1024
        places = list(range(at + row - (part.column if own else 0), at + part.count, row))
        at += part.count
        for place in places + [at]:
            if place - begin >= 128:
                ends.append(place)
                begin = place
    if begin < n:
        ends.append(n)
    return ends


def read_contexts(reader, stream, scheme):
    kind, predicted = stream.kind, stream.predicted
    if scheme == ONE:
        return [0] * len(predicted)
    if scheme == GIVEN:
        want(stream.contexts is not None, "numbers without contexts are coded by contexts")
        return stream.contexts
    low = reader.u8()
    if scheme == MAGNITUDE:
        cache = {}
        return [cache[x] if x in cache else cache.setdefault(x, clamp(rank(kind, x) - low))
                for x in predicted]
    least = reader.u8()
    ends = run_ends(stream, scheme)
    steps = read_symbols(reader, read_frequencies(reader), [0] * len(ends))
    contexts, begin, size = [], 0, 0
    for end, step in zip(ends, steps):
        size += -(step // 2) - 1 if step & 1 else step // 2
        want(0 <= size <= 127, "a run has a class out of bounds")
        if size == 0:
            contexts += [0] * (end - begin)
        else:
            contexts += [clamp(size - 2 * (octave(kind, x) - low) - least)
                         for x in predicted[begin:end]]
        begin = end
    return contexts


# --- meanings -------------------------------------------------------------------------------------
def suits(stream, meaning):
    width, floats = stream.kind.width, stream.kind.floats
    if meaning == STEP:
        return not stream.fresh or (width > 1 and not floats)
    if meaning == NUMBER:
        return width == 1
    return stream.fresh and floats and width > 1


def join_steps(stream, symbols, raw):
    kind, out = stream.kind, []
    for x, s in zip(stream.predicted, symbols):
        if s:
            t = (s + 1) // 2
            r = max(t // 4 - 1, 0)
            d = ((t - 4 * r) << r) + raw.get(r)
            if (s & 1 == 0) != (kind.floats and x & kind.sign != 0):
                d = -d
            x = kind.ordered((kind.ordered(x) + d) & kind.all)
        out.append(x)
    return out


def join_tops(stream, symbols, raw, kept, lowest):
    kind, out = stream.kind, []
    k = kind.mantissa - kept
    for s in symbols:
        x = 0
        if s == 0:
            sign = raw.get(1)
            x = raw.get(8 * kind.width - 1) | sign * kind.sign
        elif s > 1:
            sign = raw.get(1)
            x = (((lowest + s - 2) << k) + raw.get(k) + sign * kind.sign) & kind.all
        out.append(x)
    return out


def decode(reader, stream, notes):
    head = reader.u8()
    scheme, meaning = head & 15, head >> 4
    if head == 0:
        notes.add("static same")
        return list(stream.predicted)
    if not ONE <= scheme <= ROWS or meaning > TOP or not suits(stream, meaning):
        raise Damaged("numbers of kind %s are coded by 0x%02x" % (stream.kind.name, head))
    kept = lowest = 0
    if meaning == TOP:
        kept, lowest = reader.u8(), reader.u16()
        want(kept <= 4, kept, "bits of a mantissa are kept")
    contexts = read_contexts(reader, stream, scheme)
    frequencies = read_frequencies(reader)
    raw = Bits(b"" if meaning == NUMBER else reader.take(reader.varint()))
    symbols = read_symbols(reader, frequencies, contexts)
    notes.add("static %s" % SCHEMES[scheme])
    notes.add("static %s" % MEANINGS[meaning])
    if meaning == NUMBER:
        return symbols
    if meaning == STEP:
        return join_steps(stream, symbols, raw)
    return join_tops(stream, symbols, raw, kept, lowest)

