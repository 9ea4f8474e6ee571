# SPDX-License-Identifier: GPL-2.0-or-later
"""The server leaves nothing behind, however its client ends."""

import os
import signal
import subprocess
import sys
import time
import unittest

import client
from client import ApiServer

STARTER = """
import client, sys
server = client.ApiServer().start()
print(server.directory, server.process.pid, flush=True)
sys.stdin.read()
"""


def running(pid):
    """A zombie, which its new parent has not buried yet, does not run."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Lifetime(unittest.TestCase):
    def wait_for_the_end(self, directory, pid):
        until = time.monotonic() + 60
        while os.path.exists(directory) or running(pid):
            self.assertLess(time.monotonic(), until, "the server is still there")
            time.sleep(0.02)

    def test_stop_is_clean_and_can_be_said_twice(self):
        server = ApiServer().start()
        stream = server.watch("/api/v1/pods")
        server.stop()
        stream.close()
        self.wait_for_the_end(server.directory, server.process.pid)
        server.stop()

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = ApiServer().start()
            self.addCleanup(server.stop)
            server.process.send_signal(number)
            self.assertEqual(server.process.wait(60), 0)
            self.assertFalse(os.path.exists(server.directory))
            with self.assertRaises((client.ServerDied, OSError)):
                server.control("stats")

    def test_a_client_that_dies(self):
        with subprocess.Popen([sys.executable, "-B", "-c", STARTER], cwd=client.HERE, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as starter:
            directory, pid = starter.stdout.readline().split()
            self.assertTrue(running(pid))
            starter.kill()
        self.wait_for_the_end(directory, pid)
