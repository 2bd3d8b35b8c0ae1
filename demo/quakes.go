package main

import (
	"bufio"
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

//go:embed earthquakes.ndjson
var earthquakes []byte

// date is a date of Extended JSON.
type date struct {
	Date time.Time `json:"$date"`
}

// quake is one line of earthquakes.ndjson: the last state of the U.S. Geological Survey's report.
type quake struct {
	ID        string  `json:"_id"`
	Mag       float64 `json:"mag"`
	Place     string  `json:"place"`
	Time      date    `json:"time"`
	Updated   date    `json:"updated"`
	MagType   string  `json:"magType"`
	Status    string  `json:"status"`
	Sig       int     `json:"sig"`
	Tsunami   int     `json:"tsunami"`
	Depth     float64 `json:"depth"`
	Longitude float64 `json:"longitude"`
	Latitude  float64 `json:"latitude"`
}

// load reads the file, which is in order of time.
func load() (quakes []quake, err error) {
	lines := bufio.NewScanner(bytes.NewReader(earthquakes))
	for lines.Scan() {
		var q quake
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return nil, fmt.Errorf("earthquakes.ndjson, line %d: %w", len(quakes)+1, err)
		}
		quakes = append(quakes, q)
	}
	return quakes, lines.Err()
}

// write is one PUT of the replay.
type write struct {
	at    time.Time // in the week that is replayed
	quake quake
}

// timeline is what the week would have written: each report as it first came, and where a person reviewed it, that
// later state. The file holds last states only, so the first report of a reviewed quake is derived from it: status
// automatic, magnitude to the nearest half, updated when it happened.
func timeline(quakes []quake) (writes []write) {
	for _, q := range quakes {
		if q.Status == "reviewed" {
			first := q
			first.Status, first.Updated = "automatic", q.Time
			first.Mag = math.Round(q.Mag*2) / 2
			writes = append(writes, write{q.Time.Date, first}, write{q.Updated.Date, q})
		} else {
			writes = append(writes, write{q.Time.Date, q})
		}
	}
	slices.SortStableFunc(writes, func(a, b write) int { return a.at.Compare(b.at) })
	return writes
}

// strongest is the ids of the query's result, sorted naively: what the live result must be in the end.
func strongest(quakes []quake, limit int) (ids []string) {
	sorted := slices.Clone(quakes)
	slices.SortFunc(sorted, func(a, b quake) int {
		return cmp.Or(cmp.Compare(b.Mag, a.Mag), strings.Compare(a.ID, b.ID))
	})
	for _, q := range sorted[:min(limit, len(sorted))] {
		ids = append(ids, q.ID)
	}
	return ids
}
