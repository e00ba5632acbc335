"""One execution environment of a function, as LocalStack asks for it."""

import json
import logging
import os
import queue
import time

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from toji_executor.process import Process
from toji_executor.runtime_api import ERROR, EXIT, INIT_ERROR, NEXT, RESPONSE

LOG = logging.getLogger(__name__)


class ProcessExecutor(RuntimeExecutor):
    def __init__(self, id, function_version):
        super().__init__(id, function_version)
        self.process = None
        self.environment = {}
        self.stopped = False
        self.begun = time.monotonic()  # the invocation

    def start(self, env_vars):
        self.environment = {key: str(value) for key, value in env_vars.items() if value is not None}
        self._start_process()

    def _start_process(self):
        """Returns when the process asks for its first invocation."""
        started = time.monotonic()
        name = self.function_version.id.function_name
        code = str(self.function_version.config.code.get_unzipped_code_location())
        self.process = Process(name, code, self.environment)
        # LocalStack's own limit for a start calls stop(), which ends this wait.
        kind, _, body = self.process.next_event()
        if kind != NEXT:
            self.process.kill()
            what = "reported" if kind == INIT_ERROR else "exited with"
            raise RuntimeError(f"{name} did not start: it {what} {body.decode(errors='replace')}\n{self.get_logs()}")
        LOG.info("[%s] cold start: %.0f ms", name, (time.monotonic() - started) * 1000)

    def invoke(self, payload):
        request_id = payload["invoke-id"]
        self.begun = time.monotonic()
        if not self.process.is_alive() and not self.stopped:
            # Lambda, too, starts a process that has died anew within its environment.
            self.process.kill()
            try:
                self._start_process()
            except RuntimeError as error:
                return self._failure(request_id, "Runtime.ExitError", str(error))
        limit = self.function_version.config.timeout
        deadline = time.monotonic() + limit
        self.process.api.invocations.put((self._headers(payload, limit), payload["payload"].encode()))
        while True:
            try:
                kind, answered, body = self.process.next_event(max(0, deadline - time.monotonic()))
            except queue.Empty:
                self.process.kill()
                return self._failure(request_id, "Sandbox.Timedout", f"Task timed out after {limit}.00 seconds")
            if kind == EXIT:
                text = f"Runtime exited with status {body.decode()}"
                return self._failure(request_id, "Runtime.ExitError", text)
            if kind in (RESPONSE, ERROR) and answered == request_id:
                return self._result(request_id, body, kind == ERROR)

    def _headers(self, payload, limit):
        return [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", payload["invoke-id"]),
            ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + limit) * 1000))),
            ("Lambda-Runtime-Invoked-Function-Arn", payload.get("invoked-function-arn") or ""),
            ("Lambda-Runtime-Trace-Id", payload.get("trace-id") or ""),
        ]

    def _failure(self, request_id, kind, message):
        text = json.dumps({"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"})
        return self._result(request_id, text.encode(), True)

    def _result(self, request_id, body, is_error):
        took = (time.monotonic() - self.begun) * 1000
        log = (
            f"START RequestId: {request_id} Version: {self.function_version.id.qualifier}\n{self.process.take_log()}"
            f"END RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: {took:.2f} ms\n"
        )
        return InvocationResult(request_id, body, is_error, log)

    def stop(self):
        self.stopped = True
        if self.process:
            self.process.kill()

    def get_logs(self):
        return "".join(self.process.lines) if self.process else ""

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}"

    @classmethod
    def prepare_version(cls, function_version):
        """Unpacks the code; an error here makes the function `Failed`, with this text."""
        code = function_version.config.code
        if code is None:
            raise ValueError("only zip packages can be run: no images")
        code.prepare_for_execution()
        bootstrap = os.path.join(str(code.get_unzipped_code_location()), "bootstrap")
        if not os.path.isfile(bootstrap):
            raise ValueError("the package has no file `bootstrap`: only the provided.* runtimes can be run")
        os.chmod(bootstrap, 0o755)

    @classmethod
    def cleanup_version(cls, function_version):
        """LocalStack deletes the code itself."""
