package matcher

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"$set", "$unset", "$inc", "filter", "limit", "published"}
	for name, want := range map[string]string{"$sett": "$set", "$est": "$set", "$unse": "$unset", "fliter": "filter", "Limit": "limit", "publishd": "published",
		"limti": "limit", "$foo": "", "$iinc": "$inc", "something": "", "": "", "x": "", "$SET": "$set", "$where": ""} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q is nearest to %q, want %q", name, got, want)
		}
	}
}
