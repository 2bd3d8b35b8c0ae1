package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxCSVColumns bounds the columns of a file.
const MaxCSVColumns = 4096

// cell is one field of a record. An empty one that stood in quotes is an empty text, one that did not is nothing.
type cell struct {
	text   string
	quoted bool
}

// missing reports whether the cell holds nothing.
func (c cell) missing() bool { return c.text == "" && !c.quoted }

// csvText reads records as RFC 4180 has them; lines may end in LF alone, and a byte order mark is skipped.
type csvText struct {
	in    *bufio.Reader
	line  int // that is read
	bytes int // of the record that is read
}

func newCSVText(in io.Reader) (*csvText, error) {
	t := &csvText{in: bufio.NewReaderSize(in, readBufferBytes), line: 1}
	mark, err := t.in.Peek(3)
	if err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, err = t.in.Discard(3)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return t, nil
}

func (t *csvText) fail(what string) error {
	return fmt.Errorf("%w: line %d: %s", ErrFormat, t.line, what)
}

// record reads the next record and the line it begins on. io.EOF: there is none.
func (t *csvText) record(dst []cell) (cells []cell, line int, err error) {
	t.bytes = 0
	if err := t.skipEmptyLines(); err != nil {
		return nil, 0, err
	}
	line = t.line
	for cells = dst[:0]; ; {
		c, more, err := t.cell()
		if err != nil {
			return nil, line, err
		}
		if cells = append(cells, c); len(cells) > MaxCSVColumns {
			return nil, line, t.fail(fmt.Sprintf("more than %d columns", MaxCSVColumns))
		}
		if !more {
			return cells, line, nil
		}
	}
}

func (t *csvText) skipEmptyLines() error {
	for {
		next, err := t.in.Peek(2)
		switch {
		case len(next) == 0:
			return err
		case next[0] == '\n':
			t.line++
		case next[0] != '\r' || len(next) == 2 && next[1] != '\n':
			return nil
		}
		if _, err := t.in.Discard(1); err != nil {
			return err
		}
	}
}

// cell reads one field and what ends it; more is true if that is a comma.
func (t *csvText) cell() (c cell, more bool, err error) {
	var text []byte
	next, err := t.in.ReadByte()
	if err == nil && next == '"' {
		if text, err = t.quoted(); err != nil {
			return c, false, err
		}
		c.quoted = true
		next, err = t.in.ReadByte()
	}
	for {
		switch {
		case errors.Is(err, io.EOF):
			c.text = string(text)
			return c, false, nil
		case err != nil:
			return c, false, err
		case next == ',':
			c.text = string(text)
			return c, true, nil
		case next == '\n':
			t.line++
			c.text = string(text)
			return c, false, nil
		case next == '\r' && t.lineEnds():
		case next == '"':
			return c, false, t.fail("a quote stands within a field that does not begin with one; put the field in quotes and double those within")
		case c.quoted:
			return c, false, t.fail("after the closing quote of a field there is neither a comma nor the end of the line")
		default:
			if text, err = t.add(text, next); err != nil {
				return c, false, err
			}
		}
		next, err = t.in.ReadByte()
	}
}

// lineEnds reports whether a line feed comes next, or the end of the file.
func (t *csvText) lineEnds() bool {
	next, err := t.in.Peek(1)
	return err != nil || next[0] == '\n'
}

// quoted reads to the quote that closes the field.
func (t *csvText) quoted() (text []byte, err error) {
	for {
		c, err := t.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil, t.fail("the file ends within a field in quotes")
		case err != nil:
			return nil, err
		case c == '"':
			if next, err := t.in.Peek(1); err != nil || next[0] != '"' {
				return text, nil
			}
			if _, err := t.in.Discard(1); err != nil {
				return nil, err
			}
		case c == '\n':
			t.line++
		}
		if text, err = t.add(text, c); err != nil {
			return nil, err
		}
	}
}

func (t *csvText) add(text []byte, c byte) ([]byte, error) {
	if t.bytes++; t.bytes > MaxRecordBytes {
		return nil, t.fail(errRecordTooLong.Error())
	}
	return append(text, c), nil
}

// appendCells appends a record.
func appendCells(dst []byte, cells []cell) []byte {
	for i, c := range cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !c.quoted && !bytes.ContainsAny([]byte(c.text), "\",\r\n") {
			dst = append(dst, c.text...)
			continue
		}
		dst = append(dst, '"')
		dst = append(dst, bytes.ReplaceAll([]byte(c.text), []byte(`"`), []byte(`""`))...)
		dst = append(dst, '"')
	}
	return append(dst, '\n')
}
