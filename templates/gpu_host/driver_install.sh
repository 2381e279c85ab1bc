# shellcheck disable=SC2154  # want is prelude.sh's, own and had are record.sh's
# Where the driver's packages come from, and how they come and stay; include it after apt.sh, fetch.sh,
# repository.sh, driver_packages.sh and driver_read.sh.
pin=/etc/apt/preferences.d/rocestack-nvidia-driver
local_key=/etc/apt/trusted.gpg.d/rocestack-nvidia-driver.gpg

# driver_kept: the driver is built and came as it is wanted, so there is nothing to fetch or to install.
driver_kept() {
  local name version
  [[ $(driver_built) == "${want[version]}" && -e $pin ]] && package_installed cuda-drivers || return 1
  [[ ${want[package_version]} == any || $(dpkg-query -W -f '${Version}' cuda-drivers) == "${want[package_version]}" ]] || return 1
  driver_pin | cmp -s - "$pin" && [[ $(stat -c %a "$pin") == 644 ]] || return 1
  if [[ ${want[source]} == repo ]]; then
    repository_kept nvidia-driver
  else
    read -r name version <<<"${own[before_repo]:-}"
    driver_source_kept "$name" "$version" "${own[before_keyring]:-}"
  fi
}

driver_pin() {
  filled <<'PIN'
{% include "gpu_host/driver_pin.conf" %}
PIN
}

# local_repo: have the vendor's package that holds a repository; REPLY is its name.
local_repo() {
  local file name list
  fetch "${want[package]}" "${want[package_sha256]}" "${want[package_md5]}"
  file=$REPLY
  name=$(dpkg-deb -f "$file" Package) || die "$file is no Debian package." "is gpu.package the driver's local-repo .deb?"
  if [[ ${own[before_repo]:-} != "$name $(dpkg-deb -f "$file" Version)" ]] || ! package_installed "$name"; then
    own[installed]=$(tr ' ' '\n' <<<"${own[installed]:-} $name" | LC_ALL=C sort -u | xargs)
    record_write
    dpkg --force-confold -i "$file" >/dev/null || die "dpkg could not unpack $file." "see its own words above."
    own[before_repo]="$name $(dpkg-deb -f "$file" Version)"
    record_write
  fi
  list=$(dpkg -L "$name" | grep -m 1 '^/etc/apt/sources.list.d/.*\.list$') ||
    die "the package $name brings no apt repository." "is gpu.package the driver's local-repo .deb?"
  local_repo_key "$list"
  repository_update "$list" || die "apt cannot use the repository of $name: $repository_said"
  REPLY=$name
}

# local_repo_key LIST: have the key where apt looks for it. The whole package was checked by its sum, so the key
# in it is the vendor's. Its release notes have a person do this by hand.
local_repo_key() {
  local line folder keyring key
  line=$(grep -m 1 '^deb ' "$1")
  # file:///var/… or file:/var/…, then a blank.
  [[ $line =~ file:/*(/[^ ]+) ]] || die "$1 names no folder of this host: $line"
  folder=${BASH_REMATCH[1]%/}
  if [[ $line =~ signed-by=([^] ]+) ]]; then
    keyring=${BASH_REMATCH[1]}
    [[ ! -e $keyring ]] || return 0
    key=$(find "$folder" -maxdepth 1 -name '*keyring.gpg' -print -quit)
    [[ -n $key ]] || die "the repository in $folder wants the key $keyring and does not have it."
    own[before_keyring]=$keyring
    record_write
    put_file "$keyring" 644 <"$key"
    return
  fi
  key=$(find "$folder" -maxdepth 1 -name '*.pub' -print -quit)
  [[ -n $key ]] || die "the repository in $folder has no key (*.pub)."
  apt_key "$key" "$(apt_key "$key" | head -n 1)" "$local_key.new" >/dev/null || die "the key $key cannot be read."
  put_file "$local_key" 644 <"$local_key.new"
  rm -f "$local_key.new"
  own[before_keyring]=$local_key
  record_write
}

# driver_install: have cuda-drivers and all that it brings in the wanted version, and kept at it.
driver_install() {
  local candidate installed=()
  # One version counts for all packages of the driver, also when its repository has a newer one tomorrow.
  driver_pin | put_file "$pin" 644
  candidate=$(LC_ALL=C apt-cache policy cuda-drivers | sed -nE 's/^ *Candidate: //p')
  if [[ ${candidate%%-*} != "${want[version]}" ]] || [[ ${want[package_version]} != any && $candidate != "${want[package_version]}" ]]; then
    die "the driver's repository has cuda-drivers ${candidate:-in no version}, not ${want[version]}." "correct gpu.version or where the driver comes from."
  fi
  if package_installed cuda-drivers; then
    # One by one: cuda-drivers itself is content with newer ones.
    mapfile -t installed < <(driver_packages | cut -d ' ' -f 1)
    apt_get install --no-install-recommends --allow-downgrades "${installed[@]}" >/dev/null ||
      die "apt could not bring the driver to ${want[version]}." "see its own words above, then run up again."
  else
    apt_install cuda-drivers
  fi
}

display_running() { [[ $(systemctl is-active display-manager.service 2>/dev/null) == active ]]; }

# A display server holds the driver's modules; whoever uses it is asked for nothing, as the guide has it.
display_stop() {
  display_running || return 0
  printf 'rocestack: the display manager is stopped while the driver changes.\n' >&2
  systemctl stop display-manager.service || die "the display manager does not stop." "on the host: systemctl status display-manager"
  display_stopped=yes
}

display_start() {
  [[ ${display_stopped:-no} == no ]] || systemctl start display-manager.service ||
    die "the display manager does not start again." "on the host: systemctl status display-manager"
}
