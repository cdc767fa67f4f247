# SPDX-License-Identifier: MIT
"""adversary_test - what somebody would send who wants the server to crash, hang or grow.

    adversary_test.py --xpmanager PROGRAM

Raw bytes: handshakes in the wrong order, lengths that lie, pickles that contain themselves, keys that cannot be
hashed, forged tokens. Then proper calls of an ill-meaning client: keys that collide in CPython, values that
unfold without end, chains of proxies, numbers beyond any type. Each says what must come of it, each once
in a server with little memory of each model; afterwards the server answers and has kept nothing.
"""
import gc
import hashlib
import hmac
import io
import pickle
import socket
import struct
import sys
from multiprocessing import current_process
from multiprocessing.managers import RemoteError, SyncManager

import servers

KEY = servers.KEY.encode()
MEMORY = 400  # MiB that it may use for objects and buffers
RESIDENT = 1500  # MiB that the process never has, with the arena of one request and a sanitizer's share
SHADOW = 2  # times that under the thread sanitizer
DEPTH = 960  # of a value; the highest --max-depth is 990
CLOSED, FAILED, ERROR, MADE = "closed", "#FAILURE#", "#TRACEBACK", "#RETURN"


class Reader(pickle.Unpickler):
    def find_class(self, module, name):
        return lambda *args: None


class Raw(object):
    """A connection without multiprocessing."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(servers.PATIENCE)
        self.socket.connect(path)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass  # it did not wait for the rest
        return self

    def frame(self, payload):
        return self.send(struct.pack(">i", len(payload)) + payload)

    def exact(self, size):
        data = b""
        while len(data) < size:
            try:
                got = self.socket.recv(size - len(data))
            except ConnectionError:
                got = b""
            if not got:
                raise EOFError
            data += got
        return data

    def receive(self):
        return self.exact(struct.unpack(">i", self.exact(4))[0])

    def known(self):
        """After a proper handshake."""
        challenge = self.receive()[len("#CHALLENGE#"):]
        self.frame(b"{sha256}" + hmac.new(KEY, challenge, hashlib.sha256).digest())
        assert self.receive() == b"#WELCOME#"
        self.frame(b"#CHALLENGE#{sha256}" + b"x" * 40)
        self.receive()
        return self.frame(b"#WELCOME#")

    def serving(self):
        self.known().frame(request(None, "accept_connection", ("adversary",)))
        self.receive()
        return self

    def outcome(self):
        """The kind of the first reply, or how the connection ended without one."""
        try:
            payload = self.receive()
        except EOFError:
            return CLOSED
        finally:
            self.socket.close()
        return FAILED if payload.startswith(b"#") else Reader(io.BytesIO(payload)).load()[0]


def request(ident, name, args=(), kwds=None):
    return pickle.dumps((ident, name, args, kwds or {}), 2)


def create(typeid, args, kwds=b"}", protocol=2):
    """A create with arguments in opcodes, so that they can be what no Python could pickle."""
    return b"\x80%c(NX\x06\x00\x00\x00create(X%s%st%st." % (
        protocol, struct.pack("<I", len(typeid)) + typeid, args, kwds)


def long_header(size):
    return b"\xff\xff\xff\xff" + struct.pack(">Q", size)


TOKEN = b"cmultiprocessing.managers\nToken\n)\x81(X\x04\x00\x00\x00listX\x01\x00\x00\x00/X\x02\x00\x00\x00zztb"
PROXY = (b"cmultiprocessing.managers\nRebuildProxy\n(cmultiprocessing.managers\nListProxy\n" + TOKEN +
         b"X\x06\x00\x00\x00pickle}tR")


def itself():
    value = [None, "create", (), {}]
    value[2] = value
    return pickle.dumps(value, 2)


def keeps_itself(typeid):
    knot = {} if typeid == "dict" else []
    knot.update(a=knot) if typeid == "dict" else knot.append(knot)
    return request(None, "create", (typeid, knot))


def raw_cases():
    """(name, stage of the connection, bytes, what must come). A frame's header is part of the bytes."""
    def framed(data):
        return struct.pack(">i", len(data)) + data

    for name, payload in [
            ("welcome before the answer", b"#WELCOME#"), ("challenge before the answer", b"#CHALLENGE#" + b"x" * 20),
            ("failure before the answer", b"#FAILURE#"), ("empty answer", b""),
            ("request before the answer", request(None, "dummy")), ("legacy answer, wrong", b"x" * 16),
            ("unknown digest", b"{sha1}" + b"x" * 20), ("short digest", b"{sha256}" + b"x" * 31),
            ("braces", b"{" * 32)]:
        yield name, "new", framed(payload), FAILED
    yield "answer too long", "new", framed(b"x" * 300), CLOSED
    for name, header in [("5 GB", long_header(5 << 30)), ("2^64 - 1", long_header(2 ** 64 - 1)),
                         ("2 GiB", struct.pack(">i", 0x7fffffff))]:
        yield name + " announced by a stranger", "new", header, CLOSED
        yield name + " announced first", "known", header, ERROR
        yield name + " announced", "serving", header, ERROR
    for name, header in [("-2", struct.pack(">i", -2)), ("-2^31", struct.pack(">i", -2 ** 31)),
                         ("long 0", long_header(0)), ("0", struct.pack(">i", 0))]:
        yield "length %s first" % name, "known", header, CLOSED
        yield "length %s" % name, "serving", header, CLOSED
    dummy = request(None, "dummy")
    yield "long header of a small frame", "known", long_header(len(dummy)) + dummy, MADE
    yield "three first requests", "known", framed(dummy) * 3, MADE
    yield "accept_connection twice", "serving", framed(request(None, "accept_connection", ("x",))), ERROR
    yield "a list that holds itself as request", "known", framed(b"\x80\x02]q\x00h\x00a."), ERROR
    yield "mark left", "known", framed(b"\x80\x04(]\x94h\x00a."), ERROR
    yield "a request that holds itself", "known", framed(itself()), ERROR
    yield "a list of itself", "known", framed(keeps_itself("list")), MADE
    yield "a dict of itself", "known", framed(keeps_itself("dict")), MADE
    yield "key that cannot be hashed", "known", framed(create(b"dict", b"(]K\x01d")), ERROR
    yield "set of lists", "known", framed(create(b"list", b"\x8f(]]\x90", protocol=4)), MADE
    for typeid in (b"Namespace", b"dict", b"Queue", b"list"):
        yield "keyword 5 for %s" % typeid.decode(), "known", framed(create(typeid, b"", b"(K\x05K\x01d")), ERROR
        yield "keyword [] for %s" % typeid.decode(), "known", framed(create(typeid, b"", b"(]K\x01d")), ERROR
    yield "forged proxy", "known", framed(create(b"list", PROXY)), ERROR
    yield "forged token", "known", framed(b"\x80\x02(NX\x0b\x00\x00\x00get_methods(" + TOKEN + b"t}t."), ERROR
    yield "token as ident", "known", framed(b"\x80\x02(NX\x06\x00\x00\x00incref(" + TOKEN + b"t}t."), ERROR


# ---- calls ----------------------------------------------------------------------------------------------

def unfolding(width, depth=12):
    value = []
    for _ in range(depth):
        value = [value] * width
    return value


def nested(make, levels=DEPTH):
    value = make(None)
    for _ in range(levels):
        value = make(value)
    return value


def raises(error, function, words=""):
    try:
        function()
    except error as caught:
        assert words in str(caught), caught
    else:
        raise AssertionError("%s expected" % error.__name__)


def colliding_keys(m):
    count = 50000
    assert len(m.dict([(i * (2 ** 61 - 1), 1) for i in range(1, count)])) == count - 1
    assert len(m.dict([(float("nan"), 1) for _ in range(count)])) == count


def values_that_unfold(m):
    raises(MemoryError, lambda: m.list([unfolding(6)] * 1000).count(unfolding(6)))
    raises(MemoryError, lambda: m.list([unfolding(6), unfolding(6)]).sort())
    shared = "x" * (1 << 20)
    assert m.list([shared] * 300).count("x" * (1 << 20)) == 300
    deep = [nested(lambda value: frozenset([value, 1])), nested(lambda value: {1: value}), nested(lambda value: [value])]
    same = [nested(lambda value: frozenset([value, 1])), nested(lambda value: {1: value}), nested(lambda value: [value])]
    held = m.list(deep)
    for index, value in enumerate(same):
        assert held.count(value) == 1 and held.index(value) == index
    assert len(str(held)) > 1000
    knot, other = [1], [1]
    knot.append(knot)
    other.append(other)
    raises(RecursionError, lambda: m.list([knot, other]).sort())


def chain_of_proxies(m):
    """Each list the only holder of the one before: freed from the end, as deep as it goes."""
    inner = m.list()
    for _ in range(3000):
        inner = m.list([inner])


def self_reference(m):
    held = m.list([1, 2, 3])
    for _ in range(5):
        held.extend(held)
    held[:] = held
    held[::2] = held[::2]
    held[1:2] = held
    assert len(held) == 96 * 2 - 1
    held.append(held)
    held.remove(held)
    table = m.dict(a=1)
    table.update(table)
    table["self"] = table
    assert table["self"]["self"]["a"] == 1
    del table["self"]


def growth(m):
    held = m.list([None])
    for function in (lambda: held.__imul__(10 ** 9), lambda: held * 10 ** 9, lambda: 2 ** 62 * held):
        raises(MemoryError, function)
    assert len(held) == 1
    raises(RemoteError, lambda: m.list(range(10 ** 12)), "MemoryError")
    raises(RemoteError, lambda: m.Array("d", range(10 ** 12)), "MemoryError")
    raises(RemoteError, lambda: m.Array("d", 10 ** 12), "TypeError")
    blocks = m.list()
    raises(MemoryError, lambda: [blocks.append(b"x" * (20 << 20)) for _ in range(MEMORY)], "limit")
    assert len(blocks) >= MEMORY // 40
    del blocks[:]
    lists = [m.list([None]) for _ in range(20)]
    raises(MemoryError, lambda: [one.__imul__(8 << 20) for one in lists] and None)


def numbers_beyond(m):
    held = m.list([1, 2, 3])
    assert held[-10 ** 50:10 ** 50:10 ** 40] == [1] and held[10 ** 50:-10 ** 50:-10 ** 40] == [3]
    del held[10 ** 50:-10 ** 50:-2 ** 63]
    assert len(held) == 2
    held.insert(-2 ** 63, 0)
    raises(OverflowError, lambda: held.insert(2 ** 63, 0))
    for typeid in ("Semaphore", "BoundedSemaphore", "Barrier"):
        raises(RemoteError, lambda: getattr(m, typeid)(-1), "ValueError")
        raises(RemoteError, lambda: getattr(m, typeid)(10 ** 30), "OverflowError")
    raises(RemoteError, lambda: m.Barrier(0), "ValueError")
    semaphore = m.Semaphore(2 ** 63 - 1)
    raises(OverflowError, semaphore.release)
    assert m.Queue(2 ** 63 - 1).full() is False and m.Queue(-2 ** 63).full() is False
    assert m.Value("no typecode", 1).value == 1
    raises(RemoteError, lambda: m.Array("no typecode", [1]), "TypeError")
    raises(RemoteError, lambda: m.Array("z", [1]), "ValueError")


def patience_beyond(m):
    queue, event, lock, condition = m.Queue(), m.Event(), m.Lock(), m.Condition()
    lock.acquire()
    condition.acquire()
    waits = [lambda t: queue.get(True, t), event.wait, lambda t: lock.acquire(True, t), condition.wait,
             lambda t: m.Semaphore(0).acquire(True, t)]
    for wait in waits:
        raises(ValueError, lambda: wait(float("nan")), "NaN")
        for time in (float("inf"), 1e300, 10 ** 400):
            raises(OverflowError, lambda: wait(time))
        raises(TypeError, lambda: wait("x"))
        for time in (1e-300, -0.0, 0):
            try:
                assert wait(time) is False
            except Exception as err:
                assert type(err).__name__ == "Empty", err
    for wait in waits[1:2] + waits[3:]:
        assert wait(-1e300) is False and wait(float("-inf")) is False
    raises(ValueError, lambda: queue.get(True, -1e300))
    raises(ValueError, lambda: lock.acquire(True, -2))


CALLS = [colliding_keys, values_that_unfold, chain_of_proxies, self_reference, growth, numbers_beyond, patience_beyond]


def answers(server):
    return Raw(server.path).known().frame(request(None, "number_of_objects")).outcome() == MADE


def most(server):
    with open("/proc/%d/maps" % server.process.pid) as maps:
        return RESIDENT * (SHADOW if "libtsan" in maps.read() else 1)


def judge(server, model):
    failures = []
    manager = SyncManager(server.path, KEY)
    manager.connect()
    before = manager._number_of_objects(), server.descriptors()
    made = 0
    for name, stage, data, wanted in raw_cases():
        link = Raw(server.path)
        if stage == "new":
            link.receive()
        else:
            getattr(link, stage)()
        said = link.send(data).outcome()
        made += wanted == MADE and name not in ("long header of a small frame", "three first requests")
        if said != wanted:
            failures.append("%s, %s: %s is not %s" % (model, name, said, wanted))
    for case in CALLS:
        try:
            case(manager)
        except AssertionError as err:
            failures.append("%s, %s: %s" % (model, case.__name__, err))
        except Exception as err:
            failures.append("%s, %s: %r" % (model, case.__name__, err))
        if server.process.poll() is not None or not answers(server):
            return failures + ["%s: after %s the server is not there" % (model, case.__name__)]
        print("%-6s %-20s VmHWM %4d MiB" % (model, case.__name__, server.status("VmHWM") >> 10))
        sys.stdout.flush()
    gc.collect()
    after = manager._number_of_objects(), server.descriptors()
    if after[0] != before[0] + made or after[1] > before[1] + 1:
        failures.append("%s: objects, descriptors %s were %s, and %d were made" % (model, after, before, made))
    if server.status("VmHWM") >> 10 > most(server):
        failures.append("%s: it had %d MiB" % (model, server.status("VmHWM") >> 10))
    return failures


def main(argv):
    current_process().authkey = KEY
    sys.setrecursionlimit(10 * DEPTH)  # ours, to pickle what is nested
    failures = []
    for model in ("event", "thread"):
        with servers.Ours(argv[2], "--server=" + model, "--max-memory=%dM" % MEMORY, "--max-depth=990") as server:
            failures += judge(server, model)
            failures += server.finish()
    for failure in failures:
        print(failure)
    print("%d attacks, %d failures" % (2 * (len(CALLS) + len(list(raw_cases()))), len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
