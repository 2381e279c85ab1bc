#!/bin/sh
# rocestack: openibd runs this after it has loaded the driver, which then knows nothing of what was set before.
systemctl --no-block restart 'rocestack-address@*.service' 'rocestack-qos@*.service'
