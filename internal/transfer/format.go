package transfer

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/freshetdb/freshet/matcher"
)

// MaxRecordBytes bounds the text of one document in a file.
const MaxRecordBytes = 16 << 20

// recordLimits are what a document is read with here. The server has limits of its own.
var recordLimits = matcher.Limits{MaxDocumentBytes: MaxRecordBytes, MaxDocumentDepth: 1000, MaxDocumentFields: MaxRecordBytes}

// Format is how a file holds documents.
type Format string

// The formats.
const (
	NDJSON  Format = "ndjson"  // a document a line
	ExtJSON Format = "extjson" // as mongoexport writes: documents one after another, or in an array
	CSV     Format = "csv"     // a header with names and types, then a document a record
)

// Formats are all formats by name.
var Formats = []string{string(NDJSON), string(ExtJSON), string(CSV)}

// ErrFormat is wrapped by errors of a file's content.
var ErrFormat = errors.New("the file cannot be read")

// Record is one document of a file, or why there is none.
type Record struct {
	Line int    // where it begins, from 1
	Text []byte // JSON on one line, without the metadata fields that the server sets
	ID   string // "" if the document has none
	Err  error  // it is no document; the next one may be
}

// Reader reads the documents of a file.
type Reader interface {
	// Next returns the next record, io.EOF after the last. Any other error is one of the whole file.
	Next() (Record, error)
}

// NewReader reads documents in a format.
func NewReader(f Format, in io.Reader) (Reader, error) {
	switch f {
	case NDJSON:
		return newLineReader(in), nil
	case ExtJSON:
		return newValueReader(in), nil
	case CSV:
		return newCSVReader(in)
	}
	return nil, fmt.Errorf("the format %q is unknown", f)
}

// Writer writes documents to a file.
type Writer interface {
	Write(d *matcher.Document) error
	// Close writes what ends the file. It does not close what the file is written to.
	Close() error
}

// setByServer are the metadata fields that a client cannot choose.
func setByServer(name string) bool {
	return name == "_rev" || name == "_createdAt" || name == "_updatedAt"
}

// document makes the record of a document's text, which it takes over: one line, the server's metadata left out, an _id
// that is an ObjectId or an integer as a string.
func document(line int, text []byte) Record {
	r := Record{Line: line}
	if bytes.ContainsAny(text, "\r\n") {
		var compact bytes.Buffer
		if r.Err = json.Compact(&compact, text); r.Err != nil {
			return r
		}
		text = compact.Bytes()
	}
	d, err := matcher.Parse(text, recordLimits)
	if err != nil {
		r.Err = err
		return r
	}
	id := d.Root().Field("_id")
	if id.Exists() {
		if r.ID, r.Err = idText(id); r.Err != nil {
			return r
		}
	}
	changed := r.ID != string(id.Bytes()) || id.Kind() == matcher.KindObjectID
	for v := d.Root().First(); v.Exists() && !changed; v = v.Next() {
		changed = setByServer(string(v.Name()))
	}
	if r.Text = text; changed {
		r.Text, r.Err = rewrite(d)
	}
	return r
}

func rewrite(d *matcher.Document) ([]byte, error) {
	text := []byte{'{'}
	for v := d.Root().First(); v.Exists(); v = v.Next() {
		if setByServer(string(v.Name())) {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(matcher.AppendString(text, v.Name()), ':')
		if string(v.Name()) != "_id" {
			text = append(text, v.Raw()...)
			continue
		}
		id, err := idText(v)
		if err != nil {
			return nil, err
		}
		text = matcher.AppendString(text, []byte(id))
	}
	return append(text, '}'), nil
}

// idText is the _id that stands for another database's.
func idText(v matcher.Value) (string, error) {
	switch v.Kind() {
	case matcher.KindString:
		return string(v.Bytes()), nil
	case matcher.KindObjectID:
		return hex.EncodeToString(v.Bytes()), nil
	case matcher.KindInt32, matcher.KindInt64:
		return strconv.FormatInt(v.Int64(), 10), nil
	}
	return "", fmt.Errorf("the _id %.60s is of the type %s; an _id is a string, an ObjectId or an integer", v.Raw(), v.Kind())
}

// WithoutMetadata is a document as a file holds it: without the revision and the times, which are the server's.
func WithoutMetadata(d *matcher.Document) (*matcher.Document, error) {
	text, err := rewrite(d)
	if err != nil {
		return nil, err
	}
	return matcher.Parse(text, recordLimits)
}
