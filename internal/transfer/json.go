package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/freshetdb/freshet/matcher"
)

const readBufferBytes = 256 << 10

// lineReader reads a document a line. Empty lines are none.
type lineReader struct {
	in   *bufio.Reader
	line int
}

func newLineReader(in io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, readBufferBytes)}
}

func (r *lineReader) Next() (Record, error) {
	for {
		r.line++
		text, err := readLine(r.in)
		switch {
		case errors.Is(err, errRecordTooLong):
			return Record{Line: r.line, Err: err}, nil
		case err != nil && (!errors.Is(err, io.EOF) || len(text) == 0):
			return Record{}, err
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return document(r.line, text), nil
		}
	}
}

var errRecordTooLong = fmt.Errorf("the document has more than %d bytes", MaxRecordBytes)

// readLine reads a line into memory of its own. A line that is too long is read to its end and is errRecordTooLong; the last one comes
// with io.EOF where it has no end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := in.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > MaxRecordBytes; !tooLong {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case tooLong && (err == nil || errors.Is(err, io.EOF)):
			return nil, errRecordTooLong
		default:
			return line, err
		}
	}
}

// valueReader reads documents that stand one after another over any number of lines, or in one array. Where the text is
// no JSON nobody knows where the next document begins, so that is an error of the whole file.
type valueReader struct {
	in    *bufio.Reader
	line  int
	array bool // within [ and ]
	first bool // nothing has been read
	ended bool // the array's ] has been read
}

func newValueReader(in io.Reader) *valueReader {
	return &valueReader{in: bufio.NewReaderSize(in, readBufferBytes), line: 1, first: true}
}

func (r *valueReader) fail(what string) error {
	return fmt.Errorf("%w: line %d: %s", ErrFormat, r.line, what)
}

// byte reads the next byte that is no white space.
func (r *valueReader) byte() (byte, error) {
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			r.line++
		case ' ', '\t', '\r':
		default:
			return c, nil
		}
	}
}

func (r *valueReader) Next() (Record, error) {
	c, err := r.byte()
	if r.first && err == nil && c == '[' {
		r.array = true
		if c, err = r.byte(); err == nil && c == ']' {
			r.ended = true
			c, err = r.byte()
		}
	} else if r.array && !r.ended && err == nil {
		switch c {
		case ']':
			r.ended = true
			c, err = r.byte()
		case ',':
			c, err = r.byte()
		default:
			return Record{}, r.fail("a comma or ] is missing after a document")
		}
	}
	r.first = false
	switch {
	case errors.Is(err, io.EOF) && r.array && !r.ended:
		return Record{}, r.fail("the file ends within its array")
	case err != nil:
		return Record{}, err
	case r.ended:
		return Record{}, r.fail("there is something after the array")
	case c != '{':
		return Record{}, r.fail(fmt.Sprintf("a document begins with {, not with %q", c))
	}
	line := r.line
	text, err := r.object()
	if err != nil {
		return Record{}, err
	}
	return document(line, text), nil
}

// object reads to the brace that closes the one that was just read. What lies between is looked at by whoever parses it.
func (r *valueReader) object() ([]byte, error) {
	text := []byte{'{'}
	inString, escaped := false, false
	for depth := 1; depth > 0; {
		c, err := r.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil, r.fail("the file ends within a document")
		case err != nil:
			return nil, err
		case len(text) >= MaxRecordBytes:
			return nil, r.fail(errRecordTooLong.Error())
		}
		text = append(text, c)
		if c == '\n' {
			r.line++
		}
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
	}
	return text, nil
}

// jsonWriter writes documents as JSON, a line each or in an array.
type jsonWriter struct {
	out    io.Writer
	values matcher.Values
	array  bool
	count  int
	text   []byte
}

// NewJSONWriter writes documents in the given form, a line each or, with array, as one array.
func NewJSONWriter(out io.Writer, values matcher.Values, array bool) Writer {
	return &jsonWriter{out: out, values: values, array: array}
}

func (w *jsonWriter) Write(d *matcher.Document) error {
	w.text = w.text[:0]
	switch {
	case w.array && w.count == 0:
		w.text = append(w.text, "[\n"...)
	case w.array:
		w.text = append(w.text, ",\n"...)
	}
	w.count++
	w.text = matcher.AppendValue(w.text, d.Root(), w.values)
	if !w.array {
		w.text = append(w.text, '\n')
	}
	_, err := w.out.Write(w.text)
	return err
}

func (w *jsonWriter) Close() error {
	end := ""
	switch {
	case w.array && w.count == 0:
		end = "[]\n"
	case w.array:
		end = "\n]\n"
	}
	_, err := io.WriteString(w.out, end)
	return err
}
