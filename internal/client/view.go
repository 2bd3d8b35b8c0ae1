package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ErrOutOfStep means that an event does not fit the view: a frame was lost or the server is wrong.
var ErrOutOfStep = errors.New("the event does not fit the view")

// Document is one document of a view.
type Document struct {
	ID   string
	JSON json.RawMessage
}

// View is the result of a live query as the frames so far describe it. The zero value has had none.
type View struct {
	Ordered   bool
	Documents []Document // in the query's order; unordered: as they came
	Position  string     // of the last frame that carried one
	parts     []Document // of a result whose last part is still to come
}

// Apply brings the view on by one frame. Frames that do not concern the view are passed over.
func (v *View) Apply(f Frame) error {
	switch f.Type {
	case "subscribed":
		v.Ordered = f.Ordered
		v.parts = nil
	case "result":
		return v.applyResult(f)
	case "change":
		for _, e := range f.Events {
			if err := v.applyEvent(e); err != nil {
				return err
			}
		}
	case "progress":
	default:
		return nil
	}
	v.move(f.Position)
	return nil
}

func (v *View) move(position string) {
	if position != "" {
		v.Position = position
	}
}

func (v *View) applyResult(f Frame) error {
	for _, raw := range f.Documents {
		id, err := documentID(raw)
		if err != nil {
			return err
		}
		v.parts = append(v.parts, Document{ID: id, JSON: raw})
	}
	if f.More {
		return nil
	}
	v.Documents, v.parts = v.parts, nil
	v.move(f.Position)
	return nil
}

func documentID(raw json.RawMessage) (string, error) {
	var document struct {
		ID *string `json:"_id"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		return "", fmt.Errorf("decode document: %w", err)
	}
	if document.ID == nil {
		return "", fmt.Errorf("%w: a document without an _id", ErrOutOfStep)
	}
	return *document.ID, nil
}

// applyEvent takes the document out where it was and puts it in where it is now.
func (v *View) applyEvent(e Event) error {
	var from, to int
	var err error
	switch e.Match {
	case "add":
		to, err = v.place(e)
		from = -1
	case "change":
		from, err = v.find(e, e.Index)
		to = from
	case "changeIndex":
		if from, err = v.find(e, e.PreviousIndex); err == nil {
			to, err = v.target(e)
		}
	case "remove":
		from, err = v.find(e, e.PreviousIndex)
		to = -1
	default:
		err = fmt.Errorf("%w: unknown match %q", ErrOutOfStep, e.Match)
	}
	if err != nil {
		return err
	}
	switch {
	case to >= 0 && len(e.Document) == 0:
		return fmt.Errorf("%w: %s of %q has no document", ErrOutOfStep, e.Match, e.ID)
	case from >= 0 && from == to:
		v.Documents[to] = Document{ID: e.ID, JSON: e.Document}
		return nil
	}
	if from >= 0 {
		v.Documents = slices.Delete(v.Documents, from, from+1)
	}
	if to >= 0 {
		v.Documents = slices.Insert(v.Documents, to, Document{ID: e.ID, JSON: e.Document})
	}
	return nil
}

// find returns where the event's document is: at the index, or, unordered, wherever it stands.
func (v *View) find(e Event, index *int) (int, error) {
	if !v.Ordered && index == nil {
		if at := slices.IndexFunc(v.Documents, func(d Document) bool { return d.ID == e.ID }); at >= 0 {
			return at, nil
		}
		return 0, fmt.Errorf("%w: %s of %q, which is not in it", ErrOutOfStep, e.Match, e.ID)
	}
	if index == nil || *index < 0 || *index >= len(v.Documents) || v.Documents[*index].ID != e.ID {
		return 0, fmt.Errorf("%w: %s of %q at index %s of %d documents", ErrOutOfStep, e.Match, e.ID, indexText(index), len(v.Documents))
	}
	return *index, nil
}

// place returns where an added document goes.
func (v *View) place(e Event) (int, error) {
	if !v.Ordered && e.Index == nil {
		if slices.ContainsFunc(v.Documents, func(d Document) bool { return d.ID == e.ID }) {
			return 0, fmt.Errorf("%w: add of %q, which is in it", ErrOutOfStep, e.ID)
		}
		return len(v.Documents), nil
	}
	if e.Index == nil || *e.Index < 0 || *e.Index > len(v.Documents) {
		return 0, fmt.Errorf("%w: add of %q at index %s of %d documents", ErrOutOfStep, e.ID, indexText(e.Index), len(v.Documents))
	}
	return *e.Index, nil
}

// target returns where a moved document goes, in the list without it.
func (v *View) target(e Event) (int, error) {
	if e.Index == nil || *e.Index < 0 || *e.Index >= len(v.Documents) {
		return 0, fmt.Errorf("%w: changeIndex of %q to index %s of %d documents", ErrOutOfStep, e.ID, indexText(e.Index), len(v.Documents))
	}
	return *e.Index, nil
}

func indexText(index *int) string {
	if index == nil {
		return "(none)"
	}
	return fmt.Sprint(*index)
}
