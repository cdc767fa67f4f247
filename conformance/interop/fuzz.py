# SPDX-License-Identifier: MIT
"""fuzz - requests as no proxy would send them: any method of any object with any arguments, and torn bytes.

Deterministic by its seed. A request is built by pickle from random values, then a part of them is
damaged. Arguments hold proxies of the server's own objects, cycles, slices, numbers of all sizes, instances of
classes that the server treats in a special way and of others.
"""
import array
import collections
import datetime
import decimal
import fractions
import pickle
import uuid
from multiprocessing.managers import AutoProxy, ListProxy, RebuildProxy, Token

METHODS = """
    empty full get get_fitting get_nowait join put put_nowait qsize shutdown task_done is_set set clear wait acquire
    release notify notify_all abort reset __getattribute__ __setattr__ __delattr__ __add__ __contains__ __delitem__
    __delslice__ __getitem__ __getslice__ __len__ __mul__ __reversed__ __rmul__ __setitem__ __setslice__ append count
    extend index insert pop remove reverse sort __imul__ copy __iter__ has_key items keys popitem setdefault update
    values __next__ next send throw close __str__ __repr__ #GETVALUE nosuch __init__
""".split()
TYPEIDS = ["Queue", "JoinableQueue", "Event", "Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Barrier",
           "list", "dict", "Value", "Array", "Namespace", "Iterator", "Pool", "nosuch"]
KEYWORDS = ["block", "timeout", "item", "n", "value", "key", "reverse", "lock", "maxsize", "sequence", "typecode",
            "parties", "action", "immediate", "blocking", "size", "x", "\xe9", ""]


class Proxied(object):
    """Pickled as a proxy of an object of the server."""

    def __init__(self, ident, typeid):
        self.ident, self.typeid = ident, typeid

    def __reduce__(self):
        token = Token(self.typeid, "/nowhere", self.ident)
        return RebuildProxy, (ListProxy if self.typeid == "list" else AutoProxy, token, "pickle", {})


class Fuzz(object):
    def __init__(self, rng):
        self.rng = rng
        self.idents = []  # (ident, typeid)

    def number(self):
        rng = self.rng
        return rng.choice([
            rng.randrange(-5, 10), rng.randrange(-5, 10), 2 ** rng.randrange(70), -2 ** rng.randrange(70),
            2 ** rng.randrange(61, 3000) - 1, rng.random(), float("nan"), float("inf"), -0.0, 1e300, True, False,
            complex(1, 2), decimal.Decimal("1.5"), fractions.Fraction(1, 3)])

    def text(self):
        rng = self.rng
        return rng.choice(["", "a", "b", "key", "i", "d", "u", "B", "\xe9\u20ac\U0001f600", "\x00", "\ud800", "x" * 300,
                           "__dict__", "__class__", "parties", b"", b"a", b"\xff\x00", bytearray(b"ab"), "\n'\"\\"])

    def proxy(self):
        if not self.idents or self.rng.random() < 0.1:
            return Proxied("ffff", "list")
        return Proxied(*self.rng.choice(self.idents))

    def instance(self):
        rng = self.rng
        return rng.choice([
            lambda: slice(*[rng.choice([None, self.number()]) for _ in range(3)]),
            lambda: range(rng.randrange(-9, 9), rng.randrange(-9, 99), rng.choice([1, 2, -1])),
            lambda: range(10 ** rng.randrange(30)),
            lambda: array.array(rng.choice("bBhHiIlLqQfd"), [1, 2, 3]), lambda: array.array("u", "ab"),
            lambda: collections.deque([1, self.any(3)], rng.choice([None, 3])),
            lambda: collections.OrderedDict([("a", self.any(3))]), lambda: collections.Counter("hello"),
            lambda: collections.defaultdict(list, {1: [2]}), lambda: ValueError("x", self.any(3)),
            lambda: KeyError(self.any(3)), lambda: OSError(2, "no"), lambda: datetime.datetime(2020, 1, 1),
            lambda: uuid.UUID(int=rng.getrandbits(128)), lambda: iter([1, 2, 3]), lambda: reversed([1, 2]),
            lambda: len, lambda: ValueError, lambda: collections.OrderedDict, lambda: iter("abc"), lambda: iter((1, 2)),
            lambda: enumerate([1]), lambda: zip([1], [2]), lambda: memoryview, lambda: NotImplemented, lambda: Ellipsis,
        ])()

    def any(self, depth=0):
        rng = self.rng
        kind = rng.randrange(12)
        if kind < 3 or depth > 3:
            return self.number()
        if kind < 5:
            return self.text()
        if kind == 5:
            return self.proxy()
        if kind == 6:
            return self.instance()
        size = rng.choice([0, 1, 2, 3, 3, 70])
        if depth > 1:
            size = min(size, 3)
        if kind == 7:
            return tuple(self.any(depth + 1) for _ in range(size))
        if kind == 8:
            return dict((self.hashable(), self.any(depth + 1)) for _ in range(size))
        if kind == 9:
            return rng.choice([set, frozenset])(self.hashable() for _ in range(size))
        made = [self.any(depth + 1) for _ in range(size)]
        if kind == 10:
            made.append(rng.choice([made, (made,), {1: made}]))
        return made

    def hashable(self):
        value = self.rng.choice([self.number, self.text])()
        if isinstance(value, bytearray):
            return bytes(value)
        return (value, frozenset([value])) if self.rng.random() < 0.2 else value

    def arguments(self):
        rng = self.rng
        args = tuple(self.any() for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 2, 3, 5])))
        kwds = {}
        if rng.random() < 0.15:
            kwds = dict((rng.choice(KEYWORDS), self.any()) for _ in range(rng.randrange(1, 4)))
        if rng.random() < 0.03:
            kwds = {self.hashable(): self.any()}
        return args, kwds

    def create(self):
        rng = self.rng
        typeid = rng.choice(TYPEIDS)
        args, kwds = self.arguments()
        if rng.random() < 0.6:
            args, kwds = {"Barrier": (3,), "Value": ("i", 1), "Array": ("i", [1, 2, 3])}.get(typeid, ()), {}
        return (None, "create", (typeid,) + args, kwds)

    def first(self):
        rng = self.rng
        name = rng.choice(["create"] * 6 + ["incref", "decref", "get_methods", "number_of_objects", "debug_info", "dummy",
                                            "nosuch"])
        if name == "create":
            return self.create()
        args, kwds = self.arguments()
        if name in ("incref", "decref") and self.idents and rng.random() < 0.7:
            args = (rng.choice(self.idents)[0],)
        return (None, name, args, kwds)

    def call(self):
        rng = self.rng
        ident = rng.choice(self.idents)[0] if self.idents and rng.random() < 0.97 else self.any()
        args, kwds = self.arguments()
        return (ident, rng.choice(METHODS) if rng.random() < 0.98 else self.any(), args, kwds)

    def encoded(self, request):
        """Its pickle, which may be damaged. None: pickle cannot do it."""
        rng = self.rng
        try:
            data = bytearray(pickle.dumps(request, rng.randrange(pickle.HIGHEST_PROTOCOL + 1)))
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError, pickle.PicklingError):
            return None
        if rng.random() < 0.25:
            for _ in range(rng.randrange(1, 4)):
                damage = rng.randrange(4)
                at = rng.randrange(len(data) + 1)
                if damage == 0 and at < len(data):
                    data[at] = rng.randrange(256)
                elif damage == 1:
                    data[at:at + rng.randrange(1, 5)] = b""
                elif damage == 2:
                    data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 5)))
                else:
                    piece = data[at:at + rng.randrange(1, 40)]
                    to = rng.randrange(len(data) + 1)
                    data[to:to] = piece
        return bytes(data)
