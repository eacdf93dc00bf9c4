# shellcheck shell=bash
# Functions of the project's shell scripts. Source it from bash:
#
#   . deploy/lib.sh
#   install_packages build test      # sections of deploy/packages.txt
#   build_preset dev                 # configures and builds build/dev
#
# Progress lines go to standard error, each with the seconds since the script began.

cdgate_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cdgate_began=${cdgate_began:-$SECONDS}

# say TEXT: one progress line.
say() { printf '[%4ds] %s\n' $((SECONDS - cdgate_began)) "$*" >&2; }

# die TEXT: says why and what to do, and ends the script.
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# packages_of SECTION...: names the packages of these sections of deploy/packages.txt.
packages_of() {
  local section arch
  arch=$(dpkg --print-architecture 2>/dev/null || true)
  for section in "$@"; do
    awk -v want="[$section]" -v arch="$arch" \
      '/^\[/ {on = ($1 == want); next} on && /^[a-z0-9]/ && ($2 == "" || $2 == arch) {print $1}' \
      "$cdgate_root/deploy/packages.txt"
  done
}

# missing_packages SECTION...: names those of them that are not installed.
missing_packages() {
  local name
  for name in $(packages_of "$@"); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
      printf '%s\n' "$name"
  done
}

# retry TRIES COMMAND...: runs it until it succeeds, waiting 5 s, 10 s, … between tries.
retry() {
  local tries=$1 try=1
  shift
  until "$@"; do
    [ "$try" -lt "$tries" ] || return 1
    say "failed, trying again in $((try * 5)) s: $*"
    sleep $((try * 5))
    try=$((try + 1))
  done
}

# as_root COMMAND...: runs it as root: directly, or through sudo without asking.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -n "$@" || sudo "$@"
  else
    return 1
  fi
}

# install_packages SECTION...: installs what is missing, and nothing where nothing is.
install_packages() {
  local missing
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null ||
    die "this machine has no apt-get; install what deploy/packages.txt lists under: $*"
  say "installing $(printf '%s\n' "$missing" | wc -l) packages (sections: $*)"
  local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
  retry 3 as_root "${quiet[@]}" update >&2 || say "the package lists could not be refreshed"
  # shellcheck disable=SC2086  # one word each
  retry 3 as_root "${quiet[@]}" install --no-install-recommends -y $missing </dev/null >/dev/null ||
    die "could not install: $(printf '%s ' $missing)— run as root or with sudo, and see the messages above"
  say "packages are installed"
}

# build_jobs: how many compilers at once: one a core, and 1.5 GB of memory for each.
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  [ "$cores" -le "$memory" ] && printf '%s\n' "$cores" || printf '%s\n' "$memory"
}

# thin_progress: passes a build's output on, but of ninja's "[done/all]" lines only one
# every ten seconds and the last.
thin_progress() {
  local line last='' shown=-100
  while IFS= read -r line; do
    case $line in
      '['*/*']'*)
        last=$line
        if [ $((SECONDS - shown)) -ge 10 ]; then
          say "${line:0:100}"
          shown=$SECONDS
          last=''
        fi
        ;;
      'ninja: Entering directory'* | 'ninja: no work to do.') ;;
      *) printf '%s\n' "$line" >&2 ;;
    esac
  done
  [ -z "$last" ] || say "${last:0:100}"
}

# build_preset PRESET [TARGET...]: configures and builds a preset of CMakePresets.json in
# build/PRESET. Keeps the log of the configuration in build/PRESET/configure.log.
build_preset() {
  local preset=$1 target targets=()
  shift
  for target in "$@"; do targets+=(--target "$target"); done
  local dir=$cdgate_root/build/$preset
  mkdir -p "$dir"
  say "configuring build/$preset"
  if ! (cd "$cdgate_root" && cmake --preset "$preset") >"$dir/configure.log" 2>&1; then
    tail -n 30 "$dir/configure.log" >&2
    return 1
  fi
  say "building build/$preset${*:+: $*}"
  NINJA_STATUS='[%f/%t] ' cmake --build "$dir" -j "$(build_jobs)" \
    ${targets[@]+"${targets[@]}"} 2>&1 | thin_progress
  [ "${PIPESTATUS[0]}" = 0 ] || return 1
  say "build/$preset is built"
}
