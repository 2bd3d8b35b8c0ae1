package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/freshetdb/freshet/internal/e2e/follow"
	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
	"github.com/freshetdb/freshet/loadtest/process"
)

// TestCrash is statement 3: kill -9 in the middle of concurrent writes, again and again on one data folder.
func TestCrash(t *testing.T) {
	rounds := *roundsFlag
	if rounds == 0 {
		rounds = 15
		if testing.Short() {
			rounds = 3
		}
	}
	for _, arguments := range [][]string{
		{"--log-partitions", "1"}, {"--log-partitions", "3"}, {"--log-partitions", "1", "--durability", "os"},
	} {
		t.Run(strings.Join(arguments, "="), func(t *testing.T) {
			c := newCrashes(t, arguments)
			for range rounds {
				c.round()
			}
			c.check(c.start())
			t.Logf("%d rounds, %d acknowledged writes, %d refused, %d in flight at a crash, of which %d were made; %d of them were repeated; %d changes came by resuming",
				rounds, c.acknowledged.Load(), c.refused.Load(), c.inFlight, c.made, c.repeated, c.resumes)
			if c.acknowledged.Load() == 0 || c.refused.Load() == 0 {
				t.Error("nothing was written, or nothing refused")
			}
		})
	}
}

const (
	crashWriters  = 8
	crashKeys     = 6 // of one writer
	crashCounters = 3 // of all writers
	collection    = "pages"
	marker        = "refused" // stands in every document that must never be stored
)

// crashes is one data folder and what must be in it.
type crashes struct {
	t         *testing.T
	g         generator
	data      string
	arguments []string
	server    *process.Process

	keys     map[string]*ledger
	counters [crashCounters]*counter
	watched  map[string]*follow.Follower // live queries by id, each resumed in the next round
	resumes  int                         // that went on from their position

	acknowledged, refused atomic.Int64
	inFlight, made        int
	repeated              int
}

// ledger is what is known of one key. Between rounds it belongs to the test, in a round to its writer.
type ledger struct {
	id      string
	stored  oracle.Object // the last acknowledged state, nil if there is no document
	pending *attempt      // the write whose answer did not come
	lost    *lostAnswer   // the same as a request that can be repeated; nil: it had no key
	seen    map[string]bool
}

// attempt is a write in flight: what it makes of the stored document.
type attempt struct {
	fields oracle.Object // nil: a delete
}

// lostAnswer is a request with an idempotency key whose answer did not come.
type lostAnswer struct {
	method, path string
	body         []byte
	headers      []string
	before       oracle.Object // what was stored when it was sent
	attempt      *attempt
}

// counter is a document that all writers count up.
type counter struct {
	id           string
	acknowledged atomic.Int64
	inFlight     atomic.Int64
}

func newCrashes(t *testing.T, arguments []string) *crashes {
	c := &crashes{t: t, g: generator{random(t)}, data: t.TempDir(), arguments: arguments, keys: map[string]*ledger{}}
	for w := range crashWriters {
		for k := range crashKeys {
			id := fmt.Sprintf("w%d-%d", w, k)
			c.keys[id] = &ledger{id: id}
		}
	}
	address := c.start()
	client := wire.NewClient(address, 1)
	defer client.Close()
	for i := range c.counters {
		c.counters[i] = &counter{id: fmt.Sprintf("counter-%d", i)}
		answer, err := client.Do("PUT", wire.Document(collection, c.counters[i].id), []byte(`{"n":0}`))
		if err != nil || answer.Status != 201 {
			t.Fatalf("%v %v", answer, err)
		}
	}
	c.kill()
	return c
}

func (c *crashes) start() string {
	c.t.Helper()
	var err error
	if c.server, err = process.Start(binary, process.Dev(c.data, c.arguments...)...); err != nil {
		c.t.Fatal(err)
	}
	server := c.server
	c.t.Cleanup(func() { c.report(server.Kill()) })
	return c.server.Listen
}

func (c *crashes) kill() {
	c.t.Helper()
	if err := c.server.Kill(); err != nil {
		c.t.Fatal(err)
	}
	if strings.Contains(c.server.Stderr(), "DATA RACE") {
		c.t.Fatalf("the server has a data race:\n%s", c.server.Stderr())
	}
}

func (c *crashes) report(err error) {
	if err != nil {
		c.t.Error(err)
	}
}

// round starts the server, checks what it holds, writes with all writers, kills it, and checks what a live query was
// told against what the next start holds (in the next round's check).
func (c *crashes) round() {
	c.t.Helper()
	address := c.start()
	c.check(address)
	c.repeatLost(address)
	session := c.watch(address)
	var reader, writers sync.WaitGroup
	reader.Go(func() { c.readToEnd(session) })
	killAfter := int64(1 + c.g.IntN(400))
	var answers atomic.Int64
	kill := make(chan struct{})
	answered := func() {
		if answers.Add(1) == killAfter {
			close(kill)
		}
	}
	for w := range crashWriters {
		g := generator{rand.New(rand.NewPCG(c.g.Uint64(), 4))}
		writers.Go(func() { c.write(g, address, w, answered) })
	}
	<-kill
	c.kill()
	writers.Wait()
	reader.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
	c.compareWatched(c.watched["all"].View)
}

// crashQueries are live while the server is killed, and go on after it: everything, and windows that change a lot.
var crashQueries = map[string]oracle.Query{
	"all":    {},
	"top":    {Sort: []oracle.SortField{{Path: "v", Descending: true}}, Limit: 7},
	"window": {Sort: []oracle.SortField{{Path: "n"}, {Path: "v"}}, Skip: 3, Limit: 10},
}

const markerID = "marker" // written by the test itself before each round

// watch opens the live queries, or goes on with them, writes a document, and reads until each shows what the oracle holds.
// Only a new time line is a reason to begin anew.
func (c *crashes) watch(address string) *wire.Session {
	c.t.Helper()
	session, _, err := wire.Dial(address)
	if err != nil {
		c.t.Fatal(err)
	}
	newTimeLine := strings.Contains(strings.Join(c.arguments, " "), "os")
	resumed := c.watched != nil
	before := map[string]*follow.Follower{}
	for id, q := range crashQueries {
		f, since := follow.New(q), ""
		if resumed {
			f, since = c.watched[id].Resume(), c.watched[id].Position
		}
		before[id] = f
		if err := session.Subscribe(id, collection, q, since); err != nil {
			c.t.Fatal(err)
		}
	}
	c.watched = before
	client := wire.NewClient(address, 1)
	defer client.Close()
	answer, err := client.Do("PUT", wire.Document(collection, markerID), fmt.Appendf(nil, `{"v":"~%d"}`, c.resumes))
	if err != nil || answer.Status/100 != 2 {
		c.t.Fatalf("%v %v", answer, err)
	}
	written := answer.Object()
	c.keys[markerID] = &ledger{id: markerID, stored: written, seen: map[string]bool{written.Text("_rev"): true}}
	for differ := c.differ(); differ != ""; differ = c.differ() {
		frame, step := c.next(session, differ)
		if step.Type == "result" && !step.Partial && step.Reset != resumed {
			c.t.Fatalf("resumed %v, and a result: %.300s", resumed, frame.Raw)
		}
		if step.Reset && (step.Reason != "other-timeline" || !newTimeLine) {
			c.t.Fatalf("reset because of %q", step.Reason)
		}
		if step.Type == "change" && resumed && !newTimeLine {
			c.resumes++
		}
	}
	return session
}

// differ says how the live queries differ from what the oracle holds, "" if they show just that.
func (c *crashes) differ() string {
	for id, f := range c.watched {
		want, err := f.Query.Run(c.all())
		if err != nil {
			c.t.Fatal(err)
		}
		if differ := follow.Same(f.Query, f.View, want); differ != "" || !f.Live() {
			return fmt.Sprintf("the live query %s (live: %v): %s", id, f.Live(), differ)
		}
	}
	return ""
}

// next applies the next frame of a live query.
func (c *crashes) next(session *wire.Session, waitsFor string) (wire.Frame, follow.Step) {
	c.t.Helper()
	for {
		frame, err := session.Next(frameWait)
		if err != nil {
			c.t.Fatalf("%v, waiting for %s", err, waitsFor)
		}
		if frame.Type == "progress" {
			continue
		}
		step, err := c.watched[frame.ID].Apply(frame)
		if err != nil {
			c.t.Fatal(err)
		}
		return frame, step
	}
}

// all is every document that is stored for certain; only between check and the first write.
func (c *crashes) all() []oracle.Object {
	var out []oracle.Object
	for _, k := range c.keys {
		if k.stored != nil {
			out = append(out, k.stored)
		}
	}
	return out
}

func (c *crashes) readToEnd(session *wire.Session) {
	for {
		frame, err := session.Next(frameWait)
		if errors.Is(err, wire.ErrTimeout) || errors.Is(err, wire.ErrForm) {
			c.report(err)
		}
		if err != nil {
			break
		}
		if frame.Type == "progress" {
			continue
		}
		if _, err := c.watched[frame.ID].Apply(frame); err != nil {
			c.report(err)
			break
		}
	}
	_ = session.Close() // the server was killed
}

// write makes random writes to the writer's own keys and to the counters until the server is gone.
func (c *crashes) write(g generator, address string, writer int, answered func()) {
	client := wire.NewClient(address, 1)
	defer client.Close()
	for n := 0; ; n++ {
		var err error
		switch {
		case g.chance(20):
			err = c.count(client, pick(g, c.counters[:]...))
		case g.chance(15):
			err = c.writeRefused(g, client, writer)
		default:
			k := c.keys[fmt.Sprintf("w%d-%d", writer, g.IntN(crashKeys))]
			err = c.writeKey(g, client, k, fmt.Sprintf("%d/%d", writer, n))
		}
		if err != nil {
			return
		}
		answered()
	}
}

// errGone ends a writer: the server did not answer.
var errGone = errors.New("the server is gone")

func (c *crashes) count(client *wire.Client, n *counter) error {
	n.inFlight.Add(1)
	answer, err := client.Do("PATCH", wire.Document(collection, n.id), []byte(`{"$inc":{"n":1}}`))
	switch {
	case err != nil || answer.Code() == "outcome-unknown":
		return errGone // stays in flight
	case answer.Status == 200:
		n.acknowledged.Add(1)
		c.acknowledged.Add(1)
	case answer.Code() == "write-contended" || answer.Code() == "draining":
		c.refused.Add(1)
	default:
		c.report(fmt.Errorf("count up: %v", answer))
	}
	n.inFlight.Add(-1)
	return nil
}

// writeKey makes one write to a key of the writer's own.
func (c *crashes) writeKey(g generator, client *wire.Client, k *ledger, value string) error {
	path := wire.Document(collection, k.id)
	set := oracle.Object{{Name: "v", Value: value}, {Name: "pad", Value: strings.Repeat("x", g.IntN(2000))}}
	a := &attempt{fields: set}
	var headers []string
	method, body := "PUT", set
	switch n := g.IntN(10); {
	case k.stored == nil && n < 5:
		method, path = "POST", wire.Collection(collection)
		body = set.With("_id", k.id)
	case k.stored != nil && n < 4:
		method, body = "PATCH", oracle.Object{{Name: "$set", Value: set}, {Name: "$inc", Value: oracle.Object{{Name: "n", Value: int64(1)}}}}
		fields, err := oracle.Apply(k.stored.Without(metadata...), body)
		c.report(err)
		a.fields = fields
	case k.stored != nil && n < 7:
		method, body, a.fields = "DELETE", nil, nil
	}
	if k.stored != nil && g.chance(30) {
		headers = []string{"If-Match", `"` + k.stored.Text("_rev") + `"`}
	}
	k.pending, k.lost = a, nil
	var text []byte
	if body != nil {
		text = oracle.Encode(body)
	}
	if g.chance(50) {
		headers = append(headers, "Idempotency-Key", fmt.Sprintf("%s-%d", k.id, g.Uint64()))
		k.lost = &lostAnswer{method, path, text, headers, k.stored, a}
	}
	answer, err := client.Do(method, path, text, headers...)
	if err != nil || answer.Code() == "outcome-unknown" {
		return errGone
	}
	k.pending, k.lost = nil, nil
	if answer.Status/100 != 2 {
		if answer.Code() == "draining" || answer.Code() == "overloaded" {
			c.refused.Add(1)
			return nil
		}
		c.report(fmt.Errorf("%s %s: %v", method, path, answer))
		return errGone
	}
	c.acknowledged.Add(1)
	var got oracle.Object
	if method != "DELETE" {
		got = answer.Object()
	}
	if why := a.made(k.stored, got); why != "" {
		c.report(fmt.Errorf("%s %s: %s: %v", method, path, why, answer))
	}
	k.stored = got
	k.seen[got.Text("_rev")] = true
	return nil
}

// made says why got is not what the attempt makes of before; "" if it is.
func (a *attempt) made(before, got oracle.Object) string {
	if a.fields == nil || got == nil {
		if (a.fields == nil) != (got == nil) {
			return "a delete that left a document, or a write that left none"
		}
		return ""
	}
	if !oracle.SameFields(got.Without(metadata...), a.fields) {
		return "want the fields " + string(oracle.Encode(a.fields))
	}
	return follows(before, got)
}

// writeRefused makes a write that the server must refuse; its content must never be seen again.
func (c *crashes) writeRefused(g generator, client *wire.Client, writer int) error {
	k := c.keys[fmt.Sprintf("w%d-%d", writer, g.IntN(crashKeys))]
	body := oracle.Encode(oracle.Object{{Name: "_id", Value: k.id}, {Name: "v", Value: marker}})
	method, path, status := "PUT", wire.Document(collection, k.id), 412
	headers := []string{"If-Match", `"7-00000000000000000000"`}
	switch {
	case k.stored != nil && g.chance(50):
		method, path, status, headers = "POST", wire.Collection(collection), 409, nil
	case k.stored != nil && g.chance(50):
		headers = []string{"If-None-Match", "*"}
	case g.chance(30):
		status, body = 400, []byte(`{"v":"refused","_id":5}`)
	}
	answer, err := client.Do(method, path, body, headers...)
	if err != nil {
		return errGone
	}
	if answer.Status != status && answer.Code() != "draining" {
		c.report(fmt.Errorf("%s %s %v: %v, want %d", method, path, headers, answer, status))
	}
	c.refused.Add(1)
	return nil
}

// repeatLost sends the requests again whose answer was lost: each is answered as the first would have been, and is made
// once, then or now. Nothing else has been written since.
func (c *crashes) repeatLost(address string) {
	c.t.Helper()
	client := wire.NewClient(address, 1)
	defer client.Close()
	for _, k := range c.keys {
		r := k.lost
		if r == nil {
			continue
		}
		wasMade := (k.stored == nil) != (r.before == nil) || k.stored != nil && !oracle.Identical(k.stored, r.before)
		for range 2 {
			answer, err := client.Do(r.method, r.path, r.body, r.headers...)
			if err != nil || answer.Status/100 != 2 {
				c.t.Fatalf("repeat %s %s (made before: %v): %v %v", r.method, r.path, wasMade, answer, err)
			}
			var got oracle.Object
			if r.method != "DELETE" {
				got = answer.Object()
			}
			if wasMade && got != nil && !oracle.Identical(got, k.stored) {
				c.t.Fatalf("repeat %s %s: %s, but the write that it repeats made %s", r.method, r.path, oracle.Encode(got), oracle.Encode(k.stored))
			}
			if why := r.attempt.made(r.before, got); why != "" {
				c.t.Fatalf("repeat %s %s: %s: %v", r.method, r.path, why, answer)
			}
			k.stored, wasMade = got, true
		}
		k.seen[k.stored.Text("_rev")] = true
		k.lost = nil
		c.repeated++
	}
}

// check compares everything that the server holds after its start with the ledgers, and settles what was in flight.
func (c *crashes) check(address string) {
	c.t.Helper()
	client := wire.NewClient(address, 1)
	defer client.Close()
	docs, _, err := readPages(client, collection, oracle.Query{})
	if err != nil {
		c.t.Fatal(err)
	}
	stored := map[string]oracle.Object{}
	for _, d := range docs {
		stored[d.ID()] = d
		if d.Text("v") == marker {
			c.t.Fatalf("a refused write was made: %s", oracle.Encode(d))
		}
	}
	for _, n := range c.counters {
		c.checkCounter(n, stored[n.id])
		c.keys[n.id] = &ledger{id: n.id, stored: stored[n.id]}
	}
	for id, k := range c.keys {
		d := stored[id]
		delete(stored, id)
		c.checkKey(k, d)
		k.stored, k.pending = d, nil
		k.seen = map[string]bool{d.Text("_rev"): true}
	}
	if len(stored) > 0 {
		c.t.Fatalf("documents that nobody wrote: %v", stored)
	}
}

func (c *crashes) checkCounter(n *counter, d oracle.Object) {
	c.t.Helper()
	v, _ := d.Get("n")
	count, _ := v.(int64)
	low := n.acknowledged.Load()
	high := low + n.inFlight.Load()
	if d == nil || count < low || count > high {
		c.t.Fatalf("%s is %s; %d were acknowledged, up to %d were in flight", n.id, oracle.Encode(d), low, high)
	}
	if generation(d) != int(count)+1 {
		c.t.Fatalf("%s counts %d in generation %d", n.id, count, generation(d))
	}
	c.inFlight += int(high - low)
	c.made += int(count - low)
	n.acknowledged.Store(count)
	n.inFlight.Store(0)
}

func (c *crashes) checkKey(k *ledger, d oracle.Object) {
	c.t.Helper()
	if k.pending != nil {
		c.inFlight++
	}
	if (d == nil) == (k.stored == nil) && (d == nil || oracle.Identical(d, k.stored)) {
		return
	}
	if k.pending == nil {
		c.t.Fatalf("%s is %s, but acknowledged was %s", k.id, oracle.Encode(d), oracle.Encode(k.stored))
	}
	if why := k.pending.made(k.stored, d); why != "" {
		c.t.Fatalf("%s is %s, neither the acknowledged state %s nor what was in flight: %s", k.id, oracle.Encode(d),
			oracle.Encode(k.stored), why)
	}
	c.made++
}

// compareWatched starts the server once more in between and holds it to what the live query showed at the end: a state
// that it showed is either stored, or one that a later acknowledged or stored one replaced.
func (c *crashes) compareWatched(view []oracle.Object) {
	c.t.Helper()
	client := wire.NewClient(c.start(), 1)
	defer client.Close()
	docs, _, err := readPages(client, collection, oracle.Query{})
	if err != nil {
		c.t.Fatal(err)
	}
	stored, shown := map[string]oracle.Object{}, map[string]oracle.Object{}
	for _, d := range docs {
		stored[d.ID()] = d
	}
	for _, d := range view {
		shown[d.ID()] = d
	}
	for id, k := range c.keys {
		s, d := shown[id], stored[id]
		if strings.HasPrefix(id, "counter") {
			if generation(s) > generation(d) {
				c.t.Fatalf("a live query showed %s, but stored is %s", oracle.Encode(s), oracle.Encode(d))
			}
			continue
		}
		if !k.seen[s.Text("_rev")] && s.Text("_rev") != d.Text("_rev") {
			c.t.Fatalf("a live query showed %s, but stored is %s and acknowledged was %s", oracle.Encode(s), oracle.Encode(d),
				oracle.Encode(k.stored))
		}
	}
	c.kill()
}
