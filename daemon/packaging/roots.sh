# shellcheck shell=bash
# Minimal Debian systems in folders, for this and other kinds of machines; sourced.

packaging=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
checkout=$(cd -- "$packaging/../.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/parley-roots
readonly packaging checkout cache
readonly clone=/home/pi/parley # where a system has the checkout's files
readonly like_pi_os=systemd,udev,passwd,iproute2,ca-certificates # required packages of any Pi

# need_roots ARCHITECTURE...: ends with a message if this machine cannot make or enter one.
need_roots() {
  ((EUID == 0)) || fail "run as root, to enter an unpacked system"
  local tool architecture tools=(mmdebstrap unshare python3 git)
  [[ " $* " != *" arm64 "* || $(dpkg --print-architecture) == arm64 ]] ||
    tools+=(arch-test qemu-aarch64-static)
  for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null ||
      fail "$tool is missing: apt-get install mmdebstrap arch-test qemu-user-static iproute2"
  done
  for architecture; do
    [[ $architecture == "$(dpkg --print-architecture)" ]] || can_run "$architecture"
  done
  mkdir -p "$cache"
}

can_run() {
  [[ $1 == arm64 ]] || fail "this machine cannot run programs for $1"
  local formats=/proc/sys/fs/binfmt_misc
  [[ -e $formats/register ]] || mount -t binfmt_misc none "$formats" ||
    fail "this kernel has no binfmt_misc: it cannot run programs of another architecture"
  [[ -e $formats/qemu-aarch64 ]] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$formats/register"
}

# new_root SUITE ARCHITECTURE ROOT: unpacks a minimal system into the folder ROOT, with the committed
# state of the checkout. The minimal system is made once and kept packed in the cache.
new_root() {
  local suite=$1 architecture=$2 root=$3
  local packed=$cache/$suite-$architecture.tar
  [[ -e $packed ]] || bare_system "$suite" "$architecture" "$packed"
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  tar -xf "$packed" -C "$root"
  mkdir -p "$root$clone"
  # the system is temporary and need not survive a power cut
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
  git -C "$checkout" archive --prefix="${clone#/}/" HEAD | tar -xf - -C "$root"
}

bare_system() {
  local suite=$1 architecture=$2 packed=$3 sources=/etc/apt/sources.list.d/debian.sources mirror=()
  if [[ -r $sources ]]; then # the mirror of this machine
    mirror=("deb $(awk '/^URIs:/ {print $2; exit}' "$sources") $suite main")
  fi
  QEMU_CPU=cortex-a72 nice -n 15 mmdebstrap --mode=root --variant=apt \
    --architectures="$architecture" --include="$like_pi_os" \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$packed.new.tar" "${mirror[@]}"
  mv "$packed.new.tar" "$packed"
}

fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit 2
}
