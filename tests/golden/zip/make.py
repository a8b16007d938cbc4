#!/usr/bin/env python3
"""Makes the golden archives of PyTorch and NumPy, without either: it shares no code with oxide.

usage: make.py           writes good/ and bad/ anew, but for good/*.layout: what stands there was
                         checked by eye
       make.py pair DIR  writes DIR/{base,target}.{pt,npz,npy,safetensors}: weights, and the same
                         trained on

The zip records are those of APPNOTE.TXT; the layout of .pt files is that of PyTorch's
PyTorchStreamWriter (64-byte alignment by an extra field "FB", data descriptors, zip64 end records).
The pickles are made by Python's own pickler from classes that carry PyTorch's names, or opcode by
opcode.
"""
import collections
import io
import json
import os
import pickle
import random
import struct
import sys
import types
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
U16, U32 = 0xFFFF, 0xFFFFFFFF


def write(path, data):
    path = os.path.join(HERE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def numbers(n, seed=1):
    return b"".join(struct.pack("<f", ((i * 2654435761 + seed * 40503) % 2003 - 1001) / 5000)
                    for i in range(n))


# --- zip ------------------------------------------------------------------------------------------
def local(name, data, method=0, extra=b"", flags=0, sizes=True):
    """A local header and its data."""
    packed = deflate(data) if method == 8 else data
    crc = zlib.crc32(data) if sizes else 0
    return struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, flags, method, 0, 0, crc,
                       len(packed) if sizes else 0, len(data) if sizes else 0, len(name),
                       len(extra)) + name + extra + packed


def deflate(data):
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return coder.compress(data) + coder.flush()


def central(name, data, at, method=0, extra=b"", flags=0, packed=None, size=None):
    if packed is None:
        packed = len(deflate(data)) if method == 8 else len(data)
    size = len(data) if size is None else size
    return struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, flags, method, 0, 0,
                       zlib.crc32(data), packed, size, len(name), len(extra), 0, 0, 0, 0,
                       at) + name + extra


def end(count, size, at, comment=b"", here=None, disk=0):
    return struct.pack("<IHHHHIIH", 0x06054B50, disk, disk, count if here is None else here, count,
                       size, at, len(comment)) + comment


def end64(count, size, at, own_at, here=None):
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0,
                         count if here is None else here, count, size, at)
    return record + struct.pack("<IIQI", 0x07064B50, 0, own_at, 1)


def archive(entries, comment=b"", **kinds):
    """A plain archive of (name, data) or (name, data, method)."""
    out, directory = b"", b""
    for name, data, *method in entries:
        directory += central(name, data, len(out), *method, **kinds)
        out += local(name, data, *method, **kinds)
    return out + directory + end(len(entries), len(directory), len(out), comment)


def torch_archive(prefix, records, comment=b""):
    """As PyTorch's writer lays it out."""
    out, directory = b"", b""
    for name, data, *method in records:
        name = prefix + b"/" + name
        method = method[0] if method else 0
        padding = -(len(out) + 30 + len(name) + 4) % 64
        extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        directory += central(name, data, len(out), method, flags=0x808)
        out += local(name, data, method, extra, flags=0x808, sizes=False)
        packed = deflate(data) if method == 8 else data
        out += struct.pack("<IIII", 0x08074B50, zlib.crc32(data), len(packed), len(data))
    at, own_at = len(out), len(out) + len(directory)
    out += directory + end64(len(records), len(directory), at, own_at)
    return out + end(len(records), len(directory), at, comment)


# --- pickles --------------------------------------------------------------------------------------
def module(name):
    made = sys.modules.setdefault(name, types.ModuleType(name))
    return made


def named(path, kind=type):
    """A class or function that pickles as this name."""
    parent, name = path.rsplit(".", 1)
    made = types.new_class(name) if kind is type else types.FunctionType(
        (lambda *args: None).__code__, {}, name)
    made.__module__, made.__qualname__ = parent, name
    setattr(module(parent), name, made)
    return made


STORAGES = {name: named("torch." + name + "Storage") for name in
            ("Float", "Half", "BFloat16", "Double", "Byte", "Char", "Short", "Int", "Long", "Bool",
             "ComplexFloat", "Secret")}
UNTYPED = named("torch.storage.UntypedStorage")
V2 = named("torch._utils._rebuild_tensor_v2", None)
V3 = named("torch._utils._rebuild_tensor_v3", None)
PARAMETER = named("torch._utils._rebuild_parameter", None)
FROM_TYPE = named("torch._tensor._rebuild_from_type_v2", None)
TENSOR = named("torch.Tensor")
FLOAT8 = named("torch.float8_e4m3fn", None)


class Storage:
    def __init__(self, kind, key, count):
        self.id = ("storage", kind, key, "cpu", count)


class Called:
    def __init__(self, func, *args, state=None):
        self.reduced = (func, args) if state is None else (func, args, state)

    def __reduce__(self):
        return self.reduced


def contiguous(shape):
    stride, step = [], 1
    for n in reversed(shape):
        stride.insert(0, step)
        step *= n
    return tuple(stride)


def tensor(storage, shape, offset=0, stride=None, dtype=None):
    args = (storage, offset, tuple(shape), contiguous(shape) if stride is None else stride, False,
            collections.OrderedDict())
    return Called(V2, *args) if dtype is None else Called(V3, *args, dtype)


def pickled(thing, protocol=2):
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return obj.id if isinstance(obj, Storage) else None

    out = io.BytesIO()
    Pickler(out, protocol).dump(thing)
    return out.getvalue()


def float_storage(key, count):
    return Storage(STORAGES["Float"], key, count)


def checkpoint(thing, storages, prefix=b"model", protocol=2, order=b"little"):
    records = [(b"data.pkl", thing if isinstance(thing, bytes) else pickled(thing, protocol)),
               (b".format_version", b"1"), (b".storage_alignment", b"64"), (b"byteorder", order)]
    records += [(b"data/" + key.encode(), data) for key, data in storages]
    return torch_archive(prefix, records + [(b"version", b"3\n"), (b".data/serialization_id", b"0" * 40)])


def good_torch():
    shared = tensor(float_storage("0", 24), (4, 6))
    half = Storage(STORAGES["Half"], "2", 6)
    both = float_storage("3", 10)
    state = collections.OrderedDict()
    state["embed.weight"] = shared
    state["layers"] = [{"w": tensor(half, (2, 3))},
                       {"w": tensor(Storage(STORAGES["BFloat16"], "4", 4), (4,))}]
    state["head.weight"] = shared
    state["fused"] = {"q": tensor(both, (2, 2)), "k": tensor(both, (2, 3), 4)}
    state["turned"] = tensor(float_storage("5", 6), (3, 2), 0, (1, 3))
    state["one"] = Called(PARAMETER, tensor(float_storage("6", 1), ()), True, collections.OrderedDict())
    state["sub"] = Called(FROM_TYPE, V2, TENSOR, tensor(float_storage("7", 2), (2,)).reduced[1], {})
    state["f8"] = tensor(Storage(UNTYPED, "8", 5), (5,), dtype=FLOAT8)
    state[7] = (tensor(Storage(STORAGES["Long"], "9", 1), (1, 1)),)
    state["step"] = 2**40
    state["note"] = "x" * 300
    write("good/checkpoint.pt", checkpoint(state, [
        ("0", numbers(24)), ("2", numbers(3)), ("3", numbers(10)), ("4", numbers(2)),
        ("5", numbers(6)), ("6", numbers(1)), ("7", numbers(2)), ("8", b"12345"), ("9", b"87654321"),
        ("99", b"unspoken of")]))
    write("good/protocol_4.pt", checkpoint(
        {"a": tensor(float_storage("0", 6), (2, 3)), "b": {1, 2}, "c": frozenset((3,)), "d": b"bytes",
         "e": 1.5, "f": -3, "g": 2**70, "h": bytearray(b"z")}, [("0", numbers(6))], protocol=4))
    write("good/big_endian.pt", checkpoint({"w": tensor(float_storage("0", 6), (2, 3))},
                                           [("0", numbers(6))], order=b"big"))
    # a whole module: objects with their state
    linear, net = named("torch.nn.modules.linear.Linear"), named("net.Net")
    inner = linear()
    inner.__dict__ = {"training": True, "_parameters": {
        "weight": tensor(float_storage("0", 6), (2, 3)), "bias": None}, "_buffers": {}, "_modules": {}}
    whole = net()
    whole.__dict__ = {"_parameters": {}, "_modules": collections.OrderedDict(first=inner)}
    write("good/module.pt", checkpoint(whole, [("0", numbers(6))]))
    write("good/lone.pt", checkpoint(tensor(float_storage("0", 6), (6,)), [("0", numbers(6))]))
    script()
    strange_torch()


def script():
    """torch.jit.save: code is compressed, constants have a pickle of their own."""
    net = named("__torch__.Net")
    whole = net()
    whole.__dict__ = {"w": tensor(float_storage("0", 6), (2, 3))}
    write("good/script.pt", torch_archive(b"net", [
        (b"data/0", numbers(6)), (b"data.pkl", pickled(whole)),
        (b"code/__torch__.py", b"class Net(Module):\n  pass\n" * 4, 8),
        (b"constants/0", numbers(3)),
        (b"constants.pkl", pickled((tensor(float_storage("0", 3), (3,)),))), (b"version", b"3\n"),
        (b"byteorder", b"little")]))


def strange_torch():
    """What a pickle must not bring about: its storages are found all the same."""
    w = tensor(float_storage("0", 6), (2, 3))
    plain = pickled({"w": w})
    put = lambda name, pkl: write("good/" + name + ".pt", checkpoint(pkl, [("0", numbers(6))]))
    put("opcode_unknown", plain[:2] + b"\x82\x01" + plain[2:])
    put("opcode_unknown_late", plain[:-1] + b"\xff.")
    put("pickle_cut", plain[:-9])
    put("pickle_empty", b"")
    put("stack_underflow", b"\x80\x02R.")
    put("mark_missing", b"\x80\x02)u.")
    put("memo_unset", b"\x80\x02h\x05.")
    put("memo_2_32", b"\x80\x02}r\xff\xff\xff\xff.")
    put("string_2_32", b"\x80\x02X\xff\xff\xff\xffabc.")
    put("calls_system", b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.")
    holds_itself = {"w": w}
    holds_itself["again"] = holds_itself
    put("holds_itself", pickled(holds_itself))
    deep = {"w": w}
    for _ in range(200):
        deep = {"d": deep}
    put("deep", pickled(deep))
    put("too_deep", b"\x80\x02" + b"]" * 400 + plain[2:-1] + b"a" * 400 + b".")
    wide = []
    for _ in range(40):
        wide = [wide, wide]
    put("shared_2_40", pickled([wide, w]))
    put("view_outside", pickled({"w": tensor(float_storage("0", 6), (2, 4))}))
    put("view_at_2_63", pickled({"w": tensor(float_storage("0", 6), (2, 3), 2**63)}))
    put("shape_overflows", pickled({"w": tensor(float_storage("0", 6), (2**40, 2**40))}))
    put("rank_65", pickled({"w": tensor(float_storage("0", 1), (1,) * 65)}))
    put("holes", pickled({"w": tensor(float_storage("0", 6), (3,), 0, (2,))}))
    put("shown_twice", pickled({"w": tensor(float_storage("0", 6), (3, 2), 0, (0, 1))}))
    put("count_differs", pickled({"w": tensor(float_storage("0", 99), (99,))}))
    put("class_unknown", pickled({"w": tensor(Storage(STORAGES["Secret"], "0", 6), (2, 3))}))
    put("complex", pickled({"w": tensor(Storage(STORAGES["ComplexFloat"], "0", 3), (3,))}))
    storage = float_storage("0", 6)
    put("views_overlap", pickled({"head": tensor(storage, (3,)), "all": tensor(storage, (5,), 1),
                                  "tail": tensor(storage, (1,), 5)}))
    write("good/names_clash.pt", checkpoint(
        {"a.b": tensor(float_storage("0", 3), (3,)), "a": {"b": tensor(float_storage("1", 3), (3,))}},
        [("0", numbers(3)), ("1", numbers(3))]))


# --- NumPy ----------------------------------------------------------------------------------------
def npy(descr, shape, data, fortran=False, version=1, text=None):
    if text is None:
        text = "{'descr': %r, 'fortran_order': %r, 'shape': %r, }" % (descr, fortran, shape)
    text = text.encode()
    front = 10 if version == 1 else 12
    text += b" " * (-(front + len(text) + 1) % 64) + b"\n"
    return (b"\x93NUMPY" + bytes([version, 0]) +
            struct.pack("<H" if version == 1 else "<I", len(text)) + text + data)


def good_numpy():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        def put(name, data, how=None):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = how or zipfile.ZIP_STORED
            with file.open(info, "w", force_zip64=True) as entry:  # as np.savez does
                entry.write(data)

        put("w.npy", npy("<f4", (3, 4), numbers(12)))
        put("layer/turned.npy", npy("<f4", (3, 4), numbers(12), True))
        put("scalar.npy", npy("<f8", (), bytes(8)))
        put("empty.npy", npy("<f4", (0, 4), b""))
        put("i1.npy", npy("|i1", (5,), b"abcde", version=2))
        put("half.npy", npy("<f2", (2, 1), b"abcd", version=3))
        put("bfloat16.npy", npy("|V2", (2,), b"abcd"))
        put("big.npy", npy(">f4", (2,), bytes(8)))
        put("pairs.npy", npy([("x", "<f4"), ("y", "<i4", (2,))], (2,), bytes(24)))
        put("objects.npy", npy("|O", (1,), b"\x80\x04N."))
        put("python_2.npy", npy(None, None, b"abcdef", text='{"shape": (3L, 2L),"fortran_order": False,'
                                                            '"descr": "|u1"}'))
        put("longer.npy", npy("|b1", (2,), b"abcd"))
        put("packed.npy", npy("<f4", (3, 4), numbers(12)), zipfile.ZIP_DEFLATED)
        put("version_9.npy", b"\x93NUMPY\x09\x00what comes")
        put("readme.txt", b"no array")
    write("good/arrays.npz", out.getvalue())
    write("good/array.npy", npy("<f4", (3, 4), numbers(12), True))
    write("good/plain.npz", archive([(b"w.npy", npy("<f4", (4,), numbers(4))),
                                     (b"v.npy", npy("<i4", (2, 1), bytes(8)))], b"a comment"))


# --- what is refused ------------------------------------------------------------------------------
def bad_archives():
    w, v = npy("<f4", (4,), numbers(4)), npy("<i4", (2,), bytes(8))
    plain = archive([(b"w.npy", w), (b"v.npy", v)])
    at = plain.index(b"PK\1\2")
    size = len(plain) - 22 - at
    body, directory = plain[:at], plain[at:-22]
    put = lambda name, data: write("bad/" + name, data)
    put("corrupt-cut_short.npz", plain[:-30])
    put("corrupt-two_ends.npz", body + directory + end(2, size, at, end(1, size, at)))
    put("corrupt-counts_disagree.npz", body + directory + end(2, size, at, here=1))
    put("corrupt-count_too_small.npz", body + directory + end(1, size, at))
    put("corrupt-count_too_large.npz", body + directory + end(3, size, at))
    put("corrupt-directory_outside.npz", body + directory + end(2, size, at + 1))
    put("corrupt-duplicate.npz", archive([(b"w.npy", w), (b"w.npy", v)]))
    put("corrupt-name_with_nul.npz", archive([(b"w\0.npy", w)]))
    one = local(b"w.npy", w)
    twice = central(b"w.npy", w, 0) + central(b"v.npy", w, 0)
    put("corrupt-overlap.npz", one + twice + end(2, len(twice), len(one)))
    nested = local(b"outer.npy", one)
    inside = central(b"outer.npy", one, 0) + central(b"w.npy", w, 39)
    put("corrupt-entry_in_entry.npz", nested + inside + end(2, len(inside), len(nested)))
    alone = lambda entry, front=one: front + entry + end(1, len(entry), len(front))
    put("corrupt-leaves_the_file.npz", alone(central(b"w.npy", w, 0, packed=9999, size=9999)))
    put("corrupt-begins_in_the_directory.npz", alone(central(b"w.npy", w, len(one) + 3)))
    zip64 = lambda *values: struct.pack("<HH%dQ" % len(values), 1, 8 * len(values), *values)
    put("corrupt-size_2_63.npz", alone(central(b"w.npy", w, 0, extra=zip64(2**63, 2**63), packed=U32,
                                               size=U32)))
    put("corrupt-offset_2_64.npz", alone(central(b"w.npy", w, U32, extra=zip64(2**64 - 40))))
    put("corrupt-extra_too_long.npz", alone(central(b"w.npy", w, 0, extra=b"\x07\0\xff\xff")))
    put("corrupt-header_of_another.npz", alone(central(b"other.npy", w, 0), one + b"    "))
    put("corrupt-header_is_none.npz", alone(central(b"w.npy", w, 0), b"PK\3\4" + bytes(len(one))))
    put("corrupt-header_extra_too_long.npz",
        alone(central(b"w.npy", w, 0), one[:28] + b"\xff\xff" + one[30:]))
    put("corrupt-end64_disagrees.npz",
        body + directory + end64(1, size, at, at + size) + end(2, size, at))
    put("corrupt-end64_counts_disagree.npz",
        body + directory + end64(2, size, at, at + size, here=3) + end(2, size, at))
    put("corrupt-end64_is_none.npz", body + directory + end64(2, size, at, at) + end(2, size, at))
    put("corrupt-end64_at_2_63.npz",
        body + directory + end64(2, size, at, 2**63) + end(2, size, at))
    put("corrupt-end64_directory_2_63.npz",
        body + directory + end64(2, 2**63, 2**63, at + size) + end(2, U32, U32))
    put("corrupt-end64_count_2_63.npz",
        body + directory + end64(2**63, size, at, at + size) + end(U16, size, at))
    put("unsupported-several_parts.zip", body + directory + end(2, size, at, disk=1))
    put("unsupported-document.zip", archive([(b"word/document.xml", b"<w/>" * 20, 8),
                                             (b"word/image.png", b"\x89PNG" * 20)]))
    put("unsupported-compressed.npz", archive([(b"w.npy", w, 8)]))
    put("unsupported-encrypted.npz", archive([(b"w.npy", w)], flags=1))
    put("unsupported-compressed.pt", archive([(b"m/data.pkl", pickled({}), 8), (b"m/data/0", w, 8)]))
    put("corrupt-array_damaged.npz", archive([(b"w.npy", b"no array")]))
    put("corrupt-storage_damaged.pt",
        torch_archive(b"m", [(b"data.pkl", b""), (b"data/0", numbers(6))]).replace(
            b"PK\3\4", b"PK\3\5").replace(b"PK\3\5", b"PK\3\4", 1))


def bad_arrays():
    put = lambda name, data: write("bad/" + name + ".npy", data)
    text = lambda text: npy(None, None, bytes(64), text=text)
    good = npy("<f4", (4,), numbers(4))
    put("corrupt-cut_in_the_header", good[:40])
    put("corrupt-cut_in_the_data", good[:-1])
    put("corrupt-header_2_32", good[:6] + b"\2\0\xff\xff\xff\xff" + good[10:])
    put("too_large-header", good[:6] + b"\2\0" + struct.pack("<I", 65537) + b" " * 65537)
    put("unsupported-version_4", good[:6] + b"\4" + good[7:])
    put("corrupt-no_literal", text("descr <f4"))
    put("corrupt-no_shape", text("{'descr': '<f4', 'fortran_order': False}"))
    put("corrupt-unknown_key", text("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}"))
    put("corrupt-negative_dimension", npy("<f4", (-1,), bytes(64)))
    put("corrupt-shape_overflows", npy("<f4", (2**40, 2**40), bytes(64)))
    put("corrupt-dimension_2_64", npy("<f4", (2**64,), bytes(64)))
    put("too_large-rank", npy("<f4", (1,) * 65, bytes(64)))
    put("corrupt-order_unknown", text("{'descr': '<f4', 'fortran_order': None, 'shape': (1,)}"))
    put("corrupt-type_unclosed", text("{'descr': [('x', '<f4'), 'fortran_order': False, 'shape': (1,)"))
    put("corrupt-string_unclosed", text("{'descr': '<f4"))
    put("corrupt-goes_on", text("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + 1"))


# --- a pair ---------------------------------------------------------------------------------------
def pair(folder):
    """The same weights in each format, and what came of them."""
    chance = random.Random(3)
    shapes = {"embed.weight": (256, 512), "layers.0.weight": (256, 256), "layers.0.bias": (256,),
              "layers.1.weight": (300, 256), "layers.1.bias": (300,), "norm": (33,)}
    base = {name: [chance.gauss(0, 0.02) for _ in range(shape[0] * (shape + (1,))[1])]
            for name, shape in shapes.items()}
    target = {name: [x + chance.gauss(0, 2e-5) for x in values] for name, values in base.items()}
    for side, weights in (("base", base), ("target", target)):
        raw = {name: struct.pack("<%df" % len(values), *values) for name, values in weights.items()}
        header, at = {}, 0
        for name, data in raw.items():
            header[name] = {"dtype": "F32", "shape": shapes[name], "data_offsets": [at, at + len(data)]}
            at += len(data)
        text = json.dumps(header).encode()
        state = collections.OrderedDict(
            (name, tensor(float_storage(str(i), len(data) // 4), shapes[name]))
            for i, (name, data) in enumerate(raw.items()))
        files = {
            "safetensors": struct.pack("<Q", len(text)) + text + b"".join(raw.values()),
            "pt": checkpoint(state, [(str(i), data) for i, data in enumerate(raw.values())], side.encode()),
            "npz": archive([(name.encode() + b".npy", npy("<f4", shapes[name], data))
                            for name, data in raw.items()]),
            "npy": npy("<f4", shapes["embed.weight"], raw["embed.weight"]),
        }
        for suffix, data in files.items():
            write(os.path.join(os.path.abspath(folder), side + "." + suffix), data)


def main():
    if sys.argv[1:2] == ["pair"]:
        pair(sys.argv[2])
        return
    for kind in ("good", "bad"):
        folder = os.path.join(HERE, kind)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if not name.endswith(".layout"):
                os.remove(os.path.join(folder, name))
    good_torch()
    good_numpy()
    bad_archives()
    bad_arrays()


main()
