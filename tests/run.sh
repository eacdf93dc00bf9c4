#!/usr/bin/env bash
# Builds and tests the project. The last line is the summary alone:
#
#   N passed, N failed[, N skipped]
#
# and the exit status is 0 exactly where nothing failed. Works from a fresh clone on a
# bare Debian 12, as root or with sudo; writes nothing outside the repository.
#
#   tests/run.sh                  tier 1: everything but what follows
#   tests/run.sh --tier 2         sanitizers, clang with -Wthread-safety, fuzzers, mutants
#   tests/run.sh --tier 3         chaos, scale, benchmarks
#   tests/run.sh --tests REGEX    of the tier, only tests whose name matches
#   tests/run.sh --no-install     does not call apt
#   tests/run.sh --fuzz-seconds N time for each fuzzer of tier 2, default 60
#   tests/run.sh --mutants N      how many of tier 2 (tests/mutants.py), default 30
set -u
cd "$(dirname "$0")/.." || exit 1
. deploy/lib.sh

tier=1 install=yes fuzz_seconds=60 mutants=30 only=.
while [ $# -gt 0 ]; do
  case $1 in
    --tier) tier=${2-} && shift ;;
    --tests) only=${2-} && shift ;;
    --fuzz-seconds) fuzz_seconds=${2-} && shift ;;
    --mutants) mutants=${2-} && shift ;;
    --no-install) install=no ;;
    -h | --help) sed -n '2,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0" && exit 0 ;;
    *) die "unknown argument $1; see tests/run.sh --help" ;;
  esac
  shift
done
case $tier in 1 | 2 | 3) ;; *) die "there is no tier '$tier'; tiers are 1, 2 and 3" ;; esac

results=build/results
# Nothing of theirs is about threads, but ThreadSanitizer cannot run them. protobuf's headers
# give a map other members under it, which Debian's library does not know: the first four
# make events by reflection, or with a tool that does. The last one's fake gateway is gRPC's
# synchronous server, whose locks are not seen.
not_under_tsan='^(message_reader_test|message_writer_test|e2e_bad_input|e2e_certificate|cli_daemon_verbs_test)$'
faults=()  # what failed outside a test: a build, a fuzzer

# fail TEXT: records a failure that no test stands for.
fail() {
  say "FAILED: $*"
  faults+=("$*")
}

# run_tests PRESET [ctest arguments]: runs tests of build/PRESET; ctest leaves a report for
# the summary.
run_tests() {
  local preset=$1
  shift
  mkdir -p "$results/$preset"
  say "testing build/$preset"
  ctest --test-dir "build/$preset" -j2 --output-on-failure \
    --tests-regex "$only" --output-junit "$PWD/$results/$preset.ctest.xml" "$@" |
    grep -Ev '^(Internal ctest|Test project|Label Time|[a-z]+ +=)|^ +Start +[0-9]+:|^$' >&2
  [ -f "$results/$preset.ctest.xml" ] || fail "ctest did not run in build/$preset"
}

# build_and_test PRESET [ctest arguments]
build_and_test() {
  if build_preset "$1"; then
    run_tests "$@"
  else
    fail "build/$1 does not build"
  fi
}

tier_1() { build_and_test dev --label-exclude '^(chaos|scale|bench)$'; }

tier_2() {
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
  export UBSAN_OPTIONS=print_stacktrace=1
  export LSAN_OPTIONS="suppressions=$PWD/tests/support/lsan.supp print_suppressions=0"
  # A long history: what suppressions name may be far behind by the time it counts.
  export TSAN_OPTIONS="second_deadlock_stack=1 history_size=7 suppressions=$PWD/tests/support/tsan.supp"
  build_and_test asan --label-regex '^(unit|fuzz|e2e)$'
  build_and_test tsan --label-regex '^(unit|e2e)$' --exclude-regex "$not_under_tsan"
  build_and_test clang --label-regex '^unit$'
  fuzz
  python3 tests/mutants.py --count "$mutants" >&2 || fail "tests do not notice enough mutants"
}

# Every fuzzer for a bounded time, from its corpus; what it finds that is new stays in
# build/fuzz/corpus.
fuzz() {
  build_preset fuzz fuzzers || { fail "build/fuzz does not build" && return; }
  local fuzzer name seeds
  while IFS= read -r fuzzer; do
    name=$(basename "$fuzzer")
    seeds=$(dirname "${fuzzer#build/fuzz/}")/corpus/${name%_fuzzer}
    [ -d "$seeds" ] || seeds=$(dirname "${fuzzer#build/fuzz/}")/corpus
    mkdir -p "build/fuzz/corpus/$name"
    say "fuzzing with $name for $fuzz_seconds s"
    if ! "$fuzzer" -max_total_time="$fuzz_seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=0 \
      -artifact_prefix="build/fuzz/$name." "build/fuzz/corpus/$name" "$seeds" \
      >"build/fuzz/$name.log" 2>&1; then
      tail -n 40 "build/fuzz/$name.log" >&2
      fail "$name found something: build/fuzz/$name.*"
    fi
  done < <(find build/fuzz/tests -name '*_fuzzer' -type f | grep -E "$only" | sort)
}

tier_3() { build_and_test dev --label-regex '^(chaos|scale|bench)$' --no-tests=error; }

if [ "$install" = yes ]; then
  case $tier in
    1) install_packages build test ;;
    2) install_packages build test extra ;;
    3) install_packages build test bench acceptance ;;
  esac
fi
rm -rf "$results"
mkdir -p "$results"
"tier_$tier"
say "summary of tier $tier"
python3 tests/support/summary.py "$results" ${faults[@]+"${faults[@]}"}
