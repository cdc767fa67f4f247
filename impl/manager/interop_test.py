# SPDX-License-Identifier: MIT
"""interop_test - xpmanager driven by stock CPython, and stock CPython's manager by our proxies.

    interop_test.py clients  --xpmanager FILE [MODEL]   each interpreter, each typeid, over AF_UNIX and TCP
    interop_test.py together --xpmanager FILE [MODEL]   all interpreters at the same time on the same objects
    interop_test.py proxies  --probe FILE               our proxies against each interpreter's own manager

Interpreters: python3, and those that XP_PYTHONS lists (separated by colons or blanks). What is not there is
counted as skipped. This file is its own client and server too, so it runs in 2.7 and in 3.6 and later.
"""
from __future__ import print_function

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

PY2 = sys.version_info[0] == 2
KEY = b"interop key"
PATIENCE = 60 * float(os.environ.get("XP_TIMEOUT_MULTIPLIER", "1"))
SKIPPED = 77


# ---- a client, in each interpreter ------------------------------------------------------------------

def parse_address(text):
    """'unix:/path' or 'tcp:host:port' as Python has it."""
    kind, rest = text.split(":", 1)
    if kind == "unix":
        return rest
    host, port = rest.rsplit(":", 1)
    return host, int(port)


def connect(address):
    import multiprocessing
    from multiprocessing.managers import SyncManager
    # What stock clients use where a proxy comes inside a value.
    multiprocessing.current_process().authkey = KEY
    manager = SyncManager(address=parse_address(address), authkey=KEY)
    manager.connect()
    return manager


def raises(error, function, *args, **kwds):
    try:
        function(*args, **kwds)
    except error as caught:
        return caught
    raise AssertionError("%s expected" % (error,))


def check_value(m):
    v = m.Value("i", 7)
    assert v.get() == 7 and v.value == 7
    v.value = 2 ** 70
    assert v.value == 2 ** 70
    v.set([1, {"a": (None, True, 2.5)}])
    assert v.get() == [1, {"a": (None, True, 2.5)}]
    assert str(m.Value("i", 7)) == "Value('i', 7)"


def check_namespace(m):
    n = m.Namespace(a=1)
    n.b = [2]
    assert n.a == 1 and n.b == [2]
    assert str(n) == "Namespace(a=1, b=[2])"
    del n.a
    error = raises(AttributeError, lambda: n.a)
    assert str(error) == "'Namespace' object has no attribute 'a'", error


def check_list(m):
    l = m.list([3, 1, 2])
    l.append(0)
    l.sort()
    assert l[:] == [0, 1, 2, 3] and l[-1] == 3 and l[1:3] == [1, 2] and l[::-2] == [3, 1]
    l.reverse()
    l[0:2] = ["x"]
    assert list(l) == ["x", 1, 0] and len(l) == 3 and 1 in l and 9 not in l
    l.insert(1, (5,))
    assert l.index((5,)) == 1 and l.count(1.0) == 1 and l.pop() == 0 and l.pop(0) == "x"
    l += [True]
    l *= 2
    assert l[:] == [(5,), 1, True, (5,), 1, True], l[:]
    l.remove(1)
    del l[0]
    assert (l + [9])[-1] == 9 and (l * 2)[:1] == [True]
    assert str(raises(IndexError, lambda: l[99])) == "list index out of range"
    raises(ValueError, l.remove, "nope")
    assert m.list(l)[:] == l[:] and m.list("ab")[:] == ["a", "b"]
    assert str(m.list([1, "a"])) == "[1, 'a']"
    raises(TypeError, l.append)


def check_dict(m):
    d = m.dict({"a": 1}, b=2)
    d[(1, 2)] = [3]
    d[1] = "one"
    assert d[1.0] == "one" and d[True] == "one" and len(d) == 4
    assert "a" in d and d.get("z") is None and d.get("z", 5) == 5
    assert raises(KeyError, lambda: d["zz"]).args == ("zz",)
    raises(TypeError, d.__setitem__, [], 1)
    assert d.pop("b") == 2 and d.pop("b", 0) == 0 and d.setdefault("c", 4) == 4
    d.update([("e", 5)], f=6)
    assert sorted(str(k) for k in d.keys()) == ["(1, 2)", "1", "a", "c", "e", "f"]
    assert sorted(str(k) for k in iter(d)) == ["(1, 2)", "1", "a", "c", "e", "f"]
    assert ("a", 1) in d.items() and [3] in d.values()
    assert m.dict(d).copy() == d.copy()
    d.clear()
    assert d.copy() == {} and str(d) == "{}"
    raises(KeyError, d.popitem)


def check_queue(m):
    try:
        import queue
    except ImportError:
        import Queue as queue
    for q in m.Queue(2), m.JoinableQueue(2):
        assert q.empty() and not q.full() and q.qsize() == 0
        raises(queue.Empty, q.get_nowait)
        raises(queue.Empty, q.get, True, 0.01)
        q.put(1)
        q.put({"k": [2]}, timeout=1)
        assert q.full()
        raises(queue.Full, q.put, 3, False)
        raises(queue.Full, q.put, 3, True, 0.01)
        assert q.get() == 1 and q.get() == {"k": [2]}
        later = threading.Timer(0.02, q.put_nowait, ["x"])
        later.start()
        assert q.get() == "x"
        later.join()
        for _ in range(3):
            q.task_done()
        q.join()
        raises(ValueError, q.task_done)
        raises(ValueError, q.get, True, -1)


def check_lock(m):
    lock = m.Lock()
    with lock:
        assert not lock.acquire(False)
        if not PY2:
            assert not lock.acquire(True, 0.01)
    error = raises(Exception, lock.release)
    assert str(error) == "release unlocked lock", error
    lock.acquire()
    other = threading.Thread(target=lock.release)  # a Lock has no owner
    other.start()
    other.join()
    assert lock.acquire(False)


def check_rlock(m):
    lock = m.RLock()
    assert lock.acquire() and lock.acquire()
    seen = []
    other = threading.Thread(target=lambda: seen.append(lock.acquire(False)))
    other.start()
    other.join()
    assert seen == [False]
    lock.release()
    lock.release()
    raises(RuntimeError, lock.release)


def check_semaphore(m):
    s = m.Semaphore(2)
    assert s.acquire() and s.acquire() and not s.acquire(False)
    s.release()
    assert s.acquire(False)
    b = m.BoundedSemaphore(1)
    assert str(raises(ValueError, b.release)) == "Semaphore released too many times"


def check_condition(m):
    for c in m.Condition(), m.Condition(m.Lock()), m.Condition(m.RLock()):
        raises(RuntimeError, c.notify)

        def notify():
            with c:
                c.notify_all()
        with c:
            assert c.wait(0.01) is (None if PY2 else False)
            other = threading.Thread(target=notify)
            other.start()
            assert c.wait(10) is (None if PY2 else True)
        other.join()


def check_event(m):
    e = m.Event()
    assert not e.is_set() and not e.wait(0.01)
    later = threading.Timer(0.02, e.set)
    later.start()
    assert e.wait(10) and e.is_set()
    later.join()
    e.clear()
    assert not e.is_set()


def check_barrier(m):
    if PY2:
        return "-"
    b = m.Barrier(2)
    seen = []
    other = threading.Thread(target=lambda: seen.append(b.wait()))
    other.start()
    seen.append(b.wait())
    other.join()
    assert sorted(seen) == [0, 1] and b.parties == 2 and b.n_waiting == 0 and not b.broken
    raises(threading.BrokenBarrierError, b.wait, 0.01)
    assert b.broken
    b.reset()
    assert not b.broken


def check_array(m):
    import array
    a = m.Array("i", range(5))
    a[0] = 7
    assert a[0] == 7 and len(a) == 5 and list(a) == [7, 1, 2, 3, 4]
    a[1:3] = array.array("i", [8, 9])
    assert a[1:3] == array.array("i", [8, 9]) and str(a) == "array('i', [7, 8, 9, 3, 4])", str(a)
    raises(IndexError, lambda: a[99])
    raises(OverflowError, a.__setitem__, 0, 2 ** 40)
    raises(TypeError, a.__setitem__, 0, "x")


def check_nested(m):
    outer = m.list()
    outer.append(m.dict(a=1))
    inner = outer[0]
    inner["b"] = 2
    assert outer[0].copy() == {"a": 1, "b": 2}
    import copy
    assert copy.deepcopy(inner) == {"a": 1, "b": 2}


def check_counting(m):
    import gc
    gc.collect()
    before = m._number_of_objects()
    kept = m.list()
    assert m._number_of_objects() == before + 1
    assert "[]" in m._debug_info()
    del kept
    gc.collect()
    assert m._number_of_objects() == before


def check_refusals(m):
    from multiprocessing.managers import RemoteError
    q = m.Queue()
    assert "KeyError: 'nothing'" in str(raises(RemoteError, q._callmethod, "nothing"))
    assert "KeyError: '_init'" in str(raises(RemoteError, q._callmethod, "_init"))
    assert "a Pool runs Python code" in str(raises(RemoteError, m.Pool, 2))


def check_stats(m):
    from multiprocessing import managers
    kept = m.Queue()
    kept.put("an item")
    conn = m._Client(m._address, authkey=KEY)
    try:
        stats = managers.dispatch(conn, None, "stats")
    finally:
        conn.close()
    assert stats["clients"]["now"] >= 1 and stats["objects"]["typeids"]["Queue"] >= 1
    assert stats["calls"]["methods"]["Queue"]["put"] >= 1 and stats["calls"]["functions"]["create"] >= 1
    assert 0 <= stats["latency"]["served"]["p50_ns"] <= stats["latency"]["served"]["longest_ns"]
    assert stats["server"]["uptime_s"] > 0 and stats["memory"]["resident_bytes"] > 0


CHECKS = ["value", "namespace", "list", "dict", "queue", "lock", "rlock", "semaphore", "condition", "event",
          "barrier", "array", "nested", "counting", "refusals", "stats"]


def client(address):
    """Print a line for each check: its name, and OK, '-' where there is nothing to check, or what failed."""
    import traceback
    manager = connect(address)
    for name in CHECKS:
        try:
            result = globals()["check_" + name](manager) or "OK"
        except Exception:
            traceback.print_exc()
            result = "FAILED"
        print(name, result)
        sys.stdout.flush()


def proxy_of(kind, typeid, address, ident):
    from multiprocessing.managers import Token
    return kind(Token(typeid, parse_address(address), ident), "pickle", authkey=KEY)


ROUNDS = 50


def worker(address, lock_id, dict_id, list_id, queue_id):
    """One of many: count under the lock, leave a mark in the list, pass an item on through the queue."""
    from multiprocessing import managers
    lock = proxy_of(managers.AcquirerProxy, "Lock", address, lock_id)
    counts = proxy_of(managers.DictProxy, "dict", address, dict_id)
    marks = proxy_of(managers.ListProxy, "list", address, list_id)
    kind = managers.MakeProxyType("Items", ("put", "get"))
    items = proxy_of(kind, "Queue", address, queue_id)
    for _ in range(ROUNDS):
        with lock:
            counts["n"] = counts["n"] + 1
    marks.append(sys.version_info[:2])
    for i in range(ROUNDS):
        items.put(items.get() + 1)


def serve(directory):
    """Stock CPython's own manager, for our proxies."""
    from multiprocessing.managers import SyncManager
    server = SyncManager(address=os.path.join(directory, "stock"), authkey=KEY).get_server()
    print("ready")
    sys.stdout.flush()
    server.serve_forever()


# ---- the test ---------------------------------------------------------------------------------------

def interpreters():
    """(name, command) of each interpreter that there is, and how many were asked for and are not."""
    found, missing, seen = [], 0, set()
    for command in ["python3"] + os.environ.get("XP_PYTHONS", "").replace(":", " ").split():
        path = shutil.which(command)
        if not path:
            print("skipped: no", command)
            missing += 1
            continue
        version = subprocess.check_output(
            [path, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]).decode().strip()
        if version not in seen:
            seen.add(version)
            found.append((version, path))
    return found, missing


class Manager(object):
    """xpmanager on a socket in a private directory and on a free port."""

    def __init__(self, program, model):
        self.directory = tempfile.mkdtemp(prefix="xpshare-interop-")
        key = os.path.join(self.directory, "key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(KEY)
        ours, theirs = os.pipe()
        self.process = subprocess.Popen(
            [program, "--server", model, "--quiet", "--allow-md5", "--authkey-file", key, "--ready-fd", str(theirs),
             "--listen", "unix:" + os.path.join(self.directory, "socket"), "--listen", "tcp:127.0.0.1:0"],
            pass_fds=[theirs])
        os.close(theirs)
        with open(ours) as file:
            self.addresses = file.read().split()

    def __enter__(self):
        assert len(self.addresses) == 2, self.addresses
        return self

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        left = os.listdir(self.directory)
        shutil.rmtree(self.directory)
        assert status == 0, "xpmanager exits with %d" % status
        assert left == ["key"], "left behind: %s" % left


def run(path, *args):
    return subprocess.run([path, "-B", os.path.abspath(__file__)] + list(args), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=PATIENCE)


def test_clients(program, model="event"):
    found, missing = interpreters()
    failures = 0
    rows = []
    with Manager(program, model) as manager:
        for version, path in found:
            for address in manager.addresses:
                done = run(path, "client", address)
                results = dict(line.split(" ", 1) for line in done.stdout.splitlines())
                cells = [results.get(name, "absent") for name in CHECKS]
                bad = [name for name, cell in zip(CHECKS, cells) if cell not in ("OK", "-")]
                failures += len(bad)
                if bad:
                    print("== %s over %s" % (version, address), done.stderr, sep="\n")
                rows.append((version + " " + address.split(":")[0], cells))
        objects = connect(manager.addresses[0])._number_of_objects()
        if objects:
            print("%d objects are left after all clients have gone" % objects)
            failures += 1
    print("\nxpmanager, driven by stock CPython")
    print("%-13s" % "" + " ".join("%-9s" % name for name in CHECKS))
    for name, cells in rows:
        print("%-13s" % name + " ".join("%-9s" % cell for cell in cells))
    print("%d interpreters, %d skipped, %d failures" % (len(found), missing, failures))
    return 1 if failures else 0


def test_together(program, model="event"):
    found, missing = interpreters()
    with Manager(program, model) as manager:
        ours = connect(manager.addresses[0])
        lock, counts, marks, items = ours.Lock(), ours.dict(n=0), ours.list(), ours.Queue()
        idents = [p._token.id for p in (lock, counts, marks, items)]
        for _ in found:
            items.put(0)
        workers = [subprocess.Popen([path, "-B", os.path.abspath(__file__), "worker",
                                     manager.addresses[i % 2]] + idents)
                   for i, (_, path) in enumerate(found * 2)]
        deadline = time.time() + PATIENCE
        statuses = [w.wait(max(1, deadline - time.time())) for w in workers]
        total = sum(items.get() for _ in found)
        assert statuses == [0] * len(workers), statuses
        assert counts["n"] == ROUNDS * len(workers), counts["n"]
        assert len(marks) == len(workers) and len(set(marks)) == len(found), marks
        assert total == ROUNDS * len(workers), total
    print("%d processes of %d versions shared a Lock, a dict, a list and a Queue: %s"
          % (len(workers), len(found), " ".join(version for version, _ in found)))
    print("%d skipped" % missing)
    return 0


def test_proxies(probe):
    found, missing = interpreters()
    failures = 0
    rows = []
    names = []
    for version, path in found:
        directory = tempfile.mkdtemp(prefix="xpshare-interop-")
        server = subprocess.Popen([path, "-B", os.path.abspath(__file__), "serve", directory],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert server.stdout.readline().strip() == b"ready"
            done = subprocess.run([probe, "unix:" + os.path.join(directory, "stock")],
                                  env=dict(os.environ, XP_AUTHKEY=KEY.decode()), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, universal_newlines=True, timeout=PATIENCE)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
            shutil.rmtree(directory)
        results = [line.split(" ", 1) for line in done.stdout.splitlines()]
        names = names or [name for name, _ in results]
        bad = [r for r in results if r[1] not in ("OK", "-")] or ([] if results else ["nothing"])
        failures += len(bad)
        if bad or done.returncode:
            print("== manager of %s: %s" % (version, bad), done.stderr, sep="\n")
        rows.append((version, [result for _, result in results]))
    print("\nstock CPython's manager, driven by our proxies")
    print("%-12s" % "" + " ".join("%-9s" % name for name in names))
    for name, cells in rows:
        print("%-12s" % name + " ".join("%-9s" % cell[:9] for cell in cells))
    print("%d interpreters, %d skipped, %d failures" % (len(found), missing, failures))
    return 1 if failures else 0


def main(args):
    if args[0] == "client":
        return client(args[1])
    if args[0] == "worker":
        return worker(*args[1:])
    if args[0] == "serve":
        return serve(args[1])
    tests = {"clients": test_clients, "together": test_together, "proxies": test_proxies}
    if not 3 <= len(args) <= 4 or args[0] not in tests or args[1] not in ("--xpmanager", "--probe"):
        sys.exit(__doc__)
    return tests[args[0]](*args[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
