package gateway

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// find answers GET /v1/db/{collection} and POST /v1/db/{collection}:query: one page of a query's answer, or the live
// query if the client accepts events.
func (c *call) find() error {
	if c.wantsStream() {
		return c.streamQuery()
	}
	in, err := c.fields(findNames)
	if err != nil {
		return err
	}
	return c.read(in, func(r read) error {
		p, err := c.pageOf(r.query, r.key, r.request.page)
		if err != nil {
			return err
		}
		body := []byte(`{"documents":[`)
		next := ""
		if r.found {
			documents, complete, err := r.snapshot.Find(c.r.Context(), r.collection.ID, r.query, storage.Find{Skip: p.skip, Limit: p.limit, After: p.after})
			if err != nil {
				return err
			}
			body, next = c.appendPage(body, r, p, documents, complete)
		}
		position := r.snapshot.Vector()
		c.setPosition(position)
		body = append(body, `],"position":"`...)
		body = append(position.AppendText(body), '"')
		if next != "" {
			body = append(append(append(body, `,"next":"`...), next...), '"')
		}
		return c.json(http.StatusOK, append(body, '}'))
	})
}

// appendPage appends the documents that fit the page, and returns the token of the page after it, "" if it was the
// last.
func (c *call) appendPage(body []byte, r read, p page, documents []*matcher.Document, complete bool) ([]byte, string) {
	written := 0
	for i, document := range documents {
		if i > 0 {
			body = append(body, ',')
		}
		body = r.query.AppendDocument(body, document)
		if written++; len(body) >= c.cfg.MaxPageBytes {
			break
		}
	}
	over := written == len(documents) && (complete || written == p.remaining)
	if over || written == 0 {
		return body, ""
	}
	next := pageToken{queryKey: r.key, after: r.query.AppendSortKey(nil, documents[written-1])}
	if p.remaining > 0 {
		next.remaining = p.remaining - written
	}
	return body, next.String()
}

// count answers GET and POST /v1/db/{collection}:count.
func (c *call) count() error {
	in, err := c.fields(countNames)
	if err != nil {
		return err
	}
	return c.read(in, func(r read) error {
		n := 0
		if r.found {
			if n, err = r.snapshot.Count(c.r.Context(), r.collection.ID, r.query); err != nil {
				return err
			}
		}
		position := r.snapshot.Vector().String()
		c.setPosition(r.snapshot.Vector())
		return c.json(http.StatusOK, []byte(`{"count":`+strconv.Itoa(n)+`,"position":"`+position+`"}`))
	})
}

// explanation is the answer to explain.
type explanation struct {
	matcher.Explanation
	Plan     *storage.Explanation `json:"plan,omitempty"`     // of its documents; none for a collection that does not exist yet
	Warnings []warning            `json:"warnings,omitempty"` // as a subscription would get them
}

// explain answers GET and POST /v1/db/{collection}:explain.
func (c *call) explain() error {
	in, err := c.fields(explainCall)
	if err != nil {
		return err
	}
	execute, what := in.boolean("execute", false), in.text("for")
	count := what == "count"
	if what != "" && what != "query" && !count {
		in.fail("for", "query or count")
	}
	for _, name := range explainNames {
		if count && in.json(name) != nil && !slices.Contains(countNames, name) {
			in.fail(name, "left out where a count is explained")
		}
	}
	return c.read(in, func(r read) error {
		answer := explanation{Explanation: r.query.Explain(), Warnings: c.warnings(r.query, r.collection)}
		if r.found {
			plan, err := c.plan(r, count, execute)
			if err != nil {
				return err
			}
			answer.Plan = &plan
		}
		return c.value(http.StatusOK, answer)
	})
}

// plan says how the documents of a query's first page are found, or with count how they are counted.
func (c *call) plan(r read, count, execute bool) (storage.Explanation, error) {
	if count {
		return r.snapshot.ExplainCount(c.r.Context(), r.collection.ID, r.query, execute)
	}
	p, err := c.pageOf(r.query, r.key, "")
	if err != nil {
		return storage.Explanation{}, err
	}
	return r.snapshot.Explain(c.r.Context(), r.collection.ID, r.query, storage.Find{Skip: p.skip, Limit: p.limit}, execute)
}

// read is a query together with what it is read from.
type read struct {
	request    queryInput
	query      *matcher.Query
	key        string
	collection storage.Collection
	found      bool // false only under Dev: the collection does not exist yet and counts as empty
	snapshot   *storage.Snapshot
}

// read compiles the query in the input and gives it to do with a snapshot, which it closes.
func (c *call) read(in *input, do func(read) error) error {
	request, err := readQuery(in)
	if err != nil {
		return err
	}
	r := read{request: request}
	if r.snapshot, err = c.snapshotAt(c.r.Context(), request.minPosition); err != nil {
		return err
	}
	defer c.closeSnapshot(r.snapshot)
	if r.collection, r.found, err = c.collection(c.route.app, c.route.collection); err != nil {
		return err
	}
	if r.query, err = request.compile(r.collection, c.cfg.Limits); err != nil {
		return err
	}
	r.key = r.query.Key(r.collection.ID)
	return do(r)
}

func (g *Gateway) closeSnapshot(s *storage.Snapshot) {
	if err := s.Close(); err != nil {
		g.cfg.Log.Error().Err(err).Msg("close a snapshot")
	}
}
