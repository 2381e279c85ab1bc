# shellcheck disable=SC2154  # own is record.sh's, cdi_spec is runtime_read.sh's
# How the GPU runtime's parts go; include it after packages.sh and runtime_read.sh.

# runtime_forget PACKAGE: purge it if we brought it. nvidia-docker2 takes daemon.json for its own when it is
# purged, and what the engine needs is in there.
runtime_forget() {
  local kept=''
  [[ " ${own[installed]:-} " == *" $1 "* && -n $(packages_there "$1") ]] || return 0
  [[ ! -e /etc/docker/daemon.json ]] || kept=$(</etc/docker/daemon.json)
  packages_forget "$1"
  [[ -z $kept || -e /etc/docker/daemon.json ]] || put_file /etc/docker/daemon.json 644 <<<"$kept"
}

# runtime_cdi_drop: have no specification of ours, and the engine's setting as it was.
runtime_cdi_drop() {
  daemon_json_give_back features.cdi cdi_feature true
  unset "own[before_cdi_feature]" "own[made_cdi]"
  if [[ -z ${own[before_cdi]:-} ]]; then
    drop_file "$cdi_spec"
    [[ ! -d ${cdi_spec%/*} ]] || rmdir --ignore-fail-on-non-empty "${cdi_spec%/*}"
  fi
}
