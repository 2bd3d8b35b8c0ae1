package matcher

const (
	msPerSecond = 1000
	msPerDay    = 24 * 60 * 60 * msPerSecond
)

// ParseDate reads an ISO 8601 date: 2026-01-01T00:00:00.123+01:00. A fraction is cut to milliseconds; the offset is Z,
// +hh:mm, +hhmm or +hh; a date without a time is midnight in UTC. ms counts from 1970.
func ParseDate(text []byte) (ms int64, ok bool) {
	r := dateReader{text: text, ok: true}
	year := r.digits(4)
	r.byte('-')
	month := r.digits(2)
	r.byte('-')
	day := r.digits(2)
	if !r.ok || month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month) {
		return 0, false
	}
	ms = daysSince1970(year, month, day) * msPerDay
	if len(r.text) == 0 {
		return ms, true
	}
	if r.text[0] != 'T' && r.text[0] != 't' && r.text[0] != ' ' {
		return 0, false
	}
	r.text = r.text[1:]
	hour := r.digits(2)
	r.byte(':')
	minute := r.digits(2)
	var second int64
	if r.next(':') {
		second = r.digits(2)
		if r.next('.') {
			ms += r.milliseconds()
		}
	}
	offset := r.offset()
	if !r.ok || len(r.text) != 0 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	return ms + ((hour*60+minute-offset)*60+second)*msPerSecond, true
}

// dateReader takes the parts of a date off its text. ok turns false where a part is missing.
type dateReader struct {
	text []byte
	ok   bool
}

func (r *dateReader) next(c byte) bool {
	if len(r.text) == 0 || r.text[0] != c {
		return false
	}
	r.text = r.text[1:]
	return true
}

func (r *dateReader) byte(c byte) { r.ok = r.next(c) && r.ok }

func (r *dateReader) digits(n int) (v int64) {
	if len(r.text) < n {
		r.ok = false
		return 0
	}
	for _, c := range r.text[:n] {
		c -= '0'
		r.ok = r.ok && c <= 9
		v = v*10 + int64(c)
	}
	r.text = r.text[n:]
	return v
}

func (r *dateReader) milliseconds() (ms int64) {
	n := 0
	for ; len(r.text) > 0 && r.text[0]-'0' <= 9; n++ {
		if n < 3 {
			ms = ms*10 + int64(r.text[0]-'0')
		}
		r.text = r.text[1:]
	}
	r.ok = r.ok && n > 0
	for ; n < 3; n++ {
		ms *= 10
	}
	return ms
}

// offset is the distance from UTC in minutes.
func (r *dateReader) offset() int64 {
	var sign int64 = 1
	switch {
	case r.next('Z') || r.next('z'):
		return 0
	case r.next('-'):
		sign = -1
	case r.next('+'):
	default:
		r.ok = false
		return 0
	}
	hours := r.digits(2)
	var minutes int64
	if r.next(':') || len(r.text) > 0 {
		minutes = r.digits(2)
	}
	r.ok = r.ok && hours <= 23 && minutes <= 59
	return sign * (hours*60 + minutes)
}

func daysOfMonth(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days of the Gregorian calendar. Years run from March, so that the leap day comes last.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year // of 400 years, all alike
	if era < 0 {
		era -= 399
	}
	era /= 400
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// civil is the inverse of daysSince1970, for days from 1970 on.
func civil(days int64) (year, month, day int64) {
	days += 719468
	era := days / 146097
	dayOfEra := days - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*shifted+2)/5 + 1
	month = shifted + 3
	year = yearOfEra + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// maxDate is the last millisecond of the year 9999. Relaxed Extended JSON writes dates from 1970 up to it as text.
var maxDate = daysSince1970(10000, 1, 1)*msPerDay - 1

// minISODate is the first millisecond of the year 0; the plain form writes dates from it on as text.
var minISODate = daysSince1970(0, 1, 1) * msPerDay

// isRelaxedDate reports whether the relaxed form writes the date as text.
func isRelaxedDate(ms int64) bool { return ms >= 0 && ms <= maxDate }

// appendDate appends a date between minISODate and maxDate as text in UTC, with milliseconds only where there are any.
func appendDate(dst []byte, ms int64) []byte {
	const cycle = 146097 * msPerDay // 400 years: shifting by it changes the year alone
	var years int64
	if ms < 0 {
		years = 400 * ((-ms + cycle - 1) / cycle)
		ms += years / 400 * cycle
	}
	year, month, day := civil(ms / msPerDay)
	year -= years
	seconds := ms % msPerDay / msPerSecond
	dst = appendTwoDigits(dst, year/100)
	dst = appendTwoDigits(dst, year%100)
	dst = appendTwoDigits(append(dst, '-'), month)
	dst = appendTwoDigits(append(dst, '-'), day)
	dst = appendTwoDigits(append(dst, 'T'), seconds/3600)
	dst = appendTwoDigits(append(dst, ':'), seconds/60%60)
	dst = appendTwoDigits(append(dst, ':'), seconds%60)
	if fraction := ms % msPerSecond; fraction != 0 {
		dst = append(dst, '.', byte('0'+fraction/100))
		dst = appendTwoDigits(dst, fraction%100)
	}
	return append(dst, 'Z')
}

func appendTwoDigits(dst []byte, v int64) []byte {
	return append(dst, byte('0'+v/10), byte('0'+v%10))
}
