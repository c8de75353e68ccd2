# shellcheck shell=sh
# Sourced by the commands of the simulated dom0. Each passes named points, at which a test can hold it, end all of
# the request (as a power cut would), or make it fail with recorded words.
#
#   FAKE_XEN/points         the points that were passed, one a line
#   FAKE_XEN/kill-at        a number: at this point everything of the request is killed, or at the one after it when
#                           two commands come by at once
#   FAKE_XEN/hold/POINT     a FIFO: whoever comes by waits until somebody writes to it
#   FAKE_XEN/fail/POINT     an exit code in the first line, then what is said on standard error

point() {
  printf '%s\n' "$1" >>"$FAKE_XEN/points"
  if [ -e "$FAKE_XEN/kill-at" ]; then
    read -r kill_at <"$FAKE_XEN/kill-at"
    passed=0
    while read -r _; do
      passed=$((passed + 1))
    done <"$FAKE_XEN/points"
    if [ "$passed" -ge "$kill_at" ]; then
      # Xen does nothing by halves, so whoever changes it now does that to its end; if that is who called, we have its lock.
      [ -e "/proc/$$/fd/6" ] || {
        exec 6>>"$FAKE_XEN/lock"
        flock 6
      }
      kill -9 0
    fi
  fi
  if [ -p "$FAKE_XEN/hold/$1" ]; then
    # Opened for both, which waits for nobody: who is told of it finds somebody who reads.
    {
      {
        : >"$FAKE_XEN/held-$1"
        read -r _
      } <>"$FAKE_XEN/hold/$1"
    } 2>/dev/null
  fi
  if [ -e "$FAKE_XEN/fail/$1" ]; then
    {
      read -r status
      while IFS= read -r line; do
        printf '%s\n' "$line" >&2
      done
    } <"$FAKE_XEN/fail/$1"
    exit "$status"
  fi
}
