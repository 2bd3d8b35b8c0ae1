package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// counted is the number in a test's document, 0 if there is none.
func counted(d *matcher.Document) int {
	if d == nil {
		return 0
	}
	return int(d.Field("n").Int64())
}

// counting is an update that adds one to a document's number.
func (r *rig) counting(c Collection, id string) Update {
	return Update{Collection: c, ID: id, Compute: func(current *matcher.Document, w matcher.WriteID) (Image, error) {
		return Image{After: r.document(id, Head{Document: current}, w, counted(current)+1)}, nil
	}}
}

var errExists = errors.New("it exists")

// inserting is an update that refuses where there is a document.
func (r *rig) inserting(c Collection, id string, n int) Update {
	return Update{Collection: c, ID: id, Compute: func(current *matcher.Document, w matcher.WriteID) (Image, error) {
		if current != nil {
			return Image{}, errExists
		}
		return Image{After: r.document(id, Head{}, w, n)}, nil
	}}
}

// held runs during while the apply loop stands still at a boundary.
func (r *rig) held(during func()) {
	r.t.Helper()
	if err := r.store.Boundary(r.t.Context(), func(n *Snapshot) { n.Close(); during() }); err != nil {
		r.t.Fatal(err)
	}
}

// until waits for a condition of another goroutine.
func until(condition func() bool) {
	for !condition() {
		runtime.Gosched()
	}
}

func eachEmbedded(t *testing.T, test func(t *testing.T, r *rig, rng *rand.Rand)) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		if r.config.Attempts {
			t.Skip("over a log of attempts nothing is pipelined")
		}
		test(t, r, rng)
	})
}

// Invariant 10: concurrent writes of one key build on each other; none is lost, none waits for another's sync.
func TestHotKey(t *testing.T) {
	eachEmbedded(t, func(t *testing.T, r *rig, _ *rand.Rand) {
		c := r.collection("pages")
		const writes = 1000
		before := r.store.Metrics().Groups.Load()
		var group sync.WaitGroup
		r.held(func() {
			for range writes {
				group.Go(func() {
					w, err := r.store.Update(t.Context(), r.counting(c, "hot"))
					if err != nil || counted(w.Document) == 0 {
						t.Errorf("%v, %v", counted(w.Document), err)
					}
				})
			}
			until(func() bool { return int(r.store.Metrics().WaitingWrites.Load()) == writes })
		})
		group.Wait()
		head, err := r.store.Head(c, "hot")
		if err != nil || counted(head.Document) != writes || head.Document.Revision().Generation != writes {
			t.Fatalf("after %d increments: %v, %v", writes, text(head.Document), err)
		}
		if groups := r.store.Metrics().Groups.Load() - before; groups > writes/8 {
			t.Errorf("%d groups for %d writes", groups, writes)
		}
		if rejected := r.store.Metrics().WritesRejected.Load(); rejected != 0 {
			t.Errorf("%d writes were rejected", rejected)
		}
		r.compare(c)
		r.forgotten()
	})
}

// forgotten checks that nothing is kept of writes that are done.
func (r *rig) forgotten() {
	r.t.Helper()
	p := r.store.pending
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if len(p.heads) != 0 || len(p.ids) != 0 || p.requests != 0 || p.bytes != 0 || len(p.waiting) != 0 {
		r.t.Errorf("with nothing on its way: %d heads, %d request ids, %d requests, %d bytes", len(p.heads), len(p.ids), p.requests, p.bytes)
	}
}

// Invariant 10: what builds on a write that is rejected is rejected with it, and computed again from the applied state.
func TestRejectedHead(t *testing.T) {
	eachEmbedded(t, func(t *testing.T, r *rig, _ *rand.Rand) {
		c := r.collection("pages")
		if _, err := r.store.Update(t.Context(), r.counting(c, "a")); err != nil {
			t.Fatal(err)
		}
		base, err := r.store.Head(c, "a")
		if err != nil {
			t.Fatal(err)
		}
		const writes = 20
		var group sync.WaitGroup
		r.held(func() {
			// It goes by no head, as a write of another node would: it comes first, and nobody here knows of it.
			w := r.store.NewWriteID()
			group.Go(func() {
				out, err := r.store.Write(t.Context(), Attempt{Collection: c, ID: "a", Head: base, WriteID: w, After: r.document("a", base, w, 100)})
				if err != nil || !out.Accepted {
					t.Errorf("accepted %v, %v", out.Accepted, err)
				}
			})
			until(func() bool { return int(r.store.Metrics().WaitingWrites.Load()) == 1 })
			for range writes {
				group.Go(func() {
					if _, err := r.store.Update(t.Context(), r.counting(c, "a")); err != nil {
						t.Error(err)
					}
				})
			}
			until(func() bool { return int(r.store.Metrics().WaitingWrites.Load()) == 1+writes })
		})
		group.Wait()
		head, err := r.store.Head(c, "a")
		if err != nil || counted(head.Document) != 100+writes {
			t.Fatalf("%s, %v", text(head.Document), err)
		}
		if rejected := r.store.Metrics().WritesRejected.Load(); rejected < writes {
			t.Errorf("%d writes were rejected, want all %d that built on a state that never was", rejected, writes)
		}
		r.compare(c)
		r.forgotten()
	})
}

// Invariant 10: what a write is told of a state that is still on its way, it is told when that state is durable; if the
// state never comes, neither does the answer.
func TestAnswersWaitForTheirState(t *testing.T) {
	eachEmbedded(t, func(t *testing.T, r *rig, _ *rand.Rand) {
		c := r.collection("pages")
		refused, unchanged := make(chan error, 1), make(chan Written, 1)
		var answered atomic.Int64
		var group sync.WaitGroup
		r.held(func() {
			group.Go(func() {
				if _, err := r.store.Update(t.Context(), r.inserting(c, "a", 1)); err != nil {
					t.Error(err)
				}
			})
			until(func() bool { return int(r.store.Metrics().WaitingWrites.Load()) == 1 })
			go func() {
				_, err := r.store.Update(t.Context(), r.inserting(c, "a", 2))
				answered.Add(1)
				refused <- err
			}()
			go func() {
				w, err := r.store.Update(t.Context(), Update{Collection: c, ID: "a", Compute: func(d *matcher.Document, _ matcher.WriteID) (Image, error) {
					return Image{Unchanged: true}, nil
				}})
				if err != nil {
					t.Error(err)
				}
				answered.Add(1)
				unchanged <- w
			}()
			until(func() bool { return int(r.store.Metrics().WaitingWrites.Load()) == 3 })
			if answered.Load() != 0 {
				t.Error("a write was answered from a state that is not durable")
			}
			if head, err := r.store.Head(c, "a"); err != nil || head.Document != nil {
				t.Errorf("a reader sees %s, %v", text(head.Document), err)
			}
		})
		if err := <-refused; !errors.Is(err, errExists) {
			t.Errorf("the second insert: %v", err)
		}
		w := <-unchanged
		if counted(w.Document) != 1 || w.Operation != matcher.OperationNone || !r.store.Vector().Covers(w.Position) {
			t.Errorf("an update that changes nothing: %s, %v", text(w.Document), w.Operation)
		}
		group.Wait()

		// The same with a state that is rejected: the refusal was wrong, and is never heard.
		r.held(func() {
			id := r.store.NewWriteID()
			group.Go(func() {
				if _, err := r.store.Write(t.Context(), Attempt{Collection: c, ID: "b", WriteID: id, After: r.document("b", Head{}, id, 7)}); err != nil {
					t.Error(err)
				}
			})
			until(func() bool { return int(r.store.Metrics().WaitingWrites.Load()) == 1 })
			group.Go(func() {
				if _, err := r.store.Update(t.Context(), r.inserting(c, "b", 8)); !errors.Is(err, errExists) {
					t.Errorf("an insert that built on nothing: %v", err)
				}
			})
			until(func() bool { return int(r.store.Metrics().WaitingWrites.Load()) == 2 })
			group.Go(func() {
				w, err := r.store.Update(t.Context(), Update{Collection: c, ID: "b", Compute: func(d *matcher.Document, w matcher.WriteID) (Image, error) {
					if counted(d) == 8 {
						return Image{}, errors.New("a state that never was")
					}
					return Image{After: r.document("b", Head{Document: d}, w, counted(d)+1)}, nil
				}})
				if err != nil || counted(w.Document) != 8 {
					t.Errorf("%s, %v", text(w.Document), err)
				}
			})
			until(func() bool { return int(r.store.Metrics().WaitingWrites.Load()) == 3 })
		})
		group.Wait()
		r.compare(c)
		r.forgotten()
	})
}

// Begin keeps the order of its caller, and calls back before the listener may show anything.
func TestBegin(t *testing.T) {
	eachEmbedded(t, func(t *testing.T, r *rig, _ *rand.Rand) {
		c := r.collection("pages")
		const writes = 300
		numbers := make(chan int, writes)
		r.held(func() {
			released := r.check.count()
			for range writes {
				r.store.Begin(r.counting(c, "a"), func(w Written, err error) {
					if err != nil {
						t.Error(err)
					}
					if now := r.check.count(); now != released {
						t.Errorf("a write was answered after %d groups were released", now-released)
					}
					numbers <- counted(w.Document)
				})
			}
		})
		for want := 1; want <= writes; want++ {
			if n := <-numbers; n != want {
				t.Fatalf("write %d came back as %d", want, n)
			}
		}
		r.store.Begin(r.inserting(c, "a", 1), func(_ Written, err error) {
			if !errors.Is(err, errExists) {
				t.Error(err)
			}
			numbers <- 0
		})
		<-numbers
		r.end()
		r.store.Begin(r.counting(c, "a"), func(_ Written, err error) {
			if !errors.Is(err, ErrStopped) {
				t.Errorf("after the stop: %v", err)
			}
			numbers <- 0
		})
		<-numbers
		r.start()
	})
}

// A full line refuses; what it has taken it makes.
func TestOverload(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.state = newState()
	r.start()
	defer func() { r.end(); r.log.Close() }()
	c := r.collection("pages")
	var refused, made atomic.Int64
	var group sync.WaitGroup
	r.held(func() {
		for range MaxWaitingWrites + 10 {
			group.Add(1)
			r.store.Begin(r.counting(c, "a"), func(_ Written, err error) {
				defer group.Done()
				switch {
				case err == nil:
					made.Add(1)
				case errors.Is(err, ErrOverloaded):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
	})
	group.Wait()
	if refused.Load() != 10 || made.Load() != MaxWaitingWrites {
		t.Errorf("%d refused, %d made", refused.Load(), made.Load())
	}
	if head, _ := r.store.Head(c, "a"); counted(head.Document) != MaxWaitingWrites {
		t.Errorf("%s", text(head.Document))
	}
	r.forgotten()
}

// persistently makes a counting write under a request id until its outcome is known, some of the time from two
// goroutines at once.
func (r *rig) persistently(c Collection, id, request string, twice bool) (numbers []int) {
	var mutex sync.Mutex
	var group sync.WaitGroup
	copies := 1
	if twice {
		copies = 2
	}
	for range copies {
		group.Go(func() {
			u := r.counting(c, id)
			u.RequestID, u.RequestHash = request, 7
			for {
				ctx, cancel := r.patience()
				w, err := r.store.Update(ctx, u)
				cancel()
				switch {
				case err == nil:
					mutex.Lock()
					numbers = append(numbers, counted(w.Document))
					mutex.Unlock()
					return
				case errors.Is(err, ErrOutcomeUnknown), errors.Is(err, ErrContended), errors.Is(err, context.DeadlineExceeded):
				default:
					r.t.Errorf("request %s: %v", request, err)
					return
				}
			}
		})
	}
	group.Wait()
	return numbers
}

// Invariant 11: whatever the log does, a request that is repeated until its outcome is known is made exactly once, and
// every answer to it is the first one.
func TestRequestIDs(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		c := r.collection("pages")
		const clients, each, documents = 6, 15, 3
		answers := map[string]int{}
		made := map[string]int{}
		for round := range 3 {
			var mutex sync.Mutex
			var group sync.WaitGroup
			for client := range clients {
				own := rand.New(rand.NewPCG(rng.Uint64(), uint64(client)))
				group.Go(func() {
					for i := range each {
						id := fmt.Sprint("id", own.IntN(documents))
						request := fmt.Sprintf("%d-%d-%d-%s", round, client, i, id)
						numbers := r.persistently(c, id, request, own.IntN(3) == 0)
						mutex.Lock()
						made[id]++
						answers[request] = numbers[0]
						for _, n := range numbers {
							if n != numbers[0] {
								t.Errorf("request %s was answered %v", request, numbers)
							}
						}
						mutex.Unlock()
					}
				})
			}
			group.Wait()
			r.settle()
			r.compare(c)
			switch round {
			case 0:
				r.crash(rng)
				r.start()
				r.settle()
			case 1:
				r.end()
				r.start()
			}
			for request, first := range answers { // repeated after all that came since, and after a restart
				var round, client, i int
				var id string
				if _, err := fmt.Sscanf(request, "%d-%d-%d-%s", &round, &client, &i, &id); err != nil {
					t.Fatal(err)
				}
				if again := r.persistently(c, id, request, false); again[0] != first {
					t.Errorf("request %s was answered %d, and then %d", request, first, again[0])
				}
			}
			all := r.all(c)
			for id, want := range made {
				d, err := matcher.Parse([]byte(all[id]), r.store.Limits())
				if err != nil || counted(d) != want {
					t.Fatalf("%q holds %s, want %d (%v)", id, all[id], want, err)
				}
			}
		}
		r.forgotten()
	})
}

// A repeat of an insert, a delete and a refused write; another request under a used id.
func TestRequestOutcomes(t *testing.T) {
	for _, name := range []string{"embedded", "attempts"} {
		t.Run(name, func(t *testing.T) {
			r := kinds[name](t, 1)
			r.state = newState()
			r.start()
			defer func() { r.end(); r.log.Close() }()
			c := r.collection("pages")
			insert := r.inserting(c, "a", 1)
			insert.RequestID, insert.RequestHash = "first", 1
			remove := Update{Collection: c, ID: "a", RequestID: "second", RequestHash: 2, Compute: func(current *matcher.Document, _ matcher.WriteID) (Image, error) {
				if current == nil {
					return Image{}, errors.New("it is not there")
				}
				return Image{}, nil
			}}
			for _, again := range []bool{false, true, true} {
				w, err := r.store.Update(t.Context(), insert)
				if err != nil || w.Operation != matcher.OperationInsert || w.Repeated != again || counted(w.Document) != 1 {
					t.Fatalf("insert: %+v, %v", w, err)
				}
				w, err = r.store.Update(t.Context(), remove)
				if err != nil || w.Operation != matcher.OperationDelete || w.Repeated != again || w.Document != nil {
					t.Fatalf("delete: %+v, %v", w, err)
				}
			}
			other := r.counting(c, "a")
			other.RequestID, other.RequestHash = "first", 3
			if _, err := r.store.Update(t.Context(), other); !errors.Is(err, ErrRequestReused) {
				t.Fatalf("another request under the same id: %v", err)
			}
			// What was refused is not remembered: nothing was made of it.
			refused := r.inserting(c, "b", 2)
			refused.RequestID, refused.RequestHash = "third", 4
			blocker := r.counting(c, "b")
			if _, err := r.store.Update(t.Context(), blocker); err != nil {
				t.Fatal(err)
			}
			if _, err := r.store.Update(t.Context(), refused); !errors.Is(err, errExists) {
				t.Fatal(err)
			}
			if _, _, err := r.remove(t.Context(), c, "b"); err != nil {
				t.Fatal(err)
			}
			if w, err := r.store.Update(t.Context(), refused); err != nil || w.Repeated {
				t.Fatalf("%+v, %v", w, err)
			}
			// The outcome outlives its collection.
			r.fence(c, r.store.TruncateCollection)
			c, _ = r.store.Collection(testApp, "pages")
			insert.Collection = c
			if w, err := r.store.Update(t.Context(), insert); err != nil || !w.Repeated {
				t.Fatalf("after a truncate: %+v, %v", w, err)
			}
			if len(r.all(c)) != 0 {
				t.Error("the repeat of an insert made a document")
			}
		})
	}
}

// Request ids are remembered for MaxRequestLag offsets and not for longer, whatever has been pruned by then.
func TestRequestIDsExpire(t *testing.T) {
	for _, name := range []string{"embedded", "attempts"} {
		t.Run(name, func(t *testing.T) {
			r := kinds[name](t, 1)
			const lag = 300
			r.config.FlushBytes = 1 << 20
			r.config.MaxRequestLag, r.state = lag, newState()
			r.start()
			defer func() { r.end(); r.log.Close() }()
			c := r.collection("pages")
			partition := PartitionOf(testApp, "pages", "a", r.log.Partitions()-1)
			request := func(id string) Written {
				t.Helper()
				u := r.counting(c, "a")
				u.RequestID, u.RequestHash = id, 1
				w, err := r.store.Update(t.Context(), u)
				if err != nil {
					t.Fatal(err)
				}
				return w
			}
			offset := func() uint64 { return r.store.Vector().Next[partition] }
			request("one") // at offset first
			first := offset() - 1
			for offset() < first+lag {
				if request(fmt.Sprint("filler", offset())).Repeated {
					t.Fatal("a new request was taken for an old one")
				}
			}
			if !request("one").Repeated { // decided at the last offset that counts
				t.Fatal("a request was forgotten too early")
			}
			request("filler")
			for offset() <= first+lag {
				request(fmt.Sprint("late", offset()))
			}
			if request("one").Repeated {
				t.Fatal("a request was remembered too long")
			}
			if !request("one").Repeated {
				t.Fatal("a request was not remembered anew")
			}
			const more = 2400
			var group sync.WaitGroup
			for worker := range 8 {
				group.Go(func() {
					for i := range more / 8 {
						u := r.counting(c, fmt.Sprintf("a%d", worker))
						u.RequestID = fmt.Sprintf("more %d %d", worker, i)
						if _, err := r.store.Update(t.Context(), u); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			kept := 0
			if err := r.store.loop.each([]byte{prefixOutcome}, func(_, _ []byte) error { kept++; return nil }); err != nil {
				t.Fatal(err)
			}
			if partitions := r.log.Partitions() - 1; kept > partitions*(lag+pruneStep) {
				t.Errorf("%d outcomes are kept", kept)
			}
			ids := 0
			if err := r.store.loop.each([]byte{prefixRequest}, func(_, _ []byte) error { ids++; return nil }); err != nil {
				t.Fatal(err)
			}
			if ids > kept {
				t.Errorf("%d request ids are kept, and %d outcomes", ids, kept)
			}
		})
	}
}

// A write gets in line though groups are applied all the time while its document, which is not in the cache, is read.
func TestUpdateWhileGroupsSettle(t *testing.T) {
	eachEmbedded(t, func(t *testing.T, r *rig, _ *rand.Rand) {
		c := r.collection("pages")
		text := `{"list":[` + strings.Repeat("[1.25e7],", 30_000) + `[1]]}` // takes longer to parse than a group takes
		if err := r.set(t.Context(), c, "large", text); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var settling sync.WaitGroup
		settling.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					r.store.pending.settle(nil) // as a group does that has nothing to do with the key
				}
			}
		})
		defer func() { close(stop); settling.Wait() }()
		for range 3 {
			r.store.cache.remove(cacheKey{c.ID, c.Epoch, "large"})
			if _, err := r.store.Update(t.Context(), r.counting(c, "large")); err != nil {
				t.Fatal(err)
			}
			if err := r.set(t.Context(), c, "large", text); err != nil {
				t.Fatal(err)
			}
		}
	})
}
