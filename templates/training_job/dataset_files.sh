# What the data step owns under a data_path; include it before its use.
# shellcheck disable=SC2034,SC2329  # a script uses what it needs
dataset_files=(manifest train_lmdb val_lmdb mean.binaryproto .rocestack-new)

# drop_dataset PATH: remove the data under PATH and the folders that were made for it, where empty now.
drop_dataset() {
  local name folder
  for name in "${dataset_files[@]}"; do
    rm -rf "${1:?}/$name"
  done
  for folder in ${own[installed]:-}; do
    [[ ! -d $folder ]] || rmdir --ignore-fail-on-non-empty "$folder"
  done
}
