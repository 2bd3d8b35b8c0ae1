package matcher

// Parser parses one text after another into the same memory, for a reader that looks at each document and goes on: it
// allocates nothing once it has seen the largest. A Parser is one goroutine's; it keeps up to 16 bytes for each byte of
// the longest text that it was given.
type Parser struct {
	limits   Limits
	parser   textParser
	document Document
}

// NewParser makes a Parser of texts within the limits.
func NewParser(limits Limits) *Parser { return &Parser{limits: limits.WithDefaults()} }

// ParseTransient is Parse, but the document and every Value of it are valid only until the next call, and only as long
// as the text stays as it is.
func (p *Parser) ParseTransient(text []byte) (*Document, error) {
	if err := p.parser.parse(text, p.limits); err != nil {
		return nil, err
	}
	if kind := p.parser.tape[0].kind; kind != KindObject {
		return nil, notAnObject(kind)
	}
	p.document = Document{text: text, arena: p.parser.arena, tape: p.parser.tape}
	return &p.document, nil
}
