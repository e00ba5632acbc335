"""How LocalStack finds us."""

from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    name = "process"

    def load(self, *args, **kwargs):
        # LocalStack looks at plugins before it is ready to be imported from.
        from toji_executor.executor import ProcessExecutor

        return ProcessExecutor
