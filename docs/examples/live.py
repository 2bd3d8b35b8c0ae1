"""A live query as server-sent events, with nothing but Python's standard library (3.9 or newer).

    python3 live.py http://127.0.0.1:4680 pages sort=-views limit=3
"""
import http.client, json, os, random, sys, time, urllib.error, urllib.parse, urllib.request


def live(server, collection, token=None, **query):
    """Yields the documents of the result, at first and after each change of it, through lost connections."""
    url = f"{server}/v1/db/{collection}?{urllib.parse.urlencode(query)}"
    headers = {"Accept": "text/event-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    view, failures = [], 0
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=40) as stream:
                parts = []
                for event, data, last in events(stream):
                    failures = 0
                    if event == "problem":
                        raise SystemExit(f"{data['code']}: {data['detail']}")
                    if event == "result":
                        parts += data["documents"]
                        if not data["more"]:  # a large result comes in parts, and counts with the last one
                            view, parts = parts, []
                            yield view
                    elif event == "change":
                        for e in data["events"]:
                            apply(view, e)
                        yield view
                    if last:  # the view stands there: go on from it
                        headers["Last-Event-ID"] = last
        except urllib.error.HTTPError as refused:
            problem = json.load(refused)
            if not problem["retryable"]:
                raise SystemExit(f"{problem['code']}: {problem['detail']}")
        except (OSError, http.client.HTTPException):
            pass  # the server is away, or was silent for too long (a comment comes every 15 s)
        failures += 1
        time.sleep(random.random() * min(10, 0.2 * 2**failures))


def apply(view, e):
    """A result without an order has no indexes: then the place does not matter."""
    if e["match"] != "add":
        ids = [d["_id"] for d in view]
        del view[e.get("previousIndex", e.get("index", ids.index(e["_id"])))]
    if e["match"] != "remove":
        view.insert(e.get("index", len(view)), e["document"])


def events(stream):
    """The events of a stream: name, data, id. An id alone moves the position on."""
    event, data, last = "", None, ""
    for line in stream:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            event = value
        elif field == "data":
            data = json.loads(value)
        elif field == "id":
            last = value
        elif field == "" and (data or last):
            yield event, data, last
            event, data, last = "", None, ""


if __name__ == "__main__":
    options = dict(option.split("=", 1) for option in sys.argv[3:])
    for documents in live(sys.argv[1], sys.argv[2], os.environ.get("FRESHET_TOKEN"), **options):
        print(json.dumps(documents, separators=(",", ":")), flush=True)
