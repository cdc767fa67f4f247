# SPDX-License-Identifier: MIT
"""badinput_test - what no proxy sends: each request gets its kind of reply, and the server is as before.

    badinput_test.py --xpmanager PROGRAM

Raw requests over multiprocessing.connection, to xpmanager and to CPython's own manager. Where CPython's
answer is a kind of reply, ours has the same kind. After all of it, and after as many rounds again as it
takes to see growth, xpmanager answers, and has the objects, descriptors and memory that it had.
"""
import os
import pickle
import struct
import sys
from multiprocessing.connection import Client
from multiprocessing.managers import SyncManager

import servers
from clients import address_of

KEY = servers.KEY.encode()
ROUNDS = 12
WARM = 3  # rounds until allocators have what they keep
GROWTH = 2048  # KiB; one round sends more than twice that
SILENT = "closed"


def asked(address, first, *frames):
    """The kind of the last reply of a connection that sends these frames."""
    try:
        with Client(address_of(address), authkey=KEY) as link:
            kind = SILENT
            for frame in (first,) + frames:
                link.send_bytes(frame)
                if not link.poll(servers.PATIENCE):
                    return "no answer"
                kind = pickle.loads(link.recv_bytes())[0]
            return kind
    except (EOFError, ConnectionError):
        return SILENT


def request(ident, method, args=(), kwds=None, protocol=2):
    return pickle.dumps((ident, method, args, kwds or {}), protocol)


SERVE = request(None, "accept_connection", ("bad",))


def deep(levels):
    return b"\x80\x02" + b"]" * levels + b"a" * (levels - 1) + b"."


def bomb():
    """Ten lists that each hold the one before ten times: ten thousand million to whoever follows them."""
    value = []
    for _ in range(10):
        value = [value] * 10
    return value


def first_requests():
    """What may come first on a connection."""
    yield "no such function", request(None, "nosuch")
    yield "private function", request(None, "__init__")
    yield "unknown typeid", request(None, "create", ("nosuch",))
    yield "no typeid", request(None, "create")
    yield "constructor refuses", request(None, "create", ("list", 5))
    yield "constructor with too many", request(None, "create", ("Event", 1, 2, 3, 4))
    yield "incref of nothing", request(None, "incref", ("deadbeef",))
    yield "decref of nothing", request(None, "decref", ("deadbeef",))
    yield "decref of a number", request(None, "decref", (7,))
    yield "methods of nothing", request(None, "get_methods", (None,))


def object_requests(ident):
    """What may come on a connection that serves, for a list that is there."""
    yield "unknown ident", request("ffff", "append", (1,))
    yield "ident 0", request("0", "append", (1,))
    yield "ident is a number", request(5, "append", (1,))
    yield "ident is None", request(None, "append", (1,))
    yield "ident cannot be hashed", request([], "append", (1,))
    yield "unknown method", request(ident, "nosuch")
    yield "method outside exposed", request(ident, "__init__", ([],))
    yield "method is a number", request(ident, 5)
    yield "too few arguments", request(ident, "append")
    yield "too many arguments", request(ident, "append", (1, 2))
    yield "unknown keyword", request(ident, "append", (), {"x": 1})
    yield "arguments are None", pickle.dumps((ident, "append", None, {}), 2)
    yield "keywords are None", pickle.dumps((ident, "append", (1,), None), 2)
    yield "three members", pickle.dumps((ident, "append", (1,)), 2)
    yield "five members", pickle.dumps((ident, "append", (1,), {}, 0), 2)
    yield "a number", pickle.dumps(7, 2)
    yield "empty", b""
    yield "no pickle", b"\x00\x01\x02"
    yield "cut short", request(ident, "append", ("abcdef",))[:-8]
    yield "no STOP", request(ident, "append", (1,))[:-1]
    yield "stack underflow", b"\x80\x02ee."
    yield "memo that is not there", b"\x80\x02h\x07."
    yield "protocol 200", b"\x80\xc8N."
    yield "length beyond the frame", b"\x80\x02X\xff\xff\xff\x7fa."
    yield "no UTF-8", b"\x80\x02X\x02\x00\x00\x00\xff\xfe."
    yield "class of nowhere", b"\x80\x02cnowhere\nUnknown\n)\x81."
    yield "deep", deep(100000)
    yield "huge integer", request(ident, "__getitem__", (1 << 100000,))
    yield "integer of 2^31 bytes", b"\x80\x02\x8b" + struct.pack("<i", 2 ** 31 - 1) + b"\x01."
    yield "bomb", request(ident, "count", (bomb(),))
    yield "a million nodes", request(ident, "count", ([[] for _ in range(10 ** 6)],))
    for name, opcodes in RARE.items():
        yield name, with_opcodes(ident, opcodes)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield "protocol %d" % protocol, request(ident, "count", ((1, "a", 2.5, None, {1: [2]}),), None, protocol)


# Opcodes that no recorded pickle of impl/rpc/testdata holds: here is each of them.
RARE = {
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 2) + b"ab",
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 2) + b"ab",
    "DUP": b"(]2t",
    "LONG_BINPUT, LONG_BINGET": b"(]r\x05\x00\x00\x00j\x05\x00\x00\x00t",
    "NEWOBJ_EX": b"cbuiltins\nlist\n)}\x92",
    "EXT1": b"\x82\x01",
    "EXT2": b"\x83\x01\x00",
    "EXT4": b"\x84\x01\x00\x00\x00",
    "PERSID": b"Pname\n",
    "BINPERSID": b"NQ",
    "NEXT_BUFFER": b"\x97",
    "READONLY_BUFFER": b"N\x98",
}


def with_opcodes(ident, opcodes):
    """A request to count what the opcodes make."""
    return b"\x80\x05(\x8c%c%s\x8c\x05count%s\x85}t." % (len(ident), ident.encode(), opcodes)


# Where ours is not CPython's, with the reason.
OTHERWISE = {
    "arguments are None": "CPython takes the request apart late, as what the method raised; ours checks it first",
    "keywords are None": "likewise",
    "no STOP": "CPython takes the end of the pickle for the end of the connection; ours says what is wrong",
}


def object_there(manager):
    proxy = manager.list([1])
    return proxy, proxy._token.id


def battery(address):
    """name -> kind of reply."""
    manager = SyncManager(address_of(address), authkey=KEY)
    manager.connect()
    proxy, ident = object_there(manager)
    answers = {}
    for name, frame in first_requests():
        answers[name] = asked(address, frame)
    for name, frame in object_requests(ident):
        answers[name] = asked(address, SERVE, frame)
    dead, gone = object_there(manager)
    del dead
    answers["dead object"] = asked(address, SERVE, request(gone, "append", (1,)))
    answers["decref below zero"] = asked(address, request(None, "decref", (gone,)))
    answers["still there"] = asked(address, SERVE, request(ident, "__len__"))
    assert len(proxy) == 1, "a bad request changed an object"
    return answers


def state(server, address):
    manager = SyncManager(address_of(address), authkey=KEY)
    manager.connect()
    return manager._number_of_objects(), server.descriptors(), server.status("VmRSS")


def main(argv):
    failures = []
    with servers.Ours(argv[2]) as ours, servers.Stock("python3", "unix") as stock:
        address = ours.addresses[0]
        before = state(ours, address)
        theirs = battery(stock.addresses[0])
        for turn in range(ROUNDS):
            answers = battery(address)
            if turn + 1 == WARM:
                warm = state(ours, address)
        after = state(ours, address)
        for name, kind in answers.items():
            same = kind == theirs[name]
            print("%-26s ours %-17s CPython %-17s%s" % (name, kind, theirs[name], "" if same else " other"))
            if not same and name not in OTHERWISE:
                failures.append("%s: %s is not %s" % (name, kind, theirs[name]))
        failures += ours.finish()
    print("objects %d, descriptors %d, VmRSS %d KiB; after %d rounds %d, %d, %d (%d after %d)" % (
        before + (ROUNDS,) + after + (warm[2], WARM)))
    # The connections of the first look may still be closing when it counts descriptors: fewer is fine.
    if after[0] > before[0] or after[1] > before[1] or after[2] > warm[2] + GROWTH:
        failures.append("something is left of the bad requests")
    for failure in failures:
        print(failure)
    print("%d kinds of bad input, %d failures" % (len(answers), len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
