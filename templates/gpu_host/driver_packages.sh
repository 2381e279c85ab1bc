# driver_packages: the packages of an NVIDIA driver on this host, NAME VERSION a line, also half-installed ones.
# Container tools and the vendor's repository packages are no driver.
driver_packages() {
  dpkg-query -W -f '${db:Status-Status} ${binary:Package} ${Version}\n' \
    'nvidia-*' 'libnvidia-*' 'cuda-drivers*' 'xserver-xorg-video-nvidia*' 2>/dev/null |
    awk '$1 != "not-installed" && $1 != "config-files" &&
      $2 !~ /^(lib)?nvidia-container|^nvidia-(docker|prime|persistenced-run|driver-local-repo|local-repo)/ { print $2, $3 }'
}

# driver_leftovers VERSION: those of another version that the driver step did not bring.
driver_leftovers() {
  local package version ours=' '
  if [[ -e /var/lib/rocestack/gpu_host.driver ]]; then
    ours=" $(sed -nE "s/^installed: '(.*)'$/\1/p" /var/lib/rocestack/gpu_host.driver) "
  fi
  while read -r package version; do
    version=${version#*:}
    if [[ ${version%%-*} != "$1" && $ours != *" ${package%:*} "* ]]; then
      printf '%s\n' "$package"
    fi
  done < <(driver_packages)
}
