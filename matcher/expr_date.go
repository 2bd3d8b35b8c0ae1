package matcher

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Operators on dates (manual: "Date Expression Operators"). Time zones are offsets from UTC ("+01:00", "-0330", "UTC"): names
// such as "Europe/Paris" are refused, as what they mean depends on the zone files of the machine.

const (
	unitYear = iota
	unitQuarter
	unitMonth
	unitWeek
	unitDay
	unitHour
	unitMinute
	unitSecond
	unitMillisecond
)

var dateUnits = map[string]int{"year": unitYear, "quarter": unitQuarter, "month": unitMonth, "week": unitWeek, "day": unitDay,
	"hour": unitHour, "minute": unitMinute, "second": unitSecond, "millisecond": unitMillisecond}

// unitLength is the milliseconds of a unit that always has as many.
var unitLength = map[int]int64{unitWeek: 7 * msPerDay, unitDay: msPerDay, unitHour: 3600 * msPerSecond, unitMinute: 60 * msPerSecond,
	unitSecond: msPerSecond, unitMillisecond: 1}

func dateOperators() map[string]*exprOperator {
	part := func(of func(t time.Time) int) *exprOperator {
		return &exprOperator{min: 1, max: 1, names: []string{"date", "timezone"}, required: 1, check: checkZone(1),
			eval: func(_ *evaluation, args []Value) (Value, error) {
				t, null, err := localTime(args[0], args[1])
				if err != nil || null {
					return valueNull, err
				}
				return int32Value(of(t)), nil
			}}
	}
	shift := []string{"startDate", "unit", "amount", "timezone"}
	return map[string]*exprOperator{
		"$year":         part(time.Time.Year),
		"$month":        part(func(t time.Time) int { return int(t.Month()) }),
		"$dayOfMonth":   part(time.Time.Day),
		"$hour":         part(time.Time.Hour),
		"$minute":       part(time.Time.Minute),
		"$second":       part(time.Time.Second),
		"$millisecond":  part(func(t time.Time) int { return t.Nanosecond() / 1e6 }),
		"$dayOfWeek":    part(func(t time.Time) int { return int(t.Weekday()) + 1 }), // Sunday is 1
		"$dayOfYear":    part(time.Time.YearDay),
		"$week":         part(weekOfYear),
		"$isoWeek":      part(func(t time.Time) int { _, week := t.ISOWeek(); return week }),
		"$isoWeekYear":  part(func(t time.Time) int { year, _ := t.ISOWeek(); return year }),
		"$isoDayOfWeek": part(isoDay),

		"$dateAdd":      {names: shift, required: 3, check: checkUnit(1, 3), eval: moveDate(1)},
		"$dateSubtract": {names: shift, required: 3, check: checkUnit(1, 3), eval: moveDate(-1)},
		"$dateDiff": {names: []string{"startDate", "endDate", "unit", "timezone", "startOfWeek"}, required: 3, check: checkUnit(2, 3),
			eval: evalDateDiff},
		"$dateToString": {names: []string{"date", "format", "timezone", "onNull"}, required: 1, check: checkDateFormat, lazy: evalDateToString},
		"$dateFromString": {names: []string{"dateString", "timezone", "format", "onError", "onNull"}, required: 1, check: checkDateString,
			lazy: evalDateFromString},
	}
}

// weekOfYear counts weeks from Sunday on; the days before the first Sunday are in week 0.
func weekOfYear(t time.Time) int { return (t.YearDay() + 6 - int(t.Weekday())) / 7 }

// isoDay is 1 for Monday to 7 for Sunday.
func isoDay(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

// dateOf is the moment of a date, an ObjectId or a timestamp, in milliseconds since 1970.
func dateOf(v Value) (ms int64, ok bool) {
	switch v.Kind() {
	case KindDate:
		return v.Int64(), true
	case KindObjectID:
		b := v.Bytes()
		return int64(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3])) * msPerSecond, true
	case KindTimestamp:
		return int64(uint64(v.Int64())>>32) * msPerSecond, true
	}
	return 0, false
}

// zoneOffset reads a time zone as milliseconds east of UTC.
func zoneOffset(zone string) (ms int64, ok bool) {
	switch zone {
	case "UTC", "GMT", "Z":
		return 0, true
	}
	r := dateReader{text: []byte(zone), ok: zone != "" && (zone[0] == '+' || zone[0] == '-')}
	minutes := r.offset()
	return minutes * 60 * msPerSecond, r.ok && len(r.text) == 0
}

// checkZone refuses a constant time zone that is none, when the query is compiled.
func checkZone(i int) func(*exprCompiler, []expression, *place) error {
	return func(_ *exprCompiler, args []expression, at *place) error {
		if k, ok := args[i].(constantExpression); ok && k.value.Kind() == KindString {
			if _, ok := zoneOffset(string(k.value.Bytes())); !ok {
				return at.invalid(`the time zone %q is no offset from UTC; give one such as "+01:00" or "UTC" (names of zones depend on the machine's zone files)`, k.value.Bytes())
			}
		}
		return nil
	}
}

// checkUnit checks a constant unit, and the time zone.
func checkUnit(unit, zone int) func(*exprCompiler, []expression, *place) error {
	return func(c *exprCompiler, args []expression, at *place) error {
		if k, ok := args[unit].(constantExpression); ok && !nullish(k.value) {
			if _, known := dateUnits[string(k.value.Bytes())]; !known {
				return at.field("unit").invalid("the unit is %s; known ones are year, quarter, month, week, day, hour, minute, second and millisecond", k.value.Raw())
			}
		}
		return checkZone(zone)(c, args, at)
	}
}

// maxExpressionDate keeps what is computed with dates within int64: about 280 million years.
const maxExpressionDate = 1 << 62

// localTime is a date as the clocks of a zone show it, written as if they were in UTC. zone is missing for UTC.
func localTime(date, zone Value) (t time.Time, null bool, err error) {
	if nullish(date) || zone.IsNull() {
		return t, true, nil
	}
	ms, ok := dateOf(date)
	if !ok || ms > maxExpressionDate || ms < -maxExpressionDate {
		return t, false, errExpression
	}
	offset, err := offsetOf(zone)
	return time.UnixMilli(ms + offset).UTC(), false, err
}

func offsetOf(zone Value) (ms int64, err error) {
	if !zone.Exists() {
		return 0, nil
	}
	ms, ok := zoneOffset(string(zone.Bytes()))
	if !ok || zone.Kind() != KindString {
		return 0, errExpression
	}
	return ms, nil
}

// moveDate adds an amount of units. A day that a month does not have becomes its last.
func moveDate(sign int64) func(*evaluation, []Value) (Value, error) {
	return func(_ *evaluation, args []Value) (Value, error) {
		if nullish(args[1]) || nullish(args[2]) {
			return valueNull, nil
		}
		t, null, err := localTime(args[0], args[3])
		if err != nil || null {
			return valueNull, err
		}
		unit, known := dateUnits[string(args[1].Bytes())]
		amount, err := wholeArgument(args[2])
		if err != nil || !known || amount == math.MinInt64 {
			return Value{}, errExpression
		}
		ms, _ := dateOf(args[0])
		if length, fixed := unitLength[unit]; fixed {
			if limit := maxExpressionDate / length; amount > limit || amount < -limit {
				return Value{}, errExpression
			}
			return dateValue(ms + sign*amount*length), nil
		}
		months := map[int]int64{unitYear: 12, unitQuarter: 3, unitMonth: 1}[unit]
		const most = 1 << 32
		if amount > most || amount < -most {
			return Value{}, errExpression
		}
		return dateValue(ms + addMonths(t, sign*amount*months).UnixMilli() - t.UnixMilli()), nil
	}
}

func addMonths(t time.Time, months int64) time.Time {
	year, month, day := t.Date()
	first := time.Date(year, month+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	return first.AddDate(0, 0, min(day, first.AddDate(0, 1, -1).Day())-1)
}

// evalDateDiff counts the boundaries of a unit between two dates: how often the year, the hour... changes.
func evalDateDiff(_ *evaluation, args []Value) (Value, error) {
	from, null, err := localTime(args[0], args[3])
	to, null2, err2 := localTime(args[1], args[3])
	switch {
	case err != nil || err2 != nil:
		return Value{}, errExpression
	case null || null2 || nullish(args[2]):
		return valueNull, nil
	}
	unit, known := dateUnits[string(args[2].Bytes())]
	if !known {
		return Value{}, errExpression
	}
	months := func(t time.Time) int64 { return int64(t.Year())*12 + int64(t.Month()) - 1 }
	switch unit {
	case unitYear:
		return int64Value(int64(to.Year()) - int64(from.Year())), nil
	case unitQuarter:
		return int64Value(floorDivide(months(to), 3) - floorDivide(months(from), 3)), nil
	case unitMonth:
		return int64Value(months(to) - months(from)), nil
	case unitWeek:
		first, err := startOfWeek(args[4])
		if err != nil {
			return Value{}, err
		}
		week := func(t time.Time) int64 { return floorDivide(floorDivide(t.UnixMilli(), msPerDay)+4-first, 7) } // 1970 began on a Thursday
		return int64Value(week(to) - week(from)), nil
	}
	length := unitLength[unit]
	return int64Value(floorDivide(to.UnixMilli(), length) - floorDivide(from.UnixMilli(), length)), nil
}

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// startOfWeek is a day's number from Sunday, 0, on. Missing is Sunday.
func startOfWeek(v Value) (int64, error) {
	if !v.Exists() {
		return 0, nil
	}
	name := strings.ToLower(string(v.Bytes()))
	for day := time.Sunday; day <= time.Saturday; day++ {
		if full := strings.ToLower(day.String()); name == full || name == full[:3] {
			return int64(day), nil
		}
	}
	return 0, errExpression
}

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
