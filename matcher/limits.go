package matcher

// Limits are the bounds on what users send. The zero value of a field means its default.
type Limits struct {
	MaxDocumentBytes   int // JSON text of one document; default 1 MiB
	MaxDocumentDepth   int // levels of nesting in a document or query; default 100
	MaxDocumentFields  int // values in one document, nested ones counted; default 65,536
	MaxQueryBytes      int // text of one filter; default 64 KiB
	MaxQueryNodes      int // operators and values in one filter; default 4,096
	MaxIDBytes         int // bytes of one _id; default 512
	MaxWindow          int // skip + limit, and documents of a sort without a limit; default 10,000
	MaxResultDocuments int // documents of one live result; default 100,000
}

// WithDefaults returns l with every zero field set to its default.
func (l Limits) WithDefaults() Limits {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&l.MaxDocumentBytes, 1<<20)
	set(&l.MaxDocumentDepth, 100)
	set(&l.MaxDocumentFields, 1<<16)
	set(&l.MaxQueryBytes, 64<<10)
	set(&l.MaxQueryNodes, 4096)
	set(&l.MaxIDBytes, 512)
	set(&l.MaxWindow, 10_000)
	set(&l.MaxResultDocuments, 100_000)
	return l
}
