package gateway

import "net/http"

// Values of headers that most answers carry, under names as net/http spells them: they are put into the map as they stand.
// Requests share them, so nothing changes one in place.
var (
	headerVary         = []string{"Accept, Authorization, Origin"}
	headerNoStore      = []string{"no-store"}
	headerJSON         = []string{contentJSON}
	headerMinimalGiven = []string{"return=minimal"}
)

// setETag names the revision that is answered with.
func setETag(h http.Header, revision string) { h["Etag"] = []string{etag(revision)} }
