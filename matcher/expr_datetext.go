package matcher

// checkDateString checks the constant format and time zone of $dateFromString.
func checkDateString(c *exprCompiler, args []expression, at *place) error {
	if k, ok := args[2].(constantExpression); ok && k.value.Kind() == KindString {
		format := k.value.Bytes()
		for i := 0; i < len(format); i++ {
			if format[i] != '%' {
				continue
			}
			if i++; i == len(format) || dateParts[format[i]] == nil {
				return at.field("format").invalid("the format %q has a specifier that cannot be read; known ones are %%Y %%m %%d %%H %%M %%S %%L %%z and %%%%", format)
			}
		}
	}
	return checkZone(1)(c, args, at)
}

// evalDateFromString reads a text as a date: ISO 8601, or what the format says. A text without an offset is in the time
// zone, which may not be given for one that has an offset.
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
		case !ok || absolute && zone.Exists():
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

// formattedDate is what a format has read so far.
type formattedDate struct {
	year, month, day, hour, minute, second, ms, offset int64
	absolute                                           bool
}

// dateParts read one specifier each.
var dateParts = map[byte]func(d *formattedDate, r *dateReader){
	'Y': func(d *formattedDate, r *dateReader) { d.year = r.digits(4) },
	'm': func(d *formattedDate, r *dateReader) { d.month = r.digits(2) },
	'd': func(d *formattedDate, r *dateReader) { d.day = r.digits(2) },
	'H': func(d *formattedDate, r *dateReader) { d.hour = r.digits(2) },
	'M': func(d *formattedDate, r *dateReader) { d.minute = r.digits(2) },
	'S': func(d *formattedDate, r *dateReader) { d.second = r.digits(2) },
	'L': func(d *formattedDate, r *dateReader) { d.ms = r.digits(3) },
	'z': func(d *formattedDate, r *dateReader) { d.offset, d.absolute = r.zone(), true },
	'%': func(_ *formattedDate, r *dateReader) { r.byte('%') },
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

// parseFormatted reads a text by a format, which must name year, month and day.
func parseFormatted(text, format []byte) (ms int64, absolute, ok bool) {
	d := formattedDate{year: -1}
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
	if !r.ok || len(r.text) > 0 || d.year < 0 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > daysOfMonth(d.year, d.month) ||
		d.hour > 23 || d.minute > 59 || d.second > 59 {
		return 0, false, false
	}
	minutes := d.hour*60 + d.minute - d.offset
	return daysSince1970(d.year, d.month, d.day)*msPerDay + (minutes*60+d.second)*msPerSecond + d.ms, d.absolute, true
}
