package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readFile takes the settings of a YAML file. Keys are known by their place: http.origins is origins under http.
func (l *loading) readFile(name string, text []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return
	} else if err != nil {
		l.wrong("file %s: %w", name, err)
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.wrong("file %s holds more than one YAML document; keep one", name)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	l.readMapping(name, "", root)
}

func (l *loading) readMapping(file, prefix string, node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		l.wrong("file %s:%d: expected `key: value` lines%s", file, node.Line, under(prefix))
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(node.Content); i += 2 {
		name, content := node.Content[i], node.Content[i+1]
		key := prefix + name.Value
		if line := seen[key]; line != 0 {
			l.wrong("file %s:%d: %s is given twice, first in line %d; keep one", file, name.Line, key, line)
			continue
		}
		seen[key] = name.Line
		l.readKey(file, key, name.Line, content)
	}
}

func (l *loading) readKey(file, key string, line int, content *yaml.Node) {
	origin := fmt.Sprintf("file %s:%d", file, line)
	var known []string
	for _, s := range settings {
		if s.Key == key {
			text, err := nodeText(content, s.List)
			if err != nil {
				l.refused[key] = true
				l.wrong("%s (%s) %w", key, origin, err)
				return
			}
			l.set(s, origin, text)
			return
		}
		if strings.HasPrefix(s.Key, key+".") {
			l.readMapping(file, key+".", content)
			return
		}
		known = append(known, s.Key)
	}
	l.wrong("file %s:%d: the key %s is unknown%s", file, line, key, DidYouMean(key, known, ""))
}

// nodeText is a scalar's text, or a list's with commas between.
func nodeText(node *yaml.Node, list bool) (string, error) {
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return "", errors.New("has no value; give one or remove the key")
	case node.Kind == yaml.ScalarNode:
		return node.Value, nil
	case node.Kind == yaml.SequenceNode && list:
		var parts []string
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, ",") {
				return "", errors.New("must be a list of plain values")
			}
			parts = append(parts, item.Value)
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("must be one plain value")
}

func under(prefix string) string {
	if prefix == "" {
		return ""
	}
	return " under " + strings.TrimSuffix(prefix, ".")
}
