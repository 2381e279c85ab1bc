# shellcheck disable=SC2034  # the script that includes this reads `want`
# Read the wanted settings from standard input into the associative array `want`.
#
# A line is  key: 'value'  (YAML to the engine, which then prints a diff per key; a quote in a value is
# doubled). Values come only this way, so no script holds one and every script can be linted as it is.
# Before 4.4 (Ubuntu 16.04 has 4.3) bash takes an empty array for a name that was never set.
[[ ${BASH_VERSINFO[0]}${BASH_VERSINFO[1]} -ge 44 ]] || set +u
declare -A want=()
while IFS= read -r line || [[ -n $line ]]; do
  [[ $line =~ ^([a-z][a-z0-9_]*):\ \'(.*)\'$ ]] || {
    printf 'rocestack: this is not a setting line: %s\n' "$line" >&2
    exit 64
  }
  want[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]//"''"/"'"}
done
