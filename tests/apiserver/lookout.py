# SPDX-License-Identifier: GPL-2.0-or-later
"""Notices when a client leaves while the server has nothing to say. A client that waits for events says nothing, so
whatever can be read is its farewell."""

import os
import select
import threading


class Lookout:
    def __init__(self):
        self.lock = threading.Lock()
        self.poll = select.poll()
        self.callbacks = {}
        self.wake_read, self.wake_write = os.pipe()
        self.poll.register(self.wake_read, select.POLLIN)
        threading.Thread(target=self.run, daemon=True).start()

    def watch(self, fd, callback):
        with self.lock:
            self.callbacks[fd] = callback
            self.poll.register(fd, select.POLLIN | select.POLLRDHUP)
        os.write(self.wake_write, b"x")

    def forget(self, fd):
        with self.lock:
            if self.callbacks.pop(fd, None):
                self.poll.unregister(fd)

    def run(self):
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.wake_read:
                    os.read(fd, 4096)
                    continue
                callback = self.take(fd)
                if callback:
                    callback()

    def take(self, fd):
        """The callback of one that has left. What was found may be of one that is closed by now, and the number another
        one's: only under the lock, where nobody closes what is looked after, it is certain."""
        with self.lock:
            if fd not in self.callbacks or not self.has_left(fd):
                return None
            self.poll.unregister(fd)
            return self.callbacks.pop(fd)

    @staticmethod
    def has_left(fd):
        now = select.poll()
        now.register(fd, select.POLLIN | select.POLLRDHUP)
        return bool(now.poll(0))
