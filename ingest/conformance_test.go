package ingest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk/disktest"
	"github.com/freshetdb/freshet/ingest/logtest"
)

func TestMemoryLog(t *testing.T) {
	for _, partitions := range []int{1, 3} {
		t.Run(fmt.Sprintf("partitions=%d", partitions), func(t *testing.T) {
			logtest.Run(t, func(*testing.T) ingest.Log { return ingest.NewMemoryLog(partitions) }, logtest.AtomicGroups())
		})
	}
}

// startLog appends by StartAppend.
type startLog struct{ *ingest.SegmentLog }

func (l startLog) Append(ctx context.Context, entries []ingest.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return <-l.StartAppend(entries)
}

func TestSegmentLog(t *testing.T) {
	for _, c := range []struct {
		name    string
		cfg     ingest.SegmentConfig
		started bool
	}{
		{"default", ingest.SegmentConfig{}, false},
		{"small segments", ingest.SegmentConfig{LogPartitions: 3, SegmentBytes: 6000, FS: disktest.New()}, false},
		{"a segment for each group", ingest.SegmentConfig{LogPartitions: 2, SegmentBytes: 1, FS: disktest.New()}, false},
		{"no sync", ingest.SegmentConfig{LogPartitions: 2, SegmentBytes: 9000, NoSync: true}, false},
		{"disk in memory", ingest.SegmentConfig{LogPartitions: 2, SegmentBytes: 9000, FS: disktest.New()}, false},
		{"StartAppend", ingest.SegmentConfig{LogPartitions: 2, SegmentBytes: 9000, FS: disktest.New()}, true},
		{"StartAppend, files", ingest.SegmentConfig{LogPartitions: 3}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inMemory := c.cfg.FS != nil
			configs := map[ingest.Log]ingest.SegmentConfig{}
			open := func(t *testing.T, cfg ingest.SegmentConfig) ingest.Log {
				segments, err := ingest.OpenSegments(cfg)
				if err != nil {
					t.Fatal(err)
				}
				log := ingest.Log(segments)
				if c.started {
					log = startLog{segments}
				}
				configs[log] = cfg
				return log
			}
			fresh := func(t *testing.T) ingest.Log {
				cfg := c.cfg
				cfg.Dir = t.TempDir()
				if inMemory {
					cfg.FS = disktest.New()
				}
				return open(t, cfg)
			}
			reopen := func(t *testing.T, log ingest.Log) ingest.Log {
				if err := log.Close(); err != nil {
					t.Fatal(err)
				}
				return open(t, configs[log])
			}
			logtest.Run(t, fresh, logtest.AtomicGroups(), logtest.Reopen(reopen))
		})
	}
}
