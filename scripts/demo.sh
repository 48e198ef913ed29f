#!/usr/bin/env bash
# Builds the programs, starts a server and an agent in ./demo-data, opens a tunnel through the API, fetches something
# through it and says what to try next. Stays up until Ctrl-C; with ONCE=1 it ends after the check. RPORT_BIN_DIR names a
# directory with rportd, rport and rportcli to take instead of building them.
set -euo pipefail
cd "$(dirname "$0")/.."

data=$PWD/demo-data
children=()

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() {
  printf '\nThe demo failed: %s\n' "$*" >&2
  for log in "$data"/*.log; do
    [ -s "$log" ] && { echo "--- end of $log"; tail -n 15 "$log"; } >&2
  done
  exit 1
}

stop() {
  trap - EXIT
  # The agent first, so that the server sees it leave.
  for ((n = ${#children[@]} - 1; n >= 0; n--)); do
    kill "${children[n]}" 2>/dev/null || true
    wait "${children[n]}" 2>/dev/null || true
  done
}
trap stop EXIT
trap 'exit 130' INT TERM

# answers PORT: whether something accepts connections on this machine's port.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FIRST: the first port from there on that nobody uses.
free_port() {
  local port=$1
  while answers "$port"; do port=$((port + 1)); done
  echo "$port"
}

# wait_for WHAT SECONDS COMMAND...: runs the command until it succeeds.
wait_for() {
  local what=$1 end=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "waited in vain for $what"
    sleep 0.1
  done
}

if [ -n "${RPORT_BIN_DIR:-}" ]; then
  bin=$RPORT_BIN_DIR
else
  scripts/ui.sh build
  say "Building release binaries (a few minutes the first time)"
  cargo build --release -p rportd -p rport-agent -p rport-cli
  bin=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
fi

rm -rf "$data"
mkdir -p "$data/server" "$data/agent"

# Neither program runs as root unless told to. Who is root gives the demo to nobody, where nobody may come here.
as=()
allow=()
if [ "$(id -u)" -eq 0 ]; then
  nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  if "${nobody[@]}" test -x "$bin/rportd" -a -w /tmp 2>/dev/null && "${nobody[@]}" test -x "$data" 2>/dev/null; then
    as=("${nobody[@]}")
    chown -R 65534:65534 "$data"
  else
    allow=(--allow-root)
  fi
fi

agents=$(free_port 8080)
api_port=$(free_port 3000)
api=http://127.0.0.1:$api_port/api/v1
config=$data/rportd.conf

say "Generating $config: random passwords and key seed"
"${as[@]}" "$bin/rportd" config generate --output "$config" --data-dir "$data/server" \
  --address "127.0.0.1:$agents" --api-address "127.0.0.1:$api_port" >"$data/generate.out"
admin=$(sed -n 's/^auth = "\(admin:.*\)"$/\1/p' "$config")
agent=$(sed -n 's/^auth = "\(agent:.*\)"$/\1/p' "$config")

say "Starting the server: agents on port $agents, API on port $api_port"
"${as[@]}" "$bin/rportd" -c "$config" "${allow[@]}" >"$data/rportd.log" 2>&1 &
children+=($!)
wait_for "the server's API" 15 curl -fsS -u "$admin" "$api/status"
fingerprint=$(cat "$data/server/rportd-fingerprint.txt")

say "Starting an agent, which dials the server"
"${as[@]}" "$bin/rport" --auth "$agent" --fingerprint "$fingerprint" --id demo --name "demo agent" \
  --data-dir "$data/agent" "${allow[@]}" "127.0.0.1:$agents" >"$data/rport.log" 2>&1 &
children+=($!)
connected() { curl -fsS -u "$admin" "$api/clients/demo" | grep -q '"connection_state":"connected"'; }
start=$(date +%s%N)
wait_for "the agent in the list of clients" 15 connected
echo "Listed after $((($(date +%s%N) - start) / 1000000)) ms."
curl -fsS -g -u "$admin" "$api/clients?fields[clients]=id,name,os_full_name,address,connection_state"
echo

# A service on the agent's side: the machine's own sshd, else a small web page.
if banner=$( (exec 3<>/dev/tcp/127.0.0.1/22 && IFS= read -r -t 3 line <&3 && echo "$line") 2>/dev/null) &&
  [[ $banner == SSH-* ]]; then
  service=ssh port=22 what="this machine's sshd"
else
  service=http port=$(free_port 8000) what="a small web page on the agent's side"
  page="This page came through the tunnel."
  if command -v node >/dev/null 2>&1; then
    node -e 'require("http").createServer((_, r) => r.end(process.argv[1] + "\n")).listen(process.argv[2], "127.0.0.1")' \
      "$page" "$port" >"$data/service.log" 2>&1 &
  elif command -v python3 >/dev/null 2>&1; then
    mkdir -p "$data/page" && echo "$page" >"$data/page/index.html"
    python3 -m http.server --bind 127.0.0.1 --directory "$data/page" "$port" >"$data/service.log" 2>&1 &
  else
    fail "no sshd on port 22, and neither node nor python3 for a web page instead"
  fi
  children+=($!)
  wait_for "the web page" 10 answers "$port"
fi

say "Opening a tunnel to $what (port $port) through the API"
open="$api/clients/demo/tunnels?remote=127.0.0.1:$port&scheme=$service&idle-timeout-minutes=0"
tunnel=$(curl -fsS -u "$admin" -X PUT "$open") || fail "the API refused the tunnel"
echo "$tunnel"
lport=$(sed -n 's/.*"lport":"\([0-9]*\)".*/\1/p' <<<"$tunnel")
[ -n "$lport" ] || fail "no lport in the answer"

say "Fetching through the tunnel, port $lport"
if [ "$service" = ssh ]; then
  fetched=$( (exec 3<>"/dev/tcp/127.0.0.1/$lport" && IFS= read -r -t 5 line <&3 && echo "$line") 2>/dev/null) || true
  [ "${fetched%$'\r'}" = "${banner%$'\r'}" ] || fail "expected '$banner' through the tunnel, got '$fetched'"
else
  fetched=$(curl -fsS --max-time 5 "http://127.0.0.1:$lport/") || fail "no answer through the tunnel"
  [ "$fetched" = "$page" ] || fail "expected '$page' through the tunnel, got '$fetched'"
fi
echo "$fetched"

say "It works. What happened"
cat <<END
The agent dialled the server and keeps one encrypted link open. The API told the server to listen on port $lport;
whoever connects there reaches port $port on the agent's side, although nothing can dial the agent.
END
[ "${ONCE:-}" = 1 ] && exit 0

say "Try next"
cat <<END
In a browser:      http://127.0.0.1:$api_port/ as ${admin%%:*}, password ${admin#*:}
The clients:       curl -u $admin $api/clients
This one in full:  curl -u $admin $api/clients/demo
The tunnels:       curl -u $admin $api/tunnels
END
if [ "$service" = ssh ]; then
  echo "Log in through it: ssh -p $lport $(id -un)@127.0.0.1"
else
  echo "Through it:        curl http://127.0.0.1:$lport/"
fi
cat <<END
Another tunnel:    curl -u $admin -X PUT '$api/clients/demo/tunnels?remote=$api_port&acl=127.0.0.1'
With rportcli:     RPORT_API_URL=${api%/api/v1} RPORT_API_USER=admin RPORT_API_PASSWORD=${admin#*:} \\
                     $bin/rportcli clients list   (or: forward demo 9000:$port; see docs/rportcli.md)
A second agent:    ${as[*]:+${as[*]} }$bin/rport --auth $agent --fingerprint $fingerprint \\
                     --id second --data-dir $data/agent2 ${allow[*]:+${allow[*]} }127.0.0.1:$agents
The logs:          tail -f $data/rportd.log $data/rport.log

Ctrl-C stops everything.
END
wait -n "${children[@]}" || true
fail "a program ended by itself"
