# SPDX-License-Identifier: MIT
"""exposed - what a server says that its types can do, and what each method answers. For 2.7 and 3.6 on.

    exposed.py ADDRESS      (key in XP_AUTHKEY)

For each typeid: the exposed tuple of a create, in its order; then each name that it or the interpreter's
own proxy class knows, called without arguments past the proxy: the kind of reply, and of the exception.
"""
from __future__ import print_function

import sys
from multiprocessing import managers
from multiprocessing.connection import Client

import clients
from clients import PY2, describe_error

ARGUMENTS = {
    "Queue": (), "JoinableQueue": (), "Event": (), "Lock": (), "RLock": (), "Semaphore": (),
    "BoundedSemaphore": (), "Condition": (), "list": ([1],), "dict": ({1: 2},), "Value": ("i", 1),
    "Array": ("i", [1]), "Namespace": (),
}
if not PY2:
    ARGUMENTS["Barrier"] = (2,)
# What would wait for ever without arguments, and one after which the others would not be the same.
CALLED_WITH = {"wait": (0,), "get": (False,), "acquire": (False,), "put": (1, False)}


def proxy_names(typeid):
    """What the interpreter's own proxy class would send for this typeid."""
    proxy = managers.SyncManager._registry[typeid][3]
    return set(getattr(proxy, "_exposed_", None) or ())


def reply_of(link, ident, name, args):
    link.send((ident, name, args, {}))
    kind, value = link.recv()
    if kind == "#ERROR":
        return "#ERROR " + describe_error(value).partition("tuple[")[0]
    if kind in ("#TRACEBACK", "#UNSERIALIZABLE"):
        return "%s %s" % (kind, clients.last_line(value).partition(":")[0])
    return kind


def say(typeid, names, link, ident):
    print("%s exposes %s" % (typeid, " ".join(names)))
    for name in sorted(set(names) | proxy_names(typeid)):
        args = CALLED_WITH.get(name, ()) if typeid not in ("dict", "Value") else ()
        print("%s.%s %s" % (typeid, name, reply_of(link, ident, name, args)))


def main(address):
    def connect():
        return Client(clients.address_of(address), authkey=clients.KEY)

    def once(name, *args):
        link = connect()
        try:
            return managers.dispatch(link, None, name, args)
        finally:
            link.close()

    link = connect()
    managers.dispatch(link, None, "accept_connection", ("exposed",))
    for typeid in sorted(ARGUMENTS):
        ident, names = once("create", typeid, *ARGUMENTS[typeid])
        say(typeid, names, link, ident)
        if typeid == "dict":
            link.send((ident, "update", ({1: 2},), {}))
            link.recv()
            link.send((ident, "__iter__", (), {}))
            names, token = link.recv()[1]
            say("Iterator", names, link, token.id)
    known = sorted(name for name, made in managers.SyncManager._registry.items() if made[0] or made[1])
    print("SyncManager makes " + " ".join(known))
    for typeid in known:
        if typeid not in ARGUMENTS and typeid not in ("Iterator", "Barrier"):
            try:
                once("create", typeid)
                print("%s is made" % typeid)
            except managers.RemoteError as err:
                print("%s is refused: %s" % (typeid, clients.last_line(err)))


if __name__ == "__main__":
    main(sys.argv[1])
