# SPDX-License-Identifier: MIT
"""interop_test - our pickles and our semantics against CPython, the judge of both.

    interop_test.py pickle --probe rpc_probe --data testdata
    interop_test.py semantics --probe rpc_probe --data testdata

pickle: each recorded pickle that an interpreter can load is sent through our reader and writer, in each
dialect that it can read, and loaded again: type, value, sharing and cycles must be the same.
semantics: repr, str, ==, <, hash of random values (fixed seed) must be CPython's own.

Interpreters: python3, and those that XP_PYTHONS lists (separated by colons or blanks). This file runs in
2.7 and in 3.6 and later.
"""
from __future__ import print_function

import binascii
import io
import math
import os
import pickle
import random
import re
import subprocess
import sys
import types

PY2 = sys.version_info[0] == 2


# ---- the classes that the recorded pickles name -----------------------------------------

def make_corpmod():
    module = types.ModuleType("corpmod")
    source = '''
class Plain(object): pass
class Slotted(object): __slots__ = ("a", "b")
class WithState(object):
    def __getstate__(self): return ("st", 9)
    def __setstate__(self, state): self.state = state
class WithReduce(object):
    def __init__(self, a, b): self.pair = (a, b)
    def __reduce__(self): return (WithReduce, self.pair)
class NewArgs(tuple):
    def __new__(cls, *args): return tuple.__new__(cls, args)
    def __getnewargs__(self): return tuple(self)
class Old: pass
class DictSub(dict): pass
class IntSub(int): pass
class ListSub(list): pass
class StrSub(str): pass
class Outer(object):
    class Inner(object): pass
class MyError(Exception): pass
class MyError2(Exception):
    def __init__(self, code, msg): Exception.__init__(self, code, msg); self.code = code; self.msg = msg
def func(): pass
cls = Plain
'''
    exec(source, module.__dict__)
    for value in list(module.__dict__.values()):
        if isinstance(value, type) or type(value).__name__ == "classobj":
            value.__module__ = "corpmod"
    module.func.__module__ = "corpmod"
    sys.modules["corpmod"] = module


class Same(object):
    """Whether two graphs of objects are the same graph: types, values and identities."""

    def __init__(self):
        self.left = {}
        self.right = {}
        self.keep = []

    def check(self, a, b, path="value"):
        if type(a) is not type(b):
            return "%s: %r is not of the type of %r" % (path, a, b)
        if a is b:
            return None
        atom = (int, float, complex, bytes, str, type(None), bool, type, types.FunctionType,
                types.BuiltinFunctionType) + ((unicode, long) if PY2 else ())  # noqa: F821
        if type(a) in atom:
            return None if a == b or a != a else "%s: %r is not %r" % (path, a, b)
        if id(a) in self.left or id(b) in self.right:
            if self.left.get(id(a)) == id(b) and self.right.get(id(b)) == id(a):
                return None
            # An equal but separate immutable value is no difference that a program can see.
            if isinstance(a, (tuple, frozenset)) and not self.has_cycle(a) and repr(a) == repr(b):
                return None
            return "%s: shared differently" % path
        self.left[id(a)] = id(b)
        self.right[id(b)] = id(a)
        self.keep.append((a, b))
        if type(a) in (list, tuple):
            if len(a) != len(b):
                return "%s: %d items are not %d" % (path, len(a), len(b))
            for i, (x, y) in enumerate(zip(a, b)):
                found = self.check(x, y, "%s[%d]" % (path, i))
                if found:
                    return found
            return None
        if type(a) is dict:
            if not PY2 and list(map(repr, a)) != list(map(repr, b)):
                return "%s: other keys, or another order" % path
            for key in a:
                if key not in b:
                    return "%s: no key %r" % (path, key)
                found = self.check(a[key], b[key], "%s[%r]" % (path, key))
                if found:
                    return found
            return None if len(a) == len(b) else "%s: other length" % path
        if type(a) in (set, frozenset):
            one, two = sorted(map(repr, a)), sorted(map(repr, b))
            return None if one == two else "%s: %r is not %r" % (path, one, two)
        if type(a) in (bytearray, range if not PY2 else xrange, slice):  # noqa: F821
            return None if repr(a) == repr(b) else "%s: %r is not %r" % (path, a, b)
        try:
            return self.check(self.parts(a), self.parts(b), path + ".reduce")
        except TypeError:
            return None if a == b or repr(a) == repr(b) else "%s: %r is not %r" % (path, a, b)

    def has_cycle(self, value):
        return "..." in repr(value)

    def parts(self, value):
        if type(value).__name__ == "instance":
            return [value.__class__.__name__, value.__dict__]
        parts = value.__reduce_ex__(2)
        if not isinstance(parts, tuple):
            return [parts]
        # A tuple would be compared by identity too, and these are made anew.
        return [repr(parts[0])] + [list(p) if i in (3, 4) and p is not None else p
                                   for i, p in enumerate(parts) if i > 0]


class Probe(object):
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *words):
        self.process.stdin.write((" ".join(words) + "\n").encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode()
        if not line:
            raise SystemExit("the probe died of: %s" % " ".join(words)[:2000])
        verdict, _, text = line.rstrip("\n").partition(" ")
        return verdict == "ok", text


def hexed(data):
    return binascii.hexlify(data).decode()


def records(data):
    for name in ("pickles.tsv", "wire.tsv"):
        with io.open(os.path.join(data, name), encoding="utf-8") as rows:
            for row in rows:
                if not row.startswith("#"):
                    columns = row.rstrip("\n").split("\t")
                    yield " ".join(columns[:-1]), columns[-1]


def load(data):
    return pickle.loads(data) if PY2 else pickle.loads(data, encoding="latin1")


def dialects():
    if PY2:
        return [("2", "2"), ("3", "2")]
    return [("3", str(n)) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)]


def offline():
    """RebuildProxy would connect to the manager of the recording."""
    import multiprocessing.managers as managers

    class Rebuilt(object):
        def __init__(self, *args):
            self.args = args
    Rebuilt.__name__ = "RebuildProxy"
    managers.RebuildProxy = lambda *args: Rebuilt(*args)


def child_pickle(probe, data):
    make_corpmod()
    offline()
    checked = skipped = 0
    failures = []
    for what, text in records(data):
        raw = binascii.unhexlify(text)
        from_2 = what.startswith("2.7")
        try:
            # As a stock server reads a client of 2.7: its str must be ASCII.
            original = pickle.loads(raw) if from_2 else load(raw)
        except Exception:
            skipped += 1  # another version's, e.g. a class that is not here
            continue
        for python, protocol in dialects():
            ok, answer = probe.ask("encode", python, protocol, text)
            where = "%s as %s/%s" % (what, python, protocol)
            if PY2 and python == "3" and re.search("err_unicode|UnicodeDecodeError", what):
                continue  # its constructor insists on str, which only the dialect of 2.7 has
            if not ok:
                failures.append("%s: %s" % (where, answer))
                continue
            try:
                again = load(binascii.unhexlify(answer))
                found = None
                # What 3.x wrote for 2.7, and what 2.7 gets without its str, is equal only in part.
                if not PY2 or (from_2 and python == "2"):
                    found = Same().check(original, again)
            except Exception as err:  # what cannot be loaded is a failure of ours
                found = "%s: %s of %s" % (type(err).__name__, err, answer)
            if found:
                failures.append("%s: %s" % (where, found))
            checked += 1
    return checked, skipped, failures


# ---- semantics --------------------------------------------------------------------------

NUMBERS = [0, 1, -1, 2, 255, 256, 2 ** 31, 2 ** 53, 2 ** 53 + 1, 2 ** 61 - 1, 2 ** 62, 2 ** 63 - 1, 2 ** 63,
           -2 ** 63, -2 ** 63 - 1, 2 ** 64, 2 ** 100, -2 ** 100, 2 ** 1023, 2 ** 1024, -2 ** 1024, 10 ** 30,
           True, False, 0.0, -0.0, 0.5, 1.0, -1.0, 1e15, 1e16, 1e17, 1e22, 1e23, 1e100, 1e300, 2.0 ** 53,
           2.0 ** 63, -2.0 ** 63, 2.0 ** 64, 2.0 ** 100, 2.0 ** 1023, 5e-324, 2.2250738585072014e-308,
           float("inf"), float("-inf"), float("nan"), 0.1, 1 / 3.0, 123456.789, 1e-4, 1e-5, 9.5e-7]


def random_text(rng):
    pools = ["abc", "a'b", 'a"b', "\\\n\r\t\0\x1f\x7f", u"\xe9\xff\xad", u"\u20ac\u200b\u2028", u"\ud800",
             u"\U0001f600\U000e0001\U0010ffff"]
    if PY2:
        return "".join(rng.choice("abc'\"\\\n\x00\x7f") for _ in range(rng.randrange(8)))
    return "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(8)))


def random_float(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return rng.random()
    if kind == 1:
        return rng.uniform(-1e6, 1e6)
    if kind == 2:
        return math.ldexp(rng.choice([1.0, -1.0]), rng.randrange(-1074, 1023))
    if kind == 3:
        return round(rng.uniform(-1000, 1000), rng.randrange(6))
    return math.ldexp(rng.random(), rng.randrange(-1080, 1024))


def random_value(rng, depth=0, hashable=False):
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return rng.choice(NUMBERS)
    if kind == 1:
        return rng.randrange(-5, 5) if rng.random() < 0.7 else rng.getrandbits(rng.randrange(1, 200))
    if kind == 2:
        return random_float(rng)
    if kind == 3:
        return random_text(rng)
    if kind == 4:
        data = bytes(bytearray(rng.randrange(256) for _ in range(rng.randrange(5))))
        return bytearray(data) if rng.random() < 0.2 and not hashable else data
    if kind == 5:
        return None
    items = [random_value(rng, depth + 1, hashable) for _ in range(rng.randrange(4))]
    if kind == 6 or hashable:
        return tuple(items)
    if kind == 7:
        return items
    sort = rng.randrange(3)
    keys = [random_value(rng, depth + 1, True) for _ in items]
    if sort == 0:
        return dict(zip(keys, items))
    return set(keys[:1]) if sort == 1 else frozenset(keys[:1])


def knots():
    a = [1]
    a.append(a)
    b = {}
    b["b"] = (b, [b])
    c = [[]] * 3
    d = (1, [])
    d[1].append(d)
    return [a, b, c, d]


def related(rng, value):
    """Something that may well be equal to it."""
    if isinstance(value, bool) or isinstance(value, int):
        return rng.choice([value, float(value) if abs(value) < 2 ** 1000 else value, value + 1])
    if isinstance(value, float) and value == value and abs(value) < float("inf"):
        return rng.choice([value, int(value)])
    if isinstance(value, bytes):
        return rng.choice([value, bytearray(value)])
    if isinstance(value, (tuple, list)) and value:
        copy = list(value)
        at = rng.randrange(len(copy))
        copy[at] = related(rng, copy[at])
        return type(value)(copy)
    return value


def special_values():
    import array
    import collections
    import decimal
    found = knots() + [KeyError("k"), ValueError(), ValueError("a", 1), slice(1, None, 2), complex(1, -2),
                       complex(0, 1), complex(1.5, 2), collections.deque([1, 2], 5), collections.deque(),
                       collections.OrderedDict([("a", 1)]), decimal.Decimal("1.50"), int, dict, ValueError,
                       array.array("i", [1, 2]) if PY2 else 0, StopIteration()]
    if not PY2:
        found += [range(3), range(1, 9, 2), Ellipsis, NotImplemented, set(), frozenset(), {1}, {(): {}}]
    return [v for v in found if not (PY2 and isinstance(v, slice))]


def as_text(value):
    text = repr(value)
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def ask_bytes(probe, *words):
    ok, text = probe.ask(*words)
    return binascii.unhexlify(text) if ok else ("error " + text).encode()


def check_texts(probe, values, failures):
    python = str(sys.version_info[0])
    modern = PY2 or sys.version_info >= (3, 12)
    for value in values:
        if not modern and (isinstance(value, BaseException) or type(value).__name__ == "OrderedDict"):
            continue  # their repr has changed since
        text = hexed(pickle.dumps(value, 2 if PY2 else 4))
        expected, got = as_text(value), ask_bytes(probe, "repr", python, text)
        if re.search(br"\(.+\},? ?.*\)|set", expected) and expected != got and b"set" in expected:
            continue  # the order of a set
        if expected != got:
            failures.append("repr(%r) is not %r" % (expected, got))
        if isinstance(value, BaseException) or isinstance(value, type(u"")):
            expected = str(value).encode("utf-8", "surrogatepass") if not PY2 else str(value)
            got = ask_bytes(probe, "str", python, text)
            if expected != got:
                failures.append("str(%r) is not %r" % (expected, got))
    return len(values)


def check_pairs(probe, pairs, failures):
    for a, b in pairs:
        one, two = hexed(pickle.dumps(a, 4)), hexed(pickle.dumps(b, 4))
        # Separate copies, as the probe sees them: a NaN is then equal to nothing.
        a, b = pickle.loads(pickle.dumps(a)), pickle.loads(pickle.dumps(b))
        ok, got = probe.ask("equal", one, two)
        if not ok or got != str(int(a == b)):
            failures.append("%r == %r is not %s" % (a, b, got))
        try:
            expected = str(int(a < b))
        except TypeError as err:
            expected = str(err)
        got = probe.ask("less", one, two)[1]
        if got != expected:
            failures.append("%r < %r: %s is not %s" % (a, b, expected, got))
        try:
            expected = hash(a) is not None and hash(b) is not None
        except TypeError as err:
            expected = str(err)
        ok, got = probe.ask("hash", one, two)
        if expected is True and not ok:
            failures.append("hash of %r, %r: %s" % (a, b, got))
        elif expected is True and a == b and got != "1":
            failures.append("%r == %r, but their hashes differ" % (a, b))
        elif expected is not True and ("error " + got if ok else got) != expected:
            # 3.14 says more: "cannot use 'list' as a dict key"; its own words begin alike
            failures.append("hash of %r, %r: %s is not %s" % (a, b, got, expected))
    return len(pairs)


def child_semantics(probe, data):
    rng = random.Random(20090713)
    failures = []
    values = [random_float(rng) for _ in range(3000)] + [random_value(rng) for _ in range(3000)]
    values += [v for v in NUMBERS] + special_values()
    checked = check_texts(probe, values, failures)
    if not PY2:
        numbers = [(a, b) for a in NUMBERS for b in NUMBERS]
        pairs = [(random_value(rng), random_value(rng)) for _ in range(3000)]
        for _ in range(6000):
            value = random_value(rng)
            pairs.append((value, related(rng, value)))
        checked += check_pairs(probe, numbers + pairs, failures)
    return checked, 0, failures


def child(part, probe_path, data):
    probe = Probe(probe_path)
    run = child_pickle if part == "pickle" else child_semantics
    checked, skipped, failures = run(probe, data)
    probe.process.stdin.close()
    died = probe.process.wait()
    for failure in failures[:40]:
        print("  " + failure)
    print("%s: %d checked, %d of other versions, %d failed" %
          (sys.version.split()[0], checked, skipped, len(failures)))
    return 1 if failures or died or not checked else 0


def main(argv):
    part, _, probe, _, data = argv[1:6]
    if argv[-1] == "--child":
        return child(part, probe, data)
    found, verdict = 0, 0
    for python in ["python3"] + re.split(r"[:\s]+", os.environ.get("XP_PYTHONS", "")):
        if not python:
            continue
        try:
            code = subprocess.call([python, "-B", os.path.abspath(argv[0])] + argv[1:6] + ["--child"])
        except OSError:
            print("%s: not there, skipped" % python)
            continue
        found += 1
        verdict = verdict or code
        sys.stdout.flush()
    return verdict if found else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv))
