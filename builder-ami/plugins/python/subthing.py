#!/usr/bin/env python3
"""subthing(name, number): one thing."""

import json
import sys

name, number = json.loads(sys.stdin.readline())["arguments"]
print(json.dumps({"result": f"{name} {number}"}))
