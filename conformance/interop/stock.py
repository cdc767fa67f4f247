# SPDX-License-Identifier: MIT
"""stock - the interpreter's own SyncManager, in this process, until it is killed.

    stock.py /path | tcp        (key in XP_AUTHKEY; prints its address as a line)
"""
import os
import sys
from multiprocessing import current_process
from multiprocessing.managers import SyncManager

# What a stock server needs to use a proxy that it is given.
current_process().authkey = os.environ["XP_AUTHKEY"].encode()
address = ("127.0.0.1", 0) if sys.argv[1] == "tcp" else sys.argv[1]
server = SyncManager(address, current_process().authkey).get_server()
print("tcp:%s:%d" % server.address if sys.argv[1] == "tcp" else "unix:%s" % server.address)
sys.stdout.flush()
server.serve_forever()
