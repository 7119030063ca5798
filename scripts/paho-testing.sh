#!/bin/sh
# paho-testing.sh CHECKOUT DEMO: runs the interoperability suite of Eclipse paho.mqtt.testing against the embedded broker
# of a demo that runs. CHECKOUT is a folder with github.com/eclipse/paho.mqtt.testing, DEMO the demo's data folder:
#
#     onemap demo --no-simulate --scene none --data DEMO
#     scripts/paho-testing.sh CHECKOUT DEMO
#
# It fails when a test comes to something else than docs/brokers.md says.
set -eu
exec python3 "$(dirname "$0")/paho_testing.py" "$1" "$2"
