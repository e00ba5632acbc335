# shellcheck shell=bash
# shellcheck disable=SC2034,SC2317  # names and functions for the scripts that source this
# Sourced by every script in this folder: where things lie, how we speak, and how
# background processes are started, found again and stopped.
set -Eeuo pipefail
trap 'printf "error: %s, line %s: a command failed\n" "${0##*/}" "$LINENO" >&2' ERR

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
BIN=$ROOT/localstack/bin
LOCAL=$ROOT/.local            # data, caches and virtual environments; never committed
RUN=$ROOT/localstack/.run     # what is running now: pid files, logs, env, koji.conf
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export ROOT

say() { printf '%s\n' "· $*" >&2; }
die() { printf '%s\n' "error: $*" >&2; exit 1; }

# Only one script at a time may start or stop things. The lock is on descriptor 9, which
# daemons close (see `daemon`), so it ends with the script.
lock() {
    mkdir -p "$LOCAL" "$RUN"
    exec 9>"$LOCAL/lock"
    flock -n 9 || { say "another make is starting or stopping things here: waiting for it"; flock 9; }
}

# wait_until SECONDS COMMAND...: polls COMMAND until it succeeds; fails when time is up.
wait_until() {
    local end=$((SECONDS + $1)); shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# ── ports ────────────────────────────────────────────────────────────────────────────────

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port NAME: a port of 127.0.0.1 for NAME, chosen once and remembered. Call it only while
# NAME is not running: a remembered port that somebody else has taken since is replaced.
# Below 32768 the kernel hands out none to outgoing connections.
port() {
    local file=$LOCAL/ports/$1 port
    mkdir -p "$LOCAL/ports"
    port=$(cat "$file" 2>/dev/null || true)
    if [ -n "$port" ] && port_taken "$port"; then
        say "port $port of $1 is taken by another process: choosing a new one"
        port=
    fi
    while [ -z "$port" ] || port_taken "$port"; do port=$((20000 + SRANDOM % 12000)); done
    echo "$port" >"$file"
    echo "$port"
}

# ── processes ────────────────────────────────────────────────────────────────────────────

# Every daemon carries this mark in its environment, and so do its children. That, not the number
# in a pid file, says that a process is ours: after a reboot the number may be anybody's.
MARK=$RUN:main
is_ours() { grep -qzxF "TOJI_RUN_MARK=$MARK" "/proc/$1/environ" 2>/dev/null; }

# alive NAME: prints the pid of our running NAME, fails when it does not run.
alive() {
    local pid
    pid=$(cat "$RUN/$1.pid" 2>/dev/null) && [ -n "$pid" ] && is_ours "$pid" && echo "$pid"
}

# daemon NAME COMMAND...: starts COMMAND in a session of its own, with $RUN/NAME.{pid,log}.
daemon() {
    local name=$1; shift
    [ ! -s "$RUN/$name.log" ] || mv "$RUN/$name.log" "$RUN/$name.log.old"
    TOJI_RUN_MARK=$MARK setsid "$@" </dev/null >"$RUN/$name.log" 2>&1 9>&- &
    echo $! >"$RUN/$name.pid"
}

# await NAME SECONDS COMMAND...: until COMMAND succeeds; NAME's death, or the time, ends it.
await() {
    local name=$1 seconds=$2; shift 2
    healthy_or_dead() { "$@" || ! alive "$name" >/dev/null; }
    if ! wait_until "$seconds" healthy_or_dead "$@" || ! alive "$name" >/dev/null; then
        tail -n 20 "$RUN/$name.log" >&2
        die "$name did not start; its log is $RUN/$name.log"
    fi
}

gone() { [ ! -e "/proc/$1" ] || [ -z "$(tr -d '\0' <"/proc/$1/cmdline" 2>/dev/null)" ]; }

# stop NAME SECONDS: SIGTERM, and SIGKILL when it is still there after SECONDS.
stop() {
    local pid
    if pid=$(alive "$1"); then
        kill -TERM "$pid" 2>/dev/null || true
        wait_until "$2" gone "$pid" || { say "$1 did not stop in $2 s: killing it"; kill -KILL "$pid" || true; }
    fi
    rm -f "$RUN/$1.pid"
}

# Ends whatever a killed daemon left behind: children still carry the mark.
sweep() {
    local proc
    for proc in /proc/[0-9]*; do
        if is_ours "${proc#/proc/}"; then kill -KILL "${proc#/proc/}" 2>/dev/null || true; fi
    done
}

# ── rights ───────────────────────────────────────────────────────────────────────────────

# rooted COMMAND...: runs COMMAND as root, or as root of a user namespace of its own where we
# are nobody special: enough for chroots whose files have several owners.
ROOTED=()
[ "$(id -u)" = 0 ] || ROOTED=(unshare --map-auto --map-root-user)
rooted() { "${ROOTED[@]}" "$@"; }

# secret NAME: a random secret, made once, readable by nobody else.
secret() {
    local file=$LOCAL/secrets/$1
    if [ ! -s "$file" ]; then
        (umask 077; mkdir -p "$LOCAL/secrets"; head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$file")
    fi
    cat "$file"
}
