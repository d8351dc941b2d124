# shellcheck shell=bash
# Sourced by the suites: runs cases with a time limit and tells how each ended.
#
# A suite defines functions, calls `begin "$@"` with its arguments (the mounted directory), then
#   check NAME FUNCTION [ARGS]     each in a bash of its own with -eu, in a folder of its own
#   finish                         removes what is left and exits with 1 when a case failed
# CASE_LIMIT is the seconds that one case may take (default 120); ONLY, if set, is a pattern for the cases to run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export here
export suite_cache=${PAILFS_TEST_CACHE:-$HOME/.cache/pailfs-test}
passed=0 failed=0

begin() {
  if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    echo "usage: $0 MOUNTED-DIRECTORY" >&2
    exit 2
  fi
  suite=$(basename "$0")
  top=$(cd "$1" && pwd)
  work=$top/suite-$suite-$$
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/pailfs-suite.XXXXXX")
  export scratch work top
  mkdir "$work"
  trap 'rm -rf "$scratch" "$work"' EXIT
  trap 'exit 143' TERM INT
}

# Ends the suite unless all these programs are there.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || {
      echo "$suite: $program is not installed" >&2
      exit 2
    }
  done
}

check() {
  local name=$1 code=0 started=$SECONDS
  shift
  [[ -z ${ONLY:-} || $name =~ $ONLY ]] || return 0
  export -f "${1?}"
  # shellcheck disable=SC2016 # expanded by the inner shell
  timeout --kill-after=10 "${CASE_LIMIT:-120}" bash -euo pipefail -c '
    mkdir "$work/$1"; cd "$work/$1"; shift; "$@"
  ' _ "$name" "$@" >"$scratch/log" 2>&1 </dev/null || code=$?
  if [ $code -eq 0 ]; then
    passed=$((passed + 1))
    echo "pass $suite/$name ($((SECONDS - started)) s)"
  else
    failed=$((failed + 1))
    [ $code -ne 124 ] || echo "took longer than ${CASE_LIMIT:-120} s" >>"$scratch/log"
    echo "FAIL $suite/$name (exit $code)"
    tail -n "${LOG_LINES:-15}" "$scratch/log" | sed 's/^/     /'
  fi
  rm -rf "${work:?}/$name" "${scratch:?}"/*
}

finish() {
  echo "$suite: $passed passed, $failed failed"
  [ $failed -eq 0 ]
  exit
}

# A difference is a failure that names both sides.
same() {
  [ "$1" = "$2" ] || {
    echo "expected: $2"
    echo "got:      $1"
    return 1
  }
}
export -f same
