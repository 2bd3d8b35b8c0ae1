package gateway

import (
	"strings"

	"github.com/freshetdb/freshet/matcher"
)

// preconditions is what a writer demands of the stored document before its write is made.
type preconditions struct {
	ifMatch     string // raw If-Match, "" if none
	ifNoneMatch bool   // If-None-Match: *
	revision    string // `_rev` of a replacing document, "" if none
	mustExist   bool   // 404 if there is no document
	mustNot     bool   // 409 if there is one: an insert
}

// check says whether the write may be made over head (nil: there is no document). Invariant 3.
func (p preconditions) check(head *matcher.Document) error {
	failed := func(detail string) error { return &Problem{Code: "precondition-failed", Detail: detail} }
	if head == nil {
		switch {
		case p.ifMatch != "":
			return failed("If-Match needs a document, and there is none; leave the header out to create it.")
		case p.revision != "":
			return &Problem{Code: "precondition-failed", Path: "/_rev", Detail: "The body has a _rev but there is no document; leave _rev out to create it."}
		case p.mustExist:
			return &Problem{Code: "document-not-found", Detail: "There is no document with this id."}
		}
		return nil
	}
	current := head.Revision().String()
	switch {
	case p.mustNot:
		return &Problem{Code: "already-exists", Path: "/_id", Detail: "A document with this _id exists; replace it with PUT, or choose another _id."}
	case p.ifNoneMatch:
		return failed("If-None-Match: * creates only, and the document exists; its revision is " + current + ".")
	case p.ifMatch != "" && !etagMatches(p.ifMatch, current, false):
		return failed("If-Match is " + p.ifMatch + " but the document's ETag is " + etag(current) + "; load it and try again.")
	case p.revision != "" && p.revision != current:
		return &Problem{Code: "precondition-failed", Path: "/_rev", Detail: "The _rev in the body is " + p.revision + " but the document's is " + current + "; load it and try again."}
	}
	return nil
}

// etag writes a revision as an entity tag.
func etag(revision string) string { return `"` + revision + `"` }

// etagMatches reports whether a list of entity tags (or *) names the revision. Weak tags count only where weak is true:
// RFC 9110, section 8.8.3.2.
func etagMatches(list, revision string, weak bool) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		if weak {
			tag = strings.TrimPrefix(tag, "W/")
		}
		if tag == "*" || tag == etag(revision) {
			return true
		}
	}
	return false
}
