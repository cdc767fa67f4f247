# SPDX-License-Identifier: MIT
"""nested - proxies inside managed objects, and what is left of them. For 2.7 and 3.6 on.

    nested.py ADDRESS      (key in XP_AUTHKEY)

CPython's managers disagree with each other here, and some deadlock: what is demanded is in the checks.
"""
from __future__ import print_function

import copy
import functools
import gc
import sys
from multiprocessing.connection import Client

import clients
from clients import other


def count(m):
    gc.collect()
    return m._number_of_objects()


def inside(d):
    return d["inner"][:]


def main(address):
    m = clients.connect(address)
    base = count(m)
    d, inner, q = m.dict(), m.list([1, 2]), m.Queue()
    assert count(m) == base + 3
    d["inner"], d["queue"] = inner, q
    d["inner"].append(3)
    assert inner[:] == [1, 2, 3], "a proxy that is stored is the object, not a copy"
    d["queue"].put("through")
    assert q.get() == "through"
    del inner, q
    assert count(m) == base + 1, "what is held from inside does not count"
    again = d["inner"]
    assert again[:] == [1, 2, 3], "and is there all the same"
    assert count(m) == base + 2, "a proxy that comes out counts again"
    del again
    assert other(functools.partial(inside, d)) == "list[int 1, int 2, int 3]"

    # In CPython 3.x this deadlocks the manager.
    keys = m.dict([("a", 1), ("b", 2)])
    assert sorted(m.list(keys)[:]) == ["a", "b"]
    assert m.list(m.list([5]))[:] == [5]
    assert m.dict(keys).copy() == {"a": 1, "b": 2}
    grown = m.list()
    grown.extend(keys)
    assert sorted(grown[:]) == ["a", "b"]
    lock = m.RLock()
    condition = m.Condition(lock)
    with lock:
        condition.notify()

    it = iter(keys)
    assert sorted([next(it), next(it)]) == ["a", "b"]
    del it

    assert copy.deepcopy(grown) == grown[:]
    assert type(copy.deepcopy(keys)) is dict
    assert str(m.list([1, "a"])) == "[1, 'a']"
    assert repr(grown).startswith("<ListProxy object, typeid 'list' at 0x")
    assert grown._token.id in m._debug_info() and "refcount=" in m._debug_info()
    assert str(d).startswith("{")
    link = Client(clients.address_of(address), authkey=clients.KEY)
    names = set(clients.managers.dispatch(link, None, "get_methods", (d._token,)))
    link.close()
    assert names >= set(["__getitem__", "keys", "update"]) and "__init__" not in names, names

    many = m.list()
    before = count(m)
    for _ in range(5):
        many[:] = [m.list([i]) for i in range(20)]
    assert many[19][0] == 19
    assert count(m) == before
    del d, keys, grown, lock, condition, many
    assert count(m) == base, "%d objects are left" % (count(m) - base)
    print("nested proxies in order")


if __name__ == "__main__":
    main(sys.argv[1])
