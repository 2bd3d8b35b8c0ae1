package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/freshetdb/freshet/matcher"
)

// The operations of a history. Each is of one document, whose state is its number; absent is none.
const (
	opRead   = iota
	opPut    // whatever is there
	opAdd    // one; makes a missing document
	opInsert // refused where there is one
	opSwap   // refused unless the number is from
	opDelete // refused where there is none
)

const absent = -1

type linearInput struct {
	op, id, from, to int
}

type linearOutput struct {
	unknown bool // the outcome of the write is not known: it may come at any time, or never
	refused bool
	number  int // that was read or stored; absent: none
}

// linearModel says what one document does, one operation after another. A write of unknown outcome returns at the end
// of time, so it may come after everything that was seen.
var linearModel = porcupine.Model{
	Init: func() any { return absent },
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byID := map[int][]porcupine.Operation{}
		for _, o := range history {
			id := o.Input.(linearInput).id
			byID[id] = append(byID[id], o)
		}
		for _, part := range byID {
			parts = append(parts, part)
		}
		return parts
	},
	Step: func(state, input, output any) (bool, any) {
		now, in, out := state.(int), input.(linearInput), output.(linearOutput)
		next, refused := now, false
		switch in.op {
		case opPut:
			next = in.to
		case opAdd:
			if next = now + 1; now == absent {
				next = 1
			}
		case opInsert:
			if refused = now != absent; !refused {
				next = in.to
			}
		case opSwap:
			if refused = now != in.from; !refused {
				next = in.to
			}
		case opDelete:
			if refused = now == absent; !refused {
				next = absent
			}
		}
		if out.unknown {
			return true, next
		}
		return refused == out.refused && (refused || next == out.number), next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

var errRefused = errors.New("refused")

// linearUpdate is an operation in the words of the store.
func (r *rig) linearUpdate(c Collection, in linearInput) Update {
	id := fmt.Sprint("d", in.id)
	return Update{Collection: c, ID: id, Compute: func(current *matcher.Document, w matcher.WriteID) (Image, error) {
		now := absent
		if current != nil {
			now = counted(current)
		}
		refused, next := linearModel.Step(now, in, linearOutput{refused: true})
		if refused {
			return Image{}, errRefused
		}
		if next == absent {
			return Image{}, nil
		}
		return Image{After: r.document(id, Head{Document: current}, w, next.(int))}, nil
	}}
}

// linearClient makes random operations and notes when each began and ended, and what came of it.
func linearClient(r *rig, c Collection, rng *rand.Rand, client, operations, documents int, begin time.Time) (history []porcupine.Operation) {
	for i := range operations {
		in := linearInput{op: rng.IntN(opDelete + 1), id: rng.IntN(documents), from: rng.IntN(4), to: rng.IntN(4)}
		o := porcupine.Operation{ClientId: client, Input: in, Call: time.Since(begin).Nanoseconds()}
		out := linearOutput{number: absent}
		if in.op == opRead {
			head, err := r.store.Head(c, fmt.Sprint("d", in.id))
			if err != nil {
				r.t.Error(err)
				return history
			}
			if head.Document != nil {
				out.number = counted(head.Document)
			}
		} else {
			u := r.linearUpdate(c, in)
			persistent := rng.IntN(2) == 0
			if persistent { // one operation, however often it is repeated
				u.RequestID, u.RequestHash = fmt.Sprintf("%d %d %d", begin.UnixNano(), client, i), 1
			}
			out = linearWrite(r, u, persistent)
		}
		o.Output, o.Return = out, time.Since(begin).Nanoseconds()
		if out.unknown {
			o.Return = math.MaxInt64
		}
		history = append(history, o)
	}
	return history
}

func linearWrite(r *rig, u Update, persistent bool) linearOutput {
	for {
		ctx, cancel := r.patience()
		w, err := r.store.Update(ctx, u)
		cancel()
		switch {
		case err == nil && w.Document == nil:
			return linearOutput{number: absent}
		case err == nil:
			return linearOutput{number: counted(w.Document)}
		case errors.Is(err, errRefused):
			return linearOutput{refused: true}
		case errors.Is(err, ErrContended): // it was not made: try again, as the same operation
		case errors.Is(err, ErrOutcomeUnknown), errors.Is(err, context.DeadlineExceeded):
			if !persistent {
				return linearOutput{unknown: true}
			}
		default:
			r.t.Error(err)
			return linearOutput{unknown: true}
		}
	}
}

// Invariants 4, 10, 11: each document is one that changes atomically, at some moment between each operation's begin and
// end, whatever is on its way at the same time.
func TestLinearizable(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		c := r.collection("pages")
		const rounds, clients, operations, documents = 4, 6, 24, 3
		for round := range rounds {
			var mutex sync.Mutex
			var group sync.WaitGroup
			var history []porcupine.Operation
			begin := time.Now()
			for client := range clients {
				own := rand.New(rand.NewPCG(rng.Uint64(), uint64(client)))
				group.Go(func() {
					part := linearClient(r, c, own, client, operations, documents, begin)
					mutex.Lock()
					history = append(history, part...)
					mutex.Unlock()
				})
			}
			group.Wait()
			if got := porcupine.CheckOperationsTimeout(linearModel, history, 30*time.Second); got != porcupine.Ok {
				for _, o := range history {
					t.Logf("client %d [%d, %d] %s", o.ClientId, o.Call, o.Return, linearModel.DescribeOperation(o.Input, o.Output))
				}
				t.Fatalf("round %d: %s", round, got)
			}
			r.fence(c, r.store.TruncateCollection) // the next round begins with nothing, and nothing of this one comes any more
			c, _ = r.store.Collection(testApp, "pages")
		}
	})
}
