package matcher

// The form in which AppendValue writes a date, with and without milliseconds: {"$date":"2026-01-01T00:00:00.000Z"}.
const (
	dateStart  = `{"$date":"`
	dateEnd    = `"}`
	dateBytes  = len("2026-01-01T00:00:00Z")
	dateMBytes = len("2026-01-01T00:00:00.000Z")
)

// plainDate adds the value that starts here if it is a date in just that form, which nearly all dates of stored
// documents have. Any other form, and one that may stand at a limit, is left to object and unwrap.
func (p *textParser) plainDate() bool {
	t := p.text[p.at:]
	if len(t) < len(dateStart)+dateBytes+len(dateEnd) || string(t[:len(dateStart)]) != dateStart {
		return false
	}
	t = t[len(dateStart):]
	length := dateBytes
	if t[length] != '"' {
		if length = dateMBytes; len(t) < length+len(dateEnd) {
			return false
		}
	}
	if string(t[length:length+len(dateEnd)]) != dateEnd || t[len("2026-01-01")] != 'T' || t[length-1] != 'Z' {
		return false
	}
	ms, ok := ParseDate(t[:length])
	// AppendValue writes milliseconds only where there are some.
	if !ok || !isRelaxedDate(ms) || length == dateMBytes && ms%msPerSecond == 0 || p.depth >= p.maxDepth || len(p.tape) >= p.maxFields {
		return false
	}
	n := p.push(KindDate)
	if n == nil {
		return false
	}
	p.at += len(dateStart) + length + len(dateEnd)
	n.number, n.end, n.flags = uint64(ms), uint32(p.at), flagRelaxed
	return true
}
