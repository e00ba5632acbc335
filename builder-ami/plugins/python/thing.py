#!/usr/bin/env python3
"""thing(name, count=2): makes so many things, each as a subtask, and a file with all of them."""

import json
import sys


def say(**message):
    print(json.dumps(message), flush=True)


def ask(**message):
    say(**message)
    return json.loads(sys.stdin.readline())


def main(name, count=2):
    # Should this be the second attempt, the label finds the subtask of the first.
    subtasks = [
        ask(subtask={"method": "subthing", "arguments": [name, n], "label": f"thing {n}"})["subtask"]
        for n in range(1, count + 1)
    ]
    say(progress=f"waiting for {count} things")
    # While it waits, the task weighs nothing. One that fails fails this one, too.
    things = [ended["result"] for ended in ask(wait=subtasks)["results"]]
    with open("things.txt", "w", encoding="utf-8") as file:
        file.writelines(thing + "\n" for thing in things)
    ask(upload="things.txt")
    print("all is done", file=sys.stderr)  # for the log: thing.log
    say(result={"things": things, "file": "things.txt"})


task = json.loads(sys.stdin.readline())
try:
    main(*task["arguments"], **task["named"])
except TypeError as error:
    say(error=f"thing takes a name, and how many there are to be: thing(name, count=2): {error}")
