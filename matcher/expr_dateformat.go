package matcher

import (
	"fmt"
	"time"
)

// dateText is a date as ISO 8601 in UTC with milliseconds; years beyond 0 to 9999 have none.
func dateText(ms int64) ([]byte, error) {
	if ms < minISODate || ms > maxDate {
		return nil, errExpression
	}
	return time.UnixMilli(ms).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

// dateFormat are the specifiers of $dateToString's format.
var dateFormat = map[byte]func(t time.Time, offset int64) string{
	'Y': func(t time.Time, _ int64) string { return t.Format("2006") },
	'm': func(t time.Time, _ int64) string { return t.Format("01") },
	'd': func(t time.Time, _ int64) string { return t.Format("02") },
	'H': func(t time.Time, _ int64) string { return t.Format("15") },
	'M': func(t time.Time, _ int64) string { return t.Format("04") },
	'S': func(t time.Time, _ int64) string { return t.Format("05") },
	'L': func(t time.Time, _ int64) string { return t.Format(".000")[1:] },
	'b': func(t time.Time, _ int64) string { return t.Format("Jan") },
	'B': func(t time.Time, _ int64) string { return t.Format("January") },
	'j': func(t time.Time, _ int64) string { return t.Format("002") },
	'w': func(t time.Time, _ int64) string { return fmt.Sprint(int(t.Weekday()) + 1) },
	'u': func(t time.Time, _ int64) string { return fmt.Sprint(isoDay(t)) },
	'U': func(t time.Time, _ int64) string { return fmt.Sprintf("%02d", weekOfYear(t)) },
	'V': func(t time.Time, _ int64) string { _, week := t.ISOWeek(); return fmt.Sprintf("%02d", week) },
	'G': func(t time.Time, _ int64) string { year, _ := t.ISOWeek(); return fmt.Sprintf("%04d", year) },
	'z': func(_ time.Time, offset int64) string {
		sign, minutes := '+', offset/(60*msPerSecond)
		if minutes < 0 {
			sign, minutes = '-', -minutes
		}
		return fmt.Sprintf("%c%02d%02d", sign, minutes/60, minutes%60)
	},
	'Z': func(_ time.Time, offset int64) string { return fmt.Sprint(offset / (60 * msPerSecond)) },
	'%': func(time.Time, int64) string { return "%" },
}

func checkDateFormat(c *exprCompiler, args []expression, at *place) error {
	if k, ok := args[1].(constantExpression); ok && k.value.Kind() == KindString {
		if _, err := formatDate(time.Time{}, 0, string(k.value.Bytes())); err != nil {
			return at.field("format").invalid("the format %q has an unknown specifier; known ones are %%Y %%m %%d %%H %%M %%S %%L %%b %%B %%j %%w %%u %%U %%V %%G %%z %%Z and %%%%", k.value.Bytes())
		}
	}
	return checkZone(2)(c, args, at)
}

func formatDate(t time.Time, offset int64, format string) ([]byte, error) {
	var text []byte
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			text = append(text, format[i])
			continue
		}
		i++
		if i == len(format) || dateFormat[format[i]] == nil {
			return nil, errExpression
		}
		text = append(text, dateFormat[format[i]](t, offset)...)
	}
	return text, nil
}

// evaluated computes arguments; one that is not given is missing.
func (e *evaluation) evaluated(args []expression) (values [3]Value, err error) {
	for i, x := range args {
		if x == nil {
			continue
		}
		if values[i], err = x.eval(e); err != nil {
			break
		}
	}
	return values, err
}

// evalDateToString writes a date. Years are those from 0 to 9999.
func evalDateToString(e *evaluation, args []expression) (Value, error) {
	v, err := e.evaluated(args[:3])
	if err != nil {
		return Value{}, err
	}
	date, format, zone := v[0], v[1], v[2]
	if nullish(date) {
		if args[3] == nil {
			return valueNull, nil
		}
		return args[3].eval(e)
	}
	t, null, err := localTime(date, zone)
	if err != nil || null || format.IsNull() {
		return valueNull, err
	}
	offset, err := offsetOf(zone)
	if ms := t.UnixMilli(); err != nil || ms < minISODate || ms > maxDate {
		return Value{}, errExpression
	}
	layout := "%Y-%m-%dT%H:%M:%S.%L"
	switch {
	case format.Kind() == KindString:
		layout = string(format.Bytes())
	case args[1] != nil:
		return Value{}, errExpression
	case offset == 0:
		layout += "Z"
	}
	if err := e.step(len(layout)); err != nil {
		return Value{}, err
	}
	text, err := formatDate(t, offset, layout)
	return textValue(text), err
}
