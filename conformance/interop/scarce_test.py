# SPDX-License-Identifier: MIT
"""scarce_test - xpmanager when memory ends: each allocation of a session fails once, and all after it too.

    scarce_test.py --stride N --xpmanager xpmanager_scarce

The session calls every method of every typeid, on a fresh connection wherever one was closed. For the N-th, the
2N-th ... allocation of it: the server answers with an error or closes that connection, goes on,
serves the whole session properly afterwards, and has then the objects, descriptors and blocks of memory
that it had. With a stride of 1 no allocation is left out.
"""
import io
import mmap
import os
import pickle
import struct
import sys
import tempfile
from multiprocessing.connection import Client
from multiprocessing.managers import AutoProxy, RebuildProxy, Token

import servers
from clients import address_of

KEY = servers.KEY.encode()
# No call waits for ever: what it waits for may have been refused.
HELD = [1, 2.5, "text", b"bytes", None, True, (1, (2, "x")), [1, [2]], {"a": [1], 2: "b"}, {1, 2}, 2 ** 80,
        ValueError("v", 1), "long " * 2000]
SCENES = {
    "list": (([3, 1, 2],), [
        ("append", (HELD,)), ("extend", (HELD,)), ("__getitem__", (slice(0, 9),)), ("__getitem__", (0,)),
        ("__setitem__", (slice(1, 3), HELD)), ("__setitem__", (0, HELD)), ("insert", (1, HELD)),
        ("__delitem__", (slice(0, 9, 2),)), ("__delitem__", (0,)), ("pop", ()), ("reverse", ()),
        ("__add__", ([1],)), ("__mul__", (3,)), ("__imul__", (3,)), ("count", (HELD,)), ("index", ("no",)),
        ("remove", ("no",)), ("__contains__", (1,)), ("__len__", ()), ("__reversed__", ()), ("__str__", ()),
        ("#GETVALUE", ()), ("__setitem__", (slice(None), list(range(300)))), ("sort", ()),
        ("append", ()), ("nosuch", ()), ("extend", ({1: 2},)), ("extend", (range(9),))]),
    "dict": (({"a": HELD},), [
        ("__setitem__", ("k", HELD)), ("__setitem__", (HELD[6], 1)), ("__setitem__", ([], 1)),
        ("__getitem__", ("a",)), ("__getitem__", ("no",)), ("__delitem__", ("k",)), ("get", ("no", HELD)),
        ("setdefault", ("new", HELD)), ("update", ({i: i for i in range(300)},)), ("update", ([(1, 2)],)),
        ("pop", ("new",)), ("popitem", ()), ("keys", ()), ("values", ()), ("items", ()), ("copy", ()),
        ("__iter__", ()), ("__str__", ()), ("#GETVALUE", ()), ("__contains__", (frozenset([1]),)),
        ("clear", ())]),
    "Namespace": ((), [
        ("__setattr__", ("x", HELD)), ("__getattribute__", ("x",)), ("__getattribute__", ("no",)),
        ("__getattribute__", ("__dict__",)), ("__str__", ()), ("#GETVALUE", ()), ("__delattr__", ("x",))]),
    "Value": (("i", HELD), [("get", ()), ("set", (HELD,)), ("__str__", ()), ("#GETVALUE", ())]),
    "Array": (("i", list(range(50))), [
        ("__getitem__", (1,)), ("__getitem__", (slice(1, 9),)), ("__setitem__", (1, 5)), ("__len__", ()),
        ("__str__", ()), ("#GETVALUE", ()), ("__setitem__", (1, "x"))]),
    "Queue": ((0,), [("put", (HELD,))] * 70 + [("get", (False,))] * 70 + [
        ("get_nowait", ()), ("qsize", ()), ("task_done", ()), ("__str__", ())]),
    "JoinableQueue": ((2,), [("put", (HELD,)), ("put", (HELD, False)), ("put", (HELD, True, 0.001)),
                             ("put", (HELD, True, 0.001)), ("get", (False,)), ("join", (0.001,))]),
    "Event": ((), [("wait", (0.001,)), ("set", ()), ("is_set", ()), ("wait", (0.001,)), ("clear", ())]),
    "Lock": ((), [("acquire", ()), ("acquire", (True, 0.001)), ("release", ()), ("release", ())]),
    "RLock": ((), [("acquire", ()), ("acquire", ()), ("release", ()), ("__str__", ())]),
    "Semaphore": ((1,), [("acquire", ()), ("acquire", (True, 0.001)), ("release", ()), ("__str__", ())]),
    "BoundedSemaphore": ((1,), [("acquire", ()), ("release", ()), ("release", ())]),
    "Condition": ((), [("acquire", ()), ("wait", (0.001,)), ("notify", ()), ("notify_all", ()), ("release", ()),
                       ("__str__", ())]),
    "Barrier": ((2,), [("wait", (0.001,)), ("reset", ()), ("__getattribute__", ("parties",)), ("abort", ())]),
}


class Broken(Exception):
    """The server closed the connection: it may, where it has no memory."""


class Reader(pickle.Unpickler):
    """A proxy in a reply stays where it is: no connection of its own."""

    def find_class(self, module, name):
        return (lambda *args: None) if name == "RebuildProxy" else super().find_class(module, name)


def ask(link, request):
    try:
        link.send_bytes(pickle.dumps(request, 2))
        if not link.poll(servers.PATIENCE):
            raise AssertionError("no answer to %r" % (request[:2],))
        return Reader(io.BytesIO(link.recv_bytes())).load()
    except (EOFError, ConnectionError):
        raise Broken()


class Session(object):
    """Everything once. What is refused or cut off is left out, and counted."""

    def __init__(self, address):
        self.address = address
        self.refused = 0
        self.objects = []
        self.serving = None

    def connect(self):
        for _ in range(100):  # a server without memory refuses who comes
            try:
                return Client(address_of(self.address), authkey=KEY)
            except (EOFError, OSError, AssertionError, pickle.UnpicklingError) as err:
                if isinstance(err, FileNotFoundError):
                    raise
                self.refused += 1
            except Exception as err:
                if type(err).__name__ != "AuthenticationError":
                    raise
                self.refused += 1
            if self.refused > 3:
                break
        raise Broken()

    def once(self, name, *args):
        link = self.connect()
        try:
            kind, value = ask(link, (None, name, args, {}))
            if kind != "#RETURN":
                self.refused += "MemoryError" in str(value)
                raise Broken()
            return value
        finally:
            link.close()

    def call(self, ident, method, args):
        if self.serving is None:
            self.serving = self.connect()
            if ask(self.serving, (None, "accept_connection", ("scarce",), {}))[0] != "#RETURN":
                self.drop()
                raise Broken()
        try:
            kind, value = ask(self.serving, (ident, method, args, {}))
        except Broken:
            self.drop()
            raise
        if kind == "#PROXY":
            self.objects.append(value[1].id)
        return kind

    def drop(self):
        if self.serving is not None:
            self.serving.close()
        self.serving = None

    def make(self, typeid, args):
        ident = self.once("create", typeid, *args)[0]
        self.objects.append(ident)
        return ident

    def attempt(self, function, *args):
        try:
            return function(*args)
        except Broken:
            self.refused += 1
            return None

    def play(self):
        for typeid, (arguments, calls) in SCENES.items():
            ident = self.attempt(self.make, typeid, arguments)
            for method, args in calls if ident else []:
                self.attempt(self.call, ident, method, args)
        inner, outer = self.attempt(self.make, "Queue", ()), self.attempt(self.make, "list", ())
        if inner and outer:
            token = Token("Queue", self.address, inner)
            self.attempt(self.call, outer, "append", (Nested(token),))
            self.attempt(self.call, outer, "__getitem__", (0,))
        self.attempt(self.once, "debug_info")
        return self.refused

    def end(self):
        """With memory again: nothing of it stays."""
        self.drop()
        for ident in self.objects:
            self.once("decref", ident)
        self.objects = []


class Nested(object):
    """A proxy as it stands in a pickle, without one that would connect."""

    def __init__(self, token):
        self.token = token

    def __reduce__(self):
        return RebuildProxy, (AutoProxy, self.token, "pickle", {"exposed": ("get", "put")})


class Scarce(object):
    """The three numbers that the server reads."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(24))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 24)

    def fail(self, at, for_good):
        struct.pack_into("qq", self.memory, 0, 0, for_good)
        struct.pack_into("q", self.memory, 0, at)

    def relax(self):
        """How many allocations were still to come."""
        left = struct.unpack_from("q", self.memory, 0)[0]
        self.fail(0, 0)
        return left

    def in_use(self):
        return struct.unpack_from("q", self.memory, 16)[0]


class Watcher(object):
    """A connection that stays. Two calls on it, and whatever others sent or closed before has been handled."""

    def __init__(self, address, scarce):
        self.scarce = scarce
        self.link = Client(address_of(address), authkey=KEY)
        assert ask(self.link, (None, "accept_connection", ("watcher",), {}))[0] == "#RETURN"

    def in_use(self):
        for _ in range(2):
            ask(self.link, ("nothing", "ping", (), {}))
        return self.scarce.in_use()


def state(server, watcher, session):
    return session.once("number_of_objects"), watcher.in_use(), server.descriptors()


def main(argv):
    stride, program = int(argv[2]), argv[4]
    failures, cases, refused = [], 0, 0
    with tempfile.NamedTemporaryFile(prefix="xpscarce") as file:
        scarce = Scarce(file.name)
        os.environ["XP_SCARCE"] = file.name
        with servers.Ours(program) as server:
            watcher = Watcher(server.addresses[0], scarce)

            def well():
                session = Session(server.addresses[0])
                if session.play():
                    failures.append("a session with memory was refused something")
                session.end()
                return state(server, watcher, session)

            well()
            scarce.fail(10 ** 9, 0)
            before = well()
            total = 10 ** 9 - scarce.relax()
            assert total > 500, "allocations do not come by the allocator that fails"
            for for_good in (0, 1):
                for at in range(1 + cases % stride, total, stride):
                    session = Session(server.addresses[0])
                    scarce.fail(at, for_good)
                    try:
                        refused += session.play()
                    finally:
                        scarce.relax()
                    cases += 1
                    if server.process.poll() is not None:
                        failures.append("allocation %d of %d: the server ended with %s" % (
                            at, total, server.process.returncode))
                        break
                    session.end()
                    after = well()
                    if after != before:
                        failures.append("allocation %d of %d: objects, blocks, descriptors %s were %s" % (
                            at, total, after, before))
                        before = after
                    if len(failures) > 20:
                        break
            if not failures:
                failures += server.finish()
    for failure in failures:
        print(failure)
    print("%d allocations in a session, %d failed one by one, then all after them: %d requests refused, "
          "%d failures" % (total, cases, refused, len(failures)))
    return 1 if failures or not refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
