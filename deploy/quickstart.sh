#!/usr/bin/env bash
# Two domains on this machine, from nothing: builds cdgate, makes alpha.example and
# beta.example with a CA each, starts a gateway for each, peers them, lets artifact,
# service and change events cross from alpha to beta, publishes events in alpha and shows
# what arrives in beta, and why. Leaves both gateways running.
#
#   deploy/quickstart.sh                     all of it, in build/quickstart
#   deploy/quickstart.sh --stop              ends both gateways; their data stays
#   deploy/quickstart.sh --start alpha|beta  starts one again on its data
#
# For scripts, the domains alone, from an existing binary and without events:
#
#   deploy/quickstart.sh --dir DIR --no-build [--cdgate BINARY] [--peer-via HOST:PORT] [--show]
#                        [--no-attestor]
#
# leaves DIR/{alpha,beta}/{gateway.yaml,gateway.pid,gateway.log,ca,identity,data}, where
# identity has the folders gateway, admin, publisher and subscriber, each for --identity, and
# attestor, by which the gateway signs what it says of events;
# and DIR/env.sh, which sets CDGATE_ALPHA and CDGATE_BETA to the addresses of the APIs.
# With --peer-via, beta dials alpha at that address; with --show, events are published and
# shown as well; with --no-attestor, the gateways sign nothing. Running it again changes nothing
# that is there already.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "$0")/lib.sh"

dir=$cdgate_root/build/quickstart cdgate='' build=yes show=yes action=run only='' peer_via='' attestor=yes
while [ $# -gt 0 ]; do
  case $1 in
    --dir | --cdgate | --start | --peer-via)
      [ $# -ge 2 ] || die "$1 needs a value; see deploy/quickstart.sh --help"
      case $1 in
        --dir) dir=$2 ;;
        --cdgate) cdgate=$2 ;;
        --start) action=start only=$2 ;;
        --peer-via) peer_via=$2 ;;
      esac
      shift
      ;;
    --no-build) build=no show=no ;;
    --show) show=yes ;;
    --no-attestor) attestor=no ;;
    --stop) action=stop ;;
    -h | --help) sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "$0" && exit 0 ;;
    *) die "unknown argument $1; see deploy/quickstart.sh --help" ;;
  esac
  shift
done
case $only in '' | alpha | beta) ;; *) die "there is no domain '$only'; they are alpha and beta" ;; esac
cdgate=${cdgate:-$cdgate_root/build/release/gateway/cmd/cdgate}

# --- one gateway

# value_of DOMAIN LISTENER: its address, as gateway.yaml says.
value_of() { sed -n "s/^  $2: \"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" "$dir/$1/gateway.yaml"; }

# socket_of DOMAIN: its Unix socket, by default in its data; elsewhere where that path would
# be longer than a socket's may be.
socket_of() {
  if [ ${#dir} -le 85 ]; then
    printf '%s\n' "$dir/$1/data/local.sock"
  else
    printf '%s/cdgate-%s-%s/%s.sock\n' "${TMPDIR:-/tmp}" "$(id -u)" "$(printf '%s' "$dir" | cksum | cut -d' ' -f1)" "$1"
  fi
}

# pid_of DOMAIN: of its gateway, where that runs.
pid_of() {
  local pid
  pid=$(cat "$dir/$1/gateway.pid" 2>/dev/null) || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "serve --config $dir/$1/gateway.yaml" || return 1
  printf '%s\n' "$pid"
}

# port_taken PORT: somebody listens on it.
port_taken() {
  local hex
  hex=$(printf ':%04X' "$1")
  awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port {found = 1} END {exit !found}' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# free_port: below the range that outgoing connections take theirs from, so that it is
# still free when the gateway starts again.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000))
    port_taken "$port" || { printf '%s\n' "$port" && return; }
  done
  die "no free port between 20000 and 32000"
}

# write_config DOMAIN
write_config() {
  local home=$dir/$1 sockets
  sockets=$(dirname "$(socket_of "$1")")
  mkdir -p "$sockets"
  chmod 0700 "$sockets"
  {
    cat <<YAML
domain: $1.example
instance: gw1
data_dir: $home/data
identity:
  certificate: $home/identity/gateway/tls.crt
  key: $home/identity/gateway/tls.key
  bundle: $home/identity/gateway/bundle.pem
  renewal:
    ca: $home/ca
YAML
    [ "$attestor" = no ] || cat <<YAML
attestor:
  certificate: $home/identity/attestor/tls.crt
  key: $home/identity/attestor/tls.key
  renewal:
    ca: $home/ca
YAML
    cat <<YAML
listeners:
  peers: 127.0.0.1:$(free_port)
  api: 127.0.0.1:$(free_port)
  enrolment: 127.0.0.1:$(free_port)
  ingress: 127.0.0.1:$(free_port)
  ops: 127.0.0.1:$(free_port)
  local: $(socket_of "$1")
YAML
    [ "$1" != alpha ] || [ -z "$peer_via" ] || printf 'advertise:\n  peers: %s\n' "$peer_via"
  } >"$home/gateway.yaml"
}

# serves DOMAIN: its gateway answers, on the socket and on the API.
serves() {
  local api
  api=$(value_of "$1" api)
  "$cdgate" status --gateway "unix:$(socket_of "$1")" >/dev/null 2>&1 &&
    (exec 3<>"/dev/tcp/${api%:*}/${api##*:}") 2>/dev/null
}

# start_gateway DOMAIN: returns when it serves; fails where it ends instead.
start_gateway() {
  local home=$dir/$1 pid tries
  if pid_of "$1" >/dev/null; then return; fi
  setsid "$cdgate" serve --config "$home/gateway.yaml" </dev/null >>"$home/gateway.log" 2>&1 &
  pid=$!
  disown "$pid"
  printf '%s\n' "$pid" >"$home/gateway.pid"
  for ((tries = 0; tries < 600; tries++)); do
    if serves "$1"; then
      say "gateway of $1.example serves (process $pid, log $home/gateway.log)"
      return
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$home/gateway.log" >&2
  return 1
}

# stop_gateway DOMAIN: ends it in good order; by force after 20 s.
stop_gateway() {
  local pid tries
  pid=$(pid_of "$1") || return 0
  kill -TERM "$pid"
  for ((tries = 0; tries < 200; tries++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$pid" 2>/dev/null; then kill -KILL "$pid"; fi
  say "gateway of $1.example has ended"
}

# --- one domain

# quiet COMMAND...: runs it and shows what it said only where it fails.
quiet() {
  local output
  output=$("$@" 2>&1) || die "$(printf '%s\n' "$output" "failed: $*")"
}

# make_identities DOMAIN: its CA, and the certificates that are not there yet.
make_identities() {
  local home=$dir/$1 name
  [ -e "$home/ca/ca.key" ] || quiet "$cdgate" ca init "$1.example" --ca "$home/ca"
  for name in gateway/gw1 attestor/gw1 user/admin service/publisher service/subscriber; do
    local folder=${name#*/}
    # The gateway renews its own two, the others live as long as somebody tries this out.
    local names=(--valid 30d)
    case $name in
      gateway/*) folder=gateway names=(--dns localhost --ip 127.0.0.1) ;;
      attestor/*) folder=attestor names=() ;;
    esac
    if [ "$folder" = attestor ] && [ "$attestor" = no ]; then continue; fi
    [ -e "$home/identity/$folder/bundle.pem" ] ||
      quiet "$cdgate" cert issue "$name" --ca "$home/ca" --out "$home/identity/$folder" ${names[@]+"${names[@]}"}
  done
}

# write_grants DOMAIN
write_grants() {
  local role name
  {
    for role in OPERATOR POLICY_AUTHOR AUDITOR; do
      name=$(printf '%s' "$role" | tr 'A-Z_' 'a-z-')
      printf -- '---\nkind: grant\nname: admin-%s\nprincipal: spiffe://%s.example/user/admin\nrole: %s\n' \
        "$name" "$1" "$role"
    done
    cat <<YAML
---
kind: grant
name: publisher
principal: spiffe://$1.example/service/publisher
role: PUBLISHER
sources: ["/$1/%", "/event/source/%"]
plane: integration-delivery
---
kind: grant
name: subscriber
principal: spiffe://$1.example/service/subscriber
role: SUBSCRIBER
YAML
  } >"$dir/$1/grants.yaml"
}

# set_up DOMAIN: identities, configuration, a running gateway, grants.
set_up() {
  local home=$dir/$1 try
  mkdir -p "$home"
  chmod 0700 "$home"
  make_identities "$1"
  [ -e "$home/gateway.yaml" ] || write_config "$1"
  for try in 1 2 3; do
    if start_gateway "$1"; then break; fi
    # Another process may have taken a port meanwhile: only before peers know it.
    if [ "$try" = 3 ] || [ -e "$dir/env.sh" ]; then
      die "the gateway of $1.example does not start; see $home/gateway.log"
    fi
    write_config "$1"
  done
  # The first rights come through the Unix socket, which only root and its owner can use.
  write_grants "$1"
  quiet "$cdgate" apply -f "$home/grants.yaml" --gateway "unix:$(socket_of "$1")"
}

# admin DOMAIN ARGUMENTS...: the command line, as the domain's administrator.
admin() {
  local domain=$1
  shift
  "$cdgate" "$@" --gateway "$(value_of "$domain" api)" --identity "$dir/$domain/identity/admin"
}

# --- both

# peer_domains: invite, accept, approve on both sides.
peer_domains() {
  local token
  if ! admin alpha peer show beta.example >/dev/null 2>&1; then
    token=$(admin alpha peer invite --domain beta.example --purpose 'quickstart' 2>/dev/null)
    quiet admin beta peer accept "$token" --purpose 'quickstart'
  fi
  quiet admin alpha peer approve beta.example
  quiet admin beta peer approve alpha.example
}

write_policies() {
  cat >"$dir/alpha/policy.yaml" <<'YAML'
kind: policy
peer: beta.example
export:
  rules:
    - name: releases
      when: SUBJECT_TYPE() IN ('artifact', 'service', 'change')
      action: ALLOW
      links: KEEP
  reasons_to_peer: CODE
YAML
  cat >"$dir/beta/policy.yaml" <<'YAML'
kind: policy
peer: alpha.example
import:
  rules:
    - name: releases
      when: ORIGIN() = 'alpha.example' AND SUBJECT_TYPE() IN ('artifact', 'service', 'change')
      action: ALLOW
YAML
}

apply_policies() {
  write_policies
  admin alpha policy show beta.example >/dev/null 2>&1 ||
    quiet admin alpha policy apply "$dir/alpha/policy.yaml" --unplanned
  admin beta policy show alpha.example >/dev/null 2>&1 ||
    quiet admin beta policy apply "$dir/beta/policy.yaml" --unplanned
}

write_environment() {
  cat >"$dir/env.sh" <<SH
export CDGATE_ALPHA="$(value_of alpha api)"
export CDGATE_BETA="$(value_of beta api)"
export PATH="$(dirname "$cdgate"):\$PATH"
SH
}

set_up_domains() {
  mkdir -p "$dir"
  say "setting up alpha.example and beta.example in $dir"
  set_up alpha
  set_up beta
  peer_domains
  apply_policies
  write_environment
  say "alpha.example and beta.example are peered; beta gets alpha's artifact, service and change events"
}

# --- the show

# shown COMMAND...: prints it as one would type it, and runs it.
shown() {
  local text=" $*"
  text=${text// $cdgate/ cdgate}
  printf '\n$%s\n' "${text//$dir\//}"
  "$@"
}

# events: the files to publish: the official ones where they are at hand.
events() {
  local official=${CDGATE_TEST_DATA:-$cdgate_root/../shared/data}/cdevents/v0.5.1/conformance
  if [ -d "$official" ]; then
    printf '%s\n' "$official"/*.json
  else
    printf '%s\n' "$cdgate_root"/deploy/samples/*.json
  fi
}

# id_of PATTERN FILE: the id of the first published event whose type is like it.
id_of() { sed -n "s/.*\"id\":\"\([^\"]*\)\",\"type\":\"dev\.cdevents\.$1\..*/\1/p" "$2" | head -n 1; }

# await_outcome EVENT: until alpha knows what beta did with it.
await_outcome() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    if admin alpha who-got "$1" -o json | grep -q '"accepted"'; then return; fi
    sleep 0.1
  done
}

show_what_crosses() {
  local files published=$dir/published.ndjson wanted crossed stayed
  mapfile -t files < <(events)
  printf '\n== alpha publishes %s events\n' "${#files[@]}"
  printf '\n$ cdgate publish --new-ids -o json %s/*.json\n' "$(dirname "${files[0]}")"
  # Exit status 4: some were not allowed, which is part of the show.
  "$cdgate" publish --new-ids -o json "${files[@]}" --gateway "$(value_of alpha api)" \
    --identity "$dir/alpha/identity/publisher" >"$published" || [ $? = 4 ]
  printf '%s events are in alpha'\''s log\n' "$(grep -c '"sequence"' "$published")"
  if grep -q '"error"' "$published"; then
    printf 'refused, for example: %s\n' "$(sed -n 's/.*"message":"\(.*\)"}}$/\1/p' "$published" | sort -u | head -n 1)"
  fi
  wanted=$(grep '"sequence"' "$published" | grep -cE '"type":"dev\.cdevents\.(artifact|service|change)\.')

  printf '\n== a subscriber in beta gets the %s that both policies allow\n' "$wanted"
  shown timeout 120 "$cdgate" subscribe --name quickstart --from earliest --max "$wanted" \
    --gateway "$(value_of beta api)" --identity "$dir/beta/identity/subscriber"

  crossed=$(id_of artifact "$published")
  stayed=$(id_of build "$published")
  await_outcome "$crossed"
  printf '\n== who got it: one that crossed, one that did not\n'
  local as=(--gateway "$(value_of alpha api)" --identity "$dir/alpha/identity/admin")
  shown "$cdgate" who-got "$crossed" "${as[@]}"
  shown "$cdgate" policy explain "$crossed" --peer beta.example "${as[@]}"
  shown "$cdgate" who-got "$stayed" "${as[@]}"
  shown "$cdgate" policy explain "$stayed" --peer beta.example "${as[@]}"
}

print_next() {
  cat <<TEXT

== both gateways run; what to try next

cd $dir && . ./env.sh
cdgate subscribe --gateway \$CDGATE_BETA --identity beta/identity/subscriber          # leave it open, and in another shell:
cdgate publish $cdgate_root/deploy/samples/service-deployed.json --new-ids --gateway \$CDGATE_ALPHA --identity alpha/identity/publisher
cdgate peer list --gateway \$CDGATE_ALPHA --identity alpha/identity/admin
cdgate peer freeze beta.example --gateway \$CDGATE_ALPHA --identity alpha/identity/admin
cdgate policy show alpha.example --gateway \$CDGATE_BETA --identity beta/identity/admin
$cdgate_root/deploy/quickstart.sh --dir $dir --stop
TEXT
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
case $action in
  stop)
    stop_gateway alpha
    stop_gateway beta
    ;;
  start) start_gateway "$only" || die "the gateway of $only.example does not start" ;;
  run)
    if [ "$build" = yes ]; then
      install_packages build
      build_preset release cdgate || die "the build failed; see the messages above"
    fi
    [ -x "$cdgate" ] || die "$cdgate is not there; build it, or name another with --cdgate"
    set_up_domains
    if [ "$show" = yes ]; then
      show_what_crosses
      print_next
    else
      printf 'alpha.example %s and beta.example %s are in %s\n' "$(value_of alpha api)" "$(value_of beta api)" "$dir"
    fi
    ;;
esac
