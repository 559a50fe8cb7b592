#!/usr/bin/env bash
# A real `systemd --user` in namespaces of its own: systemd_user.sh SCENARIO BINARIES FOLDER
# Prints `KEY value` lines.
set -euo pipefail
scenario=$1 binaries=$2 folder=$3
mount -t tmpfs tmpfs /run/systemd
mkdir -p /run/systemd/system
export HOME=$folder/home XDG_RUNTIME_DIR=$folder/r
mkdir -m 700 "$XDG_RUNTIME_DIR"
PATH=$binaries:$PATH
mkdir -p "$HOME/.config/systemd/user"

# The manager says when it is up.
export NOTIFY_SOCKET=$folder/up
python3 - "$NOTIFY_SOCKET" <<'PY' &
import socket, sys
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind(sys.argv[1])
ear.settimeout(20)
while b"READY=1" not in ear.recv(4096):
    pass
PY
ear=$!
until [ -S "$NOTIFY_SOCKET" ]; do :; done
/lib/systemd/systemd --user >"$folder/systemd.log" 2>&1 &
manager=$!
unset NOTIFY_SOCKET
wait $ear
trap 'kill -9 $manager' EXIT

field() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
state() { systemctl --user is-active "$1" || true; }

case $scenario in
fresh)
    cv service install >&2
    echo "enabled $(systemctl --user is-enabled convergio.socket)"
    echo "verify [$(systemd-analyze --user verify "$HOME"/.config/systemd/user/convergio.* 2>&1)]"
    echo "active-before $(state convergio.service)"
    cv status --format json >"$folder/status"
    echo "started-by $(field started_by <"$folder/status")"
    pid=$(field pid <"$folder/status")
    echo "pid $pid"
    echo "active-after $(state convergio.service)"
    kill -9 "$pid"
    cv status --format json >"$folder/status"
    echo "pid-after-kill $(field pid <"$folder/status")"
    echo "started-by-after-kill $(field started_by <"$folder/status")"
    cv service status >&2
    cv service uninstall >&2
    echo "left-over [$(find "$HOME/.config/systemd/user" -name 'convergio*')]"
    cv status --format json >"$folder/status"
    echo "started-by-after-uninstall $(field started_by <"$folder/status")"
    cv stop >&2
    ;;
takeover)
    printf -- '--- a/a.py\n+++ b/a.py\n@@ -1 +1,2 @@\n x = 1\n+y = 2\n' | cv review >&2
    cv status --format json >"$folder/status"
    echo "started-by $(field started_by <"$folder/status")"
    pid=$(field pid <"$folder/status")
    echo "pid $pid"
    cv service install >&2
    if kill -0 "$pid" 2>/dev/null; then echo "old-gone no"; else echo "old-gone yes"; fi
    cv status --format json >"$folder/status"
    echo "started-by-after $(field started_by <"$folder/status")"
    echo "pid-after $(field pid <"$folder/status")"
    echo "runs-after $(cv runs --format json | python3 -c 'import json,sys; print(len(json.load(sys.stdin)["runs"]))')"
    cv service uninstall >&2
    ;;
esac
