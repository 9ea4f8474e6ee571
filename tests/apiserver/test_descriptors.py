# SPDX-License-Identifier: GPL-2.0-or-later
"""The number of a descriptor that was closed is soon another connection's: what is meant for the one never reaches the
other."""

import select
import socket
import threading
import unittest

from harness import ServerTest
from listener import Listener
from lookout import Lookout

LONG = 60


class Poll:
    """A poll object; `seen` is set when it has found that number."""

    def __init__(self, poll, number):
        self.real, self.number, self.seen = poll, number, threading.Event()
        self.register, self.unregister = poll.register, poll.unregister

    def poll(self):
        found = self.real.poll()
        if self.number in [fd for fd, _ in found]:
            self.seen.set()
        return found


class Numbers(unittest.TestCase):
    def test_the_farewell_of_one_that_is_closed_is_not_another_ones(self):
        lookout = Lookout()
        old, old_end = socket.socketpair()
        number, left = old.fileno(), threading.Event()
        lookout.poll = Poll(lookout.poll, number)
        lookout.watch(number, left.set)
        with lookout.lock:
            old_end.close()
            self.assertTrue(lookout.poll.seen.wait(LONG))  # it waits for the lock, with what it has found
            del lookout.callbacks[number]  # as forget() does
            lookout.poll.unregister(number)
            old.close()
            new, new_end = socket.socketpair()
            self.addCleanup(new.close)
            self.assertEqual(new.fileno(), number)
            lookout.callbacks[number] = left.set
            lookout.poll.register(number, select.POLLIN | select.POLLRDHUP)
        other, other_end = socket.socketpair()
        self.addCleanup(other.close)
        other_left = threading.Event()
        other_end.close()
        lookout.watch(other.fileno(), other_left.set)
        self.assertTrue(other_left.wait(LONG))  # whatever it had found before is done with
        self.assertFalse(left.is_set())
        new_end.close()
        self.assertTrue(left.wait(LONG))

    def test_none_is_closed_while_it_is_reset(self):
        listener, test = Listener.__new__(Listener), self

        class Connection:
            def fileno(self):
                test.assertTrue(listener.lock.locked())  # serve() closes when it has had the lock
                return -1

        listener.lock, listener.connections = threading.Lock(), {Connection()}
        self.assertEqual(listener.drop(), 0)


class Handshakes(ServerTest):
    def test_they_are_dropped_too(self):
        with socket.create_connection((self.server.host, self.server.port), LONG) as sock:
            self.server.wait_for(lambda: self.server.control("stats")["open_connections"] == 1)
            self.assertEqual(self.server.control("drop-connections")["dropped"], 1)
            with self.assertRaises(ConnectionResetError):
                sock.recv(1)
