package matcher

import "math"

// Operators that take dates apart and put them together, and those on timestamps.

// dateNumbers are the numbers of $dateFromParts behind the first two, which begin a date: their default, and whether they
// are bounded to 16 bits.
var dateNumbers = []struct {
	name      string
	otherwise int64
	short     bool
}{
	{"month", 1, true}, {"day", 1, true}, {"isoWeek", 1, true}, {"isoDayOfWeek", 1, true},
	{"hour", 0, true}, {"minute", 0, true}, {"second", 0, false}, {"millisecond", 0, false},
}

// dateSteps is what taking a date apart counts as steps of an evaluation, beside what is made of it.
const dateSteps = 16

// Places of the arguments of $dateFromParts.
const (
	partYear = iota
	partISOYear
	partMonth
	partDay
	partISOWeek
	partISODay
	partHour
	partMinute
	partSecond
	partMillisecond
	partZone
)

func datePartOperators() map[string]*exprOperator {
	parts := []string{"year", "isoWeekYear"}
	for _, n := range dateNumbers {
		parts = append(parts, n.name)
	}
	timestamp := func(part func(t uint64) uint64) *exprOperator {
		return &exprOperator{min: 1, max: 1, eval: func(_ *evaluation, args []Value) (Value, error) {
			if args[0].Kind() != KindTimestamp {
				return errorUnless(nullish(args[0]))
			}
			return int64Value(int64(part(uint64(args[0].Int64())))), nil
		}}
	}
	return map[string]*exprOperator{
		"$dateFromParts": {names: append(parts, "timezone"), check: checkDateFromParts, eval: evalDateFromParts},
		"$dateToParts":   {names: []string{"date", "timezone", "iso8601"}, required: 1, check: checkZone(1), eval: evalDateToParts},
		"$tsSecond":      timestamp(func(t uint64) uint64 { return t >> 32 }),
		"$tsIncrement":   timestamp(func(t uint64) uint64 { return t & math.MaxUint32 }),
	}
}

// checkDateFromParts demands either a year or an ISO year, with what belongs to it.
func checkDateFromParts(c *exprCompiler, args []expression, at *place) error {
	year, iso := args[partYear] != nil, args[partISOYear] != nil
	switch {
	case year == iso:
		return at.invalid("$dateFromParts needs either year or isoWeekYear; give one of them")
	case year && (args[partISOWeek] != nil || args[partISODay] != nil), iso && (args[partMonth] != nil || args[partDay] != nil):
		return at.invalid("$dateFromParts mixes parts of the calendar (year, month, day) and of ISO weeks (isoWeekYear, isoWeek, isoDayOfWeek); give those of one kind")
	}
	return checkZone(partZone)(c, args, at)
}

// evalDateFromParts puts a date together. Numbers beyond their range carry: month 13 is January of the next year.
func evalDateFromParts(_ *evaluation, args []Value) (Value, error) {
	var parts [partZone]int64
	for i := range parts {
		if i >= partMonth {
			parts[i] = dateNumbers[i-partMonth].otherwise
		}
		v := args[i]
		switch {
		case v.IsNull():
			return valueNull, nil
		case !v.Exists():
			continue
		}
		n, err := wholeArgument(v)
		if err != nil || i < partMonth && (n < 1 || n > 9999) || i >= partMonth && dateNumbers[i-partMonth].short && n != int64(int16(n)) {
			return Value{}, errExpression
		}
		parts[i] = n
	}
	if args[partZone].IsNull() {
		return valueNull, nil
	}
	offset, err := offsetOf(args[partZone])
	if err != nil {
		return Value{}, err
	}
	var days int64
	if args[partYear].Exists() {
		months := parts[partYear]*12 + parts[partMonth] - 1
		days = daysSince1970(floorDivide(months, 12), modulo(months, 12)+1, 1) + parts[partDay] - 1
	} else {
		days = isoDays(parts[partISOYear], parts[partISOWeek], parts[partISODay])
	}
	const most = maxExpressionDate / 1000
	if second, ms := parts[partSecond], parts[partMillisecond]; second > most || second < -most || ms > maxExpressionDate || ms < -maxExpressionDate {
		return Value{}, errExpression
	}
	minutes := parts[partHour]*60 + parts[partMinute]
	return dateValue(days*msPerDay + (minutes*60+parts[partSecond])*msPerSecond + parts[partMillisecond] - offset), nil
}

// evalDateToParts is an object of a date's parts, or those of ISO weeks.
func evalDateToParts(e *evaluation, args []Value) (Value, error) {
	iso := args[2].Bool()
	if nullish(args[0]) || args[1].IsNull() || args[2].IsNull() {
		return valueNull, nil
	}
	t, _, err := localTime(args[0], args[1])
	if err != nil || args[2].Exists() && args[2].Kind() != KindBool {
		return Value{}, errExpression
	}
	if err := e.step(dateSteps); err != nil {
		return Value{}, err
	}
	b := begun(e, KindObject)
	part := func(name string, n int) {
		b.field([]byte(name))
		b.scalar(KindInt32, uint64(int64(n)))
	}
	if iso {
		year, week := t.ISOWeek()
		part("isoWeekYear", year)
		part("isoWeek", week)
		part("isoDayOfWeek", isoDay(t))
	} else {
		part("year", t.Year())
		part("month", int(t.Month()))
		part("day", t.Day())
	}
	part("hour", t.Hour())
	part("minute", t.Minute())
	part("second", t.Second())
	part("millisecond", t.Nanosecond()/1e6)
	return b.done()
}
