package matcher

import "strings"

// declared is what the collection declares of the place that an update's path leads to. A name that stands for elements
// leads on as the array does.
func (p *updateParser) declared(path string) *dateNode {
	n := p.dates
	if n == nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		if _, element := elementIdentifier(name); n != nil && !element && pathIndex(name) < 0 {
			n = n.fields[name]
		}
	}
	return n
}

// elementDates finds what is declared of the elements that each `$[x]` in the paths of an update stands for. Where it
// stands for elements of arrays that are declared differently, its filter is taken as it is written.
func (p *updateParser) elementDates(update, filters Value) {
	if p.dates == nil || !filters.Exists() {
		return
	}
	p.elements = map[string]*dateNode{}
	for o := update.First(); o.Exists(); o = o.Next() {
		for v := o.First(); o != filters && v.Exists(); v = v.Next() {
			p.pathDates(string(v.Name()))
		}
	}
}

func (p *updateParser) pathDates(path string) {
	end := 0
	for name := range strings.SplitSeq(path, ".") {
		if identifier, element := elementIdentifier(name); element && identifier != "" && end > 0 {
			declared := p.declared(path[:end-1])
			if before, known := p.elements[identifier]; known && before != declared {
				declared = nil
			}
			p.elements[identifier] = declared
		}
		end += len(name) + 1
	}
}
