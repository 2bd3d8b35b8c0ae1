package storage

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/freshetdb/freshet/matcher"
)

// world makes random documents, filters, sorts and indexes from a small world, so that things meet.
type world struct{ *rand.Rand }

func (w world) pick(choices ...string) string { return choices[w.IntN(len(choices))] }

func (w world) scalar() string {
	return w.pick(`null`, `1`, `2`, `2.5`, `-3`, `{"$numberDecimal":"2"}`, `"x"`, `"xy"`, `"y"`, `"X"`, `""`, `true`, `{"$date":1000}`, `{"$date":2000}`, `{"$numberDouble":"NaN"}`)
}

// long is a text that no index entry holds, or just so.
func (w world) long() string {
	return `"` + strings.Repeat("l", matcher.MaxIndexKeyBytes-8+w.IntN(12)) + w.pick("a", "b") + `"`
}

func (w world) value() string {
	switch w.IntN(12) {
	case 0, 1:
		return "[" + strings.Join([]string{w.scalar(), w.scalar(), w.pick(w.scalar(), `[1]`, `{"b":2}`)}[:w.IntN(4)], ",") + "]"
	case 2:
		return `{"b":` + w.scalar() + `,"c":` + w.scalar() + `}`
	case 3:
		return `[{"b":` + w.scalar() + `},{"b":` + w.scalar() + `,"c":1}]`
	case 4:
		if w.IntN(3) == 0 {
			return w.long()
		}
	}
	return w.scalar()
}

func (w world) document() string {
	fields := []string{fmt.Sprintf(`"status":%s`, w.pick(`"open"`, `"done"`, `"held"`, `"OPEN"`)), fmt.Sprintf(`"rank":%d`, w.IntN(20))}
	for _, name := range []string{"a", "t"} {
		if w.IntN(5) > 0 {
			fields = append(fields, fmt.Sprintf("%q:%s", name, w.value()))
		}
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func (w world) condition() string {
	path := w.pick("a", "a", "t", "a.b", "a.0")
	switch w.IntN(9) {
	case 0:
		return fmt.Sprintf(`{%q:%s}`, path, w.value())
	case 1:
		return fmt.Sprintf(`{%q:{%q:%s}}`, path, w.pick("$gt", "$gte", "$lt", "$lte", "$ne"), w.scalar())
	case 2:
		return fmt.Sprintf(`{%q:{"$gte":%s,"$lt":%s}}`, path, w.scalar(), w.scalar())
	case 3:
		return fmt.Sprintf(`{%q:{"$in":[%s,%s,%s]}}`, path, w.scalar(), w.value(), w.scalar())
	case 4:
		return fmt.Sprintf(`{%q:{"$exists":%s}}`, path, w.pick("true", "false"))
	case 5:
		return fmt.Sprintf(`{%q:{"$regex":"^%s"}}`, path, w.pick("x", "xy", "l"))
	case 6:
		return fmt.Sprintf(`{"status":%s}`, w.pick(`"open"`, `{"$in":["open","held"]}`, `{"$gte":"open"}`))
	case 7:
		return fmt.Sprintf(`{"rank":{"$gte":%d,"$lte":%d}}`, w.IntN(20), w.IntN(20))
	}
	return fmt.Sprintf(`{"a":{"$elemMatch":%s}}`, w.pick(`{"b":`+w.scalar()+`}`, `{"$gt":1,"$lt":3}`, `{"$in":["x",2]}`))
}

func (w world) filter() string {
	switch w.IntN(9) {
	case 0:
		return `{}`
	case 1:
		return fmt.Sprintf(`{"$or":[%s,%s]}`, w.condition(), w.condition())
	case 2:
		return fmt.Sprintf(`{"$or":[%s,{"status":"open","rank":{"$lt":%d}},{"_id":{"$in":["id%d","id%d"]}}]}`, w.condition(), w.IntN(20), w.IntN(50), w.IntN(50))
	case 3:
		return fmt.Sprintf(`{"$or":[%s,{"$and":[%s,%s]}],"$and":[%s]}`, w.condition(), w.condition(), w.condition(), w.condition())
	case 4:
		return fmt.Sprintf(`{"$and":[{"$or":[%s,%s]},{"$or":[%s,%s]}]}`, w.condition(), w.condition(), w.condition(), w.condition())
	case 5, 6:
		return fmt.Sprintf(`{"$and":[%s,%s]}`, w.condition(), w.condition())
	}
	return w.condition()
}

func (w world) sort() string {
	return w.pick("", `"rank"`, `"-rank"`, `"status,-rank"`, `"-status,rank"`, `"a"`, `"-a"`, `"rank,a"`, `"t,-_id"`, `"-_id"`, `"-status,rank,-a"`)
}

func (w world) index() IndexDefinition {
	d := IndexDefinition{Name: w.pick("one", "two", "three", "four")}
	d.Keys = []byte(w.pick(`"a"`, `"-a"`, `"status,-rank"`, `"rank"`, `"-rank,status"`, `"a,t"`, `"t,rank"`, `"a.b"`, `"status,rank,a"`, `"-a.b,-t"`))
	if w.IntN(3) == 0 {
		d.Partial = []byte(w.pick(`{"status":"open"}`, `{"rank":{"$gte":5}}`, `{"a":{"$exists":true}}`, `{"$or":[{"a":1},{"status":"done"}]}`))
	}
	return d
}

// shuffle has a union look for its branches in any of the ways that there are.
func (w world) shuffle(way *way) {
	if way.union == nil {
		return
	}
	for _, choices := range way.union.choices {
		w.Shuffle(len(choices), func(i, j int) { choices[i], choices[j] = choices[j], choices[i] })
		for i := range choices {
			w.shuffle(&choices[i])
		}
	}
	way.describe()
}
