package storage

import (
	"fmt"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// The hash must be that of Kafka's clients: the partition of a key is fixed for the life of a log, whoever writes it.
func TestMurmur2(t *testing.T) {
	for text, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"abc":                        479470107,
	} {
		if got := int32(murmur2([]byte(text))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestPartitionOf(t *testing.T) {
	const partitions, ids = 5, 10_000
	count := make([]int, partitions+1)
	for i := range ids {
		count[PartitionOf("default", "pages", fmt.Sprint(i), partitions)]++
	}
	if count[matcher.ControlPartition] != 0 {
		t.Errorf("%d documents in the control partition", count[matcher.ControlPartition])
	}
	for p := 1; p <= partitions; p++ {
		if count[p] < ids/partitions/2 || count[p] > ids/partitions*2 {
			t.Errorf("log partition %d has %d of %d documents", p, count[p], ids)
		}
	}
}

func TestVectorRoundTrip(t *testing.T) {
	v := matcher.Vector{Incarnation: 7, Next: []uint64{1, 2, 1 << 40}}
	got, sequence, err := parseVector(appendVector(nil, v, 99))
	if err != nil || sequence != 99 || !got.Equal(v) {
		t.Fatalf("%v %d, %v", got, sequence, err)
	}
	for n := range 17 {
		if _, _, err := parseVector(appendVector(nil, v, 99)[:n]); err == nil {
			t.Errorf("the first %d bytes of a vector were read", n)
		}
	}
}
