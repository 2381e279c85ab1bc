# The data made on this host; include it after dataset_files.sh. Needs `path`.
# shellcheck disable=SC2154  # want is prelude.sh's, path the script's

# in_image ARGUMENT…: the image's own tool on the data, with no more than it needs. Folders of archives, by their kinds,
# are in `archives`.
declare -A archives=()
in_image() {
  local kind mounts=()
  for kind in "${!archives[@]}"; do
    mounts+=(--volume "${archives[$kind]%/*}:/archives/$kind:ro")
  done
  # One that a killed run left behind must not write beside this one.
  docker rm --force rocestack-dataset >/dev/null 2>&1 || :
  docker run --rm --name rocestack-dataset --network none --read-only --tmpfs /tmp --cap-drop ALL \
    --cap-add DAC_OVERRIDE --security-opt no-new-privileges --volume "$path:$path" "${mounts[@]}" \
    "${want[image_id]}" rocestack-dataset "$@" </dev/null
}

# archive KIND: have the archive on this host; archives[KIND] is its path.
archive() {
  local source=${want[$1_source]} md5=${want[$1_md5]} folder said sum
  if [[ $source == /* ]]; then
    [[ -f $source ]] ||
      die "$HOSTNAME has no $source, the archive dataset.$1.source." "copy it there, or set another path or a URL; docs/how-to/imagenet.md."
    archives[$1]=$source
    return
  fi
  folder=$path/.rocestack-download/$md5
  archives[$1]=$folder/${source##*/}
  [[ ! -e ${archives[$1]} ]] || return 0
  mkdir -p "$folder"
  printf 'fetching %s\n' "$source" >&2
  # As common/fetch.sh has it; but beside the data, whose disk is the one with room for it.
  if ! said=$(LC_ALL=C /usr/lib/apt/apt-helper download-file "$source" "$folder/part" 2>&1); then
    rm -f "$folder/part.FAILED"
    said=$(grep -m 1 '^E: ' <<<"$said") || said='no word why'
    [[ $said != *'No space left on device'* ]] ||
      die "$HOSTNAME has no room in $path for $source: $(($(stat -f -c '%a * %S' "$path") / 1000000)) MB are free." "make room there, or choose another training.data_path; the next up goes on where this one ended."
    die "$HOSTNAME cannot fetch $source: $said" "is the address right and reachable from this host, and is there room in $path?"
  fi
  read -r sum _ < <(md5sum "$folder/part")
  if [[ $sum != "$md5" ]]; then
    rm -rf "$folder"
    die "$source has the md5 $sum, not $md5. Nothing of it was used." "ask its publisher for the right sum; correct dataset.$1.md5 only then."
  fi
  mv "$folder/part" "${archives[$1]}"
}

make_dataset() {
  local kind arguments=()
  need labels resize encoding workers train_source train_md5 val_source val_md5 lists_source lists_md5
  if [[ -e $path/manifest ]] && in_image check "$path" --name "${want[dataset]}" >&2; then
    return
  fi
  for kind in train val lists; do
    archive "$kind"
    arguments+=("--$kind" "/archives/$kind/${archives[$kind]##*/}" "--$kind-md5" "${want[${kind}_md5]}")
  done
  in_image make "$path" --name "${want[dataset]}" "${arguments[@]}" --labels "${want[labels]}" \
    --resize "${want[resize]}" --encoding "${want[encoding]}" --workers "${want[workers]}" >&2 ||
    die "$HOSTNAME could not make the training data in $path." "the line above says why; what was done already is kept, and the next up goes on there."
  rm -rf "$path/.rocestack-download"
}
