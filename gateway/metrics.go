package gateway

import (
	"reflect"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics counts what the gateway does.
type metrics struct {
	registry     *prometheus.Registry
	requests     *prometheus.CounterVec // by method and status
	problems     *prometheus.CounterVec // by code
	sockets      prometheus.Gauge
	streams      prometheus.Gauge
	frames       prometheus.Counter
	frameBytes   prometheus.Counter
	writeRetries prometheus.Counter
	bulkWaits    prometheus.Counter
	limit        *prometheus.GaugeVec // by name
	build        *prometheus.GaugeVec // by version
}

func newMetrics(connections *atomic.Int64) *metrics {
	const space, part = "freshet", "gateway"
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: space, Subsystem: part, Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: space, Subsystem: part, Name: name, Help: help})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: space, Subsystem: part, Name: "requests_total", Help: "Requests answered on the public port, by method and status."}, []string{"method", "status"}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: space, Subsystem: part, Name: "problems_total", Help: "Problems sent to clients, by code."}, []string{"code"}),
		sockets:      gauge("sockets", "Open WebSockets."),
		streams:      gauge("streams", "Open streams of server-sent events."),
		frames:       counter("frames_total", "Frames written to WebSockets and streams."),
		frameBytes:   counter("frame_bytes_total", "Bytes of frames written to WebSockets and streams."),
		writeRetries: counter("write_retries_total", "Writes made anew because their collection was dropped or truncated meanwhile."),
		bulkWaits:    counter("bulk_waits_total", "Times that a line of a bulk request waited because too many writes were waiting."),
	}
	m.limit = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: space, Subsystem: part, Name: "limit", Help: "Bounds of this server, by name."}, []string{"name"})
	m.build = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: space, Subsystem: part, Name: "build_info", Help: "1 for the version that runs."}, []string{"version"})
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: space, Subsystem: part, Name: "connections", Help: "Open connections of the public port."},
		func() float64 { return float64(connections.Load()) })
	m.registry.MustRegister(m.requests, m.problems, m.sockets, m.streams, m.frames, m.frameBytes, m.writeRetries, m.bulkWaits, m.limit, m.build, open,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) tellLimits(bounds map[string]int64) {
	for name, bound := range bounds {
		m.limit.WithLabelValues(name).Set(float64(bound))
	}
}

func (m *metrics) sentFrames(frames, bytes int) {
	m.frames.Add(float64(frames))
	m.frameBytes.Add(float64(bytes))
}

// structCollector publishes a package's struct of atomics: an atomic.Int64 or atomic.Bool as a gauge, an atomic.Uint64 as a
// counter, named freshet_<package>_<field in snake case>, with the field's tag `help`. A counter of nanoseconds (...Nanos) is
// published in seconds.
type structCollector struct {
	values []structValue
}

type structValue struct {
	description *prometheus.Desc
	kind        prometheus.ValueType
	read        func() float64
}

// newStructCollector takes a pointer to the struct. Fields of other types are left out.
func newStructCollector(part string, pointer any) *structCollector {
	s := &structCollector{}
	structure := reflect.ValueOf(pointer).Elem()
	for i := range structure.NumField() {
		name := structure.Type().Field(i).Name
		value := structValue{kind: prometheus.GaugeValue}
		full := "freshet_" + part + "_" + snakeCase(name)
		switch field := structure.Field(i).Addr().Interface().(type) {
		case *atomic.Int64:
			value.read = func() float64 { return float64(field.Load()) }
		case *atomic.Uint64:
			unit := 1.0
			if nanos, ok := strings.CutSuffix(full, "_nanos"); ok {
				full, unit = nanos+"_seconds", 1e9
			}
			value.kind, full = prometheus.CounterValue, full+"_total"
			value.read = func() float64 { return float64(field.Load()) / unit }
		case *atomic.Bool:
			value.read = func() float64 {
				if field.Load() {
					return 1
				}
				return 0
			}
		default:
			continue
		}
		value.description = prometheus.NewDesc(full, structure.Type().Field(i).Tag.Get("help"), nil, nil)
		s.values = append(s.values, value)
	}
	return s
}

// Describe implements prometheus.Collector.
func (s *structCollector) Describe(out chan<- *prometheus.Desc) {
	for _, v := range s.values {
		out <- v.description
	}
}

// Collect implements prometheus.Collector.
func (s *structCollector) Collect(out chan<- prometheus.Metric) {
	for _, v := range s.values {
		out <- prometheus.MustNewConstMetric(v.description, v.kind, v.read())
	}
}

func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
