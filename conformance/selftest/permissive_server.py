# SPDX-License-Identifier: MIT
"""A manager that lets everybody in: a mutant, to be caught by the clauses about keys."""
import multiprocessing.connection as connection
import multiprocessing.managers as managers
import os
import sys


def welcome_everybody(peer, authkey, *rest):
    peer.send_bytes(b"#CHALLENGE#" + os.urandom(20))
    peer.recv_bytes(256)
    peer.send_bytes(b"#WELCOME#")


connection.deliver_challenge = welcome_everybody
kind, _, path = os.environ["XP_ADDRESS"].partition(":")
server = managers.SyncManager(address=path, authkey=os.environ["XP_AUTHKEY"].encode()).get_server()
ready = int(sys.argv[1])
os.write(ready, ("unix:%s\n" % path).encode("ascii"))
os.close(ready)
server.serve_forever()
