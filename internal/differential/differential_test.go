package differential

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

var (
	seedFlag        = flag.Uint64("seed", 1, "seed of the random tests; 0 takes a new one")
	comparisonsFlag = flag.Int("comparisons", 8_000, "answers that are compared with each peer")
)

const (
	// MaxExplained is the share of the comparisons, in percent, that known departures may explain.
	MaxExplained = 6

	roundDocuments, roundFilters, roundOrders, roundProjections, roundUpdates = 8, 12, 3, 2, 6
	maxUnexplained                                                            = 300 // a run ends there
)

// comparison is a run against one peer.
type comparison struct {
	t          *testing.T
	peer       *peer
	g          generator
	exact      bool // types of numbers and the order of fields come back
	departures []departure

	compared, explained, unexplained int
	shown                            map[string]int // unexplained disagreements by kind and operator
}

func TestMingo(t *testing.T) {
	installed(t, "node", filepath.Join("mingo", "node_modules", "mingo", "package.json"))
	c := &comparison{t: t, peer: startPeer(t, "mingo", "node", "peer.js"), departures: slices.Clone(mingoDepartures)}
	c.run(mingoProfile)
}

func TestMongoJavaServer(t *testing.T) {
	installed(t, "java", filepath.Join("mongojavaserver", "target", "classes", "Peer.class"))
	classes := filepath.Join("target", "classes") + string(filepath.ListSeparator) + filepath.Join("target", "lib", "*")
	c := &comparison{t: t, peer: startPeer(t, "mongojavaserver", "java",
		"-XX:-OmitStackTraceInFastThrow" /* an error keeps its message */, "-cp", classes, "Peer"), exact: true, departures: slices.Clone(javaServerDepartures)}
	c.run(javaServerProfile)
}

func (c *comparison) run(p profile) {
	c.t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	c.t.Logf("repeat with -seed %d", seed)
	c.shown = map[string]int{}
	c.g = generator{rand.New(rand.NewPCG(seed, 1)), p}
	if err := c.examples(); err != nil {
		c.t.Fatal(err)
	}
	for c.compared < *comparisonsFlag && c.unexplained < maxUnexplained {
		if err := c.round(); err != nil {
			c.t.Fatal(err)
		}
	}
	c.t.Logf("%d comparisons, %d of them explained by departures, %d not explained %v", c.compared, c.explained, c.unexplained, c.shown)
	for _, d := range c.departures {
		c.t.Logf("%6d  %s", d.count, d.name)
	}
	if c.explained*100 > c.compared*MaxExplained {
		c.t.Errorf("%d of %d comparisons are explained, more than %d %%", c.explained, c.compared, MaxExplained)
	}
}

// questions are a few documents and what is asked about them.
func (c *comparison) questions() (r round) {
	depth := pick(c.g, 0, 1, 3, 3)
	for i := range roundDocuments {
		r.documents = append(r.documents, c.g.document(i, depth))
		if i < roundUpdates {
			r.updates = append(r.updates, c.g.possible(r.documents[i]))
		}
	}
	for range roundFilters {
		r.queries = append(r.queries, query{filter: c.g.filter(2)})
	}
	if !slices.Contains(c.g.except, "$expr") {
		r.queries = append(r.queries, query{filter: object{{"$expr", c.g.expression(2)}}})
	}
	for range roundOrders {
		r.queries = append(r.queries, query{sort: c.g.order(), skip: c.g.IntN(3) / 2, limit: c.g.IntN(9)})
	}
	for range roundProjections {
		r.queries = append(r.queries, query{projection: c.g.projection(), sort: array{array{"_id", 1}}})
	}
	return r
}

// round asks questions at once and looks at every answer. A filter is one comparison for each document; a sort, a
// projection and an update are one.
func (c *comparison) round() error {
	r := c.questions()
	theirs, err := c.peer.ask(r)
	if err != nil {
		return err
	}
	for i, q := range r.queries {
		d := disagreement{query: q, documents: r.documents, ours: answerOf(r.documents, q), theirs: theirs.Queries[i]}
		if q.sort != nil {
			if err := c.look(d); err != nil {
				return err
			}
			continue
		}
		for _, document := range r.documents {
			one := d.only(document)
			if d.theirs.Error != "" { // perhaps because of another document
				if one, err = c.ask(one); err != nil {
					return err
				}
			}
			if err := c.look(one); err != nil {
				return err
			}
		}
	}
	for i, u := range r.updates {
		if err := c.look(disagreement{update: u, ours: updated(u), theirs: theirs.Updates[i]}); err != nil {
			return err
		}
	}
	return nil
}

// only is the question of a filter for one document, with the answers for that one.
func (d disagreement) only(document object) disagreement {
	id, _ := document.get("_id")
	for _, a := range []*answer{&d.ours, &d.theirs} {
		if slices.Contains(a.IDs, id.(string)) {
			a.IDs = []string{id.(string)}
		} else {
			a.IDs = nil
		}
	}
	d.documents = []object{document}
	return d
}

// look counts a comparison and, where the sides disagree, reduces and explains it.
func (c *comparison) look(d disagreement) error {
	c.compared++
	if !c.disagree(d) {
		return nil
	}
	reduced, err := c.reduce(d)
	if err != nil {
		return err
	}
	for i := range c.departures {
		if c.departures[i].applies(reduced) {
			c.departures[i].count++
			c.explained++
			return nil
		}
	}
	c.unexplained++
	if c.shown[reduced.kind()]++; c.shown[reduced.kind()] == 1 { // the first of each kind
		c.t.Errorf("the peer disagrees:\n  %s\nreduced from %s", reduced, d.question())
	}
	return nil
}
