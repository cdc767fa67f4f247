# SPDX-License-Identifier: MIT
"""scenes - what a stock client does with each typeid, as a transcript. For 2.7 and 3.6 on.

    scenes.py ADDRESS sync|base TYPEID      (key in XP_AUTHKEY)

Every method that a proxy of any version calls, its results, and what it raises. The test runs the same
scene against the interpreter's own manager and compares the transcripts: CPython is the judge. A line is
an expression or a statement; "3:" and "2:" in front are for that Python only, ">=3.8:" from a version on.
"""
import sys
import threading

import clients
from clients import Later, describe, describe_error, other, PY2

SCENES = {}

SCENES["list"] = """
l = m.list([3, 1, 2])
len(l)
l[0]
l[-1]
l[3]
l[-4]
l['x']
l[None]
l[1.0]
l[2 ** 70]
l[True]
l[0:2]
l[:]
l[-2:]
l[::2]
l[::-1]
l[5:1]
l[::0]
l['a':]
l.append(None)
l.append()
l.append(1, 2)
l.append(x=1)
l.extend([True, 1.0])
l.extend((4, 5))
l.extend('ab')
l.extend({'k': 1})
l.extend(5)
l.extend(None)
l[:]
l.count(1)
l.count(b'a')
l.count(u'a')
l.index(1)
l.index(True, 2)
l.index(1, 2, 3)
l.index('nope')
l.index(b'nope')
l.index()
l.index(1, 'x')
1 in l
'zz' in l
[] in l
l.insert(0, 'first')
l.insert(-1, 'before last')
l.insert(100, 'last')
l.insert('x', 1)
l.insert(1)
l.pop()
l.pop(0)
l.pop(-2)
l.pop(100)
l.pop('x')
l.pop(1, 2)
l.remove(True)
l.remove('not here')
l.reverse()
l.reverse(1)
l[:]
3: l.sort()
l = m.list([3, 1, 2, 1.5, True, -2 ** 70, 2 ** 70])
l.sort()
l[:]
l.sort(reverse=True)
l[:]
l.sort(reverse=0)
l[:]
3: l.sort(1)
l.sort(bad=1)
l.sort(key=None)
m.list([3, -1, 2]).sort(key=abs)
2: m.list([2, 'a', 1]).sort()
l = m.list(['b', 'a', 'C'])
l.sort()
l[:]
l = m.list([[2], [1, 5], [1]])
l.sort()
l[:]
3: m.list([1, 'a']).sort()
3: m.list([None, None]).sort()
3: m.list([{}, {}]).sort()
l = m.list(range(10))
l[0] = 'set'
l[-1] = 'end'
l[10] = 1
l['x'] = 1
l[1:3] = ['a', 'b', 'c']
l[:]
l[::3] = [0]
l[::3] = [0, 0, 0, 0]
l[:]
3: l[1:2] = 5
l[5:] = []
l[:]
del l[0]
del l[-1]
del l[9]
del l['x']
l[:]
del l[::2]
l[:]
del l[0:1]
l[:]
l = m.list([1, 2])
l + [3]
l + (3,)
l + 5
l * 2
2 * l
l * -1
l * 'x'
l * 1.0
l += [7]
l[:]
l *= 2
l[:]
l *= 0
l[:]
3: list(reversed(m.list([1, 2, 3])))
list(m.list('abc'))
[x for x in m.list([1, 2])]
str(m.list([1, 'a', None, 2.5, u'\\xe9', b'b', (1,), {'a': []}]))
m.list([1]) == [1]
m.list()._getvalue()
m.list([1, [2]])._getvalue()
m.list((1, 2))._getvalue()
m.list({1: 2})._getvalue()
m.list('xyz')._getvalue()
m.list(5)
m.list([1], 2)
l = m.list([[]])
l[0].append(1)
l[0]
x = [1]
l[0] = [x, x]
l[0][0] is l[0][1]
x.append(x)
l[0] = x
l[0]
str(l)
call(l, 'nosuch')
call(l, '__init__')
call(l, '__class__')
call(l, '__repr__')
call(l, '__str__')
call(l, '#GETVALUE')
call(l, '__getitem__')
call(l, '__len__', 1)
call(l, '__setitem__', 1)
l = m.list([1, 2, 3, 1])
[l.index(1, -1), l.index(1, -100), l.index(1, 1, 100)]
l.index(1, 1, -1)
l[2 ** 70:]
l[-2 ** 70:2 ** 70]
l.insert(2 ** 70, 1)
l.pop(2 ** 70)
l * 2 ** 70
len(l)
"""

SCENES["dict"] = """
d = m.dict()
d['a'] = 1
d[1] = 'one'
d[1.0] = 'uno'
d[True] = 'true'
d.copy()
d[(1, 2)] = 't'
d[(1.0, 2)]
d[None] = 'none'
d[u'\\xe9'] = u'\\u20ac'
d[u'\\xe9']
d[b'b'] = 2
3: b'a' in d
len(d)
d['nope']
d[(9, 'x')]
d[[]]
d[{}] = 1
d[([],)]
del d['nope']
del d[None]
del d[[]]
'a' in d
[] in d
d.get('a')
d.get('zz')
d.get('zz', 5)
d.get()
d.get(1, 2, 3)
d.get([], 1)
d.setdefault('a', 9)
d.setdefault('new')
d.setdefault('newer', [1])
d.setdefault([])
d.setdefault()
d.pop('newer')
d.pop('newer', 'default')
d.pop('newer')
d.pop()
d.pop([])
d.update({'u': 1})
d.update([('v', 2), ['w', 3], 'xy'])
d.update(k=1, z=2)
d.update({'q': 1}, r=2)
d.update(5)
d.update([1])
d.update([(1, 2, 3)])
d.update(['a'])
d.update([([], 1)])
d.update(1, 2)
d.update(None)
d.update()
len(d)
3: d.keys()
3: d.values()
3: d.items()
2: sorted(d.keys(), key=repr)
2: sorted(d.items(), key=repr)
2: sorted(d.values(), key=repr)
2: d.has_key('a')
2: d.has_key([])
<3.7: hasattr(d, 'has_key')
d.keys(1)
d.copy()
d.clear()
d.clear(1)
d.popitem()
d['x'] = 1
d.popitem()
d.popitem(1)
3: d.update(a=1, b=2)
3: list(d)
3: [key for key in d]
m.dict({'a': 1})._getvalue()
m.dict([('a', 1), (2, 3)])._getvalue()
m.dict(a=1)._getvalue()
m.dict({'x': 0}, y=1)._getvalue()
m.dict(5)
m.dict({}, {})
m.dict([1])
str(m.dict({'a': [1, 'x']}))
str(m.dict())
call(d, '__iter__', 1)
call(d, 'nosuch')
call(d, 'fromkeys', [1])
call(d, '__setitem__', 1)
call(d, '__repr__')
d = m.dict({1: 'a'})
x = iter(d)
next(x)
next(x)
next(x)
d = m.dict({1: 'a', 2: 'b'})
x = iter(d)
_ = next(x)
d[3] = 1
next(x)
next(x)
x.__class__.__name__
"""

SCENES["Iterator"] = """
d = m.dict({'k': 'v'})
x = iter(d)
x is iter(x)
3: x.send(None)
3: x.throw(ValueError('v'))
3: x.close()
next(x)
next(x)
next(x)
3: call(x, '__next__', 1)
call(x, 'nosuch')
d.clear()
list(d)
"""

SCENES["Namespace"] = """
n = m.Namespace()
n.a = 1
n.a
n.b = [1, {'x': None}]
n.b
n.missing
del n.missing
del n.a
n.a
n._private = 5
n._private
del n._private
n.u = u'\\xe9'
n.u
str(n)
3: m.Namespace(x=1, y='z')._getvalue().__dict__
m.Namespace(x=1).x
m.Namespace(5)
call(n, '__getattribute__')
call(n, '__getattribute__', 5)
call(n, '__getattribute__', 'b', 1)
call(n, '__setattr__', 5, 1)
call(n, '__setattr__', 'a')
call(n, '__delattr__', 5)
call(n, 'nosuch')
call(n, '__getattribute__', '__dict__')
str(m.Namespace())
n.n = m.Namespace
n.b.append(2)
n.b
"""

SCENES["Value"] = """
v = m.Value('i', 7)
v.value
v.get()
v.value = 'anything'
v.value
v.set([1])
v.value
v.set()
v.set(1, 2)
v.get(1)
v.set(value=3)
v.value
str(v)
str(m.Value('d', 0.1))
m.Value('i')
m.Value()
m.Value('i', 1, True).value
m.Value('i', 1, lock=False).value
m.Value('i', 1, 2, 3)
m.Value('nonsense', 1).value
m.Value(5, 1).value
call(v, 'nosuch')
v._getvalue()._value
v.value = 2 ** 80
v.value += 1
v.value
"""

SCENES["Array"] = """
a = m.Array('i', [1, 2, 3])
len(a)
a[0]
a[-1]
a[3]
a[-4]
a['x']
a[0] = 5
a[-1] = -6
a[3] = 1
a[0] = 'x'
a[0] = 2 ** 40
a[0] = -2 ** 40
a[0] = 1.5
a[0] = None
a[0] = True
a[:]
a[1:]
a[::2]
a[1:2] = a[0:1]
a[1:2] = [1]
list(a)
str(a)
str(m.Array('d', [0.5, 1]))
3: str(m.Array('u', 'ab'))
m.Array('B', [0, 255])[:]
m.Array('B', [256])
m.Array('B', [-1])
m.Array('b', [-128, 127])[:]
m.Array('h', [2 ** 15])
m.Array('H', [2 ** 16 - 1])[:]
m.Array('I', [2 ** 32])
m.Array('l', [2 ** 63])
m.Array('L', [2 ** 64])
3: m.Array('q', [-2 ** 63, 2 ** 63 - 1])[:]
3: m.Array('Q', [2 ** 64 - 1])[:]
3: m.Array('q', [2 ** 63])
3: m.Array('Q', [-1])
3: m.Array('Q', [2 ** 64])
m.Array('f', [0.1])[:]
m.Array('d', ['x'])
m.Array('z', [1])
m.Array('i')
m.Array()
m.Array('i', 5)
m.Array('i', [1], True)[:]
m.Array('i', [1], lock=False)[:]
m.Array(5, [1])
m.Array('ii', [1])
m.Array('i', 'x')
m.Array('i', ['x'])
m.Array('i', (1, 2))[:]
call(a, 'nosuch')
call(a, 'append', 1)
a._getvalue()
"""

QUEUE = """
q = m.{0}()
q.empty()
q.full()
q.qsize()
q.put(1)
q.put([1, {{'a': None}}], True)
q.put('x', True, 1)
q.put(item='kw', block=False)
q.put_nowait(2.5)
q.qsize()
q.get()
q.get(True)
q.get(True, 5)
q.get(block=True, timeout=None)
q.get_nowait()
q.get_nowait()
q.get(False)
q.get(block=False)
q.get(True, 0)
q.get(True, 0.01)
q.get(True, -1)
q.get(timeout=-1)
q.get(timeout='x')
q.get(1, 2, 3)
q.get(bad=1)
q.put()
q.put(1, 2, 3, 4)
q.put(1, bad=2)
q.empty()
q = m.{0}(2)
q.put('a')
q.full()
q.put('b')
q.full()
q.put('c', False)
q.put('c', True, 0.01)
q.put('c', True, -1)
q.put('c', timeout=-1)
q.put_nowait('c')
q.get(), q.get()
m.{0}(maxsize=1).full()
m.{0}(0).full()
m.{0}(-1).full()
m.{0}('x').qsize()
m.{0}(1, 2)
m.{0}(bad=1)
x = Later(lambda: q.get())
q.put('for the one who waits')
x.result()
q.put(1), q.put(2)
x = Later(lambda: q.put(3))
q.get()
x.result()
q.get(), q.get()
q = m.{0}()
q.task_done()
q.put(1), q.put(2)
q.get(), q.task_done()
x = Later(lambda: q.join())
q.get(), q.task_done()
x.result()
q.task_done()
q.join()
q.task_done(1)
>=3.13: q.put('left')
>=3.13: q.shutdown()
>=3.13: q.put(1)
>=3.13: q.get()
>=3.13: q.get()
>=3.13: q.get_nowait()
>=3.13: q.shutdown(immediate=True)
>=3.13: q.shutdown(1, 2)
call(q, 'nosuch')
call(q, '_put', 1)
str(q)
"""
SCENES["Queue"] = QUEUE.format("Queue")
SCENES["JoinableQueue"] = QUEUE.format("JoinableQueue")

SCENES["Event"] = """
e = m.Event()
e.is_set()
e.wait(0)
e.wait(0.01)
e.wait(-1)
e.set()
e.is_set()
e.wait()
e.wait(5)
e.clear()
e.is_set()
x = Later(lambda: e.wait())
e.set()
x.result()
e.set(1)
call(e, 'is_set', 1)
call(e, 'wait', 1, 2)
call(e, 'nosuch')
call(e, 'isSet')
"""

SCENES["Lock"] = """
l = m.Lock()
l.acquire()
l.acquire(False)
3: l.acquire(True, 0.01)
3: l.acquire(True, 0)
other(lambda: l.acquire(False))
other(lambda: l.release())
l.acquire(False)
x = Later(lambda: l.acquire())
l.release()
x.result()
l.release()
l.release()
3: l.acquire(False, 1)
3: l.acquire(True, -5)
3: l.acquire(True, 'x')
3: l.acquire(True, 1e300)
call(l, 'acquire', 1, 2, 3)
call(l, 'acquire', 'x', 'y')
call(l, 'acquire', bad=1)
call(l, 'release', 1)
with l: 1
l.acquire(False)
call(l, 'locked')
call(l, '__enter__')
str(l)
"""

SCENES["RLock"] = """
l = m.RLock()
l.acquire()
l.acquire()
l.acquire(False)
other(lambda: l.acquire(False))
other(lambda: l.release())
l.release(), l.release()
other(lambda: l.acquire(False))
l.release()
l.release()
x = Later(lambda: [l.acquire(), l.release()])
x.result()
with l: 1
3: l.acquire(False, 1)
3: l.acquire(True, -5)
call(l, 'acquire', 1, 2, 3)
call(l, 'release', 1)
call(l, '_is_owned')
str(l)
"""

SEMAPHORE = """
s = m.{0}(2)
s.acquire()
s.acquire(False)
s.acquire(False)
3: s.acquire(True, 0.01)
3: s.acquire(True, -1)
x = Later(lambda: s.acquire())
other(lambda: s.release())
x.result()
s.release(), s.release()
s.release()
s.acquire(), s.acquire()
3: s.acquire(False, 1)
call(s, 'acquire', 1, 2, 3)
call(s, 'release', 1, 2)
>=3.9: call(s, 'release', 0)
>=3.9: call(s, 'release', -1)
call(s, 'nosuch')
with m.{0}(): 1
m.{0}(0).acquire(False)
m.{0}(-1)
m.{0}('x')
m.{0}(1, 2)
m.{0}(value=1).acquire(False)
"""
SCENES["Semaphore"] = SEMAPHORE.format("Semaphore")
SCENES["BoundedSemaphore"] = SEMAPHORE.format("BoundedSemaphore")

SCENES["Condition"] = """
c = m.Condition()
c.wait(0.01)
c.notify()
c.notify_all()
c.release()
c.acquire()
c.acquire(False)
other(lambda: c.acquire(False))
c.wait(0)
c.wait(0.01)
c.wait(-1)
c.notify()
c.notify_all()
3: c.wait_for(lambda: True)
3: c.wait_for(lambda: False, 0.01)
>=3.7: c.notify(2)
ready = threading.Event()
go = lambda: [c.acquire(), ready.set(), c.wait(30), c.release()]
c.release(), c.release()
x = Later(go)
ready.wait(30) and None
_ = c.acquire()
c.notify()
c.release()
x.result()
ready.clear()
x = Later(go)
_ = ready.wait(30), c.acquire()
c.notify_all()
c.release()
x.result()
with c: 1
c.release()
>=3.9: l = m.Lock()
>=3.9: c = m.Condition(l)
>=3.9: c.acquire()
>=3.9: l.acquire(False)
>=3.9: c.wait(0.01)
>=3.9: c.notify()
>=3.9: c.release()
>=3.9: l.acquire(False)
call(c, 'nosuch')
call(c, 'acquire', 1, 2, 3)
call(c, 'wait', 1, 2)
m.Condition(1, 2)
"""

SCENES["Barrier"] = """
3: b = m.Barrier(2)
3: b.parties
3: b.n_waiting
3: b.broken
3: x = Later(lambda: b.wait())
3: sorted([describe(b.wait()), x.result()])
3: b.wait(0.01)
3: b.broken
3: b.wait()
3: b.reset()
3: b.broken
3: x = Later(lambda: b.wait(30))
3: sorted([describe(b.wait(30)), x.result()])
3: b.abort()
3: b.broken
3: b.wait()
3: b.reset()
3: m.Barrier(1).wait()
3: m.Barrier(1, None, 5).wait()
3: m.Barrier(2, timeout=0.01).wait()
3: m.Barrier()
3: m.Barrier(1, 2, 3, 4)
3: m.Barrier(parties=3).parties
3: call(b, '__getattribute__', 'nosuch')
3: call(b, '__getattribute__')
3: call(b, 'nosuch')
3: call(b, 'wait', 1, 2)
3: call(b, 'abort', 1)
"""


def applies(mark):
    if mark in ("2", "3"):
        return mark == ("2" if PY2 else "3")
    version = tuple(int(part) for part in mark.lstrip("<>=").split("."))
    return sys.version_info >= version if mark.startswith(">=") else sys.version_info < version


def call(proxy, method, *args, **keywords):
    """Past what the proxy exposes: it is the server that has to refuse."""
    return proxy._callmethod(method, args, keywords)


def play(manager, typeid):
    scope = {"m": manager, "call": call, "other": other, "Later": Later, "describe": describe,
             "threading": threading}
    for line in SCENES[typeid].strip().splitlines():
        mark, _, rest = line.partition(": ")
        if mark in ("2", "3") or mark[:1] in "<>":
            if not applies(mark):
                continue
            line = rest
        try:
            try:
                code = compile(line, "<scene>", "eval")
            except SyntaxError:
                code = compile(line, "<scene>", "exec")
            said = describe(eval(code, scope))
        except Exception as err:
            said = "raises " + describe_error(err)
        yield "%s -> %s" % (line, said)


def main(address, way, typeid):
    manager = clients.connect(address, clients.Base if way == "base" else clients.Sync)
    for line in play(manager, typeid):
        print(line.encode("ascii", "backslashreplace").decode() if not PY2 else line)
        sys.stdout.flush()
    print("the end")


if __name__ == "__main__":
    main(*sys.argv[1:])
