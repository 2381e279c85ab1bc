#!/bin/sh
# Lists or ends the commands of one SSH connection. Runs on the remote host as `sh -s`.
#
#   list          one line "PID START" for each other command of the connection this runs on
#   end PID SIG   send SIG to every process of the session that PID leads
#
# sshd starts each command as a session leader, and the leaders of one connection have one sshd as parent.
# It starts no process of its own: a host may have thousands, and each would be looked at with a fork.
set -eu

# Sets parent, session and start of process $1; fails if it has ended.
look_at() {
    # A process may end between the listing and here; then there is no file.
    { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # What follows the name, which may hold blanks and parentheses: state, parent, group, session, …
    # shellcheck disable=SC2086
    set -- ${line##*) }
    parent=$2 session=$4
    shift 19
    start=$1
}

if [ ! -r "/proc/$$/stat" ]; then
    echo "this host has no /proc" >&2
    exit 3
fi

case $1 in
    list)
        look_at $$
        leader=$session
        look_at "$leader"
        daemon=$parent
        for directory in /proc/[0-9]*; do
            pid=${directory#/proc/}
            look_at "$pid" || continue
            if [ "$parent" = "$daemon" ] && [ "$session" = "$pid" ] && [ "$pid" != "$leader" ]; then
                echo "$pid $start"
            fi
        done
        ;;
    end)
        for directory in /proc/[0-9]*; do
            pid=${directory#/proc/}
            look_at "$pid" || continue
            if [ "$session" = "$2" ]; then
                # It may have ended since; what counts is that it is gone.
                kill -s "$3" "$pid" 2>/dev/null || continue
            fi
        done
        ;;
    *)
        echo "usage: sessions.sh list | end PID SIGNAL" >&2
        exit 2
        ;;
esac
