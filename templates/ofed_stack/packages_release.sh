# shellcheck disable=SC2154  # had, own and want are the script's
# Take back an RDMA stack of ours, and remember what the distribution's own was.

# What a vendor's installer removes because its own packages replace them.
rdma_packages=(ibverbs-providers ibverbs-utils infiniband-diags libibumad3 libibverbs1 librdmacm1 opensm perftest
  rdma-core rdmacm-utils)

# packages_remember: what the host had of the distribution's stack before the first apply.
packages_remember() {
  local package found=()
  [[ ! -v own[before_packages] ]] || return 0
  for package in "${rdma_packages[@]}"; do
    if package_installed "$package"; then
      found+=("$package")
    fi
  done
  own[before_packages]=${found[*]}
}

release_flavour() {
  case $1 in
    mlnx_ofed) mlnx_ofed_drop ;;
    doca_ofed) doca_ofed_drop ;;
  esac
  apt_purge_unneeded "${want[packages]:-}"
}

# packages_give_back: have again what a vendor's installer took from the distribution's stack.
packages_give_back() {
  local package missing=()
  for package in ${own[before_packages]:-}; do
    package_installed "$package" || missing+=("$package")
  done
  [[ -n ${missing[*]} ]] || return 0
  (apt_ready "${missing[*]}" && apt_get install --no-install-recommends "${missing[@]}" >/dev/null) ||
    printf 'rocestack: this host had %s before; apt cannot bring them back (see above), so do it by hand.\n' "${missing[*]}" >&2
}
