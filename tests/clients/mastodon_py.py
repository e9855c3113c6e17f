"""Mastodon.py, unmodified: pages back through home, forward again, and streams; or reads
home as it is, or likes, writes and keeps lists. Says what it got, a line of JSON each.

    mastodon_py.py URL TOKEN pages | home | deeds | sse | websocket
"""

import json
import sys
import threading

from mastodon import Mastodon, StreamListener

url, token, what = sys.argv[1:]
client = Mastodon(access_token=token, api_base_url=url, ratelimit_method="throw")


def say(**values):
    print(json.dumps(values), flush=True)


def pages():
    assert client.account_verify_credentials()["username"] == "kim"
    page = client.timeline_home(limit=7)
    back = client.fetch_remaining(page)
    say(back=[str(status["id"]) for status in back], texts=[status["content"] for status in back])
    forward, last = [], "1"
    while page := client.timeline_home(min_id=last, limit=7):
        forward.extend(str(status["id"]) for status in reversed(page))
        last = page[0]["id"]
    say(forward=forward)
    newest = client.timeline_home(since_id=back[-1]["id"], limit=5)
    say(since=[str(status["id"]) for status in newest])
    one = client.status(back[0]["id"])
    say(one=str(one["id"]), author=one["account"]["acct"])
    say(lists=[entry["title"] for entry in client.lists()])


def home():
    say(home=[str(status["id"]) for status in client.timeline_home()])


def deeds():
    first = client.timeline_home()[0]
    say(liked=client.status_favourite(first["id"])["favourited"])
    say(again=client.timeline_home()[0]["favourited"])
    say(written=client.status_post("written by mastodon_py")["content"])
    made = client.list_create("Boats")
    say(made=[entry["title"] for entry in client.lists()])
    client.list_update(made["id"], "Ships")
    say(renamed=[entry["title"] for entry in client.lists()])
    client.list_delete(made["id"])
    say(removed=[entry["title"] for entry in client.lists()])


class Listener(StreamListener):
    def on_update(self, status):
        say(event="update", id=str(status["id"]), text=status["content"])

    def on_status_update(self, status):
        say(event="status.update", id=str(status["id"]), text=status["content"])

    def on_delete(self, status_id):
        say(event="delete", id=str(status_id))

    def on_notification(self, notification):
        say(event="notification", id=str(notification["id"]), text=notification["type"])

    def on_abort(self, err):
        say(event="abort", error=str(err))


def stream():
    assert client.stream_healthy()
    if what == "websocket":
        client.stream_user(Listener(), websocket_handle=client.stream_open_websocket())
    else:
        client.stream_user(Listener(), run_async=True)
    say(ready=True)
    threading.Event().wait()


{"pages": pages, "home": home, "deeds": deeds}.get(what, stream)()
