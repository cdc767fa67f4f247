# SPDX-License-Identifier: MIT
"""random_ops - the same random operations through one stock client to two managers. For 2.7 and 3.6 on.

    random_ops.py OURS THEIRS TYPEID OPERATIONS SEED      (key in XP_AUTHKEY)

Sequences of 40 operations, each on a fresh object. After each sequence the whole objects are compared too.
A sequence ends at its first difference, which is printed with its seed.
"""
from __future__ import print_function

import array
import random
import sys

import clients
import differences
from clients import PY2, describe, describe_error

LENGTH = 40
SHOWN = 20
VERSION = "%d.%d" % sys.version_info[:2]


class Values(object):
    """Nested Python objects. Small pools, so that operations meet equal values again."""

    def __init__(self, rng):
        self.rng = rng

    def atom(self):
        rng = self.rng
        kind = rng.randrange(9)
        if kind == 0:
            return rng.choice([None, True, False])
        if kind < 4:
            return rng.randrange(-3, 4)
        if kind == 4:
            return rng.choice([0.0, -0.0, 1.0, 2.5, -1.5, 1e300, float("inf")])
        if kind == 5:
            return rng.choice([2 ** 31, 2 ** 63 - 1, 2 ** 63, -2 ** 63, -2 ** 64, 2 ** 100, -2 ** 200])
        if kind == 6:
            return rng.choice(["", "a", "b", "abc", "x'y", "\n"])
        if kind == 7:
            return rng.choice([u"\xe9", u"\u20ac", u"\U0001f600", u"a"])
        return rng.choice([b"", b"a", b"\x00z", b"bytes"])

    def key(self, depth=0):
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 8 or depth > 1:
            return self.atom()
        if kind == 8:
            return tuple(self.key(depth + 1) for _ in range(rng.randrange(3)))
        return frozenset(self.key(depth + 1) for _ in range(rng.randrange(2)))

    def any(self, depth=0):
        rng = self.rng
        kind = rng.randrange(14)
        if kind < 8 or depth > 2:
            return self.atom()
        size = rng.randrange(4)
        if kind == 8:
            return [self.any(depth + 1) for _ in range(size)]
        if kind == 9:
            return tuple(self.any(depth + 1) for _ in range(size))
        if kind == 10:
            return dict((self.key(1), self.any(depth + 1)) for _ in range(size))
        if kind == 11:
            return set(self.key(1) for _ in range(min(size, 1)))
        if kind == 12 and not PY2:  # the str of 2.7 is its bytes, and equal to a bytearray
            return bytearray(self.rng.choice([b"", b"ab"]))
        knot = [self.atom()]
        knot.append(self.rng.choice([knot, (knot, 1), {1: knot}, [knot, knot]]))
        return knot

    def index(self):
        if self.rng.random() < 0.03:
            return self.rng.choice([None, "a", 1.5, 2 ** 70, -2 ** 70, True, ()])
        return self.rng.randrange(-12, 13)

    def part(self):
        edge = [None] * 2 + list(range(-8, 9)) + [2 ** 70, -2 ** 70]
        step = self.rng.choice([None, None, None, 1, 2, 3, -1, -2, 0])
        return slice(self.rng.choice(edge), self.rng.choice(edge), step)

    def iterable(self):
        rng = self.rng
        kind = rng.randrange(8)
        items = [self.any(1) for _ in range(rng.randrange(5))]
        if kind == 0:
            return tuple(items)
        if kind == 1:
            return rng.choice(["", "ab", u"\xe9\u20ac", b"xyz"])
        if kind == 2:
            return dict((self.key(1), 1) for _ in range(rng.randrange(3)))
        if kind == 3 and rng.random() < 0.2:
            return rng.choice([None, 5, 1.5])
        return items


# Each operation: a method and its arguments, as a proxy would send them.

def list_ops(v, rng):
    plain = [
        ("append", lambda: (v.any(),)), ("append", lambda: (v.any(),)), ("extend", lambda: (v.iterable(),)),
        ("insert", lambda: (v.index(), v.any())), ("pop", lambda: ()), ("pop", lambda: (v.index(),)),
        ("__getitem__", lambda: (v.index(),)), ("__getitem__", lambda: (v.part(),)),
        ("__setitem__", lambda: (v.index(), v.any())), ("__setitem__", lambda: (v.part(), v.iterable())),
        ("__delitem__", lambda: (v.index(),)), ("__delitem__", lambda: (v.part(),)),
        ("__len__", lambda: ()), ("count", lambda: (v.any(),)), ("index", lambda: (v.atom(),)),
        ("index", lambda: (v.atom(), v.index())), ("index", lambda: (v.atom(), v.index(), v.index())),
        ("remove", lambda: (v.atom(),)), ("__contains__", lambda: (v.any(),)), ("reverse", lambda: ()),
        ("__add__", lambda: (v.iterable(),)), ("__mul__", lambda: (rng.randrange(-1, 3),)),
        ("__rmul__", lambda: (v.index(),)), ("__imul__", lambda: (rng.choice([0, 1, 1, 1, 2]),)),
        ("#GETVALUE", lambda: ()),
    ]
    if PY2:
        ends = [0, 1, 2, 5, sys.maxsize]
        plain += [("__getslice__", lambda: (rng.choice(ends), rng.choice(ends))),
                  ("__setslice__", lambda: (rng.choice(ends), rng.choice(ends), v.iterable())),
                  ("__delslice__", lambda: (rng.choice(ends), rng.choice(ends)))]
    else:  # 2.7 orders values of different types, and its dicts have no order; ours are those of 3.x
        plain += [("sort", lambda: ()), ("__str__", lambda: ())]
    return plain


def dict_ops(v, rng):
    def pairs():
        kind = rng.randrange(4)
        if kind == 0:
            return [(v.key(), v.any()) for _ in range(rng.randrange(3))]
        if kind == 1 and rng.random() < 0.3:
            return rng.choice([5, None, [1], ["ab"], [(1, 2, 3)], [([], 1)]])
        return dict((v.key(), v.any()) for _ in range(rng.randrange(3)))

    return [
        ("__setitem__", lambda: (v.key(), v.any())), ("__setitem__", lambda: (v.key(), v.any())),
        ("__setitem__", lambda: (v.any(), v.any())), ("__getitem__", lambda: (v.key(),)),
        ("__getitem__", lambda: (v.any(),)), ("__delitem__", lambda: (v.key(),)),
        ("__contains__", lambda: (v.any(),)), ("__len__", lambda: ()), ("get", lambda: (v.key(),)),
        ("get", lambda: (v.any(), v.any())), ("setdefault", lambda: (v.key(),)),
        ("setdefault", lambda: (v.any(), v.any())), ("pop", lambda: (v.key(),)),
        ("pop", lambda: (v.key(), v.any())), ("update", lambda: (pairs(),)), ("update", lambda: (pairs(),)),
        ("clear", lambda: ()) if rng.random() < 0.1 else ("__len__", lambda: ()),
        ("copy", lambda: ()), ("#GETVALUE", lambda: ()),
    ] + ([("has_key", lambda: (v.any(),))] if PY2 else
         [("keys", lambda: ()), ("values", lambda: ()), ("items", lambda: ()), ("popitem", lambda: ()),
          ("__str__", lambda: ())])


def namespace_ops(v, rng):
    names = ["a", "b", "c", "dd", u"\xe9" if not PY2 else "e", "_private"]

    def name():
        return rng.choice(names) if rng.random() < 0.97 else rng.choice([5, None, "", [1]])
    return [("__setattr__", lambda: (name(), v.any())), ("__setattr__", lambda: (name(), v.any())),
            ("__getattribute__", lambda: (name(),)), ("__getattribute__", lambda: (name(),)),
            ("__delattr__", lambda: (name(),))] + ([] if PY2 else [("__str__", lambda: ())])


def value_ops(v, rng):
    return [("set", lambda: (v.any(),)), ("get", lambda: ()), ("get", lambda: ()),
            ("get" if PY2 else "__str__", lambda: ()),
            ("set", lambda: ()) if rng.random() < 0.1 else ("get", lambda: ())]


ARRAY_CODES = "bBhHiIlLfd" + ("" if PY2 else "qQ")


def array_ops(v, rng, code="i"):
    def number():
        if rng.random() < 0.1:
            return v.any()
        if rng.random() < 0.3:
            return rng.choice([2 ** n + d for n in (7, 8, 15, 16, 31, 32, 63, 64) for d in (-1, 0)]) \
                * rng.choice([1, -1])
        return rng.randrange(-5, 128)

    def run():
        other = code if rng.random() < 0.9 else rng.choice(ARRAY_CODES)
        return array.array(other, [rng.randrange(100) for _ in range(rng.randrange(4))])
    return [("__len__", lambda: ()), ("__getitem__", lambda: (v.index(),)),
            ("__getitem__", lambda: (v.part(),)), ("__setitem__", lambda: (v.index(), number())),
            ("__setitem__", lambda: (v.index(), number())), ("__setitem__", lambda: (v.part(), run())),
            ("__setitem__", lambda: (v.part(), v.any())), ("__str__", lambda: ()), ("#GETVALUE", lambda: ())]


def queue_ops(v, rng):
    return [("put", lambda: (v.any(), False)), ("put", lambda: (v.any(), True, 0)),
            ("put_nowait", lambda: (v.any(),)), ("put", lambda: (v.any(), True, -1)),
            ("get", lambda: (False,)), ("get_nowait", lambda: ()), ("get", lambda: (True, 0)),
            ("get", lambda: (True, -1)), ("qsize", lambda: ()), ("empty", lambda: ()),
            ("full", lambda: ()), ("task_done", lambda: ())]


class Sequence(object):
    """One seed: the same object in both managers, and the same operations on both."""

    def __init__(self, typeid, seed):
        self.rng = random.Random(seed)
        self.values = Values(self.rng)
        self.typeid = typeid

    def make(self):
        """Constructor arguments, and the operations that go with them."""
        v, rng = self.values, self.rng
        if self.typeid == "list":
            return ((v.iterable(),) if rng.random() < 0.7 else ()), list_ops(v, rng)
        if self.typeid == "dict":
            return (dict((v.key(), v.any()) for _ in range(rng.randrange(4))),), dict_ops(v, rng)
        if self.typeid == "Namespace":
            return (), namespace_ops(v, rng)
        if self.typeid == "Value":
            return (rng.choice("id"), v.any()), value_ops(v, rng)
        if self.typeid == "Queue":
            return (rng.choice([0, 0, 1, 2, 5, -1]),), queue_ops(v, rng)
        code = rng.choice(ARRAY_CODES)
        return (code, [rng.randrange(100) for _ in range(rng.randrange(12))]), array_ops(v, rng, code)

    def operations(self, table):
        for _ in range(LENGTH):
            method, arguments = self.rng.choice(table)
            yield method, arguments()


def say(function, *args):
    try:
        return describe(function(*args))
    except Exception as err:
        return "raises " + describe_error(err)


def same(called, ours, theirs, counts):
    if ours == theirs:
        return True
    if differences.reason(VERSION, called, ours, theirs) is None:
        return False
    counts["explained"] += 1
    return True


def play(seed, typeid, managers, counts):
    """Returns the first difference of one sequence, or None."""
    sequence = Sequence(typeid, seed)
    arguments, table = sequence.make()
    proxies, said = [], []
    for manager in managers:
        try:
            proxies.append(getattr(manager, typeid)(*arguments))
            said.append("made")
        except Exception as err:
            said.append("raises " + describe_error(err))
    counts["operations"] += 1
    called = "%s(%s)" % (typeid, ", ".join(describe(a) for a in arguments))
    if not same(called, said[0], said[1], counts):
        return called, said
    if len(proxies) != 2:
        return None
    for method, arguments in sequence.operations(table):
        said = [say(proxy._callmethod, method, arguments) for proxy in proxies]
        counts["operations"] += 1
        counts["raised"] += said[1].startswith("raises")
        called = "%s.%s(%s)" % (typeid, method, ", ".join(describe(a) for a in arguments))
        if not same(called, said[0], said[1], counts):
            return called, said
        if method == "sort" and said[1].startswith("raises"):
            # Python leaves open in which order a failed sort leaves them, but none may be lost.
            left = [sorted(map(describe, proxy._callmethod("__getitem__", (slice(None),))))
                    for proxy in proxies]
            return None if left[0] == left[1] else (called, left)
    return None


def main(argv):
    managers = [clients.connect(argv[1]), clients.connect(argv[2])]
    typeid, operations, seed = argv[3], int(argv[4]), int(argv[5])
    counts = {"operations": 0, "raised": 0, "explained": 0}
    failed = 0
    while counts["operations"] < operations:
        found = play(seed, typeid, managers, counts)
        if found:
            failed += 1
            if failed <= SHOWN:
                text = "seed %d: %s\n    ours:  %s\n    stock: %s" % (seed, found[0], found[1][0], found[1][1])
                print(text.encode("ascii", "backslashreplace").decode() if not PY2 else text)
        seed += 1
    print("%-5s %-10s %6d operations, %5d raised, %4d explained, %d sequences differ" % (
        VERSION, typeid, counts["operations"], counts["raised"], counts["explained"], failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
