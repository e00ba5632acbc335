"""One run of a function's `bootstrap`."""

import logging
import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

from toji_executor import runtime_api

LOG = logging.getLogger(__name__)

# The kernel ends a child when the *thread* that started it ends, so all are started by one that never does.
STARTER = ThreadPoolExecutor(1, thread_name_prefix="toji-starter")

# Ours, to be found by who cleans up after a LocalStack that was killed.
INHERITED = ("PATH", "TOJI_RUN_MARK")


class Process:
    """A started `bootstrap`, in a process group of its own that ends with LocalStack."""

    def __init__(self, name, code, environment):
        self.name = name
        self.api = runtime_api.RuntimeApi()
        self.lines = []
        own = {key: os.environ[key] for key in INHERITED if key in os.environ}
        env = own | environment | {"AWS_LAMBDA_RUNTIME_API": self.api.address, "LAMBDA_TASK_ROOT": code}
        command = ["setpriv", "--pdeathsig", "KILL", "--", os.path.join(code, "bootstrap")]
        self.process = STARTER.submit(
            subprocess.Popen, command, cwd=code, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        ).result()  # fmt: skip
        threading.Thread(target=self._watch, daemon=True, name=f"toji-watch-{name}").start()

    def _watch(self):
        for line in self.process.stdout:
            self.lines.append(line)
            LOG.info("[%s] %s", self.name, line.rstrip())
        status = self.process.wait()
        self.api.events.put((runtime_api.EXIT, None, str(status).encode()))

    def is_alive(self):
        return self.process.poll() is None

    def next_event(self, timeout=None):
        """What the process did next; raises queue.Empty when that took longer than `timeout` seconds."""
        return self.api.events.get(timeout=timeout)

    def take_log(self):
        """What it has written since the last time."""
        lines, self.lines = self.lines, []
        return "".join(lines)

    def kill(self):
        """Ends it and whatever it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.api.close()
