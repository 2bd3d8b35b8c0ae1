package ingest_test

import (
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

func TestSegmentLog(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  ingest.SegmentConfig
	}{
		{"default", ingest.SegmentConfig{}},
		{"small segments", ingest.SegmentConfig{LogPartitions: 3, SegmentBytes: 6000, FS: disktest.New()}},
		{"a segment for each group", ingest.SegmentConfig{LogPartitions: 2, SegmentBytes: 1, FS: disktest.New()}},
		{"no sync", ingest.SegmentConfig{LogPartitions: 2, SegmentBytes: 9000, NoSync: true}},
		{"disk in memory", ingest.SegmentConfig{LogPartitions: 2, SegmentBytes: 9000, FS: disktest.New()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inMemory := c.cfg.FS != nil
			configs := map[ingest.Log]ingest.SegmentConfig{}
			open := func(t *testing.T, cfg ingest.SegmentConfig) ingest.Log {
				log, err := ingest.OpenSegments(cfg)
				if err != nil {
					t.Fatal(err)
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
