# shellcheck shell=bash disable=SC2154
# The files below /etc that belong to the owner of the device; sourced by systemd/device.sh and, in
# the Debian package, by /opt/parley/configure. Takes `dest` ('' but for an image).

readonly etc=$dest/etc/parley
readonly drop_in=$dest/etc/systemd/system/parleyd.service.d/keys.conf
readonly password_drop_in=$dest/etc/systemd/system/parley-mqtt.service.d/password.conf

# first_configuration DEFAULTS BOARD: prints the annotated defaults, every key commented out, so
# that the defaults of a later version or a board apply. BOARD may be empty.
first_configuration() {
  local board='#board = "usb-gpio"'
  [[ -z $2 ]] || board="board = \"$2\""
  sed -e 's/^[^#[]/#&/' -e "s/^#*board = .*/$board/" "$1"
}

# make_configuration DEFAULTS BOARD: writes /etc/parley/parley.toml, or sets only the rights of the
# existing one. Sets `configuration` to a description of the result.
make_configuration() {
  install -d -m 755 "$etc"
  configuration="kept as it is"
  if [[ -e $etc/parley.toml ]]; then
    chmod go-w,a+r "$etc/parley.toml"
    return
  fi
  first_configuration "$1" "$2" >"$etc/parley.toml.new"
  chmod 644 "$etc/parley.toml.new"
  mv "$etc/parley.toml.new" "$etc/parley.toml"
  configuration="new: it lists every key with its default, commented out"
}

# Makes each key in /etc/parley a credential of the service.
name_keys() {
  local file lines=''
  for file in "$etc"/*_key; do
    [[ -f $file ]] || continue
    roots_alone "$file"
    if [[ -f $file.cred ]]; then # systemd takes one of two lines with one name
      printf '%s is not used, because %s.cred is there; do: sudo rm one of them\n' "$file" "$file" >&2
      continue
    fi
    lines+="LoadCredential=${file##*/}:${file#"$dest"}"$'\n'
  done
  for file in "$etc"/*_key.cred; do
    [[ -f $file ]] || continue
    roots_alone "$file"
    lines+="LoadCredentialEncrypted=$(basename "$file" .cred):${file#"$dest"}"$'\n'
  done
  if [[ -z $lines ]]; then
    rm -f "$drop_in"
    return
  fi
  lines="[Service]"$'\n'$lines
  install -d -m 755 "${drop_in%/*}"
  [[ $(cat "$drop_in" 2>/dev/null) == "${lines%$'\n'}" ]] || printf '%s' "$lines" >"$drop_in"
  chmod 644 "$drop_in"
}

# Makes the password for the MQTT broker a credential of parley-mqtt.service, and of no other.
name_password() {
  local file=$etc/mqtt_password
  if [[ ! -f $file ]]; then
    rm -f "$password_drop_in"
    return
  fi
  roots_alone "$file"
  install -d -m 755 "${password_drop_in%/*}"
  printf '[Service]\nLoadCredential=mqtt_password:%s\n' "${file#"$dest"}" >"$password_drop_in"
  chmod 644 "$password_drop_in"
}

# Makes the token for the page of 24 random bytes, unless there is one; nobody else's eyes see it.
make_token() {
  local file=$etc/page_token
  if [[ ! -s $file ]]; then
    (umask 077 && head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$file.new")
    mv "$file.new" "$file"
    step "the token of the page is new: sudo cat ${file#"$dest"}"
  fi
  roots_alone "$file"
}

# A key is read by systemd, as root, and by no other user.
roots_alone() {
  chmod 600 "$1"
  ((EUID != 0)) || chown root:root "$1"
}
