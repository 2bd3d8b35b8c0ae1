package matcher

import "strings"

// maxNearestBytes is up to how long a name is looked at; a longer one is no slip of the keyboard.
const maxNearestBytes = 64

// Nearest is the known name that is fewest edits (insert, delete, replace, swap of neighbours) away from name: at most
// two, of names of up to three letters (the $ of an operator is none) one; "" if none is. Case does not count. The first of
// equally near ones wins.
func Nearest(name string, known []string) string {
	if len(name) > maxNearestBytes {
		return ""
	}
	best, most := "", min(2, (len(strings.TrimPrefix(name, "$"))+2)/3)
	for _, candidate := range known {
		if len(candidate) > maxNearestBytes || len(candidate)-len(name) > most || len(name)-len(candidate) > most {
			continue
		}
		if d := editDistance(name, candidate); d <= most {
			best, most = candidate, d-1
		}
	}
	return best
}

// editDistance is the distance of optimal string alignment, upper and lower case taken as equal.
func editDistance(a, b string) int {
	var rows [3][maxNearestBytes + 1]int
	lower := func(c byte) byte {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		return c
	}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, twoAbove := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := 1
			if lower(a[i-1]) == lower(b[j-1]) {
				replace = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+replace)
			if i > 1 && j > 1 && lower(a[i-1]) == lower(b[j-2]) && lower(a[i-2]) == lower(b[j-1]) {
				row[j] = min(row[j], twoAbove[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
