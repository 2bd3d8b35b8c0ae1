package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/freshetdb/freshet/matcher"
)

// pageToken says where the next page of a query's answer begins: after the last document's sort key. It is opaque to
// clients, checked, and good for the very query that it was made for.
type pageToken struct {
	queryKey  string
	remaining int    // documents that the query's limit still allows; 0: it has no limit
	after     []byte // sort key of the last document given out
}

// The form of a token: version, the first 12 bytes of the query key's SHA-256, remaining as a uvarint, the sort key,
// CRC-32C of all that; base64url without padding.
const (
	pageVersion   = 1
	pageKeyBytes  = 12
	pageSumBytes  = 4
	pageMinBytes  = 1 + pageKeyBytes + 1 + 1 + pageSumBytes
	pageRemaining = 1<<31 - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (t pageToken) String() string {
	hash := sha256.Sum256([]byte(t.queryKey))
	raw := append([]byte{pageVersion}, hash[:pageKeyBytes]...)
	raw = binary.AppendUvarint(raw, uint64(t.remaining))
	raw = append(raw, t.after...)
	raw = binary.BigEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parsePageToken reads a token for the query with the given key.
func parsePageToken(text, queryKey string) (pageToken, error) {
	bad := func(detail string) (pageToken, error) {
		return pageToken{}, &Problem{Code: "page-invalid", Path: "/page", Detail: detail}
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < pageMinBytes || raw[0] != pageVersion {
		return bad("This is no page token of this server; use the `next` of an answer, whole.")
	}
	body, sum := raw[:len(raw)-pageSumBytes], binary.BigEndian.Uint32(raw[len(raw)-pageSumBytes:])
	if crc32.Checksum(body, castagnoli) != sum {
		return bad("This page token is damaged; use the `next` of an answer, whole.")
	}
	hash := sha256.Sum256([]byte(queryKey))
	if string(body[1:1+pageKeyBytes]) != string(hash[:pageKeyBytes]) {
		return bad("This page token belongs to another query; send the query again without `page`, or with what it had.")
	}
	remaining, n := binary.Uvarint(body[1+pageKeyBytes:])
	if n <= 0 || remaining > pageRemaining || 1+pageKeyBytes+n >= len(body) {
		return bad("This page token is damaged; use the `next` of an answer, whole.")
	}
	return pageToken{queryKey: queryKey, remaining: int(remaining), after: body[1+pageKeyBytes+n:]}, nil
}

// page is how much of a query's answer one request reads.
type page struct {
	skip      int
	limit     int // documents of this page at most
	remaining int // documents that the query's limit allows from here on, this page included; 0: no limit
	after     []byte
}

// pageOf finds which part of q's answer token asks for; "" is the first. What is skipped is held while it is put in order, so
// it has a bound.
func (g *Gateway) pageOf(q *matcher.Query, key, token string) (page, error) {
	p := page{skip: q.Skip(), remaining: q.Limit()}
	if most := g.cfg.Limits.WithDefaults().MaxResultDocuments; p.skip > most && token == "" {
		return p, &Problem{Code: "result-too-large", Path: "/skip", Limit: int64(most), Detail: fmt.Sprintf(
			"skip is %d and may be at most %d (maxResultDocuments); go on by pages with `page`, or narrow the filter.", p.skip, most)}
	}
	if token != "" {
		t, err := parsePageToken(token, key)
		if err != nil {
			return p, err
		}
		if (t.remaining > 0) != (q.Limit() > 0) || t.remaining > q.Limit() {
			return p, &Problem{Code: "page-invalid", Path: "/page", Detail: "This page token does not fit the query's limit; use the `next` of an answer, whole."}
		}
		p = page{remaining: t.remaining, after: t.after}
	}
	p.limit = MaxPageDocuments
	if p.remaining > 0 {
		p.limit = min(p.limit, p.remaining)
	}
	return p, nil
}
