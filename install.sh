#!/usr/bin/env bash
# Sets up Parley in this checkout, then runs the demo or the tests. See --help.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # `sh install.sh` starts dash on Debian
set -Eeuo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly root
venv=$root/.venv
log=$venv/install.log
readonly requirements=$root/daemon/requirements
debs='' # a folder of Debian packages that replaces the network

readonly porcupine=pvporcupine==1.9.5 # the last series that runs without a key, for tests/wake
readonly all_mb=1500                  # measured on a minimal Debian: 1350 MB, apt's downloads included
readonly venv_mb=800                  # ... of which .venv 510 MB; pip needs space to unpack
to_compile=(gcc libc6-dev pkg-config libasound2-dev libsystemd-dev)
readonly lock_wait_s=600              # the system's daily update holds apt's locks for minutes

usage() {
  cat <<'HELP'
Usage: ./install.sh OPTION [ARGUMENT...]

  --demo [ARGUMENT...]   install missing parts, then run `parley demo ARGUMENT...`
  --test [ARGUMENT...]   install missing parts, check style and types, run `pytest ARGUMENT...`;
                         without arguments all tests, with -m "not slow" the quick ones (a minute)
  --help                 print this

On the device, as root:

  --install              install Parley as a service: packages, /opt/parley, /etc/parley, unit;
                         on a terminal it asks for sound card, board, wake word and key
  --upgrade              install this checkout's version; keep configuration, keys and state
  --uninstall [--purge]  remove it; --purge also removes configuration, keys and state
    --yes                with --install: ask nothing, take the defaults
    --card NAME          the sound card by its ALSA name, or --microphone NAME --loudspeaker NAME
    --board NAME         the board (hardware/README.md), or none
    --wake-word WORD     the wake word
    --key-file FILE      the file with the key; or --key -, from standard input
    --mqtt               with --install: also Home Assistant over MQTT (parley-mqtt.service)
    --page               with --install: also the page for browsers (parley-page.service)
    --mcp                with --install: also MCP servers that Parley calls, such as Home Assistant's
    --wheels DIR         with --install or --upgrade: all packages from DIR, no network, no compiler
  --make-wheels DIR      collect Debian and Python packages for --wheels in DIR, and compile them

--demo and --test install missing Debian packages with apt-get (as root or through sudo) and the
Python packages into .venv in this checkout; they change nothing else. They need a 64-bit Debian 12
or later, or Raspberry Pi OS (64-bit). They may be repeated: a second run installs nothing.

  DESTDIR=DIR            install below DIR, for an image: nothing is enabled or started
  PARLEY_PYTHON=PATH     use this Python (3.11 or later) instead of /usr/bin/python3
HELP
}

main() {
  local option=${1:---help}
  (($# == 0)) || shift
  case $option in
    --help | -h)
      usage
      ;;
    --demo)
      set_up plots flite
      exec "$venv/bin/parley" demo "$@"
      ;;
    --test)
      local packages=(flite tmux pulseaudio pulseaudio-utils alsa-utils libasound2-plugins
        shellcheck mosquitto mosquitto-clients openssl)
      # the gate skips no test: with a browser, a booted systemd, and a wrong clock
      [[ -z ${PARLEY_COVERAGE:-} ]] || packages+=(chromium systemd-container dbus faketime)
      set_up test "${packages[@]}"
      install_keyless_porcupine
      run_tests "$@"
      ;;
    --install | --upgrade | --uninstall | --make-wheels)
      # shellcheck source=systemd/device.sh
      source "$root/systemd/device.sh"
      device "$option" "$@"
      ;;
    *)
      fail "unknown option $option" "use --demo, --test, --install or --help"
      ;;
  esac
}

# --- the tests ---------------------------------------------------------------------------

run_tests() {
  local failed=0
  cd "$root"
  check "ruff format --check" "$venv/bin/python" -m ruff format --check . || failed=1
  check "ruff check" "$venv/bin/python" -m ruff check . || failed=1
  check mypy "$venv/bin/python" -m mypy || failed=1
  if (($#)); then
    step "pytest $*"
    "$venv/bin/python" -m pytest "$@" || failed=$?
  else
    run_all_tests || failed=$?
  fi
  exit "$failed"
}

# Runs all tests in two processes; one runs the real-time tests, one after the other.
# PARLEY_COVERAGE=1 measures the branch coverage of the package by the quick tests, which doubles
# their time.
run_all_tests() {
  local failed=0
  if [[ -z ${PARLEY_COVERAGE:-} ]]; then
    in_two_processes "all tests" || failed=$?
  else
    in_two_processes "the quick tests" -m "not slow" --cov --cov-report= || failed=$?
    in_two_processes "the slow tests" -m slow || failed=$?
  fi
  return "$failed"
}

in_two_processes() {
  step "pytest, $1, in two processes"
  "$venv/bin/python" -m pytest -n 2 --dist loadgroup --durations=20 "${@:2}"
}

check() {
  local name=$1
  shift
  step "$name"
  "$@" && return
  complain "$name found faults" "fix the places named above"
  return 1
}

# --- set-up --------------------------------------------------------------------------------

# set_up EXTRA [PACKAGE...]: installs Debian packages, Python, and .venv with the extra.
set_up() {
  local extra=$1
  shift
  unset PYTHONPATH PYTHONHOME # modules from elsewhere would shadow those of .venv
  check_machine
  check_checkout
  mkdir -p "$venv"
  begin "$venv"
  find_python
  # on arm64, lgpio has no wheel for Python 3.13, and its build runs swig
  [[ $(dpkg --print-architecture) != arm64 ]] || to_compile+=(swig)
  install_packages "$@" "${to_compile[@]}"
  find_python_for_sure
  install_venv "$extra"
  end
}

# begin DIR: allows one run at a time in this directory; every failure names its remedy.
begin() {
  exec 9>"$1/install.lock"
  flock -w 600 9 || fail "another install.sh is running in $1" "wait until it has ended"
  trap_interrupt
  trap '((BASH_SUBSHELL)) || fail "stopped at line $LINENO by an internal fault" "report this with $log"' ERR
}

trap_interrupt() { trap 'fail "interrupted" "run it again: it resumes or starts over by itself"' INT TERM; }

end() {
  trap - INT TERM ERR
  exec 9>&-
}

check_machine() {
  command -v dpkg-query >/dev/null ||
    fail "this is not a Debian system (no dpkg-query)" "use Debian 12 or later, or Raspberry Pi OS"
  local architecture
  architecture=$(dpkg --print-architecture)
  case $architecture in
    amd64 | arm64) ;;
    *) fail "this system is $architecture; numpy and onnxruntime have no builds for it" \
      "install the 64-bit Raspberry Pi OS or Debian (arm64 or amd64)" ;;
  esac
}

check_checkout() {
  local place advice
  for place in "$root" "$venv"; do
    [[ -e $place && ! -w $place ]] || continue
    advice='clone Parley into your home directory'
    # a folder with another name may contain other files: do not suggest chown for it
    [[ $place == "$root" && ${root##*/} != *[Pp]arley* ]] ||
      advice="sudo chown -R $(id -u):$(id -g) ${place@Q}, or $advice"
    fail "$place belongs to $(stat -c %U "$place") and is not writable for you" "$advice"
  done
}

# Sets `python`, empty if none. Prefers Debian's Python, because apt provides its headers.
find_python() {
  local candidates=(/usr/bin/python3 python3) candidate version found=
  [[ -z ${PARLEY_PYTHON:-} ]] || candidates=("$PARLEY_PYTHON")
  python=
  for candidate in "${candidates[@]}"; do
    candidate=$(command -v "$candidate") || continue
    version=$("$candidate" -c 'import sys; print(*sys.version_info[:3], sep=".")' 2>/dev/null) || continue
    if printf '3.11\n%s\n' "$version" | sort -CV; then
      python=$candidate
      return
    fi
    found+="$candidate is $version, "
  done
  [[ -z $found ]] || fail "${found}Python 3.11 or later is needed" \
    "use Debian 12 or later, or put a newer python3 first in PATH"
  [[ -z ${PARLEY_PYTHON:-} ]] || fail "PARLEY_PYTHON=$PARLEY_PYTHON does not run" "correct or unset it"
}

find_python_for_sure() {
  [[ -n $python ]] || find_python
  [[ -n $python ]] || fail "found no Python" "sudo apt-get install -y python3"
}

# Installs the given packages, and Debian's Python if there is no other, with headers for gcc.
install_packages() {
  local wanted=("$@")
  if [[ -z $python || $python == /usr/bin/python3 ]]; then
    wanted+=(python3 python3-venv)
    [[ " $* " != *" gcc "* ]] || wanted+=(python3-dev)
  fi

  local missing
  missing_packages "${wanted[@]}"
  ((${#missing[@]})) || return 0
  check_space $all_mb
  step "installing ${#missing[@]} Debian packages: ${missing[*]}"
  : >"$log"
  gain_root "${missing[@]}"
  local -x DEBIAN_FRONTEND=noninteractive
  # apt refuses to work after an interrupted installation
  ! compgen -G '/var/lib/dpkg/updates/*' >/dev/null || logged as_root dpkg --configure -a || true
  if [[ -n $debs ]]; then
    missing_files
  else
    apt_get update || fail_with_log "updating the list of Debian packages"
  fi
  apt_get install -y --no-install-recommends "${missing[@]}" ||
    fail_with_log "installing Debian packages"
  missing_packages "${wanted[@]}"
  ((${#missing[@]} == 0)) || fail_with_log "installing ${missing[*]}"
}

# Sets `missing` to the packages that are not installed.
missing_packages() {
  local package installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null) || true
  missing=()
  for package; do
    [[ $'\n'$installed$'\n' == *$'\n'"installed $package"$'\n'* ]] || missing+=("$package")
  done
}

# Sets `missing` to the files in `debs` of packages that are not installed, with dependencies.
missing_files() {
  local file package
  local -A files=()
  for file in "$debs"/*.deb; do
    package=${file##*/}
    files[${package%%_*}]=$file
  done
  missing_packages "${!files[@]}"
  local packages=("${missing[@]}")
  missing=()
  for package in "${packages[@]}"; do
    missing+=("${files[$package]}")
  done
}

gain_root() {
  ((EUID == 0)) && return
  local ask=(sudo -n true)
  [[ ! -t 0 ]] || ask=(sudo true)
  command -v sudo >/dev/null && "${ask[@]}" 2>>"$log" && return
  fail "installing Debian packages needs root" \
    "run apt-get install -y $* as root, then run this again"
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo --preserve-env=DEBIAN_FRONTEND,http_proxy,https_proxy,no_proxy "$@"
  fi
}

# Runs apt-get into the log; waits while another program holds apt's locks, and names it.
apt_get() {
  local deadline=$((SECONDS + lock_wait_s)) holder=
  until logged as_root apt-get -q \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 "$@"; do
    tail -n 5 "$log" | grep -q 'Could not get lock' && ((SECONDS < deadline)) || return 1
    if [[ -z $holder ]]; then
      holder=$(tail -n 5 "$log" | sed -n 's/.*It is held by \(process [^.]*\).*/\1/p' | head -n 1)
      holder=${holder:-another program}
      step "$holder uses apt; waiting for its end, for up to $((lock_wait_s / 60)) minutes"
    fi
    sleep 5
  done
}

check_space() {
  local needed_mb=$1 free_mb
  free_mb=$(df --output=avail -BM "${venv%/*}" | tr -dc '0-9')
  ((free_mb >= needed_mb)) ||
    fail "${venv%/*} has $free_mb MB free, the installation needs $needed_mb MB" "free some space"
}

# --- the virtual environment ---------------------------------------------------------------

install_venv() {
  local extra=$1 wanted locked=("$requirements"/{runtime,plots}.txt)
  [[ $extra != test ]] || locked+=("$requirements"/{mqtt,page,mcp,test}.txt)
  wanted=$({ cat "$root/pyproject.toml" "$requirements"/*.txt && "$python" -VV &&
    echo "$python $root"; } | sha256sum)
  if [[ -x $venv/bin/python && ! -e $venv/incomplete ]] &&
    [[ $(cat "$venv/installed-$extra" 2>/dev/null) == "$wanted" ]]; then
    return
  fi
  check_space $venv_mb
  : >"$log"
  rm -f "$venv"/installed-*
  venv_is_sound || create_venv

  step "installing Python packages into .venv (a few minutes the first time)"
  touch "$venv/incomplete" # a killed pip leaves a partial package and takes it for complete
  local status=0
  (cd "$root" && install_locked "${locked[@]}" &&
    logged pip_install --no-deps --no-build-isolation -e .) || status=$?
  rm -rf "$venv/incomplete" "$venv/tmp"
  ((status == 0)) || fail_with_log "installing Python packages"

  echo "$wanted" >"$venv/installed-$extra"
  [[ $extra != test ]] || echo "$wanted" >"$venv/installed-plots" # `test` brings `plots`
  step "Python packages are in place"
}

# Succeeds if pip runs and belongs to this directory and this Python.
venv_is_sound() {
  [[ ! -e $venv/incomplete ]] || return 1
  local version
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  [[ $("$venv/bin/pip" --version 2>/dev/null) == *" $venv/lib/python$version/"* ]]
}

create_venv() {
  step "creating .venv with Python $("$python" -c 'import platform; print(platform.python_version())')"
  find "$venv" -mindepth 1 -maxdepth 1 ! -name 'install.*' -exec rm -rf {} +
  "$python" -c 'import ensurepip, sysconfig, os
assert os.path.exists(sysconfig.get_path("include") + "/Python.h")' 2>>"$log" ||
    fail "$python has no venv module or no headers" "install them, or use Debian's python3"
  touch "$venv/incomplete"
  logged "$python" -m venv "$venv" || fail_with_log "creating .venv"
}

# install_locked FILE...: installs exactly the locked versions, with the hashes of their files. The
# build backend comes first, since an isolated build would download any version.
install_locked() {
  logged pip_install --require-hashes --requirement "$requirements/build.txt" &&
    logged pip_install --require-hashes --no-build-isolation "${@/#/--requirement=}"
}

# Runs pip with the user's configuration, otherwise with bounded retries and timeouts.
pip_install() { run_pip install "$@"; }

run_pip() {
  local configured
  configured=$("$venv/bin/python" -m pip config list 2>/dev/null) || true
  [[ $configured == *retries=* ]] || export PIP_RETRIES=2
  [[ $configured == *timeout=* ]] || export PIP_TIMEOUT=20
  export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
  export PIP_USE_PEP517=1 # the pip of Debian 12 would need `wheel` for systemd-python
  export PYPI=1           # lgpio: include its C library instead of using Debian's
  export TMPDIR=$venv/tmp # /tmp is in memory on Debian 13 and too small on a small Pi
  mkdir -p "$TMPDIR"
  "$venv/bin/python" -m pip "$@"
}

install_keyless_porcupine() {
  local target=$venv/porcupine-1.9.5
  [[ ! -d $target ]] || return 0
  step "installing $porcupine in addition, for the tests of the wake words"
  rm -rf "$target.new"
  if (logged pip_install --no-deps --target "$target.new" "$porcupine"); then
    mv "$target.new" "$target"
  else
    step "warning: $porcupine could not be installed; pytest will skip its tests (see $log)"
  fi
  rm -rf "$venv/tmp"
}

# --- messages --------------------------------------------------------------------------------

step() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }

complain() { printf 'install.sh: %s; do: %s\n' "$1" "$2" >&2; }

fail() {
  trap - ERR
  complain "$@"
  exit 1
}

logged() { LC_ALL=C.UTF-8 "$@" >>"$log" 2>&1 </dev/null 9>&-; }

fail_with_log() {
  local what=$1 end
  end=$(tail -n 40 "$log")
  tail -n 12 "$log" | sed 's/^/    /'
  if grep -qE 'No space left on device' <<<"$end"; then
    fail "$what failed: the disk is full" "free some space, then run this again"
  elif grep -q 'Could not get lock' <<<"$end"; then
    fail "$what failed: another program holds apt's lock" "wait until it has ended, then run this again"
  elif grep -qE "CERTIFICATE_VERIFY_FAILED|Not live until|not valid yet|is expired|Expired on" <<<"$end"; then
    fail "$what failed: the certificate of the package index is not accepted" \
      "compare the clock ($(date -u '+%F %T') UTC), then run this again; to set it: sudo timedatectl set-ntp true, or sudo date -us 'YYYY-MM-DD HH:MM'"
  elif grep -qE "Could not (resolve|connect)|Unable to connect|Failed to fetch|Network is unreachable|\
Temporary failure in name|Connection (refused|reset|broken)|Connection(Error|Timeout)|ConnectTimeout|\
ReadTimeout|ProxyError|[(]from versions: none[)]" <<<"$end"; then
    fail "$what failed: no network, or the package index is unreachable" \
      "check the connection and the proxy settings, then run this again"
  fi
  fail "$what failed" "see the lines above and $log"
}

main "$@"
