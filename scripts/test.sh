#!/usr/bin/env bash
# Runs every check in turn, goes on after a failed one, and ends with one line: "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
# Nobody reads the debug information of a CI build, and without it the links are much quicker.
[ -n "${CI:-}" ] && export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0
failures=()

# check NAME COMMAND...: runs the command, counts it as one test.
check() {
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
    echo "-- $name: ok, $((SECONDS - start)) s"
  else
    failed=$((failed + 1))
    failures+=("$name")
    echo "-- $name: FAILED after $((SECONDS - start)) s"
  fi
}

# All tests of the workspace; each counts by itself.
run_tests() {
  # The programs too, for the tests that start them: all targets in one build share everything below them.
  cargo build --workspace --all-targets || return 1
  RPORT_BIN_DIR=$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd)
  # Most tests wait for processes and deadlines rather than for the processor.
  export RPORT_BIN_DIR RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
  timeout --kill-after=10 1800 cargo test --workspace --no-fail-fast -- --skip heavy:: 2>&1 | tee "$log"
  local status=${PIPESTATUS[0]}
  # These need the machine for themselves.
  timeout --kill-after=10 1200 cargo test -p rport-testkit --test it -- heavy:: --test-threads 1 2>&1 | tee -a "$log"
  local heavy=${PIPESTATUS[0]}
  [ "$status" -eq 0 ] && status=$heavy
  local counts
  counts=$(awk '/^test result:/ { ok += $4; bad += $6 } END { print ok + 0, bad + 0 }' "$log")
  passed=$((passed + ${counts% *} - (status == 0 ? 1 : 0)))
  failed=$((failed + ${counts#* }))
  [ "$status" -eq 124 ] && echo "The tests did not end in time."
  [ "${counts% *}" -gt 0 ] || { echo "No test ran."; return 1; }
  return "$status"
}

check "format" cargo fmt --all --check
check "shell scripts" shellcheck --severity=warning .ci/run scripts/*.sh
check "licences, sources, bans" scripts/deny.sh
# Before anything is compiled: the program embeds it.
check "web interface: build" scripts/ui.sh build
check "web interface: lints and unit tests" scripts/ui.sh check
check "clippy" cargo clippy --workspace --all-targets -- -D warnings
check "tests" run_tests
check "API contract" scripts/contract.sh
check "web interface in a browser" scripts/ui.sh e2e
check "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

for name in "${failures[@]}"; do
  echo "failed: $name"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
