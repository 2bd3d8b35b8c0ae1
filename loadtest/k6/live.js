// A k6 scenario: every virtual user holds one live query on a WebSocket and writes documents that match it; the time from
// write to event is measured per write. Run it with
//
//   k6 run -e FRESHET_URL=http://127.0.0.1:4680 -e USERS=50 -e RATE=2 -e SECONDS=30 live.js
//
// against a server started with `freshet serve --dev`, or with -e FRESHET_TOKEN=... against any other.
import { WebSocket } from 'k6/websockets';
import http from 'k6/http';
import { check } from 'k6';
import { Trend, Counter } from 'k6/metrics';

const base = __ENV.FRESHET_URL || 'http://127.0.0.1:4680';
const token = __ENV.FRESHET_TOKEN || '';
const users = Math.min(Number(__ENV.USERS || 50), 500); // k6 needs about a third of a megabyte for each
const rate = Number(__ENV.RATE || 2); // writes a second and user
const seconds = Math.min(Number(__ENV.SECONDS || 30), 600);
const collection = 'k6';

const writeToEvent = new Trend('freshet_write_to_event', true);
const events = new Counter('freshet_events');
const outOfStep = new Counter('freshet_out_of_step'); // frames that break the wire contract

export const options = {
  scenarios: {
    live: { executor: 'per-vu-iterations', vus: users, iterations: 1, maxDuration: `${seconds + 30}s` },
  },
  thresholds: {
    freshet_out_of_step: ['count==0'],
    freshet_events: ['count>0'],
    checks: ['rate==1'],
  },
};

const headers = { 'Content-Type': 'application/json' };
if (token) {
  headers.Authorization = `Bearer ${token}`;
}

export function setup() {
  const answer = http.put(`${base}/v1/db/${collection}`, null, { headers: token ? { Authorization: headers.Authorization } : {} });
  check(answer, { 'collection is there': (r) => r.status === 200 || r.status === 201 });
}

export default function () {
  const user = `u${__VU}`;
  const sent = {}; // when the write with this number was sent
  const view = {};
  let number = 0;
  let timer;
  const socket = new WebSocket(`${base.replace(/^http/, 'ws')}/v1/live`, ['freshet.v1'], token ? { headers: { Authorization: headers.Authorization } } : {});

  const write = () => {
    const n = number++;
    const document = JSON.stringify({ user, number: n, text: 'x'.repeat(500) });
    sent[n] = Date.now();
    const answer = http.put(`${base}/v1/db/${collection}/${user}-${n % 10}`, document, { headers });
    check(answer, { 'write is accepted': (r) => r.status === 200 || r.status === 201 });
  };

  socket.onmessage = (message) => {
    const now = Date.now();
    const frame = JSON.parse(message.data);
    switch (frame.type) {
      case 'hello':
        socket.send(JSON.stringify({ type: 'subscribe', id: 's1', collection, filter: { user } }));
        break;
      case 'result':
        frame.documents.forEach((d) => { view[d._id] = true; });
        if (!frame.more && !timer) {
          timer = setInterval(write, 1000 / rate);
        }
        break;
      case 'change':
        frame.events.forEach((e) => {
          events.add(1);
          if ((e.match === 'add') === (e._id in view)) {
            outOfStep.add(1); // an add of what is there, or a change of what is not
          }
          view[e._id] = true;
          if (e.document && e.document.number in sent) {
            writeToEvent.add(now - sent[e.document.number]);
            delete sent[e.document.number];
          }
        });
        break;
      case 'ping':
        socket.send(JSON.stringify({ type: 'pong' }));
        break;
      case 'error':
        outOfStep.add(1);
        console.error(message.data);
        socket.close();
        break;
    }
  };
  socket.onerror = (e) => {
    check(e, { 'socket works': () => false });
  };
  setTimeout(() => {
    clearInterval(timer);
    setTimeout(() => {
      check(sent, { 'every write came as an event': (s) => Object.keys(s).length === 0 });
      socket.close();
    }, 2000);
  }, seconds * 1000);
}
