# shellcheck shell=bash disable=SC2154
# Steps in an unpacked system, their times and results; sourced by arm64 and debs. Takes `here`,
# `dir`, `log`, `root` and `network` ("with" or "without").

inside() {
  local offline=''
  [[ $network == with ]] || offline=yes
  OFFLINE=$offline "$packaging/inside" "$root" "$@"
}

works() {
  cp "$here/selfcheck.py" "$root/var/tmp/selfcheck.py"
  inside /opt/parley/venv/bin/python /var/tmp/selfcheck.py | tee "$dir/checks"
  rm "$root/var/tmp/selfcheck.py"
}

size_mb() { du -sxm --exclude="$root/tmp" --exclude="$root/var/tmp" "$1" | cut -f 1; }

try() {
  local what=$1 status=0 took TIMEFORMAT='%0R s, %0U s of CPU'
  shift
  printf '\n=== %s\n' "$what" >>"$log"
  rm -f "$dir/checks"
  set +e # as a condition of `if`, it would continue after its first failure
  took=$({ time { (set -e && "$@") >>"$log" 2>&1; }; } 2>&1)
  status=$?
  set -e
  if ((status)); then
    printf 'FAILED  %s\n' "$what"
    tail -n 15 "$log" | sed 's/^/        /'
    exit 1
  fi
  printf 'ok      %s (%s)\n' "$what" "$took"
  [[ ! -e $dir/checks ]] || sed 's/^/        /' "$dir/checks"
}

report() {
  printf '        %s\n' "$*"
  printf '%s\n' "$*" >>"$log"
}
