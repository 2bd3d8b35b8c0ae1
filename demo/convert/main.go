// Command convert makes earthquakes.ndjson from the GeoJSON feed "All Earthquakes, Past Week" of the U.S. Geological
// Survey: convert FEED.geojson > earthquakes.ndjson. See ../SOURCE.md.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// feature is the part of one GeoJSON feature that is used.
type feature struct {
	ID         string
	Properties struct {
		Mag, Place, MagType, Status json.RawMessage
		Time, Updated               int64 // milliseconds since 1970
		Sig, Tsunami                int
		Type                        string
	}
	Geometry struct {
		Coordinates [3]json.Number // longitude, latitude, depth in kilometres
	}
}

type date struct {
	Date string `json:"$date"`
}

// document is one line, in this order of fields.
type document struct {
	ID        string          `json:"_id"`
	Mag       json.RawMessage `json:"mag"`
	Place     json.RawMessage `json:"place"`
	Time      date            `json:"time"`
	Updated   date            `json:"updated"`
	MagType   json.RawMessage `json:"magType"`
	Status    json.RawMessage `json:"status"`
	Sig       int             `json:"sig"`
	Tsunami   int             `json:"tsunami"`
	Depth     json.Number     `json:"depth"`
	Longitude json.Number     `json:"longitude"`
	Latitude  json.Number     `json:"latitude"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: convert FEED.geojson > earthquakes.ndjson")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "convert:", err)
		os.Exit(1)
	}
}

func run(name string, w io.Writer) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var feed struct{ Features []feature }
	if err := json.Unmarshal(text, &feed); err != nil {
		return fmt.Errorf("decode %s: %w", name, err)
	}
	quakes := slices.DeleteFunc(feed.Features, func(f feature) bool { return f.Properties.Type != "earthquake" })
	slices.SortStableFunc(quakes, func(a, b feature) int { return cmp.Compare(a.Properties.Time, b.Properties.Time) })
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, f := range quakes {
		p, at := f.Properties, f.Geometry.Coordinates
		if err := encoder.Encode(document{f.ID, p.Mag, p.Place, dateOf(p.Time), dateOf(p.Updated), p.MagType, p.Status,
			p.Sig, p.Tsunami, at[2], at[0], at[1]}); err != nil {
			return err
		}
	}
	return out.Flush()
}

func dateOf(milliseconds int64) date {
	return date{time.UnixMilli(milliseconds).UTC().Format("2006-01-02T15:04:05.000Z")}
}
