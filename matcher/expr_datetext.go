package matcher

import (
	"strings"
	"time"
)

// checkDateString checks the constant format and time zone of $dateFromString.
func checkDateString(c *exprCompiler, args []expression, at *place) error {
	if k, ok := args[2].(constantExpression); ok && k.value.Kind() == KindString {
		format := k.value.Bytes()
		for i := 0; i < len(format); i++ {
			if format[i] != '%' {
				continue
			}
			if i++; i == len(format) || dateParts[format[i]] == nil {
				return at.field("format").invalid("the format %q has a specifier that cannot be read; known ones are %%Y %%m %%b %%B %%d %%j %%G %%V %%u %%H %%M %%S %%L %%z %%Z and %%%%", format)
			}
		}
	}
	return checkZone(1)(c, args, at)
}

// evalDateFromString reads a text as a date: ISO 8601, or what the format says. A text without an offset is in the time
// zone, which may only be UTC for one that has an offset.
func evalDateFromString(e *evaluation, args []expression) (Value, error) {
	v, err := e.evaluated(args[:3])
	if err != nil {
		return Value{}, err
	}
	text, zone, format := v[0], v[1], v[2]
	if nullish(text) {
		if args[4] == nil {
			return valueNull, nil
		}
		return args[4].eval(e)
	}
	if zone.IsNull() || format.IsNull() || args[1] != nil && !zone.Exists() || args[2] != nil && !format.Exists() {
		return valueNull, nil
	}
	offset, err := offsetOf(zone)
	if err != nil {
		return Value{}, err
	}
	if text.Kind() == KindString {
		ms, absolute, ok := readDate(text.Bytes(), format)
		switch {
		case !ok || absolute && offset != 0:
		case absolute:
			return dateValue(ms), nil
		default:
			return dateValue(ms - offset), nil
		}
	}
	if args[3] == nil {
		return Value{}, errExpression
	}
	return args[3].eval(e)
}

// readDate reads a date; absolute says that the text has an offset of its own.
func readDate(text []byte, format Value) (ms int64, absolute, ok bool) {
	if format.Exists() {
		return parseFormatted(text, format.Bytes())
	}
	local := append(append(make([]byte, 0, len(text)+8), text...), 'Z')
	if len(text) == len("2026-01-01") {
		local = append(local[:len(text)], "T00:00Z"...)
	}
	if ms, ok = ParseDate(local); ok {
		return ms, false, true
	}
	ms, ok = ParseDate(text)
	return ms, true, ok
}

// formattedDate is what a format has read so far; -1 for what it has not.
type formattedDate struct {
	year, month, day, yearDay, isoYear, isoWeek, isoDay int64
	hour, minute, second, ms, offset                    int64
	absolute                                            bool
}

// dateParts read one specifier each.
var dateParts = map[byte]func(d *formattedDate, r *dateReader){
	'Y': func(d *formattedDate, r *dateReader) { d.year = r.digits(4) },
	'm': func(d *formattedDate, r *dateReader) { d.month = r.upTo(2) },
	'b': func(d *formattedDate, r *dateReader) { d.month = r.monthName(3) },
	'B': func(d *formattedDate, r *dateReader) { d.month = r.monthName(0) },
	'd': func(d *formattedDate, r *dateReader) { d.day = r.upTo(2) },
	'j': func(d *formattedDate, r *dateReader) { d.yearDay = r.upTo(3) },
	'G': func(d *formattedDate, r *dateReader) { d.isoYear = r.digits(4) },
	'V': func(d *formattedDate, r *dateReader) { d.isoWeek = r.upTo(2) },
	'u': func(d *formattedDate, r *dateReader) { d.isoDay = r.upTo(1) },
	'H': func(d *formattedDate, r *dateReader) { d.hour = r.upTo(2) },
	'M': func(d *formattedDate, r *dateReader) { d.minute = r.upTo(2) },
	'S': func(d *formattedDate, r *dateReader) { d.second = r.upTo(2) },
	'L': func(d *formattedDate, r *dateReader) { d.ms = r.upTo(3) },
	'z': func(d *formattedDate, r *dateReader) { d.offset, d.absolute = r.zone(), true },
	'Z': func(d *formattedDate, r *dateReader) { d.offset, d.absolute = r.minutes(), true },
	'%': func(_ *formattedDate, r *dateReader) { r.byte('%') },
}

// upTo reads a number of one to n digits.
func (r *dateReader) upTo(n int) int64 {
	digits := 0
	for digits < min(n, len(r.text)) && r.text[digits]-'0' <= 9 {
		digits++
	}
	r.ok = r.ok && digits > 0
	return r.digits(digits)
}

// monthName reads the English name of a month, or its first letters, in either case.
func (r *dateReader) monthName(letters int) int64 {
	for month := time.January; month <= time.December; month++ {
		name := month.String()
		if letters > 0 {
			name = name[:letters]
		}
		if len(r.text) >= len(name) && strings.EqualFold(string(r.text[:len(name)]), name) {
			r.text = r.text[len(name):]
			return int64(month)
		}
	}
	r.ok = false
	return 0
}

// minutes reads an offset from UTC in minutes: +90.
func (r *dateReader) minutes() int64 {
	sign := int64(1)
	if r.next('-') {
		sign = -1
	} else {
		r.byte('+')
	}
	return sign * r.upTo(4)
}

// zone reads an offset from UTC in the middle of a text: Z, +hhmm or +hh:mm. It returns minutes.
func (r *dateReader) zone() int64 {
	size := 5
	switch {
	case len(r.text) > 0 && (r.text[0] == 'Z' || r.text[0] == 'z'):
		size = 1
	case len(r.text) > 3 && r.text[3] == ':':
		size = 6
	}
	part := dateReader{text: r.text[:min(size, len(r.text))], ok: r.ok}
	minutes := part.offset()
	r.ok = part.ok && len(part.text) == 0
	r.text = r.text[min(size, len(r.text)):]
	return minutes
}

// parseFormatted reads a text by a format, which must name year, month and day, year and day of the year, or ISO year.
func parseFormatted(text, format []byte) (ms int64, absolute, ok bool) {
	d := formattedDate{year: -1, month: -1, day: -1, yearDay: -1, isoYear: -1, isoWeek: 1, isoDay: 1}
	r := dateReader{text: text, ok: true}
	for i := 0; i < len(format) && r.ok; i++ {
		if format[i] != '%' {
			r.byte(format[i])
			continue
		}
		if i++; i == len(format) || dateParts[format[i]] == nil {
			return 0, false, false
		}
		dateParts[format[i]](&d, &r)
	}
	days, known := d.days()
	if !r.ok || len(r.text) > 0 || !known || d.hour > 23 || d.minute > 59 || d.second > 59 {
		return 0, false, false
	}
	minutes := d.hour*60 + d.minute - d.offset
	return days*msPerDay + (minutes*60+d.second)*msPerSecond + d.ms, d.absolute, true
}

// days counts from 1970; known is false for a day that is not there, or not told.
func (d *formattedDate) days() (days int64, known bool) {
	switch {
	case d.year >= 0 && d.month >= 0:
		known = d.month >= 1 && d.month <= 12 && d.day >= 1 && d.day <= daysOfMonth(d.year, d.month)
		return daysSince1970(d.year, max(d.month, 1), d.day), known
	case d.year >= 0:
		days = daysSince1970(d.year, 1, 1) + d.yearDay - 1
		return days, d.yearDay >= 1 && days < daysSince1970(d.year+1, 1, 1)
	}
	days = isoDays(d.isoYear, d.isoWeek, d.isoDay)
	return days, d.isoYear >= 0 && d.isoWeek >= 1 && d.isoWeek <= 53 && d.isoDay >= 1 && d.isoDay <= 7
}

// isoDays counts from 1970 to a day of an ISO week.
func isoDays(year, week, day int64) int64 {
	const fourth = 4 // of January, which is always in the first week
	first := daysSince1970(year, 1, fourth)
	monday := first - modulo(first+3, 7) // 1970 began on a Thursday
	return monday + (week-1)*7 + day - 1
}
