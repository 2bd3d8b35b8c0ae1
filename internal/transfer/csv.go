package transfer

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/freshetdb/freshet/matcher"
)

// csvReader reads a document a record.
type csvReader struct {
	text  *csvText
	tree  csvNode
	count int // of columns
	cells []cell
}

// csvNode is an object that columns lie in: dotted paths become nested objects.
type csvNode struct {
	names    []string
	children []*csvNode
	column   *Column // of a leaf
	index    int     // of its cell
}

func newCSVReader(in io.Reader) (*csvReader, error) {
	text, err := newCSVText(in)
	if err != nil {
		return nil, err
	}
	header, _, err := text.record(nil)
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it is empty; a CSV file begins with the names of its columns", ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	r := &csvReader{text: text, count: len(header)}
	for i, heading := range header {
		c, _, err := ParseColumn(heading.text)
		if err != nil {
			return nil, fmt.Errorf("%w: line 1: %w", ErrFormat, err)
		}
		if !r.tree.add(strings.Split(c.Path, "."), &c, i) {
			return nil, fmt.Errorf("%w: line 1: the column %s is named twice, or is also the beginning of another's path", ErrFormat, c.Path)
		}
	}
	return r, nil
}

func (n *csvNode) add(path []string, c *Column, index int) bool {
	if n.column != nil {
		return false
	}
	for i, name := range n.names {
		if name == path[0] {
			return len(path) > 1 && n.children[i].add(path[1:], c, index)
		}
	}
	child := &csvNode{}
	n.names, n.children = append(n.names, path[0]), append(n.children, child)
	if len(path) > 1 {
		return child.add(path[1:], c, index)
	}
	child.column, child.index = c, index
	return true
}

func (r *csvReader) Next() (Record, error) {
	cells, line, err := r.text.record(r.cells)
	if err != nil {
		return Record{}, err
	}
	r.cells = cells
	if len(cells) != r.count {
		return Record{Line: line, Err: fmt.Errorf("it has %d fields, the header %d", len(cells), r.count)}, nil
	}
	text, _, err := r.tree.append(nil, cells)
	if err != nil {
		return Record{Line: line, Err: err}, nil
	}
	return document(line, text), nil
}

// append appends the object of a node; some is false where no cell below it holds anything.
func (n *csvNode) append(dst []byte, cells []cell) (_ []byte, some bool, err error) {
	dst = append(dst, '{')
	for i, child := range n.children {
		before := len(dst)
		if some {
			dst = append(dst, ',')
		}
		dst = append(matcher.AppendString(dst, []byte(n.names[i])), ':')
		var filled bool
		if child.column == nil {
			dst, filled, err = child.append(dst, cells)
		} else {
			dst, filled, err = child.column.append(dst, cells[child.index])
		}
		if err != nil {
			return dst, false, err
		}
		if some = some || filled; !filled {
			dst = dst[:before]
		}
	}
	return append(dst, '}'), some, nil
}

func (c *Column) append(dst []byte, in cell) (_ []byte, filled bool, err error) {
	text := c.kind.name == "string" || c.kind.name == "auto"
	if in.missing() || in.text == "" && !text {
		return dst, false, nil
	}
	value, err := c.kind.read(in.text, c.argument)
	if err != nil {
		return dst, false, fmt.Errorf("the column %s: %w", c, err)
	}
	return append(dst, value...), true, nil
}

// csvWriter writes a document a record.
type csvWriter struct {
	out     io.Writer
	columns []Column
	known   map[string]bool // names at the root that have a column; nil if the columns were chosen
	cells   []cell
	text    []byte
}

// NewCSVWriter writes documents in the given columns, first the header. With whole, a document that has a field without
// a column is an error.
func NewCSVWriter(out io.Writer, columns []Column, whole bool) (Writer, error) {
	w := &csvWriter{out: out, columns: columns, cells: make([]cell, len(columns))}
	if whole {
		w.known = map[string]bool{}
	}
	for i, c := range columns {
		w.cells[i] = cell{text: c.String()}
		if whole {
			w.known[c.Path] = true
		}
	}
	_, err := out.Write(appendCells(nil, w.cells))
	return w, err
}

func (w *csvWriter) Write(d *matcher.Document) error {
	fail := func(err error) error {
		return fmt.Errorf("the document %.80s: %w", d.Root().Field("_id").Raw(), err)
	}
	if w.known != nil {
		for v := d.Root().First(); v.Exists(); v = v.Next() {
			if !w.known[string(v.Name())] {
				return fail(fmt.Errorf("its field %s has no column, for the documents before it do not have it; name all columns with --fields", v.Name()))
			}
		}
	}
	for i, c := range w.columns {
		var err error
		if w.cells[i], err = c.cellOf(d); err != nil {
			return fail(err)
		}
	}
	if len(w.cells) == 1 && w.cells[0].missing() {
		return fail(errors.New("it does not have the only column's field, and an empty line is no record; export _id too"))
	}
	w.text = appendCells(w.text[:0], w.cells)
	_, err := w.out.Write(w.text)
	return err
}

func (w *csvWriter) Close() error { return nil }

// Columns chooses columns for documents: the given headings, or the fields at the root of the documents, in the order in which
// they are met. The type of one that names none is that of its values in the documents, json() where they differ.
func Columns(headings []string, documents []*matcher.Document) ([]Column, error) {
	if headings == nil {
		seen := map[string]bool{}
		for _, d := range documents {
			for v := d.Root().First(); v.Exists(); v = v.Next() {
				name := string(v.Name())
				if strings.Contains(name, ".") || strings.HasSuffix(name, ")") {
					return nil, fmt.Errorf("the field %q cannot be a column's name; export as ndjson, or name the columns with --fields", name)
				}
				if !seen[name] {
					seen[name] = true
					headings = append(headings, name)
				}
			}
		}
	}
	if len(headings) == 0 {
		headings = []string{"_id"}
	}
	columns := make([]Column, len(headings))
	for i, heading := range headings {
		c, typed, err := ParseColumn(heading)
		if err != nil {
			return nil, err
		}
		if !typed {
			c.kind = columnTypeOf(c, documents)
		}
		columns[i] = c
	}
	return columns, nil
}

func columnTypeOf(c Column, documents []*matcher.Document) (found *columnType) {
	for _, d := range documents {
		v := d.Root()
		for name := range strings.SplitSeq(c.Path, ".") {
			v = v.Field(name)
		}
		if !v.Exists() {
			continue
		}
		fit := typeFor(v)
		if _, ok := fit.write(v, ""); !ok || found != nil && fit != found {
			return typeNamed("json")
		}
		found = fit
	}
	if found == nil {
		return typeNamed("json")
	}
	return found
}
