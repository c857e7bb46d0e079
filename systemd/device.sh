# shellcheck shell=bash disable=SC2154,SC2034
# The part of install.sh that installs Parley as a service; install.sh sources it.

umask 022 # not the caller's: the service reads these files, and only root may change them

readonly dest=${DESTDIR:-} # installing into an image: nothing is enabled or started
readonly opt=$dest/opt/parley
readonly unit=$dest/etc/systemd/system/parleyd.service
readonly backoff=$unit.d/backoff.conf
readonly mqtt_unit=$dest/etc/systemd/system/parley-mqtt.service
readonly page_unit=$dest/etc/systemd/system/parley-page.service
readonly page_save=$dest/etc/systemd/system/parley-page-save # .socket, and @.service for each change
readonly sysusers=$dest/usr/lib/sysusers.d/parley.conf
readonly completion=$dest/usr/share/bash-completion/completions/parley
readonly in_path=$dest/usr/local/bin/parley
readonly rules=$dest/etc/udev/rules.d/60-parley.rules
readonly state=("$dest/var/lib/private/parley" "$dest/var/lib/parley")
readonly device_mb=900 # measured: a venv of 380 MB beside the old one, and space to unpack
readonly at_run_time=(flite alsa-utils)

# shellcheck source=systemd/etc_parley.sh
source "$root/systemd/etc_parley.sh"

device() {
  local option=$1 board='' wheels='' purge='' mqtt='' page='' mcp='' extras=() answers=() after=saved
  local arguments=("$@")
  shift
  if [[ $option == --make-wheels ]]; then
    (($# == 1)) || fail "--make-wheels takes one folder" "use --help"
    make_wheels "$1"
    return
  fi
  while (($#)); do
    case "$option $1" in
      '--uninstall --purge') purge=yes ;;
      '--install --mqtt') mqtt=asked ;;
      '--install --page') page=asked ;;
      '--install --mcp') mcp=yes ;;
      '--install --yes' | '--install --no-questions') answers+=(--yes) ;;
      '--install --wheels' | '--upgrade --wheels')
        (($# >= 2)) || fail "$1 needs a value" "use --help"
        wheels=$(folder "$2")
        shift
        ;;
      '--install --board' | '--install --card' | '--install --microphone' | '--install --loudspeaker' | \
        '--install --wake-word' | '--install --key' | '--install --key-file')
        (($# >= 2)) || fail "$1 needs a value" "use --help"
        check_answer "$1" "$2"
        [[ $1 != --board || $2 == none ]] || board=$2
        answers+=("$1" "$2")
        shift
        ;;
      *) fail "$option does not know $1" "use --help" ;;
    esac
    shift
  done
  [[ -n $dest ]] || ((EUID == 0)) || fail "$option changes the system" \
    "sudo$(printf ' %q' "$root/install.sh" "${arguments[@]}")"
  check_writable "${opt%/*}" "${etc%/*}" "$dest/usr/lib" "$dest/usr/local" "$dest/var/lib"
  [[ -n $mqtt || ! -e $mqtt_unit ]] || mqtt=kept # it was asked for before
  [[ -n $page || ! -e $page_unit ]] || page=kept
  [[ $(cat "$opt/venv/installed" 2>/dev/null) != *' mcp'* ]] || mcp=yes
  extras=(${mqtt:+mqtt} ${page:+page} ${mcp:+mcp})
  case $option in
    --uninstall) uninstall "$purge" ;;
    --upgrade)
      [[ -x $opt/venv/bin/parley ]] || fail "Parley is not installed" "use --install"
      install_device "$board" "$wheels"
      ;;
    *) install_device "$board" "$wheels" ;;
  esac
}

# check_writable DIR...: the kernel makes a file system read-only when the card below it fails.
check_writable() {
  local place
  for place; do
    while [[ ! -e $place && -n $place ]]; do place=${place%/*}; done
    [[ -w ${place:-/} ]] || fail "nothing can be written to ${place:-/}: its file system is read-only, or not yours" \
      "sudo mount -o remount,rw /; if it becomes read-only again, look for the cause: sudo dmesg | grep -iE 'mmc|ext4'"
  done
}

folder() {
  [[ -d $1 ]] || fail "$1 is not a folder" "give the folder that --make-wheels has filled"
  (cd -- "$1" && pwd -P)
}

# check_answer OPTION VALUE: refuses a wrong answer before the long part.
check_answer() {
  case $1 in
    --key)
      [[ $2 == - ]] || fail "every user can read a key on a command line" \
        "give it as a file with --key-file, or through a pipe with --key -"
      [[ ! -t 0 ]] || fail "--key - reads the key from a pipe, and there is none" \
        "leave it out: the key is asked for"
      ;;
    --key-file) [[ -f $2 && -r $2 ]] || fail "$2 is not a file that can be read" "name the file with the key" ;;
    --board) [[ $2 == none ]] || check_board "$2" ;;
  esac
}

# --- installing ----------------------------------------------------------------------------

install_device() {
  local board=$1 wheels=$2
  unset PYTHONPATH PYTHONHOME
  check_machine
  check_package
  install -d -m 755 "$opt"
  log=$opt/install.log
  venv=$opt/venv
  begin "$opt"
  find_python
  [[ $option != --install || ! -t 0 || ! -t 1 || -e $opt/venv ]] ||
    step "the installation takes some minutes; then the questions follow"
  device_packages "$wheels"
  find_python_for_sure
  device_venv "$wheels"
  chmod -R go-w,a+rX "$opt" # an earlier installation may have had another umask
  device_files "$board"
  ask_questions
  name_keys
  device_service
  end
  diagnose || exit 1
}

check_board() {
  [[ -z $1 || -f $root/daemon/parleyd/config/boards/$1.toml ]] ||
    fail "there is no board $1" "use one of: $(cd "$root/daemon/parleyd/config/boards" && echo *.toml | sed 's/\.toml//g')"
}

# The files of the Debian package would mix with those of this installation.
check_package() {
  [[ -n $dest || ! -e /var/lib/dpkg/info/parleyd.md5sums ]] ||
    fail "the Debian package parleyd is installed" \
      "upgrade the package, or sudo apt-get remove parleyd (configuration, keys and state are kept)"
}

# Uses Debian's packages where possible, and a compiler only for the rest (see device_venv).
device_packages() {
  local wheels=$1 wanted=("${at_run_time[@]}")
  if [[ -z $wheels ]]; then
    wanted+=(python3-systemd gcc libc6-dev pkg-config libasound2-dev)
    [[ -z $python || $python == /usr/bin/python3 ]] || wanted+=(libsystemd-dev)
    if [[ $(dpkg --print-architecture) == arm64 ]]; then
      # Raspberry Pi OS has a package of lgpio; for Debian there are wheels up to Python 3.12
      if apt-cache show python3-lgpio >/dev/null 2>&1; then
        wanted+=(python3-lgpio)
      elif [[ -z $python ]] || "$python" -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
        wanted+=(swig)
      fi
    fi
  elif compgen -G "$wheels/debs/*.deb" >/dev/null; then
    debs=$wheels/debs
  fi
  install_packages "${wanted[@]}"
}

# Builds a new environment beside the current one, and replaces that only when it is complete.
device_venv() {
  local wheels=$1 wanted
  wanted=$(fingerprint)
  if [[ $option == --install && $(cat "$venv/installed" 2>/dev/null) == "$wanted${extras[*]/#/ }" ]] &&
    "$venv/bin/python" "$venv/bin/parley" --version >/dev/null 2>&1; then
    return
  fi
  [[ -z $wheels || $(cat "$wheels/made-of" 2>/dev/null) == "$wanted" ]] ||
    fail "the wheels in $wheels are for another version of Parley or Python" \
      "collect them again with --make-wheels, from this checkout and on a machine like this"
  check_space $device_mb
  : >"$log"
  find "$opt" -maxdepth 1 -name 'venv-*' ! -path "$(readlink -f "$opt/venv")" -exec rm -rf {} +
  venv=$opt/venv-$(date +%Y%m%d-%H%M%S)
  step "creating $venv with Python $("$python" -c 'import platform; print(platform.python_version())')"
  # Debian's python3-systemd and python3-lgpio need no compiler
  logged "$python" -m venv --system-site-packages "$venv" || fail_with_log "creating $venv"
  if [[ -n $wheels ]]; then
    step "installing Python packages from $wheels"
    locked_versions >"$venv/versions.txt"
    (logged pip_install --no-index --find-links "$wheels" --constraint "$venv/versions.txt" \
      "parleyd[$(IFS=, && echo "${extras[*]}")]") ||
      fail_with_log "installing Python packages from $wheels"
  else
    step "installing Python packages (minutes); pyalsaaudio is compiled, which takes seconds"
    [[ $(dpkg --print-architecture) != arm64 ]] || dpkg -s python3-lgpio >/dev/null 2>&1 ||
      step "lgpio is compiled, too, if neither package nor wheel exists (under a minute)"
    copy_source
    not_of_debian >"$venv/runtime.txt"
    local more=("${extras[@]/#/$requirements/}")
    (install_locked "$venv/runtime.txt" "${more[@]/%/.txt}" &&
      logged pip_install --no-deps --no-build-isolation "$venv/source") ||
      fail_with_log "installing Python packages"
    rm -rf "$venv/source"
  fi
  rm -rf "$venv/tmp"
  "$venv/bin/parley" --version >>"$log" 2>&1 || fail_with_log "starting parley"
  # inside the image, paths start at its root
  [[ -z $dest ]] || grep -rlIZ "$dest/opt" "$venv/bin" | xargs -0 -r sed -i "s|$dest/opt|/opt|g"
  echo "$wanted${extras[*]/#/ }" >"$venv/installed"
  local old
  old=$(readlink -f "$opt/venv") || true
  ln -sfn "${venv##*/}" "$opt/venv.new"
  mv -T "$opt/venv.new" "$opt/venv"
  [[ -z $old || $old == "$opt/venv" ]] || rm -rf "$old"
  venv=$opt/venv
}

# Prints runtime.txt without lgpio and systemd-python if Debian's packages of them are installed.
not_of_debian() {
  local name present=()
  for name in lgpio systemd-python; do
    "$venv/bin/python" -c "import importlib.metadata as m; m.version('$name')" 2>>"$log" &&
      present+=("$name")
  done
  awk -v names=" ${present[*]} " '
    /^[^ ]/ { split($1, part, "=="); keep = !index(names, " " part[1] " ") } keep
  ' "$requirements/runtime.txt"
}

# Prints the locked versions without hashes: locally compiled wheels have other hashes.
locked_versions() { sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' "$requirements"/{build,runtime,mqtt,page,mcp}.txt; }

# Prints a hash of Parley's files and of all that decides which wheels fit.
fingerprint() {
  (cd "$root" && find pyproject.toml daemon/docs daemon/parleyd daemon/requirements \
    hardware systemd/README.md \
    -name __pycache__ -prune -o -type f -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum &&
    "$python" -c 'import platform, sys; print(*sys.version_info[:2], platform.machine())') | sha256sum
}

# Copies the source, because a build would leave root's folders in the checkout.
copy_source() {
  mkdir -p "$venv/source"
  (cd "$root" && cp -r pyproject.toml README.md LICENSE daemon hardware systemd "$venv/source")
}

device_files() {
  local board=$1
  put daemon/parleyd/config/default.toml "$opt/default.toml"
  put systemd/etc_parley.sh "$opt/etc_parley.sh"
  put systemd/parley.sysusers "$sysusers"
  put systemd/60-parley.rules "$rules"
  put systemd/parley.completion "$completion"
  link_command
  put systemd/parleyd.service "$unit"
  [[ -z $mqtt ]] || put systemd/parley-mqtt.service "$mqtt_unit"
  if [[ -n $page ]]; then
    put systemd/parley-page.service "$page_unit"
    put systemd/parley-page-save.socket "$page_save.socket"
    put systemd/parley-page-save@.service "$page_save@.service"
  fi
  if (($(systemd_version) >= 254)); then
    put systemd/backoff.conf "$backoff"
  else
    rm -f "$backoff"
  fi
  install -d -m 755 "$etc"
  [[ -z $mqtt ]] || name_password
  [[ -z $page ]] || make_token
  make_configuration "$root/daemon/parleyd/config/default.toml" "$board"
  step "$etc/parley.toml is $configuration"
}

# Asks the person at the terminal, and saves the answers; without a terminal, saves the defaults.
# Sets `after` to the fate of the answers. Ctrl-C ends the questions, not the installation.
ask_questions() {
  local part=questions status=0
  [[ $option == --install ]] || return 0
  if [[ -n $dest ]]; then # an image is for another machine, whose cards and pins are not known here
    ((${#answers[@]})) || return 0
    part=image
  fi
  trap : INT
  "$venv/bin/python" "$venv/bin/parley" setup --part $part --config "$etc/parley.toml" "${answers[@]}" \
    9>&- || status=$?
  trap_interrupt
  case $status in
    0) ;;
    130) after=stopped ;;
    *) after=refused ;;
  esac
}

# Makes `parley` a command of every user; a file of the owner with this name stays.
link_command() {
  [[ ! -e $in_path && ! -L $in_path ]] || return 0
  install -d -m 755 "${in_path%/*}"
  ln -s /opt/parley/venv/bin/parley "$in_path"
}

# Prints 0 without systemd.
systemd_version() { (systemctl --version 2>/dev/null || true) | awk 'NR == 1 {v = $2} END {print v + 0}'; }

# Does not write a file that is already right.
put() { install -C -D -m 644 "$root/$1" "$2"; }

device_service() {
  if [[ -n $dest ]]; then
    step "installed below $dest: nothing is enabled or started"
    return
  fi
  if command -v systemd-sysusers >/dev/null; then
    logged systemd-sysusers "$sysusers" || fail_with_log "creating the groups"
  else
    local group
    for group in audio gpio spi parley parley-settings; do
      getent group "$group" >/dev/null || groupadd --system "$group"
    done
  fi
  if ! command -v systemctl >/dev/null; then
    step "systemd is not installed here: nothing is enabled or started"
    return
  fi
  local others=()
  ! is_wanted "$mqtt" parley-mqtt || others+=(parley-mqtt)
  ! is_wanted "$page" parley-page || others+=(parley-page-save.socket parley-page)
  logged systemctl enable parleyd "${others[@]}" || fail_with_log "enabling parleyd"
  if [[ ! -d /run/systemd/system ]]; then
    step "systemd does not run here: parleyd is enabled and starts at the next boot"
    return
  fi
  logged udevadm control --reload || true # a container has no udev
  logged udevadm trigger --subsystem-match=gpio --subsystem-match=spidev || true
  logged systemctl daemon-reload || fail_with_log "reading the unit"
  logged systemctl reset-failed parleyd || true # it may have reached the limit of starts
  step "starting parleyd"
  logged systemctl restart parleyd || step "warning: parleyd does not start, see below"
  local other
  for other in "${others[@]}"; do
    logged systemctl reset-failed "$other" || true
    logged systemctl restart "$other" || step "warning: $other does not start: journalctl -u $other"
  done
}

# is_wanted asked|kept|'' SERVICE: a service that the owner has disabled stays so until the next --mqtt
# or --page.
is_wanted() { [[ $1 == asked || ($1 == kept && $(systemctl is-enabled "$2" 2>/dev/null) == enabled) ]]; }

# Ends with what to say to Parley, or what to do first.
diagnose() {
  step "parley doctor"
  if [[ -n $dest ]]; then
    "$opt/venv/bin/python" "$opt/venv/bin/parley" doctor --config "$etc/parley.toml" || true
  else
    "$opt/venv/bin/python" "$opt/venv/bin/parley" setup --part end --after "$after" \
      --config "$etc/parley.toml"
  fi
  [[ $after != refused ]]
}

# --- removing --------------------------------------------------------------------------------

uninstall() {
  local purge=$1
  if [[ -z $dest && -e $unit ]] && command -v systemctl >/dev/null; then
    local units=(parleyd)
    [[ ! -e $mqtt_unit ]] || units+=(parley-mqtt)
    [[ ! -e $page_unit ]] || units+=(parley-page-save.socket parley-page)
    [[ ! -d /run/systemd/system ]] || systemctl stop "${units[@]}" || true
    systemctl --quiet disable "${units[@]}" || true
  fi
  rm -f "$page_unit" "$page_save.socket" "$page_save@.service"
  rm -f "$mqtt_unit" "$password_drop_in" "$unit" "$drop_in" "$backoff" "$sysusers" "$rules" "$completion"
  [[ $(readlink "$in_path") != /opt/parley/venv/bin/parley ]] || rm "$in_path"
  rmdir --ignore-fail-on-non-empty "${drop_in%/*}" "${password_drop_in%/*}" 2>/dev/null || true
  rm -rf "$opt"
  [[ -n $dest || ! -d /run/systemd/system ]] || systemctl daemon-reload || true
  if [[ -n $purge ]]; then
    rm -rf "$etc" "${drop_in%/*}" "${password_drop_in%/*}" "${state[@]}"
    step "Parley is removed, with configuration, keys and state"
  else
    step "Parley is removed; kept: $etc and ${state[1]} (--uninstall --purge removes them)"
  fi
}

# --- wheels for machines without network or compiler --------------------------------------------

make_wheels() {
  local wheels=$1
  check_machine
  check_checkout
  mkdir -p "$wheels"
  wheels=$(folder "$wheels")
  log=$wheels/make-wheels.log
  venv=$wheels/.venv
  begin "$wheels"
  find_python
  [[ $(dpkg --print-architecture) != arm64 ]] || to_compile+=(swig)
  install_packages "${to_compile[@]}"
  find_python_for_sure
  check_space $device_mb
  : >"$log"
  logged "$python" -m venv "$venv" || fail_with_log "creating $venv"
  step "collecting and compiling Python packages into $wheels (minutes)"
  copy_source
  find "$wheels" -maxdepth 1 -name '*.whl' -delete # of another version
  (logged pip_install --require-hashes -r "$requirements/build.txt" &&
    logged run_pip wheel --require-hashes --no-build-isolation --wheel-dir "$wheels" \
      -r "$requirements/build.txt" -r "$requirements/runtime.txt" -r "$requirements/mqtt.txt" \
      -r "$requirements/page.txt" -r "$requirements/mcp.txt" &&
    logged run_pip wheel --no-deps --no-build-isolation --wheel-dir "$wheels" "$venv/source") ||
    fail_with_log "collecting Python packages"
  collect_debs
  fingerprint >"$wheels/made-of"
  rm -rf "$venv" "$wheels/install.lock"
  end
  step "$(find "$wheels" -name '*.whl' | wc -l) wheels and $(find "$debs" -name '*.deb' | wc -l) Debian\
 packages for this release, Python and kind of machine are in $wheels"
}

# Collects the packages for an empty system, which may have fewer than this one.
collect_debs() {
  local packages=("${at_run_time[@]}")
  [[ $python != /usr/bin/python3 ]] || packages+=(python3 python3-venv)
  debs=$wheels/debs
  rm -rf "$debs"
  mkdir -p "$debs/partial"
  : >"$debs/nothing-installed"
  if ! download_debs "${packages[@]}"; then # without a list of packages, or with an old one
    gain_root "${packages[@]}"
    apt_get update || fail_with_log "updating the list of Debian packages"
    download_debs "${packages[@]}" || fail_with_log "collecting Debian packages"
  fi
  find "$debs" -mindepth 1 ! -name '*.deb' -delete
}

download_debs() {
  step "collecting Debian packages: ${*}"
  logged apt-get -q install --download-only -y --no-install-recommends \
    -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=1 \
    -o Dir::State::status="$debs/nothing-installed" -o Dir::Cache::archives="$debs" "$@"
}
