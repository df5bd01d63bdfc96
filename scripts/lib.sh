# shellcheck shell=bash
# What the scripts share: words to the person, and where things are. Sourced, never run.

say() { printf '\n== %s\n' "$*" >&2; }
note() { printf '   %s\n' "$*" >&2; }
fail() {
  printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# The folder that cargo builds into, absolute or relative to the repository.
target_dir() { printf '%s\n' "${CARGO_TARGET_DIR:-target}"; }

# The binary that `make demo` serves and the Node tests ask.
demo_binary() { printf '%s\n' "${ACTIONGRAPH_BIN:-$(target_dir)/demo/actiongraph}"; }

# The Python packages that make operations from the schema.
fuzz_venv() { printf '%s\n' "$(target_dir)/fuzz-venv"; }

# Prints the folder of the newest installed PostgreSQL server, or fails silently.
postgres_bin() {
  local dir newest=""
  while IFS= read -r dir; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then newest=$dir; fi
  done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V)
  if [ -z "$newest" ] && command -v initdb >/dev/null && command -v postgres >/dev/null; then
    newest=$(dirname "$(command -v initdb)")
  fi
  [ -n "$newest" ] && printf '%s\n' "$newest"
}

# Prints the path of a Chromium-like browser, or fails silently. CHROMIUM overrules.
chromium_bin() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    if [ -n "$name" ] && command -v "$name"; then return 0; fi
  done
  return 1
}

# A signal ends the script through its EXIT trap, so that it leaves nothing behind.
exit_on_signals() {
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
}

# Runs a command and passes signals on to it; returns its status, or
# 128 + the signal's number when a signal ended it.
run_and_forward() {
  local status=0 ended_by=0 child
  # Without job control the shell closes standard input of background commands; keep it.
  "$@" <&0 &
  child=$!
  trap 'ended_by=130; kill -TERM "$child" 2>/dev/null || true' INT
  trap 'ended_by=143; kill -TERM "$child" 2>/dev/null || true' TERM
  trap 'ended_by=129; kill -TERM "$child" 2>/dev/null || true' HUP
  wait "$child" || status=$?
  # A trapped signal ends `wait` early: the child is then on its way out and still ours.
  while kill -0 "$child" 2>/dev/null; do wait "$child" || status=$?; done
  exit_on_signals
  if [ "$ended_by" -ne 0 ]; then status=$ended_by; fi
  return "$status"
}
