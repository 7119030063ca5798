"""Runs Eclipse's interoperability tests as devices of a running demo; see paho-testing.sh.

The suite knows no logins and uses topics of its own. Here its clients log in as two devices of the demo, one as each
client id, and the rest is as it stands there. What a broker of devices does not do is in DIFFERS, with why: such a test
must fail, and every other must pass.
"""

import importlib
import io
import json
import os
import signal
import sys
import unittest

TOPICS = "publishes to and subscribes to topics of its own: a device has its obs, its status and its cmd"
WILL = TOPICS + "; the will is not a status, so it is not spoken"
DOLLAR = "publishes to a topic that begins with $, which ends the connection"
DIFFERS = {
    "client_test": {
        "testBasic": TOPICS,
        "test_retained_messages": TOPICS,
        "test_offline_message_queueing": TOPICS,
        "test_overlapping_subscriptions": TOPICS,
        "test_keepalive": WILL,
        "test_redelivery_on_reconnect": TOPICS,
        "test_dollar_topics": DOLLAR,
        "test_unsubscribe": TOPICS,
    },
    "client_test5": {
        "test_basic": TOPICS,
        "test_retained_message": TOPICS,
        "test_will_message": WILL,
        "test_offline_message_queueing": TOPICS,
        "test_overlapping_subscriptions": TOPICS,
        "test_keepalive": WILL,
        "test_redelivery_on_reconnect": TOPICS,
        "test_unsubscribe": TOPICS,
        "test_request_response": TOPICS,
        "test_server_topic_alias": TOPICS,
        "test_maximum_packet_size": TOPICS,
        "test_flow_control1": TOPICS,
        "test_flow_control2": "reading pauses when too much is unanswered: a device is not put out for what it sends",
        "test_payload_format": TOPICS,
        "test_publication_expiry": TOPICS,
        "test_server_keep_alive": "expects the 60 s of another broker: 120 s are within the limit here",
        "test_shared_subscriptions": TOPICS,
        "test_subscribe_identifiers": TOPICS,
        "test_subscribe_options": TOPICS,
        "test_subscribe_failure": "expects 0x80 for a filter that is refused: version 5 has 0x87, which the suite's client does not know",
        "test_dollar_topics": DOLLAR,
        "test_user_properties": TOPICS,
        "test_will_delay": WILL,
    },
}


def devices(demo):
    """The broker's host and port, and the id and the secret of two devices."""
    with open(os.path.join(demo, "demo.json"), encoding="utf-8") as f:
        host, port = json.load(f)["mqtt"].rsplit(":", 1)
    with open(os.path.join(demo, "secrets.json"), encoding="utf-8") as f:
        secrets = json.load(f)["devices"]
    return host, int(port), [(id, secrets[id]) for id in sorted(secrets)[:2]]


def log_in(client, logins):
    """Makes a client class log in, whatever the test says."""
    connect = client.connect

    def with_login(self, *args, **kwargs):
        id = self.clientid if isinstance(self.clientid, str) else self.clientid.decode()
        user, secret = logins[0 if id == "myclientid" else 1]
        kwargs["username"], kwargs["password"] = user, secret.encode()
        return connect(self, *args, **kwargs)

    client.connect = with_login


class Bounded(unittest.TestResult):
    """Ends a test that waits for ever for what a broker of devices does not send."""

    def startTest(self, test):
        super().startTest(test)
        signal.alarm(60)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)


def late(signum, frame):
    raise TimeoutError("the test waits for ever")


def run(name, host, port, logins):
    """The outcome of each test of a module: None when it passed, else the last line of what went wrong."""
    module = importlib.import_module(name)
    module.host, module.port = host, port
    log_in(module.mqtt_client.Client, logins)
    module.topics = ("TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA")
    module.wildtopics = ("TopicA/+", "+/C", "#", "/#", "/+", "+/+", "TopicA/#")
    module.nosubscribe_topics = ("test/nosubscribe",)
    module.topic_prefix = "client_test5/"
    if hasattr(module, "setData"):
        module.setData = lambda: None  # it would set them anew, and the host with them
    result = Bounded()
    signal.signal(signal.SIGALRM, late)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(module.Test)
    names = [test.id().split(".")[-1] for test in suite]
    talk, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), io.StringIO(), io.StringIO()
    try:
        suite.run(result)
    finally:
        sys.stdout, sys.stderr = talk
    outcome = dict.fromkeys(names)
    for test, trace in result.failures + result.errors:
        if test.id().startswith("setUpClass"):
            sys.exit(f"{name} cannot begin: {trace}")
        outcome[test.id().split(".")[-1]] = trace.strip().splitlines()[-1]
    return outcome


def main(checkout, demo):
    sys.path.insert(0, os.path.join(checkout, "interoperability"))
    host, port, logins = devices(demo)
    wrong = 0
    for name, differs in DIFFERS.items():
        for test, why in sorted(run(name, host, port, logins).items()):
            expected = differs.get(test)
            if (why is None) == (expected is None):
                print(f"{name}.{test}: " + ("passes" if why is None else f"differs: {expected}"), flush=True)
                continue
            wrong += 1
            print(f"{name}.{test}: " + (f"FAILS: {why}" if why else "PASSES, although it is listed as one that differs"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
