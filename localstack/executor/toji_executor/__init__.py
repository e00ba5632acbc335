"""Runs LocalStack's Lambda functions (provided.* runtimes) as plain local processes: no Docker.

- plugin: how LocalStack finds us, by LAMBDA_RUNTIME_EXECUTOR=process
- executor: one execution environment: starts its process, again after it died, and ends it when its time is up
- process: one run of a function's `bootstrap`
- runtime_api: the HTTP interface through which that process takes invocations

What it does not do: layers, extensions, streamed answers, limits of memory or of the file system.
"""
