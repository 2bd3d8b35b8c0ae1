package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A value reads and prints one field of a Config. An error of Set is a phrase that follows the value: "is not a
// number; give ...".
type value interface {
	Set(text string) error
	String() string
}

type textValue struct {
	field *string
	empty string // why it must not be empty; "": it may
}

func (v textValue) Set(text string) error {
	if text == "" && v.empty != "" {
		return errors.New("is empty; " + v.empty)
	}
	*v.field = text
	return nil
}
func (v textValue) String() string { return *v.field }

type addressValue struct{ field *string }

func (v addressValue) Set(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return errors.New("is not host:port; give for example 127.0.0.1:4680, or port 0 for a free one")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("has no port from 0 to 65535; give for example 127.0.0.1:4680")
	}
	*v.field = text
	return nil
}
func (v addressValue) String() string { return *v.field }

type boolValue struct{ field *bool }

func (v boolValue) Set(text string) error {
	switch text {
	case "true", "1":
		*v.field = true
	case "false", "0":
		*v.field = false
	default:
		return errors.New("is neither true nor false; give one of them")
	}
	return nil
}
func (v boolValue) String() string { return strconv.FormatBool(*v.field) }

type countValue struct {
	field    *int
	min, max int
}

func (v countValue) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("is not a whole number from %d to %d", v.min, v.max)
	}
	*v.field = n
	return nil
}
func (v countValue) String() string { return strconv.Itoa(*v.field) }

type choiceValue[T ~string] struct {
	field   *T
	choices []T
}

func (v choiceValue[T]) Set(text string) error {
	names := make([]string, 0, len(v.choices))
	for _, c := range v.choices {
		if string(c) == text {
			*v.field = c
			return nil
		}
		names = append(names, string(c))
	}
	return errors.New("is unknown; give one of " + strings.Join(names, ", "))
}
func (v choiceValue[T]) String() string { return string(*v.field) }

type durationValue struct {
	field    *time.Duration
	min, max time.Duration
}

func (v durationValue) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < v.min || d > v.max {
		return fmt.Errorf("is not a duration from %v to %v; give for example %v", v.min, v.max, *v.field)
	}
	*v.field = d
	return nil
}
func (v durationValue) String() string { return v.field.String() }

// bytesValue is a size: digits, and optionally KiB, MiB or GiB.
type bytesValue[T int | int64] struct {
	field    *T
	min, max T
}

// Size is a flag's value for a size in bytes: digits, and optionally KiB, MiB or GiB. An error of Set is a phrase that
// follows the value.
func Size(field *int, minBytes, maxBytes int) interface {
	Set(text string) error
	String() string
} {
	return bytesValue[int]{field, minBytes, maxBytes}
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func (v bytesValue[T]) Set(text string) error {
	digits, factor := text, int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			digits, factor = strings.TrimSpace(rest), u.bytes
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > int64(v.max)/factor || n*factor < int64(v.min) {
		return fmt.Errorf("is not a size from %s to %s; give bytes, or a whole number with KiB, MiB or GiB",
			formatBytes(int64(v.min)), formatBytes(int64(v.max)))
	}
	*v.field = T(n * factor)
	return nil
}
func (v bytesValue[T]) String() string { return formatBytes(int64(*v.field)) }

func formatBytes(n int64) string {
	for _, u := range sizeUnits {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// originsValue is a list of browser origins, in one text separated by commas.
type originsValue struct{ field *[]string }

func (v originsValue) Set(text string) error {
	var origins []string
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		u, err := url.Parse(part)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Scheme+"://"+u.Host != part {
			return fmt.Errorf("has %q, which is not an origin; give scheme and host only, for example https://app.example", part)
		}
		origins = append(origins, part)
	}
	*v.field = origins
	return nil
}
func (v originsValue) String() string { return strings.Join(*v.field, ",") }
