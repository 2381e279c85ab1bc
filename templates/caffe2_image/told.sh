# shellcheck shell=bash
# A pull or a push of Docker's, told every five seconds in MB; include it after host.sh.
told_program=$(
  cat <<'PYTHON'
{% include "caffe2_image/told.py" %}
PYTHON
)

# told WHAT LOG COMMAND…: run COMMAND; what it says beside its layers is in LOG. Its status is returned.
told() { python3 -c "$told_program" "$@"; }
