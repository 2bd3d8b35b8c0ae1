package gateway

import (
	"slices"
	"strings"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// The names that each kind of read takes, in a URL, a body or a frame alike.
var (
	countNames    = []string{"filter", "collation", "minPosition"}
	explainNames  = []string{"filter", "sort", "skip", "limit", "fields", "collation", "values"}
	findNames     = append(slices.Clone(explainNames), "page", "minPosition")
	explainCall   = append(slices.Clone(explainNames), "execute", "for")
	loadNames     = []string{"fields", "values", "minPosition"}
	liveNames     = []string{"minPosition", "initial", "since", "queryKey", "events", "maxRate", "changes", "total", "count"}
	streamNames   = append(slices.Clone(explainNames), liveNames...)
	documentNames = append([]string{"fields", "values"}, liveNames...)
)

// queryInput is a query as a client sent it, whichever way.
type queryInput struct {
	spec        matcher.QuerySpec
	page        string
	minPosition matcher.Vector // zero: none
	since       string         // position to go on from, "" if none
	sinceKey    string         // the query key that came with it, "" if none
	noInitial   bool
}

// readQuery reads all that may be in a query. Names that the call does not take were refused before.
func readQuery(in *input) (queryInput, error) {
	q := queryInput{spec: matcher.QuerySpec{
		Filter: in.json("filter"), Collation: in.json("collation"),
		Sort:   in.shorthand("sort", sortElement),
		Fields: in.shorthand("fields", fieldElement),
		Skip:   in.integer("skip", 0, 0),
		Limit:  in.integer("limit", 1, 0),
	}}
	values := in.text("values")
	form, err := matcher.ParseValues(values)
	if err != nil {
		in.fail("values", "relaxed, canonical or plain")
	}
	q.spec.Values = form
	q.page = in.text("page")
	q.noInitial = !in.boolean("initial", true)
	checkOptions(in)
	q.sinceKey = in.text("queryKey")
	minPosition, since := in.text("minPosition"), in.text("since")
	if in.err != nil {
		return q, in.err
	}
	if minPosition != "" {
		if q.minPosition, err = parsePosition("minPosition", minPosition); err != nil {
			return q, err
		}
	}
	return q, q.setSince(since)
}

// setSince takes `<position>`, or `<query key>.<position>` as server-sent events carry it.
func (q *queryInput) setSince(text string) error {
	if text == "" {
		return nil
	}
	if key, position, found := strings.Cut(text, "."); found {
		q.sinceKey, text = key, position
	}
	if _, err := parsePosition("since", text); err != nil {
		return err
	}
	q.since = text
	return nil
}

func parsePosition(name, text string) (matcher.Vector, error) {
	v, err := matcher.ParseVector(text)
	if err != nil {
		p := problemOf(err)
		p.Path = pointer(name)
		return v, p
	}
	return v, nil
}

// checkOptions refuses the values of options that the protocol has and this server has not (invariant 2).
func checkOptions(in *input) {
	unsupported := func(name, only string) {
		if in.err == nil {
			in.err = &Problem{Code: "option-unsupported", Path: pointer(name), Detail: "This server supports only " + only + "; leave " + name + " out."}
		}
	}
	if events := in.text("events"); events != "" && events != "net" {
		unsupported("events", `events "net"`)
	}
	if changes := in.text("changes"); changes != "" && changes != "document" {
		unsupported("changes", `changes "document"`)
	}
	if in.json("maxRate") != nil {
		unsupported("maxRate", "frames as they come")
	}
	for _, name := range []string{"total", "count"} {
		if in.boolean(name, false) {
			unsupported(name, name+" false")
		}
	}
}

// compile makes the query for a collection. The path of an error is the place in the request.
func (q queryInput) compile(c storage.Collection, limits matcher.Limits) (*matcher.Query, error) {
	spec := q.spec
	spec.Dates = c.Dates()
	return matcher.Compile(spec, limits)
}
