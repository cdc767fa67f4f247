# SPDX-License-Identifier: MIT
"""fuzz_test - random requests (fuzz.py) on many connections: the server neither ends nor grows nor falls silent.

    fuzz_test.py --requests N --seed N --xpmanager PROGRAM

Replies are read but not judged; a call that waits is left after a moment by closing its connection.
"""
import io
import pickle
import random
import sys
from multiprocessing.connection import Client

import servers
from fuzz import Fuzz

KEY = servers.KEY.encode()
CONNECTIONS = 6
OBJECTS = 60
MOMENT = 0.02  # after which a call counts as waiting; whether it does decides nothing


class Reader(pickle.Unpickler):
    """What the reply's tuple holds matters; its classes do not, and are not made."""

    def find_class(self, module, name):
        return Inert


class Inert(object):
    def __new__(cls, *args, **kwds):
        return object.__new__(cls)

    def __init__(self, *args, **kwds):
        self.state = None

    def __setstate__(self, state):
        self.state = state

    def __setitem__(self, key, value):
        pass

    def append(self, item):
        pass

    def extend(self, items):
        pass

    def add(self, item):
        pass


def send(link, fuzz, make):
    frame = None
    while frame is None:
        frame = fuzz.encoded(make())
    link.send_bytes(frame)
    return frame


def reply(link):
    if not link.poll(MOMENT):
        return None
    try:
        return Reader(io.BytesIO(link.recv_bytes())).load()
    except (EOFError, ConnectionError):
        return None
    except Exception:  # a reply that holds what a request held: not every value can be made of Inert
        return ("unreadable", None)


class Crowd(object):
    def __init__(self, server, rng):
        self.server, self.rng, self.fuzz = server, rng, Fuzz(rng)
        self.links = [None] * CONNECTIONS

    def connect(self):
        return Client(self.server.path, authkey=KEY)

    def first(self):
        with self.connect() as link:
            send(link, self.fuzz, self.fuzz.first)
            said = reply(link)
        if said and said[0] == "#RETURN" and isinstance(said[1], tuple) and len(said[1]) == 2:
            self.keep(said[1][0], "list" if "sort" in said[1][1] else "Queue")

    def keep(self, ident, typeid):
        if isinstance(ident, str):
            self.fuzz.idents.append((ident, typeid))
        while len(self.fuzz.idents) > OBJECTS:
            gone = self.fuzz.idents.pop(self.rng.randrange(OBJECTS))
            with self.connect() as link:
                link.send((None, "decref", (gone[0],), {}))
                reply(link)

    def call(self):
        at = self.rng.randrange(CONNECTIONS)
        if self.links[at] is None:
            self.links[at] = self.connect()
            self.links[at].send((None, "accept_connection", ("fuzz",), {}))
            self.links[at].recv_bytes()
        try:
            send(self.links[at], self.fuzz, self.fuzz.call)
            said = reply(self.links[at])
        except ConnectionError:
            said = None
        if said is None:
            self.links[at].close()
            self.links[at] = None
        elif said[0] == "#PROXY" and isinstance(said[1][1], Inert) and said[1][1].state:
            self.keep(said[1][1].state[2], "Iterator")

    def is_well(self):
        with self.connect() as link:
            link.send((None, "number_of_objects", (), {}))
            return link.poll(servers.PATIENCE) and link.recv()[0] == "#RETURN"


def main(argv):
    requests, seed, program = int(argv[2]), int(argv[4]), argv[6]
    failures = []
    for model in ("event", "thread"):
        with servers.Ours(program, "--server=" + model, "--max-memory=256M") as server:
            crowd = Crowd(server, random.Random(seed))
            for turn in range(requests):
                try:
                    (crowd.first if turn < 200 or turn % 10 == 0 else crowd.call)()
                except (EOFError, ConnectionError) as err:
                    failures.append("%s: request %d: %r" % (model, turn, err))
                    break
            if not failures and not crowd.is_well():
                failures.append(model + ": no answer at the end")
            print("%s: %d requests, VmHWM %d MiB" % (model, turn + 1, server.status("VmHWM") >> 10))
            failures += server.finish()
    for failure in failures:
        print(failure)
    print("seed %d, %d failures" % (seed, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
