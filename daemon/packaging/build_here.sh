#!/usr/bin/env bash
# build_here.sh OUT: builds the Debian package of this checkout, for the release and the machine that it
# runs on, into the folder OUT. As root: it installs the packages that the build needs, like install.sh
# --install. Set SOURCE_DATE_EPOCH for the dates in the package.
set -Eeuo pipefail
umask 022

packaging=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
checkout=$(cd -- "$packaging/../.." && pwd -P)
readonly packaging checkout
out=$(realpath -- "$1")
: "${SOURCE_DATE_EPOCH:=$(date +%s)}"
# -g0: the folder of a build would decide on the build id
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 PYTHONHASHSEED=0 CFLAGS=-g0
work=$(mktemp -d /var/tmp/parleyd-deb.XXXXXX)
trap 'rm -rf "$work"' EXIT
readonly tree=$work/parleyd
readonly venv=$tree/opt/parley/venv

main() {
  DESTDIR=$tree "$checkout/install.sh" --install
  apt-get install -q -y --no-install-recommends dpkg-dev >"$work/apt.log" 2>&1 ||
    { cat "$work/apt.log" && exit 1; }
  settle_environment
  move_to_usr
  documents
  compile_modules
  control
  local file=$out/parleyd_${version}_$architecture.deb
  find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  # zstd: unpacked several times as fast as xz, which counts on a Pi
  dpkg-deb --root-owner-group -Zzstd -z9 -b "$tree" "$file.new" >/dev/null
  mv "$file.new" "$file"
  printf '%s: %s MB, %s MB installed\n' "${file##*/}" $(($(stat -c %s "$file") / 1000000)) \
    $(($(installed_kb) / 1000))
}

# Gives the environment the path that it has on every device, and removes traces of the build.
settle_environment() {
  local named
  named=$(readlink "$venv")
  rm "$venv"
  mv "$tree/opt/parley/$named" "$venv"
  grep -rlIZ -e "$tree" -e "$named" "$venv/bin" "$venv/pyvenv.cfg" |
    xargs -0 -r sed -i -e "s|$tree||g" -e "s|$named|venv|g"
  # ... so the scripts no longer have the recorded hashes
  find "$venv/lib" -path '*.dist-info/RECORD' -exec sed -i \
    -e 's|^\(../../../bin/[^,]*\),.*|\1,,|' -e '/direct_url.json,/d' {} +
  rm -f "$tree"/opt/parley/install.* "$venv"/{installed,runtime.txt,versions.txt,.gitignore}
  find "$venv" -name direct_url.json -delete # a folder of the build
  # only the libraries compiled here: wheels are stripped already, and strip breaks some of them
  find "$venv" \( -name 'alsaaudio*.so' -o -name '_lgpio*.so' \) -exec strip --strip-unneeded {} +
  find "$venv/lib" -name '*.so*' -type f -exec chmod a-x {} +
  # libraries of other processors and systems, of which pvporcupine chooses at run time
  python3 - "$venv" <<'PYTHON'
import os
import sys
from pathlib import Path

def machine(path):
    with path.open("rb") as file:
        head = file.read(20)
    return head[18:20] if head[:4] == b"\x7fELF" else None

own = machine(Path(os.path.realpath(sys.executable)))
for path in Path(sys.argv[1]).rglob("*"):
    if path.is_symlink() or not path.is_file():
        continue
    foreign = path.suffix in (".dll", ".dylib") or machine(path) not in (None, own)
    if foreign:
        path.unlink()
PYTHON
}

# Moves the files that install.sh puts below /etc to the folders of packages.
move_to_usr() {
  local units=$tree/usr/lib/systemd/system
  mkdir -p "$units" "$tree/usr/lib/udev"
  mv "$tree"/etc/systemd/system/parleyd.service* "$units"
  mv "$tree/etc/udev/rules.d" "$tree/usr/lib/udev/rules.d"
  mv "$tree/usr/local/bin" "$tree/usr/bin" # /usr/local belongs to the owner
  rmdir "$tree/usr/local"
  rm -r "${tree:?}/etc" # configure makes /etc/parley on the device; it belongs to the owner
  rmdir "$tree/usr/lib/systemd/system/parleyd.service.d" 2>/dev/null || true
  install -m 755 "$packaging/configure" "$tree/opt/parley/configure"
  install -m 644 "$checkout/systemd/etc_parley.sh" "$tree/opt/parley/etc_parley.sh"
}

documents() {
  local doc=$tree/usr/share/doc/parleyd
  mkdir -p "$doc" "$tree/usr/share/lintian/overrides"
  version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$checkout/daemon/parleyd/__init__.py")
  # 0.2.0.dev1 sorts before 0.2.0, and this package before one in Debian's archive
  version=$(sed -E 's/\.?(dev|a|b|rc)([0-9]+)$/~\1\2/' <<<"$version")-1~deb$(release)
  architecture=$(dpkg --print-architecture)
  gzip -9n <"$checkout/daemon/CHANGELOG.md" >"$doc/changelog.gz"
  gzip -9n >"$doc/changelog.Debian.gz" <<LOG
parleyd ($version) $(. /etc/os-release && echo "$VERSION_CODENAME"); urgency=medium

  * Built from the sources of this version; changelog.gz says what changed.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
LOG
  { cat "$packaging/debian/copyright" && sed -n '5,$ {s/^$/./; s/^/ /; p}' "$checkout/LICENSE"; } \
    >"$doc/copyright"
  install -m 644 "$packaging/debian/lintian-overrides" "$tree/usr/share/lintian/overrides/parleyd"
}

release() { (. /etc/os-release && echo "$VERSION_ID"); }

# Compiles the modules, since that takes minutes on a Pi and would leave unowned files there.
compile_modules() {
  find "$tree" -name __pycache__ -prune -exec rm -rf {} +
  find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  # one of numpy's tests cannot be compiled on purpose
  "$venv/bin/python" -I -S -m compileall -q -j 0 --invalidation-mode timestamp -s "$tree" -p / "$venv/lib" || true
}

control() {
  local debian=$tree/DEBIAN minor script depends
  install -d "$debian"
  minor=$("$venv/bin/python" -c 'import sys; print(sys.version_info.minor)')
  depends="python3 (>= 3.$minor~), python3 (<< 3.$((minor + 1))~), python3-systemd, flite, alsa-utils"
  depends+=", systemd, udev"
  # where the build uses the package of the system, the environment contains no copy
  [[ -n $(find "$venv" -name '_lgpio*.so') || $architecture != arm64 ]] || depends+=", python3-lgpio"
  (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -print0 | LC_ALL=C sort -z |
    xargs -0 md5sum | sed 's|  \./|  |') >"$work/md5sums"
  mv "$work/md5sums" "$debian/md5sums"
  cat >"$debian/control" <<CONTROL
Package: parleyd
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(installed_kb)
Depends: $depends, $(libraries)
Section: sound
Priority: optional
Description: smart-speaker daemon that can be interrupted in mid-sentence
 Parley waits for a wake word, holds a conversation through the OpenAI Realtime
 API or another server of that protocol, and stops talking when you talk. It
 cancels its own echo, drives LEDs, a button and a mute switch, and runs as a
 sandboxed service. Without a key it understands commands offline.
 .
 All Python packages are in a private environment below /opt/parley.
CONTROL
  for script in preinst postinst prerm postrm; do
    install -m 755 "$packaging/debian/$script" "$debian/$script"
  done
}

readonly maintainer=${DEBEMAIL:-Parley maintainers <parley@packages.invalid>}

installed_kb() { du -sk --apparent-size --exclude=DEBIAN "$tree" | cut -f 1; }

# The packages of the libraries that the environment's own libraries are linked with.
libraries() {
  mkdir -p "$work/debian"
  printf 'Source: parleyd\n\nPackage: parleyd\nArchitecture: any\n' >"$work/debian/control"
  local objects=()
  mapfile -d '' objects < <(find "$venv/lib" -type f -name '*.so*' -print0 | LC_ALL=C sort -z)
  cd "$work"
  # libraries that a wheel brings along belong to no package
  dpkg-shlibdeps -O --ignore-missing-info --warnings=0 -S"$tree" "${objects[@]/#/-e}" \
    >"$work/shlibs" 2>"$work/shlibs.log" || { cat "$work/shlibs.log" >&2 && exit 1; }
  sed 's/^shlibs:Depends=//' "$work/shlibs"
}

main "$@"
