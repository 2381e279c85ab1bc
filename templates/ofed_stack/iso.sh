# shellcheck disable=SC2154  # fetch_cache is fetch.sh's
# An ISO image as a folder that is there only while this script runs; include it after fetch.sh and apt.sh.
iso_folder=$fetch_cache/iso

# iso_open IMAGE: have its files in iso_folder: mounted read-only, or unpacked where the kernel cannot mount it.
iso_open() {
  local said=''
  iso_close
  install -d -m 0755 "$iso_folder"
  trap iso_close EXIT
  modprobe -qa loop isofs 2>/dev/null || [[ $? -eq 1 ]] # a kernel that has it built in, or not at all
  if grep -qw iso9660 /proc/filesystems && said=$(mount -o loop,ro "$1" "$iso_folder" 2>&1); then
    return
  fi
  if ! command -v xorriso >/dev/null && ! command -v bsdtar >/dev/null; then
    apt_install libarchive-tools
  fi
  if command -v bsdtar >/dev/null; then
    said=$(bsdtar -xf "$1" -C "$iso_folder" 2>&1)
  else
    said=$(xorriso -osirrox on -indev "$1" -extract / "$iso_folder" 2>&1)
  fi || die "$1 can neither be mounted nor unpacked: ${said##*$'\n'}" "is there room in ${iso_folder%/*}?"
}

# iso_close: have no such folder, also after a run that was killed.
iso_close() {
  [[ -d $iso_folder ]] || return 0
  if mountpoint -q "$iso_folder"; then
    umount "$iso_folder" || die "$iso_folder cannot be unmounted." "see what uses it: fuser -vm $iso_folder"
  else
    # An unpacked image may have folders that nobody may write to.
    chmod -R u+w "$iso_folder"
  fi
  rm -rf "${iso_folder:?}"
}
