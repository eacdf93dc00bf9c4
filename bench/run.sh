#!/usr/bin/env bash
# Builds cdgate and its load generators and runs the relay benchmark with them.
#
#   bench/run.sh throughput cdgate nats grpc-relay-64
#   bench/run.sh report build/bench-results.jsonl
#
# Arguments go to the benchmark's own run.sh. Environment besides that of the benchmark:
#   RELAY_BENCH    folder of the benchmark (default: ../shared/bench from the repository)
#   CDGATE_BUILD   measure this build directory instead of building build/bench
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bench=${RELAY_BENCH:-$root/../shared/bench}
[ -x "$bench/run.sh" ] || {
  echo "error: $bench has no run.sh; say where the benchmark is with RELAY_BENCH" >&2
  exit 2
}
export BENCH_ADAPTERS=$root/bench/cdgate_adapter.py
export BENCH_WORKDIR=${BENCH_WORKDIR:-$root/build/bench-work}
export BENCH_RESULTS=${BENCH_RESULTS:-$root/build/bench-results.jsonl}
export PYTHONDONTWRITEBYTECODE=1

case ${1:-help} in
  report | systems | setup | help | -h | --help) ;;
  *)
    if [ -z "${CDGATE_BUILD:-}" ]; then
      export CDGATE_BUILD=$root/build/bench
      (cd "$root" && cmake --preset bench -DCDGATE_BENCH_COMMON="$(cd "$bench" && pwd)/src" >/dev/null)
      cmake --build "$CDGATE_BUILD" --target cdgate cdgate_bench_pub cdgate_bench_sub
    fi
    ;;
esac
exec "$bench/run.sh" "$@"
