// A live query over the WebSocket, for browsers and Node.js 22 (20 with --experimental-websocket). Nothing to install.
//
//   node live.mjs http://127.0.0.1:4680 '{"collection":"pages","sort":"-views","limit":3}'
//
// show(view) is called with the documents of the result, at first and after each change of it.
export function live(server, query, show, token) {
  let view = [], parts = [], stands = {}, failures = 0, socket, timer, ended = false

  const frame = {
    hello: () => { failures = 0 },
    ping: () => socket.send('{"type":"pong"}'),
    subscribed: f => { stands.queryKey = f.queryKey },
    result: f => {
      parts.push(...f.documents)
      if (f.more) return // a large result comes in parts, and counts with the last one
      view = parts
      parts = []
      arrived(f)
    },
    change: f => { f.events.forEach(apply); arrived(f) },
    progress: f => { stands.since = f.position },
    error: f => { ended = true; socket.close(); throw new Error(`${f.problem.code}: ${f.problem.detail}`) },
  }
  const arrived = f => { stands.since = f.position; show(view) }

  function apply(e) { // a result without an order has no indexes: then the place does not matter
    if (e.match !== 'add') view.splice(e.previousIndex ?? e.index ?? view.findIndex(d => d._id === e._id), 1)
    if (e.match !== 'remove') view.splice(e.index ?? view.length, 0, e.document)
  }

  function connect() {
    let open = true
    const lost = code => { // from 4500 on it would end the same way again
      if (open && !ended && code < 4500) timer = setTimeout(connect, Math.random() * Math.min(10_000, 200 * 2 ** failures++))
      open = false
    }
    parts = []
    socket = new WebSocket(server.replace(/^http/, 'ws') + '/v1/live', 'freshet.v1')
    socket.onopen = () => {
      if (token) socket.send(JSON.stringify({ type: 'auth', token }))
      socket.send(JSON.stringify({ ...query, ...(stands.since && stands), type: 'subscribe', id: 'q' }))
    }
    socket.onmessage = m => { const f = JSON.parse(m.data); frame[f.type]?.(f) }
    socket.onclose = e => lost(e.code)
    socket.onerror = () => lost(1006) // Node.js 20 closes nothing that was never open
  }
  connect()
  return () => { ended = true; clearTimeout(timer); socket.close() }
}

if (globalThis.process?.argv[1] === new URL(import.meta.url).pathname) {
  const [server, query] = process.argv.slice(2)
  live(server, JSON.parse(query), view => console.log(JSON.stringify(view)), process.env.FRESHET_TOKEN)
}
