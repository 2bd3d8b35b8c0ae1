package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

func (p Program) logCommand() *cobra.Command {
	c := &cobra.Command{Use: "log", Short: "Print the change log", Args: cobra.ArbitraryArgs, RunE: group}
	c.AddCommand(p.logDumpCommand())
	return c
}

// logDump is what `freshet log dump` was asked for.
type logDump struct {
	partition int
	from      uint64
	limit     int
	documents bool
}

func (p Program) logDumpCommand() *cobra.Command {
	var d logDump
	c := &cobra.Command{
		Use:   "dump FOLDER",
		Short: "Print the records of a change log, one JSON object a line",
		Long: `Print the records of the change log in FOLDER, a data folder or its log folder, one JSON object a line, in the log's
order. It only reads: the log may be in use, and then its last records need not be durable yet. A last line on standard
error says how much there is, and where a torn group begins; a damaged file is an error that names it.`,
		Args: exactly("a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if d.limit < 0 || d.partition < -1 || d.partition > matcher.MaxLogPartitions {
				return usagef("--limit must be 0 or more, --partition from 0 to %d", matcher.MaxLogPartitions)
			}
			return p.dumpLog(cmd.Context(), args[0], d)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.IntVar(&d.partition, "partition", -1, "only log partition `N`; 0 is the control partition, -1 all")
	flags.Uint64Var(&d.from, "from", 0, "only from offset `N` on, in each log partition")
	flags.IntVar(&d.limit, "limit", 0, "at most `N` records; 0: no limit")
	flags.BoolVar(&d.documents, "documents", false, "with the documents before and after each write")
	return c
}

// dumpedRecord is one line. Fields that the record lacks are left out.
type dumpedRecord struct {
	Segment     string               `json:"segment"`
	At          int64                `json:"at"`
	Group       string               `json:"group"` // place in its group: "1/3"
	Partition   int                  `json:"partition"`
	Offset      uint64               `json:"offset"`
	Kind        string               `json:"kind"`
	Collection  matcher.CollectionID `json:"collection,omitempty"`
	Epoch       uint32               `json:"epoch,omitempty"`
	ID          string               `json:"_id,omitempty"`
	Operation   string               `json:"operation,omitempty"`
	Generation  uint64               `json:"generation,omitempty"`
	WriteID     string               `json:"writeId,omitempty"`
	Base        string               `json:"base,omitempty"`
	ReadTo      uint64               `json:"readTo,omitempty"`
	Control     uint64               `json:"control,omitempty"`
	RequestID   string               `json:"requestId,omitempty"`
	Fence       string               `json:"fence,omitempty"`
	BeforeBytes int                  `json:"beforeBytes,omitempty"`
	AfterBytes  int                  `json:"afterBytes,omitempty"`
	Before      json.RawMessage      `json:"before,omitempty"`
	After       json.RawMessage      `json:"after,omitempty"`
	Body        json.RawMessage      `json:"body,omitempty"`
}

// errLimit ends a dump that has printed enough.
var errLimit = errors.New("limit")

func (p Program) dumpLog(ctx context.Context, folder string, d logDump) error {
	if inside := filepath.Join(folder, "log"); isFolder(inside) {
		folder = inside
	}
	out := bufio.NewWriter(p.Stdout)
	printed := 0
	sum, err := ingest.Dump(ctx, ingest.SegmentConfig{Dir: folder}, func(e ingest.DumpedEntry) error {
		if d.partition >= 0 && e.Partition != d.partition || e.Offset < d.from {
			return nil
		}
		if d.limit > 0 && printed == d.limit {
			return errLimit
		}
		printed++
		line, err := dumpLine(e, d.documents)
		if err != nil {
			return err
		}
		_, err = out.Write(append(line, '\n'))
		return err
	})
	if flushErr := out.Flush(); err == nil || errors.Is(err, errLimit) {
		err = flushErr
	}
	if err != nil {
		return fmt.Errorf("dump the log in %s: %w", folder, err)
	}
	if sum.Next == nil {
		return nil // --limit ended it
	}
	p.notice("%d records in %d groups, %d segments; offsets %v to %v", sum.Entries, sum.Groups, sum.Segments, sum.First, sum.Next)
	if sum.Trimmed > 0 {
		p.notice("%d segments were trimmed while they were read: what they held beyond these records is gone", sum.Trimmed)
	}
	if sum.TornBytes > 0 {
		p.notice("behind byte %d of the last segment: %d bytes of groups that are not finished; a log in use is writing them, else the next start removes them", sum.End, sum.TornBytes)
	}
	return nil
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func dumpLine(e ingest.DumpedEntry, documents bool) ([]byte, error) {
	r, err := ingest.DecodeRecord(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("offset %d of log partition %d: %w", e.Offset, e.Partition, err)
	}
	line := dumpedRecord{
		Segment: fmt.Sprintf("%016x", e.Segment), At: e.At, Group: fmt.Sprintf("%d/%d", e.Index+1, e.GroupEntries),
		Partition: e.Partition, Offset: e.Offset, Kind: r.Kind.String(),
		Collection: r.Collection, Epoch: r.Epoch, ID: r.ID, Generation: r.Generation,
		ReadTo: r.ReadTo, Control: r.Control, RequestID: r.RequestID,
		BeforeBytes: len(r.Before), AfterBytes: len(r.After), Body: r.Body,
	}
	if r.Operation != 0 {
		line.Operation = r.Operation.String()
	}
	if r.Fence != matcher.FenceNone {
		line.Fence = r.Fence.String()
	}
	if !r.WriteID.IsZero() {
		line.WriteID = r.WriteID.String()
	}
	if !r.Base.IsZero() {
		line.Base = r.Base.String()
	}
	if documents {
		line.Before, line.After = r.Before, r.After
	}
	return json.Marshal(line)
}
