package matcher

import (
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

// unitMonths is the months of the other units.
var unitMonths = map[int]int64{unitYear: 12, unitQuarter: 3, unitMonth: 1}

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
		"$dateTrunc": {names: []string{"date", "unit", "binSize", "timezone", "startOfWeek"}, required: 2, check: checkUnit(1, 3),
			eval: evalDateTrunc},
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
				return at.field("unit").invalid("the unit is %s; known ones are year, quarter, month, week, day, hour, minute, second and millisecond", constantText(k.value))
			}
		}
		return checkZone(zone)(c, args, at)
	}
}

// maxExpressionDate keeps what is computed with dates within int64: about 70 million years. maxExpressionMonths is as far.
const (
	maxExpressionDate   = 1 << 61
	maxExpressionMonths = 12 * 50_000_000
)

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
		months := unitMonths[unit]
		if amount > maxExpressionMonths/months || amount < -maxExpressionMonths/months {
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
	if nullish(args[0]) || nullish(args[1]) || nullish(args[2]) || args[3].IsNull() {
		return valueNull, nil
	}
	unit, known := dateUnits[string(args[2].Bytes())]
	first, null, err := startOfWeek(args[4], unit)
	if null || err != nil || !known {
		return errorUnless(null)
	}
	from, _, err := localTime(args[0], args[3])
	to, _, err2 := localTime(args[1], args[3])
	if err != nil || err2 != nil {
		return Value{}, errExpression
	}
	switch unit {
	case unitYear:
		return int64Value(int64(to.Year()) - int64(from.Year())), nil
	case unitQuarter:
		return int64Value(floorDivide(monthOf(to), 3) - floorDivide(monthOf(from), 3)), nil
	case unitMonth:
		return int64Value(monthOf(to) - monthOf(from)), nil
	case unitWeek:
		week := func(t time.Time) int64 { return floorDivide(floorDivide(t.UnixMilli(), msPerDay)+4-first, 7) } // 1970 began on a Thursday
		return int64Value(week(to) - week(from)), nil
	}
	length := unitLength[unit]
	return int64Value(floorDivide(to.UnixMilli(), length) - floorDivide(from.UnixMilli(), length)), nil
}

// errorUnless is null, or the error where it is not.
func errorUnless(null bool) (Value, error) {
	if null {
		return valueNull, nil
	}
	return Value{}, errExpression
}

// monthOf counts months from the year 0 on.
func monthOf(t time.Time) int64 { return int64(t.Year())*12 + int64(t.Month()) - 1 }

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// startOfWeek is a day's number from Sunday, 0, on. Missing is Sunday, and so is all for another unit than weeks.
func startOfWeek(v Value, unit int) (day int64, null bool, err error) {
	switch {
	case unit != unitWeek || !v.Exists():
		return 0, false, nil
	case v.IsNull():
		return 0, true, nil
	}
	name := strings.ToLower(string(v.Bytes()))
	for day := time.Sunday; day <= time.Saturday; day++ {
		if full := strings.ToLower(day.String()); name == full || name == full[:3] {
			return int64(day), false, nil
		}
	}
	return 0, false, errExpression
}

// evalDateTrunc is where the bin begins that a date lies in. One bin begins with the year 2000, or for weeks with the first
// week of that year, as the clocks of the zone show it.
func evalDateTrunc(_ *evaluation, args []Value) (Value, error) {
	if nullish(args[0]) || nullish(args[1]) || args[2].IsNull() || args[3].IsNull() {
		return valueNull, nil
	}
	size := int64(1)
	var err error
	if args[2].Exists() {
		if size, err = wholeArgument(args[2]); err != nil || size < 1 {
			return Value{}, errExpression
		}
	}
	unit, known := dateUnits[string(args[1].Bytes())]
	first, null, err := startOfWeek(args[4], unit)
	if null || err != nil || !known {
		return errorUnless(null)
	}
	t, _, err := localTime(args[0], args[3])
	if err != nil {
		return Value{}, err
	}
	ms, _ := dateOf(args[0])
	const saturday = 6 // the first of January 2000
	start := daysSince1970(2000, 1, 1)
	if unit == unitWeek {
		start += (first + 7 - saturday) % 7
	}
	if length, fixed := unitLength[unit]; fixed {
		if size > maxExpressionDate/length {
			return Value{}, errExpression
		}
		return dateValue(ms - modulo(t.UnixMilli()-start*msPerDay, size*length)), nil
	}
	months := unitMonths[unit]
	if size > maxExpressionMonths/months {
		return Value{}, errExpression
	}
	back := modulo(monthOf(t)-2000*12, size*months)
	begin := time.Date(t.Year(), t.Month()-time.Month(back), 1, 0, 0, 0, 0, time.UTC)
	return dateValue(ms + begin.UnixMilli() - t.UnixMilli()), nil
}

// modulo is not negative.
func modulo(a, b int64) int64 { return a - floorDivide(a, b)*b }
