package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConvertSortsAndKeepsValues(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "feed.geojson")
	feed := `{"type":"FeatureCollection","features":[
		{"id":"b","properties":{"mag":2.50,"place":"5km <N> of B","time":1517966773840,"updated":1517966996303,"status":"automatic","tsunami":0,"sig":62,"magType":"ml","type":"earthquake"},"geometry":{"coordinates":[-118.6671667,34.4945,26.49]}},
		{"id":"x","properties":{"mag":1,"time":1,"updated":1,"type":"quarry blast"},"geometry":{"coordinates":[0,0,0]}},
		{"id":"a","properties":{"mag":-0.1,"place":"A","time":1517363399650,"updated":1517363399650,"status":"reviewed","tsunami":1,"sig":0,"magType":"md","type":"earthquake"},"geometry":{"coordinates":[1,2,3.0]}}]}`
	if err := os.WriteFile(name, []byte(feed), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(name, &out); err != nil {
		t.Fatal(err)
	}
	want := `{"_id":"a","mag":-0.1,"place":"A","time":{"$date":"2018-01-31T01:49:59.650Z"},"updated":{"$date":"2018-01-31T01:49:59.650Z"},"magType":"md","status":"reviewed","sig":0,"tsunami":1,"depth":3.0,"longitude":1,"latitude":2}
{"_id":"b","mag":2.50,"place":"5km <N> of B","time":{"$date":"2018-02-07T01:26:13.840Z"},"updated":{"$date":"2018-02-07T01:29:56.303Z"},"magType":"ml","status":"automatic","sig":62,"tsunami":0,"depth":26.49,"longitude":-118.6671667,"latitude":34.4945}
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
