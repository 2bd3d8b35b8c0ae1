package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/freshetdb/freshet/matcher"
)

// input is the named values of one request: the parameters of a URL, or the fields of a JSON body or a frame. Reading
// them keeps the first error, so that a reader asks for all of them and then looks at err once.
type input struct {
	fromURL bool
	values  map[string][]byte // URL: the decoded text; JSON: the raw value
	frame   []byte            // whole text of a frame
	err     error
}

// urlInput reads the parameters of a URL and refuses those that are not known (invariant 2).
func urlInput(rawQuery string, known []string) (*input, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, problemf("parameter-invalid", "The URL's query cannot be read: %v.", err)
	}
	in := &input{fromURL: true, values: make(map[string][]byte, len(query))}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, unknownName("parameter-unknown", "parameter", name, known)
		}
		if len(values) > 1 {
			return nil, &Problem{Code: "parameter-invalid", Path: pointer(name), Detail: "The parameter " + strconv.Quote(name) + " occurs more than once; send it once."}
		}
		in.values[name] = []byte(values[0])
	}
	return in, nil
}

// jsonInput reads the fields of a JSON object and refuses those that are not known (invariant 2). What is foreign is read,
// for the caller to refuse with better words, but is not offered to anybody.
func jsonInput(text []byte, known []string, foreign ...string) (*input, error) {
	fields, err := decodeObject(text)
	if err != nil {
		return nil, err
	}
	for name := range fields {
		if !slices.Contains(known, name) && !slices.Contains(foreign, name) {
			return nil, unknownName("field-unknown", "field", name, known)
		}
	}
	return &input{values: fields}, nil
}

// decodeObject reads a JSON object into its raw fields.
func decodeObject(text []byte) (map[string][]byte, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil || raw == nil {
		detail := "The text must be one JSON object."
		if err != nil && !strings.Contains(err.Error(), "cannot unmarshal") {
			detail = "The text is not JSON: " + err.Error() + "."
		}
		return nil, &Problem{Code: "json-invalid", Detail: detail}
	}
	fields := make(map[string][]byte, len(raw))
	for name, value := range raw {
		fields[name] = value
	}
	return fields, nil
}

func unknownName(code, what, name string, known []string) *Problem {
	return &Problem{Code: code, Path: pointer(name), Detail: "The " + what + " " + strconv.Quote(name) + " is unknown here" + didYouMean(name, known)}
}

// didYouMean ends a sentence about an unknown name.
func didYouMean(name string, known []string) string {
	if nearest := matcher.Nearest(name, known); nearest != "" {
		return "; did you mean " + strconv.Quote(nearest) + "?"
	}
	if len(known) == 0 {
		return "; none is taken."
	}
	return "; known are " + strings.Join(known, ", ") + "."
}

// pointer is the JSON pointer to a field of the root.
func pointer(name string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// fail keeps the first error about a value.
func (in *input) fail(name, want string) {
	if in.err != nil {
		return
	}
	code := "field-invalid"
	if in.fromURL {
		code = "parameter-invalid"
	}
	value := in.values[name]
	if len(value) > 100 {
		value = append(bytes.Clone(value[:100]), "..."...)
	}
	in.err = &Problem{Code: code, Path: pointer(name), Detail: strconv.Quote(name) + " must be " + want + ", not " + string(value) + "."}
}

// json returns a value's JSON text, nil if it is absent or null.
func (in *input) json(name string) []byte {
	value := bytes.TrimSpace(in.values[name])
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	return value
}

// text returns a string, "" if it is absent or null.
func (in *input) text(name string) string {
	if in.fromURL {
		return string(in.values[name])
	}
	value := in.json(name)
	if value == nil {
		return ""
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		in.fail(name, "a string")
	}
	return text
}

// integer returns a whole number of at least least, absent if it is absent or null.
func (in *input) integer(name string, least, absent int) int {
	if in.json(name) == nil && !(in.fromURL && in.values[name] != nil) {
		return absent
	}
	n, err := strconv.Atoi(string(in.json(name)))
	if err != nil || n < least || n > math.MaxInt32 {
		in.fail(name, fmt.Sprintf("a whole number of at least %d and at most %d", least, math.MaxInt32))
		return absent
	}
	return n
}

// boolean returns true or false, absent if it is absent or null.
func (in *input) boolean(name string, absent bool) bool {
	switch string(in.json(name)) {
	case "true":
		return true
	case "false":
		return false
	case "":
		return absent
	}
	in.fail(name, "true or false")
	return absent
}

// shorthand returns the JSON of a value that may also be written as a list of names with commas; element makes the
// JSON of one name.
func (in *input) shorthand(name string, element func(string) any) []byte {
	value := in.json(name)
	if value == nil || value[0] == '{' || value[0] == '[' {
		return value
	}
	if !in.fromURL && value[0] != '"' {
		in.fail(name, "an object, a list or a text such as title,author")
		return nil
	}
	list := []any{}
	for part := range strings.SplitSeq(in.text(name), ",") {
		part = strings.TrimSpace(part)
		if part == "" || part == "-" {
			in.fail(name, "names with single commas between them")
			return nil
		}
		list = append(list, element(part))
	}
	text, err := json.Marshal(list)
	if err != nil {
		in.fail(name, "a list of names")
		return nil
	}
	return text
}

func sortElement(name string) any {
	if rest, descending := strings.CutPrefix(name, "-"); descending {
		return []any{rest, -1}
	}
	return []any{name, 1}
}

func fieldElement(name string) any { return name }

// readBody reads a request's body, bounded by max.
func readBody(w http.ResponseWriter, r *http.Request, max int64) ([]byte, error) {
	if r.ContentLength > max {
		return nil, bodyTooLarge(max)
	}
	if r.ContentLength >= 0 { // net/http lets no more through
		text := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, text); err != nil {
			return nil, bodyCutOff(err)
		}
		return text, nil
	}
	var buffer bytes.Buffer
	if _, err := buffer.ReadFrom(http.MaxBytesReader(w, r.Body, max)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, bodyTooLarge(max)
		}
		return nil, bodyCutOff(err)
	}
	return buffer.Bytes(), nil
}

func bodyCutOff(err error) error {
	return &Problem{Code: "json-invalid", Detail: "The body ended early.", Underlying: err}
}

func bodyTooLarge(max int64) error {
	return &Problem{Code: "body-too-large", Limit: max, Detail: "The body has more than the " + strconv.FormatInt(max, 10) + " bytes that a request may have; split it, or raise maxDocumentBytes."}
}

const (
	contentJSON  = "application/json"
	contentMerge = "application/merge-patch+json"
)

// checkContentType refuses a body that is not declared as one of the given types, and returns which it is.
func checkContentType(r *http.Request, types ...string) (string, error) {
	given := r.Header.Get("Content-Type")
	if slices.Contains(types, given) { // as nearly all clients write it
		return given, nil
	}
	media, parameters, err := mime.ParseMediaType(given)
	charset := parameters["charset"]
	if err != nil || !slices.Contains(types, media) || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return "", problemf("content-type-unsupported", "The Content-Type is %q; send %s in UTF-8.", given, strings.Join(types, " or "))
	}
	return media, nil
}
