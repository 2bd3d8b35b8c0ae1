package follow

import (
	"errors"
	"fmt"
	"slices"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
)

// ErrContract says that a frame breaks the wire contract.
var ErrContract = errors.New("the frame breaks the wire contract")

// Event is what one change did to the result. Index and PreviousIndex are -1 where there is none.
type Event struct {
	Match, Operation, ID string
	Index, PreviousIndex int
	Document             oracle.Object
}

func (e Event) String() string {
	return fmt.Sprintf("%s/%s %s index %d previousIndex %d %s", e.Match, e.Operation, e.ID, e.Index, e.PreviousIndex,
		documentText(e.Document))
}

func documentText(d oracle.Object) string {
	if d == nil {
		return "without document"
	}
	return string(oracle.Encode(d))
}

// Step is what one frame was.
type Step struct {
	Type     string // subscribed, result, change, unsubscribed, error
	Events   []Event
	Reset    bool
	Reason   string
	Partial  bool // a part of a result that takes effect with its last part
	Position string
	Code     string // of an error
}

// Follower holds the view of one subscription.
type Follower struct {
	Query    oracle.Query
	QueryKey string
	Position string          // of the last frame that had one
	View     []oracle.Object // what a client shows; an unordered view is in order of arrival

	stream     bool // server-sent events: no ids, an event id
	noInitial  bool
	since      string // position that it comes back with, "" if it does not
	mustReset  bool   // `subscribed` did not repeat since: nothing but a reset may follow
	subscribed bool
	hasResult  bool
	ended      bool
	parts      []oracle.Object
	inParts    bool
}

// New makes the follower of a subscription on a session.
func New(q oracle.Query) *Follower { return &Follower{Query: q} }

// NewStream makes the follower of a stream of server-sent events.
func NewStream(q oracle.Query) *Follower { return &Follower{Query: q, stream: true} }

// Resume makes the follower of a subscription that goes on from where f stands.
func (f *Follower) Resume() *Follower {
	return &Follower{
		Query: f.Query, Position: f.Position, View: slices.Clone(f.View), stream: f.stream, since: f.Position, hasResult: true,
	}
}

// Live reports whether the first result has come.
func (f *Follower) Live() bool { return f.subscribed && (f.hasResult || f.noInitial) }

// Ended reports whether the last frame has come.
func (f *Follower) Ended() bool { return f.ended }

// Apply takes the next frame of this subscription.
func (f *Follower) Apply(frame wire.Frame) (Step, error) {
	step, err := f.apply(frame)
	if err != nil {
		return Step{}, fmt.Errorf("%w: %w: %.2000s", ErrContract, err, frame.Raw)
	}
	return step, nil
}

func (f *Follower) apply(frame wire.Frame) (Step, error) {
	if f.ended {
		return Step{}, errors.New("a frame after the last one")
	}
	if !f.subscribed && frame.Type != "subscribed" && frame.Type != "error" && frame.Type != "unsubscribed" {
		return Step{}, errors.New("subscribed does not come first")
	}
	if f.inParts && frame.Type == "change" {
		return Step{}, errors.New("a change between the parts of a result")
	}
	var step Step
	var err error
	switch frame.Type {
	case "subscribed":
		step, err = f.onSubscribed(frame.Object)
	case "result":
		step, err = f.onResult(frame.Object)
	case "change":
		step, err = f.onChange(frame.Object)
	case "unsubscribed":
		f.ended = true
		err = f.fields(frame.Object, nil, nil)
	case "error", "problem":
		f.ended = true
		step.Code, err = f.onError(frame.Object)
	default:
		err = fmt.Errorf("a frame of type %q", frame.Type)
	}
	if err != nil {
		return Step{}, err
	}
	step.Type = frame.Type
	if step.Position != "" {
		f.Position = step.Position
		// `subscribed` must have none: a browser that reconnects after it would say that it has the result.
		if want := f.QueryKey + "." + step.Position; f.stream && f.hasResult && frame.EventID != want {
			return Step{}, fmt.Errorf("the event id is %q, not %q", frame.EventID, want)
		}
	}
	if f.stream && !f.hasResult && frame.EventID != "" {
		return Step{}, errors.New("an event id before the result")
	}
	return step, nil
}

// fields checks that a frame has the required fields beside id and type, and no others but the optional ones.
func (f *Follower) fields(o oracle.Object, required, optional []string) error {
	common := []string{"id", "type"}
	if f.stream {
		common = common[1:]
	}
	return exactFields(o, append(common, required...), optional)
}

func exactFields(o oracle.Object, required, optional []string) error {
	for _, name := range required {
		if _, ok := o.Get(name); !ok {
			return fmt.Errorf("the field %s is missing", name)
		}
	}
	seen := map[string]bool{}
	for _, field := range o {
		if seen[field.Name] {
			return fmt.Errorf("the field %s comes twice", field.Name)
		}
		seen[field.Name] = true
		if !slices.Contains(required, field.Name) && !slices.Contains(optional, field.Name) {
			return fmt.Errorf("the field %s does not belong here", field.Name)
		}
	}
	return nil
}

func (f *Follower) onSubscribed(o oracle.Object) (Step, error) {
	if f.subscribed {
		return Step{}, errors.New("subscribed came before")
	}
	if err := f.fields(o, []string{"queryKey", "ordered", "position", "warnings"}, nil); err != nil {
		return Step{}, err
	}
	if ordered, _ := o.Get("ordered"); ordered != f.Query.Ordered() {
		return Step{}, fmt.Errorf("ordered is %v", ordered)
	}
	f.subscribed = true
	f.QueryKey = o.Text("queryKey")
	if f.QueryKey == "" || o.Text("position") == "" {
		return Step{}, errors.New("the query key or the position is empty")
	}
	f.mustReset = f.since != "" && o.Text("position") != f.since
	return Step{Position: o.Text("position")}, nil
}

func (f *Follower) onResult(o oracle.Object) (Step, error) {
	if err := f.fields(o, []string{"documents"}, []string{"reset", "reason", "more", "position"}); err != nil {
		return Step{}, err
	}
	step := Step{Reason: o.Text("reason"), Position: o.Text("position")}
	reset, _ := o.Get("reset")
	step.Reset = reset == true
	more, _ := o.Get("more")
	step.Partial = more == true
	switch {
	case f.hasResult && !step.Reset:
		return Step{}, errors.New("another result that is no reset")
	case step.Reset && step.Reason == "":
		return Step{}, errors.New("a reset without its reason")
	case step.Partial && step.Position != "":
		return Step{}, errors.New("a position before the last part")
	case !step.Partial && step.Position == "":
		return Step{}, errors.New("no position on the last part")
	}
	documents, _ := o.Get("documents")
	list, ok := documents.([]any)
	if !ok {
		return Step{}, errors.New("documents is no array")
	}
	for _, e := range list {
		d, ok := e.(oracle.Object)
		if !ok || d.ID() == "" || indexOf(f.parts, d.ID()) >= 0 {
			return Step{}, fmt.Errorf("%s is no document, or comes twice", oracle.Encode(e))
		}
		f.parts = append(f.parts, d)
	}
	f.inParts = step.Partial
	f.mustReset = false
	if !step.Partial {
		f.View, f.parts, f.hasResult = f.parts, nil, true
	}
	return step, nil
}

func (f *Follower) onError(o oracle.Object) (string, error) {
	problem := o
	if !f.stream { // on a stream the data may be the problem itself
		if err := f.fields(o, []string{"problem"}, nil); err != nil {
			return "", err
		}
	}
	if v, ok := o.Get("problem"); ok {
		problem, _ = v.(oracle.Object)
	}
	for _, name := range []string{"title", "detail", "code"} {
		if problem.Text(name) == "" {
			return "", fmt.Errorf("a problem without %s", name)
		}
	}
	return problem.Text("code"), nil
}

func (f *Follower) onChange(o oracle.Object) (Step, error) {
	if !f.Live() {
		return Step{}, errors.New("a change before the result")
	}
	if f.mustReset {
		return Step{}, fmt.Errorf("a change, though subscribed was at another position than the %s that was given", f.since)
	}
	if err := f.fields(o, []string{"events", "position"}, nil); err != nil {
		return Step{}, err
	}
	step := Step{Position: o.Text("position")}
	if step.Position == "" || step.Position == f.Position {
		return Step{}, errors.New("the position is empty or that of the frame before")
	}
	v, _ := o.Get("events")
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return Step{}, errors.New("a change without events")
	}
	for _, e := range list {
		object, _ := e.(oracle.Object)
		event, err := f.event(object)
		if err == nil {
			err = f.applyEvent(event)
		}
		if err != nil {
			return Step{}, fmt.Errorf("event %s: %w", oracle.Encode(e), err)
		}
		step.Events = append(step.Events, event)
	}
	return step, nil
}

// event reads an event and checks its form. Invariant 3.
func (f *Follower) event(o oracle.Object) (Event, error) {
	e := Event{Match: o.Text("match"), Operation: o.Text("operation"), ID: o.Text("_id"), Index: -1, PreviousIndex: -1}
	required := []string{"match", "operation", "_id"}
	switch e.Match {
	case "add", "change":
		required = append(required, "document", "index")
	case "changeIndex":
		required = append(required, "document", "index", "previousIndex")
	case "remove":
		required = append(required, "previousIndex")
	default:
		return e, fmt.Errorf("match %q", e.Match)
	}
	if !f.Query.Ordered() {
		required = slices.DeleteFunc(required, func(name string) bool { return name == "index" || name == "previousIndex" })
	}
	if err := exactFields(o, required, nil); err != nil {
		return e, err
	}
	for name, to := range map[string]*int{"index": &e.Index, "previousIndex": &e.PreviousIndex} {
		if v, ok := o.Get(name); ok {
			i, isInt := v.(int64)
			if !isInt || i < 0 {
				return e, fmt.Errorf("%s is no index", name)
			}
			*to = int(i)
		}
	}
	if v, ok := o.Get("document"); ok {
		e.Document, _ = v.(oracle.Object)
		if e.Document.ID() != e.ID {
			return e, errors.New("the document is another one")
		}
	}
	return e, f.operation(e)
}

func (f *Follower) operation(e Event) error {
	edge := f.Query.Skip > 0 || f.Query.Limit > 0
	allowed := map[string][]string{
		"add":         {"insert", "update"},
		"change":      {"update"},
		"changeIndex": {"update"},
		"remove":      {"update", "delete"},
	}[e.Match]
	if e.Operation == "none" && (e.Match == "add" || e.Match == "remove") && edge {
		return nil
	}
	if !slices.Contains(allowed, e.Operation) {
		return fmt.Errorf("operation %q cannot be here", e.Operation)
	}
	return nil
}

// applyEvent changes the view. Invariant 2.
func (f *Follower) applyEvent(e Event) error {
	at := indexOf(f.View, e.ID)
	if e.Match == "add" {
		if at >= 0 {
			return errors.New("the document is there already")
		}
		return f.insert(e)
	}
	if at < 0 {
		return errors.New("there is no such document in the result")
	}
	ordered := f.Query.Ordered()
	switch e.Match {
	case "remove":
		if ordered && at != e.PreviousIndex {
			return fmt.Errorf("the document stands at %d", at)
		}
		f.View = slices.Delete(f.View, at, at+1)
	case "change":
		if ordered && at != e.Index {
			return fmt.Errorf("the document stands at %d", at)
		}
		if oracle.Identical(f.View[at], e.Document) {
			return errors.New("nothing changed")
		}
		f.View[at] = e.Document
	case "changeIndex":
		if at != e.PreviousIndex || at == e.Index {
			return fmt.Errorf("the document stands at %d", at)
		}
		f.View = slices.Delete(f.View, at, at+1)
		return f.insert(e)
	}
	return nil
}

func (f *Follower) insert(e Event) error {
	at := len(f.View)
	if f.Query.Ordered() {
		if e.Index > len(f.View) {
			return fmt.Errorf("the list has only %d entries", len(f.View))
		}
		at = e.Index
	}
	f.View = slices.Insert(f.View, at, e.Document)
	return nil
}

func indexOf(docs []oracle.Object, id string) int {
	return slices.IndexFunc(docs, func(d oracle.Object) bool { return d.ID() == id })
}
